"""Where documents disagree about a chain: reported beside the verdicts, never decided.

Documents disagree; a machine contradicts its inventory (`derived.identity`). The list is `disagreements.yml` among the embedded suites. Ids of statements that no suite of a run declares are harmless:
nothing is ever judged by them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from pytest_nestvirt.catalogue.load_catalogue import CatalogueError
from pytest_nestvirt.catalogue.requirement import RequirementId, Stance, Text
from pytest_nestvirt.catalogue.stance import HasVerdict
from pytest_nestvirt.document import DocumentError, explain, load_document
from pytest_nestvirt.embedded import embedded
from pytest_nestvirt.verdict import VERIFIED, Verdict

FILE = "disagreements.yml"

JUDGED = VERIFIED | {Verdict.WAIVED}
"""Verdicts of statements that were really held against a machine."""


_HELD = frozenset({Verdict.PASS, Verdict.LIMIT_CONFIRMED})


class Disagreement(BaseModel):
    """One subject on which documents say different things."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, StringConstraints(pattern=r"^B-[0-9]{2}$")]
    about: Text
    sides: Annotated[tuple[Annotated[tuple[RequirementId, ...], Field(min_length=1)], ...], Field(min_length=1)]
    """Statements that agree, side by side with those that don't. A single side disagrees with itself."""
    reading: Text
    """What to make of it."""


class _Disagreements(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    disagreements: tuple[Disagreement, ...]


@dataclass(frozen=True, slots=True)
class Conflict:
    """A disagreement that matters for a chain: statements of at least two sides were held against its machines."""

    disagreement: Disagreement
    statements: tuple[tuple[str, tuple[Verdict, ...]], ...]
    """Ids that disagree, each with its verdicts on the machines of the chain, in the order of the list."""
    stances: frozenset[Stance] = frozenset()
    """What these verdicts say about support."""

    @property
    def settled(self) -> bool:
        """Whether it makes no difference to the chain: all of the statements come to one answer, and to one stance.

        A document that disagrees with itself makes a difference as soon as its statement does not hold.
        """
        held = {verdict in _HELD for _, verdicts in self.statements for verdict in verdicts}
        alike = held == {True} or (held == {False} and len(self.disagreement.sides) > 1)
        return alike and len(self.stances - {Stance.NOT_STATED}) <= 1

    def __str__(self) -> str:
        named = ", ".join(f"{name} ({'/'.join(verdicts)})" for name, verdicts in self.statements)
        return f"{self.disagreement.id}: {self.disagreement.about} {named}. {self.disagreement.reading}"


def conflicts(cases: Iterable[HasVerdict], known: Iterable[Disagreement] | None = None) -> tuple[Conflict, ...]:
    """The disagreements of which two sides were judged for one chain, given the cases of all its machines.

    What did not apply, was not run or could not be observed judges nothing. `known` is the embedded list unless given.
    """
    judged: dict[str, list[HasVerdict]] = {}
    for case in cases:
        if case.verdict in JUDGED:
            judged.setdefault(case.requirement, []).append(case)
    return tuple(_conflicts(embedded_disagreements() if known is None else known, judged))


def _conflicts(known: Iterable[Disagreement], judged: Mapping[str, Sequence[HasVerdict]]) -> Iterator[Conflict]:
    for disagreement in known:
        taken = [[name for name in side if name in judged] for side in disagreement.sides]
        sides = [side for side in taken if side]
        if len(sides) >= min(2, len(disagreement.sides)):
            names = [name for side in sides for name in side]
            statements = tuple((name, tuple(dict.fromkeys(case.verdict for case in judged[name]))) for name in names)
            stances = frozenset(case.stance for name in names for case in judged[name] if case.stance is not None)
            yield Conflict(disagreement, statements, stances)


@cache
def embedded_disagreements() -> tuple[Disagreement, ...]:
    """The list that comes with the product."""
    return load_disagreements(embedded("suites") / FILE)


def load_disagreements(path: Path) -> tuple[Disagreement, ...]:
    """Read a list. Raises `CatalogueError`, one line."""
    try:
        document = load_document(path)
    except DocumentError as error:
        raise CatalogueError(str(error)) from None
    try:
        return _Disagreements.model_validate(document.data).disagreements
    except ValidationError as invalid:
        raise CatalogueError(explain(invalid, document, model=_Disagreements)[0]) from None
