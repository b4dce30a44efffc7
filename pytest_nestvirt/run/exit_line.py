"""The last line of a run: why its exit status is what it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pytest_nestvirt.report.layout import cut
from pytest_nestvirt.run.chain_items import ChainOutcome
from pytest_nestvirt.verdict import PytestOutcome

LISTED = 3
"""How many chains the line names before it counts the rest."""


def exit_line(status: int, outcomes: Sequence[ChainOutcome], failed_tests: int, notes: Sequence[str] = ()) -> str:
    """`nestvirt: exit status 1: 1 of 2 chains not conforming: kvm01 > vm01 (undecided)`.

    `failed_tests` are those that failed beside the outcomes, in any phase; `notes` what else a person should know.
    """
    parts = [*_conformity(outcomes), *([f"{_counted(failed_tests, 'test')} failed"] if failed_tests else []), *notes]
    return f"nestvirt: exit status {status}: {'; '.join(parts)}"


def _conformity(outcomes: Sequence[ChainOutcome]) -> Iterator[str]:
    noun = "chain" if all(outcome.kind == "chain" for outcome in outcomes) else "result"
    failed = [outcome for outcome in outcomes if outcome.outcome is PytestOutcome.FAILED]
    skipped = [outcome for outcome in outcomes if outcome.outcome is PytestOutcome.SKIPPED]
    if failed:
        yield f"{len(failed)} of {_counted(len(outcomes), noun)} not conforming: {_named(failed)}"
    if skipped:
        yield f"{len(skipped)} of {_counted(len(outcomes), noun)} verified in part: {_named(skipped)}"
    if outcomes and not failed and not skipped:
        yield f"{_counted(len(outcomes), noun)}, all conforming: {_named(outcomes)}"


def _named(outcomes: Sequence[ChainOutcome]) -> str:
    named = ", ".join(f"{cut(outcome.name, 80)} ({outcome.state})" for outcome in outcomes[:LISTED])
    return f"{named} and {len(outcomes) - LISTED} more" if len(outcomes) > LISTED else named


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
