"""Run one playbook through ansible-runner: live events, a kept log, and a definite end.

ansible-playbook ends successfully when no host matched, and a cancelled one leaves children behind; both are
taken care of here.
"""

from __future__ import annotations

import json
import locale
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import FrameType
from typing import Any

from postcopy_lab.errors import CommandError, ExitCode, InputError, one_line
from postcopy_lab.events import PLAN_ACTION, Event, Failure, Recorder, short_place
from postcopy_lab.inventory import Inventory
from postcopy_lab.project import Project

KEPT_INVOCATIONS = 20
INVOCATION_VARIABLE = "POSTCOPY_LAB_INVOCATION"
# How long a Ctrl-C may wait for ansible-runner to look up from its child.
POLL_SECONDS = 0.3


@dataclass(frozen=True)
class Invocation:
    """One call of ansible-playbook."""

    playbook: Path
    extra_vars: Mapping[str, Any]
    logs: Path
    plain_strategy: bool = False


@dataclass(frozen=True)
class Outcome:
    """How an invocation ended."""

    cancelled: bool
    failure: str | None
    exit_code: ExitCode
    needs_provisioning: bool = False

    def raise_for_failure(self) -> None:
        """Raise the failure as an error of the command.

        Raises:
            CommandError: the playbook failed.
            InputError: a check refused before anything was changed.
        """
        if self.failure is not None:
            raise (InputError if self.exit_code == ExitCode.BAD_INPUT else CommandError)(self.failure)


class Stop:
    """Ctrl-C and SIGTERM as a flag, while a playbook runs."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def __call__(self) -> bool:
        return self._event.is_set()

    @contextmanager
    def listening(self, on_stop: Callable[[], None]) -> Iterator[None]:
        """Catch both signals; `on_stop` is called once, at the first."""

        def handle(_number: int, _frame: FrameType | None) -> None:
            if not self._event.is_set():
                self._event.set()
                on_stop()

        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


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
        envvars=_environment(project, inventory, name, invocation.plain_strategy),
        # Facts are cached where ansible.cfg says, as without this command.
        fact_cache_type="as-configured",
        # Its env/ files would outlive this invocation and win over the next one's variables.
        suppress_env_files=True,
        event_handler=handle,
        cancel_callback=stop,
        quiet=True,
    )
    if "ANSIBLE_HOST_KEY_CHECKING" not in os.environ:
        # ansible-runner switches the check off unless told otherwise; ansible.cfg is what counts here.
        runner.config.env.pop("ANSIBLE_HOST_KEY_CHECKING", None)
    runner.config.pexpect_timeout = POLL_SECONDS
    runner.run()
    _tidy(folder, runner.config.command, runner.config.cwd)
    _keep_last(invocation.logs, KEPT_INVOCATIONS)
    log = folder / "stdout"
    if runner.canceled:
        _end_children(name)
        return Outcome(cancelled=True, failure=None, exit_code=ExitCode.INTERRUPTED)
    failure, code = explain(recorder, int(runner.rc or 0), project.root, invocation.playbook.name)
    if failure is not None:
        failure = f"{failure}. Log: {project.shown(log)}"
    cause = recorder.cause()
    needs_provisioning = (
        failure is not None and cause is not None and (cause.unprovisioned or cause.unreachable)
    )
    return Outcome(False, failure, code, needs_provisioning)


def explain(recorder: Recorder, exit_status: int, root: Path, playbook: str) -> tuple[str | None, ExitCode]:
    """Say in one line why a playbook failed (None: it did not), and which exit code that deserves.

    A refusal (a check said no, a host does not answer) before anything was changed is bad input.
    """
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


def describe(failure: Failure, hosts: Sequence[str], root: Path) -> str:
    """One line: where, what, why and what to do."""
    if failure.unreachable:
        # Mitogen puts its own words before those of ssh.
        said = failure.message.rpartition("lines received: ")[2].rstrip(".")
        return one_line(
            f"{', '.join(hosts)} cannot be reached: {said}; "
            f"see `postcopy-lab status`, then `postcopy-lab provision`"
        )
    if failure.action == PLAN_ACTION:
        return failure.message
    place = short_place(failure.place, PurePosixPath(root))
    if failure.refused:
        return one_line(f"{failure.host}: {failure.message} ({place})")
    where = f"{failure.role}: " if failure.role else ""
    return one_line(f"{failure.host}: {where}{failure.task}: {failure.message} ({place})")


def _environment(project: Project, inventory: Inventory, name: str, plain_strategy: bool) -> dict[str, str]:
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
    if plain_strategy:
        env["ANSIBLE_STRATEGY"] = "linear"
    if locale.getpreferredencoding(False).lower().replace("-", "") != "utf8":
        # Ansible refuses to start in any other encoding.
        env["LC_ALL"] = "C.UTF-8"
    return env


def _tidy(folder: Path, command: list[str], cwd: str) -> None:
    """Keep the command, without the caller's whole environment (it may hold secrets); drop what is empty."""
    (folder / "command").write_text(
        json.dumps({"command": command, "cwd": cwd}, indent=1) + "\n", encoding="utf-8"
    )
    shutil.rmtree(folder / "job_events", ignore_errors=True)
    stderr = folder / "stderr"
    if stderr.is_file() and stderr.stat().st_size == 0:
        stderr.unlink()


def _keep_last(folder: Path, count: int) -> None:
    """Remove all but the newest invocations (their names begin with the time)."""
    for old in sorted(entry for entry in folder.iterdir() if entry.is_dir())[:-count]:
        shutil.rmtree(old, ignore_errors=True)


def _end_children(invocation: str) -> None:
    """End what a cancelled invocation left running on this machine: its processes carry its name.

    ansible-runner kills one process group; workers of newer Ansible and ssh have their own.
    """
    mark = f"{INVOCATION_VARIABLE}={invocation}".encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            if mark in (entry / "environ").read_bytes().split(b"\0"):
                os.kill(int(entry.name), signal.SIGKILL)
        except OSError:
            continue
