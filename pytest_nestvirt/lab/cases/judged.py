"""Whether a run over a lab found what the case expects, requirement by requirement."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_nestvirt.lab.cases.lab_case import LabCase
from pytest_nestvirt.report.case import RunReport
from pytest_nestvirt.verdict import Verdict

_LEFT_OUT = frozenset({Verdict.NOT_APPLICABLE, Verdict.NOT_RUN})
_NONE = "nothing"


def deviations(case: LabCase, report: RunReport) -> tuple[str, ...]:
    """One line for each requirement and stance that came out otherwise than expected, or unexpectedly, or not at all.

    A run that left something out, or over machines that are not those of the inventory, has judged no lab.
    """
    return (*_verdicts(case, report), *_stances(case, report), *_doubts(report))


def _verdicts(case: LabCase, report: RunReport) -> Iterator[str]:
    expected = case.expected.table()
    found = {(case.host, case.requirement): case for case in report.cases if case.verdict not in _LEFT_OUT}
    for key in sorted(expected.keys() | found.keys()):
        host, requirement = key
        wanted = expected.get(key, "no verdict")
        seen = found[key].verdict if key in found else "no verdict"
        if seen != wanted:
            reason = f" ({found[key].reason})" if key in found and found[key].reason else ""
            yield f"{requirement} on {host}: expected {wanted}, seen {seen}{reason}"


def _stances(case: LabCase, report: RunReport) -> Iterator[str]:
    expected = case.expected.stances
    for chain in report.chains:
        found = {stance.source: stance.stance for stance in chain.stances}
        for source in sorted(expected.keys() | found.keys()):
            wanted, seen = expected.get(source, _NONE), found.get(source, _NONE)
            if seen != wanted:
                yield f"{source} on the support of {chain.name}: expected {wanted}, seen {seen}"


def _doubts(report: RunReport) -> Iterator[str]:
    if not report.complete:
        yield f"the run is not complete: {report.incomplete_because}"
    for host in report.hosts:
        if host.contradiction:
            yield f"{host.name}: {host.contradiction}"
