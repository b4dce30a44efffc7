"""Whether a statement speaks of a machine: decided from facts and the inventory, in three values.

All conditions of all levels must hold. One that surely does not hold decides for `no`, whatever else is unknown; else
one that can't be observed leaves it `undecided`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pytest_nestvirt.catalogue.conditions import Conditions, kernel_expression
from pytest_nestvirt.catalogue.manifest_conditions import OBJECT_QUESTIONS
from pytest_nestvirt.catalogue.requirement import Level, Requirement, Stance, Suite, level_name
from pytest_nestvirt.derived.describe import tell
from pytest_nestvirt.facts.system.os_expression import OsMatch, parse
from pytest_nestvirt.manifests.manifest_object import ManifestObject
from pytest_nestvirt.observation.fact import Unobservable
from pytest_nestvirt.observation.render import render

if TYPE_CHECKING:
    from pytest_nestvirt.facts.machine import Machine


class State(StrEnum):
    """Whether it applies."""

    YES = "yes"
    NO = "no"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Applies:
    """Whether a statement applies to a machine, and the facts that decided it (`l0 kernel.architecture is s390x`)."""

    state: State
    because: str = ""
    stance: Stance | None = field(default=None, compare=False)
    """Set where a statement was put aside because the inventory has the machine judged as something it is not
    (`treat_as`): that makes the chain unsupported, though nothing was found wrong."""


def requirement_applies(requirement: Requirement, judged: Machine | ManifestObject) -> Applies:
    """Whether a requirement speaks of a machine in its chain of ancestors, or of an object of a manifest."""
    level = level_name(judged.level)
    if level not in requirement.levels:
        return Applies(State.NO, f"it is about {' and '.join(requirement.levels)}, {judged.name} is {level}")
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
        return Applies(State.NO, f"{judged.name} is {'no machine' if judged.level < 0 else 'a machine'}")
    return _first_that_holds(_alternative(alternative, judged) for alternative in alternatives)


def runs(machine: Machine, expression: str, *, strict: bool = False) -> bool:
    """Whether a machine runs that operating system, `treat_as` of the inventory counting unless `strict`.

    Raises `Unobservable` where identity or version are unknown and would decide.
    """
    assumed = None if strict else machine.declared.treat_as
    identity = machine.os.id
    identities = (identity, assumed) if assumed and assumed != identity else (identity,)
    return any(_is(expression, name, machine) for name in identities)


def _is(expression: str, identity: str, machine: Machine) -> bool:
    named = _parsed(expression)
    if named.os_id != identity:
        return False
    return not named.comparisons or named(identity, machine.os.version)


@lru_cache(maxsize=256)
def _parsed(expression: str) -> OsMatch:
    return parse(expression)


def _alternative(conditions: Mapping[Level, Conditions], machine: Machine | ManifestObject) -> Applies:
    if isinstance(machine, ManifestObject):
        return _levels(conditions, _ancestry(machine))
    deepest = max((int(level[1]) for level in conditions), default=0)
    if deepest <= machine.level:
        return _levels(conditions, _ancestry(machine))
    ends = list(_descendants(machine, deepest))
    if not ends:
        return Applies(State.NO, f"{machine.name} has no l{deepest} guest")
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
        case State.YES:
            return Applies(State.NO, seen.because, Stance.UNSUPPORTED if name == "treat_as" else None)
        case State.NO:
            return Applies(State.YES, seen.because)
        case _:
            return seen


def _ask(name: str, wanted: Any, machine: Machine | ManifestObject) -> Applies:  # noqa: ANN401 - as above
    """The answer of one condition; `because` says what was seen, whichever way it was decided."""
    if name in {"not_", "any_"}:
        return _one(name, wanted, machine)
    where = level_name(machine.level)
    try:
        holds, seen = _answer(name, wanted, machine)
    except Unobservable as unknown:
        return Applies(State.UNDECIDED, f"{where} {unknown}")
    return Applies(State.YES if holds else State.NO, f"{where} {seen}")


def _answer(name: str, wanted: Any, machine: Machine | ManifestObject) -> tuple[bool, str]:  # noqa: ANN401 - as above
    if isinstance(machine, ManifestObject):
        return OBJECT_QUESTIONS[name](machine, wanted)
    return _QUESTIONS[name](machine, wanted)


def _all_hold(answers: Iterable[Applies]) -> Applies:
    undecided, held = None, []
    for answer in answers:
        if answer.state is State.NO:
            return answer
        if answer.state is State.UNDECIDED:
            undecided = undecided or answer
        else:
            held.append(answer.because)
    return undecided or Applies(State.YES, _joined(held))


def _first_that_holds(answers: Iterable[Applies]) -> Applies:
    undecided, refused = None, []
    for answer in answers:
        if answer.state is State.YES:
            return answer
        if answer.state is State.UNDECIDED:
            undecided = undecided or answer
        else:
            refused.append(answer.because)
    return undecided or Applies(State.NO, _joined(refused))


def _joined(reasons: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(filter(None, reasons)))


def _member(path: str) -> Callable[[Machine, Any], tuple[bool, str]]:
    """The condition that a fact is one of the accepted values."""
    subject, attribute = path.split(".")

    def ask(machine: Machine, wanted: Any) -> tuple[bool, str]:  # noqa: ANN401 - as above
        value = getattr(getattr(machine, subject), attribute)
        return value in wanted, f"{path} is {value}"

    return ask


def _parent_provider(machine: Machine, wanted: tuple[str, ...]) -> tuple[bool, str]:
    if machine.parent is None:
        return False, "stands in nothing"
    provider = machine.parent.declared.provider
    return provider in wanted, f"stands in {machine.parent.name}, whose provider is {provider}"


def _treat_as(machine: Machine, wanted: tuple[str, ...]) -> tuple[bool, str]:
    assumed = machine.declared.treat_as
    if assumed is None or assumed not in wanted:
        return False, f"declared.treat_as is {assumed or 'not set'}"
    try:
        really = machine.os.id
    except Unobservable:
        really = "unknown"
    return really != assumed, f"runs {really}, judged as {assumed} (treat_as)"


def _os(machine: Machine, wanted: tuple[str, ...]) -> tuple[bool, str]:
    return _runs_any(machine, wanted, strict=False)


def _os_strict(machine: Machine, wanted: tuple[str, ...]) -> tuple[bool, str]:
    return _runs_any(machine, wanted, strict=True)


def _runs_any(machine: Machine, wanted: tuple[str, ...], *, strict: bool) -> tuple[bool, str]:
    return any(runs(machine, expression, strict=strict) for expression in wanted), _system(machine)


def _system(machine: Machine) -> str:
    return f"os is {tell(machine, 'os.id', 'os.version_id')}"


def _kernel(machine: Machine, wanted: tuple[str, ...]) -> tuple[bool, str]:
    version = machine.kernel.version
    holds = any(_parsed(kernel_expression(comparisons))("linux", version) for comparisons in wanted)
    return holds, f"kernel.version is {render(version)}"


def _power(machine: Machine, wanted: Any) -> tuple[bool, str]:  # noqa: ANN401 - Generations, as validated
    generation = machine.cpu.power.generation
    return generation in wanted, f"cpu.power.generation is {generation}"


def _power8_compat(machine: Machine, wanted: bool) -> tuple[bool, str]:  # noqa: FBT001 - the signature of conditions
    compat = machine.cpu.power.power8_compat
    return compat is wanted, f"{'runs' if compat else 'does not run'} in POWER8 compatibility mode"


def _connection(machine: Machine, wanted: tuple[str, ...]) -> tuple[bool, str]:
    return machine.host.connection in wanted, f"connection is {machine.host.connection}"


def _second_level_paging(machine: Machine, wanted: bool) -> tuple[bool, str]:  # noqa: FBT001 - as above
    used = machine.kvm.second_level_paging
    return used is wanted, f"{'uses' if used else 'does not use'} second-level paging"


def _domain_known(machine: Machine, wanted: bool) -> tuple[bool, str]:  # noqa: FBT001 - as above
    known = machine.domain.defined
    return known is wanted, f"is {'' if known else 'not '}defined by its parent's libvirt"


def _manifested(machine: Machine, wanted: bool) -> tuple[bool, str]:  # noqa: FBT001 - as above
    found = any(one.manifest is not None for one in (machine, *machine.guests))
    return found is wanted, f"is {'' if found else 'not '}told of by a VirtualMachine of the manifests, by name"


_QUESTIONS: Mapping[str, Callable[[Machine, Any], tuple[bool, str]]] = {
    "provider": _member("declared.provider"),
    "parent_provider": _parent_provider,
    "connection": _connection,
    "environment": _member("declared.environment"),
    "treat_as": _treat_as,
    "arch": _member("kernel.architecture"),
    "vendor": _member("cpu.vendor"),
    "power": _power,
    "power8_compat": _power8_compat,
    "os": _os,
    "os_strict": _os_strict,
    "kernel": _kernel,
    "virtualization": _member("platform.virtualization"),
    "substrate": _member("platform.substrate"),
    "second_level_paging": _second_level_paging,
    "domain_known": _domain_known,
    "manifested": _manifested,
}
