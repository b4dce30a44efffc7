"""What a run found out: the only thing that reports read."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from pytest_nestvirt.catalogue.requirement import Needs, Stance
from pytest_nestvirt.report.shard import Shard
from pytest_nestvirt.verdict import Kind, Obligation, Verdict

SCHEMA_VERSION = "2.0"


def level_label(level: int | None) -> str:
    """How reports name a level: `L0`, or `manifest` for an object of a manifest, which has none."""
    return "manifest" if level is None else f"L{level}"


class WhyNotRun(StrEnum):
    """Why a check did not run on a machine that its requirement applies to."""

    NOT_OBSERVABLE = "not-observable"
    """No check can exist: the statement cannot be observed."""
    NO_PERMISSION = "no-permission"
    """It changes the machine or puts a load on it, and the permission was not given."""
    LEFT_OUT = "left-out"
    """It could have run: it was deselected, or the run was cut short."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One fact that a check rested on."""

    host: str
    level: int | None
    """None for an object of a manifest."""
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
    """Name of the machine, or of the object of a manifest."""
    level: int | None
    """None for an object of a manifest."""
    verdict: Verdict
    kind: Kind
    obligation: Obligation
    needs: Needs = Needs.READ_ONLY
    reason: str = ""
    """What decided the verdict: for a failure what was seen, for `inconclusive` what could not be read and why, for
    `not-applicable` the fact that decided, for `not-run` the missing permission or why no check can exist."""
    not_run: WhyNotRun | None = None
    """Set for the verdict `not-run`."""
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
    """One machine of the run, or one object of a manifest, and how it was looked at."""

    name: str
    level: int | None
    """None for an object of a manifest."""
    parent: str | None
    connection: str
    where: str
    reachable: bool
    trouble: str = ""
    """Why it could not be reached, or what was incomplete; one line."""
    contradiction: str = ""
    """What shows that it is another machine than the inventory says, one line; empty where nothing does."""
    origin: str = ""
    """`ssh`, `local`, `directory`, `archive`, `sosreport`; empty where there is no snapshot."""
    collected_at: str = ""
    seconds: float = 0.0
    identity: str = ""
    """Operating system, architecture and processor for people: `rhel 8.6, x86_64, Intel Xeon ...`."""

    @property
    def is_machine(self) -> bool:
        """Whether it is a machine, and not an object of a manifest."""
        return self.level is not None


@dataclass(frozen=True, slots=True)
class StanceReport:
    """What one source says about the support of one chain, and what decided it."""

    source: str
    stance: Stance
    decided_by: tuple[str, ...]
    """Lines for people: `RHEL8-TP-AMD on kvm01 (limit-confirmed)`."""


@dataclass(frozen=True, slots=True)
class ChainReport:
    """One path L0 -> L1 -> L2, or one file of manifests with its objects as `hosts`."""

    name: str
    """Host names joined by ` > `."""
    hosts: tuple[str, ...]
    stances: tuple[StanceReport, ...] = ()
    notes: tuple[str, ...] = ()
    """Where the documents that judged this chain disagree, one line each; they change no verdict."""
    settled: tuple[str, ...] = ()
    """Where they say different things that come to the same for this chain."""


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
    limited_to: tuple[str, ...] = ()
    """The hosts, chains and manifests that were chosen, as they were given; empty where the whole inventory was judged."""
    shard: Shard | None = None
    """Which part of a fleet was judged; None where the run was not one of several shards."""
    lists_not_applicable: bool = False
    """Whether the cases of `result.json` include what does not apply to a host (`--nestvirt-show-na`)."""
