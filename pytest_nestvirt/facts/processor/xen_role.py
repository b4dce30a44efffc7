"""What a machine is to a Xen hypervisor, if there is one.

/proc/xen exists in every domain of a current kernel (drivers/xen/xenfs), so it shows that there is a Xen, not which
kind of domain this is. The kinds matter: a paravirtualized domain sees the host's processor flags and cannot use them,
dom0 shares the processor with Xen, and a hardware-virtualized one has what its virtual processor offers.
"""

from __future__ import annotations

import re
from enum import StrEnum

from pytest_nestvirt.observation.fact import Reader
from pytest_nestvirt.observation.partial import seen_log, seen_lscpu, seen_text
from pytest_nestvirt.observation.unknown import if_known
from pytest_nestvirt.snapshot.snapshot import Section, Status

DOM0_FEATURE = 1 << 11
"""XENFEAT_dom0 in /sys/hypervisor/properties/features, which is hexadecimal without a prefix."""
TRANSLATED_FEATURE = 1 << 2
"""XENFEAT_auto_translated_physmap: hardware-virtualized (HVM, PVH)."""


_THERE = {Status.OK, Status.DENIED, Status.TRUNCATED}


class XenRole(StrEnum):
    """Kinds of Xen domain."""

    NONE = "none"
    PV = "paravirtualized"
    HVM = "hardware-virtualized"
    DOM0 = "control"
    UNCLEAR = "unclear"


def xen_role(reader: Reader) -> XenRole:
    """Read whatever a Xen domain shows of itself; `NONE` where nothing was seen. Never raises."""
    below = if_known(lambda: reader.under("proc/xen/"))
    if below is None:
        return XenRole.NONE
    traces = [section for section in below if section.status in _THERE]
    features = _features(seen_text(reader, "sys/hypervisor/properties/features"))
    if "control_d" in seen_text(reader, "proc/xen/capabilities").replace(",", " ").split() or features & DOM0_FEATURE:
        return XenRole.DOM0
    if features & TRANSLATED_FEATURE or _shows_hvm(reader):
        return XenRole.HVM
    if _shows_pv(reader) or any(map(_is_domain_file, traces)):
        return XenRole.PV
    return XenRole.UNCLEAR if traces or _shows_xen(reader) else XenRole.NONE


def _features(text: str) -> int:
    return int(text, 16) if re.fullmatch(r"[0-9a-fA-F]{1,16}", text) else 0


def _is_domain_file(section: Section) -> bool:
    """A file below /proc/xen: xenfs is mounted, which without other signs is what an old PV domain looks like."""
    return not section.name.endswith("/") or bool(section.text.strip())


def _shows_hvm(reader: Reader) -> bool:
    dmi = [seen_text(reader, f"sys/class/dmi/id/{name}") for name in ("product_name", "sys_vendor", "bios_vendor")]
    return (
        any(value.startswith(("HVM domU", "Xen")) for value in dmi)
        or (_lscpu_vendor_is_xen(reader) and seen_lscpu(reader, "Virtualization type") == "full")
        or re.search(r"Hypervisor detected: Xen HVM|kernel on Xen (?:HVM|PVH)", seen_log(reader)) is not None
    )


def _shows_pv(reader: Reader) -> bool:
    paravirtual = re.search(
        r"Hypervisor detected: Xen PV\b|paravirtualized kernel on Xen(?: PV)?\s*$", seen_log(reader), re.MULTILINE
    )
    return paravirtual is not None or (
        _lscpu_vendor_is_xen(reader) and seen_lscpu(reader, "Virtualization type") == "para"
    )


def _shows_xen(reader: Reader) -> bool:
    return (
        seen_text(reader, "sys/hypervisor/type") == "xen"
        or _lscpu_vendor_is_xen(reader)
        or seen_text(reader, "nestvirt/systemd-detect-virt_--vm") == "xen"
    )


def _lscpu_vendor_is_xen(reader: Reader) -> bool:
    return seen_lscpu(reader, "Hypervisor vendor") == "Xen"
