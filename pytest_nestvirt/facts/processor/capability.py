"""Whether the processor of a machine has what nested KVM needs.

Intel processors need `vmx` and `ept`, AMD processors `svm` and `npt`, IBM Z `sie`, POWER a POWER9 that runs as one with the radix MMU.
Those are the architectures on which the kernels of today's documents nest; makers that clone Intel's or AMD's extensions are
neither confirmed nor denied. What cannot be read is unknown: a doubt never becomes a yes. Whether a document names a machine is not
decided here: `applies` in its requirements does that.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pytest_nestvirt.facts.kernel.architecture import Family
from pytest_nestvirt.facts.kernel.cpuinfo import CpuInfo, Processor, Tokens
from pytest_nestvirt.facts.processor.power import posed_generation, silicon_generation
from pytest_nestvirt.facts.processor.xen_role import XenRole


class Capable(StrEnum):
    """The answer to "can this processor nest?"."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class NestedCapability:
    """The answer and, in one line for people, what decided it."""

    capable: Capable
    why: str


@dataclass(frozen=True, slots=True)
class _Need:
    """The two flags one vendor's processors need."""

    vendor: str
    extension: str
    paging: str

    def met_by(self, flags: Tokens) -> bool:
        return {self.extension, self.paging} <= flags


INTEL = _Need("Intel", "vmx", "ept")
AMD = _Need("AMD", "svm", "npt")
_NEEDS = {"GenuineIntel": INTEL, "AuthenticAMD": AMD}

_SWITCHED_OFF = re.compile(
    r"kvm\b.*disabled by bios"  # "kvm: disabled by bios", "kvm: support for 'kvm_intel' disabled by bios"
    r"|VMX \((?:outside|inside) TXT\) disabled by BIOS"  # kernels from 5.6 on
    r"|VMX not enabled \(by BIOS\)"
    r"|SVM disabled \(by BIOS\)"  # svm stays in flags
    r"|KVM is unsupported when running as an SEV guest"
    r"|Memory Encryption Features active:.*\b(?:SEV|TDX)\b"  # in such a guest only; hosts say SME, or "SEV supported"
    r"|Secure Encrypted Virtualization \(SEV\) active",  # the same before 5.8
    re.IGNORECASE,
)
_RADIX_SINCE_POWER = 9


def nested_capability(info: CpuInfo, log: Sequence[str] = (), xen: XenRole = XenRole.NONE) -> NestedCapability:
    """Decide from /proc/cpuinfo, lines of the kernel log, and what the machine is to Xen."""
    match info.family:
        case Family.X86:
            return _x86(info, log, xen)
        case Family.S390X:
            return _s390x(info)
        case Family.PPC:
            return _power(info)
        case Family.UNKNOWN:
            return _unknown("/proc/cpuinfo is empty or of no architecture known here")
        case other:
            return _no(f"KVM nests on x86, IBM Z and POWER9; this is {other}")


def _yes(why: str) -> NestedCapability:
    return NestedCapability(Capable.YES, why)


def _no(why: str) -> NestedCapability:
    return NestedCapability(Capable.NO, why)


def _unknown(why: str) -> NestedCapability:
    return NestedCapability(Capable.UNKNOWN, why)


def _x86(info: CpuInfo, log: Iterable[str], xen: XenRole) -> NestedCapability:
    by_flags = _x86_flags(info)
    if by_flags.capable is Capable.NO:
        return by_flags
    refused = next((line.strip() for line in log if _SWITCHED_OFF.search(line)), None)
    if refused is not None:
        return _no(f"kernel log: {refused}")
    if xen in {XenRole.PV, XenRole.DOM0}:
        return _no(f"a Xen {xen} domain sees the processor's flags and cannot use them")
    if xen is XenRole.UNCLEAR:
        return _unknown("a Xen domain of unknown kind: a paravirtualized one sees flags that it cannot use")
    return by_flags


def _x86_flags(info: CpuInfo) -> NestedCapability:
    vendors = {cpu.vendor for cpu in info.processors}
    if len(vendors) > 1:
        return _of_two_vendors(info.processors)
    vendor = next(iter(vendors), None)
    need = _NEEDS.get(vendor) if vendor else _need_by_flags(info.processors)
    if need is not None:
        return _judge_flags(info.processors, need)
    return _of_no_named_vendor(info.processors, vendor or "no vendor named")


def _of_no_named_vendor(processors: Sequence[Processor], vendor: str) -> NestedCapability:
    """Hygon, Zhaoxin, Centaur and the rest: without the flags surely not, with them it is not known."""
    judged = [_judge_flags(processors, need) for need in (INTEL, AMD)]
    if all(answer.capable is Capable.NO for answer in judged):
        return _no(f"{vendor}: neither vmx and ept nor svm and npt on every processor")
    unread = next((answer for answer in judged if answer.capable is Capable.UNKNOWN), None)
    return unread or _unknown(f"{vendor}: known of Intel and AMD only")


def _of_two_vendors(processors: Sequence[Processor]) -> NestedCapability:
    names = sorted({cpu.vendor or "no vendor" for cpu in processors})
    if any(cpu.vendor is None for cpu in processors):
        return _unknown(f"not every processor names its vendor ({', '.join(names)})")
    return _no(f"processors of several vendors: {', '.join(names)}")


def _need_by_flags(processors: Sequence[Processor]) -> _Need | None:
    """Where no vendor is named, the extension that is there shows whose rule it is; None if there is none."""
    extensions = frozenset[str]().union(*(cpu.flags or () for cpu in processors)) & {"vmx", "svm"}
    return {frozenset({"vmx"}): INTEL, frozenset({"svm"}): AMD}.get(extensions)


def all_flags(cpu: Processor) -> Tokens | None:
    """The processor's flags, with `ept` and `vpid` of `vmx flags`: kernels may list them in either line."""
    if cpu.flags is None:
        return None
    only_there = ((cpu.vmx_flags or frozenset()) & {"ept", "vpid"}) - cpu.flags
    return cpu.flags | only_there if only_there else cpu.flags


def _judge_flags(processors: Sequence[Processor], need: _Need) -> NestedCapability:
    listed = [flags for flags in map(all_flags, processors) if flags is not None]
    both = [flags for flags in listed if need.met_by(flags)]
    rival = AMD if need is INTEL else INTEL
    if len(both) < len(listed):
        return _no(_what_lacks(listed, need, len(processors)))
    if len(listed) < len(processors) or not listed:
        return _unknown(
            f"{len(processors) - len(listed)} of {len(processors)} processors have no readable line of flags"
        )
    if any(rival.extension in flags for flags in listed):
        return _unknown(f"flags name both {need.extension} and {rival.extension}, which no processor has")
    return _yes(f"{need.vendor}: {need.extension} and {need.paging} on {_all_of(len(processors))}")


def _what_lacks(listed: Sequence[Tokens], need: _Need, processors: int) -> str:
    counts = [
        f"{flag} on {_n_of(sum(flag in flags for flags in listed), processors)}"
        for flag in (need.extension, need.paging)
    ]
    return f"{need.vendor}: {', '.join(counts)}"


def _n_of(have: int, processors: int) -> str:
    return f"{have} of {processors} processor{'s' if processors != 1 else ''}"


def _all_of(processors: int) -> str:
    return f"all {processors} processors" if processors > 1 else "the one processor"


def _s390x(info: CpuInfo) -> NestedCapability:
    if info.features is None:
        return _unknown("IBM Z: no readable line of features")
    return _yes("IBM Z: sie among the features") if "sie" in info.features else _no("IBM Z: no sie among the features")


def _power(info: CpuInfo) -> NestedCapability:
    answers = dict.fromkeys(_power_processor(cpu, info.mmu) for cpu in info.processors)
    if info.machine.startswith("CHRP IBM,") and Capable.YES in {answer.capable for answer in answers}:
        answers[_unknown("POWER9 in a partition of PowerVM, which is not known to let KVM nest")] = None
    for worst in (Capable.NO, Capable.UNKNOWN, Capable.YES):
        for answer in answers:
            if answer.capable is worst:
                return answer
    return _unknown("POWER: no processor is listed")


def _power_processor(cpu: Processor, mmu: str) -> NestedCapability:
    silicon, posed = silicon_generation(cpu), posed_generation(cpu)
    seen = silicon or posed
    if seen is None:
        name = (cpu.power_name or "").partition(",")[0]
        return (
            _no(f"{name} is not POWER9") if name and cpu.pvr is not None else _unknown("POWER: no readable processor")
        )
    if seen != _RADIX_SINCE_POWER:
        return _no(f"POWER{seen} is not POWER9")
    return _power9(silicon, posed, mmu)


def _power9(silicon: int | None, posed: int | None, mmu: str) -> NestedCapability:
    """A POWER9, or what claims to be one: nested KVM-HV needs it to run as one and with the radix MMU."""
    if silicon is None or posed is None:
        return _unknown("POWER9 by name or by version register only: the other is missing")
    if posed != silicon:
        return _no(f"POWER{silicon} in POWER{posed} compatibility mode")
    if mmu == "Radix":
        return _yes("POWER9 that runs as one, radix MMU")
    return (
        _no("POWER9 with the hash MMU: nested KVM-HV needs radix")
        if mmu == "Hash"
        else _unknown("POWER9, and the kernel does not say whether its MMU is radix")
    )
