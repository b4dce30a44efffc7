"""KVM wiki: what the page says of the L0."""

from __future__ import annotations

from pytest_nestvirt.suite import (
    Machine,
    Origin,
    describe,
    every,
    kernel_default,
    known_or,
    nested_after_boot,
    on_by_default,
    refused_at_load,
    requirement,
)


@requirement("KWIKI-TERM-L0")
def test_host_is_the_machine_itself_and_has_kvm(l0: Machine) -> None:
    assert l0.platform.physical, f"{l0.name} is a guest or a control domain: {describe(l0, 'platform.evidence')}"
    assert l0.kvm.running, f"KVM does not run on {l0.name}: {describe(l0, 'kvm.failure')}"


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
    refused = known_or(lambda: refused_at_load(l0, l0.kvm.module), "")
    assert not refused, refused
    on = every(lambda: l0.kvm.nested, lambda: not refused_at_load(l0, l0.kvm.module))
    assert on, f"{l0.kvm.module} has nested={describe(l0, 'kvm.nested_raw')}"


@requirement("KWIKI-PERSIST-INTEL", "KWIKI-PERSIST-AMD")
def test_nesting_is_configured_to_last(l0: Machine) -> None:
    after_boot = nested_after_boot(l0, l0.kvm.module)
    assert after_boot.enabled, after_boot.why
