r"""/proc/sysinfo of IBM Z: the stack of hypervisors as STSI reports it (arch/s390/kernel/sysinfo.c).

`LPAR ...` lines describe the logical partition; `VM00 ...` to `VMnn ...` the virtual machines above it, 00 the
innermost.

>>> parse("LPAR Number: 41\nVM00 Name: a\nVM00 Control Program: KVM/Linux\n").control_programs
('KVM/Linux',)
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SysInfo:
    """What matters of it here."""

    control_programs: tuple[str, ...]
    """Of the virtual machines this kernel runs in, innermost first: `KVM/Linux`, `z/VM 6.4.0`; empty if unnamed."""
    levels: int
    """How many virtual machines that are, which is the depth of nesting in the LPAR."""
    in_lpar: bool
    machine_type: str


def parse(text: str) -> SysInfo:
    """Read the whole file. Never raises; of other text nothing is found."""
    lines = dict(re.findall(r"^([^:\n]+?)[ \t]*:[ \t]*(.*?)[ \t]*\r?$", text, re.MULTILINE))
    levels = sorted({key[:4] for key in lines if re.match(r"VM\d\d ", key)})
    programs = (" ".join(lines.get(f"{level} Control Program", "").split()) for level in levels)
    return SysInfo(tuple(programs), len(levels), any(key.startswith("LPAR ") for key in lines), lines.get("Type", ""))
