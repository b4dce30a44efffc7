"""What KVM has to offer on a machine, to compare a guest hypervisor with its host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_nestvirt.observation.unknown import known_or

if TYPE_CHECKING:
    from pytest_nestvirt.facts.machine import Machine

FLAGS = frozenset(
    {
        *("tpr_shadow", "vnmi", "flexpriority", "ept", "vpid", "ept_ad"),
        *("npt", "lbrv", "svm_lock", "nrip_save", "tsc_scale", "vmcb_clean", "flushbyasid", "decodeassists"),
        *("pausefilter", "pfthreshold", "avic", "x2avic", "v_vmsave_vmload", "vgif", "v_spec_ctrl"),
    }
)
"""Tokens of `flags` that are features of virtualization (arch/x86/include/asm/cpufeatures.h, words 8 and 15)."""

SWITCHES = {
    "kvm_intel": (
        "enable_apicv",
        "enable_shadow_vmcs",
        "ept",
        "eptad",
        "flexpriority",
        "pml",
        "unrestricted_guest",
        "vpid",
    ),
    "kvm_amd": ("avic", "npt", "vgif", "vls", "vnmi"),
}
"""Parameters that show whether KVM uses a feature; the kernel switches them off where the processor lacks it."""


def lost_features(host: Machine, guest: Machine) -> tuple[str, ...]:
    """The features of virtualization that a host has and its guest has not, by name, sorted.

    Only what is known of both is compared: the flags always, the line `vmx flags` and the modules' parameters where both
    show them. `Unobservable` if the flags of one of them cannot be read.
    """
    lost = (host.cpu.flags - guest.cpu.flags) & FLAGS
    return tuple(sorted({*lost, *_lost_vmx_flags(host, guest), *_lost_switches(host, guest)}))


def _lost_vmx_flags(host: Machine, guest: Machine) -> frozenset[str]:
    return known_or(lambda: host.cpu.vmx_flags - guest.cpu.vmx_flags, frozenset())


def _lost_switches(host: Machine, guest: Machine) -> frozenset[str]:
    pairs = ((module, name) for module, names in SWITCHES.items() for name in names)
    return frozenset(f"{module}.{name}" for module, name in pairs if _is_lost(host, guest, module, name))


def _is_lost(host: Machine, guest: Machine, module: str, name: str) -> bool:
    return known_or(lambda: host.kvm.enabled(name, module) and not guest.kvm.enabled(name, module), otherwise=False)
