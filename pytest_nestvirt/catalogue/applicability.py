"""Whether a statement applies to a machine: decided from facts and the inventory, in three values.

All conditions of all levels must hold. One that surely does not hold decides for `no`, whatever else is unknown; else
one that cannot be observed leaves it `undecided`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any

from pytest_nestvirt.catalogue.conditions import Conditions
from pytest_nestvirt.catalogue.machine_conditions import MACHINE_CONDITIONS
from pytest_nestvirt.catalogue.manifest_conditions import MANIFEST_CONDITIONS
from pytest_nestvirt.catalogue.requirement import Level, Requirement, Stance, Suite, level_name
from pytest_nestvirt.manifests.manifest_object import ManifestObject
from pytest_nestvirt.observation.fact import Unobservable
from pytest_nestvirt.observation.unknown import attempt

if TYPE_CHECKING:
    from pytest_nestvirt.facts.machine import Machine


class Applicable(StrEnum):
    """Whether it applies."""

    YES = "yes"
    NO = "no"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Applies:
    """Whether a statement applies to a machine, and the facts that decided it (`l0 kernel.architecture is s390x`)."""

    state: Applicable
    because: str = ""
    stance: Stance | None = field(default=None, compare=False)
    """Set where a statement was put aside because the inventory has the machine judged as something it is not
    (`treat_as`): that makes the chain unsupported, though nothing was found wrong."""


def requirement_applies(requirement: Requirement, judged: Machine | ManifestObject) -> Applies:
    """Whether a requirement applies to a machine in its chain of ancestors, or to an object of a manifest."""
    level = level_name(judged.level)
    if level not in requirement.levels:
        return Applies(Applicable.NO, f"it is about {' and '.join(requirement.levels)}, {judged.name} is {level}")
    return _levels(
        {level: c for level, c in requirement.applies.items() if _concerns(level, judged)}, _ancestry(judged)
    )


def _concerns(level: Level, judged: Machine | ManifestObject) -> bool:
    """Whether conditions of that level can be asked of it at all."""
    return (level == "manifest") is isinstance(judged, ManifestObject)


def suite_applies(suite: Suite, judged: Machine | ManifestObject) -> Applies:
    """Whether a suite judges a machine, or an object of a manifest.

    An alternative that names levels below the machine is asked of each chain through it: the suite judges a host if
    it judges any chain that the host is part of.
    """
    alternatives = [a for a in suite.applies if all(_concerns(level, judged) for level in a)]
    if not alternatives:
        return Applies(
            Applicable.NO, f"{judged.name} is {'an object of a manifest' if judged.level is None else 'a machine'}"
        )
    return _first_that_holds(_alternative(alternative, judged) for alternative in alternatives)


def _alternative(conditions: Mapping[Level, Conditions], machine: Machine | ManifestObject) -> Applies:
    if isinstance(machine, ManifestObject):
        return _levels(conditions, _ancestry(machine))
    deepest = max((int(level[1]) for level in conditions), default=0)
    if deepest <= machine.level:
        return _levels(conditions, _ancestry(machine))
    ends = list(_descendants(machine, deepest))
    if not ends:
        return Applies(Applicable.NO, f"{machine.name} has no l{deepest} guest")
    return _first_that_holds(_levels(conditions, _ancestry(end)) for end in ends)


def _ancestry(judged: Machine | ManifestObject) -> Mapping[str, Machine | ManifestObject]:
    line: dict[str, Machine | ManifestObject] = {}
    ancestor: Machine | ManifestObject | None = judged
    while ancestor is not None:
        line[level_name(ancestor.level)] = ancestor
        ancestor = ancestor.parent
    return line


def _descendants(machine: Machine, level: int) -> Iterator[Machine]:
    for guest in machine.guests:
        if guest.level == level:
            yield guest
        else:
            yield from _descendants(guest, level)


def _levels(conditions: Mapping[Level, Conditions], line: Mapping[str, Machine | ManifestObject]) -> Applies:
    return _all_hold(_conditions(conditions[level], line[level]) for level in sorted(conditions))


def _conditions(conditions: Conditions, machine: Machine | ManifestObject) -> Applies:
    return _all_hold(_one(name, wanted, machine) for name, wanted in conditions.asked())


def _one(name: str, wanted: Any, machine: Machine | ManifestObject) -> Applies:  # noqa: ANN401 - each has its own type
    if name == "not_":
        return _all_hold(_negated(inner, value, machine) for inner, value in wanted.asked())
    if name == "any_":
        return _first_that_holds(_conditions(alternative, machine) for alternative in wanted)
    return _ask(name, wanted, machine)


def _negated(name: str, wanted: Any, machine: Machine | ManifestObject) -> Applies:  # noqa: ANN401 - as above
    match (seen := _ask(name, wanted, machine)).state:
        case Applicable.YES:
            return Applies(Applicable.NO, seen.because, Stance.UNSUPPORTED if name == "treat_as" else None)
        case Applicable.NO:
            return Applies(Applicable.YES, seen.because)
        case _:
            return seen


def _ask(name: str, wanted: Any, machine: Machine | ManifestObject) -> Applies:  # noqa: ANN401 - as above
    """The answer of one condition; `because` says what was seen, whichever way it was decided."""
    if name in {"not_", "any_"}:
        return _one(name, wanted, machine)
    where = level_name(machine.level)
    answer = attempt(partial(_answer, name, wanted, machine))
    if isinstance(answer, Unobservable):
        return Applies(Applicable.UNDECIDED, f"{where} {answer}")
    holds, seen = answer
    return Applies(Applicable.YES if holds else Applicable.NO, f"{where} {seen}")


def _answer(name: str, wanted: Any, machine: Machine | ManifestObject) -> tuple[bool, str]:  # noqa: ANN401 - as above
    if isinstance(machine, ManifestObject):
        return MANIFEST_CONDITIONS[name](machine, wanted)
    return MACHINE_CONDITIONS[name](machine, wanted)


def _all_hold(answers: Iterable[Applies]) -> Applies:
    return _unless(Applicable.NO, answers, Applicable.YES)


def _first_that_holds(answers: Iterable[Applies]) -> Applies:
    return _unless(Applicable.YES, answers, Applicable.NO)


def _unless(deciding: Applicable, answers: Iterable[Applies], otherwise: Applicable) -> Applies:
    """The first answer that decides by itself; else the first that is undecided; else all of them together."""
    undecided, reasons = None, []
    for answer in answers:
        if answer.state is deciding:
            return answer
        if answer.state is Applicable.UNDECIDED:
            undecided = undecided or answer
        else:
            reasons.append(answer.because)
    return undecided or Applies(otherwise, _joined(reasons))


def _joined(reasons: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(filter(None, reasons)))
