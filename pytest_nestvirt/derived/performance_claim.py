"""What a document promises of a guest's speed, held against what was measured."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_nestvirt.derived.describe import describe
from pytest_nestvirt.derived.identity import same_system
from pytest_nestvirt.derived.nesting import hypervisor_below, other_machine
from pytest_nestvirt.facts.performance import Ratio
from pytest_nestvirt.observation.fact import Unobservable
from pytest_nestvirt.snapshot.measurement import SECTION

if TYPE_CHECKING:
    from pytest_nestvirt.facts.machine import Machine


@dataclass(frozen=True, slots=True)
class Claim:
    """A range of the ratio of speeds, guest over the machine that it is compared with; both ends belong to it."""

    words: str
    """As the message puts it: `0.80 or more`."""
    least: float = 0.0
    most: float = math.inf

    def is_met_by(self, ratio: Ratio) -> bool | None:
        """None where the spread reaches across an end of the range."""
        low, high = ratio.median - ratio.spread, ratio.median + ratio.spread
        if self.least <= low and high <= self.most:
            return True
        return False if high < self.least or low > self.most else None


def missed(claim: Claim, l1: Machine, l2: Machine, of: Machine) -> str:
    """How the L2's speed misses a claim about it, as a part of that of `of`; empty where processor and memory meet it.

    `Unobservable` where the two were not measured by turns, where the measurement spreads too much to tell, and where
    they are not known to be what is spoken of: a guest that is emulated, or no guest at all, says nothing of nesting.
    """
    _reject_misplaced_keys(l1, l2)
    ratios = [ratio for ratio in l2.performance.ratios if ratio.of == of.name]
    if not ratios:
        raise Unobservable(SECTION, f"{l2.name} and {of.name} were not measured by turns{_why_not(of)}")
    answers = [claim.is_met_by(ratio) for ratio in ratios]
    told = _told(claim, ratios, l1, l2)
    if False in answers:
        return told
    if None in answers:
        raise Unobservable(SECTION, f"too noisy: {told}")
    return ""


def _told(claim: Claim, ratios: list[Ratio], l1: Machine, l2: Machine) -> str:
    first = ratios[0]
    return (
        f"{l2.name} reaches {' and '.join(map(str, ratios))} of {first.of}; claimed: {claim.words}; second-level paging "
        f"in {l1.name}: {describe(l1, 'kvm.second_level_paging')} ({first.kernel}, {first.rounds} rounds)"
    )


def _why_not(machine: Machine) -> str:
    try:
        _ = machine.performance.measurements
    except Unobservable as unknown:
        return f" ({machine.name}: {unknown.why})"
    return ""


def _reject_misplaced_keys(l1: Machine, l2: Machine) -> None:
    for guest in (l1, l2):
        runs_on = hypervisor_below(guest)
        if runs_on in {"qemu", "none"}:
            what = "is emulated, not run by a hypervisor" if runs_on == "qemu" else "is no guest, it runs on hardware"
            raise Unobservable("platform.virtualization", f"{guest.name} {what}: its speed says nothing of nesting")
        if other := other_machine(guest):
            raise Unobservable("identity.uuid", other)
    if same := same_system(l2):
        raise Unobservable("proc/sys/kernel/random/boot_id", same)
