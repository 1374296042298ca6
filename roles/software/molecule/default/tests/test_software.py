"""Small programs built from source on one node and used by two, seen from outside."""

from __future__ import annotations

import base64
import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from testinfra.host import Host

from tests.roles import builds as builds_of_lab
from tests.roles.builds import NO_SERVER, ROOT, SCRATCH, WRONG_SUM, commit_of, finish, manifest, refused
from tests.roles.outside import LAB_FOLDER, node

testinfra_hosts = ["ansible://compute"]

BUILDS = LAB_FOLDER / "builds"
SCENARIO = yaml.safe_load((Path(__file__).parents[1] / "molecule.yml").read_text(encoding="utf-8"))
# What the nodes were converged with.
GIVEN: dict[str, Any] = SCENARIO["provisioner"]["inventory"]["group_vars"]["lab"]
FLAGS: list[str] = GIVEN["dtc_build"]["configure_flags"]


def dtc(**options: object) -> dict[str, object]:
    """The scenario's build of dtc with other options."""
    return {**GIVEN["dtc_build"], **options}


def start(**variables: object) -> subprocess.Popen[str]:
    programs = [name.split("_")[0] for name in variables] or ["dtc"]
    return builds_of_lab.start({"programs": programs, **variables})


def builds(name: str = "dtc") -> set[str]:
    return set(node("build1").check_output(f"ls {ROOT}/{name}").split()) - {"current"}


def in_use(name: str = "dtc") -> str:
    return node("build1").check_output(f"readlink {ROOT}/{name}/current")


def put(content: str, path: str) -> None:
    code = base64.b64encode(content.encode()).decode()
    node("build1").check_output(f"echo {code} | base64 -d > {path}; chmod 755 {path}")


@pytest.fixture
def unchanged() -> Iterator[None]:
    """What a refusal leaves: the builds, what is used, no half of a build, and no tree."""
    before = builds(), in_use()
    yield
    assert (builds(), in_use()) == before
    assert set(node("build1").check_output(f"ls {SCRATCH}").split()) <= {"ccache", "failed"}
    assert node("build1").run("dtc --version").rc == 0


def test_what_was_built_runs_from_the_path(host: Host) -> None:
    # The correction has reached the program.
    assert host.check_output("dtc --version") == "Corrected version: DTC 1.7.2"
    assert f"{ROOT}/dtc/current/lib/libfdt.so.1" in host.check_output("ldconfig -p | grep libfdt.so.1")
    assert "/usr/local/bin/dtc" in host.check_output("systemd-run --quiet --wait --pipe which dtc")


def test_only_one_node_built() -> None:
    assert node("build1").package("meson").is_installed
    assert not node("build2").package("meson").is_installed
    assert node("build2").run("id postcopy-build").rc != 0
    # Everything in a build belongs to root, and its builder was somebody else.
    assert not node("build2").check_output(f"find {ROOT} ! -user root")
    assert node("build1").check_output(f"stat -c %U {SCRATCH}") == "postcopy-build"
    assert node("build1").check_output(f"ls {SCRATCH}") == "ccache"


def test_the_correction_is_a_deviation(host: Host) -> None:
    fact = manifest(host, "dtc")
    (deviation,) = fact["deviations"]
    assert set(deviation) == {"what", "article", "here", "effect"}
    assert "util.c" in deviation["what"]
    assert deviation["effect"] == "shows that corrections reach the program"
    assert fact["configure_flags"] == FLAGS


def test_a_changed_flag_is_built_beside_and_the_way_back_builds_nothing() -> None:
    before, old = builds(), in_use()
    finish(start(dtc_build=dtc(configure_flags=[*FLAGS, "-Dassume-mask=1"])))
    new = in_use()
    assert builds() == {*before, new} and new != old
    assert node("build2").check_output(f"readlink {ROOT}/dtc/current") == new
    assert "RUNNING HANDLER" not in finish(start()) and in_use() == old
    assert builds() == {*before, new}


@pytest.mark.long
def test_autotools_build_too_and_an_older_build_can_be_named() -> None:
    finish(start(hello_build=GIVEN["hello_build"]))
    for name in ("build1", "build2"):
        assert node(name).check_output("hello --version").splitlines()[0] == "hello (GNU Hello) 2.10"
    assert not re.search(r"changed=[1-9]", finish(start(hello_build=GIVEN["hello_build"])))
    old = in_use("hello")
    node("build1").check_output(f"cp -a {ROOT}/hello/{old} {ROOT}/hello/2.9-older")
    message = refused(start(hello_build={"id": "2.9-older"}))
    assert message == f"build2 has no {ROOT}/hello/2.9-older, which hello_build.id names"
    node("build2").check_output(f"cp -a {ROOT}/hello/{old} {ROOT}/hello/2.9-older")
    finish(start(hello_build={"id": "2.9-older"}))
    assert in_use("hello") == "2.9-older"
    finish(start(hello_build=GIVEN["hello_build"]))
    assert in_use("hello") == old


NOTHING_MATCHES = {"path": "util.c", "pattern": "no such", "replacement": "", "reason": "-"}
UNDEFINED = {
    "path": "dtc.c",
    "pattern": r"^int main\(",
    # Declared first, since the tree makes an error of a function without a prototype.
    "replacement": "int nowhere(void);\nint somewhere(void);\n"
    "int somewhere(void) { return nowhere(); }\nint main(",
    "reason": "-",
}
# Another flag, so that there is something to build.
OTHER: dict[str, Any] = {"configure_flags": []}
REFUSALS: dict[str, tuple[dict[str, object], str]] = {
    "checksum": (
        {"dtc_build": dtc(archive_sha256=WRONG_SUM)},
        rf"dtc_build.archive .*cannot be had: .*{WRONG_SUM}",
    ),
    "sum": (
        {"dtc_build": dtc(archive_sha256="abc")},
        r"dtc_build.archive_sha256 \(.*\) is 'abc'; .*64 hexadecimal digits",
    ),
    "server": (
        {"dtc_build": dtc(archive=f"{NO_SERVER}dtc.tar.xz", archive_sha256=WRONG_SUM)},
        rf"dtc_build.archive {NO_SERVER}dtc.tar.xz cannot be had: .*refused",
    ),
    "version": ({"dtc_expected_version": "9.9"}, r"The source of dtc nowhere says that it is 9.9 \(dtc_exp"),
    "flag": (
        {"dtc_build": dtc(configure_flags=["-Dwhatever=1"])},
        r"dtc 1.7.2 on build1: configure failed: .*whatever",
    ),
    "autotools": (
        {"hello_build": {**GIVEN["hello_build"], "configure_flags": ["--with-what"]}},
        r"hello 2.10 on build1: configure failed: .*with-what",
    ),
    "pattern": (
        {"dtc_build": dtc(corrections=[NOTHING_MATCHES])},
        r"dtc_build.corrections: 'no such' matches nothing in util.c",
    ),
    "repository": (
        {"dtc_source": "git", "dtc_build": dtc(commit="a" * 40, repository="/nowhere")},
        r"dtc_build.repository /nowhere did not give dtc_build.commit a{40}: .*",
    ),
    "link": (
        {"dtc_build": dtc(corrections=[UNDEFINED])},
        r"dtc 1.7.2 on build1: compile failed: .*undefined reference to `nowhere'.*"
        rf" \(logs: {SCRATCH}/failed/dtc-[^ ]*; the tree was removed, software_keep_failed keeps it\)$",
    ),
    "glibc": (
        {"dtc_build": dtc(newest_glibc="2.19", **OTHER)},
        r"build1 has glibc 2.\d+; dtc 1.7.2 builds with 2.19",
    ),
    "gcc": (
        {"dtc_build": dtc(newest_gcc="5", **OTHER)},
        r"build1 has gcc \d+; dtc 1.7.2 builds with 5 at most",
    ),
    "disk": (
        {"dtc_build": dtc(disk_mib=99999999, **OTHER)},
        r"build1 has \d+ MiB free in .*dtc_build.disk_mib",
    ),
}


# Before anything is built, and in the middle of a build. The rest is long.
SHORT = ("checksum", "link")


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=[] if case in SHORT else pytest.mark.long) for case in REFUSALS]
)
def test_bad_input_is_one_line_and_changes_nothing(case: str) -> None:
    variables, pattern = REFUSALS[case]
    assert re.search(pattern, refused(start(**variables)))


@pytest.mark.long
@pytest.mark.usefixtures("unchanged")
def test_a_full_disk_is_reported() -> None:
    one = node("build1")
    one.check_output("mkdir -p /mnt/small && mount -t tmpfs -o size=3m tmpfs /mnt/small")
    try:
        message = refused(
            start(dtc_scratch_dir="/mnt/small", dtc_build=dtc(disk_mib=1, configure_flags=["-Dtests=false"]))
        )
    finally:
        one.check_output("umount /mnt/small")
    assert re.search("no space left on device", message, re.IGNORECASE), message


HANGING_COMPILER = """#!/bin/sh
case "$*" in *-c*dtc.c*) [ ! -e /tmp/hang ] || sleep 1234;; esac
exec gcc "$@"
"""


@pytest.mark.long
def test_an_interrupted_build_from_git_goes_on(tmp_path: Path) -> None:
    """The compiler hangs at one file, the build is killed there, and what was done is not done again."""
    (archive,) = (BUILDS / "sources").glob("*device-tree*")
    commit = commit_of(archive, tmp_path / "dtc.git")
    put(HANGING_COMPILER, "/tmp/cc")
    put("", "/tmp/hang")
    variables = {
        "dtc_source": "git",
        "dtc_build": dtc(
            repository=os.fspath(tmp_path / "dtc.git"), commit=commit, environment={"CC": "/tmp/cc"}
        ),
    }
    one = node("build1")
    build = start(**variables)
    deadline = time.monotonic() + 120
    while one.run("pgrep -fx 'sleep 1234'").rc != 0 and time.monotonic() < deadline:
        time.sleep(0.5)
    one.check_output("pkill -KILL -u postcopy-build -x 'build.sh|ninja|sleep|cc'")
    assert "dtc 1.7.2 on build1" in refused(build)
    # From here on a second configure would fail: the file is broken, and looks as old as it was.
    one.check_output(
        f"cd {SCRATCH}/dtc-*/source && touch -r meson.build /tmp/age && echo broken > meson.build"
        " && touch -r /tmp/age meson.build && rm /tmp/hang"
    )
    finish(start(**variables))
    assert in_use().startswith(f"1.7.2-{commit[:10]}-")
    assert node("build2").check_output("dtc --version") == "Corrected version: DTC 1.7.2"
    finish(start())
