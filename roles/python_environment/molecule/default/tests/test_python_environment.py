"""An environment of a small project and a pinned package, built on one node and used by two."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from testinfra.host import Host

from tests.conftest import PROJECT
from tests.roles.builds import NO_SERVER, ROOT, SCRATCH, WRONG_SUM, finish, manifest, refused, start
from tests.roles.outside import node

testinfra_hosts = ["ansible://compute"]

SCENARIO = yaml.safe_load((Path(__file__).parents[1] / "molecule.yml").read_text(encoding="utf-8"))
GIVEN: dict[str, Any] = SCENARIO["provisioner"]["inventory"]["group_vars"]["all"]
RELEASE: dict[str, Any] = yaml.safe_load((PROJECT / "releases/icehouse.yml").read_text(encoding="utf-8"))
NAMES = ("environment1", "environment2")


# A service that was just restarted may not listen yet. The nodes have no curl.
ASK = """
import time, urllib.request
for _ in range(40):
    try:
        print(urllib.request.urlopen("http://127.0.0.1:8008/").read().decode(), end="")
        break
    except OSError:
        time.sleep(0.5)
"""


def greeting(host: Host) -> str:
    return host.check_output("python3 -c %s", ASK)


def in_use() -> list[str]:
    return [node(name).check_output(f"readlink {ROOT}/greeter/current") for name in NAMES]


def test_the_service_answers(host: Host) -> None:
    # Its database was filled once.
    assert greeting(host) == "hello everybody, Python 2"
    assert host.service("greeter").is_enabled
    assert host.check_output("ps -o user= -C greeter") == "greeter"


def test_the_environment_holds_what_was_named_and_nothing_else(host: Host) -> None:
    python = f"{ROOT}/greeter/current/environment/bin/python"
    found = set(host.check_output(f"{python} -m pip freeze --all").split())
    tools = {"pip==20.3.4", "setuptools==38.7.0", "wheel==0.34.2", "pbr==0.11.1"}
    # pip writes a project that was installed from a folder as an address.
    assert {one for one in found if not one.startswith("greeter")} == tools | {"six==1.9.0"}


def test_nothing_names_the_place_where_it_was_made(host: Host) -> None:
    assert host.run(f"grep -rlF {SCRATCH} {ROOT}/greeter/current/").stdout == ""
    assert host.check_output(f"find {ROOT}/greeter/current/ -lname '{SCRATCH}/*'") == ""
    assert host.check_output("readlink -f /usr/local/bin/greeter").endswith("/environment/bin/greeter")
    assert not host.file("/usr/local/bin/pip").exists


def test_one_node_built_it() -> None:
    assert node("environment1").check_output(f"ls {SCRATCH}") == "ccache"
    assert not node("environment2").file(SCRATCH).exists
    assert node("environment2").run("id postcopy-build").rc != 0


def test_where_it_is_from_can_be_read(host: Host) -> None:
    fact = manifest(host, "greeter")
    assert (fact["version"], fact["source"]) == ("1.2", "https://git.example.org/test/greeter.git")
    (deviation,) = fact["deviations"]
    assert "greeter/greeter.py" in deviation["what"]


def test_what_a_package_would_have_brought_is_there(host: Host) -> None:
    assert host.file("/etc/greeter/policy.json").linked_to == (
        host.check_output(f"readlink -f {ROOT}/greeter/current/etc/greeter/policy.json")
    )
    settings = host.file("/etc/greeter/greeter.conf")
    assert (settings.user, settings.group, settings.mode) == ("root", "greeter", 0o640)
    allowed = host.check_output("sudo -l -U greeter")
    assert "/usr/local/bin/greeter-rootwrap /etc/greeter/rootwrap.conf *" in allowed


@pytest.fixture
def unchanged() -> Iterator[None]:
    """What a refusal leaves: the environment that is used, and its service."""
    before = in_use()
    yield
    assert in_use() == before
    assert node("environment1").check_output(f"ls {ROOT}/greeter").split() == [before[0], "current"]
    assert greeting(node("environment1")) == "hello everybody, Python 2"


OTHER: dict[str, Any] = {**GIVEN["python_environment_projects"][0], "commit": "a" * 40}
GONE = {"archive": f"{NO_SERVER}six-1.9.0.tar.gz", "archive_sha256": WRONG_SUM}
REFUSALS: dict[str, tuple[dict[str, object], str]] = {
    "python": (
        {"python_environment_interpreter": "/usr/bin/python3"},
        r"/usr/bin/python3 on environment[12] is Python 3\.\d+\.\d+; greeter 1\.2 needs 2\.7 \(python_env",
    ),
    "pin": (
        {"python_environment_archives": [GONE]},
        rf"python_environment_archives: {GONE['archive']} cannot be had: .*refused",
    ),
    "sum": (
        {"python_environment_archives": [{**GONE, "archive_sha256": "abc"}]},
        r"python_environment_archives \(.*\) has .*six-1.9.0.tar.gz without its SHA-256, 64 hex",
    ),
    "mirror": (
        {"python_environment_projects": [OTHER]},
        r"python_environment_projects: https://git.example.org/test/greeter.git did not give"
        r" commit a{40} \(software_git_mirror: file://.*\): ",
    ),
    "version": ({"python_environment_version": "1.3"}, r"The source of greeter nowhere says that it is 1.3 "),
}


# Before anything is fetched, and after it. The rest is long.
SHORT = ("python", "mirror")


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=[] if case in SHORT else pytest.mark.long) for case in REFUSALS]
)
def test_bad_input_is_one_line_and_changes_nothing(case: str) -> None:
    variables, pattern = REFUSALS[case]
    message = refused(start(variables))
    assert re.search(pattern, message), message


@pytest.mark.long
def test_a_changed_setting_restarts_the_service_and_a_second_run_changes_nothing() -> None:
    finish(start({"greeting": "welcome"}))
    assert greeting(node("environment1")) == "welcome everybody, Python 2"
    assert not re.search(r"changed=[1-9]", finish(start({"greeting": "welcome"})))
    finish(start({}))
