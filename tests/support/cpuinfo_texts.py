"""Texts of /proc/cpuinfo written from facts about machines, and machines made of texts."""

from __future__ import annotations

from collections.abc import Sequence

from machine_sections import Sections, snapshot

from pytest_nestvirt.facts.kernel.kernel import Kernel
from pytest_nestvirt.facts.platform.platform import Platform
from pytest_nestvirt.facts.processor.cpu import Cpu
from pytest_nestvirt.facts.system.operating_system import Os
from pytest_nestvirt.facts.system.windows import Windows
from pytest_nestvirt.observation.fact import Reader
from pytest_nestvirt.snapshot.snapshot import Status

INTEL = "fpu msr pae lm vmx est tpr_shadow vnmi flexpriority ept vpid ept_ad"
AMD = "fpu msr pae lm cmp_legacy svm extapic npt lbrv svm_lock nrip_save"
PLAIN = "fpu msr pae lm constant_tsc"
VMX_FLAGS = "vnmi preemption_timer posted_intr invvpid ept_x_only ept_ad apicv ept vpid unrestricted_guest pml"


def x86(
    flags: str | Sequence[str | None] = INTEL,
    *,
    vendor: str | None = "GenuineIntel",
    model_name: str = "Test CPU",
    vmx_flags: str | None = None,
    cpus: int = 1,
) -> str:
    """One block for each processor; a sequence of flags has one entry for each, None for a block without the line."""
    per_cpu = [flags] * cpus if isinstance(flags, str) else flags
    blocks = []
    for number, tokens in enumerate(per_cpu):
        lines = [f"processor\t: {number}"]
        lines += [f"vendor_id\t: {vendor}"] if vendor is not None else []
        lines += [
            "cpu family\t: 6",
            "model\t\t: 26",
            f"model name\t: {model_name}",
            "fpu_exception\t: yes",
            "cpuid level\t: 11",
        ]
        lines += [f"flags\t\t: {tokens}"] if tokens is not None else []
        lines += [f"vmx flags\t: {vmx_flags}"] if vmx_flags is not None else []
        lines += ["bogomips\t: 5054.14", "power management:"]
        blocks.append("\n".join(lines) + "\n\n")
    return "".join(blocks)


def power(
    name: str = "POWER9, altivec supported",
    pvr: str | None = "004e 1202",
    *,
    platform: str = "PowerNV",
    machine: str = "PowerNV 9006-12P",
    mmu: str | None = "Radix",
    cpus: int = 2,
) -> str:
    """POWER: blocks of processors, then lines on the machine."""
    revision = f"revision\t: 2.2 (pvr {pvr})\n" if pvr else ""
    blocks = [f"processor\t: {n}\ncpu\t\t: {name}\nclock\t\t: 2166.000000MHz\n{revision}\n" for n in range(cpus)]
    model = machine.removeprefix("CHRP ").removeprefix("PowerNV ")
    footer = f"timebase\t: 512000000\nplatform\t: {platform}\nmodel\t\t: {model}\nmachine\t\t: {machine}\n"
    return "".join(blocks) + footer + (f"MMU\t\t: {mmu}\n" if mmu else "")


def z(
    features: str | None = "esan3 zarch stfle msa vx sie", *, version: str = "00", machine: str = "2964", cpus: int = 2
) -> str:
    """IBM Z: one line of features for the machine."""
    line = f"features\t: {features} \n" if features is not None else ""
    head = f"vendor_id       : IBM/S390\n# processors    : {cpus}\nbogomips per cpu: 20325.00\n{line}"
    told = f"version = {version},  identification = 4729E7,  machine = {machine}"
    return head + "".join(f"processor {n}: {told}\n" for n in range(cpus))


ARM = (
    "processor\t: 0\nBogoMIPS\t: 50.00\nFeatures\t: fp asimd evtstrm aes cpuid\n"
    "CPU implementer\t: 0x41\nCPU architecture: 8\nCPU part\t: 0xd0c\nCPU revision\t: 1\n\n"
)
RISCV = "processor\t: 0\nhart\t\t: 0\nisa\t\t: rv64imafdc\nmmu\t\t: sv39\nuarch\t\t: sifive,u74-mc\n\n"
KVM_PSERIES = "CHRP IBM pSeries (emulated by qemu)"


def kvm_power(name: str, *, mmu: str | None = "Radix") -> str:
    """A POWER9 guest of KVM, under this name."""
    return power(f"{name}, altivec supported", platform="pSeries", machine=KVM_PSERIES, mmu=mmu)


def reader(sections: Sections | None = None, *, cpuinfo: str | bytes | None = None) -> Reader:
    """A machine of which these sections were read; a `Status` stands for a section without data."""
    given: dict[str, str | bytes | Status] = dict(sections or {})
    if cpuinfo is not None:
        given["proc/cpuinfo"] = cpuinfo
    return Reader("here", 0, snapshot(given))


def os_of(sections: Sections) -> Os:
    """The system of such a machine."""
    read = reader(sections)
    return Os(read, kernel=Kernel(read), windows=Windows(read))


def cpu_of(cpuinfo: str | bytes | None, sections: Sections | None = None) -> Cpu:
    """The processors of such a machine."""
    return Cpu(reader(sections, cpuinfo=cpuinfo))


def platform_of(cpuinfo: str | None, sections: Sections | None = None) -> Platform:
    """What such a machine runs on."""
    read = reader(sections, cpuinfo=cpuinfo)
    return Platform(read, kernel=Kernel(read), cpu=Cpu(read))


def dmi(**strings: str) -> dict[str, str | bytes | Status]:
    """Sections of DMI strings, with the line end they have in sysfs."""
    return {f"sys/class/dmi/id/{name}": f"{text}\n" for name, text in strings.items()}
