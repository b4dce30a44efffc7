"""Keys made for one lab: nothing of the user's own is ever handed to a machine.

A lab that is booted has new ones; one that is restored from a saved state has those of the lab that was saved.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

_KIND = b"ssh-ed25519"


@dataclass(frozen=True, slots=True)
class KeyPair:
    """An ed25519 key in the forms that OpenSSH and dropbear want."""

    private: Ed25519PrivateKey

    @classmethod
    def generate(cls) -> KeyPair:
        """Make a new one."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_seed(cls, seed: str) -> KeyPair:
        """The one that `seed` is of. Raises ValueError."""
        return cls(Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed)))

    @property
    def seed(self) -> str:
        """All there is to the private half, in hexadecimal digits."""
        return self.private.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()).hex()

    @property
    def openssh(self) -> bytes:
        """The private half as a client's identity file."""
        return self.private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())

    @property
    def dropbear(self) -> bytes:
        """The private half as dropbear keeps its host key (dropbear, src/ed25519.c, buf_put_ed25519_priv_key)."""
        return _string(_KIND) + _string(bytes.fromhex(self.seed) + self._raw)

    @property
    def public(self) -> str:
        """`ssh-ed25519 AAAA...`, as in authorized_keys and, after a name, in known_hosts."""
        return f"{_KIND.decode()} {base64.b64encode(_string(_KIND) + _string(self._raw)).decode()}"

    @property
    def _raw(self) -> bytes:
        return self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one lab."""

    client: KeyPair
    """Who may log in."""
    hosts: Mapping[str, KeyPair]
    """Host keys, by level: `L0`."""

    @classmethod
    def generate(cls, levels: Iterable[str]) -> Keys:
        """Make new ones."""
        return cls(KeyPair.generate(), {level: KeyPair.generate() for level in levels})

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Keys:
        """What `as_json` has written. Raises KeyError, TypeError or ValueError."""
        hosts = {level: KeyPair.from_seed(seed) for level, seed in saved["hosts"].items()}
        return cls(KeyPair.from_seed(saved["client"]), hosts)

    def as_json(self) -> dict[str, object]:
        """For a file that only its user can read."""
        return {"client": self.client.seed, "hosts": {level: pair.seed for level, pair in self.hosts.items()}}


def _string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data
