"""What a built libvirt must do beyond a packaged one: the second node gets it ready, git is a source too."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from testinfra.host import Host

from tests.conftest import PROJECT
from tests.roles.builds import (
    NO_SERVER,
    ROOT,
    SCRATCH,
    WRONG_SUM,
    commit_of,
    finish,
    manifest,
    refused,
    start,
)
from tests.roles.outside import node

testinfra_hosts = ["ansible://compute"]

RELEASE: dict[str, Any] = yaml.safe_load(
    (PROJECT / "releases" / f"{os.environ['LAB_RELEASE']}.yml").read_text(encoding="utf-8")
)
VERSION = RELEASE["libvirt_expected_version"]
BUILD = RELEASE["libvirt_build"]
FLAGS = BUILD["configure_flags"]
PROGRAMS = ("qemu", "libvirt", "libvirt_python")


def build(**options: object) -> dict[str, object]:
    """The release's build of libvirt with other options, as a variable."""
    return {"libvirt_build": {**BUILD, **options}}


def test_each_part_says_where_it_is_from(host: Host) -> None:
    for program in PROGRAMS:
        fact, given = manifest(host, program), RELEASE[f"{program}_build"]
        assert fact["source"] == given["archive"].rsplit("/", 1)[1]
        assert fact["origin"] == given["archive_sha256"]
        assert len(fact["deviations"]) == len(given.get("corrections", []))


def test_the_second_node_built_nothing() -> None:
    assert node("virt1").package("meson").is_installed
    assert not node("virt2").package("meson").is_installed
    assert not node("virt2").file(SCRATCH).exists
    assert manifest(node("virt1"), "libvirt") == manifest(node("virt2"), "libvirt")


def test_nothing_of_the_distributions_libvirt_is_there(host: Host) -> None:
    assert not host.check_output(
        "dpkg-query -W -f '${Package}\\n' 'libvirt*' 'python3-libvirt' 2>/dev/null || true"
    )


def test_a_restart_of_the_node_would_start_it(host: Host) -> None:
    unit = host.check_output("systemctl show --property FragmentPath --value libvirtd")
    assert unit == "/usr/local/lib/systemd/system/libvirtd.service"
    assert host.service("libvirtd").is_enabled and host.service("libvirtd-tls.socket").is_enabled


REFUSALS: dict[str, tuple[dict[str, object], str]] = {
    "checksum": (
        build(archive_sha256=WRONG_SUM),
        rf"libvirt_build.archive .* cannot be had: .*{WRONG_SUM}",
    ),
    "server": (
        build(archive=f"{NO_SERVER}libvirt.tar.xz", archive_sha256=WRONG_SUM),
        rf"libvirt_build.archive {NO_SERVER}libvirt.tar.xz cannot be had: .*refused",
    ),
    "version": (
        {"libvirt_expected_version": "9.9.9"},
        r"The source of libvirt nowhere says that it is 9.9.9 \(libvirt_expected_version, releases/",
    ),
    "flag": (
        build(configure_flags=[*FLAGS, "-Dwhatever=enabled"]),
        rf"libvirt {VERSION} on virt1: configure failed: .*whatever",
    ),
    "binding": (
        {"libvirt_python_build": {**RELEASE["libvirt_python_build"], "archive_sha256": WRONG_SUM}},
        rf"libvirt_python_build.archive .* cannot be had: .*{WRONG_SUM}",
    ),
    "repository": (
        {"libvirt_source": "git", **build(commit="a" * 40, repository="/nowhere")},
        "libvirt_build.repository /nowhere did not give libvirt_build.commit a{40}: .*",
    ),
}


@pytest.fixture
def unchanged() -> Iterator[None]:
    """What a refusal leaves: the builds, what is used, and a daemon that was not restarted."""
    looks = (
        f"ls {ROOT}/libvirt {ROOT}/libvirt-python; readlink {ROOT}/libvirt*/current;"
        " virsh version --daemon; pidof libvirtd"
    )
    before = {name: node(name).check_output(looks) for name in ("virt1", "virt2")}
    yield
    assert {name: node(name).check_output(looks) for name in before} == before
    node("virt1").check_output(f"rm -rf {SCRATCH}/libvirt*")


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("case", REFUSALS)
def test_bad_input_is_one_line_and_changes_nothing(case: str) -> None:
    variables, pattern = REFUSALS[case]
    message = refused(start(variables))
    assert re.match(pattern, message), message


def test_the_same_tree_from_git_is_built_beside_and_the_way_back_builds_nothing(tmp_path: Path) -> None:
    sources = Path(os.environ["BUILDS_DIR"]) / "sources"
    (archive,) = sources.glob(f"*-libvirt_{VERSION}.orig.tar.xz")
    commit = commit_of(archive, tmp_path / "libvirt.git")
    from_git: dict[str, object] = {
        "libvirt_source": "git",
        **build(
            repository=os.fspath(tmp_path / "libvirt.git"),
            commit=commit,
            # In a git tree libvirt's own build asks git for submodules.
            packages=[*BUILD["packages"], "git"],
        ),
    }
    message = refused(start({**from_git, "libvirt_expected_version": "9.9.9"}))
    assert message.startswith("The source of libvirt nowhere says that it is 9.9.9"), message

    before = {name: manifest(node(name), "libvirt") for name in ("virt1", "virt2")}
    finish(start(from_git))
    for name in before:
        one = node(name)
        assert manifest(one, "libvirt")["origin"] == commit
        running = one.check_output("readlink /proc/$(pidof libvirtd)/exe")
        assert running.startswith(f"{ROOT}/libvirt/{VERSION}-{commit[:10]}-")
        # The binding was made anew, against this one.
        assert len(one.check_output(f"ls {ROOT}/libvirt-python").split()) == 3
        assert one.run("python3 -c 'import libvirt; libvirt.open(\"qemu:///system\")'").rc == 0
    builds_there = node("virt1").check_output(f"ls {ROOT}/libvirt")
    finish(start({}))
    assert {name: manifest(node(name), "libvirt") for name in before} == before
    assert node("virt1").check_output(f"ls {ROOT}/libvirt") == builds_there
