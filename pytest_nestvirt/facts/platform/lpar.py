"""What lies below a kernel on the two architectures with partitions in firmware: IBM Z (PR/SM) and POWER (PowerVM)."""

from __future__ import annotations

from pytest_nestvirt.facts.kernel import sysinfo
from pytest_nestvirt.facts.kernel.cpuinfo import CpuInfo
from pytest_nestvirt.facts.platform.dmi import QEMU
from pytest_nestvirt.facts.platform.layer import NONE, Layer
from pytest_nestvirt.observation.fact import Reader, Unobservable
from pytest_nestvirt.observation.partial import seen_text
from pytest_nestvirt.observation.unknown import attempt
from pytest_nestvirt.snapshot.snapshot import Snapshot, Status

SYSINFO = "proc/sysinfo"
KVM_NODE = "proc/device-tree/hypervisor/compatible"
PARTITION_NAME = "proc/device-tree/ibm,partition-name"


def layer_of_z(reader: Reader, info: CpuInfo) -> Layer:
    """By the innermost virtual machine of /proc/sysinfo; an LPAR without one counts as the machine itself."""
    stack = attempt(lambda: sysinfo.parse(reader.text(SYSINFO)))
    if isinstance(stack, Unobservable):
        return _by_processor_version(info, str(stack))
    if stack.levels:
        return _by_control_program(stack.control_programs[0])
    if stack.in_lpar:
        return Layer(NONE, physical=True, evidence=(f"{SYSINFO}: LPAR without VM00",))
    return _by_processor_version(info, f"{SYSINFO} has neither LPAR nor VM00 lines")


def _by_control_program(program: str) -> Layer:
    evidence = (f"{SYSINFO}: VM00 Control Program {program}",)
    if program.startswith("KVM"):
        return Layer("kvm", physical=False, evidence=evidence)
    if program.startswith("z/VM"):
        return Layer("zvm", physical=False, evidence=evidence)
    return Layer("", f"unknown control program {program!r}", physical=False, evidence=evidence)


def _by_processor_version(info: CpuInfo, why: str) -> Layer:
    """Below any hypervisor STIDP gives version FF; another version hints at an LPAR and proves nothing."""
    version = info.z_version.upper()
    evidence = (f"proc/cpuinfo: processor version {version}",) if version else ()
    return Layer("", why, False if version == "FF" else None, evidence)


def layer_of_power(reader: Reader, info: CpuInfo) -> Layer:
    """By the platform of /proc/cpuinfo and the device tree."""
    shown = tuple(f"{key}: {value}" for key, value in (("platform", info.platform), ("machine", info.machine)) if value)
    if info.platform == "PowerNV":
        return Layer(NONE, physical=True, evidence=shown)
    if "linux,kvm" in seen_text(reader, KVM_NODE).split():
        return Layer("kvm", physical=False, evidence=(*shown, f"{KVM_NODE}: linux,kvm"))
    if "emulated by qemu" in f"{info.model} {info.machine}":
        return Layer(QEMU if _node_is_missing(reader) else "kvm", physical=False, evidence=shown)
    if info.platform == "pSeries":
        return _by_partition(reader, info, shown)
    return Layer("", f"platform {info.platform or 'not named'}: nothing shows what lies below", None, shown)


def _by_partition(reader: Reader, info: CpuInfo, shown: tuple[str, ...]) -> Layer:
    if seen_text(reader, PARTITION_NAME) or info.machine.startswith("CHRP IBM,"):
        return Layer("powervm", physical=False, evidence=shown)
    return Layer("", "platform pSeries, and neither KVM nor PowerVM shows itself", physical=False, evidence=shown)


def _node_is_missing(reader: Reader) -> bool:
    """QEMU adds the node `hypervisor` with KVM only: one that was looked for and is missing means TCG."""
    section = reader.snapshot.get(KVM_NODE) if isinstance(reader.snapshot, Snapshot) else None
    return section is not None and section.status is Status.MISSING
