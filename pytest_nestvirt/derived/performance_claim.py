"""What a document promises about a guest's speed, compared with what was measured."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_nestvirt.derived.describe import describe
from pytest_nestvirt.derived.identity import other_machine, same_system
from pytest_nestvirt.derived.runner import NOTHING, SOURCE, TCG, runner_of
from pytest_nestvirt.facts.performance import Ratio
from pytest_nestvirt.observation.fact import Unobservable
from pytest_nestvirt.observation.unknown import attempt
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

    `Unobservable` where the two were not measured by turns, where the measurement spreads too much to decide, and where they
    are not known to be guests that a hypervisor runs: the speed of an emulated machine shows nothing about nesting.
    """
    _refuse_other_than_guests(l1, l2)
    ratios = [ratio for ratio in l2.performance.ratios if ratio.of == of.name]
    if not ratios:
        raise Unobservable(SECTION, f"{l2.name} and {of.name} were not measured by turns{_why_not(of)}")
    answers = [claim.is_met_by(ratio) for ratio in ratios]
    measured = _worded(claim, ratios, l1, l2)
    if False in answers:
        return measured
    if None in answers:
        raise Unobservable(SECTION, f"too noisy: {measured}")
    return ""


def _worded(claim: Claim, ratios: list[Ratio], l1: Machine, l2: Machine) -> str:
    first = ratios[0]
    return (
        f"{l2.name} reaches {' and '.join(map(str, ratios))} of {first.of}; claimed: {claim.words}; second-level paging "
        f"in {l1.name}: {describe(l1, 'kvm.second_level_paging')} ({first.kernel}, {first.rounds} rounds)"
    )


def _why_not(machine: Machine) -> str:
    measured = attempt(lambda: machine.performance.measurements)
    return f" ({machine.name}: {measured.why})" if isinstance(measured, Unobservable) else ""


_NOT_NESTED = {TCG: "is emulated, not run by a hypervisor", NOTHING: "is not a guest, it runs on hardware"}


def _refuse_other_than_guests(l1: Machine, l2: Machine) -> None:
    for guest in (l1, l2):
        runs_on = runner_of(guest).name
        if runs_on in _NOT_NESTED:
            raise Unobservable(SOURCE, f"{guest.name} {_NOT_NESTED[runs_on]}: its speed shows nothing about nesting")
        if other := other_machine(guest):
            raise Unobservable("identity.uuid", other)
    if same := same_system(l2):
        raise Unobservable("proc/sys/kernel/random/boot_id", same)
