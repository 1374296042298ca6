"""`postcopy-lab status`."""

from __future__ import annotations

from postcopy_lab.board import make_console, open_board
from postcopy_lab.certificates import ending_soon
from postcopy_lab.lab import open_lab, run
from postcopy_lab.status import (
    FactsCollector,
    answering,
    failed_node_lines,
    failure_words,
    lab_memory_lines,
    link_lines,
    node_table,
    shared_machines,
    study_states,
    study_table,
)
from postcopy_lab.studies import known_studies
from postcopy_lab.verbs.provision import RENEWAL


def status(inventory: str, *, backend: str | None) -> None:
    """Print nodes, link and studies of a lab.

    Raises:
        InputError: unknown or unfit inventory.
    """
    lab = open_lab(inventory, backend=backend)
    console = make_console()
    collector = FactsCollector()
    up = answering(lab.inventory.nodes)
    if up and lab.inventory.state_dir.is_dir():
        with open_board(console) as board:
            board.now("asking the nodes")
            run(lab, board, "status", lab.extra_vars, collector)
    console.print(node_table(lab.inventory, up, collector))
    for line in failed_node_lines(collector):
        console.print(line, style="red", soft_wrap=True)
    if not up:
        console.print(
            f"No node answers: there is no lab. Make it with `{lab.command('provision')}`.", style="yellow"
        )
    for line in lab_memory_lines(collector.nodes) + shared_machines(collector.nodes):
        console.print(line, soft_wrap=True)
    for line in link_lines(lab.inventory.state_dir):
        console.print(line, soft_wrap=True)
    states = study_states(lab.inventory)
    unstarted = [name for name in known_studies(lab.project) if name not in {state.name for state in states}]
    for line in ending_soon(lab.inventory.state_dir, lab.command(*RENEWAL)):
        console.print(line, style="yellow", soft_wrap=True)
    console.print(study_table(states, unstarted, lab.project.shown))
    for line in failure_words(states):
        console.print(line, style="yellow", soft_wrap=True)
