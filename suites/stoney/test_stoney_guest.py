"""stoney cloud: what the page says of the VM that is to run VMs."""

from __future__ import annotations

from pytest_nestvirt.suite import (
    Machine,
    blocked_without_nesting,
    configured_cpu,
    cpu_of_definition,
    describe,
    either,
    not_run_by_kvm,
    requirement,
)


@requirement("STONEY-DEF")
def test_kvm_works_in_the_guest(l0: Machine, l1: Machine) -> None:
    lacking = "" if l1.kvm.usable else f"KVM does not work in {l1.name}: {describe(l1, 'kvm.failure')}"
    if lacking:
        blocked_without_nesting(l0, lacking)
    assert not lacking, lacking
    otherwise = not_run_by_kvm(l1)
    assert not otherwise, f"KVM works in {l1.name}, which is not a guest of its host's KVM: {otherwise}"


@requirement("STONEY-VEPT-AVAILABLE")
def test_guest_has_a_virtual_ept(l1: Machine) -> None:
    assert "ept" in l1.cpu.flags, f"{l1.name} does not show ept"
    assert l1.kvm.enabled("ept", "kvm_intel"), f"kvm_intel of {l1.name} does not use ept"


@requirement("STONEY-L1-VMX")
def test_guest_shows_vmx(l0: Machine, l1: Machine) -> None:
    lacking = f"{l1.name} does not show vmx"
    if "vmx" not in l1.cpu.flags:
        blocked_without_nesting(l0, lacking)
    assert "vmx" in l1.cpu.flags, lacking


@requirement("STONEY-L1-XML-VMX")
def test_vmx_is_named_where_it_does_not_come_by_itself(l1: Machine) -> None:
    cpu = cpu_of_definition(configured_cpu(l1))
    assert "vmx" not in cpu.taken, f"<cpu> of {l1.name} takes vmx away"
    named = either(lambda: "vmx" in cpu.given, lambda: "vmx" in l1.cpu.flags)
    assert named, f"{l1.name} does not show vmx, and its definition does not name it"
