"""Whether a run over a lab found what the case expects, requirement by requirement."""

from __future__ import annotations

from pytest_nestvirt.lab.model import LabCase
from pytest_nestvirt.report.model import RunReport
from pytest_nestvirt.verdict import Verdict

_LEFT_OUT = frozenset({Verdict.NOT_APPLICABLE, Verdict.NOT_RUN})


def deviations(case: LabCase, report: RunReport) -> tuple[str, ...]:
    """One line for each requirement that was judged otherwise than expected, or unexpectedly, or not at all."""
    expected = case.expected.table()
    found = {(told.host, told.requirement): told for told in report.cases if told.verdict not in _LEFT_OUT}
    lines = []
    for key in sorted(expected.keys() | found.keys()):
        host, requirement = key
        wanted = expected.get(key, "no verdict")
        seen = found[key].verdict if key in found else "no verdict"
        if seen != wanted:
            reason = f" ({found[key].reason})" if key in found and found[key].reason else ""
            lines.append(f"{requirement} on {host}: expected {wanted}, seen {seen}{reason}")
    return tuple(lines)
