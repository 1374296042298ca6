"""Consoles of damaged and of sound guests, recorded from real ones."""

import subprocess
from pathlib import Path

import pytest

from control.kernel_log import damage_lines
from tests.conftest import PROJECT
from tests.unit.guest_image.agent import COMPILER, SOURCES, needs_compiler

# Says of each line of its input whether the guest's program would keep it.
KEEPS = """
#include "kernel_log.c"
void json_string(FILE *out, const char *text) { (void)out; (void)text; }
int main(void)
{
    char line[LINE_BYTES];
    while (fgets(line, sizeof line, stdin) != NULL) {
        putchar(is_kept(line) ? '1' : '0');
    }
    return 0;
}
"""
CONSOLES = PROJECT / "tests/data/consoles"

DAMAGE = [
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
    "invalid opcode: 0000 [#1] PREEMPT SMP NOPTI",
    "divide error: 0000 [#1] SMP",
    "traps: PANIC: double fault, error_code: 0x0",
    "stack segment: 0000 [#2] PREEMPT SMP",
    "refcount_t: underflow; use-after-free.",
    "init[1]: segfault at 0 ip 0000000000401000 sp 00007ffd error 4 in busybox[400000+c8000]",
    "stress[150]: segfault at 7f0 ip 0000000000401000 sp 00007ffd",
    "traps: stress[150] general protection fault ip:401000 sp:7ffd error:0",
    "traps: stress-ng[151] trap invalid opcode ip:401000 sp:7ffd error:0",
    "WARNING: kernel/rcu/tree.c:1234 at rcu_core+0x0/0x10, CPU#0: stress/150",
    "mce: [Hardware Error]: Machine check events logged",
    "check: Corrupted low memory at ffff888000001000 (1000 phys) = 00000001",
    "guest-agent: lines of the kernel's log were overwritten unread",
    "BUG kmalloc-64 (Not tainted): Redzone overwritten",
    "WARNING: at /build/buildd/linux-3.2.0/mm/slub.c:123 free_block+0x1/0x2()",
    "list_add double add: new=ffff8d2401140000, prev=ffff8d2401140000, next=fffff1e24016d548.",
]


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
    DAMAGE,
)
def test_lines_that_tell_of_damage(line: str) -> None:
    assert damage_lines([f"[   12.345678] {line}"])
    assert damage_lines([f"[   12.345678][  T150] {line}"]) and damage_lines([line])


@pytest.mark.parametrize(
    "line",
    [
        "watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [stress:150]",
        "rcu: INFO: rcu_preempt self-detected stall on CPU",
        "Call Trace:",
        "x86/mm: Memory corruption check is off",
        "DEBUG: something",
        "stress[150]: done",
        "RETBleed: WARNING: Spectre v2 mitigation leaves CPU vulnerable to RETBleed attacks!",
        "Speculative Return Stack Overflow: WARNING: See https://kernel.org/doc/html/latest/srso.html",
        "Spectre V2 : WARNING: Unprivileged eBPF is enabled with eIBRS on, data leaks possible!",
        "check: Scanning for low memory corruption every 60 seconds",
        "BUG: workqueue lockup - pool cpus=0 node=0 flags=0x0 nice=0 stuck for 31s!",
        "INFO: task stress:150 blocked for more than 120 seconds.",
        "NMI watchdog: Watchdog detected hard LOCKUP on cpu 0",
        "clocksource: timekeeping watchdog on CPU0: Marking clocksource 'tsc' as unstable",
        "random: crng init done",
    ],
)
def test_lines_that_do_not(line: str) -> None:
    assert damage_lines([f"[   12.345678] {line}"]) == []


@pytest.mark.parametrize("line", (CONSOLES / "notices-of-sound-kernels.txt").read_text().splitlines())
def test_what_sound_kernels_print_is_no_damage(line: str) -> None:
    assert damage_lines([line]) == []


@needs_compiler
def test_the_guests_own_program_keeps_every_line_that_counts(tmp_path: Path) -> None:
    """It keeps 1024 lines of its log, and those beyond that which may tell of damage."""
    program = tmp_path / "keeps"
    (tmp_path / "keeps.c").write_text(KEEPS)
    assert COMPILER is not None
    command = [COMPILER, "-D_GNU_SOURCE", f"-I{SOURCES}", "-o", program, tmp_path / "keeps.c", "-pthread"]
    subprocess.run(command, check=True)
    told = "".join(f"[   12.345678] {line}\n" for line in [*DAMAGE, "random: crng init done"])
    found = subprocess.run([program], input=told, capture_output=True, text=True, check=True).stdout
    assert found == "1" * len(DAMAGE) + "0"


def test_lines_come_once_and_are_limited() -> None:
    assert damage_lines(["Oops: 1"] * 5) == ["Oops: 1"]
    assert len(damage_lines([f"Oops: {number}" for number in range(100)])) == 20
