"""RHEL 8, section 18.5: restrictions that hold for every architecture, and for x86."""

from __future__ import annotations

from contextlib import suppress

from pytest_nestvirt.suite import (
    Machine,
    Unobservable,
    blocked_without_nesting,
    describe,
    not_run_by_kvm,
    render,
    requirement,
    runner_of,
)


@requirement("RHEL8-ARCH-LIST")
def test_host_is_of_a_listed_architecture(l0: Machine) -> None:
    assert l0.kernel.architecture in {"x86_64", "s390x", "ppc64le"}, f"the host is {l0.kernel.architecture}"
    assert l0.cpu.vendor in {"intel", "amd", "ibm-z", "ibm-power"}, f"the processors are made by {l0.cpu.vendor}"
    is_power = l0.cpu.vendor == "ibm-power"
    assert not is_power or l0.cpu.power.generation == 9, f"the host is POWER{l0.cpu.power.generation}"


@requirement("RHEL8-INTEL-CREATE-L2", "RHEL8-AMD-CREATE-L2", "RHEL8-Z-CREATE-L2", "RHEL8-P9-CREATE-L2")
def test_guest_hypervisor_creates_guests_with_kvm(l0: Machine, l1: Machine) -> None:
    lacking = "" if l1.kvm.usable else f"KVM creates no virtual machine in {l1.name}: {describe(l1, 'kvm.failure')}"
    if lacking:
        blocked_without_nesting(l0, lacking)
    assert not lacking, lacking
    assert_run_by_kvm(l1)


@requirement("RHEL8-L0-FOREIGN-CREATE-L2")
def test_guest_hypervisor_of_another_vendors_host_creates_guests_with_kvm(l1: Machine) -> None:
    assert l1.kvm.usable, f"KVM creates no virtual machine in {l1.name}: {describe(l1, 'kvm.failure')}"
    assert_run_by_kvm(l1)


def assert_run_by_kvm(l1: Machine) -> None:
    """None of the guests of the L1 is emulated."""
    __tracebackhide__ = True
    for guest in l1.guests:
        otherwise = not_run_by_kvm(guest)
        assert not otherwise, otherwise


@requirement("RHEL8-L3")
def test_nested_guest_is_no_hypervisor(l2: Machine) -> None:
    guests = nested_deeper(l2)
    assert not guests, f"{l2.name} runs guests with KVM: {', '.join(guests)}"
    if l2.kvm.usable:
        raise Unobservable("kvm.usable", f"KVM works in {l2.name}, and no guest was seen to run with it")


def nested_deeper(l2: Machine) -> list[str]:
    """Names of the guests that were seen to run with KVM inside a nested guest."""
    found: list[str] = []
    for guest in l2.guests:
        with suppress(Unobservable):
            found += [guest.name] * runner_of(guest).is_kvm
    with suppress(Unobservable):
        found += [process.name for process in l2.qemu.processes if process.accel == "kvm"]
    return list(dict.fromkeys(found))


@requirement("RHEL8-L1-FEATURE-SUBSET")
def test_guest_hypervisor_lacks_features_of_its_host(l0: Machine, l1: Machine) -> None:
    assert l0.cpu.flags - l1.cpu.flags, f"{l1.name} shows every processor feature of {l0.name}"


@requirement("RHEL8-L1-NO-IOMMU")
def test_guest_hypervisor_has_no_iommu(l1: Machine) -> None:
    tables = {"DMAR", "IVRS"} & l1.firmware.acpi_tables
    assert not tables, f"the firmware of {l1.name} has {render(tables)}"
    assert l1.firmware.iommu_groups == 0, f"{l1.name} has {l1.firmware.iommu_groups} IOMMU groups"


@requirement("RHEL8-L1-NO-APICV")
def test_guest_hypervisor_has_no_apicv(l0: Machine, l1: Machine) -> None:
    with suppress(Unobservable):
        # Evidence only: an L1 of a host that has none itself has none either, limit or not.
        l0.kvm.enabled("enable_apicv", "kvm_intel")
    assert not l1.kvm.enabled("enable_apicv", "kvm_intel"), f"kvm_intel of {l1.name} has enable_apicv on"
