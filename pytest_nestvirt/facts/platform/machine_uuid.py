"""The UUID by which a virtual machine knows itself, to be held against that of its domain."""

from __future__ import annotations

import re
from uuid import UUID

from pytest_nestvirt.observation.fact import Subject, Unobservable, fact
from pytest_nestvirt.observation.partial import seen_text

DMI = "sys/class/dmi/id/product_uuid"
DEVICE_TREE = "proc/device-tree/vm,uuid"
SYSINFO = "proc/sysinfo"


class Identity(Subject):
    """Which machine this is, by what its hypervisor told it."""

    name = "identity"

    @fact
    def uuid(self) -> UUID:
        """From DMI, the device tree of POWER, or the innermost `VMnn UUID` of IBM Z; `Unobservable` if none shows it."""
        shown = seen_text(self.reader, DMI) or seen_text(self.reader, DEVICE_TREE) or self._of_z()
        try:
            return UUID(shown)
        except ValueError:
            raise Unobservable(DMI, f"shows no UUID: {shown[:60]!r}" if shown else "shows no UUID") from None

    def _of_z(self) -> str:
        found = re.search(r"^VM00 UUID:\s*(\S+)", seen_text(self.reader, SYSINFO), re.MULTILINE)
        return found[1] if found else ""


def same_uuid(shown: UUID, defined: str) -> bool:
    """Whether they are one UUID. Old kernels print DMI's with the bytes of its first three fields turned round.

    True also where the definition has none, since there is nothing to compare.
    """
    try:
        known = UUID(defined)
    except ValueError:
        return True
    return known in {shown, UUID(bytes_le=shown.bytes)}
