"""README and docs: short enough, whole, and their links, verbs and targets exist."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from postcopy_lab.cli import app
from tests.conftest import PROJECT

README_LINES = 150
LINK = re.compile(r"\]\(([^)\s]+)\)")
# Words with a second meaning (a switch is a network's). contract/older.py still reads them.
OLDER = re.compile(
    r"\b(held_entry|late_announcement|switch_(check|requested_at|seconds)|\w+_switch|judgement)\b|run\.figures\b"
)


def pages() -> list[Path]:
    """Every Markdown file of the project."""
    listed = subprocess.run(
        ["git", "ls-files", "*.md"], cwd=PROJECT, text=True, stdout=subprocess.PIPE, check=True
    ).stdout
    return [PROJECT / name for name in listed.splitlines()]


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def links(page: Path) -> list[tuple[str, str]]:
    """Targets within the project: path, empty for the page itself, and anchor."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    targets = [link for link in LINK.findall(text) if "://" not in link]
    return [(path, anchor) for path, _, anchor in (target.partition("#") for target in targets)]


def test_readme_is_short() -> None:
    assert len((PROJECT / "README.md").read_text(encoding="utf-8").splitlines()) <= README_LINES


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(PROJECT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    for path, anchor in links(page):
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), path
        if anchor:
            assert anchor in anchors(target), f"{path}#{anchor}"


def test_the_index_has_every_page() -> None:
    index = PROJECT / "docs/README.md"
    linked = {(index.parent / path).resolve() for path, _ in links(index)}
    written = {path for path in (PROJECT / "docs").glob("*.md") if path != index}
    assert written <= linked
    assert {PROJECT / "docs/roles", PROJECT / "docs/modules", PROJECT / "CONTRIBUTING.md"} <= linked


def test_the_collection_names_each_of_its_modules() -> None:
    collection = PROJECT / "collection/ansible_collections/postcopy/lab"
    listed = re.findall(
        r"^\| `(\w+)` \|", (collection / "README.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert sorted(listed) == sorted(path.stem for path in collection.glob("plugins/modules/*.py"))


def test_verbs_and_targets_exist() -> None:
    verbs = {
        command.name or command.callback.__name__ for command in app.registered_commands if command.callback
    }
    targets = set(
        re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    )
    for page in [*pages(), *PROJECT.glob(".github/*/*.yml")]:
        assert called("postcopy-lab", page) <= verbs, page
        assert called("make", page) <= targets, page
    assert called("postcopy-lab", PROJECT / "README.md") == verbs
    assert called("make", PROJECT / "README.md") >= {"study", "test", "test-unit", "tools"}


def called(program: str, page: Path) -> set[str]:
    """First arguments of a program in a page's code: at the beginning of a line, or behind a backtick."""
    return set(
        re.findall(
            rf"(?:^ *|`)(?:\.venv/bin/)?{program} ([a-z][a-z-]*)",
            page.read_text(encoding="utf-8"),
            re.MULTILINE,
        )
    )


def test_older_words_do_not_come_back() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "*.py", "*.yml", "*.j2"],
        cwd=PROJECT,
        text=True,
        stdout=subprocess.PIPE,
        check=True,
    ).stdout
    known = {"contract/older.py", "tests/unit/contract/test_older.py", "tests/unit/test_documents.py"}
    found = {
        f"{name}: {word[0]}"
        for name in set(listed.splitlines()) - known
        for word in OLDER.finditer((PROJECT / name).read_text(encoding="utf-8"))
    }
    assert found == set()
