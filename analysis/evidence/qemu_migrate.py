"""qemu_migrate.json: what QEMU on the destination says about the migration after its end (query-migrate)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from analysis.evidence.errors import EvidenceError
from analysis.evidence.lines import is_number, json_object


@dataclass(frozen=True)
class BlockTime:
    """How long vCPUs waited for pages in post-copy, seconds; None where this QEMU does not say.

    QEMU's MigrationInfo (qapi/migration.json): `postcopy-blocktime` is the time in which all vCPUs were
    blocked at once, `postcopy-vcpu-blocktime` that of each of them, both in milliseconds.
    """

    all_vcpus_seconds: float | None
    vcpu_seconds: tuple[float, ...]


def parse_qemu_migrate(lines: Iterable[bytes], file: str) -> BlockTime:
    """Parse the answer; EvidenceError if it is none."""
    migrate = json_object(b"".join(lines), file, None).get("migrate")
    if not isinstance(migrate, dict):
        raise EvidenceError(file, None, 'garbled: "migrate" is not an object')
    total, each = migrate.get("postcopy-blocktime"), migrate.get("postcopy-vcpu-blocktime", [])
    if total is not None and (not is_number(total) or total < 0):
        raise EvidenceError(file, None, 'garbled: "postcopy-blocktime" is not a time in milliseconds')
    if not isinstance(each, list) or not all(is_number(value) and value >= 0 for value in each):
        raise EvidenceError(file, None, 'garbled: "postcopy-vcpu-blocktime" is not a list of milliseconds')
    return BlockTime(None if total is None else total / 1000, tuple(value / 1000 for value in each))
