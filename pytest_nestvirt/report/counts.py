"""Lines with counts of verdicts, of one chain or of a whole run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from pytest_nestvirt.catalogue.requirement import Needs
from pytest_nestvirt.report.case import Case, WhyNotRun
from pytest_nestvirt.report.chain_state import was_left_out
from pytest_nestvirt.report.layout import UNBROKEN, Line, labelled
from pytest_nestvirt.verdict import Obligation, Verdict

WORST_FIRST = (
    Verdict.FAIL,
    Verdict.ERROR,
    Verdict.UNREACHABLE,
    Verdict.INCONCLUSIVE,
    Verdict.BLOCKED,
    Verdict.WARN,
    Verdict.WAIVED,
    Verdict.LIMIT_LIFTED,
    Verdict.LIMIT_CONFIRMED,
    Verdict.PASS,
    Verdict.NOT_RUN,
)
"""Order of the counts; what does not apply has a line of its own."""

CHANGING = tuple(need for need in Needs if need is not Needs.READ_ONLY)
"""The permissions a person can give."""


def verdict_lines(cases: Sequence[Case], width: int) -> Iterator[Line]:
    """How many cases have each verdict, worst first; what does not apply apart."""
    counts = Counter(case.verdict for case in cases)
    musts = sum(case.verdict is Verdict.INCONCLUSIVE and case.obligation is Obligation.MUST for case in cases)
    text = [f"{counts[v]} {v}{_of_musts(v, musts)}".replace(" ", UNBROKEN) for v in WORST_FIRST if counts[v]]
    yield from labelled("verdicts", ", ".join(text) or "none", width, lines=3)
    if counts[Verdict.NOT_APPLICABLE]:
        yield from labelled("", f"{counts[Verdict.NOT_APPLICABLE]} {Verdict.NOT_APPLICABLE}", width, ("light",))


def _of_musts(verdict: Verdict, musts: int) -> str:
    return f" ({musts} of a must)" if verdict is Verdict.INCONCLUSIVE and musts else ""


def not_run_lines(cases: Sequence[Case], width: int) -> Iterator[Line]:
    """What was not run, by the reason."""
    not_run = [case for case in cases if case.verdict is Verdict.NOT_RUN]
    needs = Counter(case.needs for case in not_run if case.not_run is WhyNotRun.NO_PERMISSION)
    text = [f"{_need(needs[need])} permission `{need}`" for need in CHANGING if needs[need]]
    unseen = sum(case.not_run is WhyNotRun.NOT_OBSERVABLE for case in not_run)
    left_out = sum(map(was_left_out, not_run))
    text += [f"{unseen} cannot be observed by any check"] * bool(unseen)
    text += [f"{left_out} deselected or cut short"] * bool(left_out)
    if text:
        yield from labelled("not run", ", ".join(text), width, lines=3)


def _need(number: int) -> str:
    return f"{number} {'needs' if number == 1 else 'need'}"
