"""VirtRigaud: what the page asks of a Windows guest that is to run virtual machines."""

from __future__ import annotations

from pytest_nestvirt.suite import Machine, render, requirement


@requirement("VR-VER-WIN-SYSTEMINFO")
def test_requirements_of_hyper_v_are_met(l1: Machine) -> None:
    # With a hypervisor present Windows hides the four, and only Hyper-V at work proves that it can be.
    met = l1.windows.runs_hypervisor if l1.windows.hypervisor_present else l1.windows.requirements.met
    assert met, f"{l1.name}: {render(l1.windows.requirements)}"


@requirement("VR-VER-WIN-COMPUTERINFO")
def test_hyper_v_is_ready_to_run(l1: Machine) -> None:
    if not l1.windows.hypervisor_present:
        assert l1.windows.requirements.met, f"{l1.name}: {render(l1.windows.requirements)}"
        return
    launch = l1.windows.hypervisor_launch
    assert launch != "off", f"hypervisorlaunchtype of {l1.name} is off"
    assert l1.windows.runs_hypervisor, f"{l1.name} does not run Hyper-V"
    assert launch == "auto", f"hypervisorlaunchtype of {l1.name} is {launch}"
