"""All facts of one machine as JSON-able values, with where each was read and why the rest is unknown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from enum import Enum

from pytest_nestvirt.cli.domain_rules import kvm_wiki_rule, rhel_rule, ubuntu_rule
from pytest_nestvirt.facts.libvirt.domain_xml import DomainXml
from pytest_nestvirt.facts.libvirt.libvirt import Domain
from pytest_nestvirt.facts.machine import Machine
from pytest_nestvirt.inventory.host import Provider
from pytest_nestvirt.observation.fact import Subject, Unobservable, facts_of, observing

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
        told = [fact for fact in facts_of(type(subject)) if f"{name}.{fact}" not in LEFT_OUT]
        return {fact: self._fact(f"{name}.{fact}", subject, fact) for fact in told}

    def _fact(self, path: str, subject: Subject, name: str) -> object:
        with observing() as seen:
            value = self.value(path, subject, name)
        self.provenance[path] = sorted({source for observation in seen for source in observation.sources})
        return value

    def value(self, path: str, owner: object, name: str) -> object:
        """The attribute as a JSON value; None, and a note of the reason, if it is unknown."""
        try:
            return plain(getattr(owner, name))
        except Unobservable as unknown:
            self.unknown[path] = {"source": unknown.source, "why": unknown.why}
            return None


def dump(machine: Machine) -> Json:
    """Everything that is known of a machine.

    The values stand at their paths (`cpu.flags`, `kvm.nested`, `domains.NAME.cpu_mode`), None where unknown. Two trees stand
    beside them, both by path: `provenance` has the sections that a fact was read from, `unknown` the source that should have
    told and why it did not.
    """
    gathered = Dump()
    told: Json = {name: gathered.subject(name, subject) for name, subject in _subjects(machine)}
    told["os"] = _os(machine, gathered, told["os"])
    told["domains"] = _domains(machine, gathered)
    told["libvirt"] = {key: value for key, value in _items(told["libvirt"]) if key != "domains"}
    return {
        "version": VERSION,
        "host": machine.name,
        "level": machine.level,
        "arch": _items_of(told["kernel"]).get("architecture"),
        "arch_family": _items_of(told["kernel"]).get("family") or "unknown",
        **told,
        "provenance": gathered.provenance,
        "unknown": gathered.unknown,
    }


def _subjects(machine: Machine) -> Iterator[tuple[str, Subject]]:
    """Subjects by the name that they have on a machine; what a parent says only where there is one."""
    of_parent = {
        machine.domain: ("domain", machine.parent is not None),
        machine.vmx: ("vmx", _is_of(machine, Provider.VSPHERE)),
        machine.pve: ("pve", _is_of(machine, Provider.PROXMOX)),
    }
    for subject in machine.subjects:
        name, told = of_parent.get(subject, (subject.label, True))
        if told:
            yield name, subject


def _is_of(machine: Machine, provider: Provider) -> bool:
    return machine.parent is not None and machine.parent.host.provider is provider


def _items_of(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _items(value: object) -> Iterator[tuple[str, object]]:
    yield from _items_of(value).items()


def _os(machine: Machine, gathered: Dump, facts: object) -> Json:
    """The version as it is written and as numbers: `20.04` is not 20.4."""
    told = dict(_items(facts))
    told["version_numbers"] = told["version"]
    told["version"] = gathered.value("os.version", machine.os, "version_id")
    return told


_OF_DOMAIN = ("running", "state")
_OF_XML = (
    "type", "accel", "uuid", "arch", "machine", "wrapped", "cpu_elements", "cpu_mode", "cpu_model", "cpu_check",
    "features", "nested_hv", "hugepages", "iommu", "memory_kib", "vcpus", "power8_compat", "impossible_vmx_and_svm",
    "vmx_sub_features",
)  # fmt: skip


def _domains(machine: Machine, gathered: Dump) -> Json | None:
    try:
        domains = machine.libvirt.domains
    except Unobservable:
        return None
    return {name: _domain(f"domains.{name}", domain, gathered) for name, domain in domains.items()}


def _domain(path: str, domain: Domain, gathered: Dump) -> Json:
    told = {name: gathered.value(f"{path}.{name}", domain, name) for name in _OF_DOMAIN}
    try:
        xml = _definition(domain)
    except Unobservable as unknown:
        gathered.unknown[path] = {"source": unknown.source, "why": unknown.why}
        return told | dict.fromkeys(_OF_XML)
    gathered.provenance[path] = [xml.source]
    return told | {name: gathered.value(f"{path}.{name}", xml, name) for name in _OF_XML} | _judged(xml)


def _definition(domain: Domain) -> DomainXml:
    """What holds now; where that is not known, what is stored (`running` is unknown then, and says so)."""
    try:
        return domain.xml
    except Unobservable as unknown:
        if domain.inactive is None:
            raise unknown.with_traceback(None) from None
        return domain.inactive


def _judged(xml: DomainXml) -> Json:
    rules = {"rhel": rhel_rule(xml), "ubuntu": ubuntu_rule(xml), "kvm_wiki": kvm_wiki_rule(xml)}
    return {
        "vmx": xml.policy("vmx"),
        "svm": xml.policy("svm"),
        "rules": {name: outcome.value for name, outcome in rules.items()},
    }


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
