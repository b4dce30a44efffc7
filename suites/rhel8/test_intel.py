"""RHEL 8, section 18.1: nesting on Intel."""

from __future__ import annotations

from pytest_nestvirt.suite import (
    Capable,
    Machine,
    Unobservable,
    contradiction,
    describe,
    describe_cpu,
    describe_cpu_mode,
    is_given_the_host_cpu,
    known_or,
    lost_at_boot,
    nested_after_boot,
    requirement,
    runner_of,
    runs,
)

HASWELL_EP = 63
"""Model of family 6: the Xeon v3 with which the document begins to expect vmx and ept."""


@requirement("RHEL8-INTEL-PREREQ")
def test_rhel_8_host_runs_the_guest_hypervisor(l0: Machine, l1: Machine) -> None:
    assert runs(l0, "rhel 8"), f"{l0.name} runs {describe(l0, 'os.id', 'os.version_id')}"
    assert l1.domain.running, f"the domain of {l1.name} is not running: {describe(l1, 'domain.state')}"
    runner = runner_of(l1)
    assert runner.is_kvm, f"{l1.name} is not run by KVM: {runner}"
    assert not contradiction(l1), contradiction(l1)


@requirement("RHEL8-INTEL-CPU-FLAGS")
def test_cpu_offers_vmx_and_ept(l0: Machine) -> None:
    missing = {"vmx", "ept"} - l0.cpu.flags
    assert not missing, f"missing on at least one processor: {' '.join(sorted(missing))}"
    seen = l0.cpu.nested
    if seen.capable is Capable.UNKNOWN:
        raise Unobservable("cpu.nested", seen.why)
    assert seen.capable is Capable.YES, seen.why


@requirement("RHEL8-INTEL-XEON-V3")
def test_xeon_v3_and_later_has_both_flags(l0: Machine) -> None:
    expected = "Xeon" in l0.cpu.model_name and l0.cpu.family == 6 and l0.cpu.model >= HASWELL_EP
    assert {"vmx", "ept"} <= l0.cpu.flags or not expected, (
        f"{describe(l0, 'cpu.model_name')} does not show both vmx and ept"
    )


@requirement("RHEL8-INTEL-NESTED-ON")
def test_nesting_is_on(l0: Machine) -> None:
    assert l0.kvm.nested, f"{l0.kvm.module} has nested={l0.kvm.nested_raw}"


@requirement("RHEL8-INTEL-NESTED-OFF")
def test_parameter_reads_as_on_or_off(l0: Machine) -> None:
    assert l0.kvm.nested_raw in {"0", "N", "1", "Y"}, f"nested reads {l0.kvm.nested_raw!r}"


@requirement("RHEL8-INTEL-VOLATILE")
def test_nesting_will_not_be_lost_at_the_next_boot(l0: Machine) -> None:
    lost = lost_at_boot(l0, "kvm_intel")
    assert not lost, lost


@requirement("RHEL8-INTEL-PERSIST")
def test_nesting_is_configured_to_last(l0: Machine) -> None:
    after_boot = nested_after_boot(l0, "kvm_intel")
    assert after_boot.enabled, after_boot.why


@requirement("RHEL8-INTEL-L1-PASSTHROUGH")
def test_guest_hypervisor_gets_the_host_cpu(l1: Machine) -> None:
    now = l1.domain.cpu_mode
    later = known_or(lambda: l1.domain.inactive.cpu_mode, otherwise=now)
    assert {now, later} == {"host-passthrough"}, f"the domain's <cpu> has mode {describe_cpu_mode(l1)}"
    assert is_given_the_host_cpu(l1, "vmx"), f"{l1.name} runs with {describe_cpu(l1)}, whatever its <cpu> is"


@requirement("RHEL8-INTEL-L1-CPU-REWRITE")
def test_cpu_element_holds_nothing_of_an_earlier_one(l1: Machine) -> None:
    stored = l1.domain.inactive
    assert stored.cpu_elements == 1, f"the domain has {stored.cpu_elements} <cpu> elements"
    assert not stored.cpu_model, f"a model is left in <cpu>: {stored.cpu_model}"
    taken = [feature for feature in ("vmx", "ept") if stored.declines(feature)]
    assert not taken, f"<cpu> takes away {' '.join(taken)}"
