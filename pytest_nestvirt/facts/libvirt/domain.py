"""Facts about a guest as its parent sees it: the libvirt domain that it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeVar

from pytest_nestvirt.facts.libvirt.domain_xml import DomainXml
from pytest_nestvirt.facts.libvirt.libvirt import LIST, Domain, Libvirt
from pytest_nestvirt.facts.libvirt.qemu import PIDS, Qemu, QemuProcess
from pytest_nestvirt.facts.seen_by_parent import DefinedGuest
from pytest_nestvirt.observation.fact import Unobservable, fact

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
        # Definitions that were found on their own may not be all; `running` needs the list, and tells why there is none.
        return self.domain in self._domains() or self._runs()

    @fact
    def running(self) -> bool:
        """Whether it has a process on the parent (paused counts); False too if libvirt does not know it."""
        return self._runs()

    def _runs(self) -> bool:
        return self.domain in self.ask(lambda parent: parent.libvirt.running)

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
        """Empty also where the process list could not be read: the definition tells, the command line only adds to it."""
        try:
            return self._processes()
        except Unobservable:
            return ()

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

    def _process(self) -> QemuProcess:
        found = self._processes()
        if len(found) != 1:
            counted = "no QEMU process" if not found else f"each of {len(found)} QEMU processes"
            raise Unobservable(PIDS, f"{counted} on {self.reader.host} is named {self.domain}")
        return found[0]

    def _processes(self) -> tuple[QemuProcess, ...]:
        running = self.ask(lambda parent: parent.qemu.processes)
        return tuple(process for process in running if process.name == self.domain)

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
