"""Whether the nodes of a study are as they were provisioned, from what the play knows of them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


class UnfitNodes(Exception):
    """No run can be made with these nodes; one line."""

    def __init__(self, message: str, names: Iterable[str]) -> None:
        super().__init__(message)
        self.names = sorted(names)


def started_anew(stopped: Mapping[str, Any]) -> bool:
    """Whether a node has lost what provisioning leaves until its next start.

    `stopped`: what the module probes returned at the end of a run; its "provisioned" is null then.
    """
    return stopped.get("provisioned", "not known") is None


def check_nodes(run: str, nodes: Mapping[str, Mapping[str, Any]]) -> None:
    """Check that every node can take part in a run.

    `run`: its label. `nodes`: of each, "run" (the label of the last run that it was told of) and "stopped".

    Raises:
        UnfitNodes: a node is gone, or was started anew.
    """
    lost = [name for name, node in nodes.items() if node["run"] != run]
    if lost:
        raise UnfitNodes(f"lost the connection to {', '.join(lost)}", lost)
    anew = [name for name, node in nodes.items() if started_anew(node["stopped"])]
    if anew:
        raise UnfitNodes(
            f"{', '.join(anew)}: started anew in the study, without what provisioning had set; run "
            "playbooks/provision.yml (postcopy-lab provision), then the study goes on",
            anew,
        )
