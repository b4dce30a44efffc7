"""Facts about how a Linux machine has been set up to run virtual machines."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from pytest_nestvirt.facts.kernel.kernel import Kernel
from pytest_nestvirt.facts.system.cloud_init import parse_status, parse_user_data_hostname
from pytest_nestvirt.facts.system.host_validate import CheckLine, parse_host_validate
from pytest_nestvirt.facts.system.services import ServiceState, parse_units
from pytest_nestvirt.observation.fact import Reader, Subject, Unobservable, fact
from pytest_nestvirt.observation.partial import LSCPU
from pytest_nestvirt.observation.unknown import known_or

HOST_VALIDATE = "nestvirt/virt-host-validate_qemu"
CLOUD_INIT = "sos_commands/cloud_init/cloud-init_status_--long"
CLOUD_INIT_SHORT = "sos_commands/cloud_init/cloud-init_status"
CLOUD_INIT_LOG = "var/log/cloud-init-output.log"
USER_DATA = "nestvirt/cloud-init_hostname"
SERVICES = "nestvirt/services"
GROUPS = "nestvirt/groups"
ACCOUNT = "nestvirt/id"
WHOAMI = "nestvirt/whoami"
HOSTNAME = "proc/sys/kernel/hostname"
SECURE_BOOT = "nestvirt/secure_boot"
ROTATIONAL = "nestvirt/rotational"
DISK_FREE = "nestvirt/df"

IMAGES = "/var/lib/libvirt/images"

_GROUP = re.compile(r"(?P<group>[^:\s]+):[^:]*:[0-9]*:(?P<members>[^:]*)")
_ACCOUNT = re.compile(r"uid=[0-9]+\((?P<user>[^()]+)\) gid=[0-9]+(?:\([^()]*\))?(?: groups=(?P<groups>\S+))?.*")
_NAMED = re.compile(r"[0-9]+\(([^()]+)\)")
_DISK = re.compile(r"(?P<name>\S+)\s+(?P<rotational>[01])")
_FREE = re.compile(r"\S.*?\s+[0-9]+\s+[0-9]+\s+(?P<free>[0-9]+)\s+(?:[0-9]+%|-)\s+(?P<mount>/.*)")
_WITH_EFI = frozenset({"x86_64", "i686", "i586", "i486", "i386", "aarch64", "riscv64", "loongarch64"})
"""Where Secure Boot is a matter of UEFI; POWER and IBM Z have secure boots of their own."""


class Guest(Subject):
    """libvirt's own check of the host, cloud-init, services, groups, disks. Every fact is `Unobservable` on Windows."""

    name = "guest"

    def __init__(self, reader: Reader, kernel: Kernel) -> None:
        super().__init__(reader)
        self._kernel = kernel

    @fact
    def host_validate(self) -> Mapping[str, CheckLine]:
        """Each line of `virt-host-validate qemu`, by what it checks: `hardware virtualization`, `/dev/kvm exists`, ..."""
        return parse_host_validate(self.read(HOST_VALIDATE), HOST_VALIDATE)

    @fact
    def cloud_init_status(self) -> str:
        """`done`, `running`, `error`, `degraded`, `disabled` or `not run`. Steps of `runcmd` that fail do not show in it."""
        return parse_status(self.read(CLOUD_INIT, CLOUD_INIT_SHORT), CLOUD_INIT)

    @fact
    def cloud_init_log(self) -> tuple[str, ...]:
        """Lines of what cloud-init's steps printed; of a live machine only those that concern virtualization."""
        return tuple(line.rstrip() for line in self.read(CLOUD_INIT_LOG).split("\n") if line.strip())

    @fact
    def cloud_init_hostname(self) -> str:
        """`hostname:` of the user data that this machine was given."""
        return parse_user_data_hostname(self.read(USER_DATA), USER_DATA)

    @fact
    def services(self) -> Mapping[str, ServiceState]:
        """Units of libvirt that systemd has: `libvirtd`, `virtqemud`, `virtqemud.socket`, ... One that it lacks is not there."""
        return parse_units(self.read(SERVICES), SERVICES)

    @fact
    def groups(self) -> Mapping[str, tuple[str, ...]]:
        """For each member of the groups `libvirt` and `kvm`, which of them; for the account that looked, all its groups.

        Who has one of them as primary group is seen of that account only.
        """
        found: dict[str, set[str]] = {}
        for group, members in _groups(self._group_lines()):
            for member in members:
                found.setdefault(member, set()).add(group)
        user, own = self._account()
        if user:
            found[user] = found.get(user, set()) | own
        return MappingProxyType({user: tuple(sorted(groups)) for user, groups in sorted(found.items())})

    def _group_lines(self) -> str:
        text = self.read(GROUPS)
        if any(not _GROUP.fullmatch(line.strip()) for line in text.split("\n") if line.strip()):
            raise Unobservable(GROUPS, f"not lines NAME:x:GID:MEMBERS: {text.strip()[:60]!r}")
        return text

    def _account(self) -> tuple[str, set[str]]:
        found = _ACCOUNT.fullmatch(known_or(lambda: self.read(ACCOUNT), "").strip())
        return (found["user"], set(_NAMED.findall(found["groups"] or ""))) if found else ("", set())

    @fact
    def sudo_nopasswd(self) -> bool:
        """Whether the account that looked becomes root by sudo without a password. `Unobservable` for root itself."""
        found = re.fullmatch(r"uid=(?P<uid>[0-9]{1,10}) sudo=(?P<sudo>yes|no|none)", self.read(WHOAMI).strip())
        if found is None or found["sudo"] == "none":
            raise Unobservable(WHOAMI, "sudo was not tried: the account is root, may not, or has no sudo")
        return found["sudo"] == "yes"

    @fact
    def hostname(self) -> str:
        """The name that the kernel has for it."""
        name = self.read(HOSTNAME, "etc/hostname", "hostname").strip()
        if not name:
            raise Unobservable(HOSTNAME, "is empty")
        return name

    @fact
    def secure_boot(self) -> bool:
        """Whether UEFI Secure Boot is on: the variable SecureBoot is 1. False without UEFI or the variable."""
        text = self.read(SECURE_BOOT).strip()
        if text == "no variable" or (text == "no EFI" and self._kernel.architecture in _WITH_EFI):
            return False
        found = re.fullmatch(
            r"SecureBoot\s*(?:=\s*(?P<byte>[01])|(?P<word>enabled|disabled))", text.split("\n")[0].strip()
        )
        if found is None:
            raise Unobservable(SECURE_BOOT, f"does not show it: {text[:60]!r}")
        return found["byte"] == "1" or found["word"] == "enabled"

    @fact
    def disks_rotational(self) -> Mapping[str, bool]:
        """Whether each disk reports that it rotates. In a virtual machine the hypervisor often makes that up."""
        found = [_DISK.fullmatch(line.strip()) for line in self.read(ROTATIONAL).split("\n")]
        disks = {disk["name"]: disk["rotational"] == "1" for disk in found if disk}
        if not disks:
            raise Unobservable(ROTATIONAL, "shows no disk")
        return MappingProxyType(disks)

    @fact
    def free_kib(self) -> Mapping[str, int]:
        """KiB free for ordinary accounts at `/` and at `/var/lib/libvirt/images`, whatever file system that lies on."""
        mounts = {found["mount"].strip(): int(found["free"]) for found in map(_FREE.fullmatch, self._df()) if found}
        if "/" not in mounts:
            raise Unobservable(DISK_FREE, "does not show /")
        below = [mount for mount in mounts if f"{IMAGES}/".startswith(f"{mount.rstrip('/')}/")]
        return MappingProxyType({"/": mounts["/"], IMAGES: mounts[max(below, key=len)]})

    def _df(self) -> list[str]:
        return [line.rstrip() for line in self.read(DISK_FREE).split("\n")]

    @fact
    def lscpu_virtualization(self) -> str:
        """The line `Virtualization:` of lscpu: `VT-x`, `AMD-V`; empty where it has none. `Virtualization type:` is another."""
        text = self.read(LSCPU)
        found = re.search(r"^[ \t]*Virtualization:[ \t]*(?P<what>.*?)[ \t]*\r?$", text, re.MULTILINE)
        if found:
            return str(found["what"])
        if not re.search(r"^[ \t]*Architecture:", text, re.MULTILINE):
            raise Unobservable(LSCPU, "not the output of lscpu in English")
        return ""


def _groups(text: str) -> list[tuple[str, list[str]]]:
    lines = [_GROUP.fullmatch(line.strip()) for line in text.split("\n")]
    return [(line["group"], [member for member in line["members"].split(",") if member]) for line in lines if line]
