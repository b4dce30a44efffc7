"""Weighing signs of the hypervisor directly below a machine. Pure: signs in, a `Layer` out."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum

from pytest_nestvirt.facts.platform.dmi import QEMU, UNCLEAR, Dmi

NONE = "none"


class Strength(StrEnum):
    """What an answer about the layer below rests on."""

    MACHINE = "machine"
    """On an interface of the hypervisor, the processor or the firmware: CPUID, a paravirtual clock, the device tree."""
    STRINGS = "strings"
    """On DMI strings, which a definition can set, a host can pass on, and makers of computers share with hypervisors."""
    ABSENCE = "absence"
    """On nothing but that no hypervisor shows itself."""


@dataclass(frozen=True, slots=True)
class Layer:
    """What lies directly below a kernel."""

    name: str
    """Of the hypervisor, `none`, or empty where it cannot be known."""
    why: str = ""
    """Why not, where it cannot."""
    physical: bool | None = None
    """None where there is no positive evidence either way."""
    evidence: tuple[str, ...] = ()
    strength: Strength = Strength.MACHINE
    """Of the name, or of `physical` where there is no name."""


@dataclass(frozen=True, slots=True)
class Sign:
    """One thing that names a hypervisor, and where it was read."""

    name: str
    where: str
    shown: str = ""
    """In words, where the name alone is not clear to a person."""
    strength: Strength = Strength.MACHINE

    def __str__(self) -> str:
        return f"{self.where}: {self.shown or self.name}"


@dataclass(frozen=True, slots=True)
class Signs:
    """What was seen of an x86, Arm or RISC-V machine."""

    dmi: Dmi = field(default_factory=lambda: Dmi({}))
    every: tuple[Sign, ...] = ()
    """What the running system names: systemd-detect-virt, lscpu, the kernel log, clock sources, the device tree."""
    flags: frozenset[str] | None = None
    """Those that any processor shows; None where the architecture has none or they could not be read."""
    flag_expected: bool = False
    """Whether the architecture is one whose processors show the flag `hypervisor` in a virtual machine."""
    model_name: str = ""

    @property
    def names(self) -> frozenset[str]:
        """What rests on more than DMI strings, a `none` of systemd-detect-virt included."""
        return frozenset(sign.name for sign in self.every if sign.strength is Strength.MACHINE)

    @property
    def repeated(self) -> frozenset[str]:
        """Names that a tool took from DMI strings, or from nothing that was read."""
        return frozenset(sign.name for sign in self.every if sign.strength is Strength.STRINGS)

    @property
    def hypervisor_flag(self) -> bool | None:
        """The CPUID bit of that name; None where the flags are not known."""
        return None if self.flags is None else "hypervisor" in self.flags


_QEMU_MODELS = re.compile(
    r"QEMU (?:Virtual|TCG) CPU|Common (?:32-bit )?KVM processor"
    r"|Intel (?:Core|Xeon|Atom) Processor(?: \(|$)"
    r"|Intel Xeon E3\S* (?:v2 )?\((?:Sandy|Ivy) Bridge|Westmere E56xx"
    r"|Intel Core i7 9xx \(Nehalem|Intel Core 2 Duo P9xxx|Intel Celeron_4x0"
    r"|AMD Opteron (?:240|22xx|23xx|62xx|63xx) (?:\(Gen|class)|AMD EPYC(?:-\w+)? Processor(?: \(|$)"
)
"""Model names that QEMU gives its processors (target/i386/cpu.c); no silicon has such a name."""


def weigh(signs: Signs) -> Layer:
    """Name the hypervisor, or say why it cannot be named.

    What the machine shows comes before DMI strings, which can be copied from the host; but a Hyper-V signature is also
    what KVM shows with Hyper-V enlightenments, and VirtualBox offers a KVM interface, so there DMI decides.
    """
    if signs.names - {NONE}:
        return _by_statement(signs)
    name = signs.dmi.hypervisor or _repeated_name(signs)
    if name is not None:
        return _by_strings(name, signs)
    if signs.hypervisor_flag:
        return _by_flag(signs)
    return _nothing_named(signs)


def _repeated_name(signs: Signs) -> str | None:
    """What a tool reads in DMI strings counts where they could not be read; where they were, they count themselves."""
    return None if signs.dmi.strings else next(iter(sorted(signs.repeated)), None)


def _evidence(signs: Signs, *more: str) -> tuple[str, ...]:
    named = signs.dmi.hypervisor or signs.dmi.of_a_maker
    shown = [f"dmi: {signs.dmi.strings.get(signs.dmi.naming_field, '')}"] if named else []
    flag = ["hypervisor flag"] if signs.hypervisor_flag else []
    return (*map(str, signs.every), *shown, *flag, *more)


def _is(name: str, signs: Signs, *more: str, strength: Strength = Strength.MACHINE) -> Layer:
    return Layer(name, physical=False, evidence=_evidence(signs, *more), strength=strength)


def _cannot_tell(
    why: str, signs: Signs, *, physical: bool | None = False, strength: Strength = Strength.MACHINE
) -> Layer:
    return Layer("", why, physical, _evidence(signs), strength)


def _by_statement(signs: Signs) -> Layer:
    names = signs.names - {NONE, QEMU, UNCLEAR}
    dmi = signs.dmi.hypervisor or _repeated_name(signs)
    if "kvm" in names and names <= {"kvm", "hyperv"}:
        return _is("virtualbox" if dmi == "virtualbox" else "kvm", signs)
    if names == {"hyperv"}:
        return _behind_hyperv_signature(signs)
    if len(names) == 1 and dmi in names | {None}:
        return _is(next(iter(names)), signs)
    if names:
        return _cannot_tell(
            f"signs contradict each other: {', '.join(sorted(names | ({dmi} if dmi else set())))}", signs
        )
    if signs.names & {QEMU} and dmi in {QEMU, "kvm", None}:
        return _is(QEMU, signs)
    return _cannot_tell("some hypervisor", signs)


def _behind_hyperv_signature(signs: Signs) -> Layer:
    dmi = signs.dmi.hypervisor
    if dmi in {"kvm", QEMU}:
        return _is("kvm", signs, "KVM with Hyper-V enlightenments")
    if any(sign.name == "hyperv" and sign.where == WSL2 for sign in signs.every):
        return _is("hyperv", signs)
    if dmi is None or dmi == UNCLEAR:
        return _cannot_tell("a Hyper-V signature, which KVM can show too, and no DMI that shows which", signs)
    return _is(dmi, signs)


WSL2 = "proc/sys/kernel/osrelease"
"""Where WSL 2 names itself: Microsoft builds that kernel for virtual machines of Hyper-V and for nothing else."""


def _by_strings(name: str, signs: Signs) -> Layer:
    flag = signs.hypervisor_flag
    if NONE in signs.names:
        why = f"DMI names {name}, systemd-detect-virt none"
        return _cannot_tell(why, signs, physical=False if flag else None, strength=Strength.STRINGS)
    if not flag and _also_on_hardware(name, signs):
        why = f"DMI names {name} and the processors do not show the flag `hypervisor`: bare metal of that maker, or hidden"
        return _cannot_tell(why, signs, physical=None, strength=Strength.STRINGS)
    if name == QEMU:
        return _run_by_qemu(signs)
    if name == UNCLEAR:
        return _cannot_tell("DMI names a virtual machine of several possible hypervisors", signs)
    return _is(name, signs, strength=Strength.STRINGS)


def _also_on_hardware(name: str, signs: Signs) -> bool:
    """Whether machines without a hypervisor bear that name, too; a word that a tool took from them is no better."""
    if not signs.dmi.strings:
        return signs.hypervisor_flag is False
    return signs.dmi.shared or (signs.hypervisor_flag is False and name == "kvm")


def _run_by_qemu(signs: Signs) -> Layer:
    """KVM or TCG: both have QEMU's DMI and models, and show the flag; TCG has a model of its own, and never vmx."""
    if signs.model_name.startswith("QEMU TCG"):
        return _is(QEMU, signs, f"model name: {signs.model_name}")
    if signs.flags and {"vmx", "hypervisor"} <= signs.flags:
        return _is("kvm", signs, "vmx, which QEMU does not emulate")
    if signs.repeated & {QEMU} and _QEMU_MODELS.match(signs.model_name):
        return _is(QEMU, signs, f"model name: {signs.model_name}", strength=Strength.STRINGS)
    return _cannot_tell("QEMU made this machine, and nothing that was read tells KVM from TCG", signs)


def _by_flag(signs: Signs) -> Layer:
    if _QEMU_MODELS.match(signs.model_name):
        return _run_by_qemu(signs)
    return _cannot_tell("the processors show the flag `hypervisor`, and nothing that was read names it", signs)


def _nothing_named(signs: Signs) -> Layer:
    absence = Strength.ABSENCE
    if UNCLEAR in signs.repeated:
        return _cannot_tell("a tool names a hypervisor that nothing else shows", signs, physical=None, strength=absence)
    if signs.dmi.of_a_maker and signs.flag_expected and signs.flags is None:
        why = "DMI names a maker, and the flags of the processors, which would show a hypervisor, were not read"
        return _cannot_tell(why, signs, physical=None, strength=absence)
    if signs.dmi.of_a_maker:
        return Layer(NONE, physical=True, evidence=_evidence(signs), strength=Strength.STRINGS)
    if signs.names == {NONE} or signs.hypervisor_flag is False:
        evidence = _evidence(signs, "weak: nothing names a hypervisor, and no DMI names a maker")
        return Layer(NONE, evidence=evidence, strength=absence)
    return _cannot_tell("nothing that was read names a hypervisor or a maker", signs, physical=None, strength=absence)
