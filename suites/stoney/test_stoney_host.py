"""stoney cloud: what the page says of the host."""

from __future__ import annotations

from pytest_nestvirt.suite import (
    Machine,
    describe,
    first_finding,
    nested_after_boot,
    on_by_default,
    requirement,
    shipped_default,
    unapplied_nesting,
    unapplied_shadow_vmcs,
)

SHADOW_VMCS = "enable_shadow_vmcs"


@requirement("STONEY-DEFAULT-OFF")
def test_nesting_is_off_by_default(l0: Machine) -> None:
    assert not on_by_default(l0, l0.kvm.module), f"nested of {l0.kvm.module} is on, and no line sets it"
    default = shipped_default(l0, l0.kvm.module)
    assert not default.enabled, default.why


@requirement("STONEY-SHADOW-VMCS-ON")
def test_shadow_vmcs_is_on(l0: Machine) -> None:
    on = l0.kvm.enabled(SHADOW_VMCS, "kvm_intel")
    setting = None if on else l0.modprobe.setting("kvm_intel", SHADOW_VMCS)
    excused = on or (setting is not None and not setting.enabled) or "shadow_vmcs" not in l0.cpu.vmx_flags
    assert excused, f"{SHADOW_VMCS} of kvm_intel is off, and the processor has shadow VMCS"


@requirement("STONEY-SHADOW-VMCS-IGNORED")
def test_shadow_vmcs_is_off_where_the_processor_lacks_it(l0: Machine) -> None:
    supported = "shadow_vmcs" in l0.cpu.vmx_flags
    assert supported or not l0.kvm.enabled(SHADOW_VMCS, "kvm_intel"), (
        f"{SHADOW_VMCS} is on, and the vmx flags of {describe(l0, 'cpu.model_name')} lack shadow_vmcs"
    )


@requirement("STONEY-SHADOW-VMCS-DISABLE")
def test_shadow_vmcs_that_is_switched_off_is_off(l0: Machine) -> None:
    on, setting = l0.kvm.enabled(SHADOW_VMCS, "kvm_intel"), l0.modprobe.setting("kvm_intel", SHADOW_VMCS)
    assert not on or setting is None or setting.enabled, f"{setting} switches it off, and kvm_intel runs with it"


@requirement("STONEY-ROOT")
def test_account_could_take_the_steps(l0: Machine) -> None:
    assert l0.account.may_change, f"the account has uid {l0.account.uid} and may not use sudo without a password"


@requirement("STONEY-INTEL-CONF")
def test_kvm_intel_is_configured_to_nest(l0: Machine) -> None:
    after_boot = nested_after_boot(l0, "kvm_intel")
    assert after_boot.enabled, after_boot.why


@requirement("STONEY-AMD-CONF")
def test_kvm_amd_is_configured_to_nest(l0: Machine) -> None:
    after_boot = nested_after_boot(l0, "kvm_amd")
    assert after_boot.enabled, after_boot.why


@requirement("STONEY-INTEL-RELOAD")
def test_configuration_of_kvm_intel_is_in_effect(l0: Machine) -> None:
    unapplied = first_finding(lambda: unapplied_nesting(l0, "kvm_intel"), lambda: unapplied_shadow_vmcs(l0))
    assert not unapplied, unapplied


@requirement("STONEY-AMD-RELOAD")
def test_configuration_of_kvm_amd_is_in_effect(l0: Machine) -> None:
    nesting = unapplied_nesting(l0, "kvm_amd")
    assert not nesting, nesting


@requirement("STONEY-LIBVIRT-AUTO")
def test_libvirt_adds_vmx_to_host_model(l0: Machine) -> None:
    offered = l0.domain_capabilities.host_model
    assert offered.offers("vmx") or not l0.kvm.nested, f"host-model of libvirt is {offered.model} without vmx"
