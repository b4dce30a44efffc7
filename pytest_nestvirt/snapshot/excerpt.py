"""What a machine printed, cut down to one line for messages."""

from __future__ import annotations

_ERROR_LENGTH = 300


def excerpt(said: bytes, limit: int = _ERROR_LENGTH) -> str:
    """What a machine said as one printable line of at most `limit` characters."""
    lines = said[: 8 * limit].decode("utf-8", errors="replace").splitlines()
    joined = "; ".join(line.strip() for line in lines if line.strip())
    printable = "".join(c if c.isprintable() else "?" for c in joined)
    return printable if len(printable) <= limit else printable[: limit - 1] + "…"
