"""What this machine lacks for a lab, and the one command that installs it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass

from pytest_nestvirt.lab.apt import KEYRING
from pytest_nestvirt.lab.model import LabCase

_PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))
_PROGRAMS = {"apt-get": "apt", "dpkg-deb": "dpkg", "tar": "tar", "mke2fs": "e2fsprogs"}
"""What builds images -> its package."""


@dataclass(frozen=True, slots=True)
class Lack:
    """Something that is missing."""

    what: str
    package: str
    """Debian's package that has it."""


def lacking(cases: Iterable[LabCase]) -> tuple[Lack, ...]:
    """What is missing for these cases, each thing once."""
    programs = {**_PROGRAMS, **{c.architecture.emulator: c.architecture.emulator_package for c in cases}}
    found = [
        Lack(program, package) for program, package in programs.items() if shutil.which(program, path=_PATH) is None
    ]
    if not KEYRING.is_file():
        found.append(Lack(str(KEYRING), "debian-archive-keyring"))
    return tuple(found)


def remedy(lacks: Iterable[Lack]) -> str:
    """The command that installs it; where there is no apt, what that means."""
    packages = sorted({lack.package for lack in lacks})
    if {"apt", "dpkg"} & set(packages):
        return "labs are built from Debian's packages, by apt and dpkg: use a Debian or Ubuntu machine or container"
    return f"sudo apt-get install --no-install-recommends {' '.join(packages)}" if packages else ""
