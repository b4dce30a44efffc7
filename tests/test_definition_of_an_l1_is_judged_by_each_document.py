"""Claim: RHEL, Ubuntu and the KVM wiki accept different definitions of an L1; each rule is that of its suite's checks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from definition_checks import RHEL, UBUNTU, accepted_by_kvm_wiki, accepted_by_rhel, accepted_by_ubuntu, verdicts
from real_files import CORPUS, needs, rows

from pytest_nestvirt.facts.kernel.architecture import Family, family_of
from pytest_nestvirt.verdict import Verdict

REAL = Path(__file__).parent / "data" / "libvirt-9.0.0"


def xml(inner: str, arch: str = "x86_64") -> str:
    """A definition of an L1 with these elements in it."""
    return (
        "<domain type='kvm'><name>L1</name><memory unit='MiB'>2048</memory><vcpu>4</vcpu>"
        f"<os><type arch='{arch}' machine='q35'>hvm</type></os>{inner}</domain>"
    )


@pytest.mark.parametrize(
    "cpu, rhel, ubuntu, kvm_wiki",
    [
        ("<cpu mode='host-passthrough'/>", True, True, True),
        ("<cpu mode='host-passthrough'><feature name='vmx' policy='disable'/></cpu>", False, False, False),
        ("<cpu mode='host-model'><feature name='vmx' policy='forbid'/></cpu>", False, False, False),
        ("<cpu mode='maximum'/>", False, True, True),
        ("<cpu><model>Haswell</model><feature name='vmx'/></cpu>", False, True, True),
        ("<cpu><model>Haswell</model><feature name='vmx' policy='optional'/></cpu>", False, False, False),
        ("", False, False, False),
    ],
)
def test_rules_of_three_documents(cpu: str, rhel: bool, ubuntu: bool, kvm_wiki: bool) -> None:
    """Of an L1 that does not itself show the extension, so that only its definition counts."""
    found = xml(cpu)
    assert (accepted_by_rhel(found), accepted_by_ubuntu(found), accepted_by_kvm_wiki(found)) == (rhel, ubuntu, kvm_wiki)


def test_two_processors_are_none_that_holds() -> None:
    """Libvirt refuses a definition with two <cpu> elements, and RHEL and Ubuntu show how to write one."""
    twice = xml("<cpu mode='host-passthrough'/>" * 2)
    assert not accepted_by_rhel(twice)
    assert not accepted_by_ubuntu(twice)


def test_host_model_is_not_what_rhel_shows() -> None:
    """Nor does Ubuntu's check accept it by itself where the instance lacks the extension."""
    assert not accepted_by_rhel(xml("<cpu mode='host-model'/>"))
    assert verdicts("ubuntu", UBUNTU, xml("<cpu mode='host-model'/>")) != [Verdict.FAIL]


@pytest.mark.parametrize("state, accepted", [("on", True), ("off", False)])
def test_power_is_asked_for_nested_hv(state: str, accepted: bool) -> None:
    """And not for a mode of <cpu>, nor do the other two documents speak of it."""
    found = xml(f"<features><nested-hv state='{state}'/></features>", "ppc64le")
    assert accepted_by_rhel(found, "ppc64le") is accepted
    assert verdicts("rhel8", RHEL, found, "ppc64le") == [Verdict.NOT_APPLICABLE] * 2
    assert verdicts("ubuntu", UBUNTU, found, "ppc64le") == [Verdict.NOT_APPLICABLE]


def test_definitions_that_libvirt_wrote() -> None:
    """host-passthrough is accepted by all three, with what libvirt adds to it; a domain without a <cpu> by none."""
    passed, none = (
        (REAL / f"{name}.inactive.xml").read_text(encoding="utf-8").replace("<name>l1<", "<name>L1<")
        for name in ("host-passthrough", "no-cpu")
    )
    assert accepted_by_rhel(passed)
    assert accepted_by_ubuntu(passed)
    assert accepted_by_kvm_wiki(passed)
    assert not accepted_by_rhel(none)


@needs("expected_domains.csv")
def test_definitions_of_real_systems() -> None:
    """Every definition from libvirt's own tests is accepted or not as the table has it, on x86 and POWER: the documents are about no other."""
    for row in rows("expected_domains.csv"):
        if family_of(row["arch"]) not in {Family.X86, Family.PPC}:
            continue
        text = (CORPUS / row["file"]).read_text(encoding="utf-8")
        found = re.sub(r"<name>[^<]*</name>", "<name>L1</name>", text, count=1)
        assert accepted_by_rhel(found, row["arch"]) is (row["rhel_x86_or_ppc_rule"] == "pass"), row
        if family_of(row["arch"]) is Family.X86 and row["cpu_mode"] not in {"host-model", "maximum"}:
            assert accepted_by_ubuntu(found) is (row["ubuntu_rule"] == "pass"), row
            assert accepted_by_kvm_wiki(found) is (row["kvmwiki_rule"] == "pass"), row
