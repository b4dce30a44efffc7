"""Claim: a hypervisor is named where the evidence names it, and `physical` is said on positive evidence only."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from cpuinfo_texts import ARM, INTEL, KVM_PSERIES, PLAIN, RISCV, dmi, platform_of, power, x86, z
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_nestvirt.facts.platform.platform import Platform
from pytest_nestvirt.observation.fact import Unobservable
from pytest_nestvirt.snapshot.snapshot import Status

Sections = Mapping[str, str | bytes | Status]

GUEST = x86(f"{PLAIN} hypervisor", model_name="Intel(R) Xeon(R) Platinum 8272CL CPU")
HOST = x86(INTEL)
QEMU = dmi(sys_vendor="QEMU", product_name="Standard PC (Q35 + ICH9, 2009)")
HYPERV = dmi(sys_vendor="Microsoft Corporation", product_name="Virtual Machine")
AZURE = dmi(
    sys_vendor="Microsoft Corporation",
    product_name="Virtual Machine",
    chassis_asset_tag="7783-7084-3265-9085-8269-3286-77",
)
DELL = dmi(sys_vendor="Dell Inc.", product_name="PowerEdge R640")
VIRTUALBOX = dmi(sys_vendor="innotek GmbH", product_name="VirtualBox", board_vendor="Oracle Corporation")
DETECT = "nestvirt/systemd-detect-virt_--vm"
LOG = "sos_commands/kernel/dmesg"
LSCPU = "sos_commands/processor/lscpu"
CLOCKS = "sys/devices/system/clocksource/clocksource0/available_clocksource"

UNKNOWN = "unknown"


def answer(platform: Platform) -> tuple[bool | str, bool | str, bool | str]:
    """Virtualization, physical and substrate, with a word for what is unknown."""
    return (
        _or_unknown(platform, "virtualization"),
        _or_unknown(platform, "physical"),
        _or_unknown(platform, "substrate"),
    )


def _or_unknown(platform: Platform, name: str) -> bool | str:
    try:
        value: bool | str = getattr(platform, name)
    except Unobservable:
        return UNKNOWN
    return value


def sysinfo(*programs: str, lpar: bool = True) -> Sections:
    """/proc/sysinfo of a stack of control programs, innermost first."""
    text = "Manufacturer:         IBM\nType:                 2964\n\n"
    text += "LPAR Number:          71\nLPAR Name:            S35LP67\n\n" if lpar else ""
    for level, program in enumerate(programs):
        text += f"VM{level:02} Name:            GUEST\nVM{level:02} Control Program: {program}       \n\n"
    return {"proc/sysinfo": text}


ANSWERS: dict[str, tuple[str, Sections, tuple[bool | str, bool | str, bool | str]]] = {
    # DMI
    "KVM of a RHEL host": (GUEST, dmi(sys_vendor="Red Hat", product_name="KVM"), (UNKNOWN, False, "none")),
    "OpenStack": (GUEST, dmi(sys_vendor="Red Hat", product_name="OpenStack Compute"), (UNKNOWN, False, "openstack")),
    "KubeVirt": (GUEST, dmi(sys_vendor="Red Hat", product_name="KubeVirt"), (UNKNOWN, False, "kubevirt")),
    "Nitro": (GUEST, dmi(sys_vendor="Amazon EC2", product_name="m5.large"), ("kvm", False, "aws")),
    "EC2 bare metal": (HOST, dmi(sys_vendor="Amazon EC2", product_name="m5.metal"), ("none", True, "aws")),
    "EC2 bare metal of a size": (HOST, dmi(sys_vendor="Amazon EC2", product_name="m7i.metal-24xl"), ("none", True, "aws")),
    "GCE": (GUEST, dmi(sys_vendor="Google", product_name="Google Compute Engine"), ("kvm", False, "gce")),
    "Chromebook, made by Google, too": (HOST, dmi(sys_vendor="Google", product_name="Eve"), ("none", True, "none")),
    "VMware": (GUEST, dmi(sys_vendor="VMware, Inc.", product_name="VMware Virtual Platform"), ("vmware", False, "none")),
    "VMware that hides its flag": (x86(PLAIN), dmi(sys_vendor="VMware, Inc."), ("vmware", False, "none")),
    "VirtualBox": (GUEST, VIRTUALBOX, ("virtualbox", False, "none")),
    "Oracle's servers": (HOST, dmi(sys_vendor="Oracle Corporation", product_name="SUN SERVER X4-2"), ("none", True, "none")),
    "Hyper-V": (GUEST, {**HYPERV, "sys/class/dmi/id/chassis_asset_tag": "3942-2281-7711\n"}, ("hyperv", False, "none")),
    "Hyper-V without an asset tag": (GUEST, {**HYPERV, "sys/class/dmi/id/chassis_asset_tag": Status.MISSING}, ("hyperv", False, "none")),
    "Hyper-V or Azure": (GUEST, HYPERV, ("hyperv", False, UNKNOWN)),
    "Hyper-V or Azure, refused": (GUEST, {**HYPERV, "sys/class/dmi/id/chassis_asset_tag": Status.DENIED}, ("hyperv", False, UNKNOWN)),
    "Azure": (GUEST, AZURE, ("hyperv", False, "azure")),
    "Azure on Arm": (ARM, AZURE, ("hyperv", False, "azure")),
    "Surface, made by Microsoft, too": (HOST, dmi(sys_vendor="Microsoft Corporation", product_name="Surface Pro"), ("none", True, "none")),
    "Parallels": (GUEST, dmi(sys_vendor="Parallels Software International Inc."), ("parallels", False, "none")),
    "bhyve": (GUEST, dmi(bios_vendor="BHYVE"), ("bhyve", False, "none")),
    "Apple": (ARM, dmi(product_name="Apple Virtualization Generic Platform"), ("apple", False, "none")),
    "maker of computers": (HOST, DELL, ("none", True, "none")),
    "maker of boards": (HOST, dmi(sys_vendor="System manufacturer", board_vendor="ASUSTeK COMPUTER INC."), ("none", True, "none")),
    "nobody's DMI": (HOST, dmi(sys_vendor="To Be Filled By O.E.M."), ("none", UNKNOWN, "none")),
    "maker's DMI below a hypervisor": (GUEST, DELL, (UNKNOWN, False, "none")),
    "Cloud Hypervisor, on KVM or Hyper-V": (GUEST, dmi(sys_vendor="Cloud Hypervisor"), (UNKNOWN, False, "none")),
    # KVM or TCG
    "QEMU's DMI and the flag": (GUEST, QEMU, (UNKNOWN, False, "none")),
    "Bochs of old": (x86(f"{PLAIN} hypervisor", model_name="QEMU Virtual CPU version 0.13.0"), dmi(sys_vendor="Bochs"), (UNKNOWN, False, "none")),
    "QEMU's DMI, no KVM clock": (GUEST, {**QEMU, CLOCKS: "tsc hpet acpi_pm\n"}, (UNKNOWN, False, "none")),
    "QEMU's DMI, KVM clock": (GUEST, {**QEMU, CLOCKS: "kvm-clock tsc acpi_pm\n"}, ("kvm", False, "none")),
    "QEMU's DMI, lscpu": (GUEST, {**QEMU, LSCPU: "Hypervisor vendor:     KVM\n"}, ("kvm", False, "none")),
    "QEMU's DMI, kernel log": (GUEST, {**QEMU, LOG: "[0.0] Hypervisor detected: KVM\n"}, ("kvm", False, "none")),
    "TCG by systemd and its model": (x86(f"{PLAIN} hypervisor", model_name="QEMU Virtual CPU version 2.5+"), {**QEMU, DETECT: "qemu\n"}, ("qemu", False, "none")),
    "KVM that hides itself": (GUEST, {**QEMU, DETECT: "qemu\n"}, (UNKNOWN, False, "none")),
    "TCG by its model": (x86(f"{PLAIN} hypervisor", model_name="QEMU TCG CPU version 2.5+"), QEMU, ("qemu", False, "none")),
    "QEMU's DMI on Arm": (ARM, QEMU, (UNKNOWN, False, "none")),
    "KVM on Arm by the kernel log": (ARM, {**QEMU, LOG: "smccc: KVM: hypervisor services detected\n"}, ("kvm", False, "none")),
    "OpenStack with TCG": (GUEST, {**dmi(product_name="OpenStack Nova"), DETECT: "qemu\n"}, ("qemu", False, "openstack")),
    "QEMU's model name and flag": (x86(f"{INTEL} hypervisor", model_name="Intel Core Processor (Haswell, no TSX, IBRS)"), {}, ("kvm", False, UNKNOWN)),
    "AMD model of QEMU": (x86(f"{PLAIN} hypervisor", model_name="AMD EPYC-Rome Processor"), {}, (UNKNOWN, False, UNKNOWN)),
    # signatures that mislead
    "KVM behind Hyper-V enlightenments": (GUEST, {**QEMU, LOG: "Hypervisor detected: Microsoft Hyper-V\n"}, ("kvm", False, "none")),
    "the same by both clocks": (GUEST, {**QEMU, CLOCKS: "hyperv_clocksource_tsc_page kvm-clock\n"}, ("kvm", False, "none")),
    "the same by lscpu": (GUEST, {**dmi(product_name="KVM"), LSCPU: "Hypervisor vendor: Microsoft\n"}, ("kvm", False, "none")),
    "Hyper-V that says so": (GUEST, {**HYPERV, DETECT: "microsoft\n"}, ("hyperv", False, UNKNOWN)),
    "a Hyper-V signature without DMI": (GUEST, {DETECT: "microsoft\n"}, (UNKNOWN, False, UNKNOWN)),
    "VirtualBox with its KVM interface": (GUEST, {**VIRTUALBOX, CLOCKS: "kvm-clock tsc\n"}, ("virtualbox", False, "none")),
    "L2 with its host's DMI": (GUEST, {**dmi(sys_vendor="VMware, Inc."), CLOCKS: "kvm-clock tsc\n"}, ("kvm", False, "none")),
    "two hypervisors at once": (GUEST, {LSCPU: "Hypervisor vendor: VMware\n", DETECT: "parallels\n"}, (UNKNOWN, False, UNKNOWN)),
    "systemd says none, DMI says QEMU": (x86(PLAIN), {**QEMU, DETECT: "none\n"}, (UNKNOWN, UNKNOWN, "none")),
    # weak or no evidence
    "no sign and no DMI": (HOST, {}, ("none", UNKNOWN, UNKNOWN)),
    "flag alone": (GUEST, {}, (UNKNOWN, False, UNKNOWN)),
    "systemd does not know it": (GUEST, {DETECT: "vm-other\n"}, (UNKNOWN, False, UNKNOWN)),
    "Arm": (ARM, {}, (UNKNOWN, UNKNOWN, UNKNOWN)),
    "RISC-V": (RISCV, {}, (UNKNOWN, UNKNOWN, UNKNOWN)),
    "Arm server": (ARM, dmi(sys_vendor="GIGABYTE"), ("none", True, "none")),
    "Arm with systemd's word": (ARM, {DETECT: "none\n"}, ("none", UNKNOWN, UNKNOWN)),
    "KVM by the device tree": (ARM, {"proc/device-tree/hypervisor/compatible": "linux,kvm\n"}, ("kvm", False, UNKNOWN)),
    "QEMU's tree": (RISCV, {"proc/device-tree/compatible": "riscv-virtio\n"}, (UNKNOWN, False, UNKNOWN)),
    "empty": ("", {}, (UNKNOWN, UNKNOWN, UNKNOWN)),
    # Xen
    "PV": (x86("fpu lm vmx"), {"proc/xen/capabilities": "", "proc/xen/xenbus": ""}, ("xen-pv", False, UNKNOWN)),
    "dom0": (HOST, {**DELL, "proc/xen/capabilities": "control_d\n"}, ("xen", False, "none")),
    "HVM": (GUEST, dmi(sys_vendor="Xen", product_name="HVM domU"), ("xen", False, "none")),
    "HVM on EC2": (GUEST, {**dmi(sys_vendor="Xen", bios_version="4.11.amazon"), "proc/xen/": ""}, ("xen", False, "aws")),
    "HVM on EC2 by UUID": (GUEST, {"sys/hypervisor/type": "xen\n", "sys/hypervisor/uuid": "ec2e1916-9099\n"}, ("xen", False, "aws")),
    # POWER
    "PowerNV": (power(), {}, ("none", True, "none")),
    "KVM guest of POWER": (power("POWER9 (architected), altivec supported", platform="pSeries", machine=KVM_PSERIES), {}, ("kvm", False, "none")),
    "KVM guest by its node": (power(platform="pSeries", machine="CHRP x"), {"proc/device-tree/hypervisor/compatible": "linux,kvm\n"}, ("kvm", False, "none")),
    "TCG guest of POWER": (power(platform="pSeries", machine=KVM_PSERIES), {"proc/device-tree/hypervisor/compatible": Status.MISSING}, ("qemu", False, "none")),
    "PowerVM": (power("POWER8 (architected), altivec supported", "004b 0200", platform="pSeries", machine="CHRP IBM,8286-42A"), {}, ("powervm", False, "powervm-lpar")),
    "pSeries of nobody": (power(platform="pSeries", machine="CHRP"), {}, (UNKNOWN, False, UNKNOWN)),
    "PowerMac": (power("7447A", "8003 0101", platform="PowerMac", machine="PowerBook5,6"), {}, (UNKNOWN, UNKNOWN, UNKNOWN)),
    # IBM Z
    "LPAR": (z(), sysinfo(), ("none", True, "prsm-lpar")),
    "KVM on Z": (z(version="FF"), sysinfo("KVM/Linux"), ("kvm", False, "none")),
    "z/VM": (z(version="FF"), sysinfo("z/VM    6.4.0"), ("zvm", False, "none")),
    "KVM in z/VM": (z(version="FF"), sysinfo("KVM/Linux", "z/VM    6.4.0"), ("kvm", False, "none")),
    "another control program": (z(version="FF"), sysinfo("PR/XX"), (UNKNOWN, False, UNKNOWN)),
    "neither LPAR nor VM": (z(), sysinfo(lpar=False), (UNKNOWN, UNKNOWN, UNKNOWN)),
    "virtual by its version only": (z(version="FF"), {}, (UNKNOWN, False, UNKNOWN)),
    "LPAR by its version only": (z(), {}, (UNKNOWN, UNKNOWN, UNKNOWN)),
}  # fmt: skip


@pytest.mark.parametrize("machine", ANSWERS)
def test_virtualization_physical_and_substrate_of(machine: str) -> None:
    """Each machine gets the three answers its evidence allows."""
    cpuinfo, sections, expected = ANSWERS[machine]
    assert answer(platform_of(cpuinfo, sections)) == expected


def test_evidence_names_what_was_seen() -> None:
    """A person can see why: the DMI string, the file, or that the answer is weak."""
    assert platform_of(GUEST, QEMU).evidence == ("dmi: QEMU", "hypervisor flag")
    assert platform_of(GUEST, {CLOCKS: "kvm-clock tsc\n"}).evidence == (f"{CLOCKS}: kvm", "hypervisor flag")
    assert "weak" in platform_of(HOST).evidence[0]
    tree = {"proc/device-tree/compatible": "linux,dummy-virt\n"}
    assert platform_of(ARM, tree).evidence == (
        "proc/device-tree/compatible: a machine that QEMU makes up, run by KVM or emulated",
    )
    assert platform_of(z(), sysinfo()).evidence == ("proc/sysinfo: LPAR without VM00",)


def test_control_programs_tell_the_depth_on_z() -> None:
    """Innermost first; none in an LPAR; unknown without the file."""
    assert platform_of(z(), sysinfo("KVM/Linux", "z/VM    6.4.0")).control_programs == ("KVM/Linux", "z/VM 6.4.0")
    assert platform_of(z(), sysinfo()).control_programs == ()
    with pytest.raises(Unobservable):
        _ = platform_of(z()).control_programs


MARKS = ("run/systemd/container", "proc/1/environ-container", ".dockerenv", "run/.containerenv")
CLEAN: dict[str, str | bytes | Status] = dict.fromkeys(MARKS, Status.MISSING)
DETECT_CONTAINER = "nestvirt/systemd-detect-virt_--container"

CONTAINERS: dict[str, tuple[Sections, str]] = {
    "systemd kept it": ({"run/systemd/container": "lxc\n"}, "lxc"),
    "PID 1 was told": ({**CLEAN, "proc/1/environ-container": "systemd-nspawn\n"}, "systemd-nspawn"),
    "PID 1 was told, with the key": ({"proc/1/environ-container": "container=docker\n"}, "docker"),
    "Docker's file": ({**CLEAN, ".dockerenv": ""}, "docker"),
    "Podman's file": ({**CLEAN, "run/.containerenv": 'engine="podman-4.9"\n'}, "podman"),
    "Podman by its standard's name": ({"proc/1/environ-container": "oci", "run/.containerenv": ""}, "podman"),
    "OpenVZ": ({"proc/vz/": "veinfo\n", "proc/bc/": Status.MISSING}, "openvz"),
    "OpenVZ's host": ({**CLEAN, "proc/vz/": "veinfo\n", "proc/bc/": "0\n"}, "none"),
    "WSL 1": ({"proc/sys/kernel/osrelease": "4.4.0-19041-Microsoft\n"}, "wsl"),
    "systemd's word": ({DETECT_CONTAINER: "podman\n"}, "podman"),
    "systemd's none": ({DETECT_CONTAINER: "none\n"}, "none"),
    "systemd's none, and Docker's file": ({DETECT_CONTAINER: "none\n", ".dockerenv": ""}, "docker"),
    "every place is empty": (CLEAN, "none"),
    "no container in PID 1's environment": ({**CLEAN, "proc/1/environ-container": ""}, "none"),
    "PID 1 is another's": ({**CLEAN, "proc/1/environ-container": Status.DENIED}, UNKNOWN),
    "one place was not looked at": (dict.fromkeys(MARKS[:3], Status.MISSING), UNKNOWN),
    "nothing was looked at": ({}, UNKNOWN),
}


@pytest.mark.parametrize("case", CONTAINERS)
def test_container(case: str) -> None:
    """A container shows itself in one of several places; `none` needs all of them, or systemd's word."""
    sections, expected = CONTAINERS[case]
    assert _or_unknown(platform_of(HOST, sections), "container") == expected


FIELDS = st.sampled_from(
    ["sys_vendor", "product_name", "board_vendor", "bios_vendor", "chassis_asset_tag", "product_version"]
)
PIECES = st.sampled_from(
    [
        "QEMU",
        "Dell Inc.",
        "Microsoft Corporation",
        "Virtual Machine",
        "Amazon EC2",
        "m5.metal",
        "kvm",
        "none",
        "xen",
        "",
        "\x00\ufffd",
    ]
)


@given(
    st.dictionaries(FIELDS, PIECES | st.text(max_size=12), max_size=4),
    st.sampled_from([None, "kvm\n", "none\n", "vm-other\n", "microsoft\n"]),
    st.sampled_from([HOST, GUEST, ARM, ""]),
)
@settings(max_examples=120, deadline=None)
def test_physical_never_beside_a_hypervisor(strings: dict[str, str], detected: str | None, cpuinfo: str) -> None:
    """Whatever DMI claims: a machine with the flag is a virtual one, and one with systemd's word for it is not called physical."""
    sections: dict[str, str | bytes | Status] = {**dmi(**strings), **({DETECT: detected} if detected else {})}
    virtualization, physical, _ = answer(platform_of(cpuinfo, sections))
    if cpuinfo is GUEST:
        assert physical is False
    if detected == "kvm\n":
        assert physical is not True
    if physical is True:
        assert virtualization == "none"
