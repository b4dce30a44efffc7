"""VirtRigaud: what the page says of a Windows guest that is to run virtual machines."""

from __future__ import annotations

from pytest_nestvirt.suite import Machine, Unobservable, render, requirement


@requirement("VR-VER-WIN-SYSTEMINFO")
def test_requirements_of_hyper_v_are_met(l1: Machine) -> None:
    if l1.windows.hypervisor_present:
        _runs_hyper_v(l1)
        return
    assert l1.windows.requirements.met, f"{l1.name}: {render(l1.windows.requirements)}"


@requirement("VR-VER-WIN-COMPUTERINFO")
def test_hyper_v_is_ready_to_run(l1: Machine) -> None:
    if not l1.windows.hypervisor_present:
        assert l1.windows.requirements.met, f"{l1.name}: {render(l1.windows.requirements)}"
        return
    _runs_hyper_v(l1)
    assert l1.windows.hypervisor_launch == "auto", (
        f"hypervisorlaunchtype of {l1.name} is {l1.windows.hypervisor_launch}"
    )


def _runs_hyper_v(l1: Machine) -> None:
    """With a hypervisor present, only Hyper-V at work proves that it can be; that it is not says nothing."""
    if not (l1.windows.hyperv_enabled and l1.windows.hyperv_running):
        raise Unobservable(
            "windows.requirements",
            f"a hypervisor has been detected on {l1.name}, and Hyper-V does not run, so nothing is shown",
        )
