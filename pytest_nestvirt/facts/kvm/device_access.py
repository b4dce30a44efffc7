"""Facts about who may use KVM and libvirt on a machine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from pytest_nestvirt.facts.kvm.device import NUMBERS
from pytest_nestvirt.observation.fact import Subject, Unobservable, fact

SOURCE = "nestvirt/access"
DEVICE = "/dev/kvm"

_LINE = re.compile(
    r"(?P<type>[-bcdlps])(?P<mode>[-rwxsStT]{9})(?P<extra>[+.@]?)\s+[0-9]+\s+(?P<owner>\S+)\s+(?P<group>\S+)\s"
    r"(?:\s*(?P<major>[0-9]+),\s*(?P<minor>[0-9]+)\s)?.*?\s(?P<path>/\S+)"
)


class Users(StrEnum):
    """Who may open something for reading and writing, besides root."""

    EVERYONE = "everyone"
    GROUP = "group"
    OWNER = "owner"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Access:
    """The owner and the permissions of one file, as `ls -l` prints them."""

    mode: int
    """The nine permission bits, as in 0o660."""
    owner: str
    group: str
    numbers: tuple[int, int] | None
    """Major and minor of a character device; None for another kind of file."""
    has_acl: bool
    """Whether an access control list adds to the mode (`+`); its entries are not read."""

    @property
    def users(self) -> Users:
        """The widest circle that may read and write; root may at any rate."""
        for users, bits in ((Users.EVERYONE, 0o006), (Users.GROUP, 0o060), (Users.OWNER, 0o600)):
            if self.mode & bits == bits:
                return users
        return Users.NOBODY


class Permissions(Subject):
    """Who may open /dev/kvm, and who may speak to libvirt."""

    name = "access"

    @fact
    def kvm(self) -> Access:
        """Permissions of /dev/kvm; `Unobservable` where there is none, and where another file has that name."""
        found = self._listed().get(DEVICE)
        if found is None or found.numbers != NUMBERS:
            raise Unobservable(SOURCE, f"shows no {DEVICE}" if found is None else f"{DEVICE} is not KVM's device")
        return found

    @fact
    def kvm_users(self) -> Users:
        """Who may use /dev/kvm: everyone, its group, its owner. An access control list may name more."""
        return self.kvm.users

    @fact
    def kvm_group(self) -> str:
        """Name of the group that /dev/kvm belongs to."""
        return self.kvm.group

    @fact
    def libvirt_sockets(self) -> Mapping[str, Access]:
        """Sockets in /run/libvirt by path; empty where none is there.

        A socket that everyone may open is not a finding by itself: libvirt asks polkit about who is at the other end.
        """
        return MappingProxyType({path: access for path, access in self._listed().items() if path != DEVICE})

    def _listed(self) -> Mapping[str, Access]:
        return parse_listing(self.read(SOURCE), SOURCE)


def parse_listing(text: str, source: str) -> Mapping[str, Access]:
    """Parse `ls -l` of devices and sockets, by path. Raises `Unobservable` for a line that is of no file.

    >>> parse_listing("crw-rw---- 1 root kvm 10, 232 Nov 21 04:04 /dev/kvm", "here")["/dev/kvm"].users.value
    'group'
    """
    found: dict[str, Access] = {}
    for line in filter(str.strip, text.split("\n")):
        file = _LINE.fullmatch(line.strip())
        if file is None:
            raise Unobservable(source, f"not a line of `ls -l`: {line.strip()[:80]!r}")
        found[file["path"]] = Access(
            _mode(file["mode"]), file["owner"], file["group"], _numbers(file), has_acl=file["extra"] == "+"
        )
    return found


def _numbers(file: re.Match[str]) -> tuple[int, int] | None:
    return (int(file["major"]), int(file["minor"])) if file["type"] == "c" and file["major"] else None


def _mode(letters: str) -> int:
    return sum(1 << (8 - place) for place, letter in enumerate(letters) if letter not in "-ST")
