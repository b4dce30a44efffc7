r"""/proc/cpuinfo of every architecture, as far as nesting depends on it.

The grammar is that of the kernel's `show_cpuinfo` functions: `key<tabs>: value` lines. On x86 and POWER a block begins
with `processor : N` (blank lines between blocks are decoration), POWER adds lines on the whole machine at the end, IBM
Z has one `features` line for the machine and `processor N: version = .., machine = ..` lines. Sources:
arch/x86/kernel/cpu/proc.c, arch/powerpc/kernel/setup-common.c, arch/s390/kernel/processor.c,
arch/arm64/kernel/cpuinfo.c, arch/riscv/kernel/cpu.c.

>>> parse("processor\t: 0\nvendor_id\t: GenuineIntel\nflags\t\t: fpu vmx ept\n").family
<Family.X86: 'x86'>
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from pytest_nestvirt.facts.kernel.architecture import Family

Tokens = frozenset[str]


@dataclass(frozen=True, slots=True)
class Processor:
    """One processor of an x86 or POWER machine. None stands for a line that is missing or cannot be trusted."""

    vendor: str | None = None
    """As the line `vendor_id` has it; None also where the kernel prints `unknown`."""
    family: int | None = None
    model: int | None = None
    model_name: str | None = None
    flags: Tokens | None = None
    """None also for the last of several where the text ends amid its lines: there may be more, with other flags."""
    vmx_flags: Tokens | None = None
    """The line `vmx flags`, which kernels from 5.6 on print for Intel processors with VMX."""
    power_name: str | None = None
    """The line `cpu` of a POWER machine: `POWER9 (architected), altivec supported`."""
    pvr: int | None = None
    """Processor version register, 32 bits; POWER only."""


@dataclass(frozen=True, slots=True)
class CpuInfo:
    """The contents of /proc/cpuinfo. Lines that it lacks are empty strings and None."""

    family: Family
    processors: tuple[Processor, ...] = ()
    features: Tokens | None = None
    """`features` of IBM Z, `Features` of Arm (those that every processor has)."""
    platform: str = ""
    """POWER: `PowerNV` or `pSeries`."""
    machine: str = ""
    model: str = ""
    mmu: str = ""
    machine_type: str = ""
    """IBM Z: `2964`, `8561`, ..."""
    z_version: str = ""
    """IBM Z: version of processor 0 as STIDP gives it; `FF` below any hypervisor."""
    count: int = 0
    isa: str = ""
    """RISC-V: the line `isa`."""
    arm_version: int | None = None


@dataclass(frozen=True, slots=True)
class _Line:
    key: str
    value: str
    whole: bool = True


_TOKEN_LINES = frozenset({"flags", "vmx flags", "features"})


def _lines(text: str) -> Iterator[_Line]:
    """The `key : value` lines, keys in lower case with single blanks; equal lines of many processors are split once."""
    seen: dict[str, _Line] = {}
    raw = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    last = raw.pop()
    for line in raw:
        known = seen.get(line)
        if known is None:
            known = seen[line] = _split(line, whole=True)
        if known.key:
            yield known
    if last.strip():
        yield _split(last, whole=False)


def _split(line: str, *, whole: bool) -> _Line:
    key, colon, value = line.partition(":")
    return _Line(" ".join(key.split()).lower() if colon else "", value.strip(), whole)


class _TokenReader:
    """Splits feature lines; a thousand processors with one line share one set."""

    def __init__(self) -> None:
        self._known: dict[str, Tokens | None] = {}

    def read(self, line: _Line) -> Tokens | None:
        """The tokens, or None for a line that is empty, has no end, or is not as a kernel writes it."""
        if not line.whole:
            return None
        if line.value not in self._known:
            self._known[line.value] = _tokens(line.value)
        return self._known[line.value]


def _tokens(value: str) -> Tokens | None:
    printable = value.isascii() and value.replace("\t", " ").isprintable()
    shouted = value.isupper()  # no kernel does; something else wrote this
    return frozenset(value.split()) if value and printable and not shouted else None


class _Block:
    """The lines that belong to one processor while they are being gathered."""

    def __init__(self, read: _TokenReader) -> None:
        self.keys: set[str] = set()
        self.values: dict[str, str] = {}
        self.tokens: dict[str, Tokens | None] = {}
        self._read = read

    def add(self, line: _Line) -> None:
        """Take a line in: of a repeated value the first counts, of repeated tokens those in every one."""
        self.keys.add(line.key)
        if line.key not in _TOKEN_LINES:
            if line.whole:  # half a name is another name
                self.values.setdefault(line.key, line.value)
            return
        tokens = self._read.read(line)
        earlier = self.tokens.setdefault(line.key, tokens)
        if earlier is not tokens:
            self.tokens[line.key] = None if tokens is None or earlier is None else tokens & earlier

    def processor(self) -> Processor:
        """What the lines say."""
        value = self.values.get
        vendor = value("vendor_id", "")
        return Processor(
            vendor=None if vendor in {"", "unknown"} else vendor,
            family=_decimal(value("cpu family", "")),
            model=_decimal(value("model", "")),
            model_name=value("model name") or None,
            flags=self.tokens.get("flags"),
            vmx_flags=self.tokens.get("vmx flags"),
            power_name=value("cpu") or None,
            pvr=_pvr(value("revision", "")),
        )


def _decimal(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else None


def _pvr(revision: str) -> int | None:
    """`2.2 (pvr 004e 1202)` is 0x004e1202."""
    found = re.search(r"\(pvr ([0-9a-f]{4}) ([0-9a-f]{4})\)", revision, re.IGNORECASE)
    return int(found[1] + found[2], 16) if found else None


def parse(text: str) -> CpuInfo:
    """Read a whole /proc/cpuinfo. Never raises: of text that is none, the family is unknown and the rest is empty."""
    head, blocks, every = _gather(text)
    family = _family(every, blocks)
    numbered = [key for key in every if re.fullmatch(r"processor [0-9]{1,6}", key)]
    z_line = every.get(numbered[0], "") if numbered else ""
    if family is Family.X86 and _is_cut(blocks):
        blocks[-1].tokens.clear()
    return CpuInfo(
        family=family,
        processors=tuple(block.processor() for block in blocks),
        features=_shared(block.tokens["features"] for block in (head, *blocks) if "features" in block.tokens),
        platform=every.get("platform", ""),
        machine=every.get("machine", ""),
        model=blocks[-1].values.get("model", "") if blocks else "",
        mmu=every.get("mmu", ""),
        machine_type=_assigned("machine", z_line),
        z_version=_assigned("version", z_line),
        count=len(blocks) or len(numbered) or int(family is not Family.UNKNOWN),
        isa=every.get("isa", ""),
        arm_version=_decimal(every.get("cpu architecture", "")),
    )


def _is_cut(blocks: list[_Block]) -> bool:
    """Whether the text ends amid a processor, so that others may be missing: the kernel prints the same keys for each."""
    return len(blocks) > 1 and not blocks[0].keys <= blocks[-1].keys


def _gather(text: str) -> tuple[_Block, list[_Block], dict[str, str]]:
    """The lines before the first processor, one block for each processor, and the first value of every key."""
    read = _TokenReader()
    head = current = _Block(read)
    blocks: list[_Block] = []
    every: dict[str, str] = {}
    for line in _lines(text):
        if line.key == "processor" and line.value.isdecimal():
            current = _Block(read)
            blocks.append(current)
        current.add(line)
        every.setdefault(line.key, line.value)
    return head, blocks, every


def _assigned(name: str, line: str) -> str:
    """`machine` in `version = FF,  identification = 15C5C2,  machine = 2097` is `2097`."""
    found = re.search(rf"\b{name} = (\w+)", line)
    return found[1] if found else ""


def _shared(sets: Iterable[Tokens | None]) -> Tokens | None:
    known = list(sets)
    if not known or None in known:
        return None
    return frozenset.intersection(*(tokens for tokens in known if tokens is not None))


def _family(every: Mapping[str, str], blocks: list[_Block]) -> Family:
    """Which `show_cpuinfo` wrote this. The order matters: LoongArch has Arm's `Features`, IA-64 Intel's name."""
    for family, written_by in _MARKS:
        if written_by(every):
            return family
    x86 = blocks and ("flags" in every or {"cpuid level", "fpu_exception"} & every.keys())
    return Family.X86 if x86 or (blocks and "vendor_id" in every) else Family.UNKNOWN


def _has_power(every: Mapping[str, str]) -> bool:
    named = every.get("cpu", "").upper().startswith(("POWER", "PPC"))
    return "(pvr " in every.get("revision", "").lower() or (named and "processor" in every)


_MARKS = (
    (Family.S390X, lambda every: "s390" in every.get("vendor_id", "").lower() or "bogomips per cpu" in every),
    (Family.LOONGARCH, lambda every: "loong" in every.get("isa", "").lower() + every.get("cpu family", "").lower()),
    (Family.IA64, lambda every: every.get("arch", "").upper() == "IA-64"),
    (Family.PARISC, lambda every: "pa-risc" in every.get("cpu family", "").lower()),
    (Family.ALPHA, lambda every: every.get("cpu", "") == "Alpha"),
    (Family.SPARC, lambda every: "sparc" in every.get("cpu", "").lower() or every.get("type", "").startswith("sun4")),
    (Family.MIPS, lambda every: "system type" in every and "cpu model" in every),
    (Family.SUPERH, lambda every: "cpu type" in every and "cpu flags" in every),
    (Family.PPC, _has_power),
    (Family.RISCV, lambda every: every.get("isa", "").lower().startswith("rv")),
    (
        Family.ARM,
        lambda every: "cpu implementer" in every or every.get("processor", "").upper().startswith(("ARM", "AARCH")),
    ),
    (Family.M68K, lambda every: every.get("cpu", "").startswith("680") and "calibration" in every),
)
