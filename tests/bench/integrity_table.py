"""Counts and intervals from the kept results; pure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

CELL_KEYS = ("qemu", "accelerator", "mode", "load", "variant", "guest_kernel")


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
                "kernel": sum(
                    bool({"console", "kernel_log", "agent_unreachable"} & set(m["reasons"]))
                    for m in corrupted
                ),
                "stressor": sum(
                    bool({"stressor_dead", "stressor_stalled"} & set(m["reasons"])) for m in corrupted
                ),
                "pattern": sum("pattern" in m["reasons"] for m in corrupted),
                "damaged_pages": sum(p["pages"] - p["intact_pages"] for p in patterns),
            }
        )
    return rows


def markdown_table(rows: list[dict[str, Any]]) -> str:
    """The table as docs/guest-integrity.md shows it, the standard runs first."""
    lines = [
        "| QEMU | TCG | mode | guest | variant | guest kernel | corrupted | 95 % interval"
        " | kernel | stressor | pattern (pages) | not judged |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in sorted(rows, key=_order):
        low, high = row["interval"]
        lines.append(
            f"| {row['qemu'].split()[0]} | {row['accelerator'].removeprefix('tcg,thread=')}"
            f" | {row['mode']} | {row['load']} | {row['variant']}"
            f" | {row['guest_kernel'].split('-')[0].split('+')[0]}"
            f" | {row['corrupted']} of {row['judged']} | {low:.0%} to {high:.0%} | {row['kernel']}"
            f" | {row['stressor']} | {row['pattern']} ({row['damaged_pages']}) | {row['not_judged']} |"
        )
    packages = sorted({row["qemu"] for row in rows})
    return "\n".join([*lines, "", "Builds: " + "; ".join(packages) + "."])


def _order(row: dict[str, Any]) -> tuple[Any, ...]:
    version = tuple(int(part) for part in row["qemu"].split()[0].split("."))
    return (row["variant"] != "default", row["variant"], row["load"] != "stressed", version, *cell_of(row))


BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"


def with_table(document: str, table: str) -> str:
    """The document with the table in its place."""
    head, _, rest = document.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n{table}\n{END}{tail}"
