"""Records what the nodes really run, in lab.json."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from contract.evidence import LAB_FILE
from control.lab_description import Groups, Nodes, Words, lab_document
from control.link_file import read_link
from control.study_files import keep_description


def kit_commit(directory: Path) -> str | None:
    """The commit of the kit, with "-dirty" if files differ from it; None outside a git repository."""
    command = (
        "git",
        "-C",
        str(directory),
        "describe",
        "--always",
        "--dirty",
        "--abbrev=40",
        "--exclude",
        "*",
    )
    try:
        described = subprocess.run(command, capture_output=True, check=False)
    except OSError:
        return None
    return described.stdout.decode("ascii", "replace").strip() if described.returncode == 0 else None


def record_lab(
    *,
    directory: Path,
    lab: str,
    release: str,
    backend: str,
    nodes: Nodes,
    groups: Groups,
    reference_node: str,
    link_file: Path,
    project_directory: Path,
    article: Words,
    vcpu_nice: int,
    migration_stream_tls: bool,
    log_patterns: str | None,
) -> tuple[Path, int, bool]:
    """Write lab.json; the parameters are those of the module lab_record.

    Returns its path, the number of its session and whether anything changed. Raises StudyError.
    """
    document = lab_document(
        lab,
        release,
        backend,
        kit_commit(project_directory),
        nodes,
        groups,
        read_link(link_file),
        reference_node,
        time.time(),
        article,
        log_patterns or release,
        vcpu_nice,
        migration_stream_tls,
    )
    session, changed = keep_description(directory, document)
    return directory / LAB_FILE, session, changed
