"""The form of `result.json`, version 2: what a file of it consists of, as it is read back.

A statement is written once for the run, a fact once for its machine; cases refer to both by name. `result.schema.json`,
beside this module, describes the same form.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pytest_nestvirt.catalogue.requirement import Needs, Stance
from pytest_nestvirt.report.case import ChainReport, WhyNotRun
from pytest_nestvirt.report.shard import Shard
from pytest_nestvirt.verdict import Kind, Obligation, Verdict

LEVEL_OF_HOST = -1
"""Where a level is left out, it is that of the host."""

STATED = ("source", "section", "statement", "kind", "obligation", "needs", "expected", "remedy")
"""What a case has from its requirement."""


@dataclass(frozen=True, slots=True)
class RequirementRecord:
    """One requirement of the catalogue."""

    source: str
    section: str
    statement: str
    kind: Kind
    obligation: Obligation
    needs: Needs
    expected: str
    remedy: str
    place: int
    """Cases of one host and source are in this order."""


@dataclass(frozen=True, slots=True)
class FactRecord:
    """One fact of a host, with the sections that it was parsed from."""

    value: str
    sources: str
    """Key of `ResultRecord.sources`."""
    fact: str | None = None
    """Its name, where that is not the key: another fact of the host with another value has it."""
    level: int | None = LEVEL_OF_HOST


@dataclass(frozen=True, slots=True)
class AsideRecord:
    """Requirements that do not apply to a host, and the fact that decided it."""

    reason: str
    requirements: tuple[str, ...]
    stance: Stance | None = None


@dataclass(frozen=True, slots=True)
class HostRecord:
    """One machine, or one object of a manifest."""

    name: str
    level: int | None
    parent: str | None
    connection: str
    where: str
    reachable: bool
    trouble: str
    contradiction: str
    origin: str
    identity: str
    facts: dict[str, FactRecord]
    not_applicable: tuple[AsideRecord, ...]


@dataclass(frozen=True, slots=True)
class FactsOfHost:
    """Keys of facts of one host, in the order in which they were read."""

    facts: tuple[str, ...]
    host: str | None = None
    """None for the host of the case."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What a case has otherwise than its requirement and its host; None for what is the same."""

    source: str | None = None
    section: str | None = None
    statement: str | None = None
    kind: Kind | None = None
    obligation: Obligation | None = None
    needs: Needs | None = None
    expected: str | None = None
    remedy: str | None = None
    level: int | None = LEVEL_OF_HOST


@dataclass(frozen=True, slots=True)
class CaseRecord:
    """One requirement on one host."""

    requirement: str
    source: str
    host: str
    verdict: Verdict
    reason: str
    evidence: tuple[FactsOfHost, ...]
    not_run: WhyNotRun | None = None
    stance: Stance | None = None
    nodeid: str = ""
    differs: Difference = Difference()


@dataclass(frozen=True, slots=True)
class HostTiming:
    """When and how long a host was looked at."""

    host: str
    collected_at: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Timing:
    """All that differs between two equal runs."""

    started: str
    finished: str
    hosts: tuple[HostTiming, ...]
    cases: dict[str, dict[str, float]]
    """Seconds that a check took, by host and requirement."""


@dataclass(frozen=True, slots=True)
class ResultRecord:
    """The whole file."""

    complete: bool
    incomplete_because: str
    tool: dict[str, str]
    catalogue_digest: str
    inventory_digest: str
    inventory_files: tuple[str, ...]
    limited_to: tuple[str, ...]
    lists_not_applicable: bool
    requirements: dict[str, RequirementRecord]
    sources: dict[str, tuple[str, ...]]
    """Names of the sections that facts were parsed from; many facts of many hosts have the same."""
    hosts: tuple[HostRecord, ...]
    chains: tuple[ChainReport, ...]
    cases: tuple[CaseRecord, ...]
    timing: Timing
    shard: Shard | None = None
    facts_elsewhere: dict[str, dict[str, FactRecord]] = field(default_factory=dict)
    """Facts of machines that are not among `hosts`, by name of the machine."""
