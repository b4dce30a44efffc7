"""Facts about the domains that libvirt on this machine knows, running or only defined."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeVar

from pytest_nestvirt.facts.libvirt.domain_xml import DomainXml, parse_domain
from pytest_nestvirt.facts.libvirt.virsh import ListedDomain, Versions, parse_list, parse_versions, refuse_error
from pytest_nestvirt.observation.fact import Subject, Unobservable, fact, why_unread
from pytest_nestvirt.snapshot.snapshot import Section, Status

T = TypeVar("T")

LIST = "sos_commands/virsh/virsh_-r_list_--all"
VERSION = "sos_commands/virsh/virsh_-r_version"
DUMP = "sos_commands/virsh/virsh_-r_dumpxml_"
DUMP_INACTIVE = DUMP + "--inactive_"
DEFINITIONS = "etc/libvirt/qemu/"


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

    @property
    def running(self) -> bool:
        """Whether it has a process: running, paused, being shut down."""
        return _known(self.listed).active

    @property
    def state(self) -> str:
        """As virsh prints it: running, paused, shut off, ..."""
        return _known(self.listed).state

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
        return self._told(self._versions().library, "names no version of the library")

    @fact
    def qemu_version(self) -> tuple[int, ...]:
        """Of the QEMU that libvirt starts machines with."""
        return self._told(self._versions().hypervisor, "names no version of a running hypervisor")

    def _told(self, version: tuple[int, ...], why: str) -> tuple[int, ...]:
        if not version:
            raise Unobservable(VERSION, why)
        return version

    def _versions(self) -> Versions:
        return parse_versions(self._virsh(VERSION), VERSION)

    @fact
    def running(self) -> frozenset[str]:
        """Names of the domains that have a process, paused ones among them."""
        return frozenset(row.name for row in self._listed() if row.active)

    @fact
    def domains(self) -> Mapping[str, Domain]:
        """Every domain by name.

        Where virsh did not list them (a record without it), those whose definitions were found; whether they run, and whether
        there are more, is unknown then.
        """
        definitions = Definitions(self)
        try:
            rows: tuple[ListedDomain, ...] = self._listed()
        except Unobservable as unknown:
            return MappingProxyType({name: definitions.unlisted(name, unknown) for name in definitions.names(unknown)})
        return MappingProxyType({row.name: definitions.listed(row) for row in rows})

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

    def names(self, unknown: Unobservable) -> list[str]:
        """Names of the domains that have a definition. Raises `unknown` if there is none: nothing is known then."""
        found = sorted(self._dumped.keys() | self._stored.keys())
        if not found:
            raise unknown.with_traceback(None)
        return found

    def listed(self, row: ListedDomain) -> Domain:
        """A domain that virsh listed. `dumpxml` of one that does not run prints what is stored."""
        dumped, stored = self._find(self._dumped, row.name, DUMP), self._find(self._stored, row.name, DUMP_INACTIVE)
        if row.active:
            return Domain(row.name, row, dumped, dumped, stored)
        if isinstance(stored, Unobservable):
            stored = dumped
        return Domain(row.name, row, stored, None, stored)

    def unlisted(self, name: str, why: Unobservable) -> Domain:
        """A domain of which only files tell: nobody knows whether it runs."""
        dumped, stored = self._find(self._dumped, name, DUMP), self._find(self._stored, name, DUMP_INACTIVE)
        return Domain(name, why, dumped, why, stored)

    @staticmethod
    def _find(parsed: Mapping[str, DomainXml | Unobservable], name: str, prefix: str) -> DomainXml | Unobservable:
        return parsed.get(name) or parsed.get(_mangled(name)) or Unobservable(prefix + name, "not collected")


def _by_name(prefix: str, sections: list[Section]) -> Iterator[tuple[str, DomainXml | Unobservable]]:
    for section in sections:
        parsed = _parse(section)
        suffix = section.name.removeprefix(prefix).removesuffix(".xml" if prefix == DEFINITIONS else "")
        yield (suffix if isinstance(parsed, Unobservable) else parsed.name or suffix), parsed


def _parse(section: Section) -> DomainXml | Unobservable:
    if section.status is not Status.OK:
        return Unobservable(section.name, why_unread(section))
    try:
        return parse_domain(section.text, section.name)
    except Unobservable as unknown:
        return unknown


def _is_definition(name: str) -> bool:
    """/etc/libvirt/qemu has domains at its top and networks and autostart links below."""
    return name.endswith(".xml") and "/" not in name.removeprefix(DEFINITIONS)


def _mangled(name: str) -> str:
    """The name as sosreport makes it part of a file's name (mangle_command in sos/report/plugins)."""
    return re.sub(r"[^\w\-./]+", "_", name).replace("/", ".").strip(" ._-")
