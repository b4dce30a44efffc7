"""What a run is going to verify: every requirement of the chosen suites against every machine of its level.

Objects of manifests are judged beside machines, by the requirements of the level `manifest`. The plan is a pure function of
catalogue, machines and objects, so the controller and all workers of a distributed run make the same one, and what was
planned but never ran is distinct from what was never due.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from functools import cached_property
from typing import TypeAlias

from pytest_nestvirt.catalogue.applicability import Applicable, requirement_applies, suite_applies
from pytest_nestvirt.catalogue.requirement import Needs, Requirement, Stance, Suite, level_name
from pytest_nestvirt.facts.machine import Machine
from pytest_nestvirt.manifests.manifest_object import ManifestObject
from pytest_nestvirt.report.case import Case, Evidence, WhyNotRun
from pytest_nestvirt.verdict import Verdict


class Fate(Enum):
    """What is to happen to one requirement on one machine."""

    RUN = auto()
    UNDECIDED = auto()
    """Whether it applies could not be found out: the item says so without running."""
    UNREACHABLE = auto()
    CRASHED = auto()
    """The tool failed while it looked at the machine."""
    NOT_APPLICABLE = auto()
    NO_PERMISSION = auto()
    """Verifying it would change the machine, or put a load on it."""
    NOT_OBSERVABLE = auto()
    """The document states it, and no observation could show it."""


Judged: TypeAlias = Machine | ManifestObject
"""What requirements are verified on."""

LEVELS: Mapping[str, int | None] = {"l0": 0, "l1": 1, "l2": 2, "manifest": None}
"""The fixtures that hand to a check what is judged, with the level of each; an object of a manifest has none."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One requirement on one machine or object, and why it is treated as it is."""

    suite: Suite
    requirement: Requirement
    judged: Judged
    fate: Fate
    because: str = ""
    stance: Stance | None = None
    """What putting it aside says about support; None where it says nothing."""

    @property
    def has_item(self) -> bool:
        """Whether a test item stands for it."""
        return self.fate in {Fate.RUN, Fate.UNDECIDED, Fate.UNREACHABLE, Fate.CRASHED}

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
            host=self.judged.name,
            level=self.judged.level,
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
            case Fate.NO_PERMISSION:
                return self._not_run(WhyNotRun.NO_PERMISSION, self.because)
            case Fate.NOT_OBSERVABLE:
                return self._not_run(WhyNotRun.NOT_OBSERVABLE, self.because)
            case Fate.UNREACHABLE:
                return self.case(Verdict.UNREACHABLE, self.because)
            case Fate.CRASHED:
                return self.case(Verdict.ERROR, self.because)
            case _:
                return self._not_run(
                    WhyNotRun.LEFT_OUT, "its test item did not run (deselected, or the run was cut short)"
                )

    def _not_run(self, why: WhyNotRun, reason: str) -> Case:
        return replace(self.case(Verdict.NOT_RUN, reason), not_run=why)

    def unchecked_case(self) -> Case:
        """The result where the suite has no check of it, though it declares that one is possible: a mistake in the suite."""
        return self.case(
            Verdict.ERROR,
            "no check verifies it; write a function `test_…` with @requirement"
            f'("{self.requirement.id}") in {self.suite.folder}, or declare `not_observable: why`',
        )


class Plan:
    """Every requirement of the suites against every machine or object of its level."""

    def __init__(
        self,
        suites: Iterable[Suite],
        judged: Iterable[Judged],
        unreachable: Mapping[str, str],
        forced_profiles: frozenset[str] = frozenset(),
        permitted: frozenset[Needs] = frozenset({Needs.READ_ONLY}),
        *,
        crashed: frozenset[str] = frozenset(),
    ) -> None:
        """`unreachable` has why there is nothing known of a machine; `crashed` names those among them that are the tool's fault."""
        self.suites = tuple(suites)
        self.judged = tuple(judged)
        self.unreachable = unreachable
        self.forced_profiles = forced_profiles
        self.permitted = permitted
        self.crashed = crashed

    @cached_property
    def entries(self) -> Mapping[tuple[str, str], Planned]:
        """All of it, by requirement id and name of what is judged; in order of machine, suite, requirement."""
        return {(planned.requirement.id, planned.judged.name): planned for planned in self._plan()}

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
        for judged in self.judged:
            for suite in self.suites:
                yield from self._plan_suite(suite, judged)

    def _plan_suite(self, suite: Suite, judged: Judged) -> Iterator[Planned]:
        forced = suite.source.id in self.forced_profiles
        applies = None if forced else suite_applies(suite, judged)
        because = f"{suite.source.id} does not apply here: {applies.because}" if applies is not None else ""
        for requirement in suite.requirements:
            if level_name(judged.level) not in requirement.levels:
                continue
            if applies is not None and applies.state is Applicable.NO:
                yield Planned(suite, requirement, judged, Fate.NOT_APPLICABLE, because)
            else:
                undecided = applies.because if applies is not None and applies.state is Applicable.UNDECIDED else ""
                yield self._planned(suite, requirement, judged, undecided)

    def _planned(self, suite: Suite, requirement: Requirement, judged: Judged, suite_undecided: str) -> Planned:
        applies = requirement_applies(requirement, judged)
        if applies.state is Applicable.NO:
            return Planned(suite, requirement, judged, Fate.NOT_APPLICABLE, applies.because, applies.stance)
        undecided = suite_undecided or (applies.because if applies.state is Applicable.UNDECIDED else "")
        return Planned(suite, requirement, judged, *self._fate(requirement, judged, undecided))

    def _fate(self, requirement: Requirement, judged: Judged, undecided: str) -> tuple[Fate, str]:
        if requirement.not_observable:
            return Fate.NOT_OBSERVABLE, f"not observable: {requirement.not_observable}"
        if requirement.needs not in self.permitted:
            return Fate.NO_PERMISSION, f"needs the permission {requirement.needs}: {PERMISSIONS[requirement.needs]}"
        if judged.name in self.unreachable:
            fate = Fate.CRASHED if judged.name in self.crashed else Fate.UNREACHABLE
            return fate, self.unreachable[judged.name]
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
