"""The suites of Ubuntu, stoney cloud and the KVM wiki: their statements, how each is dealt with, and whom they judge."""

from __future__ import annotations

import kvm_wiki_trios
import pytest
import stoney_trios
import ubuntu_trios
from linux_chains import amd, intel, z
from recorded_machines import Chain, intel_chain, machines, system
from rhel8_trios import UNKNOWN_OS, l0
from suite_checks import catalogue_of, checks_of, read_only, verdict_on

from pytest_nestvirt.catalogue.applicability import Applicable, suite_applies
from pytest_nestvirt.catalogue.requirement import Needs, Stance
from pytest_nestvirt.catalogue.trace import trace
from pytest_nestvirt.inventory.host import Provider
from pytest_nestvirt.verdict import Kind, Obligation, Verdict

IDS = {
    "ubuntu": """
        UBU-DOC-MOVED UBU-DEFAULT-ON UBU-UNLIKELY-MANUAL UBU-NO-ACTION-IF-ON UBU-USECASE-L2 UBU-X86-ONLY
        UBU-MODULE-INTEL UBU-MODULE-AMD UBU-LSMOD-SHAPE UBU-NESTED-PARAM-PATH UBU-NESTED-VALUE UBU-LOAD-INTEL
        UBU-LOAD-AMD UBU-PERSIST-FILE UBU-RELOAD UBU-RELOAD-RESULT UBU-HOST-FIRST UBU-L1-FLAG UBU-L1-FLAG-VENDOR
        UBU-L1-SHUTDOWN UBU-L1-CPU-MODE UBU-L1-CPU-SAMPLE UBU-L1-RESTART UBU-LIM-FEATURES UBU-LIM-MIGRATE-L1
        UBU-LIM-SAVE-L1 UBU-LIM-UNTIL-STOPPED
    """,
    "stoney": """
        STONEY-DEFAULT-OFF STONEY-DEF STONEY-PERF-25 STONEY-PERF-80 STONEY-VEPT-AVAILABLE STONEY-SHADOW-VMCS-ON
        STONEY-SHADOW-VMCS-IGNORED STONEY-SHADOW-VMCS-PERF STONEY-SHADOW-VMCS-DISABLE STONEY-ROOT STONEY-INTEL-CONF
        STONEY-INTEL-RELOAD STONEY-AMD-CONF STONEY-AMD-RELOAD STONEY-VM-UNTESTED STONEY-L1-VMX STONEY-LIBVIRT-AUTO
        STONEY-L1-XML-BEFORE STONEY-L1-XML-VMX
    """,
    "kvm_wiki": """
        KWIKI-EXPERIMENTAL KWIKI-TERM-L0 KWIKI-TERM-L1 KWIKI-TERM-L2 KWIKI-USECASE KWIKI-DEFAULT-OFF
        KWIKI-DISTRO-OVERRIDE KWIKI-PARAM-VALUES KWIKI-PERSIST-INTEL KWIKI-PERSIST-AMD KWIKI-L1-CPU-HOST
        KWIKI-L1-NAMED-MODEL KWIKI-L2-ACCEL KWIKI-LIM-MIGRATE KWIKI-LIM-SAVE KWIKI-LIM-LOAD KWIKI-LIM-UNTIL-L2-DOWN
        KWIKI-LIM-S390X-EXEMPT KWIKI-LIM-DATED KWIKI-UB KWIKI-UB-SIGNS KWIKI-UB-RESTART KWIKI-MIG-L1-IDLE KWIKI-MIG-L2
    """,
}
SOURCES = {"ubuntu": "ubuntu", "stoney": "stoney", "kvm_wiki": "kvm-wiki"}

each_suite = pytest.mark.parametrize("folder", IDS)


@each_suite
def test_published_ids_are_promises(folder: str) -> None:
    """None of them is missing, renamed or moved; new statements may come between them."""
    published = IDS[folder].split()
    assert [requirement.id for requirement in catalogue_of(folder) if requirement.id in published] == published
    assert [suite.source.id for suite in catalogue_of(folder).suites] == [SOURCES[folder]]


@each_suite
def test_every_statement_has_a_check_a_permission_or_a_reason(folder: str) -> None:
    """What can be looked at is looked at; what acts on machines says how; the rest says why it cannot be observed."""
    assert trace(catalogue_of(folder)).problems() == ()
    assert not [r.id for r in catalogue_of(folder) if "implement" in r.not_observable]


@each_suite
def test_every_statement_can_be_acted_upon(folder: str) -> None:
    """Whatever a check can find has a remedy."""
    assert [r.id for r in catalogue_of(folder) if not r.not_observable and not r.remedy] == []


@each_suite
def test_what_is_only_permitted_or_told_fails_nobody(folder: str) -> None:
    """Musts are what makes nesting work; limits of a document and its claims never fail a host."""
    for requirement in catalogue_of(folder):
        if requirement.kind is Kind.LIMITATION:
            assert requirement.obligation is Obligation.INFO, requirement.id
        if requirement.kind is Kind.CLAIM and requirement.needs is Needs.READ_ONLY:
            assert requirement.obligation is not Obligation.MUST, requirement.id


# ---- whom the suites judge

UNNAMED = l0(intel_chain(), UNKNOWN_OS)
JUDGED = {
    "rhel": (intel_chain(), ""),
    "rhel on request": (l0(intel_chain(), system("rocky", "8.10"), treat_as="rhel"), ""),
    "rebuild of rhel": (l0(intel_chain(), system("rocky", "8.10")), "kvm_wiki"),
    "ubuntu": (intel(*ubuntu_trios.JAMMY), "ubuntu kvm_wiki"),
    "ubuntu on Z": (z(*ubuntu_trios.JAMMY), "ubuntu kvm_wiki"),
    "like ubuntu": (l0(intel("linuxmint", "21", "5.15.0-91-generic"), treat_as="ubuntu"), "ubuntu kvm_wiki"),
    "gentoo": (intel(*stoney_trios.NEW), "stoney kvm_wiki"),
    "like stoney": (l0(amd("debian", "12", "6.1.0"), treat_as="stoney"), "stoney kvm_wiki"),
    "debian": (intel(*kvm_wiki_trios.BOOKWORM), "kvm_wiki"),
    "proxmox": (l0(intel("debian", "12", "6.5.11-7-pve"), provider=Provider.PROXMOX), "kvm_wiki"),
    "vsphere": (l0(intel("debian", "12", "6.1.0"), provider=Provider.VSPHERE), ""),
}


@pytest.mark.parametrize("chain, judges", JUDGED.values(), ids=JUDGED)
def test_suites_judge_the_chains_that_their_documents_speak_of(chain: Chain, judges: str) -> None:
    """All machines below a host are judged with it; a RHEL chain is left to its vendor's document."""
    for folder in IDS:
        states = {suite_applies(catalogue_of(folder).suites[0], machine).state for machine in machines(chain)}
        assert states == {Applicable.YES if folder in judges.split() else Applicable.NO}, folder


def test_unknown_system_is_judged_by_nobody_for_sure() -> None:
    """Where nothing names the system, it might be any of them."""
    for folder in IDS:
        assert suite_applies(catalogue_of(folder).suites[0], machines(UNNAMED)[0]).state is Applicable.UNDECIDED


CONFORMING = {
    f"{folder}-{name}": (folder, chain)
    for folder, source in (("ubuntu", ubuntu_trios), ("stoney", stoney_trios), ("kvm_wiki", kvm_wiki_trios))
    for name, chain in source.chains().items()
}


@pytest.mark.parametrize("folder, chain", CONFORMING.values(), ids=CONFORMING)
def test_conforming_chains_violate_nothing(folder: str, chain: Chain) -> None:
    """On a chain that follows the document nothing fails or warns, and no must stays unknown."""
    verdicts = {name: verdict_on(folder, name, chain) for name in read_only(catalogue_of(folder))}
    good = {Verdict.PASS, Verdict.LIMIT_CONFIRMED, Verdict.NOT_APPLICABLE}
    musts = {r.id for r in catalogue_of(folder) if r.obligation is Obligation.MUST}
    bad = {name: found for name, found in verdicts.items() if found[0] not in good}
    assert {name: found for name, found in bad.items() if found[0] is not Verdict.INCONCLUSIVE or name in musts} == {}


# ---- what they say of support


def test_only_the_vendor_speaks_of_support() -> None:
    """A community's page supports nothing and takes no support away."""
    assert {folder for folder in IDS if catalogue_of(folder).suites[0].speaks_of_support} == {"ubuntu"}


@pytest.mark.parametrize(
    "chain, verdict, stance",
    [
        (intel(*ubuntu_trios.JAMMY), Verdict.PASS, Stance.SUPPORTED),
        (z(*ubuntu_trios.JAMMY), Verdict.WARN, Stance.UNSUPPORTED),
        (l0(intel("linuxmint", "21", "5.15.0"), treat_as="ubuntu"), Verdict.NOT_APPLICABLE, None),
    ],
    ids=["x86", "z", "judged as ubuntu"],
)
def test_ubuntu_supports_x86_and_nothing_else(chain: Chain, verdict: Verdict, stance: Stance | None) -> None:
    """Off x86 nothing fails: nesting may work, without support. What is only judged like Ubuntu gets no support either."""
    requirement = catalogue_of("ubuntu").requirement("UBU-X86-ONLY")
    found = verdict_on("ubuntu", requirement.id, chain)[0]
    assert found is verdict
    assert requirement.stance.get(found) is stance
    assert checks_of("ubuntu")
