"""docs/faults.json: what was seen is of faults that are still provoked, and as the tests ask for it today."""

from __future__ import annotations

import json

import pytest

from tests.conftest import PROJECT
from tests.faults.seen import key_of
from tests.faults.steps import STEPS
from tests.faults.table import DAMAGES, FAULTS, INTERRUPTS, Fault

SEEN = json.loads((PROJECT / "docs/faults.json").read_text(encoding="utf-8"))


def key(fault: Fault) -> str:
    return key_of(fault.group, fault.name, fault.at.name)


def test_nothing_is_said_of_a_fault_that_is_provoked_no_more() -> None:
    interrupts = {f"interrupt: {name}: {step.name}" for step in STEPS for name, _, _ in INTERRUPTS}
    files = {f"files: {damage.name}: postcopy-lab {damage.verb}" for damage in DAMAGES}
    others = {
        one for one in SEEN if one.startswith(("command: a second study", "node: c", "migration link: netem"))
    }
    assert set(SEEN) <= interrupts | files | others | {key(fault) for fault in FAULTS}


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if key(fault) in SEEN], ids=key)
def test_what_was_seen_is_what_is_asserted_today(fault: Fault) -> None:
    seen = SEEN[key(fault)]
    run = seen["run"] or {"outcome": None, "cause": None, "valid": fault.valid}
    assert (seen["exit_code"], run["outcome"], run["cause"]) == (fault.exit_code, fault.outcome, fault.cause)
    assert fault.valid in (None, run["valid"])
    assert fault.said in json.dumps([seen["line"], seen["run"]], ensure_ascii=False)
    assert seen["left"] == [] or fault.leaves
