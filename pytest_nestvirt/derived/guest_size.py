"""How large a guest is: what it sees, or what its hypervisor gives it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_nestvirt.observation.fact import Unobservable

if TYPE_CHECKING:
    from pytest_nestvirt.facts.machine import Machine

KEPT = 0.1
"""Most of a machine's memory that its firmware and kernel keep to themselves, as a share: a machine of 8 GiB shows 7.6."""


@dataclass(frozen=True, slots=True)
class GuestMemory:
    """Memory of a guest, in bytes; at least one of the two is known."""

    shown: int | None
    """What its kernel manages, which is less than it was given."""
    given: int | None
    """What its definition gives it."""

    def is_at_least(self, least: int) -> bool:
        """Whether it was given that much. `Unobservable` where it shows a little less and what it was given is not known."""
        if self.shown is not None and self.shown >= least:
            return True
        if self.given is not None:
            return self.given >= least
        if self.shown is not None and self.shown >= least * (1 - KEPT):
            raise Unobservable(
                "memory.total_kib", f"{self}: what the machine was given is not known, and it may be enough"
            )
        return False

    def __str__(self) -> str:
        told = [f"shows {self.shown / 10**9:.4g} GB" if self.shown is not None else ""]
        told += [f"was given {self.given / 10**9:.4g} GB" if self.given is not None else ""]
        return "memory that " + " and ".join(filter(None, told))


def memory_of(guest: Machine) -> GuestMemory:
    """From the guest's system and from its parent's libvirt. `Unobservable` where neither tells."""
    shown = given = None
    try:
        given = guest.domain.xml.memory_kib * 1024
    except Unobservable as unknown:
        why = unknown
    try:
        shown = guest.windows.memory_bytes if _is_windows(guest) else guest.memory.total_kib * 1024
    except Unobservable:
        if given is None:
            raise why.with_traceback(None) from None
    return GuestMemory(shown, given)


def processors_of(guest: Machine) -> int:
    """Those that the guest sees; where it does not tell, those that its parent's libvirt gives it."""
    try:
        return guest.windows.processors if _is_windows(guest) else guest.cpu.count
    except Unobservable as unknown:
        try:
            return guest.domain.xml.vcpus
        except Unobservable:
            raise unknown.with_traceback(None) from None


def _is_windows(guest: Machine) -> bool:
    try:
        return guest.os.id == "windows"
    except Unobservable:
        return False
