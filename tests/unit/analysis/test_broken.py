"""Evidence that once broke the analysis (tests/data/broken/README.md): named, and the rest analysed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from analysis.evidence.errors import InputError
from analysis.reference.published import DIRECTORY
from analysis.report.analysis import analyse
from analysis.study.results import EXCLUDED, load_results
from tests.unit.analysis.builder import write_sums

RUN = "runs/hybrid-s-unloaded-1gbit/01"
NOW = {
    "link-rate-zero": ("run.json", '"spec.link_rate_bits_per_second" is 0, expected a number above 0'),
    "lone-surrogate": ("run.json", "garbled: not JSON"),
    "nova-times": (
        "run.json",
        "\"nova.migration\" has times that are none: 'yesterday', '2026-11-23T11:33:37'",
    ),
    "sequence-beyond-64-bits": ("prober/ping.log:2", "garbled: not a line of ping -D -O"),
    "sequence-leaps": (
        "prober/ping.log",
        "garbled: sequence numbers leap, 63 lines of 1240683 requests",
    ),
}


def test_each_has_its_expectation(project: Path) -> None:
    folders = {path.name for path in (project / "tests" / "data" / "broken").iterdir() if path.is_dir()}
    assert folders == set(NOW)


@pytest.mark.parametrize("name", NOW)
def test_what_broke_is_named(name: str, project: Path, tmp_path: Path) -> None:
    data = project / "tests" / "data"
    results = Path(shutil.copytree(data / "results" / "quick" / "local", tmp_path / "results"))
    shutil.copytree(data / "broken" / name, results / RUN, dirs_exist_ok=True)
    write_sums(results / RUN)
    loaded = load_results(results)
    (notice,) = [notice for notice in loaded.notices if notice.effect == EXCLUDED]
    where = notice.file if notice.line is None else f"{notice.file}:{notice.line}"
    assert (where, notice.message) == (f"{RUN}/{NOW[name][0]}", NOW[name][1])
    assert sum(run.excluded_because is None for run in loaded.runs) == 4


@pytest.mark.parametrize(
    ("file", "text", "instead", "message"),
    [
        ("claims.yml", "rule: all_converged", "rule: all_conserved", "no key, rule or row 'all_conserved'"),
        ("claims.yml", "mode: hybrid", "moder: hybrid", "no key, rule or row 'mode'"),
        ("claims.yml", "claims:", "claims: [", "while parsing"),
        ("source.yml", "year:", "yeah:", "key or column 'year' is missing"),
        ("table2_unloaded.csv", "flavor", "flavour", "key or column 'flavor' is missing"),
        ("table2_unloaded.csv", "s,5.4,", "s,0,", "row s: migration_time_s is 0, expected a number above 0"),
        ("table2_unloaded.csv", ",385", "", "row s: transferred_mb is missing, expected a number above 0"),
        ("table2_unloaded.csv", ",385", ",385,1", "row s: more values than columns"),
        ("table4_stressed_1024mb_steps.csv", "1024,30.7,", "1024,nan,", "row 1024: migration_time_s is nan"),
    ],
)
def test_a_broken_published_data_set_is_one_line(
    file: str,
    text: str,
    instead: str,
    message: str,
    project: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shutil.copytree(DIRECTORY, tmp_path / "published")
    path = tmp_path / "published" / "icclab-2014" / file
    assert text in path.read_text()
    path.write_text(path.read_text().replace(text, instead))
    monkeypatch.setattr("analysis.reference.published.DIRECTORY", tmp_path / "published")
    with pytest.raises(InputError, match=message) as caught:
        analyse(project / "tests" / "data" / "results" / "quick" / "local")
    assert "\n" not in str(caught.value)
