"""nova's share of a migration's time by its steps, on recorded runs."""

from __future__ import annotations

from html import unescape
from pathlib import Path

from analysis.report import write_report
from analysis.report.sections.nova_steps import STEPS
from analysis.study.results import load_results

EXAMPLES = Path(__file__).parents[3] / "examples" / "guest-networks"
TODAY, ARTICLE = EXAMPLES / "today", EXAMPLES / "linuxbridge"


def test_the_steps_of_each_run_are_novas_share() -> None:
    runs = load_results(TODAY).runs
    for run in runs:
        assert run.metrics is not None
        values = run.metrics.by_name()
        *parts, share = [float(values[metric.name] or 0.0) for metric in STEPS]
        assert min(parts[0], parts[3] + 0.3) > 0.9 and min(parts) > -0.05, run.path
        # nova's record may end a little before its log's last line.
        assert -0.4 < share - sum(parts) < 0.4, run.path
    assert len(runs) == 12


def test_the_report_has_a_row_for_each_step_that_the_logs_tell(tmp_path: Path) -> None:
    today, article = (
        write_report(results, tmp_path / results.name).html.read_text(encoding="utf-8")
        for results in (TODAY, ARTICLE)
    )
    assert 'id="nova-steps"' in today and 'id="nova-steps"' not in article
    assert all(metric.label in unescape(today) for metric in STEPS)
