"""A real sshd on loopback, with keys of its own: for every test that needs a host which is reached by SSH."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from pytest_nestvirt.inventory.host import Connection, Deadlines, Host, SshAccess

SSHD = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")
_START_SECONDS = 20.0
_LISTEN_SOCKETS = 16


def why_not() -> str:
    """Why no sshd can be run here; empty if one can."""
    if SSHD is None or shutil.which("ssh-keygen") is None:
        return "needs sshd and ssh-keygen (apt-get install openssh-server)"
    if os.geteuid() == 0:
        with suppress(OSError):
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        if not Path("/run/sshd").is_dir():
            return "sshd run by root needs the directory /run/sshd"
    return ""


def make_key(path: Path, passphrase: str = "", kind: str = "ed25519") -> Path:
    """A new private key; its public half stands beside it."""
    for old in (path, path.with_name(path.name + ".pub")):
        old.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", "test", "-f", str(path)], check=True)
    return path


def public(key: Path) -> str:
    """`type base64` of a key made by `make_key`."""
    return " ".join(key.with_name(key.name + ".pub").read_text().split()[:2])


def free_port() -> int:
    """A TCP port that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def descendants(pid: int) -> list[int]:
    """The process ids below one process."""
    parents = dict(_parents())
    found = [child for child, parent in parents.items() if parent == pid]
    return [*found, *(lower for child in found for lower in descendants(child))]


def _parents() -> Iterator[tuple[int, int]]:
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            yield int(entry.parent.name), int(entry.read_text().rpartition(")")[2].split()[1])


class Sshd:
    """One sshd process on any number of loopback addresses, all on one port.

    Logs in the user who runs the tests, by `client_key`. `config` are further lines of sshd_config.
    """

    def __init__(
        self, directory: Path, *, addresses: Sequence[str] = ("127.0.0.1",), config: Sequence[str] = ()
    ) -> None:
        self.directory = directory
        self.addresses = tuple(addresses)
        self.port = free_port()
        self.user = getpass.getuser()
        self.config = list(config)
        self.host_key = make_key(directory / "host_key")
        self.client_key = make_key(directory / "client_key")
        self.authorized_keys = directory / "authorized_keys"
        self.authorize(self.client_key)
        self.known_hosts = directory / "known_hosts"
        self.remember_host_key()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def address(self) -> str:
        """Its first address."""
        return self.addresses[0]

    @property
    def log(self) -> str:
        """What it has logged."""
        return (self.directory / "sshd.log").read_text(errors="replace")

    def authorize(self, *keys: Path) -> None:
        """Let these keys in, and no others."""
        self.authorized_keys.write_text("".join(f"{public(key)}\n" for key in keys))

    def known_hosts_text(self, key: Path | None = None) -> str:
        """Lines of a known_hosts file for all its addresses."""
        shown = public(key or self.host_key)
        return "".join(f"[{address}]:{self.port} {shown}\n" for address in self.addresses)

    def remember_host_key(self) -> None:
        """Write the file that `host` verifies against."""
        self.known_hosts.write_text(self.known_hosts_text())

    def rotate_host_key(self) -> None:
        """Restart with another host key; the known_hosts file keeps the old one."""
        self.kill()
        make_key(self.host_key)
        self.start()

    def start(self) -> Self:
        """Start and wait until it listens."""
        lines = [
            *self._listen(),
            f"Port {self.port}",
            f"HostKey {self.host_key}",
            *self.config,
            # The first line of a kind counts: these give way to what the test wants.
            f"AuthorizedKeysFile {self.authorized_keys}",
            "PermitRootLogin yes",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "UsePAM no",
            "StrictModes no",
            "PidFile none",
            "UseDNS no",
            "PrintMotd no",
            "PrintLastLog no",
            "MaxStartups 1000",
            # bash reads ~/.bashrc for every command of an ssh session; what the user has there is no part of a test.
            f"SetEnv HOME={self.directory}",
            "LogLevel VERBOSE",
        ]
        (self.directory / "sshd_config").write_text("\n".join(lines) + "\n")
        command = [str(SSHD), "-D", "-e", "-f", str(self.directory / "sshd_config")]
        with (self.directory / "sshd.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._wait()
        return self

    def _listen(self) -> list[str]:
        """One line an address; sshd has no more than 16 (MAX_LISTEN_SOCKS), more are all, for loopback clients only."""
        if len(self.addresses) > _LISTEN_SOCKETS:
            return ["ListenAddress 0.0.0.0", "AllowUsers *@127.0.0.0/8"]
        return [f"ListenAddress {address}" for address in self.addresses]

    def _wait(self) -> None:
        assert self._process is not None
        until = time.monotonic() + _START_SECONDS
        while time.monotonic() < until and self._process.poll() is None:
            with suppress(OSError), socket.create_connection((self.address, self.port), 1):
                return
            time.sleep(0.01)
        self.kill()
        raise RuntimeError(f"sshd did not start: {self.log}")

    @property
    def pid(self) -> int:
        """Of the listening process."""
        assert self._process is not None
        return self._process.pid

    def stop_listening(self) -> None:
        """End the listening process; sessions go on."""
        self._signal(signal.SIGTERM, [])

    def kill(self) -> None:
        """End it with every session and what they run."""
        if self._process is not None:
            self._signal(signal.SIGKILL, descendants(self.pid))

    def freeze(self) -> list[int]:
        """Stop every process of it, as a hanging host would; returns their ids for `thaw`."""
        pids = [self.pid, *descendants(self.pid)]
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        return pids

    @staticmethod
    def thaw(pids: list[int]) -> None:
        """Let them go on."""
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def _signal(self, number: signal.Signals, further: list[int]) -> None:
        assert self._process is not None
        for pid in [self.pid, *further]:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        self._process.wait(10)
        self._process = None

    def access(self, address: str | None = None) -> SshAccess:
        """How to log in to it."""
        return SshAccess(
            address=address or self.address,
            port=self.port,
            user=self.user,
            identity=self.client_key,
            known_hosts=(self.known_hosts,),
            config=Path(os.devnull),
            agent=False,
        )

    def host(self, name: str = "kvm01", address: str | None = None, **changes: Any) -> Host:  # noqa: ANN401 - fields of SshAccess
        """It as a machine of an inventory. `changes` go to its `SshAccess`, or to the `Host` if that has the field."""
        mine = {key: changes.pop(key) for key in list(changes) if key in Host.__dataclass_fields__}
        machine = Host(
            name, 0, None, Connection.SSH, replace(self.access(address), **changes), Deadlines(5.0, 5.0, 20.0)
        )
        return replace(machine, **mine)
