"""What the embedded suites make of machines and manifests that are given as texts.

A run's own plan says what applies, and a run's own recorder runs the checks: only pytest's collection is left out.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from inspect import signature
from types import ModuleType

import pytest
from recorded_machines import Chain, machines
from rhel8_trios import Trio

from pytest_nestvirt.catalogue.load_catalogue import Catalogue, load_catalogue
from pytest_nestvirt.catalogue.requirement import Needs, Requirement
from pytest_nestvirt.catalogue.trace import trace
from pytest_nestvirt.embedded import embedded
from pytest_nestvirt.facts.machine import Machine
from pytest_nestvirt.manifests.manifest_object import ManifestObject
from pytest_nestvirt.report.case import Case
from pytest_nestvirt.run.binding import line_of_descent
from pytest_nestvirt.run.plan import Fate, Judged, Plan, Planned
from pytest_nestvirt.run.recorder import Recorder, case_without_running
from pytest_nestvirt.verdict import Verdict

CASES = ("conforming", "violating", "unobservable")


@cache
def catalogue_of(folder: str) -> Catalogue:
    """The catalogue of one embedded suite, by the name of its folder."""
    return load_catalogue([embedded("suites") / folder])


def read_only(catalogue: Catalogue) -> list[str]:
    """The statements that a check can look at without changing anything."""
    return [r.id for r in catalogue if r.needs is Needs.READ_ONLY and not r.not_observable]


@cache
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
    for check in trace(catalogue_of(folder)).checks:
        if (check.level == "manifest") is of_manifests:
            file, _, function = check.name.partition("::")
            found.update(dict.fromkeys(check.requirements, getattr(loaded(folder, file), function)))
    return found


def judged_machine(requirement: Requirement, chain: Chain) -> Machine:
    """The machine of a chain that a statement is about."""
    return next(machine for machine in machines(chain) if f"l{machine.level}" == requirement.level)


def plan_of(folder: str, judged: Iterable[Judged], *requirements: str, chosen: bool = False) -> Plan:
    """What a run with `--nestvirt-measure` plans of a suite, or of some of its statements, on machines and objects.

    `chosen`: as if `--nestvirt-profile` named the suite, which then judges what it would not judge unasked.
    """
    (suite,) = catalogue_of(folder).suites
    if requirements:
        suite = suite.model_copy(update={"requirements": tuple(map(catalogue_of(folder).requirement, requirements))})
    profiles = frozenset({suite.source.id}) if chosen else frozenset[str]()
    return Plan([suite], judged, {}, profiles, frozenset({Needs.READ_ONLY, Needs.MEASURE}))


def recorded(planned: Planned) -> Case:
    """The case that the recorder makes of a check, run also where a run would leave open whether it applies."""
    of_manifests = isinstance(planned.judged, ManifestObject)
    check = checks_of(planned.suite.folder.name, of_manifests=of_manifests)[planned.requirement.id]
    recorder = Recorder(planned, check_globals=check.__globals__)
    with recorder.watching():
        check(*line_of_descent(planned.judged, list(signature(check).parameters)))
    return recorder.case


def case_of(planned: Planned) -> Case:
    """The case that a run makes of what is planned."""
    if not planned.has_item:
        return planned.unrun_case()
    return case_without_running(planned) or recorded(planned)


def case_on(folder: str, requirement: str, judged: Judged) -> Case:
    """The case of one statement on a machine or an object, by a suite that is chosen."""
    return case_of(plan_of(folder, [judged], requirement, chosen=True).entries[requirement, judged.name])


def verdict_on(folder: str, requirement: str, chain: Chain) -> tuple[Verdict, str]:
    """Verdict and reason of one statement on the machine of a chain that it is about, by a suite that is chosen."""
    case = case_on(folder, requirement, judged_machine(catalogue_of(folder).requirement(requirement), chain))
    return case.verdict, case.reason


def assert_told_apart(folder: str, trio: Trio, index: int) -> None:
    """The check gives the verdict that is expected of that chain; the suite and the statement speak of it."""
    __tracebackhide__ = True
    machine = judged_machine(catalogue_of(folder).requirement(trio.requirement), trio.chains[index])
    assert_verdict(folder, trio.requirement, machine, trio.verdicts[index], CASES[index])


def assert_verdict(folder: str, requirement: str, judged: Judged, expected: Verdict, which: str) -> str:
    """The run has that verdict, and so has the check itself where it is open whether it applies. Returns the reason."""
    __tracebackhide__ = True
    planned = plan_of(folder, [judged], requirement).entries[requirement, judged.name]
    assert planned.fate is Fate.RUN or (planned.fate, which) == (Fate.UNDECIDED, "unobservable"), planned.because
    assert case_of(planned).verdict is expected, case_of(planned).reason
    case = recorded(planned)
    assert case.verdict is expected, case.reason
    assert "\n" not in case.reason
    bare = {"", "the assertion does not hold"}
    assert case.reason not in bare or which == "conforming", "a bare assertion says nothing to a person"
    return case.reason


def by_case(trios: Mapping[str, Trio]) -> pytest.MarkDecorator:
    """Parametrize a test over every chain of every trio."""
    every = [
        pytest.param(trio, index, id=f"{name}-{CASES[index]}") for name, trio in trios.items() for index in range(3)
    ]
    return pytest.mark.parametrize("trio,index", every)
