"""VirtRigaud: how large the page wants a guest hypervisor and its manifest to be, and how its networks are laid out."""

from __future__ import annotations

from pytest_nestvirt.suite import IMAGES, Machine, VirtualMachine, VmClass, memory_of, processors_of, requirement

GB = 10**9
GIB_IN_KIB = 2**20
SEVERAL_DISKS_KIB = 20 * GIB_IN_KIB
ISOLATED = {"isolated", "nat"}

Sized = VmClass | VirtualMachine


def _has_processors(manifest: Sized, least: int) -> None:
    field = manifest.SIZE_FIELDS[0]
    assert not (fault := manifest.fault_at(field)), fault
    assert manifest.cpu >= least, f"{manifest.at(field)}: expected {least} or more; seen {manifest.cpu}"


def _has_memory(manifest: Sized, least: int) -> None:
    field = manifest.SIZE_FIELDS[1]
    assert not (fault := manifest.fault_at(field)), fault
    seen = f"{manifest.memory_bytes / GB:.4g} GB"
    assert manifest.memory_bytes >= least * GB, f"{manifest.at(field)}: expected {least} GB or more; seen {seen}"


@requirement("VR-SIZE-CPU-MIN")
def test_manifest_asks_for_the_least_processors(manifest: Sized) -> None:
    _has_processors(manifest, 4)


@requirement("VR-SIZE-CPU-REC")
def test_manifest_asks_for_the_recommended_processors(manifest: Sized) -> None:
    _has_processors(manifest, 8)


@requirement("VR-SIZE-MEM-MIN")
def test_manifest_asks_for_the_least_memory(manifest: Sized) -> None:
    _has_memory(manifest, 8)


@requirement("VR-SIZE-MEM-REC")
def test_manifest_asks_for_the_recommended_memory(manifest: Sized) -> None:
    _has_memory(manifest, 16)


@requirement("VR-SIZE-CPU-MIN")
def test_guest_has_the_least_processors(l1: Machine) -> None:
    processors = processors_of(l1)
    assert processors.is_at_least(4), f"{l1.name} has {processors}"


@requirement("VR-SIZE-CPU-REC")
def test_guest_has_the_recommended_processors(l1: Machine) -> None:
    processors = processors_of(l1)
    assert processors.is_at_least(8), f"{l1.name} has {processors}"


@requirement("VR-SIZE-MEM-MIN")
def test_guest_has_the_least_memory(l1: Machine) -> None:
    memory = memory_of(l1)
    assert memory.is_at_least(8 * GB), f"{l1.name} has {memory}"


@requirement("VR-SIZE-MEM-REC")
def test_guest_has_the_recommended_memory(l1: Machine) -> None:
    memory = memory_of(l1)
    assert memory.is_at_least(16 * GB), f"{l1.name} has {memory}"


@requirement("VR-SIZE-DISK")
def test_several_machines_fit_on_the_disk(l1: Machine) -> None:
    free = l1.guest.free_kib[IMAGES]
    assert free >= SEVERAL_DISKS_KIB, f"{free // GIB_IN_KIB} GiB are free at {IMAGES} of {l1.name}"


@requirement("VR-NET-TOPOLOGY")
def test_networks_of_the_levels_do_not_overlap(l0: Machine, l1: Machine) -> None:
    overlaps = l1.networks.overlaps(l0.networks)
    shared = [f"{o.name} ({o.subnet}) and {o.other} of {l0.name} ({o.other_subnet})" for o in overlaps]
    assert not shared, f"networks of {l1.name} share addresses with its host's: {'; '.join(shared)}"


@requirement("VR-NET-IPPLAN")
def test_networks_of_the_guest_do_not_overlap(l1: Machine) -> None:
    shared = [f"{o.name} and {o.other} ({o.subnet})" for o in l1.networks.overlaps(l1.networks) if o.name < o.other]
    assert not shared, f"networks of {l1.name} share addresses: {'; '.join(shared)}"


@requirement("VR-SEC-NETISO")
def test_nested_machines_are_kept_apart(l1: Machine) -> None:
    open_ones = [f"{net.name} ({net.forward})" for net in l1.networks.networks.values() if net.forward not in ISOLATED]
    assert not open_ones, f"networks of {l1.name} that reach out: {', '.join(open_ones)}"
