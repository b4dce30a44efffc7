"""Which release of RHEL a kernel belongs to, by its own name: pure.

The builds are those of Red Hat's list of kernels by minor release (https://access.redhat.com/articles/3078); updates within
a minor release keep its build number and add others: `4.18.0-372.26.1.el8_6`.
"""

from __future__ import annotations

import re
from bisect import bisect_left

_EL = re.compile(
    r"(?P<base>\d+\.\d+\.\d+)-(?P<build>\d+)(?:\.[\w.]+?)?\.el(?P<major>\d+)(?P<alt>a)?(?:_(?P<minor>\d+))?(?:\.[a-z0-9_.]+)?(?:\+[\w-]+)?"
)
_NOT_RED_HATS = re.compile(r"uek|elrepo|centos|rocky|almalinux|openela|\.plus\b|lve|vz")
"""Kernels for systems with the same numbering that others build: Oracle's UEK, ELRepo, CentOS plus, CloudLinux, Virtuozzo."""

_BASES = {6: ("2.6.32",), 7: ("3.10.0",), 8: ("4.18.0",), 9: ("5.14.0",), 10: ("6.12.0",)}
_ALT_BASES = ("4.11.0", "4.14.0")
"""Of RHEL-ALT 7.4 to 7.6, whose kernels are of `el7a`."""

_BUILDS = {
    7: (123, 229, 327, 514, 693, 862, 957, 1062, 1127, 1160),
    8: (80, 147, 193, 240, 305, 348, 372, 425, 477, 513, 553),
}
"""Of minor releases 0, 1, 2, ... of major releases that get no more of them."""


def release_of_kernel(kernel: str) -> tuple[int, ...] | None:
    """Major and, where it is known, minor release of RHEL that it belongs to; None for a kernel that is not one of RHEL's.

    A build between those of two minor releases is of the later one before it was released.

    >>> release_of_kernel("4.18.0-372.9.1.el8.x86_64")
    (8, 6)
    >>> release_of_kernel("5.4.17-2136.el8uek.x86_64")
    """
    found = _EL.fullmatch(kernel)
    if found is None or _NOT_RED_HATS.search(kernel):
        return None
    major = int(found["major"])
    if found["alt"]:
        return (7,) if major == 7 and found["base"] in _ALT_BASES else None  # noqa: PLR2004 - RHEL-ALT is of RHEL 7
    if found["base"] not in _BASES.get(major, ()):
        return None
    if found["minor"]:
        return (major, int(found["minor"]))
    builds = _BUILDS.get(major, ())
    minor = bisect_left(builds, int(found["build"]))
    return (major, minor) if minor < len(builds) else (major,)


_SYSTEMS = {
    "ubuntu": re.compile(r"\.el\d|\.fc\d|\.amzn\d|-pve$"),
    "debian": re.compile(r"\.el\d|\.fc\d|\.amzn\d|-generic$|-lowlatency$"),
}
"""Kernels that are another distribution's. Debian runs on Proxmox's own; both may run on one that was built by hand."""


def contradiction_of_kernel(os_id: str, version: tuple[int, ...], kernel: str) -> str:
    """Why that kernel cannot belong to that release, for people; empty where it can.

    A kernel of an earlier minor release can: it stays installed after an update, and runs until the next boot. One of a
    later minor release cannot have come with the release.
    """
    foreign = _SYSTEMS.get(os_id)
    if foreign is not None:
        return f"the kernel {kernel} is not one of {os_id}'s" if foreign.search(kernel) else ""
    if os_id != "rhel":
        return ""
    belongs = release_of_kernel(kernel)
    if belongs is None:
        return f"the kernel {kernel} is not one of Red Hat's for RHEL"
    if belongs[0] != version[0] or belongs > version[: len(belongs)]:
        return f"the kernel {kernel} belongs to RHEL {'.'.join(map(str, belongs))}"
    return ""
