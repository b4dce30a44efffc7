"""What a run found out: the only thing that reports read."""

from __future__ import annotations

from dataclasses import dataclass, field

from pytest_nestvirt.catalogue.requirement import Needs, Stance
from pytest_nestvirt.verdict import Kind, Obligation, Verdict

SCHEMA_VERSION = "1.2"


def level_label(level: int) -> str:
    """How reports call a level: `L0`, or `manifest` for what is no machine (below 0)."""
    return f"L{level}" if level >= 0 else "manifest"


NOT_OBSERVABLE = "not observable: "
"""How the reason of a `not-run` begins where no check can exist; what follows says why."""
NEEDS_PERMISSION = "needs the permission "
"""How it begins where nobody gave the permission; its name and what it allows follow."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One fact that a check rested on."""

    host: str
    level: int
    """-1 for what stands in a manifest."""
    fact: str
    """`cpu.flags`"""
    value: str
    """For people, bounded; "unknown: why" where it could not be observed."""
    sources: tuple[str, ...]
    """Names of the snapshot's sections it was parsed from."""


@dataclass(frozen=True, slots=True)
class Case:
    """One requirement on one host."""

    requirement: str
    source: str
    """Id of the document: `rhel8`."""
    section: str
    statement: str
    host: str
    level: int
    verdict: Verdict
    kind: Kind
    obligation: Obligation
    needs: Needs = Needs.READ_ONLY
    reason: str = ""
    """What decided the verdict: for a failure what was seen, for `inconclusive` what could not be read and why, for
    `not-applicable` the fact that decided, for `not-run` the missing permission or `not observable: why`."""
    expected: str = ""
    remedy: str = ""
    stance: Stance | None = None
    """What this verdict says about support; None where it says nothing."""
    evidence: tuple[Evidence, ...] = ()
    seconds: float = 0.0
    nodeid: str = ""
    """Of the test item; empty where there is none."""


@dataclass(frozen=True, slots=True)
class HostReport:
    """One machine of the run and how it was looked at."""

    name: str
    level: int
    parent: str | None
    connection: str
    where: str
    reachable: bool
    trouble: str = ""
    """Why it could not be reached, or what was incomplete; one line."""
    contradiction: str = ""
    """What tells that it is another machine than the inventory takes it for, one line; empty where nothing does."""
    origin: str = ""
    """`ssh`, `local`, `directory`, `archive`, `sosreport`; empty where there is no snapshot."""
    collected_at: str = ""
    seconds: float = 0.0
    identity: str = ""
    """Operating system, architecture and processor for people: `rhel 8.6, x86_64, Intel Xeon ...`."""


@dataclass(frozen=True, slots=True)
class StanceReport:
    """What one source says about the support of one chain, and what decided it."""

    source: str
    stance: Stance
    decided_by: tuple[str, ...]
    """Lines for people: `RHEL8-TP-AMD on kvm01 (limit-confirmed)`."""


@dataclass(frozen=True, slots=True)
class ChainReport:
    """One path L0 -> L1 -> L2."""

    name: str
    """Host names joined by ` > `."""
    hosts: tuple[str, ...]
    stances: tuple[StanceReport, ...] = ()
    notes: tuple[str, ...] = ()
    """Where the documents that judged this chain disagree, one line each; they change no verdict."""
    settled: tuple[str, ...] = ()
    """Where they say different things that come to the same for this chain; for who wants to know."""


@dataclass(frozen=True, slots=True)
class RunReport:
    """Everything a run found out."""

    started: str
    finished: str
    """ISO 8601, UTC."""
    complete: bool
    """False where the run was interrupted or deselected a part of the catalogue."""
    incomplete_because: str
    tool: dict[str, str]
    """Name -> version of what took part: pytest-nestvirt, python, pytest, paramiko, ..."""
    catalogue_digest: str
    inventory_digest: str
    inventory_files: tuple[str, ...]
    hosts: tuple[HostReport, ...] = ()
    chains: tuple[ChainReport, ...] = ()
    cases: tuple[Case, ...] = field(default_factory=tuple)
    """Sorted by host (inventory order), source, requirement (catalogue order)."""
