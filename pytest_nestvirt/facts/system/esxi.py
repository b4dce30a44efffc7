"""Whether a machine runs ESXi, and which: by `vmware -v`, else by `uname -a`. Pure."""

from __future__ import annotations

import re

SOURCES = ("nestvirt/vsphere/vmware_-v", "sos_commands/kernel/uname_-a")

_VERSION = re.compile(r"VMware ESXi? (?P<version>\d+(?:\.\d+)*)|^VMkernel \S+ (?P<kernel>\d+(?:\.\d+)*)", re.MULTILINE)


def parse_esxi(text: str) -> str:
    """Its version; empty where the text is not that of an ESXi.

    >>> parse_esxi("VMware ESXi 6.7.0 build-13006603")
    '6.7.0'
    """
    found = _VERSION.search(text)
    return (found["version"] or found["kernel"]) if found else ""
