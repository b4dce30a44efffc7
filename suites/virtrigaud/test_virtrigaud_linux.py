"""VirtRigaud: what the page says of a Linux guest that is to run virtual machines."""

from __future__ import annotations

from pytest_nestvirt.suite import (
    EXTENSIONS,
    Machine,
    Unobservable,
    blocked_without_nesting,
    describe,
    describe_cpu_mode,
    emulation_of,
    host_validate,
    missing_packages,
    refusal_of_kvm,
    requirement,
)

MARKERS = ("Checking nested virtualization support", "Nested virtualization setup complete")
DAEMONS = ("libvirtd", "virtqemud", "virtqemud.socket", "libvirtd.socket")
LOOKED_AT = (host_validate.HARDWARE, host_validate.DEVICE, host_validate.ACCESS)


@requirement("VR-VER-LNX-FLAGS", "VR-CI-CPUFLAG")
def test_guest_shows_the_extension(l0: Machine, l1: Machine) -> None:
    shown = EXTENSIONS & l1.cpu.flags
    lacking = f"{l1.name} shows neither vmx nor svm"
    if not shown:
        blocked_without_nesting(l0, lacking)
    assert shown, lacking
    emulated = emulation_of(l1)
    assert not emulated, emulated


@requirement("VR-VER-LNX-DEVKVM", "VR-CI-DEVKVM")
def test_guest_has_a_device_that_works(l0: Machine, l1: Machine) -> None:
    lacking = "" if l1.kvm.running else f"/dev/kvm of {l1.name} is not KVM's: {describe(l1, 'kvm.failure')}"
    if lacking:
        blocked_without_nesting(l0, lacking)
    assert not lacking, lacking
    refusal = refusal_of_kvm(l1)
    assert not refusal, f"{l1.name} has /dev/kvm, and KVM does not work there: {refusal}"


@requirement("VR-VER-LNX-NESTED")
def test_parameter_of_the_guest_reads_as_on_or_off(l1: Machine) -> None:
    assert l1.kvm.nested_raw in {"0", "N", "1", "Y"}, f"nested of {l1.kvm.module} reads {l1.kvm.nested_raw!r}"


@requirement("VR-VER-LNX-VHV")
def test_virt_host_validate_finds_the_guest_fit(l1: Machine) -> None:
    lines = l1.guest.host_validate
    absent = [name for name in LOOKED_AT if name not in lines]
    wrong = [name for name in LOOKED_AT if name in lines and lines[name].level is not host_validate.Level.PASS]
    shown = "; ".join(f"{name}: {lines[name].level} ({lines[name].text})" for name in wrong)
    assert not wrong, f"{l1.name}: {shown}"
    if absent:
        raise Unobservable("guest.host_validate", f"does not list {', '.join(absent)}")


def _setting(l0: Machine, l1: Machine) -> str:
    match l0.declared.provider:
        case "vsphere":
            return f"hardware version and vhv.enable are {describe(l1, 'vmx.hardware_version', 'vmx.vhv_enable')}"
        case "proxmox":
            return f"the processor type is {describe(l1, 'pve.cpu_type')}"
        case _:
            return f"<cpu> has mode {describe_cpu_mode(l1)}"


@requirement("VR-TS-NOT-DETECTED")
def test_guest_is_given_the_extension(l0: Machine, l1: Machine) -> None:
    assert EXTENSIONS & l1.cpu.flags, f"{l1.name} shows neither vmx nor svm; {_setting(l0, l1)}"


@requirement("VR-TS-SLOW")
def test_second_level_paging_reaches_the_guest(l0: Machine, l1: Machine) -> None:
    parameter = "ept" if l0.kvm.module == "kvm_intel" else "npt"
    assert l0.kvm.enabled(parameter), f"{l0.kvm.module} of {l0.name} has {parameter} switched off"
    assert parameter in l1.cpu.flags, f"{l1.name} does not show {parameter}"


@requirement("VR-DBG-LSCPU-GUEST")
def test_lscpu_shows_virtualization(l1: Machine) -> None:
    shown = l1.guest.lscpu_virtualization
    assert shown in {"VT-x", "AMD-V"}, f"lscpu of {l1.name} has no line `Virtualization:` (it shows {shown or 'none'})"


@requirement("VR-CI-HOSTNAME")
def test_guest_has_the_name_of_its_user_data(l1: Machine) -> None:
    assert l1.manifest is not None
    wanted, shown = l1.manifest.cloud_hostname, l1.guest.hostname.partition(".")[0]
    assert shown == wanted, f"{l1.name} has the host name {shown}; its user data sets {wanted or 'none'}"


@requirement("VR-CI-USER")
def test_account_may_use_sudo_without_a_password(l1: Machine) -> None:
    assert l1.guest.sudo_nopasswd, f"sudo on {l1.name} asks for a password"


@requirement("VR-CI-PACKAGES")
def test_packages_are_installed(l1: Machine) -> None:
    missing = missing_packages(l1.packages.installed)
    assert not missing, f"{l1.name} lacks {', '.join(missing)}"


@requirement("VR-CI-LIBVIRTD")
def test_libvirt_is_enabled_and_runs(l1: Machine) -> None:
    units = {name: l1.guest.services[name] for name in DAEMONS if name in l1.guest.services}
    ready = [name for name, unit in units.items() if unit.enabled and unit.active]
    states = ", ".join(f"{name} is {unit.file_state}, {unit.active_state}" for name, unit in units.items())
    assert ready, f"{l1.name}: {states or 'no unit of libvirt is installed'}"


@requirement("VR-CI-GROUP")
def test_account_is_a_member_of_libvirt(l1: Machine) -> None:
    users = [user.name for user in l1.manifest.cloud_users] if l1.manifest else ["ubuntu"]
    outside = [user for user in users if "libvirt" not in l1.guest.groups.get(user, ())]
    assert not outside, f"{l1.name}: not in the group libvirt: {', '.join(outside)}"


@requirement("VR-CI-MARKERS")
def test_first_boot_ran_to_its_end(l1: Machine) -> None:
    status, log = l1.guest.cloud_init_status, "\n".join(l1.guest.cloud_init_log)
    assert status == "done", f"cloud-init of {l1.name} is {status}"
    missing = [marker for marker in MARKERS if marker not in log]
    assert not missing, f"the log of cloud-init on {l1.name} lacks {missing[0]!r}"
