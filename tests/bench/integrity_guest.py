"""The guest's side: asking guest-agent, and reading a console for damage."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path
from typing import Any

# The same list that judges the kit's runs: a bench with another would answer another question.
sys.path.append(str(Path(__file__).resolve().parents[2]))
from control.kernel_log import damage_lines


def damage_in(console: str) -> list[str]:
    """The console's lines that tell of damaged memory, in order."""
    return [str(line) for line in damage_lines(console.splitlines())]


class AgentError(Exception):
    """The agent could not be reached or answered nonsense; one line."""


def ask(port: int, request: str, timeout_seconds: float = 5.0) -> dict[str, Any]:
    """The agent's answer to one request; AgentError without one."""
    answer = b""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=timeout_seconds) as connection:
            connection.settimeout(timeout_seconds)
            connection.sendall(request.encode() + b"\n")
            while data := connection.recv(1 << 16):
                answer += data
        decoded = json.loads(answer)
    except (OSError, ValueError) as error:
        raise AgentError(f"{request.split()[0]}: {error}") from None
    if not isinstance(decoded, dict) or not decoded.get("ok"):
        raise AgentError(f"{request}: {answer[:200].decode(errors='replace')}")
    return decoded


def reachable(port: int, timeout_seconds: float = 1.0) -> bool:
    """Whether the agent answers."""
    try:
        ask(port, "status", timeout_seconds)
    except AgentError:
        return False
    return True
