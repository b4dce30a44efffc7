"""POWER processors: which generation the silicon is, and which one it poses as."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pytest_nestvirt.facts.kernel.cpuinfo import CpuInfo, Processor

_GENERATION_BY_PVR = {
    0x0035: 4,
    0x0038: 4,
    0x003A: 5,
    0x003B: 5,
    0x003E: 6,
    0x003F: 7,
    0x004A: 7,
    0x004B: 8,
    0x004C: 8,
    0x004D: 8,
    0x004E: 9,
    0x0080: 10,
    0x0082: 11,
}
"""High half of the processor version register; arch/powerpc/include/asm/reg.h (004b is POWER8E, 004c POWER8NVL)."""


@dataclass(frozen=True, slots=True)
class PowerCpu:
    """What a POWER machine shows of its processors.

    `POWER9, altivec supported` is unmarked (bare metal), `POWER9 (raw)` a guest without a compatibility mode,
    `POWER9 (architected)` a guest in the logical mode of that name, and `POWER8 (architected)` on a POWER9's version
    register a guest in POWER8 compatibility mode.
    """

    generation: int
    """Of the silicon, by its version register; by its name where there is no register line."""
    mode: str
    """`raw`, `architected` or `unmarked`."""
    platform: str
    """`PowerNV` (bare metal under OPAL), `pSeries` (a guest of KVM or PowerVM), or another name; may be empty."""
    mmu: str
    """`Radix` or `Hash`; empty where the kernel does not say (before 4.11)."""
    power8_compat: bool
    """Newer silicon that runs as a POWER8."""
    pvr: int
    """0 where the kernel does not show it."""


def power_cpu(info: CpuInfo) -> PowerCpu | None:
    """The processors as one, since a POWER machine has one kind; None if they differ or are not POWER processors."""
    seen = {(cpu.power_name, cpu.pvr) for cpu in info.processors}
    return _describe(info, info.processors[0]) if len(seen) == 1 else None


def _describe(info: CpuInfo, cpu: Processor) -> PowerCpu | None:
    posed = posed_generation(cpu)
    silicon = silicon_generation(cpu) or (posed if cpu.pvr is None else None)
    if silicon is None or posed is None:
        return None
    return PowerCpu(
        generation=silicon,
        mode=_mode(cpu.power_name or ""),
        platform=info.platform,
        mmu=info.mmu,
        power8_compat=silicon > posed == 8,  # noqa: PLR2004 - a generation is a number
        pvr=cpu.pvr or 0,
    )


def posed_generation(cpu: Processor) -> int | None:
    """The number in the processor's name: 8 for `POWER8E (raw), altivec supported`."""
    found = re.match(r"POWER(\d{1,2})", cpu.power_name or "")
    return int(found[1]) if found else None


def silicon_generation(cpu: Processor) -> int | None:
    """The generation in the version register; None if it is missing or not that of a POWER server processor known here."""
    return None if cpu.pvr is None else _GENERATION_BY_PVR.get(cpu.pvr >> 16)


def _mode(name: str) -> str:
    return next((mode for mode in ("raw", "architected") if f"({mode})" in name), "unmarked")
