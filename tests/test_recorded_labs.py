"""Machines of labs, recorded: real kernels, judged as if they ran RHEL 8.

What asks for RHEL fails on all of them, since they run Debian; everything else is as the kernels have it.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from test_recorded_inventories import ROOT, Run, run

from pytest_nestvirt.inventory.load_inventory import load_inventory

INVENTORY = ROOT / "inventories/recorded-lab.yml"
NO_VIRSH = {"L1-PASSTHROUGH", "L1-CPU-REWRITE"}
"""Asked of the L0's libvirt, where there is none."""

FAILS = {
    "amd-l1": {"AMD-PREREQ"},
    "amd-nested-off-l0": {"AMD-NESTED-ON", "AMD-PERSIST"},
    "amd-nested-off-l1": {"AMD-PREREQ"},
    "amd-virtual-l0": {"L0-PHYSICAL"},
    "amd-virtual-l1": {"AMD-PREREQ"},
    "amd-libvirt-l1": {"AMD-PREREQ"},
    "amd-libvirt-host-model-l1": {"AMD-PREREQ", "AMD-L1-PASSTHROUGH", "AMD-CREATE-L2"},
    "amd-libvirt-no-cpu-l1": {"AMD-PREREQ", "AMD-L1-PASSTHROUGH", "AMD-L1-CPU-REWRITE", "AMD-CREATE-L2"},
    "power9-3-l1": {"P9-PREREQ-L0", "P9-L1-RHEL8", "P9-WORKS-L0L1"},
    "power9-3-l2": {"P9-WORKS-L2OS"},
    "power9-nested-off-l0": {"P9-NESTED-ON", "P9-PERSIST"},
    "power9-nested-off-l1": {"P9-PREREQ-L0", "P9-L1-RHEL8", "P9-WORKS-L0L1", "P9-CAP-NESTED-HV"},
    "power8-l0": {"ARCH-LIST"},
    "intel-l1": {"INTEL-PREREQ"},
    "intel-nested-off-l0": {"INTEL-NESTED-ON", "INTEL-PERSIST"},
    "intel-nested-off-l1": {"INTEL-PREREQ"},
    "ibmz-no-sie-l0": {"L0-PHYSICAL", "Z-CPU-SIE", "Z-PERSIST"},
    "arm64-l0": {"L0-PHYSICAL", "ARCH-LIST"},
}
BLOCKED = {
    "amd-nested-off-l1": {"AMD-CREATE-L2"},
    "power9-nested-off-l1": {"P9-CREATE-L2"},
    "intel-nested-off-l1": {"INTEL-CREATE-L2"},
}
INCONCLUSIVE = {
    **{f"{case}-l1": {f"AMD-{name}" for name in NO_VIRSH} for case in ("amd", "amd-nested-off", "amd-virtual")},
    "intel-l1": {f"INTEL-{name}" for name in NO_VIRSH},
    # Without vmx there is no kvm_intel, and so no parameter of it.
    "intel-nested-off-l1": {*(f"INTEL-{name}" for name in NO_VIRSH), "L1-NO-APICV"},
    # Bochs' firmware names no maker.
    "intel-l0": {"L0-PHYSICAL"},
    "intel-nested-off-l0": {"L0-PHYSICAL"},
    "power9-3-l1": {"P9-NESTED-HV-L1"},
    "power9-3-l2": {"P9-NESTED-HV-L2"},
    "power9-nested-off-l1": {"P9-NESTED-HV-L1"},
    "ibmz-no-sie-l0": {"Z-NESTED-ON", "Z-NESTED-OFF", "Z-VOLATILE", "Z-HPAGE-CONFLICT", "Z-HPAGE-DMESG"},
}
CONFIRMED = {
    **{f"amd{more}-l1": {"L1-FEATURE-SUBSET", "L1-NO-IOMMU"} for more in ("", "-nested-off", "-virtual")},
    **{f"amd-libvirt{more}-l1": {"L1-FEATURE-SUBSET", "L1-NO-IOMMU"} for more in ("", "-host-model", "-no-cpu")},
    "intel-l1": {"L1-FEATURE-SUBSET", "L1-NO-IOMMU", "L1-NO-APICV"},
    "intel-nested-off-l1": {"L1-FEATURE-SUBSET", "L1-NO-IOMMU"},
    **{f"{case}-l2": {"L3"} for case in ("amd", "amd-libvirt", "power9-3", "intel")},
    "power8-l1": {"P9-NOT-P8"},
}
TWINS = {
    ("amd", "amd-nested-off"): {"AMD-NESTED-ON", "AMD-PERSIST", "AMD-CREATE-L2"},
    ("amd", "amd-virtual"): {"L0-PHYSICAL"},
    ("amd-libvirt", "amd-libvirt-host-model"): {"AMD-L1-PASSTHROUGH", "AMD-CREATE-L2"},
    ("amd-libvirt", "amd-libvirt-no-cpu"): {"AMD-L1-PASSTHROUGH", "AMD-L1-CPU-REWRITE", "AMD-CREATE-L2"},
    ("power9-3", "power9-nested-off"): {"P9-NESTED-ON", "P9-PERSIST", "P9-CAP-NESTED-HV", "P9-CREATE-L2"},
    ("intel", "intel-nested-off"): {"INTEL-NESTED-ON", "INTEL-PERSIST", "INTEL-CREATE-L2", "L1-NO-APICV"},
}
"""What is judged otherwise on a twin, of all that both have."""


@pytest.fixture(scope="module")
def labs(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The run over the recorded machines of labs."""
    return run("recorded-lab", tmp_path_factory.mktemp("reports"))


def named(found: dict[str, set[str]]) -> dict[str, set[str]]:
    """`lab-amd-l0` and `RHEL8-AMD-PERSIST` become `amd-l0` and `AMD-PERSIST`."""
    return {host.removeprefix("lab-"): {name.removeprefix("RHEL8-") for name in ids} for host, ids in found.items()}


@pytest.mark.parametrize(
    "verdict, expected",
    [
        ("fail", FAILS),
        ("blocked", BLOCKED),
        ("inconclusive", INCONCLUSIVE),
        ("limit-confirmed", CONFIRMED),
        ("limit-lifted", {}),
        ("error", {}),
        ("warn", {"intel-l0": {"SUP-INTEL-FULL"}, "intel-nested-off-l0": {"SUP-INTEL-FULL"}}),
    ],
)
def test_real_kernels_are_judged_like_this(labs: Run, verdict: str, expected: dict[str, set[str]]) -> None:
    """Each machine, requirement by requirement; what is left passes."""
    assert named(labs.hosts(verdict)) == expected


@pytest.mark.parametrize("twins", TWINS, ids=" and ".join)
def test_twin_is_judged_otherwise_in_what_it_violates_alone(labs: Run, twins: tuple[str, str]) -> None:
    """One thing is wrong with a twin: that, what follows from it, and nothing else comes out otherwise."""
    good, bad = (dict(verdicts(labs, case)) for case in twins)
    assert bad.keys() <= good.keys()
    assert {name for level, name in bad if bad[level, name] != good[level, name]} == TWINS[twins]


def verdicts(found: Run, case: str) -> Iterator[tuple[tuple[str, str], str]]:
    """Verdicts of one lab by level and requirement."""
    for told in found.result["cases"]:
        lab, _, level = told["host"].rpartition("-")
        if lab == f"lab-{case}" and told["source"] == "rhel8":
            yield (level, told["requirement"].removeprefix("RHEL8-")), told["verdict"]


def test_no_chain_of_debian_is_supported(labs: Run) -> None:
    """Being judged as RHEL is not being RHEL."""
    assert set(labs.stances().values()) <= {"unsupported", "not-working"}
    assert len(labs.stances()) == 13


def test_records_are_of_real_kernels() -> None:
    """Every machine was looked at over SSH, and its kernel is Debian's."""
    paths = [host.path for host in load_inventory([INVENTORY]) if host.path is not None]
    assert len(paths) == 28
    for path in paths:
        assert '"origin": "ssh"' in (path / "nestvirt-snapshot.json").read_text(), path
        assert "Debian" in (path / "proc/version").read_text(), path
