"""From single cases to the report of a run."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from importlib import metadata

from pytest_nestvirt.catalogue.disagreements import conflicts
from pytest_nestvirt.catalogue.requirement import Stance, Suite, level_name
from pytest_nestvirt.catalogue.stance import chain_stance
from pytest_nestvirt.collect.look import Collected
from pytest_nestvirt.derived.identity import contradiction
from pytest_nestvirt.facts.machine import Machine
from pytest_nestvirt.observation.unknown import known_or
from pytest_nestvirt.report.case import Case, ChainReport, HostReport, RunReport, StanceReport
from pytest_nestvirt.report.sanitize import plain
from pytest_nestvirt.run.assessment import Assessment
from pytest_nestvirt.run.manifest_reports import manifest_reports
from pytest_nestvirt.run.plan import LEVELS, Planned
from pytest_nestvirt.run.shard_members import shard_report
from pytest_nestvirt.verdict import Verdict
from pytest_nestvirt.version import __version__

IDENTITY_LIMIT = 160
TOOLS = ("pytest", "pytest-testinfra", "pytest-xdist", "paramiko", "PyYAML", "junit-xml", "pydantic")


def conclude(
    assessment: Assessment,
    ran: Mapping[tuple[str, str], Case],
    partial: Sequence[str],
    deselected: int = 0,
    *,
    lists_not_applicable: bool = False,
) -> RunReport:
    """Everything a run found out: what ran, what did not and why, and what follows for each chain.

    `deselected` is the number of test items that did not run because others were chosen.
    """
    entries = assessment.plan.entries if assessment.looked else {}
    unchecked = {(planned.requirement.id, planned.judged.name) for planned in without_check(assessment)}
    left_out = sum(planned.has_item and key not in ran and key not in unchecked for key, planned in entries.items())
    left_out -= deselected
    partial = [
        *partial,
        *([f"{deselected} checks were deselected"] if deselected else []),
        *([f"{left_out} checks did not run"] if left_out > 0 else []),
    ]
    cases = tuple(
        ran.get(key) or (planned.unchecked_case() if key in unchecked else planned.unrun_case())
        for key, planned in entries.items()
    )
    hosts = (*_hosts(assessment), *manifest_reports(assessment.manifest_files)) if assessment.looked else ()
    by_name = {host.name: host for host in hosts}
    of_host: dict[str, list[Case]] = {}
    for case in cases:
        of_host.setdefault(case.host, []).append(case)
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
        chains=tuple(_chain(name, names, of_host, assessment, by_name) for name, names in assessment.chains.items()),
        cases=cases,
        limited_to=assessment.limit,
        shard=shard_report(assessment),
        lists_not_applicable=lists_not_applicable,
    )


def without_check(assessment: Assessment) -> tuple[Planned, ...]:
    """What is due and cannot be verified, since its suite has no check of it: each is an error of the suite.

    The suite is read as text, so that a check which was not collected in this run still counts as one.
    """
    return tuple(
        planned
        for planned in (assessment.plan.entries.values() if assessment.looked else ())
        if planned.has_item and (planned.requirement.id, level_name(planned.judged.level)) in assessment.unchecked
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
    name: str,
    members: tuple[str, ...],
    cases: Mapping[str, Sequence[Case]],
    assessment: Assessment,
    hosts: Mapping[str, HostReport],
) -> ChainReport:
    own = [case for member in members for case in cases.get(member, ())]
    judged = {case.source for case in own if case.verdict is not Verdict.NOT_APPLICABLE}
    known = [hosts[host] for host in members if host in hosts]
    doubt = next((host.contradiction for host in known if host.contradiction), "")
    stances = tuple(
        _stance(suite, known, own, doubt)
        for suite in assessment.suites
        if suite.source.id in judged and suite.speaks_of_support
    )
    found = conflicts(own)
    notes, settled = ([str(each) for each in found if each.settled is which] for which in (False, True))
    return ChainReport(name, members, stances, tuple(notes), tuple(settled))


def _stance(suite: Suite, hosts: Sequence[HostReport], cases: Sequence[Case], doubt: str) -> StanceReport:
    stance, decided_by = chain_stance(suite.source.id, cases)
    if stance is Stance.SUPPORTED:
        doubt = doubt or not_covered(suite, hosts)
    elif stance is not Stance.TECHNOLOGY_PREVIEW:
        doubt = ""
    if doubt:
        return StanceReport(suite.source.id, Stance.NOT_STATED, (f"undecided: {doubt}",))
    return StanceReport(suite.source.id, stance, decided_by)


def not_covered(suite: Suite, hosts: Sequence[HostReport]) -> str:
    """What of its machines keeps a chain from being one that the source supports; empty where nothing does."""
    names = {level_name(host.level): host for host in hosts if host.is_machine}
    missing = [name for name in suite.supports if name not in names]
    if names and missing:
        return f"the chain has no {missing[0].upper()}, and the source supports whole chains only"
    unseen = [names[name].name for name in suite.supports if name in names and not names[name].reachable]
    if unseen:
        return f"{unseen[0]} was not looked at, and the source supports whole chains only"
    beyond = [name for name in names if name not in LEVELS]
    return f"the chain has an {beyond[0].upper()}, and no statement is about one" if beyond else ""


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
    words = (known_or(partial(read, machine), "") for read in (_system, _architecture, _processor))
    return plain(", ".join(filter(None, words)), IDENTITY_LIMIT)


def _system(machine: Machine) -> str:
    return f"{machine.os.id} {machine.os.version_id}".strip()


def _architecture(machine: Machine) -> str:
    return machine.kernel.architecture


def _processor(machine: Machine) -> str:
    return machine.cpu.model_name
