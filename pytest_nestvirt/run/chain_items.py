"""One test result per chain, so that everything that counts tests counts the state of each chain.

They are reports without test items: a chain's state depends on every item of the run, and with pytest-xdist only the
controller, which runs none of them, has all the results. A report cannot be deselected, distributed or rerun either.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pytest

from pytest_nestvirt.report.case import Case, RunReport
from pytest_nestvirt.report.chain_state import (
    CONFORMING,
    ChainResult,
    ChainState,
    chain_results,
    leaves_open,
    shows_conformity,
    was_left_out,
)
from pytest_nestvirt.report.sanitize import plain
from pytest_nestvirt.verdict import PytestOutcome, Verdict

PREFIX = "nestvirt"
CHAIN = "nestvirt.chain"
CHAIN_STATE = "nestvirt.chain.state"
"""Properties of these results."""
LISTED = 5
"""How many cases a message names before it counts the rest."""
NAME_LIMIT = 400
ALLOWED = "allowed by --nestvirt-allow-partial"


@dataclass(frozen=True, slots=True)
class ChainOutcome:
    """What a chain, or the run, amounts to in pytest's words."""

    kind: str
    """`chain`, `manifest` or `report`: what it is the result of."""
    name: str
    state: str
    outcome: PytestOutcome
    why: str = ""
    """What keeps it from passing, one line."""

    @property
    def nodeid(self) -> str:
        """`nestvirt::chain[kvm01 > vm01]`."""
        return f"{PREFIX}::{self.kind}[{plain(self.name, NAME_LIMIT)}]"


def chain_outcomes(run: RunReport, *, allow_partial: bool = False) -> list[ChainOutcome]:
    """The outcome of every chain and manifest: passed only if it conforms and the run was complete.

    With `allow_partial`, a chain of which nothing is wrong but that a part was not looked at is skipped, unless nothing at all
    was verified in the run.
    """
    results = list(chain_results(run))
    parts = [_without_what_was_left_out(result) for result in results]
    lenient = allow_partial and any(part.state is not ChainState.NOTHING_VERIFIED for part in parts)
    return [_outcome(result, part if lenient else None, run) for result, part in zip(results, parts, strict=True)]


def _outcome(result: ChainResult, part: ChainResult | None, run: RunReport) -> ChainOutcome:
    kind = "manifest" if any(not host.is_machine for host in result.hosts) else "chain"
    name, state = result.chain.name, str(result.state)
    if result.state in CONFORMING:
        return ChainOutcome(kind, name, state, PytestOutcome.PASSED)
    why = "; ".join(_reasons(result, run))
    if part is not None and (part.state in CONFORMING or _was_not_run(result, part)):
        return ChainOutcome(kind, name, state, PytestOutcome.SKIPPED, f"{why} ({ALLOWED})")
    return ChainOutcome(kind, name, state, PytestOutcome.FAILED, why)


def _without_what_was_left_out(result: ChainResult) -> ChainResult:
    cases = tuple(case for case in result.cases if not was_left_out(case))
    return replace(result, cases=cases, complete=len(result.hosts) == len(result.chain.hosts))


def _was_not_run(result: ChainResult, part: ChainResult) -> bool:
    """Whether nothing of the chain was verified because it was left out, not because there is nothing to verify."""
    return part.state is ChainState.NOTHING_VERIFIED and len(part.cases) < len(result.cases)


def _reasons(result: ChainResult, run: RunReport) -> Iterator[str]:
    """Why the chain does not conform, worst first."""
    yield from _listed("fail", result.of(Verdict.FAIL))
    if result.state is ChainState.NOTHING_VERIFIED:
        yield "no requirement of this chain was verified"
    elif not shows_conformity(result.cases):
        yield "no must of this chain was verified"
    yield from result.contradictions
    if result.unreachable:
        yield f"unreachable: {', '.join(plain(host.name, 60) for host in result.unreachable[:LISTED])}"
    open_cases = [case for case in result.cases if leaves_open(case) and case.verdict is not Verdict.UNREACHABLE]
    for verdict in dict.fromkeys(case.verdict for case in open_cases if case.verdict is not Verdict.NOT_RUN):
        yield from _listed(str(verdict), [case for case in open_cases if case.verdict is verdict])
    if not run.complete:
        yield f"the run is incomplete: {plain(run.incomplete_because, 300)}"
    elif not_run := [case for case in open_cases if case.verdict is Verdict.NOT_RUN]:
        yield from _listed("not run", not_run)


def _listed(label: str, cases: Sequence[Case]) -> Iterator[str]:
    if cases:
        named = ", ".join(f"{case.requirement} on {plain(case.host, 60)}" for case in cases[:LISTED])
        more = f" and {len(cases) - LISTED} more" if len(cases) > LISTED else ""
        yield f"{label}: {named}{more}"


def announce(config: pytest.Config, outcome: ChainOutcome) -> None:
    """Report the outcome as a test that ran: setup, call and teardown, as every reporter expects them."""
    location = (PREFIX, None, outcome.nodeid.partition("::")[2])
    hook = config.hook
    hook.pytest_runtest_logstart(nodeid=outcome.nodeid, location=location)
    for when in ("setup", "call", "teardown"):
        hook.pytest_runtest_logreport(report=_report(outcome, when, location))
    hook.pytest_runtest_logfinish(nodeid=outcome.nodeid, location=location)


def _report(outcome: ChainOutcome, when: str, location: tuple[str, None, str]) -> pytest.TestReport:
    result = outcome.outcome if when == "call" else PytestOutcome.PASSED
    message = f"{outcome.state}: {outcome.why}"
    longrepr: str | tuple[str, int, str] | None
    match result:
        case PytestOutcome.FAILED:
            longrepr = message
        case PytestOutcome.SKIPPED:
            longrepr = (PREFIX, 0, f"Skipped: {message}")
        case PytestOutcome.PASSED:
            longrepr = None
    now = time.time()
    return pytest.TestReport(
        nodeid=outcome.nodeid,
        location=location,
        keywords={outcome.nodeid: 1, PREFIX: 1},
        outcome=result.value,
        longrepr=longrepr,
        when=when,  # type: ignore[arg-type]
        sections=(),
        duration=0.0,
        start=now,
        stop=now,
        user_properties=[(CHAIN, outcome.name), (CHAIN_STATE, outcome.state)],
    )
