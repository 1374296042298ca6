"""What a node keeps of its services' logs: all that they got during a run, rotated meanwhile or not."""

from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.postcopy.lab.plugins.modules import probes

BEFORE, DURING, LATER = (f"2026-11-28 16:42:4{second}.065 2682 INFO x\n" for second in (1, 2, 3))


def renamed(log: Path) -> None:
    log.rename(log.with_name("nova-compute.log.1"))


def renamed_by_date(log: Path) -> None:
    log.rename(log.with_name("nova-compute.log-20261128"))


def copied_and_emptied(log: Path) -> None:
    log.with_name("nova-compute.log.1").write_text(log.read_text())
    log.write_text("")


def untouched(_log: Path) -> None:
    pass


@pytest.mark.parametrize("rotate", [untouched, renamed, renamed_by_date, copied_and_emptied])
def test_a_log_is_kept_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rotate: Callable[[Path], None]
) -> None:
    log, kept = tmp_path / "log" / "nova-compute.log", tmp_path / "run"
    log.parent.mkdir()
    kept.mkdir()
    monkeypatch.setattr(probes, "LOG_MARKS_FILE", str(tmp_path / "marks.json"))
    log.write_text(BEFORE)
    log.with_name("nova-compute.log.2").write_text("an older one\n" * 100)
    probes.mark_logs([str(log)])
    with log.open("a") as stream:
        stream.write(DURING)
    rotate(log)
    with log.open("a") as stream:
        # Longer than all that was there before, as after a long run.
        stream.write(LATER * 3)
    assert probes.keep_logs(str(kept)) == []
    assert (kept / "nova-compute.log").read_text() == DURING + LATER * 3


def test_a_log_that_was_rotated_out_of_sight_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "nova-compute.log"
    monkeypatch.setattr(probes, "LOG_MARKS_FILE", str(tmp_path / "marks.json"))
    log.write_text(BEFORE)
    probes.mark_logs([str(log)])
    log.write_text(LATER * 3)
    (tmp_path / "run").mkdir()
    fault = "nova-compute.log: was rotated during the run, its lines from before that are lost"
    assert probes.keep_logs(str(tmp_path / "run")) == [fault]
    assert (tmp_path / "run" / "nova-compute.log").read_text() == LATER * 3


def test_a_log_that_never_was_leaves_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "LOG_MARKS_FILE", str(tmp_path / "marks.json"))
    probes.mark_logs([str(tmp_path / "nova-compute.log")])
    (tmp_path / "run").mkdir()
    assert probes.keep_logs(str(tmp_path / "run")) == []
    assert list((tmp_path / "run").iterdir()) == []


def test_qemus_log_of_the_run_is_kept_under_one_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "LOG_MARKS_FILE", str(tmp_path / "marks.json"))
    monkeypatch.setattr(probes, "QEMU_LOGS_DIRECTORY", str(tmp_path))
    log = tmp_path / "postcopy-lab-x.log"
    log.write_text("of an earlier run\n")
    probes.mark_logs([str(log)])
    with log.open("a") as stream:
        stream.write("qemu-system-x86_64: load of migration failed: Input/output error\n")
    kept = tmp_path / "run"
    kept.mkdir()
    assert probes.keep_logs(str(kept)) == []
    assert [path.name for path in kept.iterdir()] == ["qemu.log"]
    assert (kept / "qemu.log").read_text() == (
        "qemu-system-x86_64: load of migration failed: Input/output error\n"
    )


def test_an_interface_that_lost_its_carrier_is_named_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probes, "CARRIERS_FILE", str(tmp_path / "carriers.json"))
    monkeypatch.setattr(probes, "INTERFACES_DIRECTORY", str(tmp_path))
    changes = {name: tmp_path / name / "carrier_changes" for name in ("guest0", "migration0")}
    for path in changes.values():
        path.parent.mkdir()
        path.write_text("2\n")
    probes.mark_carriers(["guest0", "migration0", "absent0"])
    changes["migration0"].write_text("4\n")
    assert probes.lost_carriers() == ["migration0"]
    assert probes.lost_carriers() == []


class NoGuest:
    """A guest that was removed."""

    def __init__(self, name: str) -> None:
        self.name = name

    def wait(self) -> str:
        return "running"


def test_no_log_of_qemu_is_left_on_a_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logs, run = tmp_path / "logs", tmp_path / "run"
    monkeypatch.setattr(probes, "LOG_MARKS_FILE", str(tmp_path / "marks.json"))
    monkeypatch.setattr(probes, "QEMU_LOGS_DIRECTORY", str(logs))
    monkeypatch.setattr(probes.processes, "stop", lambda _name: True)
    monkeypatch.setattr(probes, "Removal", NoGuest)
    logs.mkdir()
    others = ["postcopy-lab-case-011.log", "instance-00000001.log", "another.log"]
    for name in ("postcopy-lab-case-01.log", "postcopy-lab-case-01.log.0", *others):
        (logs / name).write_text(BEFORE)
    for guest in ("postcopy-lab-case-01", "instance-00000001"):
        log = str(logs / (guest + ".log"))
        probes.mark_logs([log])
        with Path(log).open("a") as stream:
            stream.write(DURING)
        probes.stop({"run_directory": str(run), "guest": guest, "console": None})
        assert (run / "qemu.log").read_text() == DURING
    assert sorted(path.name for path in logs.iterdir()) == sorted(others)


def test_nothing_is_left_of_any_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped: list[str] = []
    monkeypatch.setattr(probes.processes, "stop", stopped.append)
    monkeypatch.setattr(probes, "RUNS_DIRECTORY", str(tmp_path / "runs"))
    monkeypatch.setattr(probes, "LOG_MARKS_FILE", str(tmp_path / "marks.json"))
    monkeypatch.setattr(probes, "CARRIERS_FILE", str(tmp_path / "carriers.json"))
    (tmp_path / "runs" / "case").mkdir(parents=True)
    probes.mark_logs([])
    probes.mark_carriers([])
    for _again in range(2):
        assert probes.remove() == {}
        assert list(tmp_path.iterdir()) == []
    assert stopped == ["probe", "migrate"] * 2


def test_where_nothing_can_be_kept_everything_is_ended_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file is in the way of the run's directory, as nobody can write where a disk is full."""
    ended: list[str] = []

    class Removal:
        def __init__(self, name: str) -> None:
            ended.append(name)

        def wait(self) -> str:
            ended.append("waited for")
            return "running"

    monkeypatch.setattr(probes, "Removal", Removal)
    monkeypatch.setattr(probes.processes, "stop", ended.append)
    (tmp_path / "runs").write_text("")
    params = {"run_directory": str(tmp_path / "runs/case/01"), "guest": "one", "console": None}
    with pytest.raises(NotADirectoryError):
        probes.stop(params)
    assert ended == ["one", "probe", "migrate", "waited for"]
