"""What a run is going to verify: every requirement of the chosen suites against every machine of its level.

An object of a manifest stands where a machine does; its level is `manifest`. The plan is a pure function of catalogue and machines, so the controller and all workers of a distributed run make the
same one, and what was planned but never ran can be told from what was never due.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from functools import cached_property

from pytest_nestvirt.catalogue.applicability import State, requirement_applies, suite_applies
from pytest_nestvirt.catalogue.requirement import Needs, Requirement, Stance, Suite, level_name
from pytest_nestvirt.facts.machine import Machine
from pytest_nestvirt.manifests.manifest_object import LEVEL, ManifestObject
from pytest_nestvirt.report.case import NEEDS_PERMISSION, Case, Evidence
from pytest_nestvirt.verdict import Verdict


class Fate(Enum):
    """What is to happen to one requirement on one machine."""

    RUN = auto()
    UNDECIDED = auto()
    """Whether it applies could not be found out: the item says so without running."""
    UNREACHABLE = auto()
    NOT_APPLICABLE = auto()
    NO_PERMISSION = auto()
    """Verifying it would change the machine, or put a load on it."""
    NOT_OBSERVABLE = auto()
    """The document states it, and no observation could tell."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One requirement on one machine, and why it is treated as it is."""

    suite: Suite
    requirement: Requirement
    machine: Machine | ManifestObject
    fate: Fate
    because: str = ""
    stance: Stance | None = None
    """What putting it aside says about support; None where it says nothing."""

    @property
    def has_item(self) -> bool:
        """Whether a test item stands for it."""
        return self.fate in {Fate.RUN, Fate.UNDECIDED, Fate.UNREACHABLE}

    def case(
        self,
        verdict: Verdict,
        reason: str,
        *,
        evidence: tuple[Evidence, ...] = (),
        seconds: float = 0.0,
        nodeid: str = "",
    ) -> Case:
        """The result of it; a test item adds evidence, time and its own id."""
        requirement = self.requirement
        return Case(
            requirement=requirement.id,
            source=self.suite.source.id,
            section=requirement.section,
            statement=requirement.statement,
            host=self.machine.name,
            level=self.machine.level,
            verdict=verdict,
            kind=requirement.kind,
            obligation=requirement.obligation,
            needs=requirement.needs,
            reason=reason,
            expected=requirement.expected,
            remedy=requirement.remedy,
            stance=requirement.stance.get(verdict),
            evidence=evidence,
            seconds=seconds,
            nodeid=nodeid,
        )

    def unrun_case(self) -> Case:
        """The result where no test item stands for it, or where its item never ran."""
        match self.fate:
            case Fate.NOT_APPLICABLE:
                return replace(self.case(Verdict.NOT_APPLICABLE, self.because), stance=self.stance)
            case Fate.NO_PERMISSION | Fate.NOT_OBSERVABLE:
                return self.case(Verdict.NOT_RUN, self.because)
            case Fate.UNREACHABLE:
                return self.case(Verdict.UNREACHABLE, self.because)
            case _:
                return self.case(Verdict.NOT_RUN, "its test item did not run (deselected, or the run was cut short)")


LEVELS = {"l0": 0, "l1": 1, "l2": 2, "manifest": LEVEL}
"""The fixtures that stand for what is judged."""


class Plan:
    """Every requirement of the suites against every machine of its level."""

    def __init__(
        self,
        suites: Iterable[Suite],
        machines: Iterable[Machine | ManifestObject],
        unreachable: Mapping[str, str],
        forced_profiles: frozenset[str] = frozenset(),
        permitted: frozenset[Needs] = frozenset({Needs.READ_ONLY}),
    ) -> None:
        self.suites = tuple(suites)
        self.machines = tuple(machines)
        self.unreachable = unreachable
        self.forced_profiles = forced_profiles
        self.permitted = permitted

    @cached_property
    def entries(self) -> Mapping[tuple[str, str], Planned]:
        """All of it, by requirement id and host name; in order of machine, suite, requirement."""
        return {(planned.requirement.id, planned.machine.name): planned for planned in self._plan()}

    def of_requirement(self, requirement_id: str) -> Sequence[Planned]:
        """What is planned for a requirement, machine by machine."""
        return self._by_requirement.get(requirement_id, ())

    @cached_property
    def _by_requirement(self) -> Mapping[str, Sequence[Planned]]:
        found: dict[str, list[Planned]] = {}
        for planned in self.entries.values():
            found.setdefault(planned.requirement.id, []).append(planned)
        return found

    def _plan(self) -> Iterator[Planned]:
        for machine in self.machines:
            for suite in self.suites:
                yield from self._plan_suite(suite, machine)

    def _plan_suite(self, suite: Suite, machine: Machine | ManifestObject) -> Iterator[Planned]:
        forced = suite.source.id in self.forced_profiles
        applies = None if forced else suite_applies(suite, machine)
        for requirement in suite.requirements:
            if level_name(machine.level) not in requirement.levels:
                continue
            if applies is not None and applies.state is State.NO:
                because = f"{suite.source.id} does not speak of this machine: {applies.because}"
                yield Planned(suite, requirement, machine, Fate.NOT_APPLICABLE, because)
            else:
                undecided = applies.because if applies is not None and applies.state is State.UNDECIDED else ""
                yield self._planned(suite, requirement, machine, undecided)

    def _planned(
        self, suite: Suite, requirement: Requirement, machine: Machine | ManifestObject, suite_undecided: str
    ) -> Planned:
        applies = requirement_applies(requirement, machine)
        if applies.state is State.NO:
            return Planned(suite, requirement, machine, Fate.NOT_APPLICABLE, applies.because, applies.stance)
        undecided = suite_undecided or (applies.because if applies.state is State.UNDECIDED else "")
        return Planned(suite, requirement, machine, *self._fate(requirement, machine, undecided))

    def _fate(self, requirement: Requirement, machine: Machine | ManifestObject, undecided: str) -> tuple[Fate, str]:
        if requirement.not_observable:
            return Fate.NOT_OBSERVABLE, f"not observable: {requirement.not_observable}"
        if requirement.needs not in self.permitted:
            return Fate.NO_PERMISSION, f"{NEEDS_PERMISSION}{requirement.needs}: {PERMISSIONS[requirement.needs]}"
        if machine.name in self.unreachable:
            return Fate.UNREACHABLE, self.unreachable[machine.name]
        if undecided:
            return Fate.UNDECIDED, f"whether it applies could not be decided: {undecided}"
        return Fate.RUN, ""


PERMISSIONS = {
    Needs.READ_ONLY: "only looks",
    Needs.MEASURE: "runs a CPU and memory load of a few seconds on every level; give --nestvirt-measure",
    Needs.L2: "creates a guest of its own inside the L1 and destroys it again",
    Needs.RELOAD: "unloads and loads the kvm modules of the host",
    Needs.SAVE: "saves and restores a running guest",
    Needs.MIGRATE: "migrates a running guest",
    Needs.L3: "creates a guest inside the L2",
}
"""What a check of each safety class does to the machines."""
