"""The check of a guest's memory, compiled as the guest has it, and shown to be able to fail."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.unit.guest_image.agent import SOURCES, compiled, needs_compiler

# Without a compiler the same self-test still runs in every build of the guest, which fails with it.
pytestmark = needs_compiler

# Each is one way to write the check wrongly; the self-test has to notice.
MUTANTS = {
    "content is not compared": (
        "return memcmp(words, wanted, sizeof wanted) == 0;",
        "return words[WORD_CHECKSUM] == checksum(words);",
    ),
    "only the header is compared": (
        "return memcmp(words, wanted, sizeof wanted) == 0;",
        "return memcmp(words, wanted, 32) == 0;",
    ),
    "an old generation passes": (
        "if (page_equals(words, page, expected)) {",
        "if (page_equals(words, page, expected) || page_equals(words, page, expected - 1)) {",
    ),
    "a coming generation passes": (
        "if (page_equals(words, page, expected)) {",
        "if (page_equals(words, page, expected) || page_equals(words, page, expected + 1)) {",
    ),
    "the page's number is not part of it": (
        "uint64_t seed = mix(page ^ mix(generation));",
        "uint64_t seed = mix(mix(generation)); page &= ~1ull;",
    ),
    "torn is called bad": (
        "return page_is_mixture(words, page, expected) ? PAGE_TORN : PAGE_BAD;",
        "return PAGE_BAD;",
    ),
    "the last page is left out": (
        "for (uint64_t page = 0; page < pattern->pages; page++) {\n        enum page_state",
        "for (uint64_t page = 0; page + 8 < pattern->pages; page++) {\n        enum page_state",
    ),
    "the writer's position is ignored": (
        "return pattern->generation + (page < pattern->next_page ? 1 : 0);",
        "(void)page; return pattern->generation;",
    ),
}


def self_test(directory: Path, pattern_source: str) -> subprocess.CompletedProcess[str]:
    program = compiled(directory, {"pattern.c": pattern_source})
    return subprocess.run([program, "self-test"], capture_output=True, text=True, check=False)


def test_every_kind_of_damage_is_found(tmp_path: Path) -> None:
    done = self_test(tmp_path, (SOURCES / "pattern.c").read_text())
    assert (done.returncode, done.stdout) == (0, "the pattern's check finds every kind of damage\n")


@pytest.mark.parametrize("name", MUTANTS)
def test_a_wrong_check_is_noticed(tmp_path: Path, name: str) -> None:
    right, wrong = MUTANTS[name]
    source = (SOURCES / "pattern.c").read_text()
    assert source.count(right) == 1
    done = self_test(tmp_path, source.replace(right, wrong))
    assert done.returncode == 1, f"nobody noticed that {name}"
