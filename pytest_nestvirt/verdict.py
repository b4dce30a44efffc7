"""From what a check found out to what the report says of it: the one place where verdicts are made."""

from __future__ import annotations

from enum import StrEnum


class Blocked(Exception):  # noqa: N818 - the word of the verdict: nothing went wrong in the check
    """Raised by a check whose question has no point yet: something that it builds on does not hold, and says so itself.

    An L1 that lacks vmx while its host has nesting off is such a consequence, not a second finding.
    """


class Kind(StrEnum):
    """What sort of statement a requirement is."""

    REQUIREMENT = "requirement"
    LIMITATION = "limitation"
    RECOMMENDATION = "recommendation"
    PROCEDURE = "procedure"
    CLAIM = "claim"


class Obligation(StrEnum):
    """How strongly its source puts it."""

    MUST = "must"
    SHOULD = "should"
    MAY = "may"
    INFO = "info"


class Finding(StrEnum):
    """How a check ended, before that is weighed."""

    HELD = "held"
    REFUTED = "refuted"
    UNOBSERVABLE = "unobservable"
    UNREACHABLE = "unreachable"
    BLOCKED = "blocked"
    CRASHED = "crashed"


class Verdict(StrEnum):
    """What a report says of one requirement on one machine."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    WARN = "warn"
    LIMIT_CONFIRMED = "limit-confirmed"
    LIMIT_LIFTED = "limit-lifted"
    NOT_APPLICABLE = "not-applicable"
    INCONCLUSIVE = "inconclusive"
    BLOCKED = "blocked"
    NOT_RUN = "not-run"
    WAIVED = "waived"
    UNREACHABLE = "unreachable"
    ERROR = "error"


class PytestOutcome(StrEnum):
    """The three words pytest has."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


VERIFIED = frozenset({Verdict.PASS, Verdict.WARN, Verdict.LIMIT_CONFIRMED, Verdict.LIMIT_LIFTED, Verdict.FAIL})
"""Verdicts that rest on an observation of the machine."""


def judge(finding: Finding, kind: Kind, obligation: Obligation) -> Verdict:
    """The verdict for a finding about a requirement of that kind and obligation.

    A refuted must is a fail, a refuted should a warning; a claim, and whatever is only permitted or mentioned, warns at
    most; a refuted limitation has been lifted, which is never a failure.
    """
    match finding:
        case Finding.HELD:
            return Verdict.LIMIT_CONFIRMED if kind is Kind.LIMITATION else Verdict.PASS
        case Finding.REFUTED:
            if kind is Kind.LIMITATION:
                return Verdict.LIMIT_LIFTED
            return Verdict.FAIL if obligation is Obligation.MUST and kind is not Kind.CLAIM else Verdict.WARN
        case Finding.UNOBSERVABLE:
            return Verdict.INCONCLUSIVE
        case Finding.UNREACHABLE:
            return Verdict.UNREACHABLE
        case Finding.BLOCKED:
            return Verdict.BLOCKED
        case Finding.CRASHED:
            return Verdict.ERROR


def pytest_outcome(verdict: Verdict, obligation: Obligation) -> PytestOutcome:
    """How a verdict meets pytest."""
    match verdict:
        case Verdict.PASS | Verdict.WARN | Verdict.LIMIT_CONFIRMED | Verdict.LIMIT_LIFTED:
            return PytestOutcome.PASSED
        case Verdict.FAIL | Verdict.UNREACHABLE | Verdict.ERROR:
            return PytestOutcome.FAILED
        case Verdict.INCONCLUSIVE if obligation is Obligation.MUST:
            return PytestOutcome.FAILED
        case _:
            return PytestOutcome.SKIPPED
