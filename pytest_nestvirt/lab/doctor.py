"""What this machine lacks for a lab, and the one command that installs it."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterable
from dataclasses import dataclass

from pytest_nestvirt.lab.apt import KEYRING
from pytest_nestvirt.lab.supply import HERE

_PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))
_PROGRAMS = {"apt-get": "apt", "dpkg-deb": "dpkg", "tar": "tar", "mke2fs": "e2fsprogs"}
"""What unpacks packages and builds images -> its package."""


@dataclass(frozen=True, slots=True)
class Lack:
    """Something that is missing."""

    what: str
    package: str
    """Debian's package that has it; empty where none has."""


def lacking() -> tuple[Lack, ...]:
    """What is missing for labs, each thing once. Emulators are not: they are taken from Debian's packages, too."""
    found = [
        Lack(program, package) for program, package in _PROGRAMS.items() if shutil.which(program, path=_PATH) is None
    ]
    if not KEYRING.is_file():
        found.append(Lack(str(KEYRING), "debian-archive-keyring"))
    if platform.machine() not in HERE:
        found.append(Lack(f"an emulator for this machine, a {platform.machine()}", ""))
    return tuple(found)


def remedy(lacks: Iterable[Lack]) -> str:
    """The command that installs it; where there is none, what that means."""
    packages = sorted({lack.package for lack in lacks})
    if "" in packages:
        return f"Debian has emulators for {', '.join(HERE)}: use such a machine"
    if {"apt", "dpkg"} & set(packages):
        return "labs are built from Debian's packages, by apt and dpkg: use a Debian or Ubuntu machine or container"
    return f"sudo apt-get install --no-install-recommends {' '.join(packages)}" if packages else ""
