"""RHEL 8, chapter 18: what is supported, previewed or neither, and on which systems."""

from __future__ import annotations

from pytest_nestvirt.suite import Machine, Unobservable, contradiction, describe, released, requirement, runner_of, runs

WINDOWS_SERVER_2019 = (17763,)


def system(machine: Machine) -> str:
    """The system of a machine, for messages."""
    return f"{machine.name} runs {describe(machine, 'os.id', 'os.version_id')} ({describe(machine, 'os.name')})"


@requirement("RHEL8-SUP-INTEL-FULL")
def test_this_physical_intel_host_is_fully_supported(l0: Machine) -> None:
    assert released(l0, "rhel", (8, 2), (9, 0)), system(l0)
    assert l0.platform.physical, f"{l0.name} is not a physical machine: {describe(l0, 'platform.evidence')}"


@requirement("RHEL8-L0-PHYSICAL")
def test_host_is_physical(l0: Machine) -> None:
    assert l0.platform.physical, f"{l0.name} is a guest or a control domain: {describe(l0, 'platform.evidence')}"


@requirement("RHEL8-NOT-PRODUCTION")
def test_nesting_is_not_used_in_production(l0: Machine) -> None:
    assert l0.declared.environment != "prod" or not l0.kvm.nested, "nesting is on, and the environment is prod"


@requirement("RHEL8-DEVTEST")
def test_nesting_is_used_for_development_and_testing(l0: Machine) -> None:
    environment = l0.declared.environment
    assert environment in {"dev", "test"} or not l0.kvm.nested, f"nesting is on, and the environment is {environment}"


@requirement("RHEL8-SUP-ONLY-INTEL", "RHEL8-TP-AMD", "RHEL8-TP-POWER9", "RHEL8-TP-Z")
def test_this_kind_of_host_is_not_fully_supported(l0: Machine) -> None:
    assert runs(l0, "rhel 8"), f"the statement is about RHEL 8; {system(l0)}"


@requirement("RHEL8-OS-L0")
def test_host_runs_a_supported_release(l0: Machine) -> None:
    assert released(l0, "rhel", (8, 2), (9, 0)), system(l0)


@requirement("RHEL8-OS-L1")
def test_guest_hypervisor_runs_a_supported_release(l1: Machine) -> None:
    assert released(l1, "rhel", (7, 8), (8, 0)) or released(l1, "rhel", (8, 2), (9, 0)), system(l1)


@requirement("RHEL8-OS-L2-RHEL7")
def test_nested_rhel_7_is_a_supported_release(l2: Machine) -> None:
    assert released(l2, "rhel", (7, 8), (8, 0)), system(l2)


@requirement("RHEL8-OS-L2-RHEL8")
def test_nested_guest_runs_one_of_the_four_systems(l2: Machine) -> None:
    assert released(l2, "rhel", (8, 2), (9, 0)), f"{system(l2)}, which is none of the four listed systems"


@requirement("RHEL8-OS-L2-WS2016")
def test_nested_windows_is_server_2016(l2: Machine) -> None:
    assert l2.os.is_server, f"{system(l2)}, which is not a server"


@requirement("RHEL8-OS-L2-WS2019")
def test_nested_windows_is_server_2019(l2: Machine) -> None:
    assert l2.os.version == WINDOWS_SERVER_2019, f"{system(l2)}, neither Server 2016 nor 2019"
    assert l2.os.is_server, f"{system(l2)}, which is not a server"


def hypervisor_below(l1: Machine) -> str:
    """What runs the L1. Raises `Unobservable` where the inventory contradicts it, and where no witness shows it or two disagree."""
    if contradicted := contradiction(l1):
        raise Unobservable("declared.provider", contradicted)
    return runner_of(l1).name


@requirement("RHEL8-L0-VMWARE")
def test_guest_hypervisor_runs_on_vmware(l1: Machine) -> None:
    below = hypervisor_below(l1)
    assert below == "vmware", f"{l1.name} runs on {below}"


@requirement("RHEL8-L0-AWS")
def test_guest_hypervisor_runs_on_aws(l1: Machine) -> None:
    below = hypervisor_below(l1)
    assert l1.platform.substrate == "aws", f"{l1.name} runs on {below}"


@requirement("RHEL8-L0-OTHER")
def test_guest_hypervisor_runs_on_another_foreign_hypervisor(l1: Machine) -> None:
    below = hypervisor_below(l1)
    assert below not in {"kvm", "vmware", "hyperv"} or l1.platform.substrate == "gce", f"{l1.name} runs on {below}"


@requirement("RHEL8-L0-HYPERV")
def test_guest_hypervisor_and_its_guests_are_previewed_on_hyperv(l1: Machine) -> None:
    below = hypervisor_below(l1)
    assert below == "hyperv", f"{l1.name} runs on {below}"
    assert l1.platform.substrate != "azure", f"{l1.name} runs on Azure"
    assert_microsoft_preview(l1)


@requirement("RHEL8-L0-AZURE")
def test_guest_hypervisor_and_its_guests_are_previewed_on_azure(l1: Machine) -> None:
    below = hypervisor_below(l1)
    assert l1.platform.substrate == "azure", f"{l1.name} runs on {below}"
    assert_microsoft_preview(l1)


def assert_microsoft_preview(l1: Machine) -> None:
    """What Hyper-V and Azure have in common: RHEL 8.2 or later in the L1, RHEL 8 in its guests."""
    __tracebackhide__ = True
    assert released(l1, "rhel", (8, 2), (9,)), f"the preview begins with RHEL 8.2; {system(l1)}"
    for guest in l1.guests:
        assert runs(guest, "rhel 8"), f"the preview is for nested RHEL 8; {system(guest)}"
