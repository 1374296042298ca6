"""lab.json from what the nodes say of themselves, and where this lab differs from the article's. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from contract.choices import Backend
from contract.older import SCHEMA

# What node_facts returned of a node, by its name; its groups in the inventory; study_deviations of
# playbooks/vars/deviations.yml.
Facts = Mapping[str, Any]
Nodes = Mapping[str, Facts]
Groups = Mapping[str, Sequence[str]]
Words = Sequence[Mapping[str, Any]]

NODE_KEYS = (
    "kernel",
    "os",
    "cpu_model",
    "cpus",
    "memory_bytes",
    "mtu_bytes",
    "qemu_version",
    "libvirt_version",
    "python_version",
    "packages",
)
# What the role software leaves on a node about a program, and what of it lab.json keeps.
BUILD_FACT = "postcopy_lab_build_"
# Who connects the guests, in words: left by the role that does, where it is not the kit's own bridge.
GUEST_NETWORK_FACT = "postcopy_lab_guest_network"
OWN_BRIDGE = "the kit's bridge"
# Among the repositories of a build from several.
NOVA_REPOSITORY = re.compile(r"/nova(\.git)?(\s|$)")
BUILD_KEYS = ("id", "version", "source", "origin", "configure_flags", "distribution")


def lab_document(
    lab: str,
    release: str,
    backend: str,
    kit_commit: str | None,
    nodes: Nodes,
    groups: Groups,
    link: Mapping[str, Any] | None,
    reference_node: str,
    written_at: float,
    words: Words,
    log_patterns: str,
    vcpu_nice: int,
    migration_stream_tls: bool,
) -> dict[str, Any]:
    """The whole of lab.json.

    `link`: parsed link.json. `reference_node`: the node whose clock the others are compared with.
    `written_at`: UTC epoch seconds. `log_patterns`: name of the patterns by which nova's logs are read.
    `vcpu_nice`: nice value of the guests' virtual processors.
    `migration_stream_tls`: whether QEMU's migration stream is encrypted.
    """
    return {
        "schema": SCHEMA,
        "lab": lab,
        "release": release,
        "backend": backend,
        "log_patterns": log_patterns,
        "kit_commit": kit_commit,
        "written_at": written_at,
        "nodes": {name: node_document(facts, groups[name], backend) for name, facts in nodes.items()},
        "link": link,
        "clock_offsets_seconds": clock_offsets(nodes, reference_node),
        "vcpu_nice": vcpu_nice,
        "migration_stream_tls": migration_stream_tls,
        "deviations": deviations(words, backend, nodes, groups, vcpu_nice, migration_stream_tls),
    }


def accelerator_of(facts: Facts) -> tuple[str | None, str | None]:
    """(accelerator, reason) as the role qemu found them, (None, reason) where it has not looked."""
    found = (facts.get("local_facts") or {}).get("postcopy_lab_qemu") or {}
    return found.get("accelerator"), found.get("reason")


def guest_network(facts: Facts, groups: Sequence[str], backend: str) -> str | None:
    """Who connects the guests of a compute node, in words; None of others, and where no role said so."""
    if "compute" not in groups:
        return None
    if backend == Backend.LIBVIRT:
        return OWN_BRIDGE
    told: dict[str, str] = (facts.get("local_facts") or {}).get(GUEST_NETWORK_FACT) or {}
    return told.get("guest_network")


def node_document(facts: Facts, groups: Sequence[str], backend: str) -> dict[str, Any]:
    """What lab.json holds of one node."""
    document = {key: facts.get(key) for key in NODE_KEYS}
    accelerator, reason = accelerator_of(facts)
    document.update(groups=sorted(groups), accelerator=accelerator, accelerator_reason=reason)
    document["guest_network"] = guest_network(facts, groups, backend)
    document["builds"] = {
        name: {key: build.get(key) for key in BUILD_KEYS} for name, build in builds(facts).items()
    }
    return document


def builds(facts: Facts) -> dict[str, Facts]:
    """{program: manifest} of what the role software put on the node."""
    found = facts.get("local_facts") or {}
    return {
        found[name]["name"]: found[name]
        for name in found
        if name.startswith(BUILD_FACT) and isinstance(found[name], dict) and found[name].get("name")
    }


def clock_offsets(nodes: Nodes, reference_node: str) -> dict[str, Any]:
    """Each node's clock against the reference node's: containers of one kernel share one clock."""
    offsets: dict[str, Any] = {}
    for name, facts in nodes.items():
        if facts.get("boot_id") and facts["boot_id"] == nodes[reference_node].get("boot_id"):
            offsets[name] = {"offset_seconds": 0.0, "uncertainty_seconds": 0.0, "method": "same kernel"}
        else:
            offsets[name] = {"offset_seconds": None, "uncertainty_seconds": None, "method": "not measured"}
    return offsets


# Damaged of migrated guests under TCG, stressed, in pre-copy and hybrid mode: docs/guest-integrity.md. A test
# holds them against the kept runs.
DAMAGE_COUNTED = {"7.2": "44 of 80", "10.0": "0 of 80", "11.1": "10 of 80"}


def _damage_counted(facts: Facts) -> str:
    version = str(facts.get("qemu_version"))
    counted = DAMAGE_COUNTED.get(".".join(version.split(".")[:2]), "was never counted")
    return f"QEMU {version} {counted}"


def deviations(
    words: Words,
    backend: str,
    nodes: Nodes,
    groups: Groups,
    vcpu_nice: int,
    migration_stream_tls: bool,
) -> list[dict[str, Any]]:
    """Where this lab differs: what, the article's, what is pinned, this lab's, the effect."""
    here = found_here(backend, nodes, groups, vcpu_nice, migration_stream_tls)
    keys = ("what", "article", "pinned", "effect")
    found: list[dict[str, Any]] = [
        {**{key: one[key] for key in keys}, "here": here[one["id"]]} for one in words if here[one["id"]]
    ]
    for name in sorted(nodes):
        for fact in (nodes[name].get("local_facts") or {}).values():
            for deviation in (fact.get("deviations") or []) if isinstance(fact, dict) else []:
                if deviation not in found:
                    found.append(deviation)
    return found


def found_here(
    backend: str, nodes: Nodes, groups: Groups, vcpu_nice: int, migration_stream_tls: bool
) -> dict[str, str | None]:
    """What this lab has in place of the article's, by the deviations' ids; None where it does not differ."""
    computes = [nodes[name] for name in sorted(nodes) if "compute" in groups[name]]
    one_machine = len({facts.get("boot_id") for facts in nodes.values()}) < len(nodes)
    accelerators = sorted({str(accelerator_of(facts)[0]) for facts in computes})
    emulated = accelerators != ["kvm"]
    shared = ["containers on one machine"] if one_machine else []
    if vcpu_nice:
        shared.append(f"guests' processors yield to everything else (nice {vcpu_nice})")
    novas = sorted({version for facts in computes for version in nova_versions(facts)})
    return {
        "operating_system": f"{_values(computes, 'os')}, Linux {_values(computes, 'kernel')}",
        "hypervisor": "QEMU " + _values(computes, "qemu_version") + _built(computes, "qemu"),
        "libvirt": "libvirt " + _values(computes, "libvirt_version") + _built(computes, "libvirt"),
        "cloud": {
            Backend.LIBVIRT: "libvirt, asked by this kit",
            Backend.NOVA: f"nova {' and '.join(novas) or 'of an unknown version'}",
        }[Backend(backend)],
        "switchover": {
            Backend.LIBVIRT: "asked for on libvirt's event of iteration 2, with an allowed downtime of 1 ms "
            "until then; where libvirt has no such event, by its own flag",
            Backend.NOVA: "asked for on libvirt's event of iteration 2, of libvirt beside nova, or of nova "
            "(force_complete) where the study says so; where nova has no such request, by its flag",
        }[Backend(backend)],
        "migration_stream": "encrypted (TLS)" if migration_stream_tls else None,
        "nodes": ", ".join(shared) or None,
        "virtualization": " and ".join(accelerators) if emulated else None,
        "dirty_tracking": "by QEMU's emulation, which damaged stressed guests in pre-copy and hybrid mode: "
        + " and ".join(sorted({_damage_counted(facts) for facts in computes}))
        if emulated
        else None,
        "guest_network": " and ".join(
            sorted({guest_network(facts, ["compute"], backend) or "unknown" for facts in computes})
        ),
        "guest": "Debian kernel with an initial ramdisk, no disk",
        "guest_load": "a pattern of the study's pattern_mib is rewritten at 8 MiB/s",
        "pinger": "the prober, on the guest network",
    }


def nova_versions(facts: Facts) -> list[str]:
    """Versions of nova: of its package, without the distribution's part, and of what was made from source."""
    version = (facts.get("packages") or {}).get("nova-compute")
    packaged = [version.split(":")[-1].split("-")[0]] if version else []
    made = [build["version"] for build in builds(facts).values() if NOVA_REPOSITORY.search(build["source"])]
    return packaged + made


def _built(nodes: Sequence[Facts], program: str) -> str:
    """Of a program built from source: the source, and the first digits of its commit or SHA-256."""
    made = [builds(facts)[program] for facts in nodes if program in builds(facts)]
    said = sorted({f"{build.get('source')} ({str(build.get('origin'))[:12]})" for build in made})
    return ", built from " + " and ".join(said) if said else ""


def _values(nodes: Sequence[Facts], key: str) -> str:
    return " and ".join(sorted({str(facts.get(key)) for facts in nodes})) or "none"
