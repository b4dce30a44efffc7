"""Every read-only check of the RHEL 8 suite passes where it should, fails where it should, and says when it can't tell."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from types import ModuleType

import pytest
from recorded_machines import Chain, machines
from rhel8_trios import Trio, trios

from pytest_nestvirt.catalogue.applicability import State, requirement_applies, suite_applies
from pytest_nestvirt.catalogue.load import Catalogue, embedded_suites, load_catalogue
from pytest_nestvirt.catalogue.model import Needs, Requirement
from pytest_nestvirt.catalogue.trace import trace
from pytest_nestvirt.facts.core import Unobservable
from pytest_nestvirt.facts.machine import Machine
from pytest_nestvirt.verdict import Finding, Verdict, judge

CATALOGUE: Catalogue = load_catalogue([embedded_suites() / "rhel8"])
READ_ONLY = [r.id for r in CATALOGUE if r.needs is Needs.READ_ONLY and not r.not_observable]
TRIOS = {trio.requirement: trio for trio in trios()}
CASES = ("conforming", "violating", "unobservable")


def loaded(name: str) -> ModuleType:
    """A test file of the suite as a module, outside of pytest's collection."""
    spec = importlib.util.spec_from_file_location(f"rhel8_{name}", embedded_suites() / "rhel8" / name)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def checks() -> Mapping[str, Callable[..., None]]:
    """The functions of the suite by the requirement they verify."""
    found: dict[str, Callable[..., None]] = {}
    modules: dict[str, ModuleType] = {}
    for check in trace(CATALOGUE).checks:
        file, _, function = check.name.partition("::")
        modules.setdefault(file, loaded(file))
        found.update(dict.fromkeys(check.requirements, getattr(modules[file], function)))
    return found


def judged_machine(requirement: Requirement, chain: Chain) -> tuple[Machine, Mapping[str, Machine]]:
    """The machine that the verdict is about, and all of its chain by level."""
    line = {f"l{machine.level}": machine for machine in machines(chain)}
    return line[requirement.level], line


def verdict_of(
    check: Callable[..., None], requirement: Requirement, line: Mapping[str, Machine]
) -> tuple[Verdict, str]:
    """The verdict that a check comes to, and what it says."""
    wanted = {name: line[name] for name in line if name in check.__code__.co_varnames[: check.__code__.co_argcount]}
    try:
        check(**wanted)
    except AssertionError as refuted:
        return judge(Finding.REFUTED, requirement.kind, requirement.obligation), str(refuted)
    except Unobservable as unknown:
        return judge(Finding.UNOBSERVABLE, requirement.kind, requirement.obligation), str(unknown)
    return judge(Finding.HELD, requirement.kind, requirement.obligation), ""


def test_every_read_only_requirement_has_a_trio() -> None:
    """A statement that can be looked at, and has no conforming, violating and unobservable chain, is not tested."""
    assert sorted(TRIOS) == sorted(READ_ONLY)


@pytest.mark.parametrize("index", range(3), ids=CASES)
@pytest.mark.parametrize("trio", TRIOS.values(), ids=TRIOS)
def test_check_tells_the_three_apart(trio: Trio, index: int, checks: Mapping[str, Callable[..., None]]) -> None:
    """The check gives the verdict that is expected of each chain; the first two are chains that the document speaks of."""
    requirement = CATALOGUE.requirement(trio.requirement)
    machine, line = judged_machine(requirement, trio.chains[index])
    applies = requirement_applies(requirement, machine)
    judges = suite_applies(CATALOGUE.suite("rhel8"), machine)
    allowed = {State.YES} if CASES[index] != "unobservable" else {State.YES, State.UNDECIDED}
    assert applies.state in allowed, applies
    assert judges.state in allowed, judges
    verdict, reason = verdict_of(checks[requirement.id], requirement, line)
    assert verdict is trio.verdicts[index], reason
    assert "\n" not in reason


def test_messages_say_what_was_seen(checks: Mapping[str, Callable[..., None]]) -> None:
    """A violation is explained in words: no check leaves a bare assertion behind."""
    for trio in TRIOS.values():
        requirement = CATALOGUE.requirement(trio.requirement)
        _, line = judged_machine(requirement, trio.violating)
        assert verdict_of(checks[requirement.id], requirement, line)[1], requirement.id
