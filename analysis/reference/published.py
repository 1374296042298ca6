"""Loads published measurements, each a folder beside this file: the article's tables, source and claims."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from analysis.evidence.errors import InputError
from analysis.evidence.units import MB, MIB
from analysis.study.cases import STRESSED_TABLES

DIRECTORY = Path(__file__).parent
# ping -i 0.1: its "downtime" is lost pings times this.
PING_PERIOD_SECONDS = 0.1
MIGRATION_TIME, TRANSFERRED, OUTAGE = "migration_time_s", "transferred_mb", "downtime_s"


@dataclass(frozen=True)
class Unloaded:
    """One column of table 2; MB as printed."""

    flavor: str
    migration_seconds: float
    outage_seconds: float
    transferred_mb: float


@dataclass(frozen=True)
class Stressed:
    """One column of table 3 or 4; MB as printed."""

    stressed_mb: float
    migration_seconds: float
    transferred_mb: float


@dataclass(frozen=True)
class Row:
    """One row of a published table (a column of the article's layout): its key and its numbers as printed."""

    key: str
    numbers: Mapping[str, float]


@dataclass(frozen=True)
class Published:
    """One published study."""

    name: str
    title: str
    authors: str
    year: int
    release: str
    link_rate_bits_per_second: float
    ram_gb: Mapping[str, float]
    unloaded: tuple[Unloaded, ...]
    stressed: Mapping[str, tuple[Stressed, ...]]
    stressed_flavor: str
    units: Mapping[str, str]
    claims: tuple[Mapping[str, Any], ...]
    shape_claims: tuple[Mapping[str, Any], ...]
    number_claims: tuple[Mapping[str, Any], ...]
    numbers: Mapping[str, float]
    tables: Mapping[str, tuple[Row, ...]]

    def rows(self, table: str) -> tuple[Row, ...]:
        """The rows of table2, table3 or table4, in the article's order."""
        return self.tables[table]

    def unloaded_number(self, flavor: str, column: str) -> float:
        """A number of table 2 as printed."""
        return self.numbers[f"table2.{flavor}.{column}"]

    def growth_readings(self, column: str, per_stressed_mb: float) -> tuple[float, ...]:
        """What a column grows by per stressed byte, in bytes: one value for each reading of the article's MB.

        Stressed MB are MiB. Transferred MB may be 2^20 or 10^6 bytes. Time stands for what the nominal link
        carries in it, which makes it comparable between links.
        """
        if column == TRANSFERRED:
            return (per_stressed_mb * MB / MIB, per_stressed_mb)
        return (per_stressed_mb * self.link_rate_bits_per_second / 8 / MIB,)


def load_published(name: str) -> Published:
    """Load one data set by the name that a study's `reference` gives; InputError if there is none."""
    directory = DIRECTORY / name
    names = sorted(path.parent.name for path in DIRECTORY.glob("*/source.yml"))
    if name not in names:
        known = ", ".join(names)
        raise InputError(f"study: reference: no published data set {name!r} (allowed: {known} or null)")
    try:
        return _load(directory)
    except KeyError as error:
        raise InputError(f"{directory}: key or column {error} is missing") from error
    except (TypeError, ValueError, AttributeError, OSError, csv.Error, msgspec.DecodeError) as error:
        raise InputError(f"{directory}: {' '.join(str(error).split())}") from error


def _load(directory: Path) -> Published:
    source = msgspec.yaml.decode((directory / "source.yml").read_bytes())
    claims = msgspec.yaml.decode((directory / "claims.yml").read_bytes())
    tables = {table: _read(directory / entry["file"]) for table, entry in source["tables"].items()}
    return Published(
        name=source["name"],
        title=source["title"],
        authors=source["authors"],
        year=source["year"],
        release=source["release"],
        link_rate_bits_per_second=float(source["link_rate_bits_per_second"]),
        ram_gb={row["flavor"]: float(row["ram_gb"]) for row in tables["table1"]},
        unloaded=tuple(
            Unloaded(
                row["flavor"],
                float(row["migration_time_s"]),
                float(row["downtime_s"]),
                float(row["transferred_mb"]),
            )
            for row in tables["table2"]
        ),
        stressed={
            table: tuple(
                Stressed(
                    float(row["stressed_mb"]), float(row["migration_time_s"]), float(row["transferred_mb"])
                )
                for row in tables[table]
            )
            for table in STRESSED_TABLES
        },
        stressed_flavor=source["tables"]["table3"]["flavor"],
        units=source["units"],
        claims=tuple(claims["claims"]),
        shape_claims=tuple(claims["shapes"]),
        number_claims=tuple(claims["numbers"]),
        numbers=_numbers(tables),
        tables={table: _rows(rows) for table, rows in tables.items()},
    )


def _read(path: Path) -> list[dict[str, str]]:
    """The rows of a table: under its first column's name a key, under every other a number above 0.

    A line needs two points, and whatever a measurement is held against is divided by.
    """
    with path.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    if len(rows) < 2:
        raise ValueError(f"{path.name}: {len(rows)} rows, expected at least 2")
    for row in rows:
        (_, key), *numbers = row.items()
        for column, text in numbers:
            if column is None:
                raise ValueError(f"{path.name}: row {key}: more values than columns")
            if not _is_above_zero(text):
                raise ValueError(
                    f"{path.name}: row {key}: {column} is {text or 'missing'}, expected a number above 0"
                )
    return rows


def _is_above_zero(text: str | None) -> bool:
    try:
        return 0 < float(text or "") < math.inf
    except ValueError:
        return False


def _rows(rows: list[dict[str, str]]) -> tuple[Row, ...]:
    """The first column is the key."""
    keys = [next(iter(row)) for row in rows]
    return tuple(
        Row(row[key], {column: float(text) for column, text in row.items() if column != key})
        for key, row in zip(keys, rows, strict=True)
    )


def _numbers(tables: Mapping[str, list[dict[str, str]]]) -> dict[str, float]:
    """Every published number under its identifier: table.row.column, the first column naming the row."""
    return {
        f"{table}.{row.key}.{column}": value
        for table, rows in tables.items()
        for row in _rows(rows)
        for column, value in row.numbers.items()
    }
