"""What was read of a section, complete or not, for facts that look for signs: a match in a truncated log still counts.

Nothing follows from the absence of one; a fact that has to know that something is not there reads the whole section.
"""

from __future__ import annotations

import re
from functools import partial

from pytest_nestvirt.observation.fact import Reader, Unobservable
from pytest_nestvirt.observation.unknown import attempt

LOG = ("sos_commands/kernel/dmesg", "sos_commands/kernel/dmesg_-T", "var/log/dmesg")
LSCPU = "sos_commands/processor/lscpu"


def seen_text(reader: Reader, *names: str) -> str:
    """What was read of the first of these sections, without white space around it; empty if nothing was."""
    section = attempt(partial(reader.section, *names))
    return "" if isinstance(section, Unobservable) else section.text.strip()


def seen_log(reader: Reader) -> str:
    """What was read of the kernel log."""
    return seen_text(reader, *LOG)


def seen_lscpu(reader: Reader, field: str) -> str:
    """`KVM` for the field `Hypervisor vendor` of an `lscpu` in English; empty if it has no such line."""
    found = re.search(rf"^[ \t]*{re.escape(field)}:[ \t]*(.*?)[ \t]*\r?$", seen_text(reader, LSCPU), re.MULTILINE)
    return found[1] if found else ""
