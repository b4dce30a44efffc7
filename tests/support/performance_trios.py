"""For each claim about performance a chain that was measured to meet it, one that misses it, one that does not tell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from linux_chains import intel, xeon
from recorded_machines import Chain, Recorded, Texts, module
from rhel8_trios import TOLD, Trio, l1, l2
from stoney_trios import NEW
from virtrigaud_chains import vsphere_chain

from pytest_nestvirt.snapshot.measurement import SECTION, Measured, Round, written
from pytest_nestvirt.snapshot.snapshot import Status

STEADY = (1.0, 1.01, 0.99, 1.0, 1.02)
"""What a quiet machine makes of a rate, round by round."""
NOISY = (1.0, 1.7, 0.6, 1.4, 0.8)


def rounds(cpu: float, memory: float, turns: Sequence[float] = STEADY) -> tuple[Round, ...]:
    """Rounds of a machine that is so fast."""
    return tuple(Round(cpu * turn, memory * turn) for turn in turns)


def section(*turns: Round, name: str = "c0ffee", kernel: str = "python 3.6", build: str = "3.6.8 (default)") -> Texts:
    """The section of a machine that was measured."""
    return {SECTION: written([Measured(name, "L0 > L1 > L2", kernel, build, turns)]).decode()}


def measured(chain: Chain, *speeds: tuple[float, float] | None, turns: Sequence[float] = STEADY) -> Chain:
    """A chain that was measured by turns: CPU and memory of each level, None where it took no part; the L2's may spread."""
    return tuple(map(_measured, chain, speeds, (STEADY, STEADY, turns)))


def _measured(machine: Recorded, speed: tuple[float, float] | None, turns: Sequence[float]) -> Recorded:
    return machine if speed is None else machine.having(section(*rounds(*speed, turns)))


HOST, GUEST = (700.0, 90.0), (680.0, 85.0)
INSIDE = module("kvm_intel", nested="Y", ept="Y")


def with_ept() -> Chain:
    """Gentoo on a Xeon; the L1 has EPT."""
    return l1(intel(*NEW), {**xeon(), **INSIDE})


def without_ept() -> Chain:
    """The same, and the L1 lacks EPT."""
    return l1(intel(*NEW), {**xeon("fpu lm vmx hypervisor"), **module("kvm_intel", nested="Y", ept="N")})


def trios() -> Iterator[tuple[str, Trio]]:
    """Folder of the suite, and the trio."""
    quarter = measured(without_ept(), HOST, GUEST, (180.0, 22.0))
    faster = measured(without_ept(), HOST, GUEST, (600.0, 22.0))
    yield "stoney", Trio("STONEY-PERF-25", TOLD, quarter, faster, without_ept())
    near = measured(with_ept(), HOST, GUEST, (665.0, 82.0))
    slow = measured(with_ept(), HOST, GUEST, (665.0, 40.0))
    noisy = measured(with_ept(), HOST, GUEST, (600.0, 76.0), turns=NOISY)
    yield "stoney", Trio("STONEY-PERF-80", TOLD, near, slow, noisy)
    esxi = l1(vsphere_chain(), INSIDE)
    costly = measured(esxi, None, GUEST, (580.0, 73.0))
    cheap = measured(esxi, None, GUEST, (679.0, 84.9))
    alone = l2(esxi, {SECTION: Status.FAILED})
    yield "virtrigaud", Trio("VR-LIM-VSPHERE-OVERHEAD", TOLD, costly, cheap, alone)
