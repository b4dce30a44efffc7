"""KVM wiki: what the page says of L1 and L2."""

from __future__ import annotations

from pytest_nestvirt.suite import (
    EXTENSION,
    Machine,
    blocked_without_nesting,
    describe,
    describe_cpu,
    gets_extension,
    other_machine,
    render,
    requirement,
    runner_of,
)


@requirement("KWIKI-TERM-L1")
def test_guest_hypervisor_is_a_kvm_guest_with_kvm(l0: Machine, l1: Machine) -> None:
    runner = runner_of(l1)
    assert runner.is_kvm, f"{l1.name} is not run by KVM: {runner}"
    other = other_machine(l1)
    assert not other, other
    lacking = "" if l1.kvm.usable else f"KVM does not work in {l1.name}: {describe(l1, 'kvm.failure')}"
    if lacking:
        blocked_without_nesting(l0, lacking)
    assert not lacking, lacking


@requirement("KWIKI-TERM-L2")
def test_nested_guest_is_a_kvm_guest(l2: Machine) -> None:
    runner = runner_of(l2)
    assert runner.is_kvm, f"{l2.name} is not run by KVM: {runner}"
    other = other_machine(l2)
    assert not other, other


@requirement("KWIKI-L1-CPU-HOST", "KWIKI-L1-NAMED-MODEL")
def test_guest_hypervisor_is_started_with_the_extension(l0: Machine, l1: Machine) -> None:
    extension = EXTENSION[l0.cpu.vendor]
    assert gets_extension(l1, extension), f"{l1.name} runs with {describe_cpu(l1)}, which gives it no {extension}"


@requirement("KWIKI-UB-SIGNS")
def test_kernels_show_no_damage(l0: Machine, l1: Machine) -> None:
    for machine in (l0, l1):
        assert not machine.health.has_died, (
            f"the kernel of {machine.name} has seen an oops since it booted: {render(machine.health.signs[:1])}"
        )
