"""`postcopy-lab compare` of two results directories, case by case."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from math import inf
from typing import TYPE_CHECKING

from postcopy_lab.board import make_console
from postcopy_lab.errors import ExitCode
from postcopy_lab.project import Project
from postcopy_lab.verbs.report import open_results, reading

if TYPE_CHECKING:
    from analysis.compare.labs import LabComparison, Row
    from analysis.study.results import Results

HEADS = ("metric", "A", "B", "B / A", "n", "p", "verdict")
NUMBER_HEADS = frozenset({"A", "B", "B / A", "n", "p"})


def compare(
    inventory: str,
    first: str,
    second: str,
    *,
    backend: str | None,
    metrics: Sequence[str],
    threshold: float,
    match: str,
    form: str,
) -> ExitCode:
    """Print second against first, case by case; FAILED if a ratio's interval lies beyond the threshold.

    Raises:
        InputError: a directory cannot be analysed, an unknown metric or setting, no case in common.
    """
    project, one = open_results(inventory, first, backend)
    _, other = open_results(inventory, second, backend)
    from analysis.compare.labs import DEFAULT_METRICS, compare_results, comparison_document

    settings = tuple(name.strip() for name in match.split(",") if name.strip())
    with reading():
        found = compare_results(one, other, tuple(metrics) or DEFAULT_METRICS, threshold, settings)
    if form == "json":
        print(json.dumps(comparison_document(found), indent=1))
    elif form == "md":
        print("\n".join(_markdown(found, project)))
    else:
        _print_table(found, project)
    return ExitCode.FAILED if found.beyond else ExitCode.OK


def _print_table(found: LabComparison, project: Project) -> None:
    from rich import box
    from rich.table import Table

    console = make_console()
    for line in _sides(found, project):
        console.print(line, soft_wrap=True)
    for case, rows in groupby(found.rows, key=lambda row: row.case):
        # One table per case: its name would take half of the width as a column.
        table = Table(
            title=case, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False
        )
        for head in HEADS:
            right = head in NUMBER_HEADS
            table.add_column(head, justify="right" if right else "left", no_wrap=head in ("metric", "n", "p"))
        for row in rows:
            style = "bold red" if row.beyond else "dim" if row.beyond is None else None
            table.add_row(*_cells(row, found.threshold), style=style)
        console.print(table)
    for line in _conclusion(found):
        console.print(line, soft_wrap=True, style="bold red" if found.beyond else None)


def _markdown(found: LabComparison, project: Project) -> Iterator[str]:
    from analysis.report.formats import markdown_text

    for line in _sides(found, project):
        yield f"- {markdown_text(line)}"
    yield ""
    yield f"| case | {' | '.join(HEADS)} |"
    yield f"|---|{'|'.join('---:' if head in NUMBER_HEADS else '---' for head in HEADS)}|"
    for row in found.rows:
        yield f"| {' | '.join(map(markdown_text, (row.case, *_cells(row, found.threshold))))} |"
    yield ""
    yield from map(markdown_text, _conclusion(found))


def side(name: str, results: Results, project: Project) -> Iterator[str]:
    """What is compared under this letter."""
    lab = results.lab
    yield (
        f"{name}: {project.shown(results.directory)}, study {results.study.name}, lab {lab.lab}, "
        f"release {lab.release}, backend {lab.backend}"
        f"{f', guest network by {lab.guest_network}' if lab.guest_network else ''}"
        f"{', migration stream encrypted (TLS)' if lab.migration_stream_tls else ''}"
        f"{f', by similarity (x {results.scale:g})' if results.scale != 1 else ''}"
    )
    for notice in results.mixed:
        yield f"{name} is mixed: {notice.file}: {notice.message}"


def _sides(found: LabComparison, project: Project) -> Iterator[str]:
    for name, results in (("A", found.first), ("B", found.second)):
        yield from side(name, results, project)
    for name, cases in (("A", found.only_first), ("B", found.only_second)):
        if cases:
            yield f"only in {name}: {', '.join(cases)}"


def _cells(row: Row, threshold: float) -> tuple[str, ...]:
    """One cell for each of HEADS."""
    from analysis.run.formatter import EMPTY

    name, unit, factor = _shown(row.metric)
    p = EMPTY if row.smallest_p is None else f"≥ {row.smallest_p:.2g}" if row.p is None else f"{row.p:.3f}"
    return (
        f"{name} {unit}".strip(),
        _median(row.first, factor),
        _median(row.second, factor),
        _ratio(row),
        f"{row.first_count}, {row.second_count}",
        p,
        f"{row.verdict}; beyond {threshold:.2f} ({row.direction})" if row.beyond else row.verdict,
    )


def _shown(metric: str) -> tuple[str, str, float]:
    """A metric's name in words, its unit, and the factor to that."""
    from analysis.compare.labs import COMPLETED, metric_of

    if metric == COMPLETED:
        return metric, "%", 100.0
    unit = metric_of(metric).unit
    return unit.words(metric), unit.formatter.unit or "", unit.formatter.factor


def _median(value: object, factor: float) -> str:
    from analysis.report.formats import interval_text
    from analysis.run.formatter import EMPTY, significant
    from analysis.stats.intervals import Interval

    if isinstance(value, Interval):
        return interval_text(value)
    return significant(value * factor) if isinstance(value, float) else EMPTY


def _ratio(row: Row) -> str:
    """The ratio with its interval; a range is called one, since it is no interval of 95 %."""
    from analysis.run.formatter import EMPTY
    from analysis.stats.intervals import RANGE

    if row.low is None or row.high is None:
        return EMPTY if row.ratio is None or row.ratio == inf else f"{row.ratio:.2f}"
    kind = "range " if row.interval_kind == RANGE else ""
    bounds = f"{kind}{row.low:.2f} to {row.high:.2f}" if row.high < inf else f"{kind}{row.low:.2f} or more"
    return bounds if row.ratio is None or row.ratio == inf else f"{row.ratio:.2f} ({bounds})"


def _conclusion(found: LabComparison) -> Iterator[str]:
    from analysis.stats.intervals import MINIMUM_COUNT, MINIMUM_COUNT_OF_TWO

    total, undecided, limit = len(found.rows), len(found.undecided), f"{found.threshold:.2f}"
    if found.beyond:
        yield f"{len(found.beyond)} of {total} ratios lie beyond {limit} with their whole interval."
    else:
        yield f"No ratio lies beyond {limit} with its whole interval."
    if undecided:
        yield (
            f"{undecided} of {total} could not be judged: a ratio takes {MINIMUM_COUNT_OF_TWO} counted runs "
            f"on each side, all cases together take {MINIMUM_COUNT} cases. "
            "There is no ratio of zero to zero. After ≥: the least p that so few can give."
        )
