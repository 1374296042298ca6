"""What the driver of a migration does when something else than the migration goes wrong.

libvirt is a stand-in that does nothing by itself; nova's API is a real server on this machine.
"""

import json
import threading
import time
import types
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from ansible_collections.postcopy.lab.plugins.module_utils import boot_probe
from ansible_collections.postcopy.lab.plugins.module_utils.node import (
    migrate,
    monotonic,
    nova_api,
    nova_migrate,
    probe,
    qmp,
    ticks,
    vcpus,
)

from contract.modes import Mode


class LibvirtError(Exception):
    pass


def refuse(*_arguments: Any) -> None:
    raise LibvirtError("Requested operation is not valid: no job is active on the domain")


class Stage:
    """A libvirt whose one guest does what a test says, and what it was asked for."""

    def __init__(self) -> None:
        self.callbacks: dict[int, Callable[..., None]] = {}
        self.keep_alive: list[tuple[int, int]] = []
        self.over = threading.Event()
        self.allowed_milliseconds = 300
        self.asked: list[tuple[Any, ...]] = []
        self.domain = types.SimpleNamespace(
            name=lambda: "g",
            jobStats=lambda: {"type": 2, "memory_processed": 7},
            migrateSetMaxDowntime=self.allow,
            migrateGetMaxDowntime=lambda _flags: self.allowed_milliseconds,
            migrateToURI3=self.migrate,
            migrateStartPostCopy=lambda _flags: None,
            abortJob=lambda: self.over.set(),
        )
        self.connection = types.SimpleNamespace(
            lookupByName=lambda _name: self.domain,
            domainEventRegisterAny=lambda _d, number, callback, _o: self.callbacks.update({number: callback}),
            setKeepAlive=lambda interval, count: self.keep_alive.append((interval, count)),
        )
        self.libvirt = types.SimpleNamespace(
            libvirtError=LibvirtError,
            registerErrorHandler=lambda *_: None,
            virEventRegisterDefaultImpl=lambda: None,
            virEventRunDefaultImpl=lambda: time.sleep(0.05),
            open=lambda _uri: self.connection,
            VIR_MIGRATE_LIVE=1,
            VIR_MIGRATE_PEER2PEER=2,
            VIR_MIGRATE_POSTCOPY=1 << 15,
            VIR_MIGRATE_TLS=1 << 16,
            VIR_DOMAIN_EVENT_ID_LIFECYCLE=0,
            VIR_DOMAIN_EVENT_ID_MIGRATION_ITERATION=1,
        )

    def migrate(self, *arguments: Any) -> None:
        self.asked.append(arguments)
        self.over.wait(10)

    def allow(self, milliseconds: int, _flags: int) -> None:
        self.allowed_milliseconds = milliseconds

    def iteration(self, number: int) -> None:
        self.callbacks[1](None, self.domain, number, None)

    def suspended(self, detail: int) -> None:
        self.callbacks[0](None, self.domain, 3, detail, None)


@pytest.fixture
def stage() -> Iterator[Stage]:
    made = Stage()
    yield made
    made.over.set()


def settings(directory: Path, mode: str = "precopy", **changes: Any) -> dict[str, Any]:
    return {
        "name": "g",
        "mode": mode,
        "switchover_iteration": Mode.named(mode).switchover_iteration,
        "run_directory": str(directory),
        "destination_uri": "qemu+tls://c2/system",
        "migrate_uri": "tcp://10.91.1.12",
        "tls": False,
        "limit_seconds": 60,
        "stuck_seconds": 3,
        "max_downtime_ms": None,
        "recovery_seconds": 0,
        **changes,
    }


def noted(directory: Path, name: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (directory / "events.jsonl").read_text().splitlines()]
    return [line for line in lines if line.get("name") == name]


@pytest.mark.parametrize(("tls", "flag"), [(False, 0), (True, 1 << 16)])
def test_an_encrypted_stream_is_asked_for_by_its_flag(
    stage: Stage, tmp_path: Path, tls: bool, flag: int
) -> None:
    stage.over.set()
    assert migrate.Migration(stage.libvirt, settings(tmp_path, tls=tls)).run() == "migrated"
    ((_uri, _parameters, flags),) = stage.asked
    assert flags & (1 << 16) == flag


def test_any_exception_of_the_call_ends_the_run_at_once(stage: Stage, tmp_path: Path) -> None:
    def wrong_type(*_arguments: Any) -> None:
        raise TypeError("an integer is required\n(got type str)")

    stage.domain.migrateToURI3 = wrong_type
    migration = migrate.Migration(stage.libvirt, settings(tmp_path))
    begun = time.monotonic()
    assert migration.run() == "failed"
    assert time.monotonic() - begun < 1
    assert migration.error == "TypeError: an integer is required (got type str)"
    assert [line["detail"] for line in noted(tmp_path, "finished")] == [migration.error]


def test_so_does_one_of_the_watching(stage: Stage, tmp_path: Path) -> None:
    def broken() -> None:
        raise KeyError("type")

    stage.domain.jobStats = broken
    migration = migrate.Migration(stage.libvirt, settings(tmp_path))
    assert (migration.run(), migration.error) == ("failed", "KeyError: 'type'")


def test_an_abort_that_is_refused_is_asked_for_later_each_time(stage: Stage, tmp_path: Path) -> None:
    stage.domain.abortJob = refuse
    migration = migrate.Migration(stage.libvirt, settings(tmp_path, limit_seconds=0.05, stuck_seconds=2))
    assert migration.run() == "stuck"
    # After 0.05, 0.1, 0.2, 0.4, 0.8 s; 20 a second would be 40.
    assert 3 <= len(noted(tmp_path, "abort-requested")) <= 6
    assert len(noted(tmp_path, "abort-refused")) == len(noted(tmp_path, "abort-requested"))


def test_what_was_aborted_before_it_began_is_no_migration_that_does_not_converge(
    stage: Stage, tmp_path: Path
) -> None:
    def migrate_until_aborted(*_arguments: Any) -> None:
        stage.over.wait(10)
        raise LibvirtError("operation aborted: migration out: canceled by client")

    stage.domain.migrateToURI3 = migrate_until_aborted
    begun = migrate.Migration(stage.libvirt, settings(tmp_path, limit_seconds=0.2))
    assert begun.run() == "aborted"
    stage.over.clear()
    stage.domain.jobStats = lambda: {"type": 0}
    waiting = migrate.Migration(stage.libvirt, settings(tmp_path, limit_seconds=0.2))
    assert waiting.run() == "failed"
    canceled = "operation aborted: migration out: canceled by client"
    assert waiting.error == f"libvirt began no migration within 0.2 s ({canceled})"


def test_a_clock_that_is_set_back_changes_no_limit(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = time.monotonic()
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() - (3600 if time.monotonic() - begun > 0.2 else 0))
    migration = migrate.Migration(stage.libvirt, settings(tmp_path, stuck_seconds=0.5))
    assert migration.run() == "stuck"
    assert time.monotonic() - begun < 2


def test_ticks_go_on_when_the_clock_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([1e9, *([1e9 - 3600] * 100)])
    monkeypatch.setattr(time, "time", lambda: next(now))
    stop, begun = threading.Event(), time.monotonic()
    for count, _tick in enumerate(ticks.ticks(50, stop)):
        if count == 10:
            stop.set()
    assert time.monotonic() - begun < 1


def test_python_2s_clock_goes_as_the_monotonic_one() -> None:
    before = (monotonic.since_boot(), monotonic.seconds())
    time.sleep(0.2)
    after = (monotonic.since_boot(), monotonic.seconds())
    assert after[0] - before[0] == pytest.approx(after[1] - before[1], abs=0.03)


def test_a_switchover_that_hangs_is_noticed(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "REQUEST_SECONDS", 0.3)
    stage.domain.migrateStartPostCopy = lambda _flags: stage.over.wait(10)
    migration = migrate.Migration(stage.libvirt, settings(tmp_path, mode="hybrid", stuck_seconds=5))
    stage.iteration(2)
    begun = time.monotonic()
    assert migration.run() == "stuck"
    assert time.monotonic() - begun < 2
    assert migration.error == "no answer to the request to switch over within 0 s"
    assert migration.result["iteration_at_switchover"] == 2


def test_the_switchover_is_asked_for_once_and_watched(stage: Stage, tmp_path: Path) -> None:
    def switchover(_flags: int) -> None:
        stage.suspended(7)
        stage.over.set()

    stage.domain.migrateStartPostCopy = switchover
    migration = migrate.Migration(stage.libvirt, settings(tmp_path, mode="hybrid"))
    stage.iteration(2)
    assert migration.run() == "migrated"
    assert migration.result["switched"] and len(noted(tmp_path, "switchover-requested")) == 1
    assert migration.result["job_before_switchover"] == {"type": 2, "memory_processed": 7}


def breaks_in_postcopy(stage: Stage, moves: bool) -> None:
    """A migration whose connection breaks after the switchover; the guest may have moved soon after."""

    def migrate_to(*_arguments: Any) -> None:
        stage.suspended(detail=7)
        if moves:
            threading.Timer(0.05, stage.callbacks[0], (None, stage.domain, 5, 3, None)).start()
        raise LibvirtError("internal error: client socket is closed")

    stage.domain.migrateToURI3 = migrate_to


def test_a_postcopy_that_goes_on_by_itself_has_migrated(stage: Stage, tmp_path: Path) -> None:
    breaks_in_postcopy(stage, moves=True)
    migration = migrate.Migration(stage.libvirt, settings(tmp_path, "postcopy", recovery_seconds=2))
    assert migration.run() == "migrated"
    assert migration.error is None
    recovery = migration.result["recovery"]
    assert recovery["failed_at"] < recovery["recovered_at"]
    assert len(noted(tmp_path, "recovered")) == 1


@pytest.mark.parametrize(("seconds", "moves"), [(0, True), (0.2, False)])
def test_a_postcopy_that_is_not_waited_for_or_does_not_go_on_has_failed(
    stage: Stage, tmp_path: Path, seconds: float, moves: bool
) -> None:
    breaks_in_postcopy(stage, moves)
    migration = migrate.Migration(stage.libvirt, settings(tmp_path, "postcopy", recovery_seconds=seconds))
    assert migration.run() == "failed"
    assert migration.error == "internal error: client socket is closed"
    recovery = migration.result["recovery"]
    assert (recovery is None) == (seconds == 0)
    assert recovery is None or recovery["recovered_at"] is None


def test_a_precopy_that_failed_is_not_waited_for(stage: Stage, tmp_path: Path) -> None:
    def breaks(*arguments: Any) -> None:
        stage.asked.append(arguments)
        refuse()

    stage.domain.migrateToURI3 = breaks
    migration = migrate.Migration(stage.libvirt, settings(tmp_path, recovery_seconds=2))
    assert migration.run() == "failed"
    assert len(stage.asked) == 1
    assert migration.result["recovery"] is None


def test_a_binding_without_the_keys_name_is_told_the_key(stage: Stage, tmp_path: Path) -> None:
    stage.over.set()
    assert migrate.Migration(stage.libvirt, settings(tmp_path)).run() == "migrated"
    assert stage.asked == [("qemu+tls://c2/system", {"migrate_uri": "tcp://10.91.1.12"}, 3)]
    assert stage.keep_alive == [(10, 6)]


NOVA_PAGES = {
    "503": (503, "<html><body><h1>503 Service Unavailable</h1>\nNo server is available.\n</body></html>"),
    "401": (401, '{"error": {"code": 401, "message": "The request you have made requires authentication."}}'),
    "500": (500, '{"computeFault": {"code": 500, "message": "Unexpected API Error."}}'),
    "html": (200, "<html>maintenance</html>"),
    "empty": (200, ""),
    "list": (200, "[]"),
    "other": (200, '{"error": "later"}'),
}
RECORD = {"id": 7, "source_compute": "c1", "dest_compute": "c2", "created_at": "x", "updated_at": "y"}


class Nova(BaseHTTPRequestHandler):
    script: list[str]
    posts: list[str]
    asked: ClassVar[list[str]] = []
    # Where the instance is, and what nova calls it, of a nova that keeps no records.
    instance: ClassVar[list[tuple[str, str]]] = []

    def log_message(self, *_arguments: Any) -> None:
        pass

    def say(self, code: int, body: str, length: int | None = None) -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(length or len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def do_POST(self) -> None:
        self.asked.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
        what = self.posts.pop(0) if self.posts else "202"
        if what == "reset":
            self.connection.close()
        elif what == "409":
            self.say(409, '{"conflictingRequest": {"code": 409, "message": "it is in task_state migrating"}}')
        else:
            self.say(*NOVA_PAGES.get(what, (202, "")))

    def do_GET(self) -> None:
        if self.path.startswith("/v2/"):
            assert "X-OpenStack-Nova-API-Version" not in self.headers
            status, host = self.instance.pop(0) if len(self.instance) > 1 else self.instance[0]
            self.say(200, json.dumps({"server": {"status": status, "OS-EXT-SRV-ATTR:host": host}}))
        elif "os-instance-actions" in self.path:
            self.say(200, '{"instanceActions": []}')
        elif "/os-migrations" not in self.path:
            self.say(200, '{"server": {"status": "ACTIVE", "OS-EXT-SRV-ATTR:host": "c2"}}')
        else:
            what = self.script.pop(0) if len(self.script) > 1 else self.script[0]
            if what == "reset":
                self.connection.close()
            elif what == "short":
                self.say(200, '{"migr', length=500)
            elif what in NOVA_PAGES:
                self.say(*NOVA_PAGES[what])
            else:
                self.say(200, json.dumps({"migrations": [{**RECORD, "status": what}]}))


@pytest.fixture
def nova(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., tuple[str, str | None, float]]]:
    monkeypatch.setenv("POSTCOPY_LAB_TOKEN", "t")
    monkeypatch.setattr(nova_migrate, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(nova_api, "PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(nova_migrate, "PATIENCE_SECONDS", 0.5)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Nova)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()

    def run(
        directory: Path, script: list[str], *posts: str, version: str = "v2.1", **changes: float
    ) -> tuple[str, str | None, float]:
        Nova.script, Nova.posts, Nova.asked = list(script), list(posts), []
        more = {
            "nova_url": f"http://127.0.0.1:{server.server_port}/{version}",
            "server_id": "s",
            "destination": "c2",
            "switchover_by": "libvirt",
            **changes,
        }
        migration = nova_migrate.NovaMigration(Stage().libvirt, settings(directory, **more))
        begun = time.monotonic()
        return migration.run(), migration.error, time.monotonic() - begun

    yield run
    server.shutdown()


@pytest.mark.parametrize("hiccup", ["503", "401", "500", "reset", "html", "short", "empty", "list", "other"])
def test_nova_that_does_not_answer_for_a_moment_is_asked_again(
    nova: Callable[..., tuple[str, str | None, float]], tmp_path: Path, hiccup: str
) -> None:
    outcome, error, _seconds = nova(tmp_path, ["running", hiccup, "running", hiccup, hiccup, "completed"])
    assert (outcome, error) == ("migrated", None)


@pytest.mark.parametrize(
    ("hiccup", "said"),
    [
        ("503", "nova: GET /os-migrations: 503 <html>"),
        ("401", "nova: GET /os-migrations: 401 The request you have made requires authentication."),
        ("html", "nova: GET /os-migrations: the answer is no JSON: <html>maintenance</html>"),
        ("other", "nova: GET /os-migrations: the answer has no migrations"),
        ("reset", "nova: GET /os-migrations: http://127.0.0.1:"),
    ],
)
def test_nova_that_no_longer_answers_ends_the_run_with_one_line(
    nova: Callable[..., tuple[str, str | None, float]], tmp_path: Path, hiccup: str, said: str
) -> None:
    outcome, error, seconds = nova(tmp_path, ["running", hiccup])
    assert outcome == "failed" and seconds < 2
    assert error is not None and error.startswith(said) and "\n" not in error


@pytest.fixture
def asked(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[Any, list[str]]]:
    """A migration by nova in its second pass, and who is asked for what of it."""
    monkeypatch.setenv("POSTCOPY_LAB_TOKEN", "t")
    who: list[str] = []
    stage.domain.migrateStartPostCopy = lambda _flags: who.append("libvirt")
    monkeypatch.setattr(nova_api.NovaApi, "force_complete", lambda _self: who.append("nova"))

    def begin(switchover_by: str, version: str = "v2.1") -> tuple[Any, list[str]]:
        more = {"nova_url": f"http://127.0.0.1:9/{version}", "server_id": "s", "destination": "c2"}
        migration = nova_migrate.NovaMigration(
            stage.libvirt, settings(tmp_path, "hybrid", switchover_by=switchover_by, **more)
        )
        stage.iteration(2)
        migration.job()
        return migration, who

    return begin


@pytest.mark.parametrize("by", ["libvirt", "nova"])
def test_one_of_two_is_asked_for_the_switchover_of_novas_guest(
    asked: Callable[..., tuple[Any, list[str]]], stage: Stage, by: str
) -> None:
    migration, who = asked(by)
    assert migration.switchover() and who == [by]
    # nova acts on it later, in whatever pass that is; libvirt at once.
    stage.iteration(3)
    stage.suspended(detail=7)
    assert migration.result["switched"]
    assert migration.result["iteration_at_switchover"] == {"libvirt": 2, "nova": 3}[by]
    assert migration.result["job_before_switchover"] == {"type": 2, "memory_processed": 7}


def test_libvirts_refusal_to_switch_novas_guest_over_is_no_failure(
    asked: Callable[..., tuple[Any, list[str]]], stage: Stage, tmp_path: Path
) -> None:
    migration, _who = asked("libvirt")
    stage.domain.migrateStartPostCopy = refuse
    assert not migration.switchover()
    assert len(noted(tmp_path, "switchover-refused")) == 1


def test_nobody_is_asked_where_nova_switches_over_by_its_flags(
    asked: Callable[..., tuple[Any, list[str]]],
) -> None:
    migration, who = asked("libvirt", "v2")
    assert migration.switchover() and who == []


def test_what_nova_never_began_says_how_far_it_had_come(
    nova: Callable[..., tuple[str, str | None, float]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate.Migration, "job", lambda _self: None)
    changes = {"limit_seconds": 2, "stuck_seconds": 10}
    monkeypatch.setattr(nova_migrate.NovaApi, "abort", lambda _self: Nova.script.append("cancelled"))
    script = ["queued", "queued", "preparing"]
    outcome, error, _seconds = nova(tmp_path, script, **changes)
    assert outcome == "failed"
    said = "nova said that it was preparing (nova: the migration is cancelled)"
    assert error == f"libvirt began no migration within 2 s: {said}"
    assert [line["detail"] for line in noted(tmp_path, "nova-status")] == ["queued", "preparing"]


@pytest.mark.parametrize("lost", ["503", "reset"])
def test_a_request_to_migrate_whose_answer_was_lost_is_made_again(
    nova: Callable[..., tuple[str, str | None, float]], tmp_path: Path, lost: str
) -> None:
    assert nova(tmp_path, ["running", "completed"], lost)[:2] == ("migrated", None)
    # The first was accepted after all: the instance is busy with it.
    assert nova(tmp_path, ["running", "completed"], lost, "409")[:2] == ("migrated", None)


def test_a_busy_instance_is_no_migration_of_ours(
    nova: Callable[..., tuple[str, str | None, float]], tmp_path: Path
) -> None:
    outcome, error, _seconds = nova(tmp_path, ["running"], "409")
    assert outcome == "failed"
    assert error == "nova: POST /servers/s/action: 409 it is in task_state migrating"


@pytest.mark.parametrize(
    ("ends_as", "outcome", "error"),
    [
        (("ACTIVE", "c2"), "migrated", None),
        (("ACTIVE", "c1"), "failed", "nova: the instance is ACTIVE on c1"),
        (("ERROR", "c1"), "failed", "nova: the instance is ERROR on c1"),
    ],
)
def test_a_nova_without_records_is_judged_by_its_instance(
    nova: Callable[..., tuple[str, str | None, float]],
    tmp_path: Path,
    ends_as: tuple[str, str],
    outcome: str,
    error: str | None,
) -> None:
    """As nova 2014.1 answers: the status MIGRATING, then where the instance is."""
    Nova.instance = [("MIGRATING", "c1"), ("MIGRATING", "c1"), ends_as]
    assert nova(tmp_path, [], version="v2/9dbe24d0")[:2] == (outcome, error)
    how = {"host": "c2", "block_migration": False, "disk_over_commit": False}
    assert [json.loads(body) for body in Nova.asked] == [{"os-migrateLive": how}]
    assert [line["detail"] for line in noted(tmp_path, "nova-status")] == ["MIGRATING", ends_as[0]]


def test_when_nova_switched_is_known_from_the_sources_stop(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in recorded runs: the switchover begins a pass of its own between the two events."""
    monkeypatch.setenv("POSTCOPY_LAB_TOKEN", "t")
    more = {"nova_url": "http://127.0.0.1:1", "server_id": "s", "destination": "c2", "switchover_by": "nova"}
    migration = nova_migrate.NovaMigration(stage.libvirt, settings(tmp_path, **more))
    stage.iteration(1)
    stage.iteration(2)
    migration.job()
    stage.suspended(1)
    stage.iteration(3)
    stage.suspended(7)
    assert migration.result["iteration_at_switchover"] == 2
    assert migration.result["job_before_switchover"] == {"type": 2, "memory_processed": 7}


def test_the_boot_probe_speaks_to_every_qemu(tmp_path: Path) -> None:
    """QEMU before 2.9 knows no -accel."""
    binary = tmp_path / "qemu"
    binary.write_text(
        "#!/bin/sh\n"
        'case " $* " in *" -accel "*) echo "qemu: -accel: invalid option"; exit 1;; esac\n'
        'case " $* " in *" -machine accel=tcg "*) exit 33;; esac\nexit 2\n'
    )
    binary.chmod(0o755)
    assert boot_probe.try_boot_sector(str(binary), "tcg", 5) is None


@pytest.mark.parametrize(
    ("name", "is_its"),
    [
        (b"guest=postcopy-lab-x,debug-threads=on", True),
        (b"postcopy-lab-x", True),
        (b"postcopy-lab-x2", False),
        (b"guest=postcopy-lab-x2", False),
    ],
)
def test_the_guests_qemu_is_known_by_both_forms_of_its_name(name: bytes, is_its: bool) -> None:
    line = b"\0".join([b"/usr/bin/qemu-system-x86_64", b"-name", name, b"-S", b""])
    assert vcpus.is_of_guest(line, "postcopy-lab-x") is is_its


@pytest.mark.parametrize(
    ("known", "answer"),
    [
        ("query-cpus-fast", [{"cpu-index": 0, "thread-id": 25627}, {"cpu-index": 1, "thread-id": 25628}]),
        ("query-cpus", [{"CPU": 0, "thread_id": 25627}, {"CPU": 1, "thread_id": 25628}]),
        (None, []),
    ],
)
def test_threads_without_names_are_those_that_qemu_reports(
    monkeypatch: pytest.MonkeyPatch, known: str | None, answer: list[dict[str, int]]
) -> None:
    def execute(_path: str, command: str) -> list[dict[str, int]]:
        if command != known:
            raise qmp.QmpError(f"The command {command} has not been found")
        return answer

    monkeypatch.setattr(qmp, "execute", execute)
    assert vcpus.reported_threads("g") == (["25627", "25628"] if known else [])


def test_processors_that_could_not_be_made_to_yield_are_told_of(capsys: pytest.CaptureFixture[str]) -> None:
    present, stop = threading.Event(), threading.Event()
    present.set()
    threading.Timer(0.2, stop.set).start()
    probe.have_guest_yield("postcopy-lab-not-there", 10, present, stop)
    assert capsys.readouterr().err.startswith("nice value 10 was not applied: ")


@pytest.mark.parametrize(("asked", "allowed"), [(1, 1), (None, 300)])
def test_the_allowed_downtime_is_set_if_the_study_says_so_and_told_in_any_case(
    stage: Stage, tmp_path: Path, asked: int | None, allowed: int
) -> None:
    stage.over.set()
    migration = migrate.Migration(stage.libvirt, settings(tmp_path, "hybrid", max_downtime_ms=asked))
    assert migration.run() == "migrated"
    assert stage.allowed_milliseconds == migration.result["max_downtime_ms"] == allowed


def test_a_binding_that_does_not_tell_the_allowed_downtime_leaves_it_unknown(
    stage: Stage, tmp_path: Path
) -> None:
    """libvirt-python 1.2.11."""
    del stage.domain.migrateGetMaxDowntime
    stage.over.set()
    migration = migrate.Migration(stage.libvirt, settings(tmp_path, "hybrid", max_downtime_ms=1))
    assert migration.run() == "migrated"
    assert (stage.allowed_milliseconds, migration.result["max_downtime_ms"]) == (1, None)


def test_a_libvirt_that_refuses_to_tell_the_allowed_downtime_leaves_it_unknown(
    stage: Stage, tmp_path: Path
) -> None:
    stage.domain.migrateGetMaxDowntime = lambda _flags: refuse()
    stage.over.set()
    migration = migrate.Migration(stage.libvirt, settings(tmp_path, "hybrid"))
    assert migration.run() == "migrated"
    assert migration.result["max_downtime_ms"] is None
