"""Weighing signs of the hypervisor directly below a machine. Pure: signs in, a `Layer` out."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from pytest_nestvirt.facts.platform.dmi import QEMU, UNCLEAR, Dmi

NONE = "none"


@dataclass(frozen=True, slots=True)
class Layer:
    """What lies directly below a kernel."""

    name: str
    """Of the hypervisor, `none`, or empty where it cannot be told."""
    why: str = ""
    """Why not, where it cannot."""
    physical: bool | None = None
    """None where there is no positive evidence either way."""
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sign:
    """One thing that names a hypervisor, and where it stands."""

    name: str
    where: str
    said: str = ""
    """In words, where the name alone says nothing to a person."""

    def __str__(self) -> str:
        return f"{self.where}: {self.said or self.name}"


@dataclass(frozen=True, slots=True)
class Signs:
    """What was seen of an x86, Arm or RISC-V machine."""

    dmi: Dmi = field(default_factory=lambda: Dmi({}))
    said: tuple[Sign, ...] = ()
    """What the running system says: systemd-detect-virt, lscpu, the kernel log, clock sources, the device tree."""
    hypervisor_flag: bool | None = None
    """The CPUID bit of that name; None where the architecture has none or the flags could not be read."""
    model_name: str = ""
    looked_for_kvm: bool = False
    """Whether something was read that would name KVM if it were there."""

    @property
    def names(self) -> frozenset[str]:
        """The hypervisors that the running system names."""
        return frozenset(sign.name for sign in self.said)


_QEMU_MODELS = re.compile(
    r"QEMU (?:Virtual|TCG) CPU|Common (?:32-bit )?KVM processor"
    r"|Intel (?:Core|Xeon|Atom) Processor(?: \(|$)"
    r"|Intel Xeon E3\S* (?:v2 )?\((?:Sandy|Ivy) Bridge|Westmere E56xx"
    r"|Intel Core i7 9xx \(Nehalem|Intel Core 2 Duo P9xxx|Intel Celeron_4x0"
    r"|AMD Opteron (?:240|22xx|23xx|62xx|63xx) (?:\(Gen|class)|AMD EPYC(?:-\w+)? Processor(?: \(|$)"
)
"""Model names that QEMU gives its processors (target/i386/cpu.c); no silicon calls itself so."""


def weigh(signs: Signs) -> Layer:
    """Name the hypervisor, or say why it cannot be named.

    What the running system says comes before DMI, which can be copied from the host; but a Hyper-V signature is also
    what KVM shows with Hyper-V enlightenments, and VirtualBox offers a KVM interface, so there DMI decides.
    """
    if signs.names - {NONE}:
        return _by_statement(signs)
    if signs.dmi.hypervisor is not None:
        return _by_dmi(signs)
    if signs.hypervisor_flag:
        return _by_flag(signs)
    return _nothing_named(signs)


def _evidence(signs: Signs, *more: str) -> tuple[str, ...]:
    named = signs.dmi.hypervisor or signs.dmi.of_a_maker
    shown = [f"dmi: {signs.dmi.strings.get(signs.dmi.naming_field, '')}"] if named else []
    flag = ["hypervisor flag"] if signs.hypervisor_flag else []
    return (*map(str, signs.said), *shown, *flag, *more)


def _is(name: str, signs: Signs, *more: str) -> Layer:
    return Layer(name, physical=False, evidence=_evidence(signs, *more))


def _cannot_tell(why: str, signs: Signs, *, physical: bool | None = False) -> Layer:
    return Layer("", why, physical, _evidence(signs))


def _by_statement(signs: Signs) -> Layer:
    names = signs.names - {NONE, QEMU, UNCLEAR}
    dmi = signs.dmi.hypervisor
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
    return (
        _is(QEMU, signs)
        if signs.names & {QEMU} and dmi in {QEMU, "kvm", None}
        else _cannot_tell("some hypervisor", signs)
    )


def _unless_flagged(signs: Signs) -> bool | None:
    """Whatever is said: where the processors show the flag, this is not the machine itself."""
    return False if signs.hypervisor_flag else None


def _behind_hyperv_signature(signs: Signs) -> Layer:
    dmi = signs.dmi.hypervisor
    if dmi in {"kvm", QEMU}:
        return _is("kvm", signs, "KVM with Hyper-V enlightenments")
    if dmi is None or dmi == UNCLEAR:
        return _cannot_tell("a Hyper-V signature, which KVM can show too, and no DMI that tells which", signs)
    return _is(dmi, signs)


def _by_dmi(signs: Signs) -> Layer:
    name = signs.dmi.hypervisor or ""
    if signs.names == {NONE}:
        return _cannot_tell(f"DMI names {name}, systemd-detect-virt says none", signs, physical=_unless_flagged(signs))
    if name == UNCLEAR:
        return _cannot_tell("DMI names a virtual machine of several possible hypervisors", signs)
    if name != QEMU:
        return _is(name, signs)
    if re.match("QEMU TCG", signs.model_name):
        return _is(QEMU, signs, f"model name: {signs.model_name}")
    if signs.hypervisor_flag and not signs.looked_for_kvm:
        return _is("kvm", signs)
    return _cannot_tell("DMI names QEMU, and nothing that was read tells KVM from TCG", signs)


def _by_flag(signs: Signs) -> Layer:
    if _QEMU_MODELS.match(signs.model_name):
        return _is(QEMU if "TCG" in signs.model_name else "kvm", signs, f"model name: {signs.model_name}")
    return _cannot_tell("the processors show the flag `hypervisor`, and nothing that was read names it", signs)


def _nothing_named(signs: Signs) -> Layer:
    if signs.dmi.of_a_maker:
        return Layer(NONE, physical=True, evidence=_evidence(signs))
    if signs.names == {NONE} or signs.hypervisor_flag is False:
        return Layer(NONE, evidence=_evidence(signs, "weak: nothing names a hypervisor, and no DMI names a maker"))
    return _cannot_tell("nothing that was read names a hypervisor or a maker", signs, physical=None)
