"""Counts and intervals from the kept results; pure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

CELL_KEYS = ("qemu", "accelerator", "mode", "load", "variant", "guest_kernel")
# What leaves a line of the kernel or a wrong page behind.
KERNEL_REASONS = {"console", "kernel_log"}
STRESSOR_REASONS = {"stressor_dead", "stressor_stalled"}
SUMMARY_VARIANT = "no-pattern"
SUMMARY_MODES = ("precopy", "hybrid", "postcopy")


def wilson_interval(hits: int, trials: int, z: float = 1.96) -> tuple[float, float]:
    """Score interval of a proportion (E. B. Wilson, JASA 22, 1927), 95 % by default.

    Holds for few trials and for none or all hits too; (0, 1) without trials.
    """
    if trials == 0:
        return (0.0, 1.0)
    share = hits / trials
    centre = share + z * z / (2 * trials)
    spread = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    # Rounding must not push an end past what a proportion can be.
    return (max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale))


def cell_of(record: dict[str, Any]) -> tuple[str, ...]:
    return tuple(str(record[key]) for key in CELL_KEYS)


def table_rows(records: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row for each combination, in the order of first appearance."""
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for record in records:
        groups.setdefault(cell_of(record), []).append(record)
    rows = []
    for cell, members in groups.items():
        judged = [m for m in members if m["verdict"] in ("intact", "corrupted")]
        corrupted = [m for m in judged if m["verdict"] == "corrupted"]
        patterns = [m["pattern"] for m in judged if m.get("pattern")]
        low, high = wilson_interval(len(corrupted), len(judged))
        rows.append(
            {
                **dict(zip(CELL_KEYS, cell, strict=True)),
                "judged": len(judged),
                "corrupted": len(corrupted),
                "interval": (low, high),
                "not_judged": len(members) - len(judged),
                "kernel": sum(bool(KERNEL_REASONS & set(m["reasons"])) for m in corrupted),
                "stressor": sum(bool(STRESSOR_REASONS & set(m["reasons"])) for m in corrupted),
                # Nothing but a guest or a stressor that stands still or is gone.
                "silent": sum(not (KERNEL_REASONS | {"pattern"}) & set(m["reasons"]) for m in corrupted),
                "pattern": sum("pattern" in m["reasons"] for m in corrupted),
                "damaged_pages": sum(p["pages"] - p["intact_pages"] for p in patterns),
            }
        )
    return rows


def markdown_table(rows: list[dict[str, Any]]) -> str:
    """The counts as docs/guest-integrity.md shows them: the summary, and every cell folded away below it."""
    packages = "; ".join(sorted({row["qemu"] for row in rows}))
    judged, corrupted, silent, unjudged = (
        sum(row[key] for row in rows) for key in ("judged", "corrupted", "silent", "not_judged")
    )
    return "\n".join(
        [
            *_summary(rows),
            "",
            f"Builds: {packages}.",
            "",
            f"Of all {corrupted} damaged guests {silent} were silent: not one line of the kernel, only"
            " a stressor that stood still or was gone, or an agent that no longer answered.",
            "",
            "<details>",
            f"<summary>All {judged + unjudged} runs, every variant and guest kernel</summary>",
            "",
            *_every_cell(rows),
            "",
            "</details>",
        ]
    )


def _summary(rows: list[dict[str, Any]]) -> list[str]:
    """A row for each build and thread setting: damaged of judged, by mode, stressed and idle."""
    rows = [row for row in rows if row["variant"] == SUMMARY_VARIANT and row["load"] in ("stressed", "idle")]
    runs: dict[str, int] = {}
    for row in rows:
        runs[row["guest_kernel"]] = runs.get(row["guest_kernel"], 0) + row["judged"]
    kernel = max(runs, key=lambda name: (runs[name], name), default="")
    cells: dict[tuple[str, str], dict[tuple[str, str], dict[str, Any]]] = {}
    for row in sorted(rows, key=_order):
        if row["guest_kernel"] == kernel:
            line = cells.setdefault((row["qemu"], row["accelerator"]), {})
            line[row["mode"], row["load"]] = row
    columns = [(mode, load) for load in ("stressed", "idle") for mode in SUMMARY_MODES]
    lines = [
        f"| QEMU | TCG | {' | '.join(f'{mode}, {load}' for mode, load in columns)} |",
        "|---" * (2 + len(columns)) + "|",
    ]
    for (qemu, accelerator), found in cells.items():
        counts = " | ".join(_damaged(found.get(column), column[1] == "stressed") for column in columns)
        lines.append(f"| {_build(qemu)} | {_thread(accelerator)} | {counts} |")
    title = f"Damaged guests of those judged, variant `{SUMMARY_VARIANT}`, guest kernel {_short(kernel)}:"
    return [title, "", *lines]


def _damaged(row: dict[str, Any] | None, with_interval: bool) -> str:
    if row is None or not row["judged"]:
        return "-"
    low, high = row["interval"]
    interval = f" ({low * 100:.0f} to {high:.0%})" if with_interval else ""
    return f"{row['corrupted']} of {row['judged']}{interval}"


def _every_cell(rows: list[dict[str, Any]]) -> list[str]:
    lines = [
        "| QEMU | TCG | mode | guest | variant | guest kernel | corrupted | 95 % interval"
        " | kernel | stressor | silent | pattern (pages) | not judged |",
        "|---" * 13 + "|",
    ]
    for row in sorted(rows, key=_order):
        low, high = row["interval"]
        lines.append(
            f"| {_build(row['qemu'])} | {_thread(row['accelerator'])}"
            f" | {row['mode']} | {row['load']} | {row['variant']} | {_short(row['guest_kernel'])}"
            f" | {row['corrupted']} of {row['judged']} | {low:.0%} to {high:.0%} | {row['kernel']}"
            f" | {row['stressor']} | {row['silent']} | {row['pattern']} ({row['damaged_pages']})"
            f" | {row['not_judged']} |"
        )
    return lines


def _build(qemu: str) -> str:
    """A Debian package is told by its version; a build of the bench's own says what it is."""
    version, _, package = qemu.partition(" ")
    return version if package.startswith("(Debian ") or not package else qemu


def _thread(accelerator: str) -> str:
    return accelerator.removeprefix("tcg,thread=")


def _short(guest_kernel: str) -> str:
    return guest_kernel.split("-")[0].split("+")[0]


def _order(row: dict[str, Any]) -> tuple[Any, ...]:
    """The standard runs first; builds of one version beside each other, the package before them."""
    version = tuple(int(part) for part in row["qemu"].split()[0].split("."))
    variants = (SUMMARY_VARIANT, "default")
    variant = variants.index(row["variant"]) if row["variant"] in variants else len(variants)
    return (variant, row["variant"], row["load"] != "stressed", version, *cell_of(row))


BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"


def with_table(document: str, table: str) -> str:
    """The document with the table in its place."""
    head, _, rest = document.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n{table}\n{END}{tail}"
