"""From the form of `result.json`, version 2, to the report of the run that it is of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import TypeVar

from pytest_nestvirt.report.case import Case, Evidence, HostReport, RunReport
from pytest_nestvirt.report.result_form import (
    LEVEL_OF_HOST,
    STATED,
    CaseRecord,
    FactRecord,
    HostRecord,
    HostTiming,
    ResultRecord,
)
from pytest_nestvirt.verdict import Verdict

T = TypeVar("T")

_HOST_FIELDS = tuple(field.name for field in fields(HostReport) if field.name not in {"collected_at", "seconds"})


class DanglingNameError(Exception):
    """A part of the file refers to something that the file does not have; the message names both."""


def run_of(record: ResultRecord) -> RunReport:
    """The run. Raises `DanglingNameError`."""
    timings = {timing.host: timing for timing in record.timing.hosts}
    return RunReport(
        started=record.timing.started,
        finished=record.timing.finished,
        complete=record.complete,
        incomplete_because=record.incomplete_because,
        tool=record.tool,
        catalogue_digest=record.catalogue_digest,
        inventory_digest=record.inventory_digest,
        inventory_files=record.inventory_files,
        hosts=tuple(_host(host, _found(timings, host.name, "timing.hosts", "hosts")) for host in record.hosts),
        chains=record.chains,
        cases=_Cases(record).ordered(),
        limited_to=record.limited_to,
        shard=record.shard,
        lists_not_applicable=record.lists_not_applicable,
    )


def _found(known: Mapping[str, T], name: str, where: str, whence: str) -> T:
    try:
        return known[name]
    except KeyError:
        raise DanglingNameError(f"`{where}` has no {name!r}, which `{whence}` names") from None


def _host(host: HostRecord, timing: HostTiming) -> HostReport:
    named = {name: getattr(host, name) for name in _HOST_FIELDS}
    return HostReport(**named, collected_at=timing.collected_at, seconds=timing.seconds)


class _Cases:
    def __init__(self, record: ResultRecord) -> None:
        self.record = record
        self.levels = {host.name: host.level for host in record.hosts}
        self.seconds = record.timing.cases
        self.facts = {
            name: {key: self._evidence(name, key, fact) for key, fact in facts.items()}
            for name, facts in (*((host.name, host.facts) for host in record.hosts), *record.facts_elsewhere.items())
        }

    def ordered(self) -> tuple[Case, ...]:
        """All of them, by host, source and requirement, as they were before they were written."""
        places = {host.name: place for place, host in enumerate(self.record.hosts)}
        requirements = self.record.requirements

        def place(case: Case) -> tuple[int, str, str, int]:
            return places.get(case.host, len(places)), case.host, case.source, requirements[case.requirement].place

        return tuple(sorted((*map(self._case, self.record.cases), *self._put_aside()), key=place))

    def _evidence(self, host: str, key: str, fact: FactRecord) -> Evidence:
        level = self.levels.get(host) if fact.level == LEVEL_OF_HOST else fact.level
        sources = _found(self.record.sources, fact.sources, "sources", "facts")
        return Evidence(host, level, key if fact.fact is None else fact.fact, fact.value, sources)

    def _case(self, case: CaseRecord) -> Case:
        differs = case.differs
        stated = _found(self.record.requirements, case.requirement, "requirements", "cases")
        changed = {name: value for name in STATED if (value := getattr(differs, name)) is not None}
        evidence = (
            _found(_found(self.facts, host, "hosts", "evidence"), key, "facts", "evidence")
            for group in case.evidence
            for host in (case.host if group.host is None else group.host,)
            for key in group.facts
        )
        return Case(
            **({name: getattr(stated, name) for name in STATED} | changed),
            requirement=case.requirement,
            host=case.host,
            level=self.levels.get(case.host) if differs.level == LEVEL_OF_HOST else differs.level,
            verdict=case.verdict,
            reason=case.reason,
            not_run=case.not_run,
            stance=case.stance,
            evidence=tuple(evidence),
            seconds=self.seconds.get(case.host, {}).get(case.requirement, 0.0),
            nodeid=case.nodeid,
        )

    def _put_aside(self) -> Iterator[Case]:
        """What does not apply, unless it is listed among the cases."""
        for host in self.record.hosts if not self.record.lists_not_applicable else ():
            for group in host.not_applicable:
                for name in group.requirements:
                    stated = _found(self.record.requirements, name, "requirements", "not_applicable")
                    yield Case(
                        **{name: getattr(stated, name) for name in STATED},
                        requirement=name,
                        host=host.name,
                        level=host.level,
                        verdict=Verdict.NOT_APPLICABLE,
                        reason=group.reason,
                        stance=group.stance,
                        seconds=self.seconds.get(host.name, {}).get(name, 0.0),
                    )
