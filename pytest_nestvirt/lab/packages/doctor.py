"""What this machine lacks for a lab, and the one command that installs it."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pytest_nestvirt.lab.problem import LabError

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
"""The keys that Debian signs its archive with."""
HERE = {"x86_64": "amd64", "aarch64": "arm64", "ppc64le": "ppc64el", "s390x": "s390x", "riscv64": "riscv64"}
"""`uname -m` of machines that can run labs -> Debian's name of that architecture."""

_PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))
_PROGRAMS = {
    "apt-get": "apt",
    "apt-cache": "apt",
    "apt-config": "apt",
    "dpkg-deb": "dpkg",
    "tar": "tar",
    "mke2fs": "e2fsprogs",
    "debugfs": "e2fsprogs",
}
"""What fetches and unpacks packages and builds images -> its package."""


@dataclass(frozen=True, slots=True)
class Lack:
    """Something that is missing."""

    what: str
    package: str
    """Debian's package that has it; empty where none has."""


def program(name: str) -> str:
    """Path of a program; those of the administrator count, whatever PATH an ordinary user has. Raises `LabError`."""
    found = shutil.which(name, path=_PATH)
    if found is None:
        raise LabError(f"lab: {name} is missing; `nestvirt lab doctor` names the package")
    return found


def lacking() -> tuple[Lack, ...]:
    """What is missing for labs, each thing once. Emulators are not: they are taken from Debian's packages, too."""
    found = _lacking_to_make()
    if platform.machine() not in HERE:
        found.append(Lack(f"an emulator for this machine, a {platform.machine()}", ""))
    return tuple(found)


def require_tools(what: str) -> None:
    """Raises `LabError` where `what` can't be made of packages here; what is made already needs none of the tools."""
    if lacks := _lacking_to_make():
        missing = ", ".join(lack.what for lack in lacks)
        raise LabError(f"lab: {what} can't be made here, {missing} is missing: {remedy(lacks)}")


def _lacking_to_make() -> list[Lack]:
    found = [
        Lack(program, package) for program, package in _PROGRAMS.items() if shutil.which(program, path=_PATH) is None
    ]
    if not KEYRING.is_file():
        found.append(Lack(str(KEYRING), "debian-archive-keyring"))
    return found


def remedy(lacks: Iterable[Lack]) -> str:
    """The command that installs it; where there is none, what that means."""
    packages = sorted({lack.package for lack in lacks})
    if "" in packages:
        return f"Debian has emulators for {', '.join(HERE)}: use such a machine"
    if {"apt", "dpkg"} & set(packages):
        return "labs are built from Debian's packages, by apt and dpkg: use a Debian or Ubuntu machine or container"
    return f"sudo apt-get install --no-install-recommends {' '.join(packages)}" if packages else ""
