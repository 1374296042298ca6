"""Adding a release is adding a file: what it sets is what roles know, and no role knows a release."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from analysis.evidence.nova_log import patterns_of
from tests.conftest import PROJECT


def parts_of(path: Path) -> dict[str, list[dict[str, Any]]]:
    """The files of a release: of NAME, or of NAME/SYSTEM for each system that it has a file of."""
    files = {f"{path.stem}/{one.stem}": [path, one] for one in path.with_suffix("").glob("*.yml")}
    return {
        name: [yaml.safe_load(part.read_text(encoding="utf-8")) for part in parts]
        for name, parts in (files or {path.stem: [path]}).items()
    }


PARTS = {name: parts for path in PROJECT.glob("releases/*.yml") for name, parts in parts_of(path).items()}
RELEASES = {
    name: {key: value for part in parts for key, value in part.items()} for name, parts in PARTS.items()
}
REQUIRED = {
    "prechecks_distribution",
    "prechecks_distribution_versions",
    "qemu_source",
    "qemu_packages",
    "qemu_binary",
    "qemu_expected_version",
    "libvirt_source",
    "libvirt_packages",
    "libvirt_expected_version",
}
TYPES: dict[str, type | tuple[type, ...]] = {
    "str": str,
    "path": str,
    "int": int,
    "bool": bool,
    "list": list,
    "dict": dict,
    "float": (int, float),
}
# What a release says to the analysis, and to the inventory of real machines.
SHARED = {"lab_log_patterns", "lab_python"}


def options(role: str = "*") -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for path in PROJECT.glob(f"roles/{role}/meta/argument_specs.yml"):
        for spec in yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"].values():
            found.update(spec.get("options") or {})
    return found


OPTIONS = options()


# How QEMU, libvirt and its binding are built is what the role software knows.
for built in ("qemu_build", "libvirt_build", "libvirt_python_build"):
    OPTIONS[built] = {**OPTIONS[built], "options": OPTIONS["software_build"]["options"]}


# How a service from git runs is what the role openstack_service knows, by the same names without its own.
GIVEN = {
    name.removeprefix("openstack_service_"): option
    for name, option in options("openstack_service").items()
    if name.removeprefix("openstack_service_") not in ("project", "given", "source", "options")
}
for service in [name for name in OPTIONS if re.search("^(keystone|glance|nova|neutron)_(.*_)?git$", name)]:
    OPTIONS[service] = {**OPTIONS[service], "options": GIVEN}
for service, chosen_by in {
    "nova_network_git": "nova_network_service",
    "neutron_mechanism_git": "neutron_mechanism",
}.items():
    OPTIONS[service] = {
        **OPTIONS[service],
        "options": {name: {"type": "dict", "options": GIVEN} for name in OPTIONS[chosen_by]["choices"]},
    }


def faults(release: dict[str, Any]) -> list[str]:
    """One line for each thing that no role could do anything with."""
    lines = [f"{name} is missing" for name in sorted(REQUIRED - set(release))]
    for name, value in release.items():
        if name not in SHARED:
            lines += value_faults(name, value, OPTIONS.get(name))
    return lines


def value_faults(name: str, value: Any, option: dict[str, Any] | None) -> list[str]:
    if option is None:
        return [f"{name}: no role has it"]
    if "{{" in str(value):
        return []
    if not isinstance(value, TYPES[option.get("type", "str")]):
        return [f"{name}: {value!r} is not of the type {option['type']}"]
    allowed = option.get("choices")
    if allowed and not set(value if isinstance(value, list) else [value]) <= set(allowed):
        return [f"{name}: {value!r} is none of {allowed}"]
    if "options" not in option:
        return []
    return [
        line
        for part in (value if isinstance(value, list) else [value])
        for key, inside in part.items()
        for line in value_faults(f"{name}.{key}", inside, option["options"].get(key))
    ]


@pytest.mark.parametrize("name", sorted(RELEASES))
def test_a_release_says_what_roles_ask_and_nothing_else(name: str) -> None:
    assert faults(RELEASES[name]) == []


@pytest.mark.parametrize("name", sorted(PARTS))
def test_what_runs_and_what_it_runs_on_say_nothing_twice(name: str) -> None:
    said = [key for part in PARTS[name] for key in part]
    assert sorted(said) == sorted(set(said))


def test_the_article_runs_the_same_on_each_of_its_systems() -> None:
    """A system says what the nodes are and what packages are called there, not how a program is built."""
    systems_of_the_article = [name for name in PARTS if name.startswith("icehouse/")]
    assert sorted(systems_of_the_article) == ["icehouse/bullseye", "icehouse/trusty"]
    for name in systems_of_the_article:
        assert [
            key for key in PARTS[name][1] if re.search("_(build|source|version|commit|flags)$", key)
        ] == []


def files_read(path: Path) -> list[list[Any]]:
    """The files of variables of each play of a playbook."""
    plays = yaml.safe_load(path.read_text(encoding="utf-8"))
    listed = [play.get("vars_files", []) for play in plays if isinstance(play, dict)]
    return [[files] if isinstance(files, str) else files for files in listed]


def test_a_playbook_reads_the_release_once() -> None:
    """As tasks: Ansible parses the files of a play anew for each task on each host."""
    for path in PROJECT.glob("playbooks/*.yml"):
        text = path.read_text(encoding="utf-8")
        assert "tasks/release.yml" in text and "releases/" not in text, path


def test_who_reads_what_runs_reads_what_it_runs_on() -> None:
    seen = 0
    for path in PROJECT.glob(".config/molecule/*.yml"):
        for files in files_read(path) if "vars_files" in path.read_text(encoding="utf-8") else []:
            for release in [one for one in files if str(one).endswith("releases/{{ lab_release }}.yml")]:
                folder = release.removesuffix(".yml")
                system = [f"{folder}/{{{{ lab_system | default('') }}}}.yml", release]
                assert files[files.index(release) + 1] == system, f"{path}: {files}"
                seen += 1
    assert seen == 2


def test_faults_are_found() -> None:
    release = {**RELEASES["bullseye"], "qemu_sauce": "x", "libvirt_source": "tar", "qemu_packages": "qemu"}
    del release["qemu_binary"]
    release["qemu_build"] = {"system": "cmake", "corrections": [{"file": "configure"}], "disk_mib": "4 GiB"}
    assert faults(release) == [
        "qemu_binary is missing",
        "qemu_packages: 'qemu' is not of the type list",
        f"libvirt_source: 'tar' is none of {OPTIONS['libvirt_source']['choices']}",
        "qemu_sauce: no role has it",
        f"qemu_build.system: 'cmake' is none of {OPTIONS['software_build']['options']['system']['choices']}",
        "qemu_build.corrections.file: no role has it",
        "qemu_build.disk_mib: '4 GiB' is not of the type int",
    ]


SYSTEMS = {
    ("Debian", "11"): "bullseye",
    ("Debian", "12"): "bookworm",
    ("Debian", "13"): "trixie",
    ("Ubuntu", "14"): "trusty",
}


def systems(releases: list[dict[str, Any]]) -> set[tuple[str, str]]:
    return {
        (release["prechecks_distribution"], SYSTEMS[release["prechecks_distribution"], version])
        for release in releases
        for version in release["prechecks_distribution_versions"]
    }


# Roles of the cloud are for releases that have nova. This one also sets up a nova of somebody else.
SETTINGS_OF_NOVA = "nova_live_migration"
CLOUD_PLAYS = yaml.safe_load((PROJECT / "playbooks/cloud.yml").read_text(encoding="utf-8"))
CLOUD_ROLES = {role for play in CLOUD_PLAYS for task in play["tasks"] for role in task.get("loop", [])}
CLOUD_ROLES |= {"openstack_service", "python_environment"}
# The control machine, which local_nodes acts on, is of no release.
NODE_ROLES = {path.name for path in PROJECT.glob("roles/*")} - {"local_nodes"}


@pytest.mark.parametrize("role", sorted(NODE_ROLES))
def test_a_role_names_the_systems_of_the_releases_that_it_is_for(role: str) -> None:
    meta = yaml.safe_load((PROJECT / "roles" / role / "meta/main.yml").read_text(encoding="utf-8"))
    platforms = meta["galaxy_info"]["platforms"]
    named = {(platform["name"], version) for platform in platforms for version in platform["versions"]}
    wanted = [
        release
        for release in RELEASES.values()
        if role not in CLOUD_ROLES
        or "nova" in release.get("prechecks_backends", [])
        or (role == SETTINGS_OF_NOVA and not release.keys().isdisjoint(options(role)))
    ]
    if role == "placement":
        wanted = [release for release in wanted if release.get("nova_with_placement", True)]
    assert named == systems(wanted)


@pytest.mark.parametrize("name", sorted(RELEASES))
def test_novas_log_can_be_read(name: str) -> None:
    backends = RELEASES[name].get("prechecks_backends", ["libvirt"])
    if "nova" in backends or "lab_log_patterns" in RELEASES[name]:
        assert patterns_of(RELEASES[name].get("lab_log_patterns", name))


@pytest.mark.parametrize("folder", ["tasks", "vars", "defaults", "handlers", "templates", "files"])
def test_no_role_knows_a_release(folder: str) -> None:
    names = re.compile(rf"\b({'|'.join(sorted({part for name in RELEASES for part in name.split('/')}))})\b")
    known = {
        str(path.relative_to(PROJECT)): found[0]
        for path in PROJECT.glob(f"roles/*/{folder}/**/*")
        if path.is_file() and (found := names.search(path.read_text(encoding="utf-8", errors="replace")))
    }
    assert known == {}


def test_the_article_is_pinned_to_the_commits_that_its_deviations_name() -> None:
    words = Path(PROJECT / "playbooks/vars/deviations.yml").read_text(encoding="utf-8")
    for program in ("qemu", "libvirt"):
        commit = RELEASES["icehouse/trusty"][f"{program}_build"]["commit"]
        version = RELEASES["icehouse/trusty"][f"{program}_expected_version"]
        assert re.fullmatch("[0-9a-f]{40}", commit)
        assert f"{commit[:12]}, version {version} " in words
