"""os-release(5) and /etc/redhat-release: pure parsers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType

_ASSIGNMENT = re.compile(r"\s*(?P<name>[A-Za-z_][A-Za-z0-9_]*)=(?P<value>.*)")
_PIECE = re.compile(r"""'(?P<single>[^']*)'|"(?P<double>(?:\\.|[^"\\])*)"|\\(?P<escaped>.)|(?P<plain>[^\s'"\\]+)""")
_RELEASE_LINE = re.compile(r"(?P<product>\S.*?) release (?P<version>[0-9]+(?:\.[0-9]+)*)(?P<rest>.*)")

_PRODUCTS = (
    ("rhcos", r"Red Hat Enterprise Linux CoreOS"),
    ("rhel", r"Red Hat Enterprise Linux\b.*"),
    ("centos", r"CentOS\b.*"),
    ("rocky", r"Rocky Linux\b.*"),
    ("almalinux", r"AlmaLinux\b.*"),
    ("fedora", r"Fedora\b.*"),
    ("scientific", r"Scientific Linux\b.*"),
    ("ol", r"Oracle Linux\b.*"),
    ("cloudlinux", r"CloudLinux\b.*"),
)


@dataclass(frozen=True, slots=True)
class OsRelease:
    """The assignments of an os-release file."""

    values: MappingProxyType[str, str]

    def get(self, name: str) -> str:
        """The value of a variable; empty if it is not set, which is the same to os-release(5)."""
        return self.values.get(name, "")


@dataclass(frozen=True, slots=True)
class ProductRelease:
    """The line of /etc/redhat-release."""

    os_id: str
    """In os-release's spelling; empty for a product that is not known here."""
    product: str
    version: tuple[int, ...]
    prerelease: bool


def parse_os_release(text: str) -> OsRelease:
    """Parse `NAME=value` lines quoted as for a POSIX shell; the last assignment of a name holds.

    A line that a shell would not take as one assignment (unbalanced quotes, several words) is passed over: guessing a
    distribution from it is worse than not knowing.
    """
    return OsRelease(MappingProxyType(dict(_assignments(text))))


def _assignments(text: str) -> Iterator[tuple[str, str]]:
    for line in text.split("\n"):
        found = _ASSIGNMENT.fullmatch(line.rstrip())
        value = unquote(found["value"]) if found else None
        if found and value is not None:
            yield found["name"], value


def unquote(text: str) -> str | None:
    r"""The value of `text` as a shell word, without expansions; None if it is not exactly one word.

    >>> unquote('"a \\"b\\" c"')
    'a "b" c'
    """
    place = 0
    pieces: list[str] = []
    while place < len(text):
        found = _PIECE.match(text, place)
        if found is None:
            return None if text[place:].strip() and not text[place:].lstrip().startswith("#") else "".join(pieces)
        pieces.append(_piece(found))
        place = found.end()
    return "".join(pieces)


def _piece(found: re.Match[str]) -> str:
    if found["double"] is not None:
        return re.sub(r'\\([$`"\\])', r"\1", found["double"])
    return found[found.lastgroup or 0]


def parse_redhat_release(text: str) -> ProductRelease | None:
    """Parse `Red Hat Enterprise Linux Server release 7.0 (Maipo)`; None if the text is not such a line."""
    found = _RELEASE_LINE.match(text.strip().partition("\n")[0])
    if found is None:
        return None
    product = found["product"]
    os_id = next((name for name, pattern in _PRODUCTS if re.fullmatch(pattern, product)), "")
    return ProductRelease(os_id, product, version_numbers(found["version"]) or (), is_prerelease(found["rest"]))


_PRERELEASE = re.compile(r"\b(?:alpha|beta|htb|pre-?release|rc[0-9]*)\b", re.IGNORECASE)


def is_prerelease(text: str) -> bool:
    """Whether a version or the rest of a release line is that of an Alpha, a Beta or a High Touch Beta: ` 8.0 HTB (Ootpa)`."""
    return _PRERELEASE.search(re.sub(r"\([^)]*\)", "", text)) is not None


def version_numbers(text: str) -> tuple[int, ...] | None:
    """`8.10` as (8, 10); None for anything that is not numbers with dots between."""
    return tuple(map(int, text.split("."))) if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})*", text) else None
