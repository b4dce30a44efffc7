"""The checks of an embedded suite as functions, run outside of pytest's collection over machines made of texts."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from functools import cache
from types import ModuleType

import pytest
from recorded_machines import Chain, machines
from rhel8_trios import Trio

from pytest_nestvirt.catalogue.applicability import Applicable, requirement_applies, suite_applies
from pytest_nestvirt.catalogue.load_catalogue import Catalogue, load_catalogue
from pytest_nestvirt.catalogue.requirement import Needs, Requirement
from pytest_nestvirt.catalogue.trace import trace
from pytest_nestvirt.embedded import embedded
from pytest_nestvirt.facts.machine import Machine
from pytest_nestvirt.manifests.manifest_object import ManifestObject
from pytest_nestvirt.observation.fact import Unobservable
from pytest_nestvirt.verdict import Blocked, Finding, Verdict, judge

CASES = ("conforming", "violating", "unobservable")


@cache
def catalogue_of(folder: str) -> Catalogue:
    """The catalogue of one embedded suite, by the name of its folder."""
    return load_catalogue([embedded("suites") / folder])


def read_only(catalogue: Catalogue) -> list[str]:
    """The statements that a check can look at without changing anything."""
    return [r.id for r in catalogue if r.needs is Needs.READ_ONLY and not r.not_observable]


def loaded(folder: str, name: str) -> ModuleType:
    """A test file of a suite as a module."""
    spec = importlib.util.spec_from_file_location(f"{folder}_{name}", embedded("suites") / folder / name)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def checks_of(folder: str, *, of_manifests: bool = False) -> Mapping[str, Callable[..., None]]:
    """The functions of a suite by the requirement they verify: those for machines, or those for objects of manifests."""
    found: dict[str, Callable[..., None]] = {}
    modules: dict[str, ModuleType] = {}
    for check in trace(catalogue_of(folder)).checks:
        if (check.level == "manifest") is not of_manifests:
            continue
        file, _, function = check.name.partition("::")
        modules.setdefault(file, loaded(folder, file))
        found.update(dict.fromkeys(check.requirements, getattr(modules[file], function)))
    return found


def judged_machine(requirement: Requirement, chain: Chain) -> tuple[Machine, Mapping[str, Machine]]:
    """The machine that the verdict is about, and all of its chain by level."""
    line = {f"l{machine.level}": machine for machine in machines(chain)}
    return line[requirement.level], line


def verdict_of(
    check: Callable[..., None], requirement: Requirement, line: Mapping[str, Machine | ManifestObject]
) -> tuple[Verdict, str]:
    """What a check comes to on these machines, and why."""
    wanted = {name: line[name] for name in line if name in check.__code__.co_varnames[: check.__code__.co_argcount]}
    finding, reason = Finding.HELD, ""
    try:
        check(**wanted)
    except AssertionError as refuted:
        finding, reason = Finding.REFUTED, str(refuted)
    except Unobservable as unknown:
        finding, reason = Finding.UNOBSERVABLE, str(unknown)
    except Blocked as consequence:
        finding, reason = Finding.BLOCKED, str(consequence)
    return judge(finding, requirement.kind, requirement.obligation), reason


def verdict_on(folder: str, requirement_id: str, chain: Chain) -> tuple[Verdict, str]:
    """The same for a chain, applicability included: a statement that is not about it is not run."""
    requirement = catalogue_of(folder).requirement(requirement_id)
    machine, line = judged_machine(requirement, chain)
    applies = requirement_applies(requirement, machine)
    if applies.state is Applicable.NO:
        return Verdict.NOT_APPLICABLE, applies.because
    return verdict_of(checks_of(folder)[requirement_id], requirement, line)


def assert_told_apart(folder: str, trio: Trio, index: int) -> None:
    """The check gives the verdict that is expected of that chain; the suite and the statement speak of it."""
    __tracebackhide__ = True
    catalogue = catalogue_of(folder)
    requirement = catalogue.requirement(trio.requirement)
    machine, line = judged_machine(requirement, trio.chains[index])
    allowed = {Applicable.YES} if CASES[index] != "unobservable" else {Applicable.YES, Applicable.UNDECIDED}
    applies, judges = requirement_applies(requirement, machine), suite_applies(catalogue.suites[0], machine)
    assert applies.state in allowed, applies
    assert judges.state in allowed, judges
    verdict, reason = verdict_of(checks_of(folder)[requirement.id], requirement, line)
    assert verdict is trio.verdicts[index], reason
    assert "\n" not in reason
    assert reason or CASES[index] == "conforming", "a bare assertion says nothing to a person"


def by_case(trios: Mapping[str, Trio]) -> pytest.MarkDecorator:
    """Parametrize a test over every chain of every trio."""
    every = [
        pytest.param(trio, index, id=f"{name}-{CASES[index]}") for name, trio in trios.items() for index in range(3)
    ]
    return pytest.mark.parametrize("trio,index", every)
