"""VirtRigaud: what the page says of a VMClass."""

from __future__ import annotations

from pytest_nestvirt.suite import VmClass, requirement
from pytest_nestvirt.suite import vm_class as field

GIB = 2**30
SMALLEST_DISK = 100 * GIB
EXAMPLE_CPU, EXAMPLE_MEMORY = 4, 8 * GIB
EXAMPLE_MEMORY_OF_A_CPU = 2 * GIB


@requirement("VR-PERFPROFILE")
def test_nesting_is_set_in_the_performance_profile(manifest: VmClass) -> None:
    elsewhere = f"; it is at {', '.join(manifest.misplaced)}" if manifest.misplaced else ""
    assert manifest.has(field.NESTED), f"{manifest.at(field.NESTED)}: is missing{elsewhere}"


@requirement("VR-MAN-NESTED-TRUE")
def test_nesting_is_true(manifest: VmClass) -> None:
    assert not (fault := manifest.fault_at(field.NESTED)), fault
    assert manifest.nested_virtualization, (
        f"{manifest.at(field.NESTED)}: expected true; seen {manifest.said(field.NESTED)}"
    )


@requirement("VR-MAN-VBS-OPTIONAL")
def test_virtualization_based_security_is_a_switch(manifest: VmClass) -> None:
    assert not (fault := manifest.fault_at(field.VBS)), fault


@requirement("VR-MAN-VBS-CONFLICT")
def test_virtualization_based_security_is_not_beside_nesting(manifest: VmClass) -> None:
    both = manifest.virtualization_based_security and manifest.nested_virtualization
    assert not both, f"{manifest.at(field.VBS)}: true beside nestedVirtualization: true"


@requirement("VR-MAN-CPU-HOTADD")
def test_hot_add_of_processors_goes_with_the_provider(manifest: VmClass) -> None:
    assert not (fault := manifest.fault_at(field.CPU_HOT_ADD)), fault
    asked = manifest.cpu_hot_add and manifest.nested_virtualization
    assert not asked or "vsphere" not in manifest.providers, (
        f"{manifest.at(field.CPU_HOT_ADD)}: true beside nestedVirtualization: true; the vSphere provider leaves it out then"
    )


@requirement("VR-MAN-MEM-HOTADD")
def test_hot_add_of_memory_is_a_switch(manifest: VmClass) -> None:
    assert not (fault := manifest.fault_at(field.MEMORY_HOT_ADD)), fault


@requirement("VR-MAN-SECUREBOOT")
def test_secure_boot_is_off(manifest: VmClass) -> None:
    assert not (fault := manifest.fault_at(field.SECURE_BOOT)), fault
    assert not manifest.secure_boot, f"{manifest.at(field.SECURE_BOOT)}: expected false; seen true"


@requirement("VR-MAN-TPM")
def test_tpm_has_the_firmware_it_needs(manifest: VmClass) -> None:
    assert not (fault := manifest.fault_at(field.TPM)), fault
    assert not manifest.tpm or manifest.firmware != "BIOS", (
        f"{manifest.at(field.TPM)}: true, but the firmware is {manifest.firmware}"
    )


@requirement("VR-MAN-VTD")
def test_iommu_is_on(manifest: VmClass) -> None:
    assert not (fault := manifest.fault_at(field.VTD)), fault
    assert manifest.vtd, f"{manifest.at(field.VTD)}: expected true; seen {manifest.said(field.VTD)}"


@requirement("VR-MAN-FIRMWARE")
def test_firmware_is_uefi(manifest: VmClass) -> None:
    assert not (fault := manifest.fault_at(field.FIRMWARE)), fault
    assert manifest.firmware in {"UEFI", "EFI"}, (
        f"{manifest.at(field.FIRMWARE)}: expected UEFI; seen {manifest.said(field.FIRMWARE)} ({manifest.firmware})"
    )


@requirement("VR-MAN-DISK")
def test_disk_is_thin_and_large(manifest: VmClass) -> None:
    assert not (fault := manifest.fault_at(field.DISK_TYPE, field.DISK_SIZE)), fault
    assert manifest.disk_bytes is not None, f"{manifest.at(field.DISK_SIZE)}: is not written; expected 100Gi or more"
    assert manifest.disk_type == "thin", f"{manifest.at(field.DISK_TYPE)}: expected thin; seen {manifest.disk_type}"
    assert manifest.disk_bytes >= SMALLEST_DISK, (
        f"{manifest.at(field.DISK_SIZE)}: expected 100Gi or more; seen {manifest.said(field.DISK_SIZE)}"
        f" ({manifest.disk_bytes / GIB:g} GiB)"
    )


@requirement("VR-MAN-STORAGECLASS")
def test_storage_was_chosen(manifest: VmClass) -> None:
    assert not (fault := manifest.fault_at(field.STORAGE_CLASS, field.DISK_TYPE)), fault
    fast = manifest.disk_type in {"ssd", "nvme"}
    assert manifest.storage_class or fast, f"{manifest.at(field.STORAGE_CLASS)}: is not written"


@requirement("VR-MAN-EX-SIZES")
def test_class_is_as_large_as_an_example(manifest: VmClass) -> None:
    assert not (fault := manifest.fault_at(field.CPU, field.MEMORY)), fault
    cpu, memory = manifest.cpu, manifest.memory_bytes
    seen = f"{manifest.at(field.CPU)}: {cpu}, with {manifest.said(field.MEMORY)} of memory"
    assert cpu >= EXAMPLE_CPU, f"{seen}; the smaller example has 4 and 8Gi"
    assert memory >= EXAMPLE_MEMORY, f"{seen}; the smaller example has 4 and 8Gi"
    assert memory >= cpu * EXAMPLE_MEMORY_OF_A_CPU, f"{seen}; the examples have 2Gi for each processor"


@requirement("VR-MAN-LATENCY")
def test_latency_sensitivity_is_a_word_of_the_api(manifest: VmClass) -> None:
    assert not (fault := manifest.fault_at(field.LATENCY)), fault


@requirement("VR-MAN-HT")
def test_hyper_threading_policy_is_a_word_of_the_api(manifest: VmClass) -> None:
    assert not (fault := manifest.fault_at(field.HYPER_THREADING)), fault


@requirement("VR-MAN-CPU-RESERVATION")
def test_reservation_of_processors_is_possible(manifest: VmClass) -> None:
    assert not (fault := manifest.fault_at(field.CPU_RESERVATION, field.CPU_LIMIT)), fault
    reserved, limit = manifest.cpu_reservation_mhz, manifest.cpu_limit_mhz
    assert reserved is None or limit is None or reserved <= limit, (
        f"{manifest.at(field.CPU_RESERVATION)}: {reserved} MHz, and cpuLimit is {limit}"
    )


@requirement("VR-MAN-MEM-RESERVATION")
def test_reservation_of_memory_is_possible(manifest: VmClass) -> None:
    assert not (fault := manifest.fault_at(field.MEMORY_RESERVATION, field.MEMORY, field.MEMORY_LIMIT)), fault
    reserved, limit = manifest.memory_reservation_bytes, manifest.memory_limit_bytes
    seen = f"{manifest.at(field.MEMORY_RESERVATION)}: {manifest.said(field.MEMORY_RESERVATION)}"
    assert reserved is None or reserved <= manifest.memory_bytes, f"{seen}, and memory is {manifest.said(field.MEMORY)}"
    assert reserved is None or limit is None or reserved <= limit, (
        f"{seen}, and memoryLimit is {manifest.said(field.MEMORY_LIMIT)}"
    )


@requirement("VR-SEC-LIMITS")
def test_a_limit_is_set(manifest: VmClass) -> None:
    assert not (fault := manifest.fault_at(field.CPU_LIMIT, field.MEMORY_LIMIT)), fault
    limits = {manifest.cpu_limit_mhz, manifest.memory_limit_bytes}
    assert limits != {None}, f"{manifest.at('spec.resourceLimits')}: has neither cpuLimit nor memoryLimit"


@requirement("VR-BP-CONFIG")
def test_class_follows_the_best_practices(manifest: VmClass) -> None:
    wanted = (field.FIRMWARE, field.VTD, field.CPU_RESERVATION, field.MEMORY_RESERVATION)
    assert not (fault := manifest.fault_at(*wanted)), fault
    found = (
        manifest.firmware in {"UEFI", "EFI"},
        manifest.vtd,
        manifest.cpu_reservation_mhz is not None,
        manifest.memory_reservation_bytes is not None,
    )
    missing = [one.path for one, there in zip(wanted, found, strict=True) if not there]
    assert not missing, f"{manifest.at(missing[0])}: not as advised: {', '.join(missing)}"
