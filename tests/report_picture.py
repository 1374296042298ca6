"""Renews README's picture from real results: `python -m tests.report_picture RESULTS docs/report.png`.

The page's first screen, figures 3 to 6 and one case's timeline, as Debian's chromium shows them.
"""

from __future__ import annotations

import argparse
import io
import tempfile
from pathlib import Path

from PIL import Image

from analysis.report import write_report
from tests.browser import Browser, browser

WIDTH = 1240
# Of the article's figures those that this study has; the timeline is of the longest hybrid case.
FIGURES = ("figure-3", "figure-5")
LONGEST = """
[...document.querySelectorAll('details.fold[id^="case-hybrid-"]')]
  .sort((one, two) => parseFloat(two.querySelector('.note').textContent)
                    - parseFloat(one.querySelector('.note').textContent))[0].id
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path, help="results/<study>/<lab>")
    parser.add_argument("picture", type=Path, help="the PNG to write")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, browser(Path(folder)) as tab:
        tab.open(write_report(options.results, Path(folder) / "report").html, WIDTH)
        tab.run("document.querySelectorAll('.tools, nav').forEach((item) => item.remove())")
        timeline = tab.run(LONGEST)
        tab.run(f"document.getElementById('{timeline}').open = true")
        parts = [
            part(tab, "document.querySelector('header')"),
            part(tab, "document.querySelector('#summary')"),
        ]
        parts += [
            part(tab, f"document.getElementById('{name}').closest('.pair')")
            for name in FIGURES
            if tab.run(f"document.getElementById('{name}').checkVisibility()")
        ]
        parts.append(part(tab, f"document.getElementById('{timeline}')"))
    whole = Image.new("RGB", (WIDTH, sum(image.height for image in parts)), "white")
    top = 0
    for image in parts:
        whole.paste(image, (0, top))
        top += image.height
    # Few colours: a quarter of the bytes, and nobody sees it.
    whole.quantize(128).save(options.picture, optimize=True)


def part(tab: Browser, element: str) -> Image.Image:
    """One element over the page's whole width."""
    box = tab.run(
        f"(() => {{ const box = {element}.getBoundingClientRect();"
        " return { x: 0, y: box.y + scrollY, width: innerWidth, height: box.height }; })()"
    )
    return Image.open(io.BytesIO(tab.shot(captureBeyondViewport=True, clip={**box, "scale": 1})))


if __name__ == "__main__":
    main()
