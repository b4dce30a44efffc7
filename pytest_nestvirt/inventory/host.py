"""The contents of an inventory: machines, how deep they are nested, and how each is reached."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path


class Connection(StrEnum):
    """How a host is accessed."""

    SSH = "ssh"
    LOCAL = "local"
    RECORDED = "recorded"
    NONE = "none"


class HostKeyPolicy(StrEnum):
    """What happens when a host shows a key that no known_hosts file has."""

    VERIFY = "verify"
    ACCEPT_NEW = "accept-new"


class Become(StrEnum):
    """Whether the probe may become root: `auto` uses `sudo -n` where it is granted, `sudo` requires it, `never` forbids it."""

    AUTO = "auto"
    SUDO = "sudo"
    NEVER = "never"


class Provider(StrEnum):
    """Who offers the virtual machines on this host."""

    LIBVIRT = "libvirt"
    VSPHERE = "vsphere"
    PROXMOX = "proxmox"
    HYPERV = "hyperv"
    AZURE = "azure"
    EC2 = "ec2"
    GCE = "gce"


class Environment(StrEnum):
    """What the host is used for; `prod` makes "not recommended in production" apply."""

    DEV = "dev"
    TEST = "test"
    PREPROD = "preprod"
    PROD = "prod"


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long things may take, in seconds."""

    connect: float = 10.0
    authenticate: float = 20.0
    command: float = 60.0


@dataclass(frozen=True, slots=True)
class SshAccess:
    """How to log in over SSH. None means: as ~/.ssh/config and the defaults have it."""

    address: str | None = None
    port: int | None = None
    user: str | None = None
    identity: Path | None = None
    certificate: Path | None = None
    password_env: str | None = field(default=None, repr=False)
    """Name of the environment variable that holds the password. Not shown: the password may be written here by mistake."""
    known_hosts: tuple[Path, ...] = ()
    """Files to verify the host key against; empty: the user's and the system's."""
    host_key: HostKeyPolicy = HostKeyPolicy.VERIFY
    config: Path | None = None
    """OpenSSH client configuration; None: ~/.ssh/config where it exists."""
    agent: bool = True


@dataclass(frozen=True, slots=True)
class Host:
    """One machine of the inventory. Its level is its depth: 0 for a hypervisor that is not inside another machine of the file."""

    name: str
    level: int
    parent: str | None
    connection: Connection
    ssh: SshAccess = field(default_factory=SshAccess)
    deadlines: Deadlines = field(default_factory=Deadlines)
    via: str | None = None
    """Host whose connection this one goes through (its parent unless the file says otherwise); None: directly."""
    path: Path | None = None
    """Of the recorded snapshot: a directory, an archive or a sosreport."""
    domain: str = ""
    """Name by which the parent's libvirt knows it."""
    provider: Provider = Provider.LIBVIRT
    environment: Environment | None = None
    treat_as: str | None = None
    """Judge this host by the rules for that operating system id (`rhel`), without calling it supported."""
    become: Become = Become.AUTO
    become_password_env: str | None = field(default=None, repr=False)
    expendable: bool = False
    file: str = ""
    line: int = 0

    def __str__(self) -> str:
        return f"{self.name} (L{self.level})"


@dataclass(frozen=True, slots=True)
class Inventory:
    """All hosts of one run, parents before their guests, in the order of the files."""

    hosts: tuple[Host, ...]
    files: tuple[Path, ...] = ()
    digest: str = ""
    """SHA-256 of the contents of the files, independent of comments and key order."""
    manifests: tuple[Path, ...] = ()
    """Files of VirtRigaud objects that are verified, too."""

    def __iter__(self) -> Iterator[Host]:
        return iter(self.hosts)

    def host(self, name: str) -> Host:
        """The host of that name. Raises KeyError."""
        for host in self.hosts:
            if host.name == name:
                return host
        raise KeyError(name)

    def guests(self, host: Host) -> tuple[Host, ...]:
        """The machines directly inside a host."""
        return tuple(guest for guest in self.hosts if guest.parent == host.name)

    def ancestry(self, host: Host) -> tuple[Host, ...]:
        """From the L0 down to the host itself."""
        return (*self.ancestry(self.host(host.parent)), host) if host.parent else (host,)

    def chains(self) -> tuple[tuple[Host, ...], ...]:
        """Every path from an L0 to a machine that contains no other: the units that are certified."""
        return tuple(self.ancestry(host) for host in self.hosts if not self.guests(host))
