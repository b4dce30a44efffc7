"""One machine, or a hypervisor and its guest, made of the sections that a test names."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_nestvirt.facts.machine import Machine, build_machines
from pytest_nestvirt.inventory.host import Connection, Host, Inventory, Provider
from pytest_nestvirt.snapshot.snapshot import Section, Snapshot, Status

Sections = Mapping[str, bytes | str | Status]


def section(name: str, data: bytes | str | Status) -> Section:
    """A section with this data, or with this status and none."""
    if isinstance(data, Status):
        return Section(name, data)
    return Section(name, data=data.encode() if isinstance(data, str) else data)


def snapshot(sections: Sections) -> Snapshot:
    """What was read."""
    return Snapshot({name: section(name, data) for name, data in sections.items()})


def machine(sections: Sections) -> Machine:
    """A machine by itself."""
    host = Host("one", 0, None, Connection.RECORDED)
    return build_machines(Inventory((host,)), {"one": snapshot(sections)})["one"]


def guest_of(sections: Sections, domain: str = "l1", provider: Provider = Provider.LIBVIRT) -> Machine:
    """The guest, of which nothing was read, of a hypervisor with these sections."""
    parent = Host("hv", 0, None, Connection.RECORDED, provider=provider)
    child = Host("l1", 1, "hv", Connection.NONE, domain=domain)
    return build_machines(Inventory((parent, child)), {"hv": snapshot(sections)})["l1"]
