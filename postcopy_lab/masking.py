"""Takes secrets out of text that is given to others.

What is known to be a secret (the lab's own keys and passwords, and what a user's inventory calls one) is
taken out wherever it stands. What stands where a secret is written (after `password:`, in a private key) is
taken out whether it is known or not. Rather too much is taken out than too little.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import yaml

REMOVED = "[removed]"
# Below the lab's state folder: files that are a password each.
PASSWORDS_FOLDER = "secrets"
# No key, password or file of settings is larger. The state folder also holds builds and images.
LARGEST_SECRET_FILE_BYTES = 64 << 10
# Shorter ones are words of every text.
SHORTEST_SECRET = 4
# A line of a private key; its last may be shorter, and is too little to be of use.
_SHORTEST_KEY_LINE = 16
# How far back a key's end may be from what was cut off.
_LONGEST_KEY_BYTES = 16 << 10

# Not "pass" alone, which is a pass over the memory in QEMU's events.
_SECRET_WORD = (
    r"(?:pass(?:word|wd|phrase)|[_-]pass|secret|token|api_?key|private_?key|authorization|credential)s?"
)
_SECRET_NAME = re.compile(rf"(?:{_SECRET_WORD}|^pass)$", re.IGNORECASE)
_QUOTED = rb"\"(?:[^\"\\\n]|\\.)*\"|'[^'\n]*'"
_ASSIGNED = re.compile(
    rb"(" + _SECRET_WORD.encode() + rb"[\"'\\]*[ \t]*[:=][ \t]*)(" + _QUOTED + rb"|[^\r\n]+)", re.IGNORECASE
)
_OPTION = re.compile(
    rb"(--[a-z-]*?" + _SECRET_WORD.encode() + rb"[ \t]+|sshpass +-p *)(" + _QUOTED + rb"|[^\s\"']+)",
    re.IGNORECASE,
)
_IN_ADDRESS = re.compile(rb"(://[^\s/@:]*:)[^\s/@]+@")
_KEY_BORDER = re.compile(rb"-----(BEGIN|END) [A-Z0-9 ]*PRIVATE KEY-----")
_PRIVATE_KEY = re.compile(rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----([^-]*)-----END [A-Z0-9 ]*PRIVATE KEY-----")
_VAULT = re.compile(rb"\$ANSIBLE_VAULT;[^\n]*(?:\n[ \t]*[0-9a-f]+)*")
_NAMES_IN_TEMPLATE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PLAIN_WORDS = frozenset(("true", "false", "null", "none", "always", "present", "absent"))


def secrets_of_state(state_dir: Path) -> set[bytes]:
    """Every secret in a lab's state folder: its passwords, and its private keys line by line."""
    found: set[bytes] = set()
    for folder, _, names in os.walk(state_dir):
        for name in names:
            path = Path(folder, name)
            content = _small_file(path)
            if path.parent.name == PASSWORDS_FOLDER:
                # The first word is the password; Ansible may write a salt behind it.
                found.update(content.split()[:1])
                continue
            for key in _PRIVATE_KEY.findall(content):
                found.update(line for line in key.split() if len(line) >= _SHORTEST_KEY_LINE)
            if path.suffix in (".yml", ".yaml"):
                found |= secrets_of_documents({name: content.decode(errors="replace")})
    return {secret for secret in found if len(secret) >= SHORTEST_SECRET}


def _small_file(path: Path) -> bytes:
    """Its content; empty where it is no file, too large for a secret, or not readable."""
    try:
        if path.is_file() and path.stat().st_size <= LARGEST_SECRET_FILE_BYTES:
            return path.read_bytes()
    except OSError:
        pass
    return b""


def secrets_of_documents(documents: Mapping[str, str]) -> set[bytes]:
    """Every value that YAML documents call a secret."""
    values = (node.value for nodes in _secret_scalars(documents).values() for node in nodes)
    lines = (line.strip() for value in values if "{{" not in value for line in value.splitlines())
    return {
        line.encode() for line in lines if len(line) >= SHORTEST_SECRET and line.lower() not in _PLAIN_WORDS
    }


def mask_documents(documents: Mapping[str, str]) -> dict[str, str]:
    """The same YAML documents with every value taken out that they call a secret; the rest stays as it is.

    A document that cannot be parsed is taken out whole.
    """
    masked = {}
    scalars = _secret_scalars(documents)
    for name, text in documents.items():
        if name not in scalars:
            masked[name] = f"{REMOVED}: not YAML\n"
            continue
        for start, end in sorted(
            {(node.start_mark.index, node.end_mark.index) for node in scalars[name]}, reverse=True
        ):
            value = text[start:end]
            text = text[:start] + REMOVED + value[len(value.rstrip()) :] + text[end:]
        masked[name] = text
    return masked


def _secret_scalars(documents: Mapping[str, str]) -> dict[str, list[yaml.ScalarNode]]:
    """By document, the values of keys that are named as a secret is, and of what those refer to."""
    trees: dict[str, list[yaml.Node]] = {}
    for name, text in documents.items():
        try:
            trees[name] = list(yaml.compose_all(text, Loader=yaml.SafeLoader))
        except (yaml.YAMLError, ValueError, RecursionError):
            continue
    names: set[str] = set()
    while True:
        found = {
            name: [scalar for tree in nodes for scalar in _below(tree, names, secret=False, seen=set())]
            for name, nodes in trees.items()
        }
        templates = [node.value for nodes in found.values() for node in nodes if "{{" in node.value]
        referred = {word for text in templates for word in _NAMES_IN_TEMPLATE.findall(text)}
        if referred <= names:
            return found
        names |= referred


def _below(
    node: yaml.Node, names: set[str], *, secret: bool, seen: set[tuple[int, bool]]
) -> Iterator[yaml.ScalarNode]:
    """The secret scalars in a tree; `names`: keys that hold one whatever they are called."""
    # An anchor is met once for each of its aliases.
    if (id(node), secret) in seen:
        return
    seen.add((id(node), secret))
    if isinstance(node, yaml.ScalarNode):
        if secret or node.tag == "!vault":
            yield node
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _below(item, names, secret=secret, seen=seen)
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            named = isinstance(key, yaml.ScalarNode) and (
                key.value in names or _SECRET_NAME.search(key.value) is not None
            )
            yield from _below(value, names, secret=secret or named, seen=seen)


class Mask:
    """Takes known secrets out of any content, and out of text what looks like one."""

    def __init__(self, secrets: Iterable[bytes]) -> None:
        # A secret may be part of a longer one.
        self._secrets = sorted(set(secrets), key=len, reverse=True)

    def __call__(self, content: bytes) -> bytes:
        """The content without secrets. Bytes that are no text stay as long as they are."""
        removed = REMOVED.encode()
        text = b"\0" not in content
        for secret in self._secrets:
            if secret in content:
                content = content.replace(secret, removed if text else b"x" * len(secret))
        if not text:
            return content
        content = _without_private_keys(content)
        content = _VAULT.sub(removed, content)
        content = _ASSIGNED.sub(rb"\1" + removed, content)
        content = _OPTION.sub(rb"\1" + removed, content)
        return _IN_ADDRESS.sub(rb"\1" + removed + b"@", content)


def _without_private_keys(content: bytes) -> bytes:
    """Take out each private key, one too of which the beginning or the end was cut off."""
    kept: list[bytes] = []
    at, inside = 0, False
    for border in _KEY_BORDER.finditer(content):
        if border[1] == b"BEGIN":
            if not inside:
                kept.append(content[at : border.start()])
                at, inside = border.start(), True
            continue
        if not inside:
            kept.append(content[at : max(at, border.start() - _LONGEST_KEY_BYTES)])
        kept.append(REMOVED.encode())
        at, inside = border.end(), False
    kept.append(REMOVED.encode() if inside else content[at:])
    return b"".join(kept)
