"""How verdicts look on the terminal while tests run, and the summary at the end."""

from __future__ import annotations

import pytest

from pytest_nestvirt.report.case import Case, RunReport
from pytest_nestvirt.report.summary import summary_lines
from pytest_nestvirt.verdict import Verdict

LETTERS = {
    Verdict.WARN: ("w", "yellow"),
    Verdict.LIMIT_CONFIRMED: ("l", "green"),
    Verdict.LIMIT_LIFTED: ("L", "yellow"),
    Verdict.INCONCLUSIVE: ("?", "yellow"),
    Verdict.UNREACHABLE: ("U", "red"),
    Verdict.NOT_APPLICABLE: ("-", "yellow"),
}
"""Verdicts that pytest's own letters would hide."""


def status(case: Case, outcome: str) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:
    """Category, letter and word for a case; the category stays pytest's, so that its counts and exit code hold."""
    if case.verdict not in LETTERS:
        return None
    letter, colour = LETTERS[case.verdict]
    return outcome, letter, (case.verdict.upper(), {"red" if outcome == "failed" else colour: True})


def write_summary(reporter: pytest.TerminalReporter, report: RunReport, *, verbose: bool) -> None:
    """Write what the run found out about all chains, as wide as the terminal is."""
    reporter.section("nested virtualization")
    for line in summary_lines(report, reporter._tw.fullwidth, verbose=verbose):  # noqa: SLF001 - pytest offers no other width
        reporter.write_line(line.text, **dict.fromkeys(line.styles, True))
