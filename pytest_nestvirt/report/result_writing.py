"""The text of `result.json`, version 2, in parts: no more of it is in memory than one record.

Lists and mappings of records have a record on each line, so that what differs between two runs is whole lines.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, fields, replace
from itertools import groupby
from typing import Any, Final, TypeAlias

from pytest_nestvirt.report.case import SCHEMA_VERSION, Case, ChainReport, Evidence, HostReport, RunReport
from pytest_nestvirt.report.result_form import STATED
from pytest_nestvirt.report.result_order import in_order, requirement_places
from pytest_nestvirt.report.sanitize import block
from pytest_nestvirt.verdict import Verdict

_MAX_LINES = 400
_MAX_CHARACTERS = 16_000
"""Bounds of one string in the file: no host and no assertion can blow the report up."""

_KEY_LENGTH = 12

Record: TypeAlias = dict[str, Any]
"""One object of the file."""

_ENCODER: Final = json.JSONEncoder(sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_HOST_FIELDS = tuple(field.name for field in fields(HostReport) if field.name not in {"collected_at", "seconds"})


def result_parts(run: RunReport) -> Iterator[str]:
    """The canonical text of a run, with a newline at its end.

    Members are made as they are written, in the order of their names: what `hosts` and `requirements` have to hold is known
    once `cases` has been written.
    """
    cases = in_order(run)
    book = _Book(run, cases)
    yield from _members(
        {
            "cases": _listed(book.case_records(cases), "  "),
            "catalogue_digest": [_text(run.catalogue_digest)],
            "chains": _listed(map(_chain, run.chains), "  "),
            "complete": [_text(run.complete)],
            "facts_elsewhere": book.facts_elsewhere(),
            "hosts": _bracketed((_host_text(book.host_record(host)) for host in run.hosts), "  "),
            "incomplete_because": [_text(run.incomplete_because)],
            "inventory_digest": [_text(run.inventory_digest)],
            "inventory_files": [_text(run.inventory_files)],
            "limited_to": [_text(run.limited_to)],
            "lists_not_applicable": [_text(run.lists_not_applicable)],
            "requirements": _mapped(book.requirements, "  "),
            "shard": [_text(None if run.shard is None else asdict(run.shard))],
            "sources": _mapped(book.sources, "  "),
            "schema_version": [_text(SCHEMA_VERSION)],
            "timing": _members(
                {
                    "cases": _mapped(_case_timings(cases), "    "),
                    "finished": [_text(run.finished)],
                    "hosts": _listed(map(_host_timing, run.hosts), "    "),
                    "started": [_text(run.started)],
                },
                "  ",
            ),
            "tool": _mapped(run.tool, "  "),
        },
        "",
    )
    yield "\n"


class _Book:
    """What has been written by name, and is written out once: requirements, facts of hosts, what does not apply."""

    def __init__(self, run: RunReport, cases: Iterable[Case]) -> None:
        self.hosts = {host.name: host for host in run.hosts}
        self.lists_not_applicable = run.lists_not_applicable
        self.places = requirement_places(cases)
        self.requirements: dict[str, Record] = {}
        self.facts: dict[str, dict[str, Record]] = {}
        self.sources: dict[str, tuple[str, ...]] = {}
        self._first: dict[str, Case] = {}
        self._keys: dict[Evidence, str] = {}
        self._source_keys: dict[tuple[str, ...], str] = {}
        self._aside: dict[str, dict[tuple[str, str | None], list[str]]] = {}

    def facts_elsewhere(self) -> Iterator[str]:
        """Facts of machines that are not among the hosts of the run."""
        yield from _mapped({host: facts for host, facts in self.facts.items() if host not in self.hosts}, "  ")

    def case_records(self, cases: Iterable[Case]) -> Iterator[Record]:
        """What is listed as a case; the rest is put aside, for its host."""
        for case in cases:
            first = self._first.setdefault(case.requirement, case)
            if first is case:
                self.requirements[harmless(case.requirement)] = self._requirement(case)
            differs = self._difference(case, first)
            put_aside = _can_be_grouped(case) and not differs and case.host in self.hosts
            if put_aside:
                key = case.reason, case.stance
                self._aside.setdefault(case.host, {}).setdefault(key, []).append(case.requirement)
            if not put_aside or self.lists_not_applicable:
                yield self._case(case, differs)

    def _requirement(self, case: Case) -> Record:
        return {name: getattr(case, name) for name in STATED} | {"place": self.places[case.requirement]}

    def _difference(self, case: Case, first: Case) -> Record:
        found = {name: getattr(case, name) for name in STATED if getattr(case, name) != getattr(first, name)}
        host = self.hosts.get(case.host)
        if host is None or host.level != case.level:
            found["level"] = case.level
        return found

    def _case(self, case: Case, differs: Record) -> Record:
        evidence = [
            {"facts": [self._key(each) for each in several]} | ({"host": host} if host != case.host else {})
            for host, several in groupby(case.evidence, key=lambda each: each.host)
        ]
        record = {
            "requirement": case.requirement,
            "source": case.source,
            "host": case.host,
            "verdict": case.verdict,
            "reason": case.reason,
            "evidence": evidence,
        }
        more = {"not_run": case.not_run, "stance": case.stance, "nodeid": case.nodeid, "differs": differs}
        return record | {name: value for name, value in more.items() if value}

    def _key(self, evidence: Evidence) -> str:
        """By what name the facts of its host have it; they have it from now on."""
        known = self._keys.get(evidence)
        if known is None:
            shown = replace(evidence, fact=harmless(evidence.fact), value=harmless(evidence.value))
            known = self._keys.get(shown) or self._new_key(shown)
            self._keys[shown] = self._keys[evidence] = known
        return known

    def _new_key(self, evidence: Evidence) -> str:
        facts = self.facts.setdefault(evidence.host, {})
        key, number = evidence.fact, 1
        while key in facts:
            number += 1
            key = f"{evidence.fact} ({number})"
        host = self.hosts.get(evidence.host)
        facts[key] = {"value": evidence.value, "sources": self._sources(evidence.sources)}
        if key != evidence.fact:
            facts[key]["fact"] = evidence.fact
        if host is None or host.level != evidence.level:
            facts[key]["level"] = evidence.level
        return key

    def _sources(self, names: tuple[str, ...]) -> str:
        """The key of these names. It follows from them, so that what another run adds changes no other key."""
        known = self._source_keys.get(names)
        if known is None:
            known = self._source_keys[names] = hashlib.sha256(repr(names).encode()).hexdigest()[:_KEY_LENGTH]
            self.sources[known] = names
        return known

    def host_record(self, host: HostReport) -> Record:
        """The host with its facts and with what does not apply to it."""
        aside = [
            {"reason": reason, "requirements": several} | ({"stance": stance} if stance else {})
            for (reason, stance), several in self._aside.get(host.name, {}).items()
        ]
        named = {name: getattr(host, name) for name in _HOST_FIELDS}
        return named | {"facts": self.facts.get(host.name, {}), "not_applicable": aside}


def _can_be_grouped(case: Case) -> bool:
    """Whether there is nothing to it but that a requirement does not apply, and why."""
    return case.verdict is Verdict.NOT_APPLICABLE and not (case.nodeid or case.evidence or case.not_run)


def _chain(chain: ChainReport) -> Record:
    stances = [{"source": s.source, "stance": s.stance, "decided_by": s.decided_by} for s in chain.stances]
    return {
        "name": chain.name,
        "hosts": chain.hosts,
        "stances": stances,
        "notes": chain.notes,
        "settled": chain.settled,
    }


def _host_timing(host: HostReport) -> Record:
    return {"host": host.name, "collected_at": host.collected_at, "seconds": _seconds(host.seconds)}


def _case_timings(cases: Iterable[Case]) -> Mapping[str, Mapping[str, float]]:
    """Seconds by host and requirement, of the cases that took time; a case that never ran has none."""
    found: dict[str, dict[str, float]] = {}
    for case in cases:
        if seconds := _seconds(case.seconds):
            found.setdefault(case.host, {})[case.requirement] = seconds
    return found


def _seconds(value: float) -> float:
    return round(value, 6) if math.isfinite(value) else 0.0


# ---- text


def _host_text(host: Record) -> str:
    """A host has a line for each thing that is known of it, and one for each of its facts."""
    members: dict[str, Iterable[str]] = {name: [_text(value)] for name, value in host.items()}
    members["facts"] = _mapped(host["facts"], "      ")
    members["not_applicable"] = _listed(host["not_applicable"], "      ")
    return "".join(_members(members, "    "))


def _members(members: Mapping[str, Iterable[str]], indent: str) -> Iterator[str]:
    """An object of which every member begins a line."""
    separator = "{"
    for name in sorted(members):
        yield f'{separator}\n{indent}  "{name}": '
        yield from members[name]
        separator = ","
    yield f"\n{indent}}}"


def _listed(records: Iterable[Record], indent: str) -> Iterator[str]:
    yield from _bracketed(map(_text, records), indent)


def _mapped(records: Mapping[str, object], indent: str) -> Iterator[str]:
    texts = (f"{_text(key)}: {_text(value)}" for key, value in sorted(records.items()))
    yield from _bracketed(texts, indent, "{}")


def _bracketed(texts: Iterable[str], indent: str, brackets: str = "[]") -> Iterator[str]:
    """Texts between two brackets, each on a line of its own."""
    yield brackets[0]
    end = brackets[1]
    for place, text in enumerate(texts):
        yield f"{',' if place else ''}\n{indent}  {text}"
        end = f"\n{indent}{brackets[1]}"
    yield end


def _text(value: object) -> str:
    return _ENCODER.encode(_harmless(value))


def _harmless(value: object) -> object:
    match value:
        case str():
            return harmless(value)
        case dict():
            return {harmless(key): _harmless(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_harmless(inner) for inner in value]
        case _:
            return value


def harmless(text: str) -> str:
    """The text as it may be in the file."""
    if len(text) <= _MAX_CHARACTERS and text.isprintable() and not text.endswith(" "):
        return str(text)  # what almost every text is
    return block(text, _MAX_LINES, _MAX_CHARACTERS)
