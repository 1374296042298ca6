"""The files of a run: compressed or packed ones give the same figures, odd ones are named."""

from __future__ import annotations

import gzip
import lzma
import os
import shutil
import tarfile
import tracemalloc
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest

from analysis.evidence.archive import ARCHIVE_FILE, read_archive, write_archive
from analysis.evidence.errors import EvidenceError, InputError
from analysis.evidence.files import verified_files
from analysis.study.results import load_results
from postcopy_lab.export import export_results
from tests.unit.analysis.builder import Model, write_run, write_study, write_sums

MODEL = Model(threads=1)
RUN = Path("runs") / MODEL.case / "01"


@pytest.fixture(scope="module")
def recorded(project: Path) -> Path:
    return project / "tests" / "data" / "results" / "quick" / "local"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_run(tmp_path, MODEL)


def test_logs_compressed_by_hand_give_the_same_figures(recorded: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(recorded, tmp_path / "copy"))
    for number, log in enumerate(sorted(copy.glob("runs/*/*/*/*"))):
        compress, suffix = ((lzma.compress, ".xz"), (gzip.compress, ".gz"))[number % 2]
        log.with_name(log.name + suffix).write_bytes(compress(log.read_bytes()))
        log.unlink()
    assert load_results(copy).runs == load_results(recorded).runs


def test_processes_give_the_same_as_one(recorded: Path) -> None:
    alone, together = load_results(recorded, workers=1), load_results(recorded, workers=2)
    assert together == alone


def test_progress_counts_every_run(recorded: Path) -> None:
    told: list[tuple[int, int]] = []
    load_results(recorded, progress=lambda done, total: told.append((done, total)))
    assert told == [(number, 5) for number in range(1, 6)]


def _dangling(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


def _directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _to(suffix: str, content: bytes) -> Callable[[Path], None]:
    def replace(path: Path) -> None:
        path.unlink()
        path.with_name(path.name + suffix).write_bytes(content)

    return replace


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_dangling, "cannot be read: not a file, or a link to nowhere"),
        (_directory, "cannot be read: not a file, or a link to nowhere"),
        (_pipe, "cannot be read: not a file, or a link to nowhere"),
        (_to(".gz", b""), "checksum differs from SHA256SUMS line 3"),
        (_to(".gz", b"\x1f\x8b garbage"), "cannot be read: Unknown compression method"),
        (_to(".gz", gzip.compress(b"x" * 1000)[:-20]), "cannot be read: Compressed file ended before"),
        (_to(".xz", b""), "cannot be read: Compressed file ended before"),
        (_to(".xz", b"garbage"), "cannot be read: Input format not supported"),
    ],
)
def test_odd_files_are_named(run: Path, damage: Callable[[Path], None], message: str) -> None:
    damage(run / "prober/ping.log")
    with pytest.raises(EvidenceError, match=message) as caught:
        verified_files(run)
    assert caught.value.file == "prober/ping.log"


def test_what_unpacks_for_ever_is_stopped(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analysis.evidence.files.LARGEST_FILE_BYTES", 1 << 20)
    _to(".xz", lzma.compress(bytes(3 << 20)))(run / "prober/ping.log")
    with pytest.raises(EvidenceError, match="of content"):
        verified_files(run)


def test_a_file_that_nothing_vouches_for_is_no_evidence(run: Path) -> None:
    sums = run / "SHA256SUMS"
    sums.write_text("".join(line for line in sums.read_text().splitlines(True) if "ping_fine" not in line))
    with pytest.raises(EvidenceError, match=r"prober/ping_fine.log: not listed in SHA256SUMS"):
        assert "prober/ping_fine.log" in verified_files(run)


def test_no_checksum_at_all_is_no_evidence(run: Path) -> None:
    (run / "SHA256SUMS").write_bytes(b"")
    with pytest.raises(EvidenceError, match="SHA256SUMS: empty"):
        verified_files(run)


def test_export_is_whole_small_and_gives_the_same_figures(recorded: Path, tmp_path: Path) -> None:
    (source := tmp_path / "source").mkdir()
    shutil.copytree(recorded, source, dirs_exist_ok=True)
    (source / "report").mkdir()
    (source / "report" / "report.html").write_text("derived")
    (source / "notes.txt").write_text("kept")
    exported = export_results(source, tmp_path / "shared" / "quick")
    copy = tmp_path / "shared" / "quick"
    assert load_results(copy).runs == load_results(recorded).runs
    assert load_results(copy).notices == load_results(recorded).notices
    assert sorted(path.name for path in copy.iterdir()) == ["lab.json", "notes.txt", "runs", "study.json"]
    assert list(copy.glob("runs/*/*/source")) == []
    assert (exported.runs, exported.doubts) == (5, ())
    assert exported.bytes_after == sum(path.stat().st_size for path in copy.rglob("*") if path.is_file())
    assert exported.bytes_after < 0.15 * exported.bytes_before
    again = export_results(copy, tmp_path / "again")
    assert (again.bytes_before, again.bytes_after) == (exported.bytes_after, exported.bytes_after)


def test_export_keeps_a_damaged_run_and_names_it(tmp_path: Path) -> None:
    results = write_study(tmp_path / "results", [(MODEL, 2)])
    ping = results / RUN / "prober/ping.log"
    ping.write_bytes(ping.read_bytes()[:-20])
    (doubt,) = export_results(results, tmp_path / "copy").doubts
    assert doubt.startswith(f"{RUN}/prober/ping.log: checksum differs from SHA256SUMS line ")
    assert load_results(tmp_path / "copy").notices == load_results(results).notices


def test_export_overwrites_nothing(tmp_path: Path) -> None:
    results = write_study(tmp_path / "results", [(MODEL, 1)])
    (tmp_path / "there").write_text("mine")
    with pytest.raises(InputError, match="exists already, nothing is overwritten"):
        export_results(results, tmp_path / "there")
    with pytest.raises(InputError, match="lies in the results themselves"):
        export_results(results, results / "copy")
    with pytest.raises(InputError, match=r"no study\.json here"):
        export_results(tmp_path, tmp_path / "copy")
    with pytest.raises(InputError, match="nothing was exported"):
        export_results(results, tmp_path / "there" / "copy")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["results", "there"]


@pytest.mark.parametrize(
    "damage", [lambda content: content[: len(content) // 2], lambda _: b"", lambda _: b"no"]
)
def test_a_damaged_archive_is_named(run: Path, damage: Callable[[bytes], bytes]) -> None:
    names = [path.relative_to(run).as_posix() for path in run.glob("*/*")]
    archive = run / ARCHIVE_FILE
    write_archive(run, names, archive)
    for name in names:
        (run / name).unlink()
    assert "prober/ping.log" in verified_files(run)
    archive.write_bytes(damage(archive.read_bytes()))
    with pytest.raises(EvidenceError, match="truncated or garbled"):
        verified_files(run)


def test_an_archive_that_ends_after_its_captures_lacks_its_texts(run: Path) -> None:
    (run / "prober/icmp.pcap").write_bytes(b"packets")
    write_sums(run)
    names = [path.relative_to(run).as_posix() for path in run.glob("*/*")]
    archive = run / ARCHIVE_FILE
    write_archive(run, names, archive)
    for name in names:
        (run / name).unlink()
    assert {"prober/icmp.pcap", "prober/ping.log"} <= set(verified_files(run).archived)
    content = archive.read_bytes()
    archive.write_bytes(content[: content.index(b"\xfd7zXZ", 1)])
    with pytest.raises(EvidenceError, match="missing, but listed in SHA256SUMS line 1"):
        verified_files(run)


def test_a_line_of_the_archive_that_differs_is_named(run: Path) -> None:
    names = [path.relative_to(run).as_posix() for path in run.glob("*/*")]
    with (run / "prober/ping.log").open("ab") as log:
        log.write(b"\n")
    write_archive(run, names, run / ARCHIVE_FILE)
    for name in names:
        (run / name).unlink()
    with pytest.raises(EvidenceError, match=r"prober/ping\.log: checksum differs from SHA256SUMS line 3"):
        verified_files(run)


def test_an_archive_too_large_is_stopped(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analysis.evidence.archive.LARGEST_ARCHIVE_BYTES", 1000)
    write_archive(run, ["prober/ping.log"], run / ARCHIVE_FILE)
    with pytest.raises(EvidenceError, match="of content"):
        verified_files(run)


def _tar(*members: tarfile.TarInfo, content: bytes = b"") -> bytes:
    packed = BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for member in members:
            archive.addfile(member, BytesIO(content))
    return packed.getvalue()


def _member(name: str, kind: bytes = tarfile.REGTYPE, **headers: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.pax_headers = kind, "/etc/passwd", headers
    return member


def _long_name(size: int) -> bytes:
    """A GNU archive's header "the next name is this long", with zeros for the name."""
    member = tarfile.TarInfo("././@LongLink")
    member.type, member.size = tarfile.GNUTYPE_LONGNAME, size
    return member.tobuf(tarfile.GNU_FORMAT) + bytes(size)


def _directory(size: int) -> bytes:
    """The header of a directory that says to be large; nothing follows it."""
    member = _member("source", tarfile.DIRTYPE)
    member.size = size
    return member.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (_tar(_member("a", comment="x" * (20 << 20))), "a header of more than 64 KiB"),
        (_long_name(20 << 20), "a header of more than 64 KiB"),
        (_directory(60 << 20) + _long_name(20 << 20), "a header of more than 64 KiB"),
        (_long_name(512) * 1100, "a header of more than 64 KiB"),
        (_tar(*[_member("a")] * 200, content=b""), "'a' is there twice"),
        (_tar(*[_member(str(number)) for number in range(1001)]), "more than 1000 files"),
        (_tar(*[_member(str(number), tarfile.DIRTYPE) for number in range(1001)]), "more than 1000 files"),
        (_tar(_member("source/nic.jsonl", tarfile.SYMTYPE)), "'source/nic.jsonl' is a link, a device"),
        (_tar(_member("source/nic.jsonl", tarfile.LNKTYPE)), "'source/nic.jsonl' is a link, a device"),
        (_tar(_member("source/nic.jsonl", tarfile.FIFOTYPE)), "'source/nic.jsonl' is a link, a device"),
        (_tar(_member("/etc/passwd")), "'/etc/passwd' is a path outside the run directory"),
        (_tar(_member("source/../../x")), "'source/../../x' is a path outside the run directory"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_hostile_archive_is_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / ARCHIVE_FILE).write_bytes(lzma.compress(content, preset=0))
    assert (tmp_path / ARCHIVE_FILE).stat().st_size < 200_000
    tracemalloc.start()
    with pytest.raises(EvidenceError, match=message) as caught:
        read_archive(tmp_path)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert caught.value.file == ARCHIVE_FILE and "\n" not in str(caught.value)
    assert peak_bytes < 8 << 20


@pytest.mark.parametrize("suffix", [".xz", ".gz"])
def test_a_small_file_that_unpacks_to_much_is_no_evidence(run: Path, suffix: str) -> None:
    pack = lzma.compress if suffix == ".xz" else gzip.compress
    _to(suffix, pack(bytes(65 << 20)))(run / "prober/ping.log")
    with pytest.raises(EvidenceError, match=r"prober/ping\.log: more than 64 MiB of content"):
        verified_files(run)
    member = tarfile.TarInfo("a")
    member.size = 65 << 20
    (run / ARCHIVE_FILE).write_bytes(lzma.compress(_tar(member, content=bytes(65 << 20)), preset=0))
    with pytest.raises(EvidenceError, match=r"evidence\.tar\.xz: more than 64 MiB of content"):
        read_archive(run)


def test_checksums_without_end_are_no_evidence(run: Path) -> None:
    (run / "SHA256SUMS").write_bytes(b"0" * (2 << 20))
    with pytest.raises(EvidenceError, match="SHA256SUMS: garbled: more than 1 MiB"):
        verified_files(run)


@pytest.mark.parametrize(
    ("where", "lead_to", "what"),
    [
        ("notes.txt", "../secret", "a link out of the results, or to no file"),
        (RUN / "source" / "more.log", "../../../../../secret", "a link out of the results, or to no file"),
        (RUN / "kept", "../../../../elsewhere", "a link out of the results, or to no file"),
        (Path("runs") / "another", "/proc", "a link out of the results, or to no file"),
        ("notes.txt", "nowhere", "a link out of the results, or to no file"),
        ("notes.txt", None, "not a file"),
    ],
)
def test_export_takes_nothing_but_files_of_the_results(
    tmp_path: Path, where: Path, lead_to: str | None, what: str
) -> None:
    results = write_study(tmp_path / "results", [(MODEL, 1)])
    (tmp_path / "secret").write_text("a key")
    (tmp_path / "elsewhere").mkdir()
    if lead_to is None:
        os.mkfifo(results / where)
    else:
        (results / where).symlink_to(lead_to)
    with pytest.raises(InputError, match=f"{where} is {what}; nothing was exported"):
        export_results(results, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_export_follows_a_link_to_a_file_of_the_results(tmp_path: Path) -> None:
    results = write_study(tmp_path / "results", [(MODEL, 1)])
    (results / "notes.txt").symlink_to("study.json")
    (tmp_path / "link").symlink_to("results")
    export_results(tmp_path / "link", tmp_path / "copy")
    assert (tmp_path / "copy" / "notes.txt").read_bytes() == (results / "study.json").read_bytes()
    assert not (tmp_path / "copy" / "notes.txt").is_symlink()
