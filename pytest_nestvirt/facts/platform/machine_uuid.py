"""The UUID by which a machine knows itself, to be compared with the one that its hypervisor gives it."""

from __future__ import annotations

import re
from uuid import UUID

from pytest_nestvirt.observation.fact import Subject, Unobservable, fact
from pytest_nestvirt.observation.partial import seen_text

DMI = "sys/class/dmi/id/product_uuid"
DEVICE_TREE = "proc/device-tree/vm,uuid"
SYSINFO = "proc/sysinfo"

_PLACEHOLDERS = frozenset(
    map(
        UUID,
        (
            "00000000-0000-0000-0000-000000000000",
            "ffffffff-ffff-ffff-ffff-ffffffffffff",
            "03000200-0400-0500-0006-000700080009",
            "00020003-0004-0005-0006-000700080009",
        ),
    )
)
"""What firmware shows that was never given a UUID: unset, and AMI's template in both orders of bytes."""


class Identity(Subject):
    """Which machine this is, by what its hypervisor or its firmware gave it."""

    name = "identity"

    @fact
    def uuid(self) -> UUID:
        """From DMI, the device tree of POWER, or the innermost `VMnn UUID` of IBM Z; `Unobservable` if none shows it."""
        shown = seen_text(self.reader, DMI) or seen_text(self.reader, DEVICE_TREE) or self._of_z()
        return parse_uuid(shown, DMI)

    def _of_z(self) -> str:
        found = re.search(r"^VM00 UUID:\s*(\S+)", seen_text(self.reader, SYSINFO), re.MULTILINE)
        return found[1] if found else ""


def parse_uuid(text: str, source: str) -> UUID:
    """A UUID in the usual form, or in VMware's: `56 4d b6 b0 b5 8a 67 47-a4 2e bc 67 e7 a4 f6 68`.

    Raises `Unobservable` where it is not one, or is a placeholder that many machines share.

    >>> str(parse_uuid("56 4d b6 b0 b5 8a 67 47-a4 2e bc 67 e7 a4 f6 68", "l1.vmx"))
    '564db6b0-b58a-6747-a42e-bc67e7a4f668'
    """
    try:
        uuid = UUID(re.sub(r"\s", "", text))
    except ValueError:
        raise Unobservable(source, f"shows no UUID: {text[:60]!r}" if text else "shows no UUID") from None
    if uuid in _PLACEHOLDERS:
        raise Unobservable(source, f"shows a placeholder, not the machine's own UUID: {uuid}")
    return uuid


def same_uuid(one: UUID, other: UUID) -> bool:
    """Whether they are one UUID. Old kernels, and VMware's files, have the bytes of its first three fields reversed."""
    return one in {other, UUID(bytes_le=other.bytes)}
