"""Facts about a Proxmox VE node, and about a guest as its node configures and runs it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from types import MappingProxyType
from typing import Protocol

from pytest_nestvirt.facts.libvirt.qemu import Qemu
from pytest_nestvirt.facts.libvirt.qemu_argv import QemuProcess
from pytest_nestvirt.facts.libvirt.qemu_cpu import EXTENSION, EXTENSIONS, parse_cpu_option
from pytest_nestvirt.facts.processor.cpu import Cpu
from pytest_nestvirt.facts.providers.qm import QemuConfig, parse_config, parse_showcmd
from pytest_nestvirt.facts.seen_by_parent import DefinedGuest
from pytest_nestvirt.observation.fact import Subject, Unobservable, fact, why_unread
from pytest_nestvirt.snapshot.snapshot import Section, Status

VERSION = "nestvirt/proxmox/pveversion"
CONFIG = "nestvirt/proxmox/qm_config_"
SHOWCMD = "nestvirt/proxmox/qm_showcmd_"

_VERSION = re.compile(r"^pve-manager/(?P<version>[0-9]{1,4}(?:[.-][0-9]{1,4}){0,3})(?:[/~+]|\s|$)", re.MULTILINE)


class Proxmox(Subject):
    """A Proxmox VE node. Every fact is `Unobservable` on other machines."""

    name = "proxmox"

    @fact
    def version(self) -> tuple[int, ...]:
        """`pve-manager/8.2.2/9355359cd7afbae4 (running kernel: 6.8.4-2-pve)` is (8, 2, 2); `6.4-13` is (6, 4, 13)."""
        found = _VERSION.search(self.read(VERSION))
        if found is None:
            raise Unobservable(VERSION, "shows no pve-manager/VERSION")
        return tuple(map(int, re.split(r"[.-]", found["version"])))

    @fact
    def vms(self) -> Mapping[str, QemuConfig]:
        """The machines whose configuration was read, each by its number; by its name, too, where no other has it."""
        configs = self._configs()
        named = [config.name for config in configs]
        by_name = {config.name: config for config in configs if named.count(config.name) == 1}
        return MappingProxyType(by_name | {str(config.vmid): config for config in configs})

    def _configs(self) -> list[QemuConfig]:
        read = [_parsed(number, section) for number, section in self._numbered()]
        known = [config for config in read if isinstance(config, QemuConfig)]
        if not known:
            raise next(
                (unread for unread in read if isinstance(unread, Unobservable)),
                Unobservable(CONFIG, "no configuration of a machine was read"),
            )
        return known

    def _numbered(self) -> Iterator[tuple[int, Section]]:
        for section in self.reader.under(CONFIG):
            number = section.name.removeprefix(CONFIG)
            if re.fullmatch(r"[0-9]{1,10}", number):
                yield int(number), section

    def command(self, config: QemuConfig) -> QemuProcess:
        """What it is going to be started with, by `qm showcmd`."""
        source = f"{SHOWCMD}{config.vmid}"
        return parse_showcmd(self.read(source), config.vmid, source)


def _parsed(vmid: int, section: Section) -> QemuConfig | Unobservable:
    if section.status is not Status.OK:
        return Unobservable(section.name, why_unread(section))
    try:
        return parse_config(section.text, vmid, section.name)
    except Unobservable as unknown:
        return unknown


class ProxmoxNode(Protocol):
    """What a guest's facts need of its parent."""

    @property
    def proxmox(self) -> Proxmox:
        """The parent as a Proxmox VE node."""

    @property
    def qemu(self) -> Qemu:
        """The QEMU processes of the parent."""

    @property
    def cpu(self) -> Cpu:
        """The processors of the parent."""


class GuestPve(DefinedGuest[ProxmoxNode]):
    """What a Proxmox VE node says of a guest; `domain` is its name there or its number.

    Every fact is `Unobservable` also where the parent is no such node, or has no machine of that name.
    """

    name = "pve"

    @fact
    def config(self) -> QemuConfig:
        """All of its configuration."""
        found = self.ask(lambda node: node.proxmox.vms).get(self.domain)
        if found is None:
            raise Unobservable(
                CONFIG, f"not one machine called {self.domain} on {self.reader.host}; `domain:` names it"
            )
        return found

    @fact
    def vcpus(self) -> int:
        """Processors that it is given."""
        return self.config.vcpus

    @fact
    def memory_mib(self) -> int:
        """Memory that it is given, in MiB."""
        return self.config.memory_mib

    @fact
    def cpu_type(self) -> str:
        """`host`, `kvm64` (also of a machine without the line), `x86-64-v2-AES`, ..."""
        return self.config.cpu.type

    @fact
    def cpu_flags(self) -> Mapping[str, bool]:
        """Flags that `cpu:` adds (True) and takes away."""
        return self.config.cpu.flags

    @fact
    def showcmd_cpu(self) -> str:
        """What follows -cpu in `qm showcmd`: `host,+kvm_pv_eoi,+kvm_pv_unhalt`."""
        command = self.ask(lambda node: node.proxmox.command(self.config))
        return _cpu_option(command, f"{SHOWCMD}{self.config.vmid}")

    @fact
    def offers_virtualization(self) -> bool:
        """Whether its processor is to have vmx or svm, whichever the node's processors have.

        By the command line of its process if it runs, else by `qm showcmd`. Whether KVM on the node can give it what it is
        offered is another question: that of the module's `nested`.
        """
        cpu = parse_cpu_option(self._running_cpu() or self.showcmd_cpu)
        try:
            extension = EXTENSION.get(self.parent.cpu.vendor)
        except Unobservable:
            extension = None
        offered = {cpu.offers(name) for name in ([extension] if extension else EXTENSIONS)}
        if len(offered) != 1:
            raise Unobservable(
                f"{SHOWCMD}{self.config.vmid}", f"{cpu}: of what vendor the node's processors are is unknown"
            )
        return offered.pop()

    def _running_cpu(self) -> str:
        """What follows -cpu in the command line of its process; empty where none was found."""
        try:
            processes = self.parent.qemu.processes
        except Unobservable:
            return ""
        mine = [process for process in processes if ("-id", str(self.config.vmid)) in pairwise(process.argv)]
        return _cpu_option(mine[0], f"nestvirt/qemu/{mine[0].pid}") if len(mine) == 1 else ""


def _cpu_option(process: QemuProcess, source: str) -> str:
    options = process.values("cpu")
    if len(options) != 1:
        raise Unobservable(source, f"the command line has {len(options) or 'no'} options -cpu")
    return options[0]
