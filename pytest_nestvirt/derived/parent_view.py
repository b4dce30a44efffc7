"""A guest as its parent runs and configures it, under any provider: its process, its UUID, what hides the hypervisor from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING
from uuid import UUID

from pytest_nestvirt.facts.libvirt.qemu import PIDS, QemuProcess
from pytest_nestvirt.facts.platform.machine_uuid import parse_uuid, same_uuid
from pytest_nestvirt.observation.fact import Unobservable
from pytest_nestvirt.observation.unknown import attempt, first_known, if_known, surely

if TYPE_CHECKING:
    from pytest_nestvirt.facts.libvirt.domain_xml import DomainXml
    from pytest_nestvirt.facts.machine import Machine
    from pytest_nestvirt.facts.providers.qm import QemuConfig
    from pytest_nestvirt.facts.providers.vmx import Vmx


@dataclass(frozen=True, slots=True)
class GivenUuid:
    """The UUID that a parent gives a guest."""

    uuid: UUID
    where: str
    """What gives it, for messages: `its QEMU process on kvm01`."""


def process_of(guest: Machine) -> QemuProcess:
    """The QEMU on its parent that runs a guest: by the number of Proxmox, by name, or by UUID.

    `Unobservable` where the processes are not known, none of them is it, or several may be.
    """
    return first_known(
        lambda: _with_number(guest, guest.pve.config.vmid),
        lambda: guest.domain.process,
        lambda: _with_uuid(guest, guest.identity.uuid),
    )


def runs_others_only(guest: Machine) -> bool:
    """Whether surely no QEMU on the parent runs this guest: none is there, or each has the UUID of another machine.

    `Unobservable` where the processes are not known.
    """
    running = guest.domain.ask(lambda parent: parent.qemu.processes)
    own = if_known(lambda: _own_uuid(guest))
    return not running or (own is not None and all(_has_another_uuid(process, own) for process in running))


def _own_uuid(guest: Machine) -> UUID:
    return first_known(lambda: guest.identity.uuid, lambda: parse_uuid(_of_definition(guest.domain.xml), "its domain"))


def _has_another_uuid(process: QemuProcess, own: UUID) -> bool:
    return surely(lambda: not same_uuid(parse_uuid(process.uuid, process.source), own))


def _with_number(guest: Machine, vmid: int) -> QemuProcess:
    return _only(guest, lambda process: ("-id", str(vmid)) in pairwise(process.argv))


def _with_uuid(guest: Machine, uuid: UUID) -> QemuProcess:
    return _only(guest, lambda process: surely(lambda: same_uuid(parse_uuid(process.uuid, process.source), uuid)))


def _only(guest: Machine, is_it: Callable[[QemuProcess], bool]) -> QemuProcess:
    found = [process for process in guest.domain.ask(lambda parent: parent.qemu.processes) if is_it(process)]
    if len(found) != 1:
        raise Unobservable(PIDS, f"{len(found)} QEMU processes on {guest.domain.reader.host} can be {guest.name}")
    return found[0]


def given_uuid(guest: Machine) -> GivenUuid:
    """The UUID that the parent gives a guest: by its process, else by its definition. `Unobservable` where none is known."""
    return first_known(
        lambda: _given(process_of(guest).uuid, "its QEMU process", guest),
        lambda: _given(_of_definition(guest.domain.xml), "its domain", guest),
        lambda: _given(_of_proxmox(guest.pve.config), "its configuration", guest),
        lambda: _given(guest.vmx.file.setting("uuid.bios") or "", "its .vmx file", guest),
    )


def _given(text: str, what: str, guest: Machine) -> GivenUuid:
    return GivenUuid(parse_uuid(text, what), f"{what} on {guest.domain.reader.host}")


def _of_definition(xml: DomainXml) -> str:
    return QemuProcess(0, ("", *xml.qemu_arguments)).uuid or xml.firmware_uuid


def _of_proxmox(config: QemuConfig) -> str:
    own = dict(part.partition("=")[::2] for part in config.settings.get("smbios1", "").split(","))
    return arguments_of(config).uuid or own.get("uuid", "")


def arguments_of(config: QemuConfig) -> QemuProcess:
    """What `args:` of a configuration hands to QEMU past Proxmox VE."""
    return QemuProcess(config.vmid, ("", *config.settings.get("args", "").split()))


def disguise(guest: Machine) -> tuple[str, ...]:
    """What its parent does so that a guest does not see its hypervisor or its maker, as far as it is known."""
    process, xml = if_known(lambda: process_of(guest)), attempt(lambda: guest.domain.xml)
    config, vmx = if_known(lambda: guest.pve.config), if_known(lambda: guest.vmx.file)
    found = [*(process.disguise if process else ())]
    found += [] if isinstance(xml, Unobservable) else _by_definition(xml)
    found += _by_proxmox(config) if config else ()
    found += _by_vmx(vmx) if vmx else ()
    return tuple(dict.fromkeys(found))


def _by_definition(xml: DomainXml) -> Iterator[str]:
    if xml.kvm_hidden:
        yield "<hidden state='on'/>"
    if xml.declines("hypervisor"):
        yield f"feature hypervisor: {xml.policy('hypervisor')}"
    if xml.smbios in {"host", "sysinfo"}:
        yield f"<smbios mode='{xml.smbios}'/>"
    yield from QemuProcess(0, ("", *xml.qemu_arguments)).disguise


def _by_proxmox(config: QemuConfig) -> Iterator[str]:
    if "hidden=1" in config.settings.get("cpu", "").split(","):
        yield "hidden=1"
    if any(part.startswith(("manufacturer=", "product=")) for part in config.settings.get("smbios1", "").split(",")):
        yield "smbios1"
    yield from arguments_of(config).disguise


def _by_vmx(vmx: Vmx) -> Iterator[str]:
    if surely(lambda: vmx.setting("hypervisor.cpuid.v0") is not None and not vmx.enabled("hypervisor.cpuid.v0")):
        yield "hypervisor.cpuid.v0"
    if surely(lambda: vmx.enabled("smbios.reflectHost")):
        yield "smbios.reflectHost"
