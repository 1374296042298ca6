"""Write what the shipped runs say of the article: recorded.json, docs/answers.md, the README's table.

The labs are LABS below. Reading all their runs takes half a minute.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from analysis.reference.published import DIRECTORY, load_published
from analysis.reference.recorded import FILE_NAME, Recorded, RecordedLab, RecordedVerdict
from analysis.report.analysis import Analysis, analyse
from analysis.report.answers import SYMBOLS, answers_of, found_words, together
from analysis.report.formats import markdown_text
from analysis.run.formatter import EMPTY

PROJECT = Path(__file__).resolve().parent.parent
EXAMPLES = PROJECT / "examples"
README = PROJECT / "README.md"
REFERENCE = "icclab-2014"
# Results directories of examples/, each with what its column is called.
LABS = {
    "icclab-2014-ping/icen": "the article's own stack",
    "icclab-2014-ping/epon": "today's nova",
    "icclab-2014/local": "today's libvirt",
    "icclab-2014-scaled/local": "today's libvirt, scaled",
    "icclab-2014-10gbit/local": "10 Gb/s, scaled",
}
NOTE = "<!-- Made by `make docs` from examples/ (tools/answers.py). -->"
END = "<!-- end -->"
INTRODUCTION = """\
# One answer

What the article states, and what recorded labs say of it. ✓ reproduced, ✗ not reproduced, ? not testable
there. Together: what all that can tell say; ± where they differ. Every row's rule and runs are in each lab's
report (`postcopy-lab report`). `postcopy-lab compare --claims` prints the same table of any results.
"""


def recorded(analyses: Mapping[str, Analysis]) -> Recorded:
    """What the labs of LABS say, of their analyses by results directory."""
    answers = answers_of([analyses[name] for name in LABS])
    return Recorded(
        labs=tuple(_lab(name, title, analyses[name]) for name, title in LABS.items()),
        verdicts={
            row.identifier: tuple(
                RecordedVerdict(verdict=verdict.verdict, found=found_words(verdict))
                for verdict in row.verdicts
            )
            for row in answers.rows
        },
    )


def _lab(name: str, title: str, analysis: Analysis) -> RecordedLab:
    results = analysis.results
    return RecordedLab(
        name=title,
        results=name,
        release=results.lab.release,
        backend=results.lab.backend,
        scale=results.scale,
        runs=len(results.runs),
    )


def document(found: Recorded) -> str:
    """recorded.json."""
    return msgspec.json.format(msgspec.json.encode(found), indent=1).decode() + "\n"


def page(found: Recorded) -> str:
    """docs/answers.md: every verdict with what it rests on."""
    labs = _table(
        ("column", "results", "system", "runs"),
        [(lab.name, f"`examples/{lab.results}`", _system(lab), str(lab.runs)) for lab in found.labs],
    )
    heads = ("the article says", "its own figure", *(lab.name for lab in found.labs), "together")
    verdicts = _table(heads, [_full_row(claim, found) for claim in _claims(found)])
    return f"{NOTE}\n{INTRODUCTION}\n{labs}\n\n{verdicts}\n"


def in_readme(found: Recorded, readme: str) -> str:
    """The README's text with its table made anew: the verdicts on the statements alone."""
    heads = ("the article says", *(lab.name for lab in found.labs), "together")
    table = _table(heads, [_short_row(claim, found) for claim in load_published(REFERENCE).claims])
    between = re.compile(f"{re.escape(NOTE)}.*?{re.escape(END)}", re.DOTALL)
    return between.sub(lambda _: f"{NOTE}\n\n{table}\n\n{END}", readme)


def _system(lab: RecordedLab) -> str:
    scaled = "" if lab.scale == 1 else f", link and memory {lab.scale:g} times smaller (by similarity)"
    return f"release {lab.release}, backend {lab.backend}{scaled}"


def _claims(found: Recorded) -> list[Mapping[str, str]]:
    published = load_published(REFERENCE)
    return [claim for claim in (*published.claims, *published.shape_claims) if claim["id"] in found.verdicts]


def _full_row(claim: Mapping[str, str], found: Recorded) -> tuple[str, ...]:
    cells = (f"{SYMBOLS[one.verdict][0]} {one.found}" for one in found.verdicts[claim["id"]])
    said = f"{' '.join(claim['statement'].split())} ({claim['where']})"
    return (*map(markdown_text, (said, claim.get("article", EMPTY), *cells)), _answer(claim, found))


def _short_row(claim: Mapping[str, str], found: Recorded) -> tuple[str, ...]:
    signs = (SYMBOLS[one.verdict][0] for one in found.verdicts[claim["id"]])
    return (markdown_text(" ".join(claim["statement"].split())), *signs, _answer(claim, found))


def _answer(claim: Mapping[str, str], found: Recorded) -> str:
    answer = together(one.verdict for one in found.verdicts[claim["id"]])
    return f"{SYMBOLS[answer][0]} {answer}"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    return "\n".join((*lines, *(f"| {' | '.join(row)} |" for row in rows)))


def main() -> None:
    """Write the files."""
    found = recorded({name: analyse(EXAMPLES / name) for name in LABS})
    (DIRECTORY / REFERENCE / FILE_NAME).write_text(document(found), encoding="utf-8")
    (PROJECT / "docs" / "answers.md").write_text(page(found), encoding="utf-8")
    README.write_text(in_readme(found, README.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
