"""What is special about one machine of one lab: an archive that is appended to the first file system it starts from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pytest_nestvirt.lab.image.cpio import Archive
from pytest_nestvirt.lab.keys import KeyPair

_HERE = "run/lab"
_PASSWD = "root:*:0:0:root:/root:/bin/sh\nnobody:*:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"  # noqa: S105
_GROUP = "root:x:0:\nkvm:x:106:\nnogroup:x:65534:\n"


@dataclass(frozen=True, slots=True)
class Network:
    """How a machine is to set up its network device."""

    address: str
    """Without the 24 of its network."""
    gateway: str


QEMUS_OWN = Network("10.0.2.15", "10.0.2.2")
"""What QEMU's user-mode network is made for."""


@dataclass(frozen=True, slots=True)
class Guest:
    """The guest that a machine runs."""

    archive: bytes
    """Its own overlay."""
    start: str
    """Script that starts it and ends when it does. The first file system is /run/guest-initrd."""
    archives: tuple[str, ...]
    """Files on the parent that make up the first file system, in front of the overlay."""
    files: Mapping[str, str] = field(default_factory=dict)
    """What the script reads, by name: files in /run/lab."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How one machine is set up."""

    level: str
    """`L0`."""
    modules: Sequence[str]
    """Modules that are loaded before anything else is done."""
    disk: str
    """Device of the disk with programs (`/dev/vda`); empty for a machine that has none."""
    kvm: str
    """Module by which the machine runs guests; empty where it is not to."""
    host_key: KeyPair
    client: KeyPair
    """Who may log in."""
    files: Mapping[str, str] = field(default_factory=dict)
    """More files, by path without the slash in front: `etc/modprobe.d/kvm.conf`."""
    guest: Guest | None = None
    network: Network = QEMUS_OWN
    systemd: bool = False
    """Whether systemd is its first process."""


def overlay(settings: Settings) -> bytes:
    """The archive for one machine."""
    archive = Archive()
    archive.file(f"{_HERE}/level", _level(settings).encode())
    archive.file(f"{_HERE}/hostkey", settings.host_key.dropbear, 0o600)
    for name, text in _files(settings).items():
        archive.file(f"{_HERE}/root/{name}", text.encode(), 0o600 if name.startswith("root/") else 0o644)
    if settings.guest is not None:
        archive.file(f"{_HERE}/guest.cpio", settings.guest.archive)
        archive.file(f"{_HERE}/guest.sh", settings.guest.start.encode())
        for name, text in settings.guest.files.items():
            archive.file(f"{_HERE}/{name}", text.encode())
    return archive.finished()


def _level(settings: Settings) -> str:
    words = {
        "level": settings.level,
        "modules": " ".join(settings.modules),
        "disk": settings.disk,
        "kvm": settings.kvm,
        "guest_archives": " ".join(settings.guest.archives) if settings.guest else "",
        "address": settings.network.address,
        "gateway": settings.network.gateway,
        "systemd": "yes" if settings.systemd else "",
    }
    return "".join(f"{name}='{value}'\n" for name, value in words.items())


def _files(settings: Settings) -> dict[str, str]:
    return {
        "etc/passwd": _PASSWD,
        "etc/group": _GROUP,
        "etc/shells": "/bin/sh\n",
        "etc/hostname": f"{settings.level.lower()}.example.com\n",
        "etc/hosts": "127.0.0.1 localhost\n",
        "root/.ssh/authorized_keys": f"{settings.client.public} nestvirt-lab\n",
        **settings.files,
    }
