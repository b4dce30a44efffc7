"""Facts about a VMClass: the size and features of the virtual machines that are made from it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from pytest_nestvirt.document import Placed
from pytest_nestvirt.manifests.known_fields import OF_CLASS, Known
from pytest_nestvirt.manifests.manifest_field import Field, boolean, one_of, size, text, whole
from pytest_nestvirt.manifests.manifest_object import ManifestObject, Written
from pytest_nestvirt.manifests.references import ClassReferences, MachineOfClass
from pytest_nestvirt.observation.fact import Unobservable, fact

_PERFORMANCE = "spec.performanceProfile"
_SECURITY = "spec.securityProfile"
_LIMITS = "spec.resourceLimits"
_DISK = "spec.diskDefaults"

MOST_MHZ = 100_000

CPU = Field("spec.cpu", whole(1, 128), required=True)
MEMORY = Field("spec.memory", size, required=True)
FIRMWARE = Field("spec.firmware", one_of("BIOS", "UEFI", "EFI"), default="BIOS")
NESTED = Field(f"{_PERFORMANCE}.nestedVirtualization", boolean, default=False)
VBS = Field(f"{_PERFORMANCE}.virtualizationBasedSecurity", boolean, default=False)
CPU_HOT_ADD = Field(f"{_PERFORMANCE}.cpuHotAddEnabled", boolean, default=False)
MEMORY_HOT_ADD = Field(f"{_PERFORMANCE}.memoryHotAddEnabled", boolean, default=False)
LATENCY = Field(f"{_PERFORMANCE}.latencySensitivity", one_of("low", "normal", "high"), default="normal")
HYPER_THREADING = Field(
    f"{_PERFORMANCE}.hyperThreadingPolicy", one_of("auto", "prefer", "avoid", "require"), default="auto"
)
SECURE_BOOT = Field(f"{_SECURITY}.secureBoot", boolean, default=False)
TPM = Field(f"{_SECURITY}.tpmEnabled", boolean, default=False)
VTD = Field(f"{_SECURITY}.vtdEnabled", boolean, default=False)
CPU_RESERVATION = Field(f"{_LIMITS}.cpuReservation", whole(0, MOST_MHZ))
CPU_LIMIT = Field(f"{_LIMITS}.cpuLimit", whole(100, MOST_MHZ))
MEMORY_RESERVATION = Field(f"{_LIMITS}.memoryReservation", size)
MEMORY_LIMIT = Field(f"{_LIMITS}.memoryLimit", size)
DISK_TYPE = Field(f"{_DISK}.type", one_of("thin", "thick", "eagerzeroedthick", "ssd", "hdd", "nvme"), default="thin")
DISK_SIZE = Field(f"{_DISK}.size", size, default=40 * 2**30)
STORAGE_CLASS = Field(f"{_DISK}.storageClass", text)


class VmClass(ManifestObject):
    """A VMClass. Sizes are in bytes and MiB, reservations of processors in MHz."""

    FIELDS: ClassVar[tuple[Field[object], ...]] = (
        CPU, MEMORY, FIRMWARE, NESTED, VBS, CPU_HOT_ADD, MEMORY_HOT_ADD, LATENCY, HYPER_THREADING, SECURE_BOOT, TPM, VTD,
        CPU_RESERVATION, CPU_LIMIT, MEMORY_RESERVATION, MEMORY_LIMIT, DISK_TYPE, DISK_SIZE, STORAGE_CLASS,
    )  # fmt: skip

    KNOWN: ClassVar[Known] = OF_CLASS

    SIZE_FIELDS: ClassVar = (CPU, MEMORY)
    """The fields of its number of processors and its memory."""

    def __init__(self, written: Written, name: str, manifests: ClassReferences) -> None:
        super().__init__(written, name)
        self.manifests = manifests

    @fact
    def nested_virtualization(self) -> bool:
        """Whether the machines are to run guests of their own."""
        return bool(self.asked(NESTED))

    @fact
    def misplaced(self) -> tuple[str, ...]:
        """Places of the key `nestedVirtualization` other than its own, where the API drops it: `spec (line 9)`."""
        return tuple(self._misplaced())

    def _misplaced(self) -> Iterator[str]:
        key = NESTED.keys[-1]
        for path, placed in _mappings((), self.written.root):
            inner = placed.node.entries.get(key)
            if inner is not None and path != NESTED.keys[:-1] and path[:1] != ("metadata",):
                self.reader.note(f"{self.written.path.name}:{inner.line}")
                yield f"{'.'.join((*path, key))} (line {inner.line})"

    @fact
    def for_nesting(self) -> bool:
        """Whether it is about nested virtualization at all: manifests may hold classes of other machines.

        It is where it says anything of nesting but a plain `false`, where a guest hypervisor of the inventory is made
        from it, and where no class of the manifests says more: then it is not known which of them was meant.
        """
        if self.mentions_nesting or any(vm.is_hypervisor for vm in self.virtual_machines):
            return True
        return not self.manifests.any_class_mentions_nesting

    @property
    def mentions_nesting(self) -> bool:
        """Whether it says more of nested virtualization than a plain `false`."""
        self._note(*NESTED.keys)
        return bool(self.written.value(*NESTED.keys)) or bool(self.misplaced)

    @property
    def virtual_machines(self) -> Sequence[MachineOfClass]:
        """The VirtualMachine objects of the manifests that are made from it."""
        return self.manifests.machines_of(self)

    @fact
    def providers(self) -> frozenset[str]:
        """Who offers the machines that are made from it. `Unobservable` where no machine is, or where that is unknown."""
        found = frozenset(vm.provider for vm in self.virtual_machines)
        if not found:
            raise Unobservable(
                self.place, "no VirtualMachine of the manifests is made from it, so its provider is unknown"
            )
        return found

    @fact
    def cpu(self) -> int:
        """Number of virtual processors."""
        return self.needed(CPU)

    @fact
    def memory_bytes(self) -> int:
        """Memory in bytes."""
        return self.needed(MEMORY)

    @fact
    def memory_mib(self) -> int:
        """Memory in whole MiB."""
        return self.needed(MEMORY) // 2**20

    @fact
    def firmware(self) -> str:
        """BIOS, UEFI or EFI."""
        return self.needed(FIRMWARE)

    @fact
    def virtualization_based_security(self) -> bool:
        """Whether Windows' virtualization-based security is switched on."""
        return bool(self.asked(VBS))

    @fact
    def cpu_hot_add(self) -> bool:
        """Whether processors may be added while the machine runs."""
        return bool(self.asked(CPU_HOT_ADD))

    @fact
    def memory_hot_add(self) -> bool:
        """Whether memory may be added while the machine runs."""
        return bool(self.asked(MEMORY_HOT_ADD))

    @fact
    def latency_sensitivity(self) -> str | None:
        """Low, normal or high; None where the class has no performance profile."""
        return self.asked(LATENCY)

    @fact
    def hyper_threading(self) -> str | None:
        """Auto, prefer, avoid or require; None where the class has no performance profile."""
        return self.asked(HYPER_THREADING)

    @fact
    def secure_boot(self) -> bool:
        """Whether the firmware starts signed software only."""
        return bool(self.asked(SECURE_BOOT))

    @fact
    def tpm(self) -> bool:
        """Whether there is a virtual TPM."""
        return bool(self.asked(TPM))

    @fact
    def vtd(self) -> bool:
        """Whether there is a virtual IOMMU (VT-d, AMD-Vi)."""
        return bool(self.asked(VTD))

    @fact
    def cpu_reservation_mhz(self) -> int | None:
        """Guaranteed processor time, MHz; None where none is."""
        return self.asked(CPU_RESERVATION)

    @fact
    def memory_reservation_bytes(self) -> int | None:
        """Guaranteed memory, bytes; None where none is."""
        return self.asked(MEMORY_RESERVATION)

    @fact
    def cpu_limit_mhz(self) -> int | None:
        """Most processor time, MHz; None where none is set."""
        return self.asked(CPU_LIMIT)

    @fact
    def memory_limit_bytes(self) -> int | None:
        """Most memory, bytes; None where none is set."""
        return self.asked(MEMORY_LIMIT)

    @fact
    def disk_type(self) -> str | None:
        """Thin, thick, ssd, ...; None where the class says nothing of disks."""
        return self.asked(DISK_TYPE)

    @fact
    def disk_bytes(self) -> int | None:
        """Size of the first disk; None where the class says nothing of disks."""
        return self.asked(DISK_SIZE)

    @fact
    def storage_class(self) -> str | None:
        """Name of the storage class; None where none is named."""
        return self.asked(STORAGE_CLASS) or None


def _mappings(path: tuple[str, ...], placed: Placed) -> Iterator[tuple[tuple[str, ...], Placed]]:
    """Every mapping of a document with its path. Lists are passed over: no field about nesting is in one."""
    if isinstance(placed.node.value, dict):
        yield path, placed
        for key, inner in placed.node.entries.items():
            yield from _mappings((*path, str(key)), inner)
