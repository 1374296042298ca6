"""Run one playbook with ansible-runner's events: live progress, a kept log, and a definite end.

ansible-playbook ends successfully when no host matched, and one that was cancelled or killed leaves children
behind; both are taken care of here. The process is started here and not by ansible-runner, which writes the
caller's whole environment to a file and does not tell by which signal a process ended.
"""

from __future__ import annotations

import codecs
import json
import locale
import os
import select
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import FrameType
from typing import TYPE_CHECKING, Any

from postcopy_lab.errors import CommandError, ExitCode, InputError, one_line
from postcopy_lab.events import PLAN_ACTION, Event, Failure, Recorder, short_place
from postcopy_lab.inventory import Inventory
from postcopy_lab.project import Project

if TYPE_CHECKING:
    from ansible_runner.runner import Runner

KEPT_INVOCATIONS = 20
INVOCATION_VARIABLE = "POSTCOPY_LAB_INVOCATION"
LOG_FILE = "stdout"
# How long a Ctrl-C may wait while ansible-playbook prints nothing.
POLL_SECONDS = 0.3
# How long what was killed is waited for.
ENDING_SECONDS = 10.0
READ_BYTES = 65536


@dataclass(frozen=True)
class Invocation:
    """One call of ansible-playbook."""

    playbook: Path
    extra_vars: Mapping[str, Any]
    logs: Path
    plain_strategy: bool = False
    # File descriptor that holds the lab. ansible-playbook inherits it.
    lock: int | None = None


@dataclass(frozen=True)
class Outcome:
    """How an invocation ended."""

    cancelled: bool
    failure: str | None
    exit_code: ExitCode
    needs_provisioning: bool = False
    # Hosts on which it failed.
    failed_hosts: tuple[str, ...] = ()

    @property
    def cut_short(self) -> bool:
        """Whether it may have left something on the nodes."""
        return self.cancelled or self.exit_code == ExitCode.FAILED

    def raise_for_failure(self) -> None:
        """Raise the failure as an error of the command.

        Raises:
            CommandError: the playbook failed.
            InputError: a check refused before anything was changed.
        """
        if self.failure is not None:
            raise (InputError if self.exit_code == ExitCode.BAD_INPUT else CommandError)(self.failure)


class Stop:
    """Ctrl-C, SIGTERM and a closed terminal as a flag, while a playbook runs."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def __call__(self) -> bool:
        return self._event.is_set()

    @contextmanager
    def listening(self, on_stop: Callable[[], None]) -> Iterator[None]:
        """Catch the signals; `on_stop` is called once, at the first."""

        def handle(number: int, _frame: FrameType | None) -> None:
            if number == signal.SIGHUP:
                _leave_terminal()
            if not self._event.is_set():
                self._event.set()
                on_stop()

        if threading.current_thread() is not threading.main_thread():
            yield
            return
        signals = [signal.SIGINT, signal.SIGTERM]
        # nohup has it ignored.
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
            signals.append(signal.SIGHUP)
        before = {number: signal.signal(number, handle) for number in signals}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _leave_terminal() -> None:
    """Write to nowhere what would go to the terminal, which is closed: each write would fail."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        # Of a terminal that is closed, isatty says no.
        if stat.S_ISCHR(os.fstat(stream).st_mode):
            os.dup2(nowhere, stream)
    os.close(nowhere)


def run_playbook(
    project: Project,
    inventory: Inventory,
    invocation: Invocation,
    on_event: Callable[[Event], None],
    stop: Stop,
) -> Outcome:
    """Run a playbook to its end and say how it ended.

    Each invocation leaves a folder with its log in `invocation.logs`; the last KEPT_INVOCATIONS are kept.
    """
    from ansible_runner import interface

    name = f"{time.strftime('%Y%m%dT%H%M%S')}-{invocation.playbook.stem}-{os.getpid()}"
    folder = invocation.logs / name
    invocation.logs.mkdir(mode=0o700, parents=True, exist_ok=True)
    recorder = Recorder()

    def handle(event: Event) -> bool:
        recorder.feed(event)
        on_event(event)
        return False  # The log says it all: no file per event.

    runner = interface.init_runner(
        private_data_dir=str(invocation.logs),
        artifact_dir=str(invocation.logs),
        ident=name,
        project_dir=str(project.root),
        playbook=str(invocation.playbook),
        inventory=str(inventory.source),
        extravars=dict(invocation.extra_vars),
        envvars=_environment(project, inventory, name, invocation.logs, invocation.plain_strategy),
        # Facts are cached where ansible.cfg says, as without this command.
        fact_cache_type="as-configured",
        # Its env/ files would outlive this invocation and win over the next one's variables.
        suppress_env_files=True,
        event_handler=handle,
        # Without one ansible-runner catches the signals itself.
        cancel_callback=stop,
    )
    if "ANSIBLE_HOST_KEY_CHECKING" not in os.environ:
        # ansible-runner switches the check off unless told otherwise; ansible.cfg is what counts here.
        runner.config.env.pop("ANSIBLE_HOST_KEY_CHECKING", None)
    try:
        status = _execute(runner, folder, stop, invocation.lock)
    finally:
        shutil.rmtree(folder / "job_events", ignore_errors=True)
    _keep_last(invocation.logs, KEPT_INVOCATIONS)
    if stop():
        return Outcome(cancelled=True, failure=None, exit_code=ExitCode.INTERRUPTED)
    failure, code = explain(recorder, status, project.root, invocation.playbook.name)
    if failure is not None:
        failure = f"{failure}. Log: {project.shown(folder / LOG_FILE)}"
    cause = recorder.cause()
    needs_provisioning = (
        failure is not None and cause is not None and (cause.unprovisioned or cause.unreachable)
    )
    return Outcome(False, failure, code, needs_provisioning, recorder.failed_hosts())


def _execute(runner: Runner, folder: Path, stop: Stop, lock: int | None) -> int:
    """Start what ansible-runner prepared, and feed it the output until the end; returns the exit status.

    A negative status is the number of the signal that killed it. Whatever ends it early, by Ctrl-C, a signal
    or an error here, none of its processes is left.
    """
    from ansible_runner.utils import OutputEventFilter

    (folder / "job_events").mkdir(mode=0o700, parents=True, exist_ok=True)
    command = {"command": runner.config.command, "cwd": runner.config.cwd}
    _write(folder / "command", json.dumps(command, indent=1) + "\n")
    _write(folder / LOG_FILE, "")
    ended = False
    process = subprocess.Popen(
        runner.config.command,
        cwd=runner.config.cwd,
        env=runner.config.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        pass_fds=() if lock is None else (lock,),
    )
    try:
        with codecs.open(os.fspath(folder / LOG_FILE), "w", encoding="utf-8") as log:
            output = OutputEventFilter(log, runner.event_callback, suppress_ansible_output=True)
            for text in _output_of(process, stop):
                output.write(text)
            output.close()
        ended = not stop() and process.wait() >= 0
    finally:
        if not ended:
            process.kill()
            process.wait()
            _end_children(runner.config.ident)
        if process.stdout is not None:
            process.stdout.close()
    return process.returncode


def _output_of(process: subprocess.Popen[bytes], stop: Stop) -> Iterator[str]:
    """What a process prints, until it ends or is to stop.

    Not until the end of the pipe: a connection of ssh that is kept open may hold it.
    """
    assert process.stdout is not None
    pipe = process.stdout.fileno()
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    while not stop():
        ended = process.poll() is not None
        readable, _, _ = select.select([pipe], [], [], 0 if ended else POLL_SECONDS)
        chunk = os.read(pipe, READ_BYTES) if readable else b""
        if chunk:
            yield decoder.decode(chunk)
        elif ended:
            return
        elif readable:
            # It has closed its output, and will end.
            time.sleep(POLL_SECONDS)


def _write(path: Path, text: str) -> None:
    """Write a file that its owner alone may read."""
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")


def explain(recorder: Recorder, exit_status: int, root: Path, playbook: str) -> tuple[str | None, ExitCode]:
    """Say in one line why a playbook failed (None: it did not), and which exit code that deserves.

    A negative exit status is the number of the signal that killed ansible-playbook. A refusal (a check said
    no, a host does not answer) before anything was changed is bad input.
    """
    if exit_status < 0:
        return f"{playbook}: {killed_words(-exit_status)}", ExitCode.FAILED
    totals = recorder.totals
    cause = recorder.cause()
    if cause is not None and exit_status != 0:
        code = ExitCode.BAD_INPUT if cause.refused and not recorder.changed else ExitCode.FAILED
        hosts = sorted(totals.unreachable) if totals and cause.unreachable else [cause.host]
        return describe(cause, hosts, root), code
    if exit_status != 0:
        said = recorder.errors[0] if recorder.errors else f"ansible-playbook ended with {exit_status}"
        return one_line(f"{playbook}: {said}"), ExitCode.FAILED
    if totals is None or not totals.processed:
        said = "no host of the inventory was worked on; its groups must be lab, controller, compute, prober"
        return f"{playbook}: {said}", ExitCode.BAD_INPUT
    return None, ExitCode.OK


def killed_words(number: int) -> str:
    """What is known of an ansible-playbook that a signal ended."""
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    hint = "; the kernel's log (dmesg) tells whether memory was short" if number == signal.SIGKILL else ""
    return f"ansible-playbook was killed by {name}{hint}"


def describe(failure: Failure, hosts: Sequence[str], root: Path) -> str:
    """One line: where, what, why and what to do."""
    if failure.unreachable:
        return one_line(
            f"{', '.join(hosts)} cannot be reached: {failure.said}; "
            f"see `postcopy-lab status`, then `postcopy-lab provision`"
        )
    if failure.action == PLAN_ACTION or failure.unprovisioned:
        return failure.message
    place = short_place(failure.place, PurePosixPath(root))
    host = failure.delegate or failure.host
    if failure.refused:
        return one_line(f"{host}: {failure.message} ({place})")
    where = f"{failure.role}: " if failure.role else ""
    return one_line(f"{host}: {where}{failure.task}: {failure.message} ({place})")


def _environment(
    project: Project, inventory: Inventory, name: str, logs: Path, plain_strategy: bool
) -> dict[str, str]:
    """What the invocation adds to the caller's environment."""
    tools = str(Path(sys.executable).parent)
    env = {
        "ANSIBLE_CONFIG": os.environ.get("ANSIBLE_CONFIG", str(project.ansible_config)),
        "ANSIBLE_NOCOLOR": "1",
        "PATH": f"{tools}:{os.environ.get('PATH', os.defpath)}",
        # Labs have hosts of the same names; their facts must not mix.
        "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(inventory.state_dir / "facts"),
        INVOCATION_VARIABLE: name,
    }
    env["ANSIBLE_FORCE_COLOR"] = "0"
    if logs != inventory.runner_dir:
        # The lab's own folder goes away or is full.
        env["ANSIBLE_LOCAL_TEMP"] = str(logs / "tmp")
    if plain_strategy:
        env["ANSIBLE_STRATEGY"] = "linear"
    if locale.getpreferredencoding(False).lower().replace("-", "") != "utf8":
        # Ansible refuses to start in any other encoding.
        env["LC_ALL"] = "C.UTF-8"
    return env


def _keep_last(folder: Path, count: int) -> None:
    """Remove all but the newest invocations (their names begin with the time)."""
    for old in sorted(entry for entry in folder.iterdir() if entry.is_dir())[:-count]:
        shutil.rmtree(old, ignore_errors=True)


def _end_children(invocation: str) -> None:
    """End what an invocation that was cut short left on this machine: its processes carry its name.

    Workers and ssh have process groups of their own, and may start others meanwhile: they are looked for
    until none is left, for a while.
    """
    mark = f"{INVOCATION_VARIABLE}={invocation}".encode()
    deadline = time.monotonic() + ENDING_SECONDS
    while _kill_marked(mark) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)


def _kill_marked(mark: bytes) -> bool:
    """Kill every other process with this variable in its environment; returns whether there was any."""
    found = False
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            if mark in (entry / "environ").read_bytes().split(b"\0"):
                found = True
                os.kill(int(entry.name), signal.SIGKILL)
        except OSError:
            continue
    return found
