"""Facts about the virtual networks of a machine's libvirt."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pytest_nestvirt.facts.libvirt.network_xml import Network, Subnet, parse_network
from pytest_nestvirt.facts.libvirt.virsh import refuse_error
from pytest_nestvirt.observation.fact import Subject, Unobservable, fact, why_unread
from pytest_nestvirt.observation.unknown import attempt
from pytest_nestvirt.snapshot.snapshot import Section, Status

__all__ = ["Network", "Networks", "Overlap"]

LIST = "sos_commands/virsh/virsh_-r_net-list"
DUMP = "sos_commands/virsh/virsh_-r_net-dumpxml_"

_HEADER = re.compile(r"\s*Name\s+State\s+Autostart\b.*")
_ROW = re.compile(r"\s*(?P<name>\S.*?)\s+(?P<state>active|inactive)\s+(?:yes|no|no autostart)\b.*")


@dataclass(frozen=True, slots=True)
class Overlap:
    """Two networks, one of each machine, that share addresses: what one of them holds is out of reach from the other."""

    name: str
    subnet: Subnet
    other: str
    other_subnet: Subnet


class Networks(Subject):
    """The networks that are active, by `virsh net-list` and `virsh net-dumpxml`."""

    name = "networks"

    @fact
    def networks(self) -> Mapping[str, Network]:
        """Every active network by name; empty where libvirt has none. `Unobservable` where one of them was not read."""
        known = dict(map(_parsed, self.reader.under(DUMP)))
        return MappingProxyType({name: _network(known, name) for name in self._names()})

    def overlaps(self, other: Networks) -> tuple[Overlap, ...]:
        """Every pair of subnets, of this machine and of another, that share addresses."""
        return tuple(
            Overlap(mine.name, subnet, its.name, its_subnet)
            for mine in self.networks.values()
            for its in other.networks.values()
            for subnet in mine.subnets
            for its_subnet in its.subnets
            if subnet.version == its_subnet.version and subnet.overlaps(its_subnet)
        )

    def _names(self) -> tuple[str, ...]:
        section = self.reader.section(LIST)
        if section.status is Status.MISSING:
            raise Unobservable(LIST, section.error or "libvirt is not installed on this machine")
        refuse_error(section.error, LIST)
        if section.status is not Status.OK:
            raise Unobservable(LIST, why_unread(section))
        return tuple(_listed(section.text, LIST))


def _parsed(section: Section) -> tuple[str, Network | Unobservable]:
    """By the name inside, since sosreports mangle it in that of the section."""
    name = section.name.removeprefix(DUMP)
    if section.status is not Status.OK:
        return name, Unobservable(section.name, why_unread(section))
    network = attempt(lambda: parse_network(section.text, section.name))
    return (name if isinstance(network, Unobservable) else network.name), network


def _network(known: Mapping[str, Network | Unobservable], name: str) -> Network:
    found = known.get(name) or Unobservable(DUMP + name, "not collected")
    if isinstance(found, Unobservable):
        raise found
    return found


def _listed(text: str, source: str) -> Iterator[str]:
    """Names of the active networks in the table ` Name   State    Autostart   Persistent`."""
    refuse_error(text, source)
    lines = [line for line in text.split("\n") if line.strip()]
    if not lines or not _HEADER.fullmatch(lines[0]):
        raise Unobservable(source, "not a table of networks")
    for line in lines[1:]:
        if line.strip("- "):
            row = _ROW.fullmatch(line)
            if row is None:
                raise Unobservable(source, f"not a row of a table of networks: {line.strip()[:80]!r}")
            if row["state"] == "active":
                yield row["name"]
