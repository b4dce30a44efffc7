"""Requirements, sources and suites, as their `requirements.yml` declare them."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from pytest_nestvirt.catalogue.conditions import Conditions
from pytest_nestvirt.verdict import Kind, Obligation, Verdict

RequirementId = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]+(-[A-Z0-9]+)+$")]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class Needs(StrEnum):
    """Safety class of a check: what it does to the machines it looks at."""

    READ_ONLY = "read-only"
    MEASURE = "measure"
    """Puts a load of a few seconds on the machines, and leaves nothing behind."""
    L2 = "l2"
    RELOAD = "reload"
    SAVE = "save"
    MIGRATE = "migrate"
    L3 = "l3"


class Stance(StrEnum):
    """What a source says about the vendor's support for a chain; worst first."""

    NOT_WORKING = "not-working"
    UNSUPPORTED = "unsupported"
    PLANNED = "planned"
    NOT_STATED = "not-stated"
    TECHNOLOGY_PREVIEW = "technology-preview"
    SUPPORTED = "supported"


Level = Literal["l0", "l1", "l2", "manifest"]
"""What a statement is about: a machine by its depth, or an object of a manifest."""


def level_name(level: int | None) -> str:
    """How requirements name a level: `l0` for 0, `manifest` for an object of a manifest, which has none."""
    return "manifest" if level is None else f"l{level}"


UNDECIDED = frozenset(
    {
        Verdict.INCONCLUSIVE,
        Verdict.UNREACHABLE,
        Verdict.ERROR,
        Verdict.BLOCKED,
        Verdict.NOT_RUN,
        Verdict.WAIVED,
    }
)
"""Verdicts after which it is unknown whether the statement holds."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Requirement(_Model):
    """One checkable statement of a source."""

    id: RequirementId
    section: Text
    """Where in the document, for people: `18.1, prerequisites`."""
    statement: Text
    """What the document says, in this project's words."""
    level: Level
    """The level of the host that the verdict is about: the deepest that the check looks at."""
    also: Literal["manifest"] | None = None
    """Set where the same is asked of the manifest from which a machine is made, by a check of its own."""
    kind: Kind
    obligation: Obligation
    applies: dict[Level, Conditions] = Field(default_factory=dict)
    """Conditions per level of the chain; all must hold."""
    expected: str = ""
    """What a conforming host shows."""
    remedy: str = ""
    """What a person does about a violation."""
    needs: Needs = Needs.READ_ONLY
    not_observable: str = ""
    """Why no check can exist; empty where one does."""
    stance: dict[Verdict, Stance | None] = Field(default_factory=dict)
    """What a verdict on this requirement says about the support of the chain; None: nothing.

    Where the file declares any, the verdicts of `UNDECIDED` that it leaves out say `not-stated`, and where one says
    `supported`, so do all others that it leaves out: a chain is not
    supported on the strength of an unanswered question, nor of a statement that does not hold.
    """
    note: str = ""
    """Where the document is at odds with others or with itself, and traps, for `explain`."""

    @field_validator("stance")
    @classmethod
    def _undecided_is_not_stated(cls, declared: dict[Verdict, Stance | None]) -> dict[Verdict, Stance | None]:
        if Verdict.NOT_APPLICABLE in declared:
            raise ValueError("what does not apply says nothing about support; remove `not-applicable`")
        if not declared:
            return declared
        said = frozenset(Verdict) - {Verdict.NOT_APPLICABLE} if Stance.SUPPORTED in declared.values() else UNDECIDED
        return {**declared, **dict.fromkeys(sorted(said - set(declared)), Stance.NOT_STATED)}

    @model_validator(mode="after")
    def _consistent(self) -> Requirement:
        if self.not_observable and self.needs is not Needs.READ_ONLY:
            raise ValueError("`not_observable` and `needs` exclude each other")
        if not self.not_observable and not self.expected:
            raise ValueError("`expected` is missing: say what a conforming host shows")
        if self.also == self.level:
            raise ValueError("`also` names the requirement's own level; remove it")
        self._reject_misplaced_keys()
        return self

    def _reject_misplaced_keys(self) -> None:
        """A machine is below its ancestors; a manifest is not a level of a chain."""
        for level, conditions in self.applies.items():
            if "manifest" in {level, self.level}:
                if level not in self.levels:
                    raise ValueError(
                        f"`applies` names {level}, but the requirement is about {' and '.join(self.levels)}"
                    )
            elif level > self.level:
                raise ValueError(f"`applies` names {level}, which is deeper than the requirement's level {self.level}")
            conditions.reject_misplaced_keys(of_object=level == "manifest")

    @property
    def levels(self) -> tuple[Level, ...]:
        """Everything that it is about."""
        return (self.level, self.also) if self.also else (self.level,)


class Source(_Model):
    """One published document."""

    id: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*$")]
    title: Text
    publisher: Text
    version: Text
    """Version or date of the document."""


class Suite(_Model):
    """One folder: a source, what it applies to, its requirements."""

    source: Source
    applies: tuple[dict[Level, Conditions], ...]
    """Alternatives: the suite judges a chain for which all conditions of at least one of them hold."""
    requirements: tuple[Requirement, ...]
    supports: tuple[Level, ...] = ()
    """Levels that a chain must have before this source can call it supported; empty: any machine alone can be."""
    folder: Path = Path()

    @model_validator(mode="after")
    def _conditions_have_their_places(self) -> Suite:
        for alternative in self.applies:
            for level, conditions in alternative.items():
                if level == "manifest" and len(alternative) > 1:
                    raise ValueError(
                        "`applies`: a manifest is not a level of a chain; make it an alternative of its own"
                    )
                conditions.reject_misplaced_keys(of_object=level == "manifest")
        return self

    @property
    def speaks_of_support(self) -> bool:
        """Whether any statement has something to say about support; a wiki, say, represents no vendor."""
        return any(requirement.stance for requirement in self.requirements)

    @model_validator(mode="after")
    def _ids_are_unique(self) -> Suite:
        seen: set[str] = set()
        for requirement in self.requirements:
            if requirement.id in seen:
                raise ValueError(f"requirement {requirement.id} is declared twice")
            seen.add(requirement.id)
        return self
