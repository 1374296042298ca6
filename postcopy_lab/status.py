"""What `status` shows: nodes, link, studies. Reads only; works without any lab."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from control.link_file import read_link
from control.study import StudyError
from postcopy_lab.events import Event, Failure, failure_of
from postcopy_lab.inventory import Inventory, Node
from postcopy_lab.journal import RunRecord, read_journal, read_order

if TYPE_CHECKING:
    from rich.table import Table

CONNECT_SECONDS = 1.0
SSH_GREETING = b"SSH-"
FACTS_ACTION = "postcopy.lab.node_facts"
REPORT = Path("report") / "report.html"
GIB = 2**30


@dataclass(frozen=True)
class StudyState:
    """How far a study is in one lab."""

    name: str
    total: int
    records: tuple[RunRecord, ...]
    report: Path | None

    @property
    def failed(self) -> int:
        return sum(not record.good for record in self.records)

    @property
    def good(self) -> int:
        return len(self.records) - self.failed


def answering(nodes: Iterable[Node]) -> set[str]:
    """Names of the nodes that greet on their ssh port; a firewall may take a connection and say nothing."""

    def answers(node: Node) -> bool:
        try:
            with socket.create_connection((node.address, node.port), timeout=CONNECT_SECONDS) as connection:
                return connection.recv(len(SSH_GREETING)) == SSH_GREETING
        except OSError:
            return False

    every = list(nodes)
    with ThreadPoolExecutor(max_workers=max(1, len(every))) as pool:
        return {node.name for node, up in zip(every, pool.map(answers, every), strict=True) if up}


class FactsCollector:
    """Picks what the nodes said of themselves, or why not, out of the events of playbooks/status.yml."""

    def __init__(self) -> None:
        self.nodes: dict[str, Mapping[str, Any]] = {}
        self.failures: dict[str, Failure] = {}

    def __call__(self, event: Event) -> None:
        failure = failure_of(event)
        if failure is not None:
            self.failures[failure.host] = failure
        data = event.get("event_data") or {}
        if event.get("event") == "runner_on_ok" and data.get("task_action") == FACTS_ACTION:
            self.nodes[str(data["host"])] = (data.get("res") or {}).get("node") or {}


def state_of(name: str, up: set[str], asked: FactsCollector) -> str:
    """What is known of a node: "up" only where it said something of itself."""
    if name not in up:
        return "down"
    failure = asked.failures.get(name)
    if failure is not None:
        return "no login" if failure.unreachable else "no answer"
    # Without the lab's keys nobody tries to log in.
    return "up" if name in asked.nodes else "not asked"


def failed_node_lines(asked: FactsCollector) -> list[str]:
    """Why nodes said nothing of themselves, one line each."""
    return [f"{name}: {failure.said}" for name, failure in sorted(asked.failures.items())]


def node_table(inventory: Inventory, up: set[str], asked: FactsCollector) -> Table:
    """One row per node."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(title=f"lab {inventory.lab}", title_justify="left", box=SIMPLE_HEAD)
    for title in (
        "node",
        "roles",
        "address",
        "state",
        "system",
        "accelerator",
        "QEMU",
        "libvirt",
        "services",
        "guests",
        "memory used",
    ):
        table.add_column(title)
    for node in inventory.nodes:
        known = asked.nodes.get(node.name, {})
        state = state_of(node.name, up, asked)
        table.add_row(
            node.name,
            ", ".join(group for group in node.groups if group != "lab"),
            node.address,
            state,
            str(known.get("os") or ""),
            accelerator(known),
            str(known.get("qemu_version") or ""),
            str(known.get("libvirt_version") or ""),
            gib_words(known.get("services_bytes")),
            gib_words(known.get("guests_bytes")),
            memory_words(known),
            style=None if state == "up" else "red",
        )
    return table


def accelerator(facts: Mapping[str, Any]) -> str:
    """What a node's guests run on, by the facts that provisioning left there; empty if not known."""
    left = (facts.get("local_facts") or {}).values()
    return next((str(fact["accelerator"]) for fact in left if fact.get("accelerator")), "")


def gib_words(size_bytes: int | None) -> str:
    """A size in GiB; empty if not known."""
    return f"{size_bytes / GIB:.2f} GiB" if size_bytes is not None else ""


def lab_memory_lines(facts: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """One sentence about the memory of all nodes' processes; none where a node did not tell."""
    if not facts or not all(known.get("services_bytes") for known in facts.values()):
        return []
    services = sum(known["services_bytes"] for known in facts.values())
    guests = sum(known["guests_bytes"] for known in facts.values())
    return [f"The lab's services take {gib_words(services)} of memory, its guests {gib_words(guests)}."]


def memory_words(facts: Mapping[str, Any]) -> str:
    """Used of total memory, in GiB; empty if not known."""
    total, available = facts.get("memory_bytes"), facts.get("memory_available_bytes")
    if not total or available is None:
        return ""
    return f"{(total - available) / GIB:.1f} of {total / GIB:.1f} GiB"


def shared_machines(facts: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Sentences about nodes that share one machine, and so its memory."""
    machines: dict[str, list[str]] = {}
    for name, known in facts.items():
        if known.get("boot_id"):
            machines.setdefault(str(known["boot_id"]), []).append(name)
    return [
        f"{', '.join(sorted(names))} are on one machine: its memory is counted once."
        for names in machines.values()
        if len(names) > 1
    ]


def link_lines(state_dir: Path) -> list[str]:
    """The measured link, one line per direction; one that says so where there is no measurement."""
    try:
        link = read_link(state_dir / "link.json")
    except StudyError as error:
        return [f"link: {error}"]
    if link is None:
        return ["link: not measured yet"]
    return [
        f"link {item['source']} to {item['destination']}: "
        f"{item['measured_bits_per_second'] / 1e6:.0f} Mb/s measured, "
        f"{item['configured_bits_per_second'] / 1e6:.0f} Mb/s configured"
        for item in link["measured"]
    ]


def study_states(inventory: Inventory) -> list[StudyState]:
    """Every study that has results from this lab."""
    found = sorted(inventory.results_dir.glob(f"*/{inventory.lab}/study.json"))
    return [state for state in map(_study_state, found) if state is not None]


def _study_state(path: Path) -> StudyState | None:
    order = read_order(path.parent)
    if order is None:
        return None
    records = tuple(read_journal(path.parent, order).values())
    report = path.parent / REPORT
    return StudyState(path.parents[1].name, len(order), records, report if report.is_file() else None)


def study_table(states: Iterable[StudyState], unstarted: Iterable[str], shown: Any) -> Table:
    """One row per study; `shown` writes a path."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(title="studies", title_justify="left", box=SIMPLE_HEAD)
    for title in ("study", "done", "failed", "pending", "runs", "report"):
        table.add_column(title, justify="left" if title in ("study", "report") else "right")
    for state in states:
        pending = state.total - len(state.records)
        table.add_row(
            state.name,
            str(state.good),
            str(state.failed),
            str(pending),
            str(state.total),
            shown(state.report) if state.report else "not written yet",
            style="yellow" if state.failed else None,
        )
    for name in unstarted:
        table.add_row(name, "", "", "", "", "not started", style="dim")
    return table


def failure_words(states: Iterable[StudyState]) -> list[str]:
    """Why runs failed, counted, one line per study."""
    lines = []
    for state in states:
        counts = Counter(record.words for record in state.records if not record.good)
        if counts:
            causes = ", ".join(f"{count} {words}" for words, count in counts.most_common())
            lines.append(f"{state.name}: {causes}")
    return lines
