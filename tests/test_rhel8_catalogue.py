"""The RHEL 8 suite: its 90 statements, their checks, and the stances that follow for whole chains."""

from __future__ import annotations

import pytest
from recorded_machines import (
    XEON,
    Chain,
    amd_chain,
    cpuinfo,
    intel_chain,
    machines,
    power9_chain,
    rhel,
    system,
    z_chain,
)
from rhel8_trios import (
    AZURE,
    CONTRADICTING_OS,
    HYPERV,
    NO_DMI,
    VMWARE,
    arm_chain,
    foreign,
    l0,
    l1,
    l2,
    power8_chain,
    trios,
    windows,
)
from suite_checks import case_of, case_on, catalogue_of, judged_machine, plan_of

from pytest_nestvirt.catalogue.applicability import Applicable, requirement_applies, suite_applies
from pytest_nestvirt.catalogue.requirement import Stance
from pytest_nestvirt.catalogue.stance import chain_stance
from pytest_nestvirt.catalogue.trace import trace
from pytest_nestvirt.inventory.host import Environment, Provider
from pytest_nestvirt.report.case import Case
from pytest_nestvirt.snapshot.snapshot import Status
from pytest_nestvirt.verdict import Obligation, Verdict

CATALOGUE = catalogue_of("rhel8")
SUITE = CATALOGUE.suite("rhel8")

IDS = """
SUP-INTEL-FULL L1-IS-HYPERVISOR L0-PHYSICAL NOT-PRODUCTION LIMITED DEVTEST SUP-ONLY-INTEL TP-AMD TP-POWER9 TP-Z
INTEL-PREREQ INTEL-CPU-FLAGS INTEL-XEON-V3 INTEL-NESTED-ON INTEL-NESTED-OFF INTEL-UNLOAD INTEL-ACTIVATE INTEL-VOLATILE
INTEL-PERSIST INTEL-L1-PASSTHROUGH INTEL-L1-CPU-REWRITE INTEL-CREATE-L2
AMD-PREREQ AMD-CPU-FLAGS AMD-EPYC AMD-NESTED-ON AMD-NESTED-OFF AMD-STOP-VMS AMD-UNLOAD AMD-ACTIVATE AMD-VOLATILE
AMD-PERSIST AMD-L1-PASSTHROUGH AMD-L1-CPU-REWRITE AMD-CREATE-L2
Z-PREREQ Z-CPU-SIE Z-NESTED-ON Z-NESTED-OFF Z-STOP-VMS Z-UNLOAD Z-ACTIVATE Z-VOLATILE Z-PERSIST Z-NO-CPU-STEP
Z-CREATE-L2
P9-NOT-P8 P9-PREREQ-L0 P9-L1-RHEL8 P9-NESTED-ON P9-NESTED-OFF P9-STOP-VMS P9-UNLOAD P9-ACTIVATE P9-VOLATILE P9-PERSIST
P9-NESTED-HV-L1 P9-CAP-NESTED-HV P9-CREATE-L2 P9-NESTED-HV-L2 P9-L2-NO-P8
ARCH-LIST ARCH-OTHERS ARCH-OTHERS-TP OS-L0 OS-L1 OS-L2-RHEL7 OS-L2-RHEL8 OS-L2-WS2016 OS-L2-WS2019
P9-WORKS-L0L1 P9-WORKS-L2OS P9-NO-P8COMPAT-L1 P9-NO-P8COMPAT-L2
L0-VMWARE L0-AWS L0-OTHER L0-HYPERV L0-AZURE L0-FOREIGN-CREATE-L2 L3 MIG-L1-LIVE-L2 MIG-L2-INTEL MIG-L2-AMD MIG-L2-Z
Z-HPAGE-CONFLICT Z-HPAGE-MODPROBE-ERR Z-HPAGE-DMESG L1-FEATURE-SUBSET L1-NO-IOMMU L1-NO-APICV
""".split()  # noqa: SIM905 - a table to read, not ninety lines


def test_published_ids_are_promises() -> None:
    """None of them is missing, renamed or moved; new statements may come between them."""
    published = [f"RHEL8-{name}" for name in IDS]
    assert [requirement.id for requirement in CATALOGUE if requirement.id in published] == published


def test_requirements_and_checks_fit_together() -> None:
    """Every read-only statement has a check, every marker a statement, and both are about the same level."""
    assert trace(CATALOGUE).problems() == ()


def test_every_statement_can_be_acted_upon() -> None:
    """Whatever a check can find has a remedy, and a section to read it up in."""
    for requirement in CATALOGUE:
        assert requirement.section.startswith("18"), requirement.id
        assert requirement.not_observable or requirement.remedy, requirement.id


# ---- whom the suite judges


@pytest.mark.parametrize(
    "chain, states",
    [
        pytest.param(intel_chain(), "yes yes yes", id="rhel"),
        pytest.param(l0(intel_chain(), rhel("9.4")), "yes yes yes", id="rhel-9"),
        pytest.param(l0(intel_chain(), system("ubuntu", "22.04")), "no no no", id="ubuntu"),
        pytest.param(l0(intel_chain(), system("rocky", "8.10")), "no no no", id="rocky"),
        pytest.param(l0(intel_chain(), system("rocky", "8.10"), treat_as="rhel"), "yes yes yes", id="rocky-as-rhel"),
        pytest.param(foreign(Provider.VSPHERE, VMWARE), "yes yes yes", id="rhel-on-vsphere"),
        pytest.param(foreign(Provider.LIBVIRT, VMWARE), "yes yes yes", id="rhel-on-undeclared-vmware"),
        pytest.param(foreign(Provider.AZURE, system("ubuntu", "22.04")), "no no no", id="ubuntu-on-azure"),
    ],
)
def test_suite_judges_rhel_hosts_and_rhel_guests_of_foreign_hypervisors(chain: Chain, states: str) -> None:
    """Chains under RHEL, and those under a foreign hypervisor whose L1 is RHEL; not an Ubuntu host or a rebuild."""
    assert [suite_applies(SUITE, machine).state for machine in machines(chain)] == states.split()


@pytest.mark.parametrize(
    "guest, judged",
    [
        ("rhel 7.9", "RHEL7"),
        ("rhel 8.6", "RHEL8"),
        ("rhel 9.4", "RHEL8"),
        ("ubuntu 20.04", "RHEL8"),
        ("sles 15.5", "RHEL8"),
        ("windows 14393", "WS2016"),
        ("windows 17763", "WS2019"),
        ("windows 20348", "WS2019"),
    ],
)
def test_exactly_one_statement_judges_the_system_of_an_l2(guest: str, judged: str) -> None:
    """The four listed systems are alternatives: an L2 meets one of the four statements, whatever it runs."""
    os_id, version = guest.split()
    chain = intel_chain()
    if os_id == "windows":
        chain = (*chain[:2], windows(int(version)))
    else:
        chain = l2(chain, rhel(version) if os_id == "rhel" else system(os_id, version))
    nested = machines(chain)[2]
    statements = [r for r in CATALOGUE if r.id.startswith("RHEL8-OS-L2")]
    assert [r.id for r in statements if requirement_applies(r, nested).state is Applicable.YES] == [
        f"RHEL8-OS-L2-{judged}"
    ]


# ---- what follows for chains


def cases(chain: Chain) -> list[Case]:
    """Every requirement of the suite on every machine of a chain, as a run would report it."""
    return [case_of(planned) for planned in plan_of("rhel8", machines(chain)).entries.values()]


ROCKY = system("rocky", "8.10")


@pytest.mark.parametrize(
    "chain, stance, decided_by",
    [
        pytest.param(intel_chain(), Stance.SUPPORTED, "RHEL8-SUP-INTEL-FULL on L0 (pass)", id="intel"),
        pytest.param(
            l0(intel_chain(), environment=Environment.PROD),
            Stance.SUPPORTED,
            "RHEL8-SUP-INTEL-FULL on L0 (pass)",
            id="intel-in-production",
        ),
        pytest.param(amd_chain(), Stance.TECHNOLOGY_PREVIEW, "RHEL8-TP-AMD on L0 (limit-confirmed)", id="amd"),
        pytest.param(z_chain(), Stance.TECHNOLOGY_PREVIEW, "RHEL8-TP-Z on L0 (limit-confirmed)", id="z"),
        pytest.param(power9_chain(), Stance.TECHNOLOGY_PREVIEW, "RHEL8-TP-POWER9 on L0 (limit-confirmed)", id="power9"),
        pytest.param(power8_chain(), Stance.NOT_WORKING, "RHEL8-ARCH-LIST on L0 (fail)", id="power8"),
        pytest.param(arm_chain(), Stance.NOT_WORKING, "RHEL8-ARCH-LIST on L0 (fail)", id="arm"),
        pytest.param(l0(intel_chain(), rhel("8.1")), Stance.UNSUPPORTED, "RHEL8-OS-L0 on L0 (fail)", id="8.1"),
        pytest.param(l0(intel_chain(), rhel("9.4")), Stance.UNSUPPORTED, "RHEL8-OS-L0 on L0 (fail)", id="rhel-9"),
        pytest.param(l1(intel_chain(), rhel("8.1")), Stance.UNSUPPORTED, "RHEL8-OS-L1 on L1 (fail)", id="l1-8.1"),
        pytest.param(
            l2(intel_chain(), system("ubuntu", "20.04")),
            Stance.UNSUPPORTED,
            "RHEL8-OS-L2-RHEL8 on L2 (fail)",
            id="l2-ubuntu",
        ),
        pytest.param(
            (*intel_chain()[:2], windows(14393, product_type=1)),
            Stance.UNSUPPORTED,
            "RHEL8-OS-L2-WS2016 on L2 (fail)",
            id="windows-10",
        ),
        pytest.param(
            l1(power9_chain(), rhel("7.9")), Stance.NOT_WORKING, "RHEL8-P9-L1-RHEL8 on L1 (fail)", id="power9-rhel-7"
        ),
        pytest.param(
            l0(intel_chain(), ROCKY, treat_as="rhel"),
            Stance.UNSUPPORTED,
            "RHEL8-OS-L0 on L0 (not-applicable)",
            id="rebuild-as-l0",
        ),
        pytest.param(
            l1(intel_chain(), ROCKY, treat_as="rhel"),
            Stance.UNSUPPORTED,
            "RHEL8-OS-L1 on L1 (not-applicable)",
            id="rebuild-as-l1",
        ),
        pytest.param(
            l2(intel_chain(), ROCKY, treat_as="rhel"),
            Stance.UNSUPPORTED,
            "RHEL8-OS-L2-RHEL8 on L2 (not-applicable)",
            id="rebuild-as-l2",
        ),
        pytest.param(
            l0(amd_chain(), ROCKY, treat_as="rhel"),
            Stance.UNSUPPORTED,
            "RHEL8-OS-L0 on L0 (not-applicable)",
            id="rebuild-on-amd",
        ),
        pytest.param(
            foreign(Provider.VSPHERE, VMWARE),
            Stance.UNSUPPORTED,
            "RHEL8-L0-VMWARE on L1 (limit-confirmed)",
            id="vsphere",
        ),
        pytest.param(
            foreign(Provider.HYPERV, HYPERV),
            Stance.TECHNOLOGY_PREVIEW,
            "RHEL8-L0-HYPERV on L1 (limit-confirmed)",
            id="hyperv",
        ),
        pytest.param(
            foreign(Provider.AZURE, AZURE, rhel("8.1")),
            Stance.UNSUPPORTED,
            "RHEL8-L0-AZURE on L1 (limit-lifted)",
            id="azure-8.1",
        ),
        pytest.param(
            foreign(Provider.VSPHERE),
            Stance.NOT_STATED,
            "undecided: RHEL8-L0-VMWARE on L1 (inconclusive)",
            id="vsphere-declared-kvm-seen",
        ),
        pytest.param(
            foreign(Provider.AZURE, HYPERV),
            Stance.NOT_STATED,
            "undecided: RHEL8-L0-HYPERV on L1 (inconclusive)",
            id="azure-declared-hyperv-seen",
        ),
        pytest.param(
            foreign(Provider.VSPHERE, NO_DMI, cpuinfo("GenuineIntel", XEON, "fpu lm vmx ept")),
            Stance.NOT_STATED,
            "undecided: RHEL8-L0-VMWARE on L1 (inconclusive)",
            id="vsphere-declared-nothing-seen",
        ),
        pytest.param(
            l0(intel_chain(), CONTRADICTING_OS),
            Stance.NOT_STATED,
            "undecided: RHEL8-SUP-INTEL-FULL on L0 (inconclusive)",
            id="contradicting-release-files",
        ),
        pytest.param(
            l0(intel_chain(), NO_DMI),
            Stance.NOT_STATED,
            "undecided: RHEL8-L0-PHYSICAL on L0 (inconclusive)",
            id="hardware-not-proven",
        ),
    ],
)
def test_stance_of_whole_chains(chain: Chain, stance: Stance, decided_by: str) -> None:
    """What the document says of support follows from all machines of a chain, and names what decided it."""
    decided, reasons = chain_stance("rhel8", cases(chain))
    assert decided is stance, reasons
    assert decided_by in reasons


@pytest.mark.parametrize(
    "chain", [intel_chain(), amd_chain(), z_chain(), power9_chain()], ids=["intel", "amd", "z", "p9"]
)
def test_conforming_chains_violate_nothing(chain: Chain) -> None:
    """On a chain that follows the document nothing is violated, and no must stays unknown but what only acting could show."""
    judged = cases(chain)
    bad = {Verdict.FAIL, Verdict.WARN, Verdict.LIMIT_LIFTED}
    assert [(c.requirement, c.reason) for c in judged if c.verdict in bad] == []
    unknown = [c for c in judged if c.verdict is Verdict.INCONCLUSIVE and c.obligation is Obligation.MUST]
    assert {c.requirement for c in unknown} <= {"RHEL8-Z-HPAGE-DMESG"}


def test_undecided_foreign_hypervisor_keeps_a_chain_from_being_supported() -> None:
    """An L1 that shows nothing of what it runs on may run on anything: that is not stated, not supported."""
    decided, reasons = chain_stance("rhel8", cases(l1(intel_chain(), NO_DMI)))
    assert decided is Stance.NOT_STATED
    assert "undecided: RHEL8-L0-VMWARE on L1 (inconclusive)" in reasons


def test_l3_that_runs_takes_support_away_and_an_idle_l2_does_not() -> None:
    """KVM that could run an L3 says nothing about support; an L3 that runs makes the chain unsupported."""
    _, running, idle = next(trio.chains for trio in trios() if trio.requirement == "RHEL8-L3")
    assert chain_stance("rhel8", cases(idle))[0] is Stance.SUPPORTED
    assert chain_stance("rhel8", cases(running)) == (Stance.UNSUPPORTED, ("RHEL8-L3 on L2 (limit-lifted)",))


@pytest.mark.parametrize("value, shown", [("N\n", "no"), ("Y\n", "yes"), (Status.MISSING, "unknown: ")])
def test_that_an_l1_has_no_apicv_is_told_with_what_its_host_has(value: str | Status, shown: str) -> None:
    """An L1 of a host without APICv would have none in any case: the verdict stays, and the evidence shows it."""
    chain = l0(intel_chain(), {"sys/module/kvm_intel/parameters/enable_apicv": value})
    requirement = CATALOGUE.requirement("RHEL8-L1-NO-APICV")
    case = case_on("rhel8", requirement.id, judged_machine(requirement, chain))
    assert case.verdict is Verdict.LIMIT_CONFIRMED, case.reason
    found = {one.host: one.value for one in case.evidence if one.fact == "kvm.enabled.kvm_intel.enable_apicv"}
    assert found["L1"] == "no"
    assert found["L0"].startswith(shown)
