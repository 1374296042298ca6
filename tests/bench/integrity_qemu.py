"""QEMU of any Debian release as a process, spoken to over QMP."""

from __future__ import annotations

import json
import os
import shlex
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MIRROR = "http://deb.debian.org/debian"
START_SECONDS = 20.0
ANSWER_SECONDS = 30.0


class QemuError(Exception):
    """QEMU did not start, refused a command or went away; one line."""


def ensure_root(suite: str, cache: Path) -> Path:
    """A tree with this suite's own QEMU, made by mmdebstrap where it is missing."""
    root = cache / f"root-{suite}"
    if (root / "usr/bin/qemu-system-x86_64").exists():
        return root
    archive = cache / f"{suite}.tar"
    base = suite.removesuffix("-backports")
    sources = [f"deb {MIRROR} {name} main" for name in sorted({base, suite})]
    subprocess.run(
        [
            "mmdebstrap",
            "--quiet",
            "--variant=apt",
            "--include=qemu-system-x86",
            # Of a suite and its backports, the backports.
            f'--aptopt=APT::Default-Release "{suite}"',
            '--aptopt=APT::Install-Recommends "false"',
            # A mirror that stands still serves an index past its date for the
            # moving suites; its signature is checked all the same.
            '--aptopt=Acquire::Check-Valid-Until "false"',
            base,
            str(archive),
            *sources,
        ],
        check=True,
    )
    root.mkdir(parents=True)
    subprocess.run(["tar", "-C", str(root), "-xf", str(archive)], check=True)
    archive.unlink()
    return root


def version_of(root: Path) -> str:
    """The version as the binary itself says it, e.g. "10.0.13 (Debian 1:10.0.13+ds-0)"."""
    output = subprocess.run(
        ["chroot", str(root), "qemu-system-x86_64", "--version"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return output.splitlines()[0].removeprefix("QEMU emulator version ")


@dataclass(frozen=True)
class Machine:
    """What both ends of a migration have in common."""

    root: Path
    kernel: Path
    initrd: Path
    accelerator: str
    memory_kib: int
    vcpus: int = 1

    def arguments(self, directory: Path, name: str, agent_port: int) -> list[str]:
        return [
            "qemu-system-x86_64",
            *("-name", name, "-nodefaults", "-no-user-config", "-display", "none"),
            *("-machine", "q35,usb=off,vmport=off", "-accel", self.accelerator),
            *("-m", f"{self.memory_kib}k", "-smp", str(self.vcpus)),
            *("-kernel", str(self.kernel), "-initrd", str(self.initrd)),
            # QEMU itself, as 10.0.2.2, asks in the name of this machine.
            *("-append", "console=ttyS0 lab.address=10.0.2.15 lab.prober=10.0.2.2"),
            *("-netdev", f"user,id=n0,hostfwd=tcp:127.0.0.1:{agent_port}-:7300"),
            *("-device", "virtio-net-pci,netdev=n0,romfile="),
            *("-serial", f"file:{directory / (name + '.console')}"),
            *("-qmp", f"unix:{directory / (name + '.qmp')},server=on,wait=off"),
        ]


class Qemu:
    """One QEMU process and its QMP connection."""

    def __init__(self, machine: Machine, directory: Path, name: str, agent_port: int) -> None:
        self.name = name
        self.agent_port = agent_port
        self.console = directory / f"{name}.console"
        self._log = directory / f"{name}.stderr"
        self._process: subprocess.Popen[bytes] | None = None
        self._machine = machine
        self._directory = directory
        self._buffer = b""
        self._socket: socket.socket | None = None

    def start(self, *more: str) -> None:
        arguments = [*self._machine.arguments(self._directory, self.name, self.agent_port), *more]
        root = self._machine.root
        # Mounts of a namespace of its own: nothing is left behind whatever happens.
        binds = "".join(
            f"mkdir -p {shlex.quote(f'{root}{path}')} && "
            f"mount --rbind {shlex.quote(path)} {shlex.quote(f'{root}{path}')} && "
            for path in ("/dev", "/proc", "/sys", str(self._directory), str(self._machine.kernel.parent))
        )
        command = f"{binds}exec chroot {shlex.quote(str(root))} {shlex.join(arguments)}"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                ["unshare", "--mount", "--", "sh", "-c", command], stdin=subprocess.DEVNULL, stderr=log
            )
        self._connect()

    def _connect(self) -> None:
        path = str(self._directory / f"{self.name}.qmp")
        deadline = time.monotonic() + START_SECONDS
        while True:
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(ANSWER_SECONDS)
            try:
                connection.connect(path)
                break
            except OSError:
                connection.close()
                if time.monotonic() > deadline or not self.alive():
                    raise QemuError(f"{self.name} did not start: {self.last_words()}") from None
                time.sleep(0.02)
        self._socket = connection
        self._read()
        self.command("qmp_capabilities")

    def _read(self) -> dict[str, Any]:
        assert self._socket is not None
        while b"\n" not in self._buffer:
            try:
                data = self._socket.recv(1 << 16)
            except OSError as error:
                raise QemuError(f"{self.name}: no answer over QMP ({error})") from None
            if not data:
                raise QemuError(f"{self.name} went away: {self.last_words()}")
            self._buffer += data
        line, self._buffer = self._buffer.split(b"\n", 1)
        message: dict[str, Any] = json.loads(line)
        return message

    def command(self, name: str, **arguments: object) -> Any:
        """The command's return value; events are passed over."""
        assert self._socket is not None
        request = {"execute": name, "arguments": arguments} if arguments else {"execute": name}
        try:
            self._socket.sendall(json.dumps(request).encode() + b"\n")
        except OSError as error:
            raise QemuError(f"{self.name}: {name}: {error}") from None
        while True:
            message = self._read()
            if "return" in message:
                return message["return"]
            if "error" in message:
                raise QemuError(f"{self.name}: {name}: {message['error'].get('desc')}")

    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def last_words(self) -> str:
        lines = self._log.read_text(errors="replace").split("\n") if self._log.exists() else []
        return " | ".join(line for line in lines[-6:] if line)[-300:]

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
        if self._process is not None:
            self._process.wait()
        if self._socket is not None:
            self._socket.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(condition: Callable[[], bool], seconds: float, interval_seconds: float = 0.05) -> bool:
    """Whether the condition came true within the time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(interval_seconds)
    return condition()


def is_root() -> bool:
    return os.geteuid() == 0
