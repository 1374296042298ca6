"""Consoles of damaged and of sound guests, recorded from real ones."""

from pathlib import Path

import pytest
from ansible_collections.postcopy.lab.plugins.module_utils.kernel_log import damage_lines

CONSOLES = Path(__file__).parents[2] / "data" / "consoles"


def recorded(kind: str) -> list[Path]:
    return sorted(CONSOLES.glob(f"{kind}*"))


@pytest.mark.parametrize("path", recorded("corrupted"), ids=lambda path: path.name)
def test_every_recorded_damage_is_found(path: Path) -> None:
    assert damage_lines(path.read_text(errors="replace").splitlines())


@pytest.mark.parametrize("path", recorded("clean"), ids=lambda path: path.name)
def test_a_sound_boot_has_nothing_to_complain_about(path: Path) -> None:
    assert damage_lines(path.read_text(errors="replace").splitlines()) == []


@pytest.mark.parametrize(
    "line",
    [
        "BUG: kernel NULL pointer dereference, address: 0000000000000008",
        "BUG: Bad page map in process stress  pte:8000000068a8f847 pmd:00",
        "Oops: 0000 [#1] PREEMPT SMP NOPTI",
        "general protection fault, probably for non-canonical address 0xdead000000000108: 0000 [#1]",
        "Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000000b",
        "unable to handle page fault for address: ffffa0b2c0000000",
        "Unable to handle kernel paging request",
        "list_del corruption. prev->next should be ffff, but was 0000",
        "slab corruption (not tainted)",
        "WARNING: CPU: 0 PID: 12 at kernel/rcu/tree.c:1234 rcu_core+0x0/0x10",
        "guest-agent[142]: segfault at 0 ip 0000000000401000 sp 00007ffd",
    ],
)
def test_lines_that_tell_of_damage(line: str) -> None:
    assert damage_lines([f"[   12.345678] {line}"])


@pytest.mark.parametrize(
    "line",
    [
        "watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [stress:150]",
        "rcu: INFO: rcu_preempt self-detected stall on CPU",
        "Call Trace:",
        "x86/mm: Memory corruption check is off",
        "DEBUG: something",
        "stress[150]: done",
    ],
)
def test_lines_that_do_not(line: str) -> None:
    assert damage_lines([f"[   12.345678] {line}"]) == []


def test_lines_come_once_and_are_limited() -> None:
    assert damage_lines(["Oops: 1"] * 5) == ["Oops: 1"]
    assert len(damage_lines([f"Oops: {number}" for number in range(100)])) == 20
