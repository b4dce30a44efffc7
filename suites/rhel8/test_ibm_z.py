"""RHEL 8, section 18.3 and the huge page rule of 18.5: nesting on IBM Z."""

from __future__ import annotations

from contextlib import suppress

from pytest_nestvirt.suite import (
    Machine,
    Unobservable,
    contradiction,
    describe,
    first_finding,
    lost_at_boot,
    nested_after_boot,
    requirement,
    runner_of,
    runs,
    switched_on_at_boot,
)

REFUSAL = "kvm-s390: A KVM host that supports nesting cannot back its KVM guests with huge pages"


@requirement("RHEL8-Z-PREREQ")
def test_rhel_8_host_runs_the_guest_hypervisor(l0: Machine, l1: Machine) -> None:
    assert runs(l0, "rhel 8"), f"{l0.name} runs {describe(l0, 'os.id', 'os.version_id')}"
    assert l1.domain.running, f"the domain of {l1.name} is not running: {describe(l1, 'domain.state')}"
    runner = runner_of(l1)
    assert runner.is_kvm, f"{l1.name} is not run by KVM: {runner}"
    assert not contradiction(l1), contradiction(l1)


@requirement("RHEL8-Z-CPU-SIE")
def test_cpu_offers_sie(l0: Machine) -> None:
    assert "sie" in l0.cpu.flags, "the features of the processors do not name sie"


@requirement("RHEL8-Z-NESTED-ON")
def test_nesting_is_on(l0: Machine) -> None:
    assert l0.kvm.nested, f"{l0.kvm.module} has nested={l0.kvm.nested_raw}"


@requirement("RHEL8-Z-NESTED-OFF")
def test_parameter_reads_as_on_or_off(l0: Machine) -> None:
    assert l0.kvm.nested_raw in {"0", "N", "1", "Y"}, f"nested reads {l0.kvm.nested_raw!r}"


@requirement("RHEL8-Z-VOLATILE")
def test_nesting_will_not_be_lost_at_the_next_boot(l0: Machine) -> None:
    lost = lost_at_boot(l0, "kvm")
    assert not lost, lost


@requirement("RHEL8-Z-PERSIST")
def test_nesting_is_configured_to_last(l0: Machine) -> None:
    finding = first_finding(lambda: off_after_boot(l0), lambda: refused_for_huge_pages(l0))
    assert not finding, finding


def off_after_boot(l0: Machine) -> str:
    """Why nesting will be off; empty if it will be on."""
    after_boot = nested_after_boot(l0, "kvm")
    return "" if after_boot.enabled else after_boot.why


def refused_for_huge_pages(l0: Machine) -> str:
    """Why kvm will refuse to nest; empty if it is not configured to back guests with huge pages."""
    huge_pages = switched_on_at_boot(l0, "kvm", "hpage")
    return f"kvm will not load at the next boot with nesting: {huge_pages.why}" if huge_pages.enabled else ""


@requirement("RHEL8-Z-NO-CPU-STEP")
def test_guest_hypervisor_has_sie_without_further_ado(l1: Machine) -> None:
    assert "sie" in l1.cpu.flags, f"{l1.name} does not show sie"


@requirement("RHEL8-Z-HPAGE-CONFLICT")
def test_nesting_excludes_huge_pages(l0: Machine) -> None:
    assert not (l0.kvm.nested and l0.kvm.hpage), "kvm runs with nested and hpage both on"
    backed = running_on_huge_pages(l0) if l0.kvm.nested else []
    assert not backed, f"nesting is on, and guests run on huge pages: {', '.join(backed)}"


def running_on_huge_pages(l0: Machine) -> list[str]:
    """Names of the running guests that have huge pages; none where libvirt cannot be asked, since the parameters decide."""
    with suppress(Unobservable):
        return sorted(
            domain.name for domain in l0.libvirt.domains.values() if domain.has_process and domain.xml.hugepages
        )
    return []


@requirement("RHEL8-Z-HPAGE-DMESG")
def test_kernel_logs_why_it_refuses_both(l0: Machine) -> None:
    refused = any(REFUSAL in line for line in l0.kernel.log)
    if not refused and not (l0.kvm.nested and l0.kvm.hpage):
        raise Unobservable(
            "kernel log", "kvm was not loaded with both options since the last boot, as far as the log shows"
        )
    assert refused, "kvm was loaded with both options, and the kernel did not refuse it"
