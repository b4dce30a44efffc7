"""The state of a domain: a pure parser of the words that virsh and libvirt's own files have for virDomainState.

virsh prints `idle` for VIR_DOMAIN_BLOCKED and blanks inside words (tools/virsh-domain-monitor.c, virshDomainState); the file of
a running domain in /run/libvirt/qemu has the words of src/conf/domain_conf.c (virDomainState). `dying` was a state of Xen's
before libvirt 0.9.
"""

from __future__ import annotations

import re
from enum import StrEnum

from pytest_nestvirt.observation.fact import Unobservable


class DomainState(StrEnum):
    """A state, by the word that virsh prints."""

    NO_STATE = "no state"
    RUNNING = "running"
    IDLE = "idle"
    PAUSED = "paused"
    IN_SHUTDOWN = "in shutdown"
    SHUT_OFF = "shut off"
    CRASHED = "crashed"
    PMSUSPENDED = "pmsuspended"
    DYING = "dying"

    @property
    def runs(self) -> bool | None:
        """Whether its processors execute; None where the state does not show it.

        A blocked (idle) domain waits for its own work and runs. Xen names no state for a domain that was not scheduled.
        """
        return None if self is DomainState.NO_STATE else self in {DomainState.RUNNING, DomainState.IDLE}


_OF_LIBVIRT = {
    "nostate": DomainState.NO_STATE,
    "blocked": DomainState.IDLE,
    "shutdown": DomainState.IN_SHUTDOWN,
    "shutoff": DomainState.SHUT_OFF,
}
"""Words of libvirt's files that virsh prints differently."""

_REASON = re.compile(r"(?P<state>.*?)\s*(?:\([^()]*\))?")


def parse_state(text: str, source: str) -> DomainState:
    """`running`, `shutoff`, `paused (user)`. Raises `Unobservable` for any other word, such as one of another language.

    >>> parse_state("blocked", "list").runs
    True
    """
    found = _REASON.fullmatch(text.strip())
    word = found["state"] if found else ""
    if word in _OF_LIBVIRT:
        return _OF_LIBVIRT[word]
    try:
        return DomainState(word)
    except ValueError:
        raise Unobservable(source, f"not a state of a domain: {text.strip()[:40]!r}") from None
