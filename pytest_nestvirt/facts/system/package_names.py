"""Packages of Debian and Ubuntu by which a guest hypervisor is set up, and those that stand for them."""

from __future__ import annotations

from collections.abc import Collection

STANDING_FOR = {
    "qemu-kvm": ("qemu-system-x86", "qemu-system-x86-hwe", "qemu-system"),
    "libvirt-daemon-system": ("libvirt-bin",),
    "libvirt-clients": ("libvirt-bin",),
    "bridge-utils": (),
    "virt-manager": (),
}
"""qemu-kvm is a name that qemu-system-x86 provides; libvirt-bin was one package up to Ubuntu 18.04."""


def missing_packages(installed: Collection[str]) -> list[str]:
    """Which of the five are not there, nor one that stands for them."""
    return [name for name, others in STANDING_FOR.items() if not {name, *others} & set(installed)]
