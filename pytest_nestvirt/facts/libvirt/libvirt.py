"""Facts about the domains that libvirt on this machine knows, running or only defined."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeVar

from pytest_nestvirt.facts.libvirt.domain_state import DomainState, parse_state
from pytest_nestvirt.facts.libvirt.domain_xml import DomainXml, parse_domain, parse_status
from pytest_nestvirt.facts.libvirt.virsh import (
    ListedDomain,
    Versions,
    parse_dominfo,
    parse_domstate,
    parse_list,
    parse_versions,
    refuse_error,
)
from pytest_nestvirt.observation.fact import Reader, Subject, Unobservable, fact, why_unread
from pytest_nestvirt.observation.unknown import attempt
from pytest_nestvirt.snapshot.snapshot import Section, Status

T = TypeVar("T")

LIST = "sos_commands/virsh/virsh_-r_list_--all"
VERSION = "sos_commands/virsh/virsh_-r_version"
DUMP = "sos_commands/virsh/virsh_-r_dumpxml_"
DUMP_INACTIVE = DUMP + "--inactive_"
DEFINITIONS = "etc/libvirt/qemu/"
STATUS = "run/libvirt/qemu/"
"""libvirt's own file of each domain that has a process: its state, and the definition that it runs with."""
DOMINFO = "sos_commands/virsh/virsh_-r_dominfo_"
DOMSTATE = "sos_commands/virsh/virsh_-r_domstate_"
DOMSTATE_REASON = DOMSTATE + "--reason_"


@dataclass(frozen=True, slots=True)
class Domain:
    """One domain. What could not be read of it raises `Unobservable` when it is asked for."""

    name: str
    listed: ListedDomain | Unobservable
    current: DomainXml | Unobservable
    """What holds now, as `virsh dumpxml` prints it: of a running machine the active definition, else the stored one."""
    live: DomainXml | Unobservable | None
    """The definition of the running machine; None if it does not run."""
    stored: DomainXml | Unobservable | None
    """The definition it is going to start from; None if it has none (a transient domain)."""

    shown_states: tuple[tuple[str, DomainState | Unobservable], ...]
    """Its state by each section that shows one, with the name of the section."""

    @property
    def has_process(self) -> bool:
        """Whether it has a process: running, paused, being shut down."""
        if isinstance(self.listed, ListedDomain):
            return self.listed.active
        states = {state for _, state in self.shown_states if isinstance(state, DomainState)}
        return states != {DomainState.SHUT_OFF} if states else _known(self.listed).active

    @property
    def running(self) -> bool:
        """Whether its processors execute: a paused, crashed or suspended domain does not run.

        `Unobservable` where its state is not known, and where two sections disagree.
        """
        known = {source: state for source, state in self.shown_states if isinstance(state, DomainState)}
        runs = {state.runs for state in known.values()} - {None}
        if len(runs) > 1:
            seen = ", ".join(f"{state} ({source})" for source, state in known.items())
            raise Unobservable(LIST, f"the state of domain {self.name} differs: {seen}")
        if runs:
            return True in runs
        unknown = next((state for _, state in self.shown_states if isinstance(state, Unobservable)), None)
        if unknown is not None and not known:
            raise unknown.with_traceback(None)
        raise Unobservable(LIST, f"domain {self.name} has {DomainState.NO_STATE}")

    @property
    def state(self) -> str:
        """As virsh prints it: running, paused, shut off, ..."""
        if isinstance(self.listed, ListedDomain):
            return self.listed.state
        return next((state for _, state in self.shown_states if isinstance(state, DomainState)), _known(self.listed))

    @property
    def active(self) -> DomainXml | None:
        """The definition of the running machine; None if it does not run."""
        return _known(self.live)

    @property
    def inactive(self) -> DomainXml | None:
        """The definition it starts from next time; None for a transient domain."""
        return _known(self.stored)

    @property
    def xml(self) -> DomainXml:
        """What holds now: the active definition of a running machine, else the stored one."""
        return _known(self.current)


def _known(value: T | Unobservable) -> T:
    if isinstance(value, Unobservable):
        raise value.with_traceback(None)
    return value


class Libvirt(Subject):
    """libvirt's system instance on this machine, by virsh over a read-only connection."""

    name = "libvirt"

    @fact
    def version(self) -> tuple[int, ...]:
        """Of the library that virsh uses."""
        return self._given(self._versions().library, "names no version of the library")

    @fact
    def qemu_version(self) -> tuple[int, ...]:
        """Of the QEMU that libvirt starts machines with."""
        return self._given(self._versions().hypervisor, "names no version of a running hypervisor")

    def _given(self, version: tuple[int, ...], why: str) -> tuple[int, ...]:
        if not version:
            raise Unobservable(VERSION, why)
        return version

    def _versions(self) -> Versions:
        return parse_versions(self._virsh(VERSION), VERSION)

    @fact
    def running(self) -> frozenset[str]:
        """Names of the domains whose processors execute: not of those that are paused, crashed, suspended or shutting down."""
        _ = self._listed()
        return frozenset(name for name, domain in self.domains.items() if domain.running)

    @fact
    def domains(self) -> Mapping[str, Domain]:
        """Every domain by name.

        Where virsh did not list them (a record without it), those whose definitions were found; whether there are more is
        unknown then, and so is whether they run, except of those whose state another section shows.
        """
        definitions = Definitions(self)
        rows = attempt(self._listed)
        if isinstance(rows, Unobservable):
            return MappingProxyType({name: definitions.unlisted(name, rows) for name in definitions.names(rows)})
        return MappingProxyType({row.name: definitions.listed(row) for row in rows})

    def find(self, name: str) -> Domain | None:
        """The domain of that name; None where virsh listed all domains without it. `Unobservable` where it did not."""
        found = self.domains.get(name)
        if found is None:
            _ = self._listed()
        return found

    def _listed(self) -> tuple[ListedDomain, ...]:
        return parse_list(self._virsh(LIST), LIST)

    def _virsh(self, name: str) -> str:
        section = self.reader.section(name)
        if section.status is Status.OK:
            return section.text
        if section.status is Status.MISSING:
            raise Unobservable(name, section.error or "libvirt is not installed on this machine")
        refuse_error(section.error, name)
        refuse_error(section.text, name)
        raise Unobservable(name, why_unread(section))


class Definitions:
    """The XML of all domains of one machine, found by section name or, where that was mangled, by the name inside."""

    def __init__(self, libvirt: Libvirt) -> None:
        reader = libvirt.reader
        dumps = [section for section in reader.under(DUMP) if not section.name.startswith(DUMP_INACTIVE)]
        self._dumped = dict(_by_name(DUMP, dumps))
        stored = [section for section in reader.under(DEFINITIONS) if _is_definition(section.name)]
        self._stored = {
            **dict(_by_name(DEFINITIONS, stored)),
            **dict(_by_name(DUMP_INACTIVE, reader.under(DUMP_INACTIVE))),
        }
        running = [section for section in reader.under(STATUS) if section.name.endswith(".xml")]
        self._running = dict(_by_name(STATUS, running))
        self._states = {name: list(states) for name, states in _states(reader, running).items()}

    def names(self, unknown: Unobservable) -> list[str]:
        """Names of the domains that have a definition. Raises `unknown` if there is none: nothing is known then."""
        found = sorted(self._dumped.keys() | self._stored.keys() | self._running.keys())
        if not found:
            raise unknown.with_traceback(None)
        return found

    def listed(self, row: ListedDomain) -> Domain:
        """A domain that virsh listed. `dumpxml` of one that does not run prints what is stored."""
        dumped, stored = self._find(self._dumped, row.name, DUMP), self._find(self._stored, row.name, DUMP_INACTIVE)
        states = ((LIST, attempt(lambda: parse_state(row.state, LIST))), *self._states_of(row.name))
        if row.active:
            live = self._live(row.name, dumped)
            return Domain(row.name, row, live, live, stored, states)
        if isinstance(stored, Unobservable):
            stored = dumped
        return Domain(row.name, row, stored, None, stored, states)

    def unlisted(self, name: str, why: Unobservable) -> Domain:
        """A domain of which only files are known; its state is unknown unless one of them shows it."""
        dumped, stored = self._find(self._dumped, name, DUMP), self._find(self._stored, name, DUMP_INACTIVE)
        states = self._states_of(name) or ((LIST, why),)
        running = self._running.get(name)
        return Domain(
            name, why, dumped if running is None else running, why if running is None else running, stored, states
        )

    def _live(self, name: str, dumped: DomainXml | Unobservable) -> DomainXml | Unobservable:
        """What virsh printed of a running domain, else libvirt's own file of it."""
        return self._running.get(name, dumped) if isinstance(dumped, Unobservable) else dumped

    def _states_of(self, name: str) -> tuple[tuple[str, DomainState | Unobservable], ...]:
        return tuple(self._states.get(name) or self._states.get(_mangled(name)) or ())

    @staticmethod
    def _find(parsed: Mapping[str, DomainXml | Unobservable], name: str, prefix: str) -> DomainXml | Unobservable:
        return parsed.get(name) or parsed.get(_mangled(name)) or Unobservable(prefix + name, "not collected")


def _by_name(prefix: str, sections: list[Section]) -> Iterator[tuple[str, DomainXml | Unobservable]]:
    for section in sections:
        parsed = _parse(section)
        suffix = section.name.removeprefix(prefix).removesuffix(".xml" if prefix in {DEFINITIONS, STATUS} else "")
        yield (suffix if isinstance(parsed, Unobservable) else parsed.name or suffix), parsed


_States = dict[str, list[tuple[str, DomainState | Unobservable]]]


def _states(reader: Reader, running: list[Section]) -> _States:
    """What each section beside the list shows of a domain's state, by its name as the section has it."""
    found: _States = {}
    for section in running:
        name = section.name.removeprefix(STATUS).removesuffix(".xml")
        found.setdefault(name, []).append(_state_in(section, parse_status))
    for prefix, parse in ((DOMINFO, parse_dominfo), (DOMSTATE_REASON, parse_domstate), (DOMSTATE, parse_domstate)):
        for section in reader.under(prefix):
            if prefix != DOMSTATE or not section.name.startswith(DOMSTATE_REASON):
                found.setdefault(section.name.removeprefix(prefix), []).append(_state_in(section, parse))
    return found


def _state_in(section: Section, parse: Callable[[str, str], DomainState]) -> tuple[str, DomainState | Unobservable]:
    return section.name, attempt(lambda: parse(_text_of(section), section.name))


def _text_of(section: Section) -> str:
    if section.status is not Status.OK:
        raise Unobservable(section.name, why_unread(section))
    return section.text


def _parse(section: Section) -> DomainXml | Unobservable:
    return attempt(lambda: parse_domain(_text_of(section), section.name))


def _is_definition(name: str) -> bool:
    """/etc/libvirt/qemu has domains at its top and networks and autostart links below."""
    return name.endswith(".xml") and "/" not in name.removeprefix(DEFINITIONS)


def _mangled(name: str) -> str:
    """The name as sosreport makes it part of a file's name (mangle_command in sos/report/plugins)."""
    return re.sub(r"[^\w\-./]+", "_", name).replace("/", ".").strip(" ._-")
