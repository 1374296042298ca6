"""The page of recorded runs in a real browser: phone and desk, light and dark, by keyboard, on paper."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from analysis.report import write_report
from tests.browser import Browser, browser

PHONE, DESK, BESIDE_CONTENTS, WIDE, WALL = 360, 1280, 1472, 1600, 1920
# A4 less the page's margins of 12 mm, at CSS's 96 pixels per inch.
PAPER = round((210 - 2 * 12) / 25.4 * 96)
LEAST_CONTRAST = 4.5

OPEN_ALL = "document.querySelectorAll('details').forEach((fold) => { fold.open = true; })"

# Elements that reach beyond the window and do not lie in a box that scrolls.
STICKING_OUT = """
[...document.querySelectorAll('body *')]
  .filter((item) => !item.closest('.scroll > *, .skip, svg *') && item.getClientRects().length)
  .filter((item) => item.getBoundingClientRect().right > innerWidth + 1)
  .map((item) => `${item.tagName}.${item.className} ${item.textContent.slice(0, 60)}`)
"""

# Tables that one has to scroll sideways.
SCROLLING = """
[...document.querySelectorAll('.scroll')]
  .filter((box) => box.scrollWidth > box.clientWidth)
  .map((box) => `${box.getAttribute('aria-label')}: ${box.scrollWidth} of ${box.clientWidth}`)
"""

# Text whose contrast with what is behind it is too low (WCAG 2.1, relative luminance).
FAINT = """
(() => {
  const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const luminance = (colour) => {
    const [r, g, b] = parts(colour).slice(0, 3).map((value) => value / 255)
      .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (item) => {
    for (let at = item; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if ((parts(colour)[3] ?? 1) > 0.5) return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  const found = new Set();
  let looked = 0;
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const item = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || item.closest('script, style')) continue;
    if (!item.getClientRects().length) continue;
    looked += 1;
    const style = getComputedStyle(item);
    const [one, two] = [luminance(item.closest('svg') ? style.fill : style.color), luminance(behind(item))];
    const contrast = (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
    const name = `${item.tagName}.${item.className.baseVal ?? item.className}`;
    if (contrast < LEAST) found.add(`${name} ${contrast.toFixed(2)}`);
  }
  return { looked, faint: [...found] };
})()
""".replace("LEAST", str(LEAST_CONTRAST))


@pytest.fixture(scope="module")
def page(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    results = project / "tests" / "data" / "results" / "quick" / "local"
    return write_report(results, tmp_path_factory.mktemp("report")).html


@pytest.fixture(scope="module")
def causes(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of runs whose captures say where each ping was lost."""
    results = project / "tests" / "data" / "results" / "outage-causes" / "local"
    return write_report(results, tmp_path_factory.mktemp("causes")).html


@pytest.fixture(scope="module", params=["icclab-2014", "outage-causes", "probe-cost", "rates"])
def example(project: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """The page of each recorded study that the project ships."""
    results = project / "examples" / request.param / "local"
    return write_report(results, tmp_path_factory.mktemp(request.param)).html


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, DESK, WIDE, WALL])
def test_nothing_fails_nothing_is_fetched_nothing_sticks_out(
    tab: Browser, page: Path, width: int, scheme: str
) -> None:
    tab.open(page, width, scheme)
    assert tab.run(STICKING_OUT) == []
    tab.run(OPEN_ALL)
    assert tab.run(STICKING_OUT) == []
    assert tab.run("document.documentElement.scrollWidth") <= width
    assert tab.told("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded") == []
    asked = [request["request"]["url"] for request in tab.told("Network.requestWillBeSent")]
    assert [url for url in asked if not url.startswith("data:")] == [page.as_uri()]


def test_no_table_of_a_recorded_study_scrolls_sideways(tab: Browser, example: Path) -> None:
    for width in (DESK, BESIDE_CONTENTS, WIDE, WALL):
        tab.open(example, width)
        tab.run(OPEN_ALL)
        assert tab.run("document.querySelectorAll('.scroll table').length") > 10
        assert tab.run(SCROLLING) == [], width


@pytest.mark.parametrize("width", [DESK, BESIDE_CONTENTS, WIDE, WALL])
def test_tables_and_pictures_take_the_room_and_lines_of_text_stay_short(
    tab: Browser, page: Path, width: int
) -> None:
    tab.open(page, width)
    tab.run(OPEN_ALL)
    widths = """(chosen) => [...document.querySelectorAll(chosen)]
      .map((item) => item.getBoundingClientRect().width)"""
    assert max(tab.run(f"({widths})('table')")) > 0.8 * width
    assert max(tab.run(f"({widths})('figure.wide svg')")) > 0.8 * width
    font_size = tab.run("parseFloat(getComputedStyle(document.querySelector('main p')).fontSize)")
    assert max(tab.run(f"({widths})('main > section > p:not(.bar-label)')")) <= 60 * font_size


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read(tab: Browser, page: Path, scheme: str) -> None:
    tab.open(page, DESK, scheme)
    tab.run(OPEN_ALL)
    seen = tab.run(FAINT)
    assert seen["looked"] > 500
    assert seen["faint"] == []


def test_every_picture_is_drawn_and_labelled(tab: Browser, page: Path) -> None:
    tab.open(page, DESK)
    tab.run(OPEN_ALL)
    pictures: list[dict[str, Any]] = tab.run("""
      [...document.querySelectorAll('figure')].map((figure) => {
        const svg = figure.querySelector('svg');
        const box = svg.getBoundingClientRect();
        const shapes = svg.querySelectorAll('path').length;
        return { id: figure.id, width: box.width, height: box.height, shapes,
                 label: svg.getAttribute('aria-label'), role: svg.getAttribute('role') };
      })""")
    identifiers = {picture["id"] for picture in pictures}
    assert {f"figure-{number}" for number in range(1, 7)} < identifiers
    for picture in pictures:
        assert picture["width"] > 300 and picture["height"] > 80, picture
        assert picture["shapes"] > 5 and picture["role"] == "img" and len(picture["label"]) > 20, picture
    assert tab.run("[...document.images].filter((image) => !image.naturalWidth).length") == 0


def test_headings_and_table_heads_are_in_order(tab: Browser, page: Path) -> None:
    tab.open(page, DESK)
    levels = tab.run("[...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map((head) => +head.tagName[1])")
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert tab.run("document.querySelectorAll('th:not([scope])').length") == 0
    assert tab.run(
        "[...document.querySelectorAll('tbody tr')].every((row) => row.querySelector('th[scope=row]'))"
    )


def test_by_keyboard(tab: Browser, page: Path) -> None:
    """The first key leads to the skip link, the next ones through the page; where one is can be seen."""
    tab.open(page, DESK)
    reached = []
    for _ in range(20):
        for kind in ("rawKeyDown", "keyUp"):
            tab.call("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9)
        reached.append(
            tab.run("""(() => {
              const item = document.activeElement, box = item.getBoundingClientRect();
              return { text: item.textContent, outline: getComputedStyle(item).outlineStyle, left: box.left };
            })()""")
        )
    assert reached[0]["text"] == "Skip to the summary"
    assert {"Claims", "Modes", "Runs"} <= {item["text"] for item in reached}
    assert all(item["outline"] != "none" and item["left"] >= 0 for item in reached)


def test_a_link_to_a_case_opens_the_list_of_its_runs(tab: Browser, page: Path) -> None:
    tab.open(page, DESK)
    target = tab.run("document.querySelector('a[href^=\"#runs-\"]').hash.slice(1)")
    is_open = f"document.getElementById('{target}').open"
    assert tab.run(is_open) is False
    tab.run(f"new Promise((done) => {{ addEventListener('hashchange', done); location.hash = '{target}'; }})")
    assert tab.run(is_open) is True


def test_the_reader_chooses_the_theme(tab: Browser, page: Path) -> None:
    background = "getComputedStyle(document.body).backgroundColor"
    tab.open(page, DESK, "dark")
    dark = tab.run(background)
    seen = [
        tab.run(f"(document.getElementById('theme').click(), {background})")
        for _ in ("light", "dark", "system")
    ]
    assert seen == ["rgb(255, 255, 255)", dark, dark]
    tab.open(page, DESK, "light")
    assert tab.run(background) == "rgb(255, 255, 255)"


def test_without_scripts_it_is_all_there(tab: Browser, page: Path) -> None:
    tab.open(page, PHONE, script=False)
    # The browser's own evaluation still runs.
    assert tab.run("document.querySelectorAll('main > section').length") >= 10
    assert tab.run("[...document.querySelectorAll('button')].every((button) => button.hidden)")
    assert tab.run("document.documentElement.scrollWidth") <= PHONE


def test_on_paper(tab: Browser, page: Path, tmp_path: Path) -> None:
    """Light whatever the screen, nothing cut off at the side with every fold open, directories in words."""
    tab.open(page, PAPER, "dark", media="print")
    assert tab.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert tab.run("getComputedStyle(document.querySelector('nav')).display") == "none"
    tab.print_to(tmp_path / "closed.pdf")
    tab.run("document.getElementById('folds').click()")
    assert tab.run("document.querySelectorAll('details.fold:not([open])').length") == 0
    too_wide = tab.run("""[...document.querySelectorAll('table, figure svg')]
      .filter((item) => item.getBoundingClientRect().right > innerWidth + 1)
      .map((item) => item.closest('[id]').id)""")
    assert too_wide == []
    link = tab.run("getComputedStyle(document.querySelector('#runs tbody th a'), '::after').content")
    assert "runs/" in link or "attr(href)" in link
    tab.print_to(tmp_path / "open.pdf")
    sizes = [(tmp_path / name).stat().st_size for name in ("closed.pdf", "open.pdf")]
    assert 10_000 < sizes[0] < sizes[1]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_lost_pings_and_their_evidence_fit_a_phone_and_can_be_read(
    tab: Browser, causes: Path, scheme: str
) -> None:
    tab.open(causes, PHONE, scheme)
    tab.run(OPEN_ALL)
    assert tab.run("document.querySelectorAll('#attribution figure svg').length") == 3
    assert tab.run(STICKING_OUT) == []
    assert tab.run(FAINT)["faint"] == []
