"""Bounds on what is read of a snapshot from anywhere."""

from __future__ import annotations

from dataclasses import dataclass

MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """In bytes unless they say otherwise."""

    file: int = 16 * MEBIBYTE
    """Of one file; the rest of it is left out and the section says so."""
    total: int = 256 * MEBIBYTE
    """Of all files that are kept."""
    stream: int = 4096 * MEBIBYTE
    """Of everything that comes out of the decompressor."""
    ratio: int = 500
    """How much more may come out than went in, once 64 MiB have come out; logs seldom reach 50."""
    members: int = 200_000
    """Files, directories and links."""
    names: int = 64 * MEBIBYTE
    """Of their paths, each directory counted once."""
