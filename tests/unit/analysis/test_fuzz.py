"""Whatever is in the files: a value or an error that names the file, never another exception or a hang."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis.evidence.checksums import parse_checksums
from analysis.evidence.clock import parse_clock
from analysis.evidence.errors import EvidenceError, InputError
from analysis.evidence.events import parse_events
from analysis.evidence.job import parse_job
from analysis.evidence.nic import parse_nic
from analysis.evidence.nova_log import parse_nova_log
from analysis.evidence.pcap import parse_pcap
from analysis.evidence.ping import parse_ping
from analysis.evidence.progress import parse_progress
from analysis.evidence.qemu_migrate import parse_qemu_migrate
from analysis.report.analysis import derive
from analysis.study.frames import readings_rows, runs_rows
from analysis.study.results import EXCLUDED, load_results
from tests.unit.analysis.builder import Model, write_study, write_sums
from tests.unit.analysis.damage import damaged

Parser = Callable[[Iterable[bytes], str], Any]
RECORDED = Path(__file__).parents[2] / "data"
RUN = RECORDED / "results/quick/local/runs/hybrid-s-unloaded-1gbit/01"
MODEL = Model(threads=1)

EXCHANGE = b"".join(
    json.dumps(
        {
            "t": 1.7e9 + second,
            "node": f"compute{1 + second % 2}",
            "sent_at": 1.7e9 + second,
            "received_at": 1.7e9 + second + 0.0002,
            "answered_at": 1.7e9 + second + 0.0003,
            "returned_at": 1.7e9 + second + 0.0005,
        }
    ).encode()
    + b"\n"
    for second in range(20)
)
MIGRATE = b'{"t": 1.0, "migrate": {"postcopy-blocktime": 12, "postcopy-vcpu-blocktime": [3, 4]}}\n'


def _nova(lines: Iterable[bytes], _file: str) -> Any:
    return parse_nova_log(lines, "zed")


def _head(path: Path, count: int = 60) -> bytes:
    return b"".join(path.read_bytes().splitlines(keepends=True)[:count])


PARSERS: dict[str, tuple[Parser, bytes]] = {
    "nic": (parse_nic, _head(RUN / "source/nic.jsonl")),
    "job": (parse_job, _head(RUN / "source/job.jsonl")),
    "events": (parse_events, _head(RUN / "source/events.jsonl")),
    "progress": (parse_progress, _head(RUN / "guest/progress.jsonl")),
    "ping": (parse_ping, _head(RUN / "prober/ping.log")),
    "sums": (parse_checksums, _head(RUN / "SHA256SUMS")),
    "nova": (_nova, _head(RECORDED / "nova-logs/zed/source.log")),
    "clock": (parse_clock, EXCHANGE),
    "pcap": (parse_pcap, next(iter(sorted((RECORDED / "pcap").rglob("*.pcap")))).read_bytes()[:4000]),
    "qemu_migrate": (parse_qemu_migrate, MIGRATE),
}


# The capture is cut for speed, so it is damaged already.
@pytest.mark.parametrize("name", sorted(set(PARSERS) - {"pcap"}))
def test_the_undamaged_log_is_read(name: str) -> None:
    parser, content = PARSERS[name]
    assert parser(io.BytesIO(content), "log") is not None


@pytest.mark.parametrize("name", PARSERS)
@given(data=st.data())
def test_any_damage_to_a_log_is_read_or_named(name: str, data: st.DataObject) -> None:
    parser, content = PARSERS[name]
    other = PARSERS[data.draw(st.sampled_from(sorted(PARSERS)))][1]
    log = data.draw(damaged(content, other))
    try:
        parser(io.BytesIO(log), "log")
    except EvidenceError as error:
        assert error.file == "log"
        assert "\n" not in str(error)


@pytest.mark.parametrize("name", PARSERS)
@given(content=st.binary(max_size=2000))
def test_any_bytes_are_read_or_named(name: str, content: bytes) -> None:
    try:
        PARSERS[name][0](io.BytesIO(content), "log")
    except EvidenceError as error:
        assert error.file == "log"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Two runs; tests damage the first and put back what they damaged."""
    yield write_study(tmp_path_factory.mktemp("fuzz"), [(MODEL, 2)])


FILES = (
    "run.json",
    "SHA256SUMS",
    "source/job.jsonl",
    "source/events.jsonl",
    "source/nic.jsonl",
    "destination/events.jsonl",
    "destination/nic.jsonl",
    "prober/ping.log",
    "prober/ping_fine.log",
)


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_any_damage_to_a_run_excludes_it_or_nothing(results: Path, data: st.DataObject) -> None:
    first, second = sorted(results.glob("runs/*/*"))
    file = data.draw(st.sampled_from(FILES))
    before, sums = (first / file).read_bytes(), (first / "SHA256SUMS").read_bytes()
    after = data.draw(damaged(before, (second / data.draw(st.sampled_from(FILES))).read_bytes()))
    renewed = data.draw(st.booleans())
    try:
        (first / file).write_bytes(after)
        if renewed and file != "SHA256SUMS":
            write_sums(first)
        loaded = load_results(results)
        analysis = derive(loaded)
        text = repr((runs_rows(loaded), readings_rows(loaded), analysis.results.notices))
        text.encode()
    finally:
        (first / file).write_bytes(before)
        (first / "SHA256SUMS").write_bytes(sums)
    whole = [run.path for run in loaded.runs if run.counted]
    assert second.relative_to(results).as_posix() in whole, "the rest is analysed"
    excluded = [notice for notice in loaded.notices if notice.effect == EXCLUDED]
    if file not in ("run.json", "SHA256SUMS") and not renewed and after != before:
        assert [notice.file.split("/", 3)[3] for notice in excluded] == [file]
    if len(whole) == 1 and file != "run.json":
        assert excluded, "an excluded run is named"


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data(), file=st.sampled_from(["study.json", "lab.json"]))
def test_any_damage_to_the_documents_is_one_line_or_none(
    results: Path, data: st.DataObject, file: str
) -> None:
    before = (results / file).read_bytes()
    other = (results / ("lab.json" if file == "study.json" else "study.json")).read_bytes()
    try:
        (results / file).write_bytes(data.draw(damaged(before, other)))
        derive(load_results(results))
    except InputError as error:
        assert "\n" not in str(error)
    finally:
        (results / file).write_bytes(before)


@given(data=st.data(), suffix=st.sampled_from([".gz", ".xz"]))
def test_any_damage_to_a_compressed_log_is_named(results: Path, data: st.DataObject, suffix: str) -> None:
    (log,) = results.glob("runs/*/01/prober/ping.log")
    content = log.read_bytes()
    # Without the time of day: each try of an example damages the same bytes.
    packed = gzip.compress(content, mtime=0) if suffix == ".gz" else lzma.compress(content)
    other = log.with_name(log.name + suffix)
    try:
        log.unlink()
        other.write_bytes(data.draw(damaged(packed, content)))
        loaded = load_results(results)
    finally:
        other.unlink(missing_ok=True)
        log.write_bytes(content)
    excluded = [notice.file for notice in loaded.notices if notice.effect == EXCLUDED]
    assert excluded in ([], [log.relative_to(results).as_posix()])


def test_odd_things_in_the_place_of_runs(results: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(results, tmp_path / "results"))
    case = copy / "runs" / MODEL.case
    (case / "03").write_text("a file")
    (case / "04").mkdir()
    (case / "05").symlink_to("nowhere")
    (copy / "runs" / "notes.txt").write_text("a file")
    loaded = load_results(copy)
    assert sum(run.counted for run in loaded.runs) == 2
    (notice,) = loaded.notices
    assert (notice.file, notice.message) == (
        f"runs/{MODEL.case}/04/run.json",
        "missing: the run did not finish",
    )
