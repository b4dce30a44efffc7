"""What the documents' lists of releases say of one operating system. No stance: the inputs of one."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_nestvirt.facts.system.os_expression import matches

RHEL8_LISTS = {
    "l0": ("rhel >=8.2",),
    "l1": ("rhel >=7.8 <8", "rhel >=8.2"),
    "l2": ("rhel >=7.8 <8", "rhel >=8.2", "windows 14393", "windows 17763"),
}
"""Section 18.5 of the RHEL 8 document, by the letter: "8.2 and later" has no upper end."""


@dataclass(frozen=True, slots=True)
class Listing:
    """Where one release stands in one list of the RHEL 8 document."""

    listed: bool
    """The words of the list include it."""
    covered: bool
    """The document can be taken to speak of it: it is listed, no Beta, and not of a later major release."""


@dataclass(frozen=True, slots=True)
class ReleaseRules:
    """Stance inputs that come from the operating system alone."""

    rhel8_l0: Listing
    rhel8_l1: Listing
    rhel8_l2: Listing
    ubuntu_nested_default: str
    """`yes` on Ubuntu, which says that it switches nesting on; `n/a` elsewhere."""
    note: str
    """Why listed and covered differ; empty if they do not."""


def release_rules(os_id: str, version: tuple[int, ...], *, beta: bool, server: bool) -> ReleaseRules:
    """Look a release up in every list. Raises `Unobservable` where the version is too short to tell.

    `server` is False for client editions of Windows: Windows 10 has the builds of Windows Server 2016 and 2019.
    """
    # RHEL 9 and 10 have documents of their own, which say less: see their chapters on nested virtualization.
    later = os_id == "rhel" and version[:1] > (8,)
    counts = not beta and not later
    on_list = {
        level: server and any(matches(one, os_id, version) for one in names) for level, names in RHEL8_LISTS.items()
    }
    l0, l1, l2 = (Listing(on_list[level], on_list[level] and counts) for level in ("l0", "l1", "l2"))
    note = _note(beta=beta, later=later) if any(on_list.values()) else ""
    return ReleaseRules(l0, l1, l2, "yes" if os_id == "ubuntu" else "n/a", note)


def _note(*, beta: bool, later: bool) -> str:
    reasons = []
    if later:
        reasons.append("listed only by the letter (8.2 and later): later major releases have documents of their own")
    if beta:
        reasons.append("a Beta is not supported")
    return "; ".join(reasons)
