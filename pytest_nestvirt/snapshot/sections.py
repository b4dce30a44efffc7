"""The names of sections: which of them the probe always answers, which of a tree's files the facts can use."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from types import MappingProxyType

INDEX = "nestvirt-snapshot.json"
"""At the top of a saved snapshot: what the files alone do not show."""

LISTING_FILE = ".nestvirt-listing"
"""In a saved directory: the names that it had on the machine."""

MODULES = ("kvm", "kvm_intel", "kvm_amd", "kvm_hv", "kvm_pr")

MODPROBE_DIRECTORIES = ("etc", "run", "usr/local/lib", "usr/lib", "lib")
"""Those of modprobe.d(5), the first wins."""

MODPROBE = tuple(f"{directory}/modprobe.d/" for directory in MODPROBE_DIRECTORIES)

SEARCHED = "nestvirt/modprobe_searched/"
"""The files of modprobe.d that were searched for kvm, one path a line: such a file without a section does not mention it."""

LISTINGS = (
    *MODPROBE,
    "sys/firmware/acpi/tables/",
    "sys/kernel/iommu_groups/",
    "sys/firmware/efi/",
    "proc/xen/",
    "proc/vz/",
    "proc/bc/",
    "nestvirt/qemu/",
    SEARCHED,
)

_KERNEL = (
    "sos_commands/kernel/uname_-a",
    "proc/version",
    "proc/cmdline",
    "proc/uptime",
    "proc/sys/kernel/random/boot_id",
    "proc/sys/kernel/osrelease",
    "proc/sys/kernel/hostname",
    "proc/sys/kernel/tainted",
    "proc/modules",
    "proc/meminfo",
    "sos_commands/kernel/dmesg",
)

LINK = "nestvirt/link/"
"""Before the path of a link: where it leads, as written there. Missing where there is a file that is not a link."""

LINKS = ("etc/redhat-release",)
"""Links whose targets are sections: rebuilds of RHEL have it lead to a release file of their own name."""

_SYSTEM = ("etc/os-release", "usr/lib/os-release", "etc/redhat-release", "etc/oracle-release")

_DMI = tuple(
    f"sys/class/dmi/id/{name}"
    for name in (
        "sys_vendor",
        "product_name",
        "product_version",
        "product_family",
        "board_vendor",
        "board_name",
        "bios_vendor",
        "bios_version",
        "chassis_vendor",
        "chassis_asset_tag",
        "product_uuid",
    )
)

DEVICE_TREE = tuple(
    f"proc/device-tree/{name}"
    for name in ("compatible", "model", "hypervisor/compatible", "ibm,partition-name", "vm,uuid")
)
"""Their NULs are newlines in a snapshot."""

_PLATFORM = (
    "proc/cpuinfo",
    "proc/sysinfo",
    *_DMI,
    *DEVICE_TREE,
    "sys/hypervisor/type",
    "sys/hypervisor/uuid",
    "sys/hypervisor/properties/features",
    "proc/xen/capabilities",
    "run/systemd/container",
    "proc/1/environ-container",
    "proc/1/cgroup",
    "proc/mounts",
    ".dockerenv",
    "run/.containerenv",
    "sys/devices/system/clocksource/clocksource0/available_clocksource",
    "nestvirt/systemd-detect-virt_--vm",
    "nestvirt/systemd-detect-virt_--container",
    "sos_commands/processor/lscpu",
)

_KVM = (
    *(f"sys/module/{module}" for module in MODULES),
    "sys/module/kvm/parameters/nested",
    "sys/module/kvm/parameters/hpage",
    "sys/module/kvm_intel/parameters/nested",
    "sys/module/kvm_amd/parameters/nested",
    "sys/module/kvm_hv/parameters/nested",
    "dev/kvm",
    "nestvirt/kvm_ioctl",
)

_LIBVIRT = tuple(
    f"sos_commands/virsh/virsh_-r_{name}"
    for name in ("version", "list_--all", "capabilities", "domcapabilities", "net-list")
)

_SETUP = (
    "nestvirt/virt-host-validate_qemu",
    "sos_commands/cloud_init/cloud-init_status_--long",
    "var/log/cloud-init-output.log",
    "nestvirt/cloud-init_hostname",
    "nestvirt/services",
    "nestvirt/groups",
    "nestvirt/id",
    "nestvirt/secure_boot",
    "nestvirt/rotational",
    "nestvirt/df",
    "nestvirt/access",
)

GROUPS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "kernel": _KERNEL,
        "release": (*_SYSTEM, *(LINK + name for name in LINKS), "nestvirt/packages"),
        "platform": _PLATFORM,
        "KVM": _KVM,
        "directories": LISTINGS,
        "libvirt": _LIBVIRT,
        "setup": _SETUP,
        "account": ("nestvirt/whoami",),
    }
)
"""What the probe answers on every machine, whatever it finds, by what it is about: docs/snapshot.md lists it from here."""

FIXED = tuple(chain.from_iterable(GROUPS.values()))
"""All of that: each of these is in a complete snapshot."""

_LARGE = ("proc/modules", "proc/meminfo", "proc/sysinfo")
_READ_BY_FUNCTIONS = frozenset({"proc/cpuinfo", "proc/1/environ-container", "proc/mounts", *DEVICE_TREE})


def _is_plain_file(name: str) -> bool:
    return not name.endswith("/") and not name.startswith("sys/module/") and name not in _READ_BY_FUNCTIONS


SMALL_FILES = tuple(
    name for name in FIXED if name.startswith(("proc/", "sys/")) and _is_plain_file(name) and name not in _LARGE
)
"""Files of the kernel that the probe's shell reads by itself: a process less each."""

FILES = (*_LARGE, *(name for name in FIXED if name.startswith(("etc/", "usr/", "run/", ".")) and _is_plain_file(name)))
"""Files that the probe reads by a command each."""

PARAMETERS = tuple(name for name in _KVM if name.startswith("sys/module/") and "/parameters/" in name)
"""Parameters of modules whose absence is an answer, too."""

LIBVIRT_DOMAINS = "etc/libvirt/qemu/"
"""The definitions of the domains; only what lies directly there, the rest are networks and links."""

LIBVIRT_STATUS = "run/libvirt/qemu/"
"""The states and definitions of the running domains, in sosreports; only what lies directly there."""

BELOW = (
    *(f"sys/module/{module}/" for module in MODULES),
    *MODPROBE,
    "sys/kernel/mm/hugepages/",
    "sos_commands/virsh/",
    LIBVIRT_DOMAINS,
    LIBVIRT_STATUS,
    "nestvirt/",
)
"""Directories all of whose files are sections."""

ELSEWHERE = {
    "proc/modules": ("sos_commands/kernel/lsmod", "lsmod"),
    "sos_commands/kernel/dmesg": (
        "sos_commands/kernel/dmesg_-T",
        "sos_commands/general/dmesg",
        "var/log/dmesg",
        "dmesg",
    ),
    "sos_commands/kernel/uname_-a": ("uname",),
    "sos_commands/processor/lscpu": ("sos_commands/hardware/lscpu", "lscpu"),
    "sos_commands/cloud_init/cloud-init_status_--long": ("sos_commands/cloud_init/cloud-init_status",),
    "sos_commands/release/lsb_release_-a": (
        "sos_commands/lsbrelease/lsb_release_-a",
        "sos_commands/lsbrelease/lsb_release",
        "lsb-release",
    ),
    "proc/mounts": ("proc/self/mounts", "sos_commands/filesys/mount_-l"),
    "sos_commands/host/hostnamectl_status": ("sos_commands/host/hostnamectl", "sos_commands/systemd/hostnamectl"),
    "installed-rpms": (),
    "installed-debs": (),
}
"""Sections that sosreports keep under several names, the best first."""

LINK_TARGETS = (
    "sos_commands/rpm/",
    "sos_commands/dpkg/",
    "sos_commands/kernel/",
    "sos_commands/processor/",
    "sys/devices/virtual/dmi/id/",
    *(f"sys/firmware/devicetree/base/{name.removeprefix('proc/device-tree/')}" for name in DEVICE_TREE),
)
"""Where links in the places of sections lead: those at the top of a sosreport, and the kernel's own."""

_FILES = frozenset((*FIXED, *ELSEWHERE, *(name for names in ELSEWHERE.values() for name in names)))


def is_section(name: str) -> bool:
    """Whether a file of that path is a section that facts are made from."""
    for directory in (LIBVIRT_DOMAINS, LIBVIRT_STATUS):
        if name.startswith(directory):
            return name.endswith(".xml") and "/" not in name.removeprefix(directory)
    return name in _FILES or name.startswith(BELOW)


def is_useful(name: str) -> bool:
    """Whether the contents of a file of that path are worth keeping while a tree is read."""
    return is_section(name) or name.startswith(LINK_TARGETS) or name.rpartition("/")[2] in {INDEX, LISTING_FILE}


def is_on_the_way(directory: str) -> bool:
    """Whether a directory holds, at any depth, what a snapshot is made of. Its path ends in no slash."""
    within = directory + "/"
    return within in _PARENTS or within.startswith((*BELOW, *LISTINGS, *LINK_TARGETS))


def _parents(names: tuple[str, ...]) -> frozenset[str]:
    parts = (name.split("/") for name in names)
    return frozenset("/".join(p[:depth]) + "/" for p in parts for depth in range(1, len(p)))


_PARENTS = _parents((*_FILES, *BELOW, *LINK_TARGETS, "sys/module/any", "sos_logs/", "sos_reports/"))

ROOTS = frozenset(parent.rstrip("/") for parent in _PARENTS if parent.count("/") == 1)
"""The directories at the top of a tree. A single one that is none of these is a folder around the tree."""
