"""KVM wiki: what the page says of the L0."""

from __future__ import annotations

from pytest_nestvirt.suite import (
    Machine,
    Origin,
    describe,
    first_finding,
    kernel_default,
    nested_after_boot,
    on_by_default,
    refused_at_load,
    requirement,
)


@requirement("KWIKI-TERM-L0")
def test_host_is_the_machine_itself_and_has_kvm(l0: Machine) -> None:
    finding = first_finding(lambda: virtual(l0), lambda: without_kvm(l0))
    assert not finding, finding


def virtual(l0: Machine) -> str:
    """How the host is not bare metal; empty if it is."""
    seen = describe(l0, "platform.evidence")
    return "" if l0.platform.physical else f"{l0.name} is a guest or a control domain: {seen}"


def without_kvm(l0: Machine) -> str:
    """How the host does not run KVM; empty if it does."""
    return "" if l0.kvm.running else f"KVM does not run on {l0.name}: {describe(l0, 'kvm.failure')}"


@requirement("KWIKI-DEFAULT-OFF")
def test_nesting_is_off_by_the_kernels_default(l0: Machine) -> None:
    assert not on_by_default(l0, l0.kvm.module), f"nested of {l0.kvm.module} is on, and no line sets it"
    default = kernel_default(l0, l0.kvm.module)
    assert not default.enabled, default.why


@requirement("KWIKI-DISTRO-OVERRIDE")
def test_line_of_the_distribution_is_in_effect(l0: Machine) -> None:
    decided = l0.modprobe.setting(l0.kvm.module, "nested")
    shipped = decided is not None and l0.modprobe.origin(l0.kvm.module, "nested") is Origin.DISTRIBUTION
    in_effect = not shipped or decided is None or decided.enabled is l0.kvm.nested
    assert in_effect, f"{decided} is the distribution's, and nested of {l0.kvm.module} reads {l0.kvm.nested_raw}"


@requirement("KWIKI-PARAM-VALUES")
def test_nesting_is_on_by_a_value_that_the_module_takes(l0: Machine) -> None:
    finding = first_finding(lambda: refused_at_load(l0, l0.kvm.module), lambda: off(l0))
    assert not finding, finding


def off(l0: Machine) -> str:
    """How nesting is off; empty if it is on."""
    return "" if l0.kvm.nested else f"{l0.kvm.module} has nested={l0.kvm.nested_raw}"


@requirement("KWIKI-PERSIST-INTEL", "KWIKI-PERSIST-AMD")
def test_nesting_is_configured_to_last(l0: Machine) -> None:
    after_boot = nested_after_boot(l0, l0.kvm.module)
    assert after_boot.enabled, after_boot.why
