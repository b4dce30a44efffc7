"""Why KVM does not work on a machine whose processor offers it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_nestvirt.observation.fact import Unobservable
from pytest_nestvirt.observation.partial import seen_log

if TYPE_CHECKING:
    from pytest_nestvirt.facts.machine import Machine

_SAID = re.compile(
    r"disabled by bios|SVM disabled|KVM is unsupported when running as an SEV guest|no hardware support|VMX not enabled",
    re.IGNORECASE,
)
"""What kvm.ko and its vendor modules log when they refuse to load (arch/x86/kvm)."""


def refusal_of_kvm(machine: Machine) -> str:
    """What keeps KVM from working; empty where it works, or where nobody could ask it.

    `Unobservable` where it surely does not work and nothing tells why: a module that is only missing from a small kernel or
    was never loaded is another matter than one that cannot work.
    """
    if _may_work(machine):
        return ""
    module = machine.kvm.module
    hidden = [f"{line.command} {line.module} ({line.file}:{line.line})" for line in machine.modprobe.hidden_by(module)]
    logged = [line.strip() for line in seen_log(machine.reader).split("\n") if _SAID.search(line)]
    if hidden or logged:
        return (hidden or logged)[0]
    raise Unobservable(
        "kvm.usable",
        f"KVM does not work there, and neither modprobe's configuration nor the kernel log says why; try `modprobe {module}`",
    )


def _may_work(machine: Machine) -> bool:
    try:
        return machine.kvm.usable
    except Unobservable:
        return True
