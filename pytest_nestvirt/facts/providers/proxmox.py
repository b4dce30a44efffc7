"""Facts about a Proxmox VE node, and about a guest as its node configures and runs it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from types import MappingProxyType
from typing import Protocol

from pytest_nestvirt.facts.libvirt.qemu import PIDS, Qemu
from pytest_nestvirt.facts.libvirt.qemu_argv import QemuProcess
from pytest_nestvirt.facts.libvirt.qemu_cpu import EXTENSION, EXTENSIONS, GuestCpu, cpu_of_argv
from pytest_nestvirt.facts.processor.cpu import Cpu
from pytest_nestvirt.facts.providers.qm import QemuConfig, parse_config, parse_showcmd
from pytest_nestvirt.facts.seen_by_parent import DefinedGuest
from pytest_nestvirt.observation.fact import Subject, Unobservable, fact, why_unread
from pytest_nestvirt.observation.unknown import attempt, first_known, if_known
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
    return attempt(lambda: parse_config(section.text, vmid, section.name))


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
    """What a Proxmox VE node shows of a guest; `domain` is its name there or its number.

    Every fact is `Unobservable` also where the parent is not such a node, or has no machine of that name.
    """

    name = "pve"

    @fact
    def config(self) -> QemuConfig:
        """All of its configuration."""
        found = self.ask(lambda node: node.proxmox.vms).get(self.domain)
        if found is None:
            raise Unobservable(CONFIG, f"not one machine named {self.domain} on {self.reader.host}; `domain:` names it")
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
    def arguments(self) -> tuple[str, ...]:
        """Arguments of `args:`, which QEMU is given after all others: a -cpu among them replaces that of `cpu:`."""
        return self.config.arguments

    @fact
    def showcmd_cpu(self) -> str:
        """What follows the last -cpu in `qm showcmd`: `host,+kvm_pv_eoi,+kvm_pv_unhalt`."""
        command = self._showcmd()
        self._cpu_of(command)
        return command.values("cpu")[-1]

    @fact
    def command_line(self) -> tuple[str, ...]:
        """Arguments of its running QEMU. `Unobservable` if it does not run or its process was not found."""
        number = str(self.config.vmid)
        processes = self.ask(lambda node: node.qemu.processes)
        mine = [process for process in processes if ("-id", number) in pairwise(process.argv)]
        if len(mine) != 1:
            counted = "no QEMU process" if not mine else f"each of {len(mine)} QEMU processes"
            raise Unobservable(PIDS, f"{counted} on {self.reader.host} has the id {number}")
        return mine[0].argv

    @fact
    def accel(self) -> str:
        """What runs it, or is going to: kvm, tcg. By its process if that is known, else by `qm showcmd`, else by `kvm:`."""
        command = if_known(self._command)
        if command is None or not (command.values("accel") or "accel" in command.machine_options):
            return self.config.accel
        return command.accel

    @fact
    def offers_virtualization(self) -> bool:
        """Whether its processor has vmx or svm, whichever the node's processors have, and KVM runs it.

        By the command line of its process if it runs, else by `qm showcmd`: its last -cpu holds. Where neither was read, by its
        configuration, which is what it is going to be started with. Whether KVM on the node can give it what it is offered is
        another question: that of the module's `nested`.
        """
        command = if_known(self._command)
        cpu = None if command is None else self._cpu_of(command)
        offered = self.configured_for_virtualization if cpu is None else self._offered(lambda _: cpu)
        return offered and self.accel == "kvm"

    @fact
    def configured_for_virtualization(self) -> bool:
        """Whether `cpu:` and `args:` ask for a processor that has vmx or svm, whichever the node's processors have.

        `Unobservable` for a type that the node defines itself, unless `qm showcmd` shows what it is.
        """
        return first_known(
            lambda: self._offered(self.config.cpu_on), lambda: self._offered(lambda _: self._cpu_of(self._showcmd()))
        )

    def _offered(self, cpu_on: Callable[[str], GuestCpu]) -> bool:
        """Whether a processor has the extension of the node's, or either of them where it has both or neither anyway."""
        own = if_known(lambda: EXTENSION.get(self.parent.cpu.vendor))
        offered = {cpu_on(name).offers(name) for name in ([own] if own else EXTENSIONS)}
        if len(offered) != 1:
            raise Unobservable(
                f"{CONFIG}{self.config.vmid}", f"{self.reader.host}: the vendor of its processors is unknown"
            )
        return offered.pop()

    def _cpu_of(self, command: QemuProcess) -> GuestCpu:
        """Proxmox VE always writes -cpu. `Unobservable` for a command line without it, which is not whole."""
        if not command.values("cpu"):
            raise Unobservable(f"{SHOWCMD}{self.config.vmid}", "the command line has no option -cpu")
        return cpu_of_argv(command.argv)

    def _command(self) -> QemuProcess:
        """Its QEMU as it runs, else as it is going to be started."""
        running = if_known(lambda: self.command_line)
        return self._showcmd() if running is None else QemuProcess(self.config.vmid, running)

    def _showcmd(self) -> QemuProcess:
        return self.ask(lambda node: node.proxmox.command(self.config))
