"""What a source says about the vendor's support of a chain: the second axis, never mixed with the verdict.

A requirement's `stance:` maps its verdicts to stances; a case has the stance of its verdict. The chain has
the worst stance that any of its cases carries, so `supported` needs a statement that says so and none that speaks
against it. An undecided verdict (see `requirement.UNDECIDED`) carries `not-stated`, which is worse than any support.

A machine that the inventory has judged as something it is not (`treat_as: rhel` on a rebuild) makes its chain
unsupported: the statements about releases are put aside for it, and `applicability.Applies.stance` carries that.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from pytest_nestvirt.catalogue.requirement import UNDECIDED, Stance
from pytest_nestvirt.verdict import Verdict

WORST_FIRST = tuple(Stance)


class HasVerdict(Protocol):
    """What is needed of a `report.case.Case`, which is above this layer."""

    @property
    def requirement(self) -> str:
        """Id of the statement."""

    @property
    def source(self) -> str:
        """Id of the document."""

    @property
    def host(self) -> str:
        """Name of the machine."""

    @property
    def verdict(self) -> Verdict:
        """What was found."""

    @property
    def stance(self) -> Stance | None:
        """What that says about support; None where it says nothing."""


def chain_stance(source_id: str, cases: Iterable[HasVerdict]) -> tuple[Stance, tuple[str, ...]]:
    """The stance of one source on a chain, from the cases of all its machines, and the lines that decided it."""
    speaking = [case for case in cases if case.source == source_id and case.stance is not None]
    worst = min((case.stance for case in speaking if case.stance), key=WORST_FIRST.index, default=Stance.NOT_STATED)
    return worst, tuple(_line(case) for case in speaking if case.stance is worst)


def _line(case: HasVerdict) -> str:
    undecided = "undecided: " if case.verdict in UNDECIDED else ""
    return f"{undecided}{case.requirement} on {case.host} ({case.verdict})"
