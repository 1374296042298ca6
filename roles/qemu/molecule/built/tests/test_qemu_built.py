"""What a built QEMU must do beyond a packaged one: say where it is from, and stay where a build fails."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from testinfra.host import Host

from tests.conftest import PROJECT
from tests.roles.builds import NO_SERVER, ROOT, SCRATCH, WRONG_SUM, finish, manifest, refused, start

testinfra_hosts = ["ansible://compute"]

RELEASE: dict[str, Any] = yaml.safe_load(
    (PROJECT / "releases" / f"{os.environ['LAB_RELEASE']}.yml").read_text(encoding="utf-8")
)
VERSION = RELEASE["qemu_expected_version"]
BUILD = RELEASE["qemu_build"]
FLAGS = BUILD["configure_flags"]
PATHS = ", ".join(one["path"] for one in BUILD["corrections"])


def build(**options: object) -> dict[str, object]:
    """The release's build of QEMU with other options, as a variable."""
    return {"qemu_build": {**BUILD, **options}}


def test_it_says_where_it_is_from(host: Host) -> None:
    fact = manifest(host, "qemu")
    assert fact["source"] == BUILD["archive"].rsplit("/", 1)[1]
    assert fact["origin"] == BUILD["archive_sha256"]
    assert fact["configure_flags"] == FLAGS
    assert len(fact["deviations"]) == len(BUILD["corrections"])
    assert host.check_output(f"readlink {ROOT}/qemu/current") == fact["id"]


def test_it_has_what_was_asked_for_and_no_more(host: Host) -> None:
    machines = host.check_output(f"{RELEASE['qemu_binary']} -machine help")
    assert "pc-q35" in machines and "pc-i440fx" in machines
    assert "tcg" in host.check_output(f"{RELEASE['qemu_binary']} -accel help")
    assert "gtk" not in host.check_output(f"{RELEASE['qemu_binary']} -display help")
    assert f"qemu-img version {VERSION}" in host.check_output("qemu-img --version")
    # A library that is not there would show here, before it shows in a lab.
    assert "not found" not in host.check_output("for one in /usr/local/bin/qemu-*; do ldd $one; done 2>&1")


REFUSALS: dict[str, tuple[dict[str, object], str]] = {
    "checksum": (build(archive_sha256=WRONG_SUM), rf"qemu_build.archive .* cannot be had: .*{WRONG_SUM}"),
    "server": (
        build(archive=f"{NO_SERVER}qemu.tar.xz", archive_sha256=WRONG_SUM),
        rf"qemu_build.archive {NO_SERVER}qemu.tar.xz cannot be had: .*refused",
    ),
    "version": (
        {"qemu_expected_version": "9.9"},
        r"The source of qemu nowhere says that it is 9.9 \(qemu_expected_version, releases/[\w-]+.yml\)",
    ),
    "flag": (
        build(configure_flags=[*FLAGS, "--enable-whatever"]),
        rf"qemu {VERSION} on qemu1: configure failed: .*--enable-whatever",
    ),
    "correction": (
        build(corrections=[{"path": "VERSION", "pattern": "no such", "replacement": "", "reason": "-"}]),
        "qemu_build.corrections: 'no such' matches nothing in VERSION",
    ),
    "uncorrected": (
        {"qemu_uncorrected_files": ["exec.c"]},
        rf"qemu_uncorrected_files: exec.c: no such path in qemu_build.corrections \(.*\), which has {PATHS}",
    ),
    "repository": (
        {"qemu_source": "git", **build(commit="a" * 40, repository="/nowhere")},
        "qemu_build.repository /nowhere did not give qemu_build.commit a{40}: .*",
    ),
    "commit": (
        {"qemu_source": "git", **build(commit="v10.0.13", repository="/nowhere")},
        r"qemu_build.commit \(.*\) is 'v10.0.13'; a build from git needs a commit of 40 hexadecimal digits",
    ),
}


@pytest.fixture
def unchanged(host: Host) -> Iterator[None]:
    """What a refusal leaves: the builds, what is used, and no half of a build."""
    looks = f"ls {ROOT}/qemu; readlink {ROOT}/qemu/current; {RELEASE['qemu_binary']} --version"
    before = host.check_output(looks)
    yield
    assert host.check_output(looks) == before


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("case", REFUSALS)
def test_bad_input_is_one_line_and_changes_nothing(host: Host, case: str) -> None:
    variables, pattern = REFUSALS[case]
    message = refused(start(variables))
    assert re.match(pattern, message), message
    # A build that failed leaves its logs, and no refusal leaves a tree.
    logs = host.check_output(f"ls -d {SCRATCH}/failed/qemu-*/configure 2>/dev/null || true")
    assert bool(logs) == (case == "flag"), logs
    assert not host.check_output(f"ls -d {SCRATCH}/qemu-* 2>/dev/null || true")
    host.check_output(f"rm -rf {SCRATCH}/failed")


def compiled(host: Host) -> dict[str, int]:
    """How many files ccache knew, and how many it did not, since the node is there."""
    lines = host.check_output(f"CCACHE_DIR={SCRATCH}/ccache ccache --print-stats").splitlines()
    counts = {name: int(number) for name, number in (line.split("\t") for line in lines)}
    return {
        "known": counts["direct_cache_hit"] + counts["preprocessed_cache_hit"],
        "new": counts["cache_miss"],
    }


def test_a_changed_flag_is_built_beside_from_the_cache(host: Host) -> None:
    old, before = host.check_output(f"readlink {ROOT}/qemu/current"), compiled(host)
    finish(start(build(configure_flags=[*FLAGS, "--enable-vnc"])))
    new, after = host.check_output(f"readlink {ROOT}/qemu/current"), compiled(host)
    assert new != old and host.file(f"{ROOT}/qemu/{old}").is_directory
    fact = manifest(host, "qemu")
    assert fact["id"] == new and "--enable-vnc" in fact["configure_flags"]
    known, fresh = after["known"] - before["known"], after["new"] - before["new"]
    assert known > 4 * fresh, (known, fresh)
    finish(start({}))
    assert host.check_output(f"readlink {ROOT}/qemu/current") == old
    assert compiled(host) == after
