"""Facts about the processors, from /proc/cpuinfo."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from pytest_nestvirt.facts.kernel.architecture import Family, family_of
from pytest_nestvirt.facts.kernel.cpuinfo import CpuInfo, Processor, Tokens, parse
from pytest_nestvirt.facts.kernel.kernel import Kernel
from pytest_nestvirt.facts.processor.capability import Capable, NestedCapability, all_flags, nested_capability
from pytest_nestvirt.facts.processor.power import PowerCpu, power_cpu
from pytest_nestvirt.facts.processor.xen_role import xen_role
from pytest_nestvirt.observation.fact import Reader, Subject, Unobservable, fact
from pytest_nestvirt.observation.partial import seen_log
from pytest_nestvirt.observation.unknown import attempt, if_known

__all__ = ["Capable", "Cpu", "NestedCapability", "PowerCpu"]

T = TypeVar("T")

SOURCE = "proc/cpuinfo"

_X86_VENDORS = {
    "GenuineIntel": "intel",
    "AuthenticAMD": "amd",
    "HygonGenuine": "hygon",
    "CentaurHauls": "centaur",
    "Shanghai": "zhaoxin",  # the kernel prints it between blanks
    "CyrixInstead": "cyrix",
    "GenuineTMx86": "transmeta",
    "TransmetaCPU": "transmeta",
    "Geode by NSC": "nsc",
    "User Mode Linux": "uml",
}


class Cpu(Subject):
    """The processors as the kernel lists them. Where they disagree, a fact about "the processor" is `Unobservable`."""

    name = "cpu"

    def __init__(self, reader: Reader, *, kernel: Kernel | None = None) -> None:
        super().__init__(reader)
        self.kernel = kernel or Kernel(reader)
        self._parsed: CpuInfo | None = None

    @property
    def info(self) -> CpuInfo:
        """/proc/cpuinfo, parsed once; reading it counts as a source of the fact that is being computed."""
        text = self.read(SOURCE)
        if self._parsed is None:
            self._parsed = parse(text)
        return self._parsed

    @fact
    def vendor(self) -> str:
        """Who made it: intel, amd, hygon, centaur, zhaoxin, ..., ibm-power, ibm-z.

        A vendor that is not known here is given as the processor spells it, in lower case. `Unobservable` where the
        kernel names none, as on Arm, RISC-V and the embedded PowerPCs.
        """
        match self.info.family:
            case Family.S390X:
                return "ibm-z"
            case Family.PPC if all((cpu.power_name or "").startswith("POWER") for cpu in self.info.processors):
                return "ibm-power"
            case Family.X86:
                spelled = self._same("vendor_id", lambda cpu: cpu.vendor)
                return _X86_VENDORS.get(spelled, spelled.lower())
            case _:
                raise Unobservable(SOURCE, "names no vendor of its processors")

    @fact
    def model_name(self) -> str:
        """`AMD EPYC 7451 24-Core Processor`, `POWER9 (architected)`; `IBM 8561` where only the type is named."""
        info = self.info
        if info.family is Family.S390X and info.machine_type:
            return f"IBM {info.machine_type}"
        if info.family is Family.PPC:
            return self._same("cpu", lambda cpu: cpu.power_name).partition(",")[0]
        return self._same("model name", lambda cpu: cpu.model_name)

    @fact
    def family(self) -> int:
        """`cpu family` of x86, decimal."""
        return self._same("cpu family", lambda cpu: cpu.family)

    @fact
    def model(self) -> int:
        """`model` of x86, decimal."""
        return self._same("model", lambda cpu: cpu.model)

    @fact
    def count(self) -> int:
        """How many processors are listed, which are those online."""
        if self.info.count:
            return self.info.count
        raise Unobservable(SOURCE, "lists no processor")

    @fact
    def flags(self) -> Tokens:
        """Tokens that every processor has: `flags` of x86, `features` of IBM Z, `Features` of Arm.

        On x86 `ept` and `vpid` count also where only the line `vmx flags` (kernel 5.6 and later) has them.
        """
        if self.info.family is Family.X86:
            return _in_every(self.flags_by_cpu)
        if self.info.features is not None:
            return self.info.features
        raise Unobservable(SOURCE, "has no readable line of flags or features")

    @fact
    def flags_by_cpu(self) -> tuple[Tokens, ...]:
        """The flags of each x86 processor, in order; `Unobservable` if one has no readable line of flags."""
        return self._of_every("flags", all_flags)

    @fact
    def vmx_flags(self) -> Tokens:
        """Tokens in the line `vmx flags` of every processor; `Unobservable` on kernels before 5.6 and without VMX."""
        return _in_every(self._of_every("vmx flags", lambda cpu: cpu.vmx_flags))

    @fact
    def power(self) -> PowerCpu:
        """Generation, mode and platform of a POWER machine; `Unobservable` on others and where they differ."""
        power = power_cpu(self.info) if self.info.family is Family.PPC else None
        if power is None:
            raise Unobservable(SOURCE, "shows no POWER processors, or several kinds of them")
        return power

    @fact
    def machine_type(self) -> str:
        """IBM Z: `2964` (z13), `3906` (z14), `8561` (z15), `3931` (z16), ..."""
        if self.info.machine_type:
            return self.info.machine_type
        raise Unobservable(SOURCE, "names no IBM Z machine type")

    @fact
    def nested(self) -> NestedCapability:
        """Whether the processors can run nested guests and why: whether they have what nested KVM needs. Never raises."""
        info = attempt(lambda: self.info)
        if isinstance(info, Unobservable):
            return NestedCapability(Capable.UNKNOWN, str(info))
        return self._contradiction(info) or nested_capability(info, self._log(info), xen_role(self.reader))

    def _log(self, info: CpuInfo) -> list[str]:
        """The kernel log, whole or not: a refusal in its beginning is a refusal. Only x86 is refused there."""
        return seen_log(self.reader).split("\n") if info.family is Family.X86 else []

    def _contradiction(self, info: CpuInfo) -> NestedCapability | None:
        """A /proc/cpuinfo of another machine than `uname` speaks of (user-mode emulation, mix-ups) proves nothing."""
        architecture = if_known(lambda: self.kernel.architecture)
        if architecture is None or info.family in {Family.UNKNOWN, family_of(architecture)}:
            return None
        return NestedCapability(Capable.UNKNOWN, f"/proc/cpuinfo is of {info.family}, the kernel of {architecture}")

    def _of_every(self, line: str, read: Callable[[Processor], T | None]) -> tuple[T, ...]:
        values = [read(cpu) for cpu in self.info.processors]
        known = tuple(value for value in values if value is not None)
        if len(known) < len(values) or not known:
            raise Unobservable(SOURCE, f"{len(known)} of {len(values)} processors have a readable line {line!r}")
        return known

    def _same(self, line: str, read: Callable[[Processor], T | None]) -> T:
        values = dict.fromkeys(self._of_every(line, read))
        if len(values) > 1:
            raise Unobservable(SOURCE, f"processors differ in {line!r}: {', '.join(map(str, values))}")
        return next(iter(values))


def _in_every(sets: Iterable[Tokens]) -> Tokens:
    return frozenset.intersection(*dict.fromkeys(sets))
