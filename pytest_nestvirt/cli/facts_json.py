"""All facts of one machine as JSON-able values, with where each was read and why the rest is unknown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from enum import Enum

from pytest_nestvirt.facts.libvirt.domain_xml import DomainXml
from pytest_nestvirt.facts.libvirt.libvirt import Domain
from pytest_nestvirt.facts.libvirt.qemu_cpu import EXTENSIONS
from pytest_nestvirt.facts.machine import Machine
from pytest_nestvirt.inventory.host import Provider
from pytest_nestvirt.observation.fact import Subject, Unobservable, facts_of, observing
from pytest_nestvirt.observation.unknown import attempt, if_known

Json = dict[str, object]

VERSION = 1
"""Of the shape of a dump; a change that breaks readers raises it."""

LEFT_OUT = frozenset({"cpu.flags_by_cpu"})
"""A thousand times the same hundred words on large machines; `cpu.flags` has those that all processors share."""


class Dump:
    """Gathers the values of one machine."""

    def __init__(self) -> None:
        self.provenance: dict[str, list[str]] = {}
        self.unknown: dict[str, Json] = {}

    def subject(self, name: str, subject: Subject) -> Json:
        """Every fact of a subject by name; None for what is unknown."""
        shown = [fact for fact in facts_of(type(subject)) if f"{name}.{fact}" not in LEFT_OUT]
        return {fact: self._fact(f"{name}.{fact}", subject, fact) for fact in shown}

    def _fact(self, path: str, subject: Subject, name: str) -> object:
        with observing() as seen:
            value = self.value(path, subject, name)
        self.provenance[path] = sorted({source for observation in seen for source in observation.sources})
        return value

    def value(self, path: str, owner: object, name: str) -> object:
        """The attribute as a JSON value; None, and a note of the reason, if it is unknown."""
        value = attempt(lambda: getattr(owner, name))
        if isinstance(value, Unobservable):
            self.note_unknown(path, value)
            return None
        return plain(value)

    def note_unknown(self, path: str, unknown: Unobservable) -> None:
        """Record why what belongs at that path is not known."""
        self.unknown[path] = {"source": unknown.source, "why": unknown.why}


def dump(machine: Machine) -> Json:
    """Everything that is known of a machine.

    The values are at their paths (`cpu.flags`, `kvm.nested`, `domains.NAME.cpu_mode`), None where unknown. Two trees are
    beside them, both by path: `provenance` has the sections that a fact was read from, `unknown` the source that should have
    shown it and why it did not.
    """
    gathered = Dump()
    facts: Json = {name: gathered.subject(name, subject) for name, subject in _subjects(machine)}
    facts["os"] = _os(machine, gathered, facts["os"])
    facts["domains"] = _domains(machine, gathered)
    facts["libvirt"] = {key: value for key, value in _items(facts["libvirt"]) if key != "domains"}
    return {
        "version": VERSION,
        "host": machine.name,
        "level": machine.level,
        "arch": _items_of(facts["kernel"]).get("architecture"),
        "arch_family": _items_of(facts["kernel"]).get("family") or "unknown",
        **facts,
        "provenance": gathered.provenance,
        "unknown": gathered.unknown,
    }


def _subjects(machine: Machine) -> Iterator[tuple[str, Subject]]:
    """Subjects by the name that they have on a machine; what a parent shows of it only where there is one."""
    of_parent = {
        machine.domain: ("domain", machine.parent is not None),
        machine.vmx: ("vmx", _is_of(machine, Provider.VSPHERE)),
        machine.pve: ("pve", _is_of(machine, Provider.PROXMOX)),
    }
    for subject in machine.subjects:
        name, shown = of_parent.get(subject, (subject.label, True))
        if shown:
            yield name, subject


def _is_of(machine: Machine, provider: Provider) -> bool:
    return machine.parent is not None and machine.parent.host.provider is provider


def _items_of(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _items(value: object) -> Iterator[tuple[str, object]]:
    yield from _items_of(value).items()


def _os(machine: Machine, gathered: Dump, facts: object) -> Json:
    """The version as it is written and as numbers: `20.04` is not 20.4."""
    system = dict(_items(facts))
    system["version_numbers"] = system["version"]
    system["version"] = gathered.value("os.version", machine.os, "version_id")
    return system


_OF_DOMAIN = ("running", "state")
_OF_XML = (
    "type", "accel", "uuid", "arch", "machine", "wrapped", "cpu_elements", "cpu_mode", "cpu_model", "cpu_check",
    "features", "nested_hv", "hugepages", "iommu", "memory_kib", "vcpus", "power8_compat", "impossible_vmx_and_svm",
    "vmx_sub_features",
)  # fmt: skip


def _domains(machine: Machine, gathered: Dump) -> Json | None:
    domains = if_known(lambda: machine.libvirt.domains)
    if domains is None:
        return None
    return {name: _domain(f"domains.{name}", domain, gathered) for name, domain in domains.items()}


def _domain(path: str, domain: Domain, gathered: Dump) -> Json:
    shown = {name: gathered.value(f"{path}.{name}", domain, name) for name in _OF_DOMAIN}
    xml = attempt(lambda: _definition(domain))
    if isinstance(xml, Unobservable):
        gathered.note_unknown(path, xml)
        return shown | dict.fromkeys((*_OF_XML, *EXTENSIONS))
    gathered.provenance[path] = [xml.source]
    policies = {extension: xml.policy(extension) for extension in EXTENSIONS}
    return shown | {name: gathered.value(f"{path}.{name}", xml, name) for name in _OF_XML} | policies


def _definition(domain: Domain) -> DomainXml:
    """What holds now; where that is not known, what is stored (`running` is unknown then, with the reason)."""
    definition = attempt(lambda: domain.xml)
    if not isinstance(definition, Unobservable):
        return definition
    if domain.inactive is None:
        raise definition
    return domain.inactive


def plain(value: object) -> object:
    """The value in JSON's types: sets sorted, tuples as lists, enums by value, records and mappings as objects."""
    match value:
        case Enum():
            return value.value
        case Unobservable():
            return {"unknown": {"source": value.source, "why": value.why}}
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
        case AbstractSet():
            return sorted((plain(item) for item in value), key=str)
        case tuple() | list():
            return [plain(item) for item in value]
        case _ if is_dataclass(value) and not isinstance(value, type):
            return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
        case None | bool() | int() | float() | str():
            return value
        case _:
            return str(value)
