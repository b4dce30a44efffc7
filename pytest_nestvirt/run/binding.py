"""Which machines a check runs on: from markers and fixture names to parameters."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence

import pytest

from pytest_nestvirt.facts.machine import Machine
from pytest_nestvirt.inventory.host import Inventory
from pytest_nestvirt.manifests.manifest_object import ManifestObject
from pytest_nestvirt.marks import BOUND, REQUIREMENT
from pytest_nestvirt.run import fixtures, inventory_fixtures
from pytest_nestvirt.run.plan import LEVELS, Fate, Judged, Plan, Planned


def requirement_ids(function: object) -> list[str]:
    """The ids that `@requirement(...)` gives to a test function, in order; empty for any other object.

    Raises `pytest.UsageError` for a marker without ids, with the right form.
    """
    marks = getattr(function, "pytestmark", ())
    found = [mark for mark in marks if mark.name == REQUIREMENT] if isinstance(marks, (list, tuple)) else []
    ids = [requirement_id for mark in reversed(found) for requirement_id in mark.args]
    if any(not mark.args or mark.kwargs for mark in found) or not all(isinstance(i, str) for i in ids):
        raise pytest.UsageError(f'{location(function)}: the marker takes ids: @requirement("RHEL8-INTEL-CPU-FLAGS")')
    return ids


def location(function: object) -> str:
    """`file:line: name` of a test function, for messages."""
    code = getattr(function, "__code__", None)
    name = getattr(function, "__name__", repr(function))
    return f"{code.co_filename}:{code.co_firstlineno}: {name}" if code is not None else name


def due(plan: Plan, ids: Sequence[str], check: object, *, show_na: bool) -> list[Planned]:
    """What is due of these requirements, machine by machine, as items of this check."""
    entries = [entry for requirement_id in ids for entry in plan.of_requirement(requirement_id)]
    return [
        entry
        for entry in entries
        if _is_for(check, entry) and (entry.has_item or (show_na and entry.fate is Fate.NOT_APPLICABLE))
    ]


def _is_for(check: object, entry: Planned) -> bool:
    """A statement about machines and manifests has a check for each; any other has one, right or wrong."""
    if not entry.requirement.also:
        return True
    return ("manifest" in inspect.signature(check).parameters) is isinstance(entry.judged, ManifestObject)  # type: ignore[arg-type]


def levels_used(metafunc: pytest.Metafunc) -> list[str]:
    """Which of l0, l1, l2 and manifest a test asks for, outermost first. Raises `pytest.UsageError` for a mixture."""
    names = [name for name in LEVELS if name in metafunc.fixturenames]
    if "manifest" in names[1:]:
        raise pytest.UsageError(
            f"{location(metafunc.function)}: a manifest is not a level of a chain: drop {names[0]} or manifest"
        )
    return names


def parametrize_check(metafunc: pytest.Metafunc, entries: Sequence[Planned]) -> None:
    """Run a check once for each requirement and machine that is due, its ancestors beside it."""
    names = levels_used(metafunc)
    where = location(metafunc.function)
    if not names:
        raise pytest.UsageError(f"{where}: a check asks for a machine: add the fixture l0, l1 or l2 (or manifest)")
    for entry in entries:
        if entry.judged.level != LEVELS[names[-1]]:
            raise pytest.UsageError(
                f"{where}: {entry.requirement.id} is about {' and '.join(entry.requirement.levels)}, but the deepest "
                f"fixture of the check is {names[-1]}; make the two agree"
            )
    # Not by what is due: a part of the inventory has the same node ids as all of it.
    several = len(requirement_ids(metafunc.function)) > 1
    metafunc.parametrize(
        ",".join(names),
        [
            pytest.param(
                *line_of_descent(entry.judged, names),
                id=f"{entry.judged.name}-{entry.requirement.id}" if several else entry.judged.name,
                marks=getattr(pytest.mark, BOUND)(entry.requirement.id, entry.judged.name),
            )
            for entry in entries
        ],
    )


def parametrize_levels(metafunc: pytest.Metafunc, machines: Iterable[Machine | ManifestObject]) -> None:
    """Run a test that verifies no requirement over all machines of its deepest level, or over all objects."""
    names = levels_used(metafunc)
    level = LEVELS[names[-1]]
    lines = [pytest.param(*line_of_descent(m, names), id=m.name) for m in machines if m.level == level]
    metafunc.parametrize(",".join(names), lines)


def line_of_descent(machine: Machine | ManifestObject, names: Sequence[str]) -> list[Machine | ManifestObject]:
    """A machine and those above it, or an object, in the order of the fixtures that a check names."""
    line: dict[int | None, Judged] = {}
    ancestor: Machine | ManifestObject | None = machine
    while ancestor is not None:
        line[ancestor.level] = ancestor
        ancestor = ancestor.parent
    return [line[LEVELS[name]] for name in names]


def parametrize_hosts(metafunc: pytest.Metafunc, inventory: Inventory) -> None:
    """Run a test of people's own over every machine, or over every pair of a hypervisor and one of its guests."""
    wanted = _ours(metafunc)
    if wanted == {"host", "guest"}:
        edges = [(host.parent, host.name) for host in inventory if host.parent]
        ids = [f"{parent}-{guest}" for parent, guest in edges]
        metafunc.parametrize("host,guest", edges, ids=ids, indirect=True, scope="module")
    elif wanted == {"guest"}:
        guests = [host.name for host in inventory if host.parent]
        metafunc.parametrize("guest", guests, indirect=True, scope="module")
    elif wanted == {"host"}:
        metafunc.parametrize("host", [host.name for host in inventory], indirect=True, scope="module")


def _ours(metafunc: pytest.Metafunc) -> set[str]:
    """Which of `host` and `guest` a test asks for and does not define or parametrize itself."""
    given = {name for mark in metafunc.definition.iter_markers("parametrize") for name in _names(mark.args[0])}
    wanted = {"host", "guest"} & (set(metafunc.fixturenames) - given)
    definitions = metafunc._arg2fixturedefs  # noqa: SLF001 - there is no public way to ask who defines a fixture
    ours = {fixtures.__name__, inventory_fixtures.__name__}
    return {name for name in wanted if name in definitions and definitions[name][-1].func.__module__ in ours}


def _names(argnames: str | Sequence[str]) -> list[str]:
    return [name.strip() for name in argnames.split(",")] if isinstance(argnames, str) else list(argnames)
