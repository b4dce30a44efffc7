"""What `hostnamectl` shows of a machine: a pure parser, for sosreports, which keep its output.

It asks the same code of systemd as `systemd-detect-virt` does, containers before virtual machines.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pytest_nestvirt.observation.fact import Reader
from pytest_nestvirt.observation.partial import seen_text

SOURCE = "sos_commands/host/hostnamectl_status"

_LINE = re.compile(r"^[ \t]*(?P<key>[A-Z][A-Za-z ]*):[ \t]*(?P<value>.*?)[ \t\r]*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Hostnamectl:
    """The lines that matter here; empty where there is none."""

    chassis: str
    """desktop, server, vm, container, ..."""
    virtualization: str
    """A word of systemd-detect-virt; none is printed on hardware."""

    @property
    def detected(self) -> str:
        """What `systemd-detect-virt` would print."""
        return self.virtualization or ("container-other" if self.chassis == "container" else "none")


def parse_hostnamectl(text: str) -> Hostnamectl | None:
    r"""Parse its output; None where it is not that.

    >>> parse_hostnamectl(" Static hostname: h\n   Chassis: container\n  Virtualization: lxc\n  Kernel: Linux 5.15\n").detected
    'lxc'
    """
    lines = {found["key"]: found["value"] for found in _LINE.finditer(text)}
    if not {"Static hostname", "Transient hostname"} & lines.keys() or "Kernel" not in lines:
        return None
    first = (lines.get(key, "").partition(" ")[0] for key in ("Chassis", "Virtualization"))
    return Hostnamectl(*first)


def seen_hostnamectl(reader: Reader) -> Hostnamectl | None:
    """What was read of it; None where nothing was."""
    return parse_hostnamectl(seen_text(reader, SOURCE))
