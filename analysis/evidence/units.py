"""Sizes in bytes. The article's "MB" may be either of the first two."""

MB = 10**6
MIB = 1 << 20
GB = 10**9
GIB = 1 << 30
