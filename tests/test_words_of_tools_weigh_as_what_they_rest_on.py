"""Claim: a tool's word for a hypervisor is worth what it rests on; the processor's own flag is held against it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import pytest
from cpuinfo_texts import ARM, INTEL, PLAIN, dmi, platform_of, x86

from pytest_nestvirt.facts.platform.layer import Strength
from pytest_nestvirt.facts.platform.platform import Platform
from pytest_nestvirt.observation.unknown import if_known
from pytest_nestvirt.snapshot.snapshot import Status

Sections = Mapping[str, str | bytes | Status]

WORDS = (
    "none", "kvm", "amazon", "google", "qemu", "vmware", "microsoft", "oracle", "xen", "uml", "parallels", "bhyve", "qnx",
    "acrn", "apple", "bochs", "vm-other", "",
)  # fmt: skip
SILICON = "Intel(R) Xeon(R) Gold 6248 CPU @ 2.50GHz"
FLAGS = {
    "absent": x86(INTEL, model_name=SILICON),
    "present": x86(f"{PLAIN} hypervisor", model_name=SILICON),
    "unknown": "",
}
UNREAD_FLAGS = {"sos_commands/kernel/uname_-a": "Linux h 5.14.0 #1 SMP x86_64 x86_64 x86_64 GNU/Linux\n"}
DMIS: Mapping[str, Sections] = {
    "maker": dmi(sys_vendor="Dell Inc.", product_name="PowerEdge R640"),
    "oracle": dmi(
        sys_vendor="Oracle Corporation", product_name="ORACLE SERVER X7-2L", board_vendor="Oracle Corporation"
    ),
    "google": dmi(sys_vendor="Google", product_name="Google Compute Engine", bios_vendor="Google"),
    "apple": dmi(sys_vendor="Apple Inc.", product_name="MacPro7,1"),
    "surface": dmi(sys_vendor="Microsoft Corporation", product_name="Surface Pro 7"),
    "qemu": dmi(sys_vendor="QEMU", product_name="Standard PC (Q35 + ICH9, 2009)"),
    "none": {},
}
EVERY = list(itertools.product(WORDS, FLAGS, DMIS))


def shown(word: str, flag: str, strings: str, *, hostnamectl: bool = False) -> Platform:
    """A machine of which systemd has that word, in the file of the probe or in that of a sosreport."""
    line = f"  Virtualization: {word}\n" if word not in {"", "none"} else ""
    by_hostnamectl = f" Static hostname: h\n         Chassis: server\n{line}          Kernel: Linux 5.14.0\n"
    said: Sections = {"nestvirt/systemd-detect-virt_--vm": f"{word}\n"} if word else {}
    if hostnamectl and word:
        said = {"sos_commands/host/hostnamectl_status": by_hostnamectl}
    return platform_of(FLAGS[flag], {**UNREAD_FLAGS, **DMIS[strings], **said})


@pytest.mark.parametrize("word, flag, strings", EVERY)
def test_no_word_makes_hardware_of_a_virtual_machine_nor_the_other_way_round(
    word: str, flag: str, strings: str
) -> None:
    """With the flag it is not physical, nor known to be hardware; without it no word that DMI explains makes it virtual."""
    platform = shown(word, flag, strings)
    physical, name = if_known(lambda: platform.physical), if_known(lambda: platform.virtualization)
    assert physical is not True or name == "none"
    if flag == "present":
        assert physical is False
        assert name != "none"
    if flag != "absent":
        assert physical is not True, "the flags would show a hypervisor"
    if flag == "absent" and word not in {"xen", "uml"} and strings != "qemu":
        assert physical is not False, "hardware, or a hypervisor that hides itself"


@pytest.mark.parametrize("word, flag, strings", EVERY)
def test_kvm_is_named_by_what_the_machine_shows_and_not_by_strings(word: str, flag: str, strings: str) -> None:
    """Strings that every machine of QEMU has say nothing of KVM; where strings alone name it, the answer says so."""
    platform = shown(word, flag, strings)
    if if_known(lambda: platform.virtualization) == "kvm":
        assert flag != "absent"
        assert word in {"kvm", "microsoft"} or platform.strength is Strength.STRINGS


@pytest.mark.parametrize("word, flag, strings", [case for case in EVERY if case[0] not in {"xen", "bochs"}])
def test_hostnamectl_is_worth_what_systemd_detect_virt_is(word: str, flag: str, strings: str) -> None:
    """It asks the same code, so a sosreport gives the same answers as a live machine."""
    one, other = shown(word, flag, strings), shown(word, flag, strings, hostnamectl=True)
    assert if_known(lambda: one.virtualization) == if_known(lambda: other.virtualization)
    assert if_known(lambda: one.physical) == if_known(lambda: other.physical)


@pytest.mark.parametrize(
    "word, strings",
    [
        ("oracle", dmi(sys_vendor="Oracle Corporation", product_name="SUN FIRE X4270 M3", board_vendor="Oracle Corporation")),
        ("oracle", dmi(sys_vendor="Oracle Corporation", product_name="SUN SERVER X4-2", board_vendor="ORACLE CORPORATION")),
        ("apple", dmi(sys_vendor="Apple Inc.", product_name="MacPro7,1", board_vendor="Apple Inc.")),
        ("microsoft", dmi(sys_vendor="Microsoft Corporation", product_name="Surface Book 3")),
    ],
)  # fmt: skip
def test_a_maker_of_hardware_is_not_a_hypervisor(word: str, strings: Sections) -> None:
    """Systemd goes by the maker's name there; processors without the flag and a product of hardware decide."""
    platform = platform_of(FLAGS["absent"], {**strings, "nestvirt/systemd-detect-virt_--vm": f"{word}\n"})
    assert (platform.virtualization, platform.physical, platform.strength) == ("none", True, Strength.STRINGS)


@pytest.mark.parametrize(
    "word, strings",
    [
        ("google", dmi(sys_vendor="Google", product_name="Google Compute Engine")),
        ("qemu", dmi(sys_vendor="Alibaba Cloud", product_name="Alibaba Cloud ECS")),
        ("", dmi(sys_vendor="Tencent Cloud", product_name="CVM")),
        ("oracle", {}),
        ("google", {}),
        ("amazon", {}),
        ("vm-other", dmi(sys_vendor="Dell Inc.")),
    ],
)
def test_clouds_that_offer_metal_are_unknown_without_the_flag(word: str, strings: Sections) -> None:
    """Their bare metal has the same strings as their virtual machines, and some hypervisors hide the flag."""
    platform = platform_of(FLAGS["absent"], {**strings, "nestvirt/systemd-detect-virt_--vm": f"{word}\n"})
    assert (if_known(lambda: platform.virtualization), if_known(lambda: platform.physical)) == (None, None)


@pytest.mark.parametrize(
    "word, model, flags, product, expected",
    [
        ("qemu", "QEMU TCG CPU version 2.5+", f"{PLAIN} svm hypervisor", "KVM", "qemu"),
        ("qemu", "AMD EPYC Processor", f"{PLAIN} svm hypervisor", "Standard PC", "qemu"),
        ("qemu", "QEMU Virtual CPU version 2.5+", f"{PLAIN} hypervisor", "Standard PC", "qemu"),
        ("qemu", "Intel Core Processor (Haswell, no TSX)", f"{PLAIN} hypervisor", "KVM", "qemu"),
        ("qemu", SILICON, f"{PLAIN} vmx hypervisor", "Standard PC", "kvm"),
        ("qemu", "Intel Core Processor (Haswell, no TSX)", f"{PLAIN} vmx hypervisor", "Standard PC", "kvm"),
        ("qemu", SILICON, f"{PLAIN} hypervisor", "Standard PC", None),
        ("kvm", SILICON, f"{PLAIN} vmx hypervisor", "KVM", "kvm"),
        ("", "QEMU Virtual CPU version 2.5+", f"{PLAIN} svm hypervisor", "OpenStack Nova", None),
        ("", "AMD EPYC-Rome Processor", f"{PLAIN} hypervisor", "Standard PC", None),
    ],
)
def test_emulation_is_told_from_a_hidden_kvm(
    word: str, model: str, flags: str, product: str, expected: str | None
) -> None:
    """With its signature hidden, KVM looks like emulation to systemd; TCG has no vmx and no model name of silicon."""
    strings = dmi(sys_vendor="QEMU", product_name=product)
    platform = platform_of(x86(flags, model_name=model), {**strings, "nestvirt/systemd-detect-virt_--vm": f"{word}\n"})
    assert if_known(lambda: platform.virtualization) == expected
    assert platform.physical is False


RHEL_7, RHEL_8, UBUNTU_18 = "3.10.0-1160.el7.x86_64", "4.18.0-372.9.1.el8.x86_64", "4.15.0-213-generic"


@pytest.mark.parametrize(
    "kernel, product, model, expected",
    [
        (RHEL_7, "KVM", "Intel Xeon Processor (Skylake)", None),
        (RHEL_7, "KVM", "QEMU TCG CPU version 2.5+", "qemu"),
        (RHEL_7, "Standard PC (Q35 + ICH9, 2009)", "Intel Xeon Processor (Skylake)", "kvm"),
        (RHEL_8, "KVM", "Intel Xeon Processor (Skylake)", "kvm"),
        (UBUNTU_18, "KVM", "Intel Xeon Processor (Skylake)", "kvm"),
    ],
)
def test_kvm_that_an_old_systemd_took_from_dmi_needs_another_witness(
    kernel: str, product: str, model: str, expected: str | None
) -> None:
    """The systemd of RHEL 7 asks DMI first, and RHEL's QEMU calls its machines `KVM` under emulation as well."""
    seen = {
        **dmi(sys_vendor="Red Hat", product_name=product),
        "nestvirt/systemd-detect-virt_--vm": "kvm\n",
        "proc/sys/kernel/osrelease": f"{kernel}\n",
    }
    text = x86(f"{PLAIN} hypervisor", model_name=model)
    assert if_known(lambda: platform_of(text, seen).virtualization) == expected
    confirmed = {**seen, "sos_commands/processor/lscpu": "Hypervisor vendor:     KVM\n"}
    assert platform_of(text, confirmed).virtualization == "kvm"


@pytest.mark.parametrize(
    "release, virtualization, container",
    [
        ("5.15.167.4-microsoft-standard-WSL2", "hyperv", "wsl"),
        ("4.19.128-microsoft-standard", "hyperv", "wsl"),
        ("6.6.36.3-microsoft-standard-WSL2+", "hyperv", "wsl"),
        ("4.4.0-19041-Microsoft", None, "wsl"),
    ],
)
def test_wsl_is_named_by_its_kernel(release: str, virtualization: str | None, container: str) -> None:
    """WSL 2 is a virtual machine of Hyper-V; WSL 1 is not a machine at all."""
    sections = {
        "proc/sys/kernel/osrelease": f"{release}\n",
        "nestvirt/systemd-detect-virt_--vm": "microsoft\n",
        "nestvirt/systemd-detect-virt_--container": "wsl\n",
    }
    platform = platform_of(FLAGS["present"], sections)
    assert if_known(lambda: platform.virtualization) == virtualization
    assert platform.container == container


def test_an_arm_machine_has_no_flag_to_hold_against_a_word() -> None:
    """A maker's strings are enough there, and a cloud that offers metal is unknown."""
    assert platform_of(ARM, dmi(sys_vendor="GIGABYTE")).physical
    google = platform_of(ARM, {**DMIS["google"], "nestvirt/systemd-detect-virt_--vm": "google\n"})
    assert if_known(lambda: google.physical) is None
