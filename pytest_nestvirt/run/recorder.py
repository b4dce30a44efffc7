"""A check while it runs: what it observed, how it ended, which verdict that is."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

import pytest

from pytest_nestvirt.observation.fact import Observation, Unobservable, observing
from pytest_nestvirt.observation.render import render, without_addresses
from pytest_nestvirt.report.case import Case, Evidence
from pytest_nestvirt.report.case_text import render_case
from pytest_nestvirt.report.sanitize import plain
from pytest_nestvirt.run.assertion_text import assertion_text
from pytest_nestvirt.run.plan import Fate, Planned
from pytest_nestvirt.verdict import Blocked, Finding, PytestOutcome, Verdict, judge, pytest_outcome

VALUE_LIMIT = 300
REASON_LIMIT = 600

_UNRUN = {
    Fate.UNDECIDED: Verdict.INCONCLUSIVE,
    Fate.UNREACHABLE: Verdict.UNREACHABLE,
    Fate.NOT_APPLICABLE: Verdict.NOT_APPLICABLE,
}


def case_without_running(planned: Planned) -> Case | None:
    """The result where there is no point in running the check; None where there is."""
    verdict = _UNRUN.get(planned.fate)
    return None if verdict is None else planned.case(verdict, planned.because)


class Recorder:
    """Watches one check and makes its case."""

    def __init__(self, planned: Planned, nodeid: str = "") -> None:
        self.planned = planned
        self.nodeid = nodeid
        self.finding = Finding.CRASHED
        self.reason = "the check did not run to its end"
        self.seen: list[Observation] = []
        self.seconds = 0.0

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Turn how the check ends into a finding. What is not an answer to its question is raised on: a crash."""
        begun = time.perf_counter()
        try:
            with observing() as self.seen, warnings.catch_warnings():
                # A check that returns its answer where it should assert it would hold whatever the answer is.
                warnings.simplefilter("error", pytest.PytestReturnNotNoneWarning)
                yield
            self._held()
        except Unobservable as unknown:
            self._found(Finding.UNOBSERVABLE, str(unknown))
        except Blocked as consequence:
            self._found(Finding.BLOCKED, str(consequence))
        except AssertionError as refuted:
            self._found(Finding.REFUTED, assertion_text(refuted))
        except pytest.skip.Exception as skipped:
            self._found(Finding.UNOBSERVABLE, f"the check skipped itself: {skipped.msg}")
        except pytest.fail.Exception as failed:
            # From outside (a timeout, an async check that nobody runs) it is no answer to anything.
            self._found(Finding.REFUTED if self.seen else Finding.CRASHED, str(failed.msg))
        except Exception as crash:  # the one place where a crash becomes a verdict; it is raised on
            self._found(Finding.CRASHED, f"{type(crash).__name__}: {crash}")
            raise
        finally:
            self.seconds = time.perf_counter() - begun

    def _held(self) -> None:
        """A check that looked at nothing has verified nothing, whatever it does not assert."""
        if self.seen:
            self._found(Finding.HELD, "")
        else:
            self._found(Finding.CRASHED, "the check read no facts, so passing proves nothing")

    def _found(self, finding: Finding, reason: str) -> None:
        self.finding = finding
        self.reason = plain(without_addresses(reason), REASON_LIMIT)

    @cached_property
    def case(self) -> Case:
        """The result, with its evidence. Read it when the check is over: it is made once."""
        requirement = self.planned.requirement
        verdict = judge(self.finding, requirement.kind, requirement.obligation)
        return self.planned.case(
            verdict,
            self.reason,
            evidence=tuple(map(_evidence, self.seen)),
            seconds=self.seconds,
            nodeid=self.nodeid,
        )


def _evidence(seen: Observation) -> Evidence:
    return Evidence(seen.host, seen.level, seen.fact, plain(render(seen.value), VALUE_LIMIT), seen.sources)


def tell_pytest(case: Case) -> None:
    """End the call phase of an item as its verdict demands: return, fail or skip."""
    match pytest_outcome(case.verdict, case.obligation):
        case PytestOutcome.FAILED:
            pytest.fail(render_case(case), pytrace=False)
        case PytestOutcome.SKIPPED:
            pytest.skip(f"{case.requirement}: {case.verdict} on {case.host}: {case.reason}")
        case PytestOutcome.PASSED:
            return
