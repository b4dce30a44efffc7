"""What `virt-host-validate` prints: a pure parser of the lines of every generation of libvirt.

A line is `  QEMU: Checking for hardware virtualization    : PASS`, or ends in `: FAIL (why)` (tools/virt-host-validate-common.c).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from pytest_nestvirt.observation.fact import Unobservable

HARDWARE = "hardware virtualization"
DEVICE = "/dev/kvm exists"
ACCESS = "/dev/kvm is accessible"


class Level(StrEnum):
    """How a check of virt-host-validate ended."""

    PASS = "PASS"  # noqa: S105 - no password
    WARN = "WARN"
    FAIL = "FAIL"
    NOTE = "NOTE"


@dataclass(frozen=True, slots=True)
class CheckLine:
    """One check. The text is the one in parentheses after the level; empty after PASS."""

    level: Level
    text: str


_LINE = re.compile(
    r"\s*QEMU:\s+Checking\s+(?P<check>\S.*?)\s*:\s*(?P<level>PASS|WARN|FAIL|NOTE)\s*(?:\((?P<text>.*)\))?\s*"
)
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_DEVICE = re.compile(r"device '?(?P<path>/[^\s']+)'?(?P<rest>.*)")


def parse_host_validate(text: str, source: str) -> Mapping[str, CheckLine]:
    """Each check of the driver QEMU by what is checked, as in `hardware virtualization`, `/dev/kvm exists`.

    Versions before 1.2.9 print `device /dev/kvm` for the latter. Raises `Unobservable` where no line is a check.

    >>> parse_host_validate("QEMU: Checking if device /dev/kvm exists : PASS", "here")["/dev/kvm exists"].level.value
    'PASS'
    """
    found: dict[str, CheckLine] = {}
    for line in _COLOUR.sub("", text).split("\n"):
        check = _LINE.fullmatch(line)
        if check is not None:
            found[_subject(check["check"])] = CheckLine(Level(check["level"]), check["text"] or "")
    if not found:
        raise Unobservable(source, f"not the output of virt-host-validate: {text.strip()[:60]!r}")
    return MappingProxyType(found)


def _subject(check: str) -> str:
    what = re.sub(r"^(?:for|if)\s+", "", check)
    device = _DEVICE.fullmatch(what)
    return device["path"] + (device["rest"] or " exists") if device else what
