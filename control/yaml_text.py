"""YAML without surprises: no key twice, no octal numbers, no endless anchors.

YAML 1.1 as PyYAML reads it takes the last of two equal keys without a word, 0100 for 64 and 1:30 for 90.
"""

from __future__ import annotations

import re
from typing import Any

import yaml
from yaml.constructor import SafeConstructor
from yaml.error import Mark

LARGEST_BYTES = 1 << 20
# Values of a file with each anchor written out where it is used: far above any study or inventory.
MOST_VALUES = 100000
DECIMAL = re.compile(r"^[-+]?(0|[1-9][0-9]*)$")
SEXAGESIMAL = re.compile(r"^[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?$")
INT, FLOAT = "tag:yaml.org,2002:int", "tag:yaml.org,2002:float"


class YamlFault(ValueError):
    """Why a text cannot be used; one line."""

    def __init__(self, problem: str, mark: Mark | None = None) -> None:
        super().__init__(problem)
        self.line = mark.line + 1 if mark is not None else None


def read_yaml(content: bytes, decimal: bool = False) -> Any:
    """What the bytes hold, as yaml.safe_load has it: yaml.YAMLError or ValueError as it raises them.

    YamlFault if they are no YAML that can be used.
    """
    root = check_yaml(content, decimal)
    return None if root is None else SafeConstructor().construct_document(root)


def check_yaml(content: bytes, decimal: bool = False) -> yaml.Node | None:
    """YamlFault if the bytes are no YAML that can be used; tags are not looked at. None: they hold nothing.

    `decimal`: whether each number must be a decimal one (0644 of a file's mode is none).
    """
    if len(content) > LARGEST_BYTES:
        raise YamlFault(f"more than {LARGEST_BYTES // 1024} KiB")
    try:
        root = yaml.compose(content.decode("utf-8"), Loader=yaml.SafeLoader)
        if root is not None:
            _count_values(root, {}, decimal, "")
        return root
    except UnicodeDecodeError as error:
        raise YamlFault(f"not UTF-8 (byte {error.start})") from error
    except yaml.MarkedYAMLError as error:
        raise YamlFault(f"not YAML: {error.problem or error.context}", error.problem_mark) from error
    except yaml.reader.ReaderError as error:
        raise YamlFault(f"not YAML: {error.reason} (character {error.position + 1})") from error
    except RecursionError as error:
        raise YamlFault("not usable: nested too deeply") from error


def _count_values(node: yaml.Node, known: dict[int, int | None], decimal: bool, key: str) -> int:
    """How many values a node holds, each use of an anchor counted.

    `known`: id of a node -> its count; None while it is being counted. `key`: what the value belongs to.
    """
    if id(node) in known:
        counted = known[id(node)]
        if counted is None:
            raise YamlFault("an anchor that holds itself", node.start_mark)
        return counted
    known[id(node)] = None
    count = 1
    if decimal and isinstance(node, yaml.ScalarNode) and _is_odd_number(node):
        problem = f"{key}: {node.value[:80]} is not a decimal number"
        raise YamlFault(f"{problem} (allowed: without leading 0, _ or :; a text in quotes)", node.start_mark)
    for name, child in _children(node, key):
        count += _count_values(child, known, decimal, name)
        if count > MOST_VALUES:
            raise YamlFault(f"more than {MOST_VALUES} values, anchors written out", node.start_mark)
    known[id(node)] = count
    return count


def _children(node: yaml.Node, key: str) -> list[tuple[str, yaml.Node]]:
    """The values in a node, each with what it belongs to; YamlFault for a key that is there twice."""
    if isinstance(node, yaml.SequenceNode):
        return [(key, value) for value in node.value]
    children: list[tuple[str, yaml.Node]] = []
    if isinstance(node, yaml.MappingNode):
        seen: set[tuple[str, str]] = set()
        for name, value in node.value:
            text = key
            if isinstance(name, yaml.ScalarNode):
                text = name.value[:80]
                if (name.tag, name.value) in seen:
                    raise YamlFault(f"key '{text}' is there twice", name.start_mark)
                seen.add((name.tag, name.value))
            children += [(text, name), (text, value)]
    return children


def _is_odd_number(node: yaml.ScalarNode) -> bool:
    """Whether YAML 1.1 reads another number than people do."""
    if node.tag == INT:
        return not DECIMAL.match(node.value)
    return node.tag == FLOAT and ("_" in node.value or SEXAGESIMAL.match(node.value) is not None)
