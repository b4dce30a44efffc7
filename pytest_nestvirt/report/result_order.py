"""The order of cases in a report: by host, by source, and then as the source has its requirements."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

from pytest_nestvirt.report.case import Case, RunReport


def in_order(run: RunReport) -> tuple[Case, ...]:
    """The cases by host (order of the inventory) and source; requirements stay in the order they are given in."""
    places = {host.name: place for place, host in enumerate(run.hosts)}
    return tuple(sorted(run.cases, key=lambda case: (places.get(case.host, len(places)), case.host, case.source)))


def requirement_places(cases: Iterable[Case]) -> Mapping[str, int]:
    """A number for each requirement, so that sorting by it gives every host its cases in the order they are given in.

    No host has all requirements of a source, so their order is put together from those of all hosts. Where two hosts have them in
    opposite orders, which no catalogue does, that of their first occurrence is taken.
    """
    lines: dict[tuple[str, str], list[str]] = {}
    for case in cases:
        lines.setdefault((case.host, case.source), []).append(case.requirement)
    distinct = list(dict.fromkeys(map(tuple, lines.values())))
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for line in distinct:
        for requirement in line:
            sorter.add(requirement)
        for before, after in pairwise(line):
            sorter.add(after, before)
    try:
        order = list(sorter.static_order())
    except CycleError:
        order = list(dict.fromkeys(requirement for line in distinct for requirement in line))
    return {requirement: place for place, requirement in enumerate(order)}
