"""What a node has once one of a program's builds is used."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.postcopy.lab.plugins.modules.build_activation import System, activate

ROOT = "/opt/postcopy-lab/dtc"
LINKER_FILE = "/etc/ld.so.conf.d/00-postcopy-lab-dtc.conf"
FACT = "/etc/ansible/facts.d/postcopy_lab_build_dtc.fact"


def build(node: Path, name: str, programs: tuple[str, ...]) -> None:
    folder = node / ROOT.lstrip("/") / name
    (folder / "bin").mkdir(parents=True)
    for program in programs:
        (folder / "bin" / program).write_text(name)
    (folder / "manifest.json").write_text(json.dumps({"id": name}))


@pytest.fixture
def node(tmp_path: Path) -> Path:
    """Its files: two builds, of which none is used."""
    build(tmp_path, "1.6", ("dtc",))
    build(tmp_path, "1.7", ("dtc", "fdtget"))
    return tmp_path


def use(node: Path, name: str, check: bool = False) -> tuple[list[str], bool, bool]:
    """What was changed, whether the linker read its folders again, and whether another build is used."""
    system, read = System(str(node), check), []
    activated = activate(system, "dtc", ROOT, name, lambda: read.append(name))
    return system.changed, bool(read), activated


def state(node: Path) -> dict[str, str]:
    """Every link's target and every file's content, without the builds' own."""
    return {
        str(path.relative_to(node)): str(path.readlink()) if path.is_symlink() else path.read_text()
        for path in node.rglob("*")
        if (path.is_symlink() or path.is_file()) and not {"1.6", "1.7"} & set(path.parts)
    }


def test_a_build_is_current_known_to_the_linker_in_the_path_and_a_fact(node: Path) -> None:
    changed, linker_reads, activated = use(node, "1.7")
    assert state(node) == {
        "opt/postcopy-lab/dtc/current": "1.7",
        LINKER_FILE.lstrip("/"): f"# Made by the role software of postcopy-lab.\n{ROOT}/current/lib\n",
        "usr/local/bin/dtc": f"{ROOT}/current/bin/dtc",
        "usr/local/bin/fdtget": f"{ROOT}/current/bin/fdtget",
        FACT.lstrip("/"): '{"id": "1.7"}',
    }
    assert (len(changed), linker_reads, activated) == (5, True, True)
    assert (node / FACT.lstrip("/")).stat().st_mode & 0o777 == 0o644


def test_what_is_right_stays(node: Path) -> None:
    use(node, "1.7")
    assert use(node, "1.7") == ([], False, False)


def test_another_build_moves_the_link_and_the_fact_alone(node: Path) -> None:
    use(node, "1.7")
    assert use(node, "1.6") == ([f"{ROOT}/current", FACT], True, True)
    assert state(node)["opt/postcopy-lab/dtc/current"] == "1.6"


def test_what_somebody_else_changed_is_put_right(node: Path) -> None:
    use(node, "1.7")
    (node / "usr/local/bin/dtc").unlink()
    (node / LINKER_FILE.lstrip("/")).write_text("/elsewhere\n")
    (node / FACT.lstrip("/")).chmod(0o600)
    assert use(node, "1.7") == ([LINKER_FILE, "/usr/local/bin/dtc", FACT], True, False)
    assert use(node, "1.7") == ([], False, False)


def test_an_activation_that_was_interrupted_is_gone_on_with(node: Path) -> None:
    def fail() -> None:
        raise OSError("ldconfig was killed")

    (node / "usr/local/bin").mkdir(parents=True)
    (node / "usr/local/bin/dtc.part").symlink_to("nowhere")
    with pytest.raises(OSError, match="killed"):
        activate(System(str(node)), "dtc", ROOT, "1.7", fail)
    assert use(node, "1.7") == ([FACT], True, False)
    assert use(node, "1.7") == ([], False, False)


def test_check_mode_tells_and_changes_nothing(node: Path) -> None:
    told, linker_reads, activated = use(node, "1.7", check=True)
    assert (state(node), linker_reads, activated) == ({}, False, True)
    assert told == use(node, "1.7")[0]


def test_what_is_no_build_is_refused_before_anything_changes(node: Path) -> None:
    with pytest.raises(OSError, match=r"dtc/1[.]8 is no build: it has no manifest"):
        use(node, "1.8")
    assert state(node) == {}
