"""One machine with everything that is known of it, and the machines around it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from functools import cached_property

from pytest_nestvirt.facts.declared import Declared
from pytest_nestvirt.facts.kernel.firmware import Firmware
from pytest_nestvirt.facts.kernel.health import Health
from pytest_nestvirt.facts.kernel.kernel import Kernel
from pytest_nestvirt.facts.kernel.memory import Memory
from pytest_nestvirt.facts.kernel.module_table import LoadedModules
from pytest_nestvirt.facts.kvm.device_access import Permissions
from pytest_nestvirt.facts.kvm.kvm import Kvm
from pytest_nestvirt.facts.kvm.modprobe import Modprobe
from pytest_nestvirt.facts.libvirt.domain import GuestDomain
from pytest_nestvirt.facts.libvirt.domcapabilities import DomainCapabilities
from pytest_nestvirt.facts.libvirt.libvirt import Libvirt
from pytest_nestvirt.facts.libvirt.networks import Networks
from pytest_nestvirt.facts.libvirt.qemu import Qemu
from pytest_nestvirt.facts.performance import Performance
from pytest_nestvirt.facts.platform.machine_uuid import Identity
from pytest_nestvirt.facts.platform.platform import Platform
from pytest_nestvirt.facts.processor.cpu import Cpu
from pytest_nestvirt.facts.providers.proxmox import GuestPve, Proxmox
from pytest_nestvirt.facts.providers.vsphere import GuestVmx, Vsphere
from pytest_nestvirt.facts.system.account import Account
from pytest_nestvirt.facts.system.guest_setup import Guest
from pytest_nestvirt.facts.system.operating_system import Os
from pytest_nestvirt.facts.system.packages import Packages
from pytest_nestvirt.facts.system.windows import Windows
from pytest_nestvirt.inventory.host import Host, Inventory
from pytest_nestvirt.manifests.virtual_machine import VirtualMachine
from pytest_nestvirt.observation.fact import Reader, Subject, Unobservable, observing
from pytest_nestvirt.observation.unknown import if_known
from pytest_nestvirt.snapshot.snapshot import Snapshot


class Roster:
    """Every machine of an inventory, and which of them show the same boot id or UUID."""

    def __init__(self, machines: Mapping[str, Machine]) -> None:
        self.machines = machines

    def sharing_boot_id(self, name: str) -> tuple[str, ...]:
        """Names of the other machines with the boot id of that one, in order of the inventory."""
        return self._boot_ids.get(name, ())

    def sharing_uuid(self, name: str) -> tuple[str, ...]:
        """Names of the other machines with its UUID, whichever order of bytes their kernels show."""
        return self._uuids.get(name, ())

    @cached_property
    def _boot_ids(self) -> Mapping[str, tuple[str, ...]]:
        return self._alike(lambda machine: machine.kernel.boot_id)

    @cached_property
    def _uuids(self) -> Mapping[str, tuple[str, ...]]:
        return self._alike(lambda machine: min(machine.identity.uuid.bytes, machine.identity.uuid.bytes_le))

    def _alike(self, key_of: Callable[[Machine], Hashable]) -> Mapping[str, tuple[str, ...]]:
        """By name, the others with the same key. What is read here of all machines is not the evidence of one check."""
        groups: dict[Hashable, list[str]] = {}
        with observing():
            for name, machine in self.machines.items():
                key = if_known(lambda machine=machine: key_of(machine))  # type: ignore[misc]
                if key is not None:
                    groups.setdefault(key, []).append(name)
        shared = [names for names in groups.values() if len(names) > 1]
        return {name: tuple(other for other in names if other != name) for names in shared for name in names}


class Machine:
    """What the fixtures `l0`, `l1` and `l2` hand to a check.

    Where the machine could not be looked at, `snapshot` is the `Unobservable` that says why, and every fact raises it; what
    the inventory and the parent say of the machine is known all the same.
    """

    def __init__(self, host: Host, snapshot: Snapshot | Unobservable, parent: Machine | None) -> None:
        self.host = host
        self.parent = parent
        self.guests: tuple[Machine, ...] = ()
        """The machines directly inside this one, as far as the inventory names them."""
        self.manifest: VirtualMachine | None = None
        """The object of the run's manifests that is called like it; None where there is none."""
        self.roster = Roster({})
        """All machines of the inventory, this one included."""
        self.reader = reader = Reader(host.name, host.level, snapshot)
        self.declared = Declared(reader, host)
        self.kernel = Kernel(reader)
        self.cpu = Cpu(reader, kernel=self.kernel)
        self.platform = Platform(reader, kernel=self.kernel, cpu=self.cpu)
        self.firmware = Firmware(reader)
        self.memory = Memory(reader)
        self.windows = Windows(reader)
        self.os = Os(reader, kernel=self.kernel, windows=self.windows)
        self.kvm = Kvm(reader, kernel=self.kernel, cpu=self.cpu)
        self.modprobe = Modprobe(reader, os=self.os, kvm=self.kvm)
        self.modules = LoadedModules(reader)
        self.health = Health(reader)
        self.identity = Identity(reader)
        self.account = Account(reader)
        self.performance: Performance = Performance(reader, parent.performance if parent else None)
        self.libvirt = Libvirt(reader)
        self.domain_capabilities = DomainCapabilities(reader)
        self.qemu = Qemu(reader)
        self.packages = Packages(reader)
        self.guest = Guest(reader, kernel=self.kernel)
        self.networks = Networks(reader)
        self.access = Permissions(reader)
        self.vsphere = Vsphere(reader)
        self.proxmox = Proxmox(reader)
        self.domain = GuestDomain(parent.reader if parent else reader, host.domain or host.name, parent)
        self.vmx = GuestVmx(parent.reader if parent else reader, host.domain or host.name, parent)
        self.pve = GuestPve(parent.reader if parent else reader, host.domain or host.name, parent)

    @property
    def name(self) -> str:
        """Key of the host in the inventory."""
        return self.host.name

    @property
    def level(self) -> int:
        """Depth in the inventory, 0 for the hypervisor that offers nesting."""
        return self.host.level

    @property
    def subjects(self) -> tuple[Subject, ...]:
        """All groups of facts, in the order in which a person would read them."""
        return (
            self.declared, self.os, self.kernel, self.cpu, self.platform, self.firmware, self.memory, self.kvm,
            self.modprobe, self.modules, self.libvirt, self.domain_capabilities, self.domain, self.qemu, self.packages,
            self.windows, self.guest, self.networks, self.access, self.vsphere, self.vmx, self.proxmox, self.pve,
            self.health, self.identity, self.account, self.performance,
        )  # fmt: skip

    def __str__(self) -> str:
        return str(self.host)

    def __repr__(self) -> str:
        return f"<Machine {self}>"


def build_machines(inventory: Inventory, snapshots: Mapping[str, Snapshot | Unobservable]) -> dict[str, Machine]:
    """Every machine of the inventory by name, parents before their guests, with `parent` and `guests` set.

    A host without an entry in `snapshots` was not looked at.
    """
    machines: dict[str, Machine] = {}
    for host in inventory:
        snapshot = snapshots.get(host.name, Unobservable("connection", "the machine was not collected"))
        parent = machines[host.parent] if host.parent else None
        machine = machines[host.name] = Machine(host, snapshot, parent)
        if parent:
            parent.guests = (*parent.guests, machine)
    roster = Roster(machines)
    for machine in machines.values():
        machine.roster = roster
    return machines
