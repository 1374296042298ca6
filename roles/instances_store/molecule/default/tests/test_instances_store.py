"""The folder of the instances on two compute nodes, seen from outside."""

from __future__ import annotations

from tests.roles.outside import node, nodes

FOLDER = "/var/lib/nova/instances"


def test_what_one_node_writes_the_other_reads() -> None:
    one, other = map(node, nodes("compute"))
    one.check_output(f"echo a word > {FOLDER}/tried")
    try:
        assert other.check_output(f"cat {FOLDER}/tried") == "a word"
    finally:
        other.check_output(f"rm {FOLDER}/tried")


def test_it_belongs_to_nova_on_both() -> None:
    for name in nodes("compute"):
        folder = node(name).file(FOLDER)
        assert (folder.uid, folder.gid, folder.mode) == (64060, 64060, 0o755)
