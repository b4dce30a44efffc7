"""Any text, from a file, an option or a machine, as one line of a message."""

from __future__ import annotations

_OUTPUT_LIMIT = 300


def one_line(text: str, limit: int = 80) -> str:
    r"""The text without control characters, cut to `limit` characters.

    >>> one_line("kvm\x1b01"), one_line("x" * 9, 4)
    ('kvm?01', 'xxx…')
    """
    shown = "".join(character if character.isprintable() else "?" for character in text)
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def excerpt(output: bytes, limit: int = _OUTPUT_LIMIT) -> str:
    r"""What a command printed: its lines that are not blank, joined with semicolons.

    >>> excerpt(b"error: no domain\n\n  try again\n")
    'error: no domain; try again'
    """
    lines = output[: 8 * limit].decode("utf-8", errors="replace").splitlines()
    return one_line("; ".join(line.strip() for line in lines if line.strip()), limit)
