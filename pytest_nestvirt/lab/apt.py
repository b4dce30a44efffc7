"""Debian's packages without touching the user's system: an apt of our own per architecture and suite.

It has its own lists, status and archives below the cache directory and trusts Debian's keyring only, so it needs no root
and neither sees nor changes what is installed (apt.conf(5), sources.list(5)).
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_nestvirt.lab.problem import LabError

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_MIRROR = "http://deb.debian.org/debian"
_SECURITY = "http://deb.debian.org/debian-security"
_SECONDS = 900
_CHANGING = re.compile(r"Mirror sync in progress|Hash Sum mismatch|unexpected size")
_CONSEQUENCE = "Some index files failed to download"
_URI = re.compile(r"^'(?P<uri>[^']+)' (?P<file>\S+) (?P<size>\d+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Package:
    """One package file as apt would fetch it."""

    file: str
    """`busybox-static_1%3a1.35.0-4_ppc64el.deb`: name, version and architecture."""
    size: int
    """Bytes."""

    @property
    def name(self) -> str:
        """`busybox-static`."""
        return self.file.partition("_")[0]


class Apt:
    """The packages of one suite for one of Debian's architectures, kept below `directory`."""

    def __init__(self, directory: Path, suite: str, architecture: str) -> None:
        self._directory = directory
        self._suite = suite
        self._architecture = architecture
        self.note = ""
        """What was not as it should be and could be done without; one line."""

    def update(self) -> None:
        """Fetch the lists, signatures checked. Raises `LabError`.

        Security updates are left out while their index is caught in the middle of a change, as mirrors are at times: the
        suite itself is complete without them. Whatever else is wrong, signatures first of all, is an error.
        """
        self._prepare()
        self._write_sources(security=True)
        complete = self._run("apt-get", "-q", "-o", "APT::Update::Error-Mode=any", "update", check=False)
        if complete.returncode == 0:
            return
        if not _is_changing(complete.stderr):
            raise LabError(f"lab: apt-get update for {self._suite}/{self._architecture}: {_reason(complete.stderr)}")
        self._write_sources(security=False)
        self._run("apt-get", "-q", "-o", "APT::Update::Error-Mode=any", "update")
        self.note = f"{self._suite}-security for {self._architecture} can't be read now: {_reason(complete.stderr)}"

    def kernel(self, metapackage: str) -> str:
        """Name of the kernel package that a metapackage stands for at present. Raises `LabError`."""
        shown = self._run("apt-cache", "--no-all-versions", "show", metapackage).stdout
        found = re.search(r"^Depends:.*?\b(linux-image-[0-9][^\s,]*)", shown, re.MULTILINE)
        if found is None:
            raise LabError(
                f"{metapackage} of {self._suite} ({self._architecture}) names no kernel; seen: {shown[:80]!r}"
            )
        return found[1]

    def closure(self, names: Sequence[str]) -> tuple[Package, ...]:
        """The packages and all that they depend on, by file name. Raises `LabError`."""
        # apt does not print what it has already, so it is shown an empty store.
        empty = f"Dir::Cache::archives={self._directory / 'none'}"
        return _packages(self._run("apt-get", "-y", "-o", empty, "--print-uris", "install", *names).stdout)

    def alone(self, name: str) -> tuple[Package, ...]:
        """One package without what it depends on. Raises `LabError`."""
        return _packages(self._run("apt-get", "--print-uris", "download", name).stdout)

    def fetch(self, names: Sequence[str], alone: Sequence[str]) -> Path:
        """Download the closure of `names` and the packages `alone`; the directory they are in. Raises `LabError`."""
        archives = self._directory / "archives"
        self._run("apt-get", "-y", "-q", "--download-only", "install", *names)
        if alone:
            self._run("apt-get", "-q", "download", *alone, cwd=archives)
        return archives

    def forget(self) -> None:
        """Remove the downloaded packages: what was made of them is kept elsewhere."""
        shutil.rmtree(self._directory / "archives", ignore_errors=True)

    def _prepare(self) -> None:
        if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
            raise LabError("lab: apt-get and dpkg-deb are needed to fetch Debian's packages; this system has no apt")
        if not KEYRING.is_file():
            raise LabError(
                f"lab: {KEYRING} is missing, nothing can be verified; apt-get install debian-archive-keyring"
            )
        for name in ("lists/partial", "archives/partial", "none/partial"):
            (self._directory / name).mkdir(parents=True, exist_ok=True)
        (self._directory / "status").write_bytes(b"")
        (self._directory / "apt.conf").write_text(self._settings(), "utf-8")

    def _settings(self) -> str:
        here = self._directory
        return "".join(
            f'{key} "{value}";\n'
            for key, value in (
                ("APT::Architecture", self._architecture),
                ("APT::Architectures", self._architecture),
                ("APT::Install-Recommends", "false"),
                ("APT::Sandbox::User", ""),
                ("Acquire::Languages", "none"),
                ("Acquire::Retries", "2"),
                ("Dir::State", here),
                ("Dir::State::lists", here / "lists"),
                ("Dir::State::status", here / "status"),
                ("Dir::Cache", here),
                ("Dir::Cache::archives", here / "archives"),
                ("Dir::Etc::sourcelist", here / "lab.sources"),
                ("Dir::Etc::sourceparts", "/dev/null"),
                ("Dir::Etc::preferencesparts", "/dev/null"),
                ("Dir::Etc::preferences", "/dev/null"),
            )
        )

    def _write_sources(self, *, security: bool) -> None:
        places = [(_MIRROR, self._suite), *([(_SECURITY, f"{self._suite}-security")] if security else [])]
        stanzas = (
            f"Types: deb\nURIs: {mirror}\nSuites: {suite}\nComponents: main\nSigned-By: {KEYRING}\n"
            for mirror, suite in places
        )
        (self._directory / "lab.sources").write_text("\n".join(stanzas), "utf-8")

    def _run(self, *command: str, check: bool = True, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        settings = {**os.environ, "APT_CONFIG": str(self._directory / "apt.conf"), "LC_ALL": "C"}
        try:
            completed = subprocess.run(  # noqa: S603 - words of our own, no shell
                command,
                cwd=cwd or self._directory,
                env=settings,
                capture_output=True,
                text=True,
                errors="replace",
                stdin=subprocess.DEVNULL,
                timeout=_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise LabError(
                f"lab: {' '.join(command[:4])} ... took more than {_SECONDS} s; is the mirror slow?"
            ) from None
        if check and completed.returncode != 0:
            what = f"{command[0]} for {self._suite}/{self._architecture}"
            raise LabError(f"lab: {what} ended with {completed.returncode}: {_reason(completed.stderr)}")
        return completed


def _packages(printed: str) -> tuple[Package, ...]:
    return tuple(
        sorted((Package(hit["file"], int(hit["size"])) for hit in _URI.finditer(printed)), key=lambda p: p.file)
    )


def _is_changing(stderr: str) -> bool:
    """Whether every complaint of apt is about an index of security updates that changes just now.

    >>> _is_changing("E: Failed to fetch http://x/debian-security/y  Hash Sum mismatch")
    True
    >>> _is_changing("E: The repository 'http://x/debian-security y InRelease' is not signed.")
    False
    """
    complaints = [line for line in stderr.splitlines() if line.startswith("E:")]
    fetching = [line for line in complaints if "/debian-security/" in line and _CHANGING.search(line)]
    return bool(fetching) and all(line in fetching or _CONSEQUENCE in line for line in complaints)


def _reason(stderr: str) -> str:
    """The first complaint of apt, for people: `E: Unable to locate package x`."""
    lines = stderr.splitlines()
    complaints = [line for sign in ("E:", "Err:", "W:") for line in lines if line.startswith(sign)]
    return " ".join((complaints or [stderr.strip() or "no reason given"])[0].split())[:200]


def content_key(packages: Sequence[Package], recipe: bytes) -> str:
    """Hexadecimal name of what comes of these packages by that recipe."""
    told = "\n".join(sorted(package.file for package in packages)).encode()
    return hashlib.sha256(told + b"\0" + recipe).hexdigest()[:20]
