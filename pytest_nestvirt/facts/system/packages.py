"""Facts about installed packages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from pytest_nestvirt.observation.fact import Subject, Unobservable, fact

PACKAGES = "nestvirt/packages"
RPMS = "installed-rpms"
DEBS = "installed-debs"

_NEVRA = re.compile(r"(?P<name>\S+)-(?P<version>[^-\s]+-[^-\s]+)\.[^-.\s]+(\s.*)?")
_DPKG = re.compile(r"[ih]i\s+(?P<name>[^\s:]+)(:\S+)?\s+(?P<version>\S+)(\s.*)?")
_PLAIN = re.compile(r"(?P<name>\S+)\s+(?P<version>\S+)\s*")

_SHAPES = {PACKAGES: _PLAIN, RPMS: _NEVRA, DEBS: _DPKG}


class Packages(Subject):
    """What the package manager lists. A live host was asked for the packages that matter here only."""

    name = "packages"

    @fact
    def installed(self) -> Mapping[str, str]:
        """Version (of an rpm: version-release) by name; of several installed versions the last one listed."""
        for source, shape in _SHAPES.items():
            if self.reader.under(source):
                found = dict(parse_packages(self.read(source), shape))
                if not found and source != PACKAGES:
                    raise Unobservable(source, "lists no package, so the package manager gave no answer")
                return MappingProxyType(found)
        raise Unobservable(PACKAGES, "not collected")


def parse_packages(text: str, shape: re.Pattern[str]) -> Iterator[tuple[str, str]]:
    """Name and version of each line of that shape; other lines (headings, packages that were removed) are passed over."""
    for line in text.split("\n"):
        found = shape.fullmatch(line.strip())
        if found:
            yield found["name"], found["version"]
