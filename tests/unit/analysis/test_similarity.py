"""A scaled study: held against the article at the article's size, and shown elsewhere as it was measured."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from analysis.evidence.errors import InputError
from analysis.report import write_report
from analysis.report.analysis import analyse
from analysis.report.overview import published_values
from analysis.study.results import Results, load_results
from analysis.study.similarity import at_published_size, read_probe
from tests.unit.analysis.builder import Model, write_study
from tests.unit.analysis.cases import RECORDED, made_case

MIB = 1 << 20


def test_bytes_and_rates_are_times_the_scale_and_times_stay() -> None:
    measured = {"forward_bytes": 300e6, "migration_seconds": 11.0, "page_requests": 7}
    case = made_case([measured], stressed_mib=64, rate=2.5e8, table="table3")
    spec = replace(case.spec, scale=4, stress_threads=1, stress_thread_bytes=64 * MIB)
    runs = tuple(replace(run, record=replace(run.record, spec=spec)) for run in case.runs)
    scaled = replace(case, spec=spec, runs=runs, counted=runs)
    whole = at_published_size(scaled)
    assert (whole.spec.stressed_bytes, whole.spec.ram_bytes) == (256 * MIB, 4 * spec.ram_bytes)
    assert (whole.spec.link_rate, whole.spec.link_rate_bits_per_second, whole.spec.scale) == ("1gbit", 1e9, 1)
    (run,) = whole.counted
    assert run.metrics is not None and scaled.counted[0].metrics is not None
    assert (run.metrics.forward_bytes, run.metrics.migration_seconds) == (1200e6, 11.0)
    assert run.metrics.page_requests == scaled.counted[0].metrics.page_requests
    assert run.record.spec == whole.spec


def test_a_case_of_the_articles_size_is_as_it_is() -> None:
    case = made_case([{}], stressed_mib=256)
    assert at_published_size(case) is case


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three steps of table 3 by 4: 64 to 192 MiB over 250 Mbit/s."""
    models = [(Model(flavor="xl", threads=threads), 2) for threads in (1, 2, 3)]
    directory = write_study(tmp_path_factory.mktemp("scaled"), models)
    for path in (directory / "study.json", *directory.glob("runs/*/*/run.json")):
        document = json.loads(path.read_text())
        specs = [case["spec"] for case in document["cases"]] if "cases" in document else [document["spec"]]
        for spec in specs:
            spec.update(
                scale=4,
                link_rate="250mbit",
                **{key: spec[key] // 4 for key in ("ram_bytes", "stressed_bytes", "stress_thread_bytes")},
                link_rate_bits_per_second=250_000_000,
            )
        path.write_text(json.dumps(document))
    return directory


def test_claims_are_by_similarity_and_say_so(results: Path) -> None:
    found = analyse(results)
    assert [case.spec.stressed_bytes // MIB for case in found.cases] == [64, 128, 192]
    assert [case.spec.stressed_bytes // MIB for case in found.article_cases] == [256, 512, 768]
    assert [series.link_rate for series in found.series] == ["1gbit"]
    assert [published_values(found, case) for case in found.cases] == [
        (16.4, 1202 / 4),
        (21.3, 1722 / 4),
        (25.9, 2202 / 4),
    ]
    paths = write_report(results, None)
    page = paths.html.read_text(encoding="utf-8")
    assert "By similarity: the link is 4 times slower" in page
    assert "by similarity (x 4)" in page and "measured here" not in page
    assert json.loads((results / "report" / "claims.json").read_text())["scale"] == 4


def probed(sent_mib: dict[int, list[float]]) -> Results:
    """Results of guests with that much stressed memory, each of which sent so much."""
    cases = [
        made_case([{"forward_bytes": sent * MIB} for sent in each], stressed_mib=stressed)
        for stressed, each in sent_mib.items()
    ]
    whole = load_results(RECORDED / "quick" / "local")
    return replace(whole, runs=tuple(run for case in cases for run in case.runs))


@pytest.mark.parametrize(
    ("sent_mib", "sent_again", "scale"),
    [
        ({0: [470], 2048: [4095]}, 0.77, 4),
        ({0: [470, 480, 490], 2048: [4095, 4105, 4999]}, 0.77, 4),
        ({0: [200], 2048: [2760]}, 0.25, 12),
        ({0: [470], 2048: [4500]}, 0.97, 1),
    ],
)
def test_a_probe_asks_for_time_to_write_all_three_times(
    sent_mib: dict[int, list[float]], sent_again: float, scale: int
) -> None:
    probe = read_probe(probed(sent_mib))
    assert (round(probe.sent_again, 2), probe.scale) == (sent_again, scale)


@pytest.mark.parametrize("sent_mib", [{0: [470.0]}, {2048: [4000.0]}, {0: [470.0], 2048: [2000.0]}])
def test_a_probe_that_tells_nothing_is_refused(sent_mib: dict[int, list[float]]) -> None:
    with pytest.raises(InputError, match=r"quick/local: .* scale"):
        read_probe(probed(sent_mib))
