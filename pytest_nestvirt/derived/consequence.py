"""What follows from a finding on another machine, so that one cause is reported once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_nestvirt.observation.unknown import surely
from pytest_nestvirt.verdict import Blocked

if TYPE_CHECKING:
    from pytest_nestvirt.facts.machine import Machine


def blocked_without_nesting(l0: Machine, lacking: str) -> None:
    """Raise `Blocked` if nesting is surely off on the host: what its guest lacks is a consequence of that.

    `lacking` says what the guest lacks (`rhel8-l1 shows neither vmx nor svm`). Where nesting is on, or it is not known
    whether it is, nothing is raised, and the finding is the guest's own.
    """
    if surely(lambda: not l0.kvm.nested):
        raise Blocked(f"nesting is off on {l0.name}, and what follows from that: {lacking}")
