"""`lsb_release -a`, which sosreports keep: a pure parser, for records without release files."""

from __future__ import annotations

import re

from pytest_nestvirt.facts.system.os_release import ProductRelease, is_prerelease, version_numbers

SOURCE = "sos_commands/release/lsb_release_-a"

_LINE = re.compile(r"^(?P<key>[A-Z][A-Za-z ]*):[ \t]*(?P<value>.*?)[ \t\r]*$", re.MULTILINE)
_IDS = {
    "almalinux": "almalinux",
    "centos": "centos",
    "debian": "debian",
    "fedora": "fedora",
    "oracleserver": "ol",
    "redhatenterprise": "rhel",
    "redhatenterpriseserver": "rhel",
    "rocky": "rocky",
    "scientific": "scientific",
    "ubuntu": "ubuntu",
}
"""Distributor ID, in small letters, to the ID of os-release."""


def parse_lsb_release(text: str) -> ProductRelease | None:
    r"""The distributor and its release; None where the text has none that is known here.

    >>> parse_lsb_release("Distributor ID:\tUbuntu\nDescription:\tUbuntu 22.04.3 LTS\nRelease:\t22.04\n").version
    (22, 4)
    """
    lines = {found["key"]: found["value"] for found in _LINE.finditer(text)}
    os_id, version = _IDS.get(lines.get("Distributor ID", "").lower()), version_numbers(lines.get("Release", ""))
    if os_id is None or version is None:
        return None
    return ProductRelease(os_id, lines["Distributor ID"], version, is_prerelease(lines.get("Description", "")))
