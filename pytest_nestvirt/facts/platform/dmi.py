"""What the DMI strings of a machine show about its maker: a hypervisor, a cloud, or a maker of computers.

The prefixes are those of systemd's `detect-virt` (src/basic/virt.c) and of the clouds' documents. One is left out:
`Oracle Corporation` is VirtualBox's board vendor and the maker of real servers alike, so the name of the product
decides.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

FIELDS = (
    "product_name",  # before sys_vendor, as systemd has it
    "sys_vendor",
    "board_vendor",
    "board_name",
    "bios_vendor",
    "bios_version",
    "product_version",
    "product_family",
    "chassis_vendor",
    "chassis_asset_tag",
    "product_uuid",
)
_NAMING_FIELDS = (*FIELDS[:5], "product_version")

QEMU = "qemu"
"""QEMU made the virtual machine; KVM or TCG runs it, which DMI does not show."""
UNCLEAR = "unclear"
"""A virtual machine whose makers use several hypervisors."""

_HYPERVISORS = (
    ("KVM", QEMU),  # of RHEL's machine types, whatever accelerates them
    ("OpenStack", QEMU),
    ("KubeVirt", QEMU),
    ("Amazon EC2", "kvm"),
    ("Google Compute Engine", "kvm"),
    ("RHEV Hypervisor", QEMU),
    ("oVirt", QEMU),
    ("Red Hat", QEMU),
    ("AHV", "kvm"),
    ("Droplet", "kvm"),
    ("CVM", "kvm"),
    ("vServer", "kvm"),
    ("crosvm", "kvm"),
    ("QEMU", QEMU),
    ("Bochs", QEMU),
    ("SeaBIOS", QEMU),
    ("Alibaba Cloud", QEMU),
    ("VMware", "vmware"),
    ("VMW", "vmware"),
    ("innotek GmbH", "virtualbox"),
    ("VirtualBox", "virtualbox"),
    ("Xen", "xen"),
    ("HVM domU", "xen"),
    ("Parallels", "parallels"),
    ("BHYVE", "bhyve"),
    ("Hyper-V", "hyperv"),
    ("Apple Virtualization", "apple"),
    ("ACRN", "acrn"),
    ("VMM", "vmm"),
    ("Cloud Hypervisor", UNCLEAR),
    ("cloud-hypervisor", UNCLEAR),
    ("SmartDC HVM", UNCLEAR),
)

_SHARED = ("Google Compute Engine", "Alibaba Cloud", "CVM")
"""Of clouds whose machines without a hypervisor have the same strings; those of EC2 are named `.metal`."""

_SYSTEMD = (
    ("KVM", "kvm"),
    ("OpenStack", "kvm"),
    ("KubeVirt", "kvm"),
    ("Amazon EC2", "amazon"),
    ("QEMU", "qemu"),
    ("VMware", "vmware"),
    ("VMW", "vmware"),
    ("innotek GmbH", "oracle"),
    ("VirtualBox", "oracle"),
    ("Oracle Corporation", "oracle"),
    ("Xen", "xen"),
    ("Bochs", "bochs"),
    ("Parallels", "parallels"),
    ("BHYVE", "bhyve"),
    ("Hyper-V", "microsoft"),
    ("Microsoft Corporation", "microsoft"),
    ("Apple Virtualization", "apple"),
    ("Apple Inc.", "apple"),
    ("Google Compute Engine", "google"),
)
"""Prefix -> word of `systemd-detect-virt`, as detect_vm_dmi_vendor() of its versions has them, and two makers of hardware."""

_UNNAMED = frozenset(
    {
        "",
        "default string",
        "empty",
        "n/a",
        "none",
        "not applicable",
        "not available",
        "not specified",
        "null",
        "o.e.m.",
        "oem",
        "system manufacturer",
        "to be filled by o.e.m.",
        "undefined",
        "unknown",
    }
)
"""What firmware has in place of its maker's name, in lower case."""

AZURE_ASSET_TAG = "7783-7084-3265-9085-8269-3286-77"


@dataclass(frozen=True, slots=True)
class Dmi:
    """The strings, and what follows from them."""

    strings: Mapping[str, str]
    """By name of the file below /sys/class/dmi/id; those that could not be read are missing."""

    def _string(self, field: str) -> str:
        return self.strings.get(field, "")

    @property
    def hypervisor(self) -> str | None:
        """The hypervisor that the strings name, `QEMU`, `UNCLEAR`, or None. A bare-metal cloud machine names none."""
        if self.metal:
            return None
        if self._string("sys_vendor") == "Microsoft Corporation" and self._string("product_name") == "Virtual Machine":
            return "hyperv"
        return next((name for field in _NAMING_FIELDS if (name := _named(self._string(field)))), None)

    @property
    def naming_field(self) -> str:
        """The field with the hypervisor's name, for people."""
        return next((field for field in _NAMING_FIELDS if _named(self._string(field))), "sys_vendor")

    @property
    def metal(self) -> bool:
        """An EC2 instance without a hypervisor: `m5.metal`, `m7i.metal-24xl`."""
        return self.substrate == "aws" and bool(re.search(r"\.metal(?:-|$)", self._string("product_name")))

    @property
    def shared(self) -> bool:
        """Whether machines with and without a hypervisor have these strings."""
        return any(self.begins(" ".join(_NAMING_FIELDS), prefix) for prefix in _SHARED)

    @property
    def systemd_word(self) -> str:
        """What systemd-detect-virt prints where it goes by these strings alone; empty if they name nothing that it knows."""
        values = map(self._string, _NAMING_FIELDS)
        return next((word for value in values for prefix, word in _SYSTEMD if value.startswith(prefix)), "")

    @property
    def of_a_maker(self) -> bool:
        """Whether a maker of computers is named, and no hypervisor."""
        makers = {self._string("sys_vendor").lower(), self._string("board_vendor").lower()}
        return self.metal or (self.hypervisor is None and self.substrate == "none" and bool(makers - _UNNAMED))

    @property
    def substrate(self) -> str:
        """The cloud that the strings name, or `none`."""
        return next((cloud for cloud, fits in _CLOUDS if fits(self)), "none")

    def begins(self, fields: str, prefix: str) -> bool:
        """Whether any of these fields (names between blanks) begins so."""
        return any(self._string(field).startswith(prefix) for field in fields.split())


def _named(value: str) -> str | None:
    return next((name for prefix, name in _HYPERVISORS if value.startswith(prefix)), None)


def _is_aws(dmi: Dmi) -> bool:
    of_xen = ".amazon" in dmi.strings.get("bios_version", "") and dmi.begins("sys_vendor bios_vendor", "Xen")
    return of_xen or dmi.begins("sys_vendor bios_vendor chassis_vendor", "Amazon EC2")


_CLOUDS = (
    ("azure", lambda dmi: dmi.begins("chassis_asset_tag", AZURE_ASSET_TAG)),
    ("aws", _is_aws),
    ("gce", lambda dmi: dmi.begins("product_name bios_vendor", "Google Compute Engine")),
    ("oci", lambda dmi: dmi.begins("chassis_asset_tag", "OracleCloud.com")),
    ("openstack", lambda dmi: dmi.begins("product_name sys_vendor product_family", "OpenStack")),
    ("kubevirt", lambda dmi: dmi.begins("product_name sys_vendor product_family", "KubeVirt")),
    ("alibaba", lambda dmi: dmi.begins("product_name sys_vendor", "Alibaba Cloud")),
    ("tencent", lambda dmi: dmi.begins("sys_vendor", "Tencent Cloud")),
    ("digitalocean", lambda dmi: dmi.begins("sys_vendor bios_vendor", "DigitalOcean")),
    ("hetzner", lambda dmi: dmi.begins("sys_vendor", "Hetzner")),
    ("nutanix", lambda dmi: dmi.begins("product_name", "AHV")),
)
