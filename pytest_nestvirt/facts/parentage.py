"""Whether a machine really is the guest that the inventory takes it for."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING
from uuid import UUID

from pytest_nestvirt.facts.core import Unobservable
from pytest_nestvirt.facts.tell import tell

if TYPE_CHECKING:
    from pytest_nestvirt.facts.machine import Machine

_SYSINFO_UUID = re.compile(r"^VM00 UUID:\s*(\S+)", re.MULTILINE)
"""IBM Z: the innermost control program's name for the guest (arch/s390/kernel/sysinfo.c)."""


def contradiction(guest: Machine) -> str:
    """What speaks against a machine being the domain that its parent runs, for people; empty where nothing does.

    Compared are the UUIDs that the guest's firmware and the parent's libvirt give it. The guest's needs root on x86: where
    either is unknown nothing is proven, and nothing held against the machine either.
    """
    if tell(guest, "platform.virtualization") == "none":
        return f"{guest.name} is no guest at all: it runs on hardware"
    if same := same_system(guest):
        return same
    try:
        own, defined = identity(guest), UUID(guest.domain.xml.uuid)
    except (Unobservable, ValueError):
        return ""
    if defined in {own, UUID(bytes_le=own.bytes)}:
        return ""
    return f"{guest.name} is another machine than the domain: its UUID is {own}, the domain's {defined}"


def same_system(guest: Machine) -> str:
    """What tells that this is one of the machines it is said to run in, for people; empty where nothing does.

    An address or an ssh alias that leads to the hypervisor instead of its guest: no two kernels share a boot id.
    """
    above = guest.parent
    while above is not None:
        with suppress(Unobservable):
            if guest.kernel.boot_id == above.kernel.boot_id:
                return f"{guest.name} and {above.name} are one and the same system: they have the same boot_id"
        above = above.parent
    return ""


def identity(machine: Machine) -> UUID:
    """The UUID by which its hypervisor knows it. `Unobservable` where the firmware does not tell or may not be read.

    Some firmware stores the first three fields the other way round (SMBIOS 3.0, section 7.2.1): compare both ways.
    """
    reader = machine.reader
    for name in ("sys/class/dmi/id/product_uuid", "proc/device-tree/vm,uuid"):
        try:
            return UUID(reader.text(name).strip())
        except (Unobservable, ValueError):
            continue
    found = _SYSINFO_UUID.search(reader.text("proc/sysinfo"))
    try:
        return UUID(found[1] if found else "")
    except ValueError:
        raise Unobservable("proc/sysinfo", "has no UUID of a guest") from None
