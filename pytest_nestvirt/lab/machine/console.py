"""Following the console of the outermost machine, into which those of its guests flow."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_MARK = re.compile(
    r"nestvirt-lab (L[0-9]) (booted|kvm|ssh|guest-start|guest-end|no-disk|no-ssh)(?: ([0-9]+))? up=([0-9.]+)"
)
_DEATHS = (
    "Kernel panic - not syncing",
    "KVM internal error",
    "nestvirt-lab L0 guest-end",
    "nestvirt-lab L1 guest-end",
    " no-disk up=",
    " no-ssh up=",
)
_SHOWN = 20
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Mark:
    """A mark that a machine printed on its way."""

    level: str
    """`L1`."""
    stage: str
    """`booted`, `kvm`, `ssh`, `guest-start`, `guest-end`."""
    status: int | None = None
    """How it ended, if that was printed."""


def marks(text: str) -> list[Mark]:
    """The marks of a console, in order.

    >>> marks("nestvirt-lab L0 kvm 0 up=3.35")
    [Mark(level='L0', stage='kvm', status=0)]
    """
    return [Mark(hit[1], hit[2], int(hit[3]) if hit[3] else None) for hit in _MARK.finditer(text)]


def death(text: str) -> str:
    """The line by which a machine shows that it will get no further; empty if there is none."""
    return next((line.strip() for line in text.splitlines() if any(sign in line for sign in _DEATHS)), "")


def last_lines(text: str, count: int = _SHOWN) -> tuple[str, ...]:
    """The last lines that say something, without what would move a terminal's cursor."""
    lines = [_CONTROL.sub("", line).rstrip() for line in text.splitlines()]
    return tuple(line for line in lines if line)[-count:]


def read(console: Path) -> str:
    """All that was printed so far; nothing where there is no file yet."""
    try:
        return console.read_bytes().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
