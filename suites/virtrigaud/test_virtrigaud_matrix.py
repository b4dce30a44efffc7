"""VirtRigaud: what the support matrix means for a manifest."""

from __future__ import annotations

from pytest_nestvirt.suite import CLASS_REF, VirtualMachine, requirement


@requirement("VR-MTX-PROXMOX")
def test_machine_does_not_rely_on_what_is_planned(manifest: VirtualMachine) -> None:
    assert not manifest.vm_class.nested_virtualization, (
        f"{manifest.at(CLASS_REF)}: its class asks for nesting, and the Proxmox provider does nothing for that yet"
    )
