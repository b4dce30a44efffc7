"""What a scalar of a document means."""

from __future__ import annotations

import re

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
# No leading zeros: YAML 1.1 reads 0755 as 493, YAML 1.2 as 755. Eighteen digits are more than any setting needs, and
# keep int() from its limit of 4300.
_DECIMAL = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})")
_OCTAL = re.compile(r"0o[0-7]{1,18}")
_HEXADECIMAL = re.compile(r"0x[0-9A-Fa-f]{1,15}")


def resolve_plain(text: str) -> bool | int | str | None:
    """The value of an unquoted scalar.

    The booleans, nulls and integers of the core schema (YAML 1.2.2, section 10.3.2) without leading zeros; any other
    scalar, decimal fractions included, is the text itself.

    >>> [resolve_plain(text) for text in ("true", "on", "22", "0x1f", "0755", "22:22", "8.10", "~")]
    [True, 'on', 22, 31, '0755', '22:22', '8.10', None]
    """
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _DECIMAL.fullmatch(text):
        return int(text)
    if _OCTAL.fullmatch(text) or _HEXADECIMAL.fullmatch(text):
        return int(text, 0)
    return text
