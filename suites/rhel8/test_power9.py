"""RHEL 8, section 18.4 and the POWER9 rules of 18.5."""

from __future__ import annotations

from pytest_nestvirt.suite import (
    Capable,
    Machine,
    QemuProcess,
    Unobservable,
    contradiction,
    describe,
    known_or,
    lost_at_boot,
    nested_after_boot,
    requirement,
    runner_of,
    runs,
)

CAP_NESTED_HV = "cap-nested-hv"


@requirement("RHEL8-P9-NOT-P8", "RHEL8-ARCH-OTHERS")
def test_guest_of_such_a_host_is_no_hypervisor(l1: Machine) -> None:
    assert not l1.kvm.usable, f"KVM works in {l1.name}"


@requirement("RHEL8-P9-PREREQ-L0")
def test_rhel_8_host_runs_the_guest_hypervisor(l0: Machine, l1: Machine) -> None:
    assert runs(l0, "rhel 8"), f"{l0.name} runs {describe(l0, 'os.id', 'os.version_id')}"
    assert l1.domain.running, f"the domain of {l1.name} is not running: {describe(l1, 'domain.state')}"
    runner = runner_of(l1)
    assert runner.is_kvm, f"{l1.name} is not run by KVM: {runner}"
    assert not contradiction(l1), contradiction(l1)


@requirement("RHEL8-P9-L1-RHEL8")
def test_guest_hypervisor_runs_rhel_8(l1: Machine) -> None:
    assert runs(l1, "rhel 8"), f"{l1.name} runs {describe(l1, 'os.id', 'os.version_id')}"


@requirement("RHEL8-P9-NESTED-ON")
def test_nesting_is_on(l0: Machine) -> None:
    # The parameter is on wherever kvm_hv is loaded, also where the processor's MMU rules nesting out.
    assert l0.cpu.nested.capable is not Capable.NO, l0.cpu.nested.why
    assert l0.kvm.nested, f"{l0.kvm.module} has nested={l0.kvm.nested_raw}"


@requirement("RHEL8-P9-NESTED-OFF")
def test_parameter_reads_as_on_or_off(l0: Machine) -> None:
    assert l0.kvm.nested_raw in {"0", "N", "1", "Y"}, f"nested reads {l0.kvm.nested_raw!r}"


@requirement("RHEL8-P9-VOLATILE")
def test_nesting_will_not_be_lost_at_the_next_boot(l0: Machine) -> None:
    lost = lost_at_boot(l0, "kvm_hv")
    assert not lost, lost


@requirement("RHEL8-P9-PERSIST")
def test_nesting_is_configured_to_last(l0: Machine) -> None:
    after_boot = nested_after_boot(l0, "kvm_hv")
    assert after_boot.enabled, after_boot.why


@requirement("RHEL8-P9-NESTED-HV-L1")
def test_guest_hypervisor_has_nested_hv(l1: Machine) -> None:
    assert l1.domain.nested_hv == "on", f"nested-hv of the domain is {l1.domain.nested_hv}"
    assert not _switched_off_later(l1), f"<qemu:commandline> of {l1.name} switches cap-nested-hv off again"


@requirement("RHEL8-P9-CAP-NESTED-HV")
def test_qemu_runs_the_guest_hypervisor_with_cap_nested_hv(l1: Machine) -> None:
    option = QemuProcess(0, l1.domain.command_line).switch(CAP_NESTED_HV)
    assert option, f"QEMU runs {l1.name} {'without' if option is None else 'with the opposite of'} cap-nested-hv=on"


@requirement("RHEL8-P9-NESTED-HV-L2")
def test_nested_guest_has_nested_hv(l2: Machine) -> None:
    assert l2.domain.nested_hv == "on", f"nested-hv of the domain is {l2.domain.nested_hv}"
    assert not _switched_off_later(l2), f"<qemu:commandline> of {l2.name} switches cap-nested-hv off again"


def _switched_off_later(guest: Machine) -> bool:
    return QemuProcess(0, ("", *guest.domain.xml.qemu_arguments)).switch(CAP_NESTED_HV) is False


@requirement("RHEL8-P9-WORKS-L0L1")
def test_host_and_guest_hypervisor_run_rhel_8(l0: Machine, l1: Machine) -> None:
    assert runs(l0, "rhel 8"), f"{l0.name} runs {describe(l0, 'os.id', 'os.version_id')}"
    assert runs(l1, "rhel 8"), f"{l1.name} runs {describe(l1, 'os.id', 'os.version_id')}"


@requirement("RHEL8-P9-WORKS-L2OS")
def test_nested_guest_runs_rhel_8_or_rhel_alt(l2: Machine) -> None:
    assert runs(l2, "rhel 8") or l2.os.rhel_alt, (
        f"{l2.name} runs {describe(l2, 'os.id', 'os.version_id')} with kernel {describe(l2, 'kernel.release')}"
    )


@requirement("RHEL8-P9-NO-P8COMPAT-L1")
def test_guest_hypervisor_is_not_in_power8_mode(l1: Machine) -> None:
    assert_not_in_power8_mode(l1)


@requirement("RHEL8-P9-NO-P8COMPAT-L2")
def test_nested_guest_is_not_in_power8_mode(l2: Machine) -> None:
    assert_not_in_power8_mode(l2)


def assert_not_in_power8_mode(guest: Machine) -> None:
    """By what it shows, and by what its parent asks QEMU for."""
    __tracebackhide__ = True
    asked = known_or(lambda: guest.domain.power8_compat, otherwise=False)
    shown = known_or(lambda: guest.cpu.power.power8_compat, otherwise=True) if asked else guest.cpu.power.power8_compat
    assert not shown, f"{guest.name} runs in POWER8 compatibility mode"
    if asked:
        raise Unobservable(
            "domain.power8_compat", f"{guest.name} is to run in POWER8 compatibility mode, and shows another one"
        )
