"""Why KVM does not work on a machine whose processor offers it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_nestvirt.observation.fact import Unobservable
from pytest_nestvirt.observation.partial import seen_log
from pytest_nestvirt.observation.unknown import known_or

if TYPE_CHECKING:
    from pytest_nestvirt.facts.machine import Machine

_REFUSALS = re.compile(
    r"disabled by bios|SVM disabled|KVM is unsupported when running as an SEV guest|no hardware support|VMX not enabled",
    re.IGNORECASE,
)
"""What kvm.ko and its vendor modules log when they refuse to load (arch/x86/kvm)."""


def refusal_of_kvm(machine: Machine) -> str:
    """What keeps KVM from working; empty where it works, or where it could not be asked.

    `Unobservable` where it surely does not work and nothing shows why: a module that is only missing from a small kernel or
    was never loaded is another matter than one that cannot work.
    """
    if known_or(lambda: machine.kvm.usable, otherwise=True):
        return ""
    module = machine.kvm.module
    line = known_or(lambda: machine.modprobe.kept_out_by(module), None)
    logged = [line.strip() for line in seen_log(machine.reader).split("\n") if _REFUSALS.search(line)]
    if line is not None or logged:
        return str(line) if line is not None else logged[0]
    raise Unobservable(
        "kvm.usable",
        f"KVM does not work there, and neither modprobe's configuration nor the kernel log shows why; try `modprobe {module}`",
    )
