"""Is this the same machine as last time? known_hosts files: read, matched, appended to.

Grammar: sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT"; a line is

    [@revoked|@cert-authority] names type key [comment]
    kvm01,192.0.2.10 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA...
    |1|F1E1KeoE/eEWhi10WpGv4OdiO6Y=|3988QV0VE8wmZL7suNrYQLITLCg= ssh-rsa AAAA1234.....

paramiko's own reader knows neither markers nor patterns nor line numbers, and takes a key of a type it has not seen yet
for that of an unknown host. Here a host that is known by one key is known: any other key is a changed one.
"""

from __future__ import annotations

import base64
import binascii
import fcntl
import fnmatch
import hashlib
import hmac
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import paramiko

from pytest_nestvirt.inventory.host import HostKeyPolicy
from pytest_nestvirt.regular_file import read_regular_file
from pytest_nestvirt.transport.base import Stage, TransportError

_REVOKED, _AUTHORITY = "@revoked", "@cert-authority"
_FILE_BYTES = 16 * 1024 * 1024
_writing = threading.Lock()


@dataclass(frozen=True, slots=True)
class KnownKey:
    """One line of a known_hosts file."""

    marker: str
    """`@revoked`, `@cert-authority` or empty."""
    names: tuple[str, ...]
    kind: str
    """Type of the key as the file spells it: `ssh-ed25519`."""
    blob: bytes
    line: int
    file: Path = Path()

    def is_of(self, name: str) -> bool:
        """Whether the line applies to that host (`name` or `[name]:port`): a pattern matches and no negated one does."""
        hits = [(pattern.startswith("!"), _matches(pattern.removeprefix("!"), name)) for pattern in self.names]
        return any(hit for negated, hit in hits if not negated) and not any(hit for negated, hit in hits if negated)

    @property
    def place(self) -> str:
        """File and line, for people."""
        return f"{self.file}:{self.line}"


def _matches(pattern: str, name: str) -> bool:
    if pattern.startswith("|1|"):
        return _matches_hash(pattern, name)
    # fnmatch would take `[` of `[host]:port` for a set of characters; OpenSSH knows * and ? only.
    return fnmatch.fnmatchcase(name, pattern.lower().replace("[", "[[]"))


def _matches_hash(pattern: str, name: str) -> bool:
    try:
        salt, digest = (base64.b64decode(part, validate=True) for part in pattern.split("|")[2:])
    except ValueError:
        return False
    return hmac.compare_digest(hmac.new(salt, name.encode("utf-8", "surrogateescape"), hashlib.sha1).digest(), digest)


def parse_known_hosts(text: str, file: Path = Path()) -> Iterator[KnownKey]:
    """The keys of a known_hosts file. Other lines are skipped, as OpenSSH does."""
    for number, line in enumerate(text.split("\n"), start=1):
        fields = line.split()
        if not fields or fields[0].startswith("#"):
            continue
        marker = fields.pop(0) if fields[0].startswith("@") else ""
        if len(fields) < 3 or marker not in ("", _REVOKED, _AUTHORITY):  # noqa: PLR2004 - names, type, key
            continue
        try:
            blob = base64.b64decode(fields[2], validate=True)
        except (binascii.Error, ValueError):
            continue
        yield KnownKey(marker, tuple(fields[0].split(",")), fields[1], blob, number, file)


def fingerprint(blob: bytes) -> str:
    """A public key as OpenSSH shows it: `SHA256:...`."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


class KnownHosts:
    """What the known_hosts files have about one host. Raises `TransportError` where one exists and cannot be read."""

    def __init__(self, host: str, name: str, files: Sequence[Path], policy: HostKeyPolicy) -> None:
        self._host = host
        self._name = name
        self._files = files
        self._policy = policy
        self._lines = [key for file in files for key in self._read(file) if key.is_of(name) or key.is_of(self._bare)]

    @property
    def _bare(self) -> str:
        """OpenSSH accepts a key known for the host on port 22 on its other ports, too (sshconnect.c, HOST_NEW)."""
        return self._name[1:].partition("]")[0] if self._name.startswith("[") else self._name

    def _read(self, file: Path) -> Iterator[KnownKey]:
        try:
            text = read_regular_file(file, _FILE_BYTES).decode("utf-8", "surrogateescape")
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise TransportError(
                self._host,
                Stage.HOST_KEY,
                f"{file} cannot be read: {error.strerror or error}",
                "set `known_hosts:` to another file",
            ) from error
        yield from parse_known_hosts(text, file)

    def _keys(self) -> list[KnownKey]:
        """The host's keys; another port's count only to accept the same key, never to refuse one."""
        return [key for key in self._lines if not key.marker and key.is_of(self._name)]

    def preferred(self, offered: Sequence[str]) -> list[str]:
        """Signature algorithms, those first for which a key of the host is known: otherwise it would show another one."""
        kinds = {key.kind for key in self._keys() or self._lines if not key.marker}
        known = [name for name in offered if ("ssh-rsa" if name.startswith("rsa-sha2-") else name) in kinds]
        return [*known, *(name for name in offered if name not in known)]

    def verify(self, key: paramiko.PKey) -> None:
        """Accept the key the host has shown, or raise `TransportError`."""
        blob = key.asbytes()
        for line in self._lines:
            if line.marker == _REVOKED and line.blob == blob:
                raise self._refusal(
                    f"the host shows a key that {line.place} revokes ({fingerprint(blob)})",
                    "do not trust this machine; if the marker is wrong, remove that line",
                )
        if any(line.blob == blob for line in self._lines if not line.marker):
            return
        if known := self._keys():
            raise self._changed(key, known)
        if self._policy is not HostKeyPolicy.ACCEPT_NEW:
            raise self._unknown(key)
        self._accept(key)

    def _refusal(self, what: str, remedy: str) -> TransportError:
        return TransportError(self._host, Stage.HOST_KEY, what, remedy)

    def _changed(self, key: paramiko.PKey, known: list[KnownKey]) -> TransportError:
        line = next((line for line in known if line.kind == key.get_name()), known[0])
        return self._refusal(
            f"THE HOST KEY HAS CHANGED: {line.place} has {line.kind} {fingerprint(line.blob)}, "
            f"the host shows {key.get_name()} {fingerprint(key.asbytes())}",
            f"the connection may be intercepted; if the host was reinstalled: ssh-keygen -R '{self._name}' -f '{line.file}'",
        )

    def _unknown(self, key: paramiko.PKey) -> TransportError:
        files = ", ".join(map(str, self._files)) or "(no file)"
        authority = next((line.place for line in self._lines if line.marker == _AUTHORITY), "")
        hint = (
            f" ({authority} has a @cert-authority for it, but host certificates are not supported)" if authority else ""
        )
        return self._refusal(
            f"the host shows {key.get_name()} {fingerprint(key.asbytes())}, and no key of {self._name} is known in {files}{hint}",
            "compare it with the key on the host and add it (ssh-keyscan), or set `host_key: accept-new`",
        )

    def _accept(self, key: paramiko.PKey) -> None:
        """Append the key to the first file, unless another process has just done so. A file lock keeps processes apart."""
        file = self._files[0]
        try:
            with _writing:
                file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._append(file, f"{self._name} {key.get_name()} {key.get_base64()}\n".encode(), key)
        except OSError as error:
            raise self._refusal(
                f"the new key cannot be written to {file}: {error.strerror or error}",
                "make it writable, or set `known_hosts:` to another file",
            ) from error

    def _append(self, file: Path, entry: bytes, key: paramiko.PKey) -> None:
        file.touch(mode=0o600)
        with file.open("r+b") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            before = stream.read()
            lines = parse_known_hosts(before.decode("utf-8", "surrogateescape"), file)
            now = [line for line in lines if line.is_of(self._name) and not line.marker]
            if any(known.blob == key.asbytes() for known in now):
                return
            if now:
                raise self._changed(key, now)
            stream.write((b"" if not before or before.endswith(b"\n") else b"\n") + entry)
