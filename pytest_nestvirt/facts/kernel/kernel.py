"""Facts about the running kernel."""

from __future__ import annotations

import re

from pytest_nestvirt.facts.kernel.architecture import Family, family_of, machine_name
from pytest_nestvirt.facts.kernel.cpuinfo import CpuInfo, parse
from pytest_nestvirt.observation.fact import Subject, Unobservable, fact
from pytest_nestvirt.observation.partial import LOG, seen_lscpu, seen_text

UNAME = "sos_commands/kernel/uname_-a"

_ABOUT_VIRTUALIZATION = re.compile(
    r"kvm|vmx|\bsvm\b|\bsie\b|hypervisor|iommu|dmar|amd-vi|virtual|\bxen\b|hyper-?v", re.IGNORECASE
)
_64_BIT_POWER = re.compile(r"POWER|RS64|PPC9\d0|Cell|PA6T|e5500|e6500", re.IGNORECASE)


class Kernel(Subject):
    """The kernel that runs: what it was built for, which one it is, how it was started, what it logged."""

    name = "kernel"

    @fact
    def architecture(self) -> str:
        """The machine name of `uname -m`: x86_64, i686, ppc64le, s390x, aarch64, ...

        From `uname -a`, else from lscpu, else from the name of the release (`4.18.0-193.el8.x86_64`), else from the
        shape of /proc/cpuinfo. That shape does not show the byte order of POWER: it gives `ppc64` there, which is the
        right family and not a claim about endianness. `Unobservable` where none of them shows it.
        """
        return (
            _machine_of_uname(seen_text(self.reader, UNAME))
            or machine_name(seen_lscpu(self.reader, "Architecture"))
            or _machine_of_release(self._stated_release())
            or _machine_of_cpuinfo(parse(self.read("proc/cpuinfo")))
            or self._no_architecture()
        )

    def _no_architecture(self) -> str:
        raise Unobservable(
            "proc/cpuinfo", "no uname and no lscpu were recorded, and the text is of no known architecture"
        )

    @fact
    def family(self) -> str:
        """The family of the architecture: x86, ppc, s390x, arm, riscv, ...; `Unobservable` as `architecture` is."""
        return str(family_of(self.architecture))

    @fact
    def release(self) -> str:
        """As `uname -r` prints it."""
        stated = self._stated_release()
        if not stated:
            raise Unobservable("proc/sys/kernel/osrelease", "neither it nor uname nor /proc/version was recorded")
        return stated

    def _stated_release(self) -> str:
        """From the file that holds nothing else, else the third word of `uname -a` or /proc/version; may be empty."""
        stated = seen_text(self.reader, "proc/sys/kernel/osrelease")
        if stated:
            return stated
        for name in (UNAME, "proc/version"):
            words = seen_text(self.reader, name).split()
            if words[:1] == ["Linux"] and len(words) > 2:  # noqa: PLR2004 - the release is the third word of both
                return words[2]
        return ""

    @property
    def vmkernel(self) -> str:
        """The version of ESXi, by its `uname -a`: `VMkernel esx01 6.0.0 #1 SMP ...`; empty for every other kernel."""
        words = seen_text(self.reader, UNAME).split()
        return words[2] if words[:1] == ["VMkernel"] and len(words) > 2 else ""  # noqa: PLR2004 - as above

    @fact
    def version(self) -> tuple[int, ...]:
        """The numbers the release begins with: (4, 18, 0) for `4.18.0-193.el8.x86_64`."""
        found = re.match(r"\d+(?:\.\d+)*", self.release)
        if found is None:
            raise Unobservable("proc/sys/kernel/osrelease", f"{self.release!r} begins with no number")
        return tuple(int(part) for part in found[0].split("."))

    @fact
    def command_line(self) -> tuple[str, ...]:
        """The words of /proc/cmdline in order; a value in double quotes may hold blanks, as the kernel reads it."""
        return tuple(re.findall(r'(?:"[^"]*(?:"|$)|[^\s"])+', self.read("proc/cmdline")))

    @fact
    def log(self) -> tuple[str, ...]:
        """Lines of the kernel log on virtualization, in order; `Unobservable` if it could not be read whole."""
        return tuple(_lines_about_virtualization(self.read(*LOG)))

    @fact
    def boot_id(self) -> str:
        """A UUID that is new with every boot."""
        text = self.read("proc/sys/kernel/random/boot_id").strip()
        if not re.fullmatch(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", text):
            raise Unobservable("proc/sys/kernel/random/boot_id", f"{text[:60]!r} is not a UUID")
        return text


def _lines_about_virtualization(text: str) -> list[str]:
    return [line.rstrip() for line in text.split("\n") if _ABOUT_VIRTUALIZATION.search(line)]


def _machine_of_uname(text: str) -> str | None:
    """`Linux h 4.18.0-193.el8.x86_64 #1 SMP ... x86_64 x86_64 x86_64 GNU/Linux`: the first after the release."""
    return next((machine for word in text.split()[3:] if (machine := machine_name(word))), None)


def _machine_of_release(release: str) -> str | None:
    """Distributions end the release with the architecture, debug builds add one word: `+debug` or `.debug`."""
    ends = re.split(r"[.+-]", release)[-2:]
    return next((machine for word in reversed(ends) if (machine := machine_name(word))), None)


def _machine_of_cpuinfo(info: CpuInfo) -> str | None:
    match info.family:
        case Family.X86:
            return _machine_of_x86(info)
        case Family.PPC:
            return _machine_of_ppc(info)
        case Family.ARM:
            return _machine_of_arm(info)
        case Family.RISCV:
            return "riscv32" if info.isa.lower().startswith("rv32") else "riscv64"
        case other:
            return _ONLY_MACHINE.get(other)


_ONLY_MACHINE = {
    Family.S390X: "s390x",
    Family.LOONGARCH: "loongarch64",
    Family.IA64: "ia64",
    Family.MIPS: "mips",
    Family.SPARC: "sparc64",
    Family.ALPHA: "alpha",
    Family.PARISC: "parisc",
    Family.M68K: "m68k",
    Family.SUPERH: "sh4",
}
"""Of families whose members /proc/cpuinfo does not distinguish, or need not: no document names them."""


def _machine_of_ppc(info: CpuInfo) -> str:
    return "ppc64" if any(_64_BIT_POWER.match(cpu.power_name or "") for cpu in info.processors) else "ppc"


def _machine_of_x86(info: CpuInfo) -> str | None:
    """`lm` is long mode: a 32-bit kernel on such a processor cannot be recognised here. None without any flags."""
    flags = info.processors[0].flags if info.processors else None
    if flags is None:
        return None
    return "x86_64" if "lm" in flags else "i686"


def _machine_of_arm(info: CpuInfo) -> str:
    """64-bit Arm lists `fp` or `asimd`, or names version 8; a 32-bit kernel on it lists `half thumb` instead."""
    features = info.features or frozenset()
    if {"fp", "asimd"} & features or (info.arm_version == 8 and "thumb" not in features):  # noqa: PLR2004
        return "aarch64"
    return "armv6l" if info.arm_version == 6 else "armv7l"  # noqa: PLR2004
