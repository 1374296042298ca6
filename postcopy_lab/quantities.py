"""Sizes and rates as options give them. Strict: "8G" of memory and of a link are not the same number."""

from __future__ import annotations

import re

from postcopy_lab.errors import InputError

_MEMORY = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)([MGT])(?:iB)?")
_MEMORY_UNITS = {"M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_RATE = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(?:([MG])(?:bit)?|(mbit|gbit))")
_RATE_UNITS = {"M": 1e6, "G": 1e9}


def parse_memory(option: str, text: str) -> float:
    """Bytes of "16G": M, G and T are MiB, GiB and TiB (2^20, 2^30, 2^40 bytes), as guests' memory is counted.

    Raises:
        InputError: anything else, "16GB" among it, which is 10^9 to some and 2^30 to others.
    """
    found = _MEMORY.fullmatch(text)
    if found is None:
        raise InputError(
            f"{option} '{text}' is not a size (allowed: a number with M, G or T, which are MiB, GiB and TiB "
            "of 2^20, 2^30 and 2^40 bytes; for example 16G)"
        )
    return float(found[1]) * _MEMORY_UNITS[found[2]]


def parse_rate(option: str, text: str) -> float:
    """Bits per second of "1G": M and G are 10^6 and 10^9 bit/s, as links are sold; "1gbit" as in a study.

    Raises:
        InputError: anything else, or no rate at all.
    """
    found = _RATE.fullmatch(text)
    rate = float(found[1]) * _RATE_UNITS[(found[2] or found[3][0]).upper()] if found else 0.0
    if rate <= 0:
        raise InputError(
            f"{option} '{text}' is not a link rate (allowed: a number above 0 with M or G, which are 10^6 "
            "and 10^9 bit/s; for example 1G or 2.5gbit)"
        )
    return rate
