"""Claim: the facts on processors are what /proc/cpuinfo says, and unknown where it does not say it."""

from __future__ import annotations

import pytest
from cpuinfo_texts import AMD, ARM, INTEL, PLAIN, RISCV, VMX_FLAGS, cpu_of, kvm_power, power, x86, z

from pytest_nestvirt.facts.processor.cpu import Capable
from pytest_nestvirt.facts.processor.power import PowerCpu
from pytest_nestvirt.observation.fact import Unobservable
from pytest_nestvirt.observation.unknown import attempt

VENDORS = {
    "intel": x86(),
    "amd": x86(AMD, vendor="AuthenticAMD"),
    "hygon": x86(AMD, vendor="HygonGenuine"),
    "centaur": x86(vendor="CentaurHauls"),
    "zhaoxin": x86(vendor="  Shanghai  "),
    "riserrise": x86(vendor="RiseRRise"),
    "ibm-power": power(),
    "ibm-z": z(),
}


@pytest.mark.parametrize("vendor", VENDORS)
def test_vendor(vendor: str) -> None:
    """Every vendor has one name, whatever the processor spells; unknown spellings are kept."""
    assert cpu_of(VENDORS[vendor]).vendor == vendor


@pytest.mark.parametrize(
    "text",
    [
        x86(vendor=None),
        x86(vendor="unknown"),
        x86() + x86(AMD, vendor="AuthenticAMD"),
        ARM,
        RISCV,
        "",
        power("e500v2", "8021 0030"),
    ],
    ids=["no line", "unknown", "two vendors", "arm", "riscv", "empty", "embedded PowerPC"],
)
def test_vendor_that_nobody_states(text: str) -> None:
    """A vendor that is not stated, or not the same everywhere, is unknown."""
    with pytest.raises(Unobservable):
        _ = cpu_of(text).vendor


def test_flags_are_those_of_every_processor() -> None:
    """What only one processor has is no flag of the machine; each processor's own can still be read."""
    cpu = cpu_of(x86(["fpu vmx ept", "fpu vmx"]))
    assert cpu.flags == {"fpu", "vmx"}
    assert cpu.flags_by_cpu == (frozenset({"fpu", "vmx", "ept"}), frozenset({"fpu", "vmx"}))


def test_processors_behind_the_end_of_a_cut_text_may_lack_a_flag() -> None:
    """Wherever a text ends amid the lines of its last processor, the flags of all are unknown: there may be another one."""
    block = x86()
    for end in range(block.index("vendor"), block.index("power management")):
        cpu = cpu_of(block * 2 + block[:end])
        assert isinstance(attempt(lambda cpu=cpu: cpu.flags), Unobservable)  # type: ignore[misc]
        assert cpu.nested.capable is not Capable.YES
    assert {"vmx", "ept"} <= cpu_of((block * 2).rstrip("\n")).flags, "blank lines at the end are decoration"
    assert cpu_of(block + x86(PLAIN)[:-40]).nested.capable is not Capable.YES


def test_flags_are_tokens() -> None:
    """The label `vmx flags` is no vmx, ept_ad is no ept."""
    cpu = cpu_of(x86("fpu ept_ad", vmx_flags="apicv ept_ad"))
    assert cpu.flags == {"fpu", "ept_ad"}
    assert cpu.vmx_flags == {"apicv", "ept_ad"}


def test_ept_counts_from_either_line() -> None:
    """Kernels from 5.6 on list ept in `vmx flags`, too; the rest of that line is no flag of the processor."""
    assert cpu_of(x86(PLAIN, vmx_flags=VMX_FLAGS)).flags == {*PLAIN.split(), "ept", "vpid"}


def test_other_architectures_list_features() -> None:
    """IBM Z and Arm have features."""
    assert "sie" in cpu_of(z()).flags
    assert "asimd" in cpu_of(ARM).flags


@pytest.mark.parametrize("name", ["flags", "flags_by_cpu", "vmx_flags", "model_name", "machine_type", "power"])
@pytest.mark.parametrize("text", ["", RISCV, x86([None]).replace("model name", "name of model")])
def test_what_is_not_there_is_unknown(name: str, text: str) -> None:
    """No line, no fact: neither an empty set nor an empty string."""
    with pytest.raises(Unobservable):
        getattr(cpu_of(text), name)


def test_model_name() -> None:
    """The name the processor gives itself, without what the kernel adds."""
    assert cpu_of(x86(model_name="Intel(R) Xeon(R) CPU E5540")).model_name == "Intel(R) Xeon(R) CPU E5540"
    assert cpu_of(power("POWER9 (architected), altivec supported")).model_name == "POWER9 (architected)"
    assert cpu_of(z(machine="8561")).model_name == "IBM 8561"


def test_numbers() -> None:
    """Family and model are decimal, the count is that of the processors listed."""
    cpu = cpu_of(x86(INTEL, cpus=3))
    assert (cpu.family, cpu.model, cpu.count) == (6, 26, 3)
    assert (cpu_of(z(cpus=8)).count, cpu_of(power(cpus=5)).count, cpu_of(ARM).count) == (8, 5, 1)


def test_machine_type_of_z() -> None:
    """2964 is a z13."""
    assert cpu_of(z(machine="2964")).machine_type == "2964"


POWERS = {
    "bare metal": (power(), PowerCpu(9, "unmarked", "PowerNV", "Radix", power8_compat=False, pvr=0x004E1202)),
    "guest": (
        kvm_power("POWER9 (architected)"),
        PowerCpu(9, "architected", "pSeries", "Radix", power8_compat=False, pvr=0x004E1202),
    ),
    "POWER8 compatibility": (
        kvm_power("POWER8 (architected)", mmu="Hash"),
        PowerCpu(9, "architected", "pSeries", "Hash", power8_compat=True, pvr=0x004E1202),
    ),
    "POWER8E, whose kernel does not name the MMU": (
        power("POWER8E (raw), altivec supported", "004b 0201", mmu=None),
        PowerCpu(8, "raw", "PowerNV", "", power8_compat=False, pvr=0x004B0201),
    ),
    "no version register": (
        power("POWER8 (raw), altivec supported", None),
        PowerCpu(8, "raw", "PowerNV", "Radix", power8_compat=False, pvr=0),
    ),
}


@pytest.mark.parametrize("machine", POWERS)
def test_power(machine: str) -> None:
    """The generation is that of the silicon, the mode and the compatibility are those of the name."""
    text, expected = POWERS[machine]
    assert cpu_of(text).power == expected


def test_power_of_several_kinds() -> None:
    """Processors that differ are not one POWER processor."""
    text = power(cpus=1) + power("POWER8 (architected), altivec supported", cpus=1)
    with pytest.raises(Unobservable):
        _ = cpu_of(text).power
