"""From single cases to the report of a run."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata

from pytest_nestvirt.catalogue.conflicts import conflicts
from pytest_nestvirt.catalogue.requirement import Stance, Suite
from pytest_nestvirt.catalogue.stance import chain_stance
from pytest_nestvirt.collect.fleet import Collected
from pytest_nestvirt.derived.identity import contradiction
from pytest_nestvirt.facts.machine import Machine
from pytest_nestvirt.observation.fact import Unobservable
from pytest_nestvirt.report.case import Case, ChainReport, HostReport, RunReport, StanceReport
from pytest_nestvirt.report.sanitize import plain
from pytest_nestvirt.run.assessment import Assessment
from pytest_nestvirt.run.manifest_reports import manifest_reports
from pytest_nestvirt.verdict import VERIFIED, Verdict
from pytest_nestvirt.version import __version__

IDENTITY_LIMIT = 160
TOOLS = ("pytest", "pytest-testinfra", "pytest-xdist", "paramiko", "PyYAML", "junit-xml", "pydantic")


def conclude(assessment: Assessment, ran: Mapping[tuple[str, str], Case], partial: Sequence[str]) -> RunReport:
    """Everything a run found out: what ran, what did not and why, and what follows for each chain."""
    entries = assessment.plan.entries if assessment.looked else {}
    left_out = sum(1 for key, planned in entries.items() if planned.has_item and key not in ran)
    partial = [*partial, *([f"{left_out} checks did not run"] if left_out else [])]
    cases = tuple(ran.get(key) or planned.unrun_case() for key, planned in entries.items())
    hosts = (*_hosts(assessment), *manifest_reports(assessment.manifest_files)) if assessment.looked else ()
    doubts = {host.name: host.contradiction for host in hosts if host.contradiction}
    return RunReport(
        started=_iso(assessment.started),
        finished=_iso(datetime.now(UTC)),
        complete=not partial,
        incomplete_because="; ".join(partial),
        tool=_tools(),
        catalogue_digest=assessment.catalogue.digest,
        inventory_digest=assessment.digest,
        inventory_files=tuple(path.name for path in assessment.inventory.files),
        hosts=hosts,
        chains=tuple(_chain(name, names, cases, assessment, doubts) for name, names in assessment.chains.items()),
        cases=cases,
    )


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _tools() -> dict[str, str]:
    versions = {"pytest-nestvirt": __version__, "python": platform.python_version()}
    for name in TOOLS:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def _chain(
    name: str, hosts: tuple[str, ...], cases: Sequence[Case], assessment: Assessment, doubts: Mapping[str, str]
) -> ChainReport:
    own = [case for case in cases if case.host in hosts]
    judged = {case.source for case in own if case.verdict is not Verdict.NOT_APPLICABLE}
    doubt = next((doubts[host] for host in hosts if host in doubts), "")
    stances = tuple(
        _stance(suite, hosts, own, doubt)
        for suite in assessment.suites
        if suite.source.id in judged and suite.speaks_of_support
    )
    found = conflicts(own)
    notes, settled = ([str(each) for each in found if each.settled is which] for which in (False, True))
    return ChainReport(name, hosts, stances, tuple(notes), tuple(settled))


def _stance(suite: Suite, hosts: Sequence[str], cases: Sequence[Case], doubt: str) -> StanceReport:
    stance, decided_by = chain_stance(suite.source.id, cases)
    missing = suite.supports[len(hosts) :]
    if stance is Stance.SUPPORTED and missing:
        doubt = doubt or f"the chain has no {missing[0].upper()}, and the source supports whole chains only"
    elif stance not in {Stance.SUPPORTED, Stance.TECHNOLOGY_PREVIEW}:
        doubt = ""
    if doubt:
        return StanceReport(suite.source.id, Stance.NOT_STATED, (f"undecided: {doubt}",))
    return StanceReport(suite.source.id, stance, decided_by)


def _hosts(assessment: Assessment) -> Iterator[HostReport]:
    return (_host(machine, assessment) for machine in assessment.machines.values())


def _host(machine: Machine, assessment: Assessment) -> HostReport:
    host = machine.host
    collected: Collected | None = assessment.collected.get(host.name)
    snapshot = collected.snapshot if collected is not None else None
    trouble = assessment.unreachable.get(host.name) or (snapshot.note if snapshot is not None else "")
    return HostReport(
        name=host.name,
        level=host.level,
        parent=host.parent,
        connection=str(host.connection),
        where=collected.where if collected is not None else "",
        reachable=snapshot is not None,
        trouble=trouble,
        contradiction=contradiction(machine) if snapshot is not None else "",
        origin=str(snapshot.origin) if snapshot is not None else "",
        collected_at=snapshot.collected_at if snapshot is not None else "",
        seconds=collected.seconds if collected is not None else 0.0,
        identity=identity(machine) if snapshot is not None else "",
    )


def identity(machine: Machine) -> str:
    """Operating system, architecture and processor, as far as they are known: `rhel 8.6, x86_64, Intel Xeon ...`."""
    words = ", ".join(word for read in (_system, _architecture, _processor) if (word := _known(read, machine)))
    return plain(words, IDENTITY_LIMIT)


def _known(read: Callable[[Machine], str], machine: Machine) -> str:
    try:
        return read(machine)
    except Unobservable:
        return ""


def _system(machine: Machine) -> str:
    return f"{machine.os.id} {machine.os.version_id}".strip()


def _architecture(machine: Machine) -> str:
    return machine.kernel.architecture


def _processor(machine: Machine) -> str:
    return machine.cpu.model_name


def verified_nothing(report: RunReport) -> list[str]:
    """Names of the chains of which nothing at all was verified; a partial run is asked about the whole only."""
    verified = {case.host for case in report.cases if case.verdict in VERIFIED}
    if not report.complete and verified:
        return []
    return [chain.name for chain in report.chains if not verified & set(chain.hosts)]
