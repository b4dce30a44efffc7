"""VirtRigaud: what the page says of the guest hypervisor as its host defines it."""

from __future__ import annotations

from pytest_nestvirt.suite import (
    EXTENSION,
    Machine,
    Unobservable,
    blocked_without_nesting,
    describe,
    describe_cpu,
    describe_cpu_mode,
    gets_extension,
    known_or,
    requirement,
    runner_of,
)


@requirement("VR-VSPHERE-HW9")
def test_virtual_hardware_offers_nesting(l1: Machine) -> None:
    assert l1.vmx.hardware_version >= 9, f"{l1.name} has hardware version {l1.vmx.hardware_version}"


@requirement("VR-VSPHERE-HW14")
def test_virtual_hardware_is_recent(l1: Machine) -> None:
    assert l1.vmx.hardware_version >= 14, f"{l1.name} has hardware version {l1.vmx.hardware_version}"


@requirement("VR-VSPHERE-VHV-ENABLE")
def test_vhv_is_enabled(l1: Machine) -> None:
    assert l1.vmx.vhv_enable, f"vhv.enable is not TRUE for {l1.name}"


@requirement("VR-VSPHERE-VHV-NPT")
def test_nested_page_tables_are_allowed(l1: Machine) -> None:
    assert l1.vmx.vhv_nested_page_tables, f"vhv.allowNestedPageTables is not TRUE for {l1.name}"


@requirement("VR-VSPHERE-VTD-CONSIDER")
def test_virtual_iommu_is_enabled(l1: Machine) -> None:
    assert l1.vmx.vvtd_enable, f"vvtd.enable is not TRUE for {l1.name}"


@requirement("VR-LIM-VSPHERE-ADV")
def test_nesting_excludes_other_features(l1: Machine) -> None:
    if not l1.vmx.vhv_enable:
        raise Unobservable("vmx.vhv_enable", f"{l1.name} does not have nesting, so nothing excludes it")
    found = [
        name
        for name, there in (("PCI passthrough", l1.vmx.pci_passthrough), ("hot-add of processors", l1.vmx.cpu_hot_add))
        if there
    ]
    assert not found, f"{l1.name} has vhv.enable and {' and '.join(found)}"


@requirement("VR-LIBVIRT-QEMUKVM")
def test_guest_is_run_by_kvm(l1: Machine) -> None:
    runner = runner_of(l1)
    assert runner.is_kvm, f"{l1.name} is not run by KVM: {runner}"


@requirement("VR-LIBVIRT-PASS-VMXSVM")
def test_extension_of_the_host_is_passed_on(l0: Machine, l1: Machine) -> None:
    extension = EXTENSION[l0.cpu.vendor]
    lacking = f"{l1.name}, with <cpu> {describe_cpu_mode(l1)} and {describe_cpu(l1)}, has no {extension}"
    given = gets_extension(l1, extension)
    shown = known_or(lambda: extension in l1.cpu.flags, otherwise=given)
    if given and not shown:
        blocked_without_nesting(l0, lacking)
    assert shown, lacking


@requirement("VR-LIBVIRT-Q35")
def test_machine_type_is_q35(l1: Machine) -> None:
    assert "q35" in l1.domain.machine_type, f"{l1.name} is of machine type {l1.domain.machine_type}"


@requirement("VR-LIBVIRT-AUTO-XML")
def test_domain_can_start_on_a_processor_that_exists(l1: Machine) -> None:
    assert not l1.domain.xml.impossible_vmx_and_svm, (
        f"<cpu> of {l1.name} requires vmx and svm, as the document's sample does: a defect of the document, for no processor "
        "has both and libvirt refuses to start the domain"
    )


@requirement("VR-LIM-LIBVIRT-X86")
def test_nesting_does_not_work_on_other_architectures(l1: Machine) -> None:
    assert not l1.kvm.usable, f"KVM works in {l1.name}"


@requirement("VR-PVE-CPUTYPE")
def test_processor_type_is_fit_for_nesting(l1: Machine) -> None:
    later = f", and args: {' '.join(l1.pve.arguments)}" if l1.pve.arguments else ""
    assert l1.pve.configured_for_virtualization, (
        f"the processor type of {l1.name} is {l1.pve.cpu_type}{later}, without vmx and svm"
    )


@requirement("VR-PVE-VMCPU-NESTED")
def test_processor_is_configured_for_nesting(l1: Machine) -> None:
    assert l1.pve.offers_virtualization, (
        f"{l1.name} gets {describe_cpu(l1)} from {describe(l1, 'pve.accel')}, without vmx and svm"
    )
