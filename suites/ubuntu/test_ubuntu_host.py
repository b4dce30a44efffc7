"""Ubuntu: what the page says of the host."""

from __future__ import annotations

from pytest_nestvirt.suite import Machine, Origin, lost_at_boot, nested_after_boot, render, requirement, shipped_default


@requirement("UBU-DEFAULT-ON", "UBU-UNLIKELY-MANUAL")
def test_nesting_is_on_by_default(l0: Machine) -> None:
    default = shipped_default(l0, l0.kvm.module)
    assert default.enabled, default.why
    by_itself = l0.modprobe.origin(l0.kvm.module, "nested") in {Origin.KERNEL_DEFAULT, Origin.DISTRIBUTION}
    assert l0.kvm.nested or not by_itself, f"nesting is off, although {default.why}"


@requirement("UBU-NO-ACTION-IF-ON")
def test_nesting_that_is_on_stays_on(l0: Machine) -> None:
    lost = lost_at_boot(l0, l0.kvm.module)
    assert not lost, lost


@requirement("UBU-X86-ONLY")
def test_host_is_of_the_supported_architecture(l0: Machine) -> None:
    assert l0.kernel.architecture in {"x86_64", "i686"}, f"the host is {l0.kernel.architecture}"


@requirement("UBU-MODULE-INTEL")
def test_kvm_intel_is_loaded(l0: Machine) -> None:
    assert "kvm_intel" in l0.kvm.modules, f"loaded of the kvm modules: {render(l0.kvm.modules)}"


@requirement("UBU-MODULE-AMD")
def test_kvm_amd_is_loaded(l0: Machine) -> None:
    assert "kvm_amd" in l0.kvm.modules, f"loaded of the kvm modules: {render(l0.kvm.modules)}"


@requirement("UBU-LSMOD-SHAPE")
def test_kvm_is_used_by_the_vendors_module(l0: Machine) -> None:
    users = l0.modules.users("kvm")
    assert {"kvm_intel", "kvm_amd"} & set(users), f"kvm is used by {render(users)}"


@requirement("UBU-NESTED-PARAM-PATH")
def test_parameter_reads_as_on_or_off(l0: Machine) -> None:
    assert l0.kvm.nested_raw in {"0", "N", "1", "Y"}, f"nested reads {l0.kvm.nested_raw!r}"


@requirement("UBU-NESTED-VALUE")
def test_nesting_is_on(l0: Machine) -> None:
    assert l0.kvm.nested, f"{l0.kvm.module} has nested={l0.kvm.nested_raw}"


@requirement("UBU-PERSIST-FILE")
def test_nesting_is_configured_to_last(l0: Machine) -> None:
    after_boot = nested_after_boot(l0, l0.kvm.module)
    assert after_boot.enabled, after_boot.why
