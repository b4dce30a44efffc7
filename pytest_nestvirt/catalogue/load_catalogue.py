"""From folders with a `requirements.yml` to the catalogue of a run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from pydantic import ValidationError

from pytest_nestvirt.catalogue.requirement import Requirement, Suite
from pytest_nestvirt.document import Document, DocumentError, explain, load_document
from pytest_nestvirt.facts.system.os_expression import parse

REQUIREMENTS = "requirements.yml"


class CatalogueError(ValueError):
    """A suite that can't be used: one line, `FILE:LINE: key.path: what was expected`."""


@dataclass(frozen=True)
class Catalogue:
    """The suites of a run, each requirement id once."""

    suites: tuple[Suite, ...]
    _by_id: Mapping[str, tuple[Suite, Requirement]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        found = {r.id: (suite, r) for suite in self.suites for r in suite.requirements}
        object.__setattr__(self, "_by_id", found)

    def __contains__(self, requirement_id: object) -> bool:
        return requirement_id in self._by_id

    def __iter__(self) -> Iterator[Requirement]:
        """Every requirement, suite by suite, in the order of the files."""
        return (requirement for suite in self.suites for requirement in suite.requirements)

    def requirement(self, requirement_id: str) -> Requirement:
        """The requirement of that id. Raises KeyError."""
        return self._by_id[requirement_id][1]

    def suite_of(self, requirement_id: str) -> Suite:
        """The suite that declares it. Raises KeyError."""
        return self._by_id[requirement_id][0]

    def suite(self, source_id: str) -> Suite:
        """The suite of that source. Raises KeyError."""
        for suite in self.suites:
            if suite.source.id == source_id:
                return suite
        raise KeyError(source_id)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of what the suites say, independent of layout, comments, key order and where they lie."""
        said = [suite.model_dump(mode="json", by_alias=True, exclude={"folder"}) for suite in self.suites]
        said.sort(key=lambda suite: str(suite["source"]["id"]))
        return hashlib.sha256(json.dumps(said, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


def load_suite(folder: Path) -> Suite:
    """The suite in a folder. Raises `CatalogueError`."""
    try:
        document = load_document(folder / REQUIREMENTS)
        return _validated(document).model_copy(update={"folder": folder})
    except DocumentError as error:
        raise CatalogueError(str(error)) from None


def load_catalogue(folders: Iterable[Path]) -> Catalogue:
    """The suites of several folders. Raises `CatalogueError`, also for an id that two of them use."""
    suites: list[Suite] = []
    for folder in folders:
        suite = load_suite(folder)
        _refuse_clashes(suite, suites)
        suites.append(suite)
    return Catalogue(tuple(suites))


def _validated(document: Document) -> Suite:
    if "folder" in document.data:
        raise document.error("unknown key; where the suite lies is not written in it", "folder")
    try:
        suite = Suite.model_validate(document.data)
    except ValidationError as invalid:
        first, *more = explain(invalid, document, model=Suite)
        raise CatalogueError(first + (f" (and {len(more)} more problems)" if more else "")) from None
    _refuse_bad_expressions(suite, document)
    return suite


def _refuse_bad_expressions(suite: Suite, document: Document) -> None:
    for index, alternative in enumerate(suite.applies):
        for level, conditions in alternative.items():
            _parse_all(conditions.expressions(), document, "applies", index, level)
    for index, requirement in enumerate(suite.requirements):
        for level, conditions in requirement.applies.items():
            _parse_all(conditions.expressions(), document, "requirements", index, "applies", level)


def _parse_all(expressions: Iterable[str], document: Document, *keys: str | int) -> None:
    for expression in expressions:
        try:
            parse(expression)
        except ValueError as error:
            raise document.error(str(error), *keys) from None


def _refuse_clashes(suite: Suite, earlier: Iterable[Suite]) -> None:
    for other in earlier:
        if other.source.id == suite.source.id:
            raise _clash(
                suite, f"the source {suite.source.id} is also declared by {other.folder / REQUIREMENTS}", "source"
            )
        taken = {requirement.id for requirement in other.requirements}
        for index, requirement in enumerate(suite.requirements):
            if requirement.id in taken:
                where = other.folder / REQUIREMENTS
                raise _clash(suite, f"{requirement.id} is also declared in {where}", "requirements", index, "id")


def _clash(suite: Suite, problem: str, *keys: str | int) -> CatalogueError:
    return CatalogueError(str(load_document(suite.folder / REQUIREMENTS).error(problem, *keys)))
