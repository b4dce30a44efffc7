"""Keys made for one lab: nothing of the user's own is ever handed to a machine, and none is reused."""

from __future__ import annotations

import base64
import struct
from dataclasses import dataclass

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

    @property
    def openssh(self) -> bytes:
        """The private half as a client's identity file."""
        return self.private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())

    @property
    def dropbear(self) -> bytes:
        """The private half as dropbear keeps its host key (dropbear, src/ed25519.c, buf_put_ed25519_priv_key)."""
        seed = self.private.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
        return _string(_KIND) + _string(seed + self._raw)

    @property
    def public(self) -> str:
        """`ssh-ed25519 AAAA...`, as in authorized_keys and, after a name, in known_hosts."""
        return f"{_KIND.decode()} {base64.b64encode(_string(_KIND) + _string(self._raw)).decode()}"

    @property
    def _raw(self) -> bytes:
        return self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def _string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data
