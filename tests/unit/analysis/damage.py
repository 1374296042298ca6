"""Damage to files, as hypothesis draws it: what disks, networks, editors and mix-ups do to logs."""

from __future__ import annotations

import re

from hypothesis import strategies as st

NUMBERS = (
    b"NaN",
    b"Infinity",
    b"1e308",
    b"-1e308",
    b"1e-320",
    b"-1",
    b"0",
    b"0.0",
    b"2147483648",
    b"18446744073709551616",
    b"9" * 400,
    b"null",
    b"true",
    b'"x"',
    b'"\\ud800"',
    b'"\\u0000"',
    b"[]",
    b"{}",
)
INSERTED = (
    b"\0",
    b"\0" * 1000,
    b"\xff\xfe",
    b"\xe2\x80\xa8",
    b"\r",
    b"\n",
    b"\x0b",
    b"{",
    b"}",
    b",",
    b"[" * 5000,
    b'{"a":' * 3000,
)
_NUMBER = re.compile(rb"-?\d+(\.\d+)?")
_KEY = re.compile(rb'"\w+": ')


@st.composite
def damaged(draw: st.DrawFn, content: bytes, other: bytes) -> bytes:
    """`content` with one to three kinds of damage; `other` is a log that it may be mixed up with."""
    for _ in range(draw(st.integers(1, 3))):
        content = draw(st.sampled_from(_KINDS))(draw, content, other)
    return content


def _flip(draw: st.DrawFn, content: bytes, _other: bytes) -> bytes:
    if not content:
        return content
    flipped = bytearray(content)
    for place in draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=8)):
        flipped[place] ^= 1 << draw(st.integers(0, 7))
    return bytes(flipped)


def _cut(draw: st.DrawFn, content: bytes, _other: bytes) -> bytes:
    return content[: draw(st.integers(0, len(content)))]


def _insert(draw: st.DrawFn, content: bytes, _other: bytes) -> bytes:
    place = draw(st.integers(0, len(content)))
    return content[:place] + draw(st.sampled_from(INSERTED)) + content[place:]


def _swap_lines(draw: st.DrawFn, content: bytes, _other: bytes) -> bytes:
    lines = content.splitlines(keepends=True)
    if len(lines) > 1:
        first, second = draw(st.integers(0, len(lines) - 1)), draw(st.integers(0, len(lines) - 1))
        lines[first], lines[second] = lines[second], lines[first]
    return b"".join(lines)


def _drop_lines(draw: st.DrawFn, content: bytes, _other: bytes) -> bytes:
    lines = content.splitlines(keepends=True)
    start = draw(st.integers(0, len(lines)))
    return b"".join(lines[:start] + lines[start + draw(st.integers(1, 200)) :])


def _foreign_lines(draw: st.DrawFn, content: bytes, other: bytes) -> bytes:
    lines, foreign = content.splitlines(keepends=True), other.splitlines(keepends=True)
    place = draw(st.integers(0, len(lines)))
    start = draw(st.integers(0, len(foreign)))
    return b"".join([*lines[:place], *foreign[start : start + draw(st.integers(1, 50))], *lines[place:]])


def _other_number(draw: st.DrawFn, content: bytes, _other: bytes) -> bytes:
    found = list(_NUMBER.finditer(content))
    if not found:
        return content
    match = draw(st.sampled_from(found))
    factor = draw(st.sampled_from((None, -1, 0.5, 1000, 1e6)))
    number = draw(st.sampled_from(NUMBERS)) if factor is None else b"%f" % (float(match[0][:300]) * factor)
    return content[: match.start()] + number + content[match.end() :]


def _key_twice(draw: st.DrawFn, content: bytes, _other: bytes) -> bytes:
    found = list(_KEY.finditer(content))
    if not found:
        return content
    match = draw(st.sampled_from(found))
    return content[: match.start()] + match[0] + b"1, " + content[match.start() :]


def _key_gone(draw: st.DrawFn, content: bytes, _other: bytes) -> bytes:
    found = list(_KEY.finditer(content))
    if not found:
        return content
    match = draw(st.sampled_from(found))
    return content[: match.start()] + b'"gone": ' + content[match.end() :]


def _replaced(draw: st.DrawFn, content: bytes, other: bytes) -> bytes:
    return draw(st.sampled_from((b"", other, content + content))) or draw(st.binary(max_size=100))


_KINDS = (
    _flip,
    _cut,
    _insert,
    _swap_lines,
    _drop_lines,
    _foreign_lines,
    _other_number,
    _key_twice,
    _key_gone,
    _replaced,
)
