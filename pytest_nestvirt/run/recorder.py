"""A check while it runs: what it observed, how it ended, which verdict that is."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property

import pytest

from pytest_nestvirt.observation.fact import Observation, Unobservable, observing
from pytest_nestvirt.observation.render import render, without_addresses
from pytest_nestvirt.report.case import Case, Evidence
from pytest_nestvirt.report.case_text import render_case
from pytest_nestvirt.report.sanitize import plain
from pytest_nestvirt.run.check_ending import Ending, ending_of, watching_threads, worst
from pytest_nestvirt.run.plan import Fate, Planned
from pytest_nestvirt.verdict import Blocked, Finding, PytestOutcome, Verdict, judge, pytest_outcome

VALUE_LIMIT = 300
REASON_LIMIT = 600

_UNRUN = {
    Fate.UNDECIDED: Verdict.INCONCLUSIVE,
    Fate.UNREACHABLE: Verdict.UNREACHABLE,
    Fate.CRASHED: Verdict.ERROR,
    Fate.NOT_APPLICABLE: Verdict.NOT_APPLICABLE,
}


def case_without_running(planned: Planned) -> Case | None:
    """The result where there is no point in running the check; None where there is."""
    verdict = _UNRUN.get(planned.fate)
    return None if verdict is None else planned.case(verdict, planned.because)


class Recorder:
    """Watches one check and makes its case. `check_globals` are those of the check's module."""

    def __init__(self, planned: Planned, nodeid: str = "", check_globals: Mapping[str, object] | None = None) -> None:
        self.planned = planned
        self.nodeid = nodeid
        self.check_globals = check_globals if check_globals is not None else {}
        self.is_watching = False
        self.endings: list[Ending] = []
        self.seen: list[Observation] = []
        self.seconds = 0.0

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Turn how the check ends into a finding. What is not an answer to its question is raised on: a crash."""
        begun = time.perf_counter()
        self.is_watching = True
        try:
            with watching_threads(self.endings), observing() as self.seen, warnings.catch_warnings():
                # A check that returns its answer where it should assert it would hold whatever the answer is.
                warnings.simplefilter("error", pytest.PytestReturnNotNoneWarning)
                yield
            self.endings.append(self._held())
        except (Unobservable, Blocked, AssertionError, pytest.skip.Exception, pytest.fail.Exception) as answer:
            self.ended_by(answer)
        except BaseException as crash:  # the one place where a crash becomes a verdict; it is raised on
            self.ended_by(crash)
            raise
        finally:
            self.is_watching = False
            self.seconds = time.perf_counter() - begun

    def ended_by(self, error: BaseException) -> None:
        """Take note of an exception that left the check or a subtest of it (which goes on after it)."""
        self.endings.append(ending_of(error, self.check_globals))

    def _held(self) -> Ending:
        """A check that looked at nothing has verified nothing, whatever it does not assert."""
        if self.seen:
            return Ending(Finding.HELD)
        return Ending(Finding.CRASHED, "the check read no facts, so passing proves nothing")

    @property
    def ending(self) -> Ending:
        """The one that counts."""
        return worst(self.endings or [Ending(Finding.CRASHED, "the check did not run to its end")])

    @cached_property
    def case(self) -> Case:
        """The result, with its evidence. Read it when the check is over: it is made once."""
        requirement = self.planned.requirement
        ending = self.ending
        return self.planned.case(
            judge(ending.finding, requirement.kind, requirement.obligation),
            plain(without_addresses(ending.reason), REASON_LIMIT),
            evidence=tuple(map(_evidence, self.seen)),
            seconds=self.seconds,
            nodeid=self.nodeid,
        )


def _evidence(seen: Observation) -> Evidence:
    return Evidence(seen.host, seen.level, seen.fact, plain(render(seen.value), VALUE_LIMIT), seen.sources)


def end_in_pytest(case: Case) -> None:
    """End the call phase of an item as its verdict demands: return, fail or skip."""
    match pytest_outcome(case.verdict, case.obligation):
        case PytestOutcome.FAILED:
            pytest.fail(render_case(case), pytrace=False)
        case PytestOutcome.SKIPPED:
            pytest.skip(f"{case.requirement}: {case.verdict} on {case.host}: {case.reason}")
        case PytestOutcome.PASSED:
            return
