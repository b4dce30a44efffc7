"""Claims about performance are held against what was measured: they warn at most, and where nobody can tell they say so."""

from __future__ import annotations

import pytest
from linux_chains import amd
from performance_trios import GUEST, HOST, NOISY, measured, rounds, section, trios, with_ept, without_ept
from recorded_machines import Chain, domain, guest_of, machines, modprobe, module, qemu
from rhel8_trios import Trio, l0, l1, l2
from stoney_trios import NEW
from suite_checks import assert_told_apart, by_case, catalogue_of, verdict_on

from pytest_nestvirt.catalogue.applicability import Applicable, requirement_applies
from pytest_nestvirt.catalogue.load_catalogue import load_catalogue
from pytest_nestvirt.catalogue.requirement import Needs
from pytest_nestvirt.embedded import embedded
from pytest_nestvirt.facts.performance import Resource
from pytest_nestvirt.observation.fact import Unobservable, observing
from pytest_nestvirt.run.suite_paths import suite_folders
from pytest_nestvirt.snapshot.snapshot import Status
from pytest_nestvirt.verdict import Kind, Verdict

FOLDERS = {trio.requirement: folder for folder, trio in trios()}
TRIOS = {trio.requirement: trio for _, trio in trios()}
NEAR = measured(with_ept(), HOST, GUEST, (665.0, 82.0))


def test_every_claim_that_is_measured_has_a_trio() -> None:
    """What is measured are claims, and each has been seen to hold, to be missed, and to be left open."""
    found = [r for r in load_catalogue(suite_folders([embedded("suites")])) if r.needs is Needs.MEASURE]
    assert {requirement.id for requirement in found} == set(TRIOS)
    assert {requirement.kind for requirement in found} == {Kind.CLAIM}


@by_case(TRIOS)
def test_check_tells_the_three_apart(trio: Trio, index: int) -> None:
    """The check gives the verdict that is expected of each chain, and explains in words what is not as it should be."""
    assert_told_apart(FOLDERS[trio.requirement], trio, index)


def test_the_verdict_names_ratio_claim_and_paging() -> None:
    """Whoever reads the warning sees both ratios with their spread, what was claimed, and whether the L1 has EPT."""
    verdict, reason = verdict_on("stoney", "STONEY-PERF-80", measured(with_ept(), HOST, GUEST, (665.0, 40.0)))
    assert verdict is Verdict.WARN
    assert "0.95 ± 0.02 in cpu and 0.44 ± 0.01 in memory of L0" in reason
    assert "claimed: 0.80 or more" in reason
    assert "second-level paging in L1: yes (python 3.6, 5 rounds)" in reason


def test_paging_in_the_l1_decides_which_claim_is_meant() -> None:
    """A quarter is claimed of an L2 below an L1 without EPT, four fifths of one with it; nobody knows: neither is judged."""
    for chain, meant in ((with_ept(), "STONEY-PERF-80"), (without_ept(), "STONEY-PERF-25")):
        for name in ("STONEY-PERF-25", "STONEY-PERF-80"):
            applies = requirement_applies(catalogue_of("stoney").requirement(name), machines(chain)[2])
            assert applies.state is (Applicable.YES if name == meant else Applicable.NO), applies
    unknown = machines(l1(with_ept(), {"proc/cpuinfo": Status.DENIED}))[2]
    applies = requirement_applies(catalogue_of("stoney").requirement("STONEY-PERF-80"), unknown)
    assert applies.state is Applicable.UNDECIDED


def test_second_level_paging_takes_processor_and_module() -> None:
    """EPT on Intel, NPT on AMD: the processor has it and the module uses it; what cannot be read is unknown."""
    epyc_chain = amd(*NEW)
    off = l0(epyc_chain, module("kvm_amd", nested="1", npt="0"))
    seen = [
        machines(chain)[level].kvm for chain, level in ((with_ept(), 1), (without_ept(), 1), (epyc_chain, 0), (off, 0))
    ]
    assert [kvm.second_level_paging for kvm in seen] == [True, False, True, False]
    hidden = l0(epyc_chain, {"sys/module/kvm_amd/parameters/npt": Status.DENIED})
    with pytest.raises(Unobservable, match="parameters/npt"):
        _ = machines(hidden)[0].kvm.second_level_paging


BOOT = {"proc/sys/kernel/random/boot_id": "0e4c6b6e-8d44-4b3e-9d1a-5a2d1c6f7b80\n"}
EMULATED = {
    **qemu("/usr/bin/qemu-system-x86_64 -name guest=L2 -machine q35,accel=tcg"),
    **domain("L2", "", type_="qemu"),
}
"""The L2 as its L1 runs it, by QEMU without KVM."""

LEFT_OPEN: dict[str, tuple[Chain, str]] = {
    "noise": (measured(with_ept(), HOST, GUEST, (600.0, 76.0), turns=NOISY), "too noisy: L2 reaches"),
    "L0 was not measured": (measured(with_ept(), None, GUEST, (665.0, 82.0)), "L2 and L0 were not measured by turns"),
    "another run": (l0(NEAR, section(*rounds(*HOST), name="bad")), "were not measured by turns"),
    "another program": (l0(NEAR, section(*rounds(*HOST), kernel="python 3.9")), "were not measured by turns"),
    "fewer rounds": (l0(NEAR, section(*rounds(*HOST)[:4])), "were not measured by turns"),
    "two rounds": (l2(NEAR, section(*rounds(*HOST)[:2])), "fewer than 3 rounds"),
    "no record": (l2(NEAR, {"nestvirt/measurement": '{"measurements": 3}'}), "is not a record of a measurement"),
    "emulated L2": (l2(l1(NEAR, EMULATED), guest_of("qemu", "QEMU", "Standard PC")), "L2 is emulated"),
    "the L0 itself": (l0(l2(NEAR, BOOT), BOOT), "L2 and L0 are one and the same system"),
}


@pytest.mark.parametrize("chain, why", LEFT_OPEN.values(), ids=LEFT_OPEN)
def test_what_compares_nothing_decides_nothing(chain: Chain, why: str) -> None:
    """No verdict rests on figures that spread too far, or were not taken by turns, or are not of nested guests."""
    verdict, reason = verdict_on("stoney", "STONEY-PERF-80", chain)
    assert verdict is Verdict.INCONCLUSIVE, reason
    assert why in reason


def test_another_build_widens_the_spread() -> None:
    """A ratio of 0.84 is 0.8 or more for one build of Python; for two builds it could be the compiler."""
    chain = measured(with_ept(), HOST, GUEST, (590.0, 76.5))
    assert verdict_on("stoney", "STONEY-PERF-80", chain)[0] is Verdict.PASS
    rebuilt = l2(chain, section(*rounds(590.0, 76.5), build="3.6.9 (main)"))
    verdict, reason = verdict_on("stoney", "STONEY-PERF-80", rebuilt)
    assert verdict is Verdict.INCONCLUSIVE
    assert "0.84 ± 0.08 in cpu" in reason


def test_ratios_are_told_of_every_machine_above() -> None:
    """The L2 has those to L0 and to L1, the L0 none; what they rest on is evidence."""
    host, _, guest = machines(NEAR)
    assert host.performance.ratios == ()
    with observing() as seen:
        ratios = guest.performance.ratios
    assert [(r.of, r.resource) for r in ratios] == [(of, resource) for of in ("L0", "L1") for resource in Resource]
    assert ratios[0].median == pytest.approx(0.95)
    assert ("nestvirt/measurement",) in {observation.sources for observation in seen}


def test_a_machine_that_nobody_measured_says_so() -> None:
    """Without a measurement there is no figure, and no default."""
    for machine in machines(l0(with_ept(), modprobe())):
        with pytest.raises(Unobservable, match="nestvirt/measurement: not collected"):
            _ = machine.performance.measurements
