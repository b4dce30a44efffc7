"""How large a guest is: what it sees, and what its hypervisor gives it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_nestvirt.observation.fact import Unobservable
from pytest_nestvirt.observation.unknown import attempt, first_known, if_known

if TYPE_CHECKING:
    from pytest_nestvirt.facts.machine import Machine

KEPT = 0.1
"""Most of a machine's memory that its firmware and kernel keep to themselves, as a share: a machine of 8 GiB shows 7.6."""

APART = 0.25
"""Share by which the two may differ before they contradict each other: a crash kernel takes more than KEPT of small machines."""


@dataclass(frozen=True, slots=True)
class GuestMemory:
    """Memory of a guest, in bytes; at least one of the two is known."""

    shown: int | None
    """What its kernel manages, which is less than it was given."""
    given: int | None
    """What its hypervisor gives it."""

    def is_at_least(self, least: int) -> bool:
        """Whether it was given that much.

        `Unobservable` where it shows a little less and what it was given is not known, and where one of the two is enough and
        the other is not: the setting was changed while the guest ran, or one of them is of another machine.
        """
        reaches = self.shown is not None and self.shown >= least
        if self.given is None:
            if not reaches and self.shown is not None and self.shown >= least * (1 - KEPT):
                raise Unobservable(
                    "memory.total_kib", f"{self}: what the machine was given is not known, and it may be enough"
                )
            return reaches
        if reaches and self.given < least:
            raise Unobservable("memory.total_kib", f"{self}: it shows more than it is given")
        if self.given >= least and self.shown is not None and not reaches and self.shown < self.given * (1 - APART):
            raise Unobservable("memory.total_kib", f"{self}: the difference is more than a kernel keeps to itself")
        return self.given >= least

    def __str__(self) -> str:
        seen = [f"shows {self.shown / 10**9:.4g} GB" if self.shown is not None else ""]
        seen += [f"was given {self.given / 10**9:.4g} GB" if self.given is not None else ""]
        return "memory that " + " and ".join(filter(None, seen))


@dataclass(frozen=True, slots=True)
class GuestProcessors:
    """Processors of a guest; at least one of the two numbers is known."""

    shown: int | None
    given: int | None

    def is_at_least(self, least: int) -> bool:
        """Whether it has that many. `Unobservable` where one of the two numbers is enough and the other is not."""
        answers = {number >= least for number in (self.shown, self.given) if number is not None}
        if len(answers) != 1:
            raise Unobservable("cpu.count", f"{self}: one is enough, the other is not")
        return answers.pop()

    def __str__(self) -> str:
        if self.shown == self.given or None in {self.shown, self.given}:
            return f"{self.given if self.shown is None else self.shown} processors"
        return f"{self.shown} processors and was given {self.given}"


def memory_of(guest: Machine) -> GuestMemory:
    """From the guest's system, and from what its hypervisor gives it. `Unobservable` where neither is known."""
    given = attempt(
        lambda: first_known(
            lambda: guest.vmx.memory_mib << 20,
            lambda: guest.pve.memory_mib << 20,
            lambda: guest.domain.xml.current_memory_kib << 10,
        )
    )
    shown = attempt(lambda: _shown_memory(guest))
    return GuestMemory(*_one_at_least(shown, given))


def processors_of(guest: Machine) -> GuestProcessors:
    """The same of its processors."""
    given = attempt(
        lambda: first_known(lambda: guest.vmx.vcpus, lambda: guest.pve.vcpus, lambda: guest.domain.xml.current_vcpus)
    )
    shown = attempt(lambda: guest.windows.processors if _is_windows(guest) else guest.cpu.count)
    return GuestProcessors(*_one_at_least(shown, given))


def _shown_memory(guest: Machine) -> int:
    if _is_windows(guest):
        return guest.windows.memory_bytes
    return first_known(lambda: guest.memory.total_kib << 10, lambda: guest.vsphere.memory_mib << 20)


def _one_at_least(shown: int | Unobservable, given: int | Unobservable) -> tuple[int | None, int | None]:
    """None for the one that is unknown. Raises the reason of the first where both are."""
    if isinstance(shown, Unobservable) and isinstance(given, Unobservable):
        raise shown
    return (None if isinstance(shown, Unobservable) else shown), (None if isinstance(given, Unobservable) else given)


def _is_windows(guest: Machine) -> bool:
    return if_known(lambda: guest.os.id) == "windows"
