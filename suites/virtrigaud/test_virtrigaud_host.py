"""VirtRigaud: what the page says of the hypervisor, whichever of the three it is."""

from __future__ import annotations

from pytest_nestvirt.suite import (
    ENABLED,
    EXTENSIONS,
    Capable,
    Machine,
    Unobservable,
    Users,
    describe,
    render,
    requirement,
)

ESXI, LIBVIRT, PVE = (6, 0), (1, 2, 13), (6, 0)
ON_OR_OFF = {"0", "N", "1", "Y"}


@requirement("VR-VSPHERE-ESXI6", "VR-MTX-VSPHERE")
def test_esxi_is_recent_enough(l0: Machine) -> None:
    assert l0.vsphere.version >= ESXI, f"{l0.name} runs ESXi {render(l0.vsphere.version)}"


@requirement("VR-VSPHERE-BIOS")
def test_virtualization_is_enabled_on_the_esxi_host(l0: Machine) -> None:
    assert l0.vsphere.hv_support == ENABLED, f"HV Support is {l0.vsphere.hv_support}"


@requirement("VR-VSPHERE-RESOURCES")
def test_esxi_host_has_the_memory_it_promised(l0: Machine) -> None:
    promised, there = l0.vsphere.reserved_mib, l0.vsphere.memory_mib
    assert promised <= there, f"{promised} MiB are reserved for virtual machines, and the host has {there} MiB"


@requirement("VR-LIBVIRT-1213", "VR-MTX-LIBVIRT")
def test_libvirt_is_recent_enough(l0: Machine) -> None:
    assert l0.libvirt.version >= LIBVIRT, f"{l0.name} has libvirt {render(l0.libvirt.version)}"


@requirement("VR-PVE-6", "VR-MTX-PROXMOX")
def test_proxmox_is_recent_enough(l0: Machine) -> None:
    assert l0.proxmox.version >= PVE, f"{l0.name} runs Proxmox VE {render(l0.proxmox.version)}"


@requirement("VR-LIBVIRT-HOSTCPU", "VR-PVE-HOSTCPU")
def test_processors_have_the_extension(l0: Machine) -> None:
    assert EXTENSIONS & l0.cpu.flags, "the processors show neither vmx nor svm"


@requirement("VR-LIBVIRT-NESTED-ON", "VR-PVE-NESTED-ON")
def test_nesting_is_on(l0: Machine) -> None:
    assert l0.kvm.nested, f"{l0.kvm.module} has nested={l0.kvm.nested_raw}"


@requirement("VR-LIM-LIBVIRT-KERNEL")
def test_kernel_supports_nesting(l0: Machine) -> None:
    assert l0.kvm.usable, f"KVM creates no virtual machine on the host: {describe(l0, 'kvm.failure')}"
    assert l0.kvm.nested_raw in ON_OR_OFF, f"nested of {l0.kvm.module} reads {l0.kvm.nested_raw!r}"


@requirement("VR-LIM-LIBVIRT-CPU")
def test_processors_have_second_level_paging(l0: Machine) -> None:
    assert {"ept", "npt"} & l0.cpu.flags, "the processors show neither ept nor npt"


@requirement("VR-TS-NOT-WORKING")
def test_processor_firmware_and_module_are_ready(l0: Machine) -> None:
    assert EXTENSIONS & l0.cpu.flags, "the processors show neither vmx nor svm: not supported, or off in the firmware"
    seen = l0.cpu.nested
    assert seen.capable is not Capable.NO, seen.why
    assert l0.kvm.nested, f"processor and firmware are ready, but {l0.kvm.module} has nested={l0.kvm.nested_raw}"
    if seen.capable is Capable.UNKNOWN:
        raise Unobservable("cpu.nested", seen.why)


@requirement("VR-DBG-LSCPU-HOST")
def test_lscpu_shows_virtualization(l0: Machine) -> None:
    shown = l0.guest.lscpu_virtualization
    assert shown in {"VT-x", "AMD-V"}, f"lscpu has no line `Virtualization:` (it shows {shown or 'none'})"


@requirement("VR-DBG-NESTED-GLOB")
def test_pattern_finds_the_parameter(l0: Machine) -> None:
    assert l0.kvm.module.startswith("kvm_"), f"nested belongs to {l0.kvm.module}, which kvm_* does not match"
    assert l0.kvm.nested_raw in ON_OR_OFF, f"nested of {l0.kvm.module} reads {l0.kvm.nested_raw!r}"


@requirement("VR-SEC-ACCESS")
def test_kvm_is_not_open_to_everyone(l0: Machine) -> None:
    mode = l0.kvm.device.mode & 0o777
    assert not mode & 0o006, f"/dev/kvm has mode {mode:04o}: {Users.EVERYONE} may open it"
