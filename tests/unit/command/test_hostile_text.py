"""Text of evidence that was made to do harm: shown as it is, in the terminal and in every file written."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt
from rich.text import Text

from analysis.evidence.console import SafeConsole, printable
from analysis.report.csv_files import csv_text
from postcopy_lab.project import Project
from tests.unit.analysis.builder import write_sums
from tests.unit.command.conftest import ROOT

Call = Callable[..., tuple[int, str, str]]
RECORDED = ROOT / "tests" / "data" / "results" / "quick" / "local"
HOSTILE = (
    "=1+1 [/foo] [red]x[/red] \x1b[2J\x1b]0;title\x07 \x9b31m \u202egnp.exe \0 \r\n# head | cell "
    "`code` **bold** [link](http://x.example) ![p](y) <script>alert(1)</script> \"' onload=1 $\\foo$ &lt; "
    ":smile: end"
)
# What spreadsheets begin a formula with. Text of evidence may begin with any of it.
STARTS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
STEERING = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def _change(path: Path, **values: Any) -> None:
    document = json.loads(path.read_text())
    path.write_text(json.dumps(document | values))


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """Recorded runs with such a text for each free one: two failed, one invalid, one with a file missing."""
    results = Path(shutil.copytree(RECORDED, tmp_path / "a # 50% <b>"))
    study = json.loads((results / "study.json").read_text())["study"]
    _change(results / "study.json", study=study | {"title": HOSTILE})
    lab = json.loads((results / "lab.json").read_text())
    _change(
        results / "lab.json",
        lab=HOSTILE,
        release=HOSTILE,
        kit_commit=HOSTILE,
        nodes=lab["nodes"] | {HOSTILE: {HOSTILE: HOSTILE, "cpu": [HOSTILE]}},
        link=lab["link"] | {"measured": [link | {"source": HOSTILE} for link in lab["link"]["measured"]]},
        deviations=[dict.fromkeys(("what", "article", "pinned", "here", "effect"), HOSTILE)],
    )
    for number, run in enumerate(sorted(results.glob("runs/*/*"))):
        record = json.loads((run / "run.json").read_text())
        _change(
            run / "run.json",
            accelerator=HOSTILE,
            warnings=[f"{start}{HOSTILE[1:]}" for start in STARTS],
            integrity=record["integrity"] | {"kernel_log_errors": [HOSTILE], "alive_on": HOSTILE},
            nodes=dict.fromkeys(record["nodes"], HOSTILE),
        )
        if number < 2:
            causes = ("guest_corrupted", HOSTILE)
            _change(run / "run.json", outcome="failed", cause=causes[number], cause_detail=HOSTILE)
        if number == 2:
            _change(run / "run.json", valid=False, invalid_reason=HOSTILE)
        write_sums(run)
        if number == 3:
            with (run / "SHA256SUMS").open("a", encoding="utf-8") as sums:
                sums.write(f"{'0' * 64}  {HOSTILE.split(chr(0))[0]}{'x' * 300}\n")
    (results / "runs" / "<b>\x1b[2J" / "01").mkdir(parents=True)
    (results / "runs" / "not-utf8-\udcff" / "01").mkdir(parents=True)
    return results


def test_the_terminal_is_not_steered(call: Call, hostile: Path, tmp_path: Path) -> None:
    for words in (
        ("report", str(hostile), "--output", str(tmp_path / "page")),
        ("compare", str(hostile), str(hostile)),
        ("compare", str(hostile), str(hostile), "--format", "md"),
        ("compare", str(hostile), str(hostile), "--format", "json"),
        ("predict", "--ram", "1G", "--stressed", "0M", "--rate", "1G", "--from", str(hostile)),
        ("export", str(hostile), str(tmp_path / "copy")),
        (
            "report",
            str(tmp_path / HOSTILE.replace("\0", "").replace("/", "")),
        ),
        ("study", "quick", "--only", HOSTILE.replace("\0", "")),
        ("predict", "--ram", HOSTILE, "--stressed", "0M", "--rate", "1G"),
        ("study", "quick", "--repetitions", HOSTILE),
        (HOSTILE,),
    ):
        code, out, err = call(*words)
        assert code in (0, 1, 2), words
        assert not STEERING.search(out + err), words
        assert code != 2 or err.count("\n") == 1, words
    _, out, _ = call("report", str(hostile), "--output", str(tmp_path / "page"))
    assert "\\x1b[2J" in out and "[/foo]" in out and ":smile:" in out


class _Page(HTMLParser):
    """The tags and attributes that a browser would see."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.scripts = 0
        self.attributes: list[str] = []
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"
        self.attributes += [name for name, _ in attributes]
        self.links += [value or "" for name, value in attributes if name == "href"]


def test_the_page_shows_it_as_text(call: Call, hostile: Path, tmp_path: Path) -> None:
    code, _, err = call("report", str(hostile), "--output", str(tmp_path / "page"))
    assert (code, err) == (0, "")
    text = (tmp_path / "page" / "report.html").read_text(encoding="utf-8")
    page = _Page(text)
    assert page.scripts == 2, "the page's own"
    assert not [name for name in page.attributes if name.startswith("on")]
    assert not [link for link in page.links if "x.example" in link.split("..", 1)[0]]
    assert any("a%20%23%2050%25%20%3Cb%3E/runs/" in link for link in page.links)
    assert not STEERING.search(text.replace("\n", ""))
    assert "&lt;script&gt;alert(1)" in text


def _tables(folder: Path) -> Iterator[tuple[str, str]]:
    for file in sorted(folder.glob("*.csv")):
        with file.open(newline="", encoding="utf-8") as stream:
            for row in csv.reader(stream):
                yield from ((file.name, cell) for cell in row)


def test_no_cell_is_a_formula(call: Call, hostile: Path, tmp_path: Path) -> None:
    call("report", str(hostile), "--output", str(tmp_path / "page"))
    cells = list(_tables(tmp_path / "page" / "csv"))
    for start in STARTS:
        assert any(cell.startswith(f"'{start}1+1 ") for _, cell in cells), start
    for file, cell in cells:
        number = re.fullmatch(r"-?[0-9.]+(e[+-]?[0-9]+)?|-?inf|-", cell)
        assert number or not cell.lstrip().startswith(("=", "+", "-", "@", "\uff1d")), (file, cell)
        assert not cell.startswith(("\t", "\n")), (file, cell)
        assert not STEERING.search(cell), (file, cell)


@pytest.mark.parametrize("start", [*STARTS, "\t=", "\n=", "  =", "\t", "\n"])
def test_a_text_of_a_formula_is_quoted(start: str) -> None:
    assert csv_text(f"{start}1+1") == f"'{start}1+1"


def test_what_is_no_formula_is_left_alone() -> None:
    for value in ("-", "-1.5", "+1", "  text", "a=b", 3, None):
        assert csv_text(value) == value


def test_the_appendix_shows_it_as_text(call: Call, hostile: Path, tmp_path: Path) -> None:
    code, _, err = call("report", str(hostile), "--output", str(tmp_path), "--format", "md")
    assert (code, err) == (0, "")
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert not STEERING.search(text.replace("\n", ""))
    kinds = {token.type for block in _tokens(text) for token in [block, *(block.children or [])]}
    assert not kinds & {"html_inline", "html_block", "link_open", "image", "strong_open", "em_open", "s_open"}
    code_spans = [
        token.content
        for block in _tokens(text)
        for token in block.children or []
        if token.type == "code_inline"
    ]
    assert all(re.fullmatch(r"runs/[\w.-]+/", span) for span in code_spans)
    assert HOSTILE.split("\x1b")[0] in "".join(_text(text))


def _tokens(text: str) -> list[Any]:
    return MarkdownIt("gfm-like", {"linkify": False}).parse(text)


def _text(text: str) -> Iterator[str]:
    for block in _tokens(text):
        yield from (token.content for token in block.children or [] if token.type.startswith("text"))


def test_a_study_whose_case_is_no_name_is_one_line(call: Call, hostile: Path, checkout: Project) -> None:
    study = json.loads((hostile / "study.json").read_text())
    for name in ('"><script>', "../../x", "a\\d", "", "a b"):
        cases = [study["cases"][0] | {"case": name}, *study["cases"][1:]]
        _change(hostile / "study.json", cases=cases)
        code, out, err = call("report", str(hostile))
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert 'study.json: "cases[0].case" is ' in err and "letters and digits" in err


def test_styles_of_the_console_stay(capsys: pytest.CaptureFixture[str]) -> None:
    SafeConsole(force_terminal=True, color_system="standard").print(Text("a\x1b[2Jb", "red"))
    assert capsys.readouterr().out == "\x1b[31ma\\x1b[2Jb\x1b[0m\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain äöü 漢字 🙂\tx\n", "plain äöü 漢字 🙂\tx\n"),
        ("\x1b[31m", "\\x1b[31m"),
        ("\x9b\x7f\r\0", "\\x9b\\x7f\\r\\x00"),
        ("\u202e\u2066\u200b\ufeff\u2028", "\\u202e\\u2066\\u200b\\ufeff\\u2028"),
        ("\ud800 \U000e0041", "\\ud800 \\U000e0041"),
    ],
)
def test_printable(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert printable(shown) == shown
