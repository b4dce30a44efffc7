"""Signs that a release which calls itself `rhel` is not Red Hat's: pure.

Rebuilds such as Springdale and Scientific Linux have ID=rhel in os-release(5); other variables of the file, the file that
/etc/redhat-release links to, and the package that owns it name them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from pytest_nestvirt.facts.system.os_release import OsRelease

_NAMES = ("NAME", "PRETTY_NAME", "REDHAT_SUPPORT_PRODUCT", "REDHAT_BUGZILLA_PRODUCT", "VENDOR_NAME")
_NAME = "red hat enterprise linux"
_CPE = re.compile(r"cpe:(?:/|2\.3:)o:(?P<vendor>[^:]*):")
_HOST = re.compile(r"https?://(?P<host>[^/:]+)")
_OTHERS_VARIABLE = re.compile(
    r"(?:ALMALINUX|CENTOS|CIRCLE|CLOUDLINUX|EUROLINUX|MIRACLELINUX|NAVY|OPENELA|ORACLE|ROCKY|SCIENTIFIC|SPRINGDALE|VZLINUX)_"
)

RELEASE_PACKAGES = (
    "almalinux-release",
    "centos-linux-release",
    "centos-release",
    "centos-stream-release",
    "circle-release",
    "cloudlinux-release",
    "eurolinux-release",
    "miraclelinux-release",
    "navylinux-release",
    "oraclelinux-release",
    "rocky-release",
    "sl-release",
    "springdale-release",
    "vzlinux-release",
)
"""Packages with the release files of rebuilds. `epel-release` and the like are not among them: they add a repository."""

_LINK = re.compile(r"\S*-release")


def others_fields(release: OsRelease) -> Iterator[str]:
    """Variables of os-release that name another maker of the release than Red Hat, `NAME=...` each."""
    for name in _NAMES:
        value = release.get(name)
        if value and not _is_red_hats(value):
            yield f"{name}={value}"
    cpe, home = _CPE.match(release.get("CPE_NAME")), _HOST.match(release.get("HOME_URL"))
    if cpe and cpe["vendor"] != "redhat":
        yield f"CPE_NAME={release.get('CPE_NAME')}"
    if home and not f".{home['host'].lower()}".endswith(".redhat.com"):
        yield f"HOME_URL={release.get('HOME_URL')}"
    yield from (name for name in release.values if _OTHERS_VARIABLE.match(name))


def _is_red_hats(name: str) -> bool:
    """Also where the file has only the beginning of the name."""
    lower = name.strip().lower()
    return lower.startswith("red hat") or _NAME.startswith(lower)


def others_link(target: str) -> str:
    """The file that /etc/redhat-release links to, if it is not Red Hat's; empty where it is, or where there is no link."""
    name = target.strip().rpartition("/")[2]
    return "" if name in {"", "redhat-release"} else f"/etc/redhat-release is a link to {target.strip()}"


def link_in_text(text: str) -> str:
    """The target where a tree was copied by something that writes links as files which hold it."""
    stripped = text.strip()
    return stripped if _LINK.fullmatch(stripped) else ""


def others_packages(installed: Mapping[str, str]) -> Iterator[str]:
    """Installed packages that hold the release files of a rebuild."""
    yield from (f"the package {name} is installed" for name in RELEASE_PACKAGES if name in installed)
