"""Facts about a guest as its parent sees it: the libvirt domain that it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeVar

from pytest_nestvirt.facts.libvirt.domain_xml import DomainXml
from pytest_nestvirt.facts.libvirt.libvirt import LIST, Domain, Libvirt
from pytest_nestvirt.facts.libvirt.qemu import PIDS, Qemu, QemuProcess
from pytest_nestvirt.facts.seen_by_parent import DefinedGuest
from pytest_nestvirt.observation.fact import Unobservable, fact
from pytest_nestvirt.observation.unknown import known_or

T = TypeVar("T")


class Hypervisor(Protocol):
    """What a guest's facts need of its parent."""

    @property
    def libvirt(self) -> Libvirt:
        """The parent's libvirt."""

    @property
    def qemu(self) -> Qemu:
        """The parent's QEMU processes."""


class GuestDomain(DefinedGuest[Hypervisor]):
    """The libvirt domain that a guest is."""

    name = "domain"
    several = "domains"

    @fact
    def defined(self) -> bool:
        """Whether libvirt on the parent knows a domain of that name."""
        return self.ask(lambda parent: parent.libvirt.find(self.domain)) is not None

    @fact
    def running(self) -> bool:
        """Whether it executes on the parent: not if it is paused, crashed or suspended, nor if libvirt does not know it."""
        return self.ask(lambda parent: _runs(parent.libvirt.find(self.domain)))

    @property
    def has_process(self) -> bool:
        """Whether it has a process on the parent, whatever its state."""
        return self._domain().has_process

    @fact
    def state(self) -> str:
        """As virsh prints it: running, paused, shut off, ..."""
        return self._domain().state

    @fact
    def xml(self) -> DomainXml:
        """The definition that holds now: the active one of a running domain, else the stored one."""
        return self._domain().xml

    @fact
    def active(self) -> DomainXml:
        """The definition of the running domain; `Unobservable` if it does not run."""
        return self._given(self._domain().active, "does not run")

    @fact
    def inactive(self) -> DomainXml:
        """The definition it starts from next time; `Unobservable` for a transient domain."""
        return self._given(self._domain().inactive, "has no stored definition")

    @fact
    def cpu_mode(self) -> str:
        """Mode of <cpu>: host-passthrough, host-model, custom, maximum, topology-only, absent."""
        return self._one_cpu().cpu_mode

    @fact
    def features(self) -> Mapping[str, str]:
        """Processor features that the definition names, with their policies."""
        return self._one_cpu().features

    def _one_cpu(self) -> DomainXml:
        xml = self.xml
        if xml.cpu_elements > 1:
            raise Unobservable(xml.source, f"{xml.cpu_elements} <cpu> elements: which one holds is not defined")
        return xml

    @fact
    def nested_hv(self) -> str:
        """POWER: whether <nested-hv> is on, off or absent."""
        return self.xml.nested_hv

    @fact
    def machine_type(self) -> str:
        """`pc-q35-rhel8.2.0`, `pseries`, `s390-ccw-virtio`, ..."""
        return self._given(self.xml.machine or None, "names no machine type")

    @fact
    def hugepages(self) -> bool:
        """Whether its memory is backed by huge pages."""
        return self.xml.hugepages

    @fact
    def power8_compat(self) -> bool:
        """POWER: whether it runs, or is going to start, in POWER8 compatibility mode."""
        return self.xml.power8_compat or any(process.power8_compat for process in self._processes_if_known())

    def _processes_if_known(self) -> tuple[QemuProcess, ...]:
        """Empty also where the process list could not be read: the definition decides, the command line only adds to it."""
        return known_or(self._processes, ())

    @fact
    def command_line(self) -> tuple[str, ...]:
        """Arguments of its running QEMU. `Unobservable` if it does not run or its process was not found."""
        return self._process().argv

    @fact
    def accel(self) -> str:
        """What runs it: kvm, tcg, ... By its process if that is known, else by what the definition asks for."""
        return (
            self._process().accel if self._processes_if_known() else self._given(self.xml.accel or None, "has no type")
        )

    @property
    def process(self) -> QemuProcess:
        """Its QEMU, by name or else by the UUID of its definition. `Unobservable` if it does not run or was not found."""
        return self._process()

    def _process(self) -> QemuProcess:
        found = self._processes()
        if len(found) != 1:
            counted = "no QEMU process" if not found else f"each of {len(found)} QEMU processes"
            raise Unobservable(PIDS, f"{counted} on {self.reader.host} is named {self.domain}")
        return found[0]

    def _processes(self) -> tuple[QemuProcess, ...]:
        running = self.ask(lambda parent: parent.qemu.processes)
        named = tuple(process for process in running if process.name == self.domain)
        return named or self._by_uuid(running)

    def _by_uuid(self, running: tuple[QemuProcess, ...]) -> tuple[QemuProcess, ...]:
        """Those that have the UUID of the definition."""
        uuid = known_or(lambda: self._domain().xml.firmware_uuid, "")
        return tuple(process for process in running if uuid and process.uuid.lower() == uuid)

    def _domains(self) -> Mapping[str, Domain]:
        return self.ask(lambda parent: parent.libvirt.domains)

    def _domain(self) -> Domain:
        known = self._domains().get(self.domain)
        if known is None:
            raise Unobservable(
                LIST, f"no domain {self.domain} on {self.reader.host}; `domain:` in the inventory names it"
            )
        return known

    def _given(self, value: T | None, why: str) -> T:
        if value is None:
            raise Unobservable(LIST, f"domain {self.domain} {why}")
        return value


def _runs(domain: Domain | None) -> bool:
    return domain is not None and domain.running
