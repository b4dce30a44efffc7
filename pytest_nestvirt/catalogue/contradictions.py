"""Where documents disagree about a chain: told beside the verdicts, never decided.

The list is `contradictions.yml` among the embedded suites. Ids of statements that no suite of a run declares are harmless:
nothing is ever judged by them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from pytest_nestvirt.catalogue.load import CatalogueError, embedded_suites
from pytest_nestvirt.catalogue.model import RequirementId, Text
from pytest_nestvirt.catalogue.stance import Judged
from pytest_nestvirt.document import DocumentError, explain, load_document
from pytest_nestvirt.verdict import VERIFIED, Verdict

FILE = "contradictions.yml"

JUDGED = VERIFIED | {Verdict.WAIVED}
"""Verdicts of statements that were really held against a machine."""


_HELD = frozenset({Verdict.PASS, Verdict.LIMIT_CONFIRMED})


class Contradiction(BaseModel):
    """One subject on which documents say different things."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, StringConstraints(pattern=r"^B-[0-9]{2}$")]
    about: Text
    sides: Annotated[tuple[Annotated[tuple[RequirementId, ...], Field(min_length=1)], ...], Field(min_length=1)]
    """Statements that agree, side by side with those that don't. A single side contradicts itself."""
    reading: Text
    """What to make of it."""


class _Contradictions(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    contradictions: tuple[Contradiction, ...]


@dataclass(frozen=True, slots=True)
class Conflict:
    """A contradiction that matters for a chain: statements of at least two sides were held against its machines."""

    contradiction: Contradiction
    statements: tuple[tuple[str, tuple[Verdict, ...]], ...]
    """Ids that disagree, each with its verdicts on the machines of the chain, in the order of the list."""

    @property
    def id(self) -> str:
        """`B-03`."""
        return self.contradiction.id

    @property
    def satisfied(self) -> bool:
        """Whether the chain does justice to all of them, however much they differ."""
        return all(verdict in _HELD for _, verdicts in self.statements for verdict in verdicts)

    def __str__(self) -> str:
        named = ", ".join(f"{name} ({'/'.join(verdicts)})" for name, verdicts in self.statements)
        return f"{self.id}: {self.contradiction.about} {named}. {self.contradiction.reading}"


def conflicts(cases: Iterable[Judged], known: Iterable[Contradiction] | None = None) -> tuple[Conflict, ...]:
    """The contradictions of which two sides were judged for one chain, given the cases of all its machines.

    What did not apply, was not run or could not be observed judges nothing. `known` is the embedded list unless given.
    """
    verdicts: dict[str, dict[Verdict, None]] = {}
    for case in cases:
        if case.verdict in JUDGED:
            verdicts.setdefault(case.requirement, {})[case.verdict] = None
    listed = embedded_contradictions() if known is None else known
    return tuple(_conflicts(listed, {name: tuple(found) for name, found in verdicts.items()}))


def notes(found: Iterable[Conflict]) -> tuple[str, ...]:
    """What a report says of them: a line for each that makes a difference, one for all that the chain satisfies anyway."""
    found = tuple(found)
    open_ones = tuple(str(conflict) for conflict in found if not conflict.satisfied)
    settled = ", ".join(_named(conflict) for conflict in found if conflict.satisfied)
    return (*open_ones, *([f"the chain satisfies both sides of {settled}"] if settled else []))


def _named(conflict: Conflict) -> str:
    return f"{conflict.id} ({', '.join(name for name, _ in conflict.statements)})"


def _conflicts(known: Iterable[Contradiction], verdicts: Mapping[str, tuple[Verdict, ...]]) -> Iterator[Conflict]:
    for contradiction in known:
        taken = [[name for name in side if name in verdicts] for side in contradiction.sides]
        sides = [side for side in taken if side]
        if len(sides) >= min(2, len(contradiction.sides)):
            yield Conflict(contradiction, tuple((name, verdicts[name]) for side in sides for name in side))


@cache
def embedded_contradictions() -> tuple[Contradiction, ...]:
    """The list that comes with the product."""
    return load_contradictions(embedded_suites() / FILE)


def load_contradictions(path: Path) -> tuple[Contradiction, ...]:
    """Read a list. Raises `CatalogueError`, one line."""
    try:
        document = load_document(path)
    except DocumentError as error:
        raise CatalogueError(str(error)) from None
    try:
        return _Contradictions.model_validate(document.data).contradictions
    except ValidationError as invalid:
        raise CatalogueError(explain(invalid, document, model=_Contradictions)[0]) from None
