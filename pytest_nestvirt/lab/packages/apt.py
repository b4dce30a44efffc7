"""Debian's packages without touching the user's system: an apt of our own per architecture and suite.

It has its own settings, lists, status and archives below the cache directory and trusts Debian's keyring only, so it needs
no root and neither sees nor changes what is installed (sources.list(5)).
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pytest_nestvirt.lab.packages.apt_settings import of_system, settings
from pytest_nestvirt.lab.packages.doctor import KEYRING, program
from pytest_nestvirt.lab.problem import LabError

_STILL_SECONDS = 300.0
"""How long nothing may be fetched or written. apt itself gives a connection up that is silent for 30 s."""
_LOOK_SECONDS = 5.0
_CHANGING = re.compile(r"Mirror sync in progress|Hash Sum mismatch|unexpected size")
_CONSEQUENCE = "Some index files failed to download"
_REMEDIES = (
    (
        re.compile(r"Could not get lock|Unable to lock"),
        "if a lab was killed, `nestvirt lab down` ends what is left of it",
    ),
    (
        re.compile(r"not signed|signature|NO_PUBKEY|GPG error"),
        f"is {KEYRING} up to date, and is that Debian's archive?",
    ),
    (re.compile(r"Release file .* (?:is expired|is not valid yet)"), "is the clock of this machine right?"),
    (_CHANGING, "the mirror changes just now, so try again later"),
    (
        re.compile(r"Failed to fetch|does not have a Release file"),
        "is there a network, and is the proxy right (http_proxy, or Acquire::http::Proxy in /etc/apt/apt.conf.d)?",
    ),
)
"""What apt complains of -> what may help. The first that fits counts."""
_URI = re.compile(r"^'(?P<uri>[^']+)' (?P<file>\S+) (?P<size>\d+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Mirrors:
    """Where packages come from: URIs, as sources.list(5) takes them."""

    suite: str
    security: str


DEBIAN = Mirrors("http://deb.debian.org/debian", "http://deb.debian.org/debian-security")


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

    def __init__(self, directory: Path, suite: str, architecture: str, mirrors: Mirrors = DEBIAN) -> None:
        self._directory = directory
        self._mirrors = mirrors
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
        self.note = f"{self._suite}-security for {self._architecture} can't be read now: {_complaint(complete.stderr)}"

    def kernel(self, metapackage: str) -> str:
        """Name of the kernel package that a metapackage currently depends on. Raises `LabError`."""
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
        for name in ("lists/partial", "archives/partial", "none/partial"):
            (self._directory / name).mkdir(parents=True, exist_ok=True)
        (self._directory / "status").write_bytes(b"")
        # The address of a proxy may contain a password.
        self._settings.unlink(missing_ok=True)
        self._settings.touch(mode=0o600)
        self._settings.write_text(settings(self._directory, self._architecture, of_system()), "utf-8")

    @property
    def _settings(self) -> Path:
        return self._directory / "apt.conf"

    def _write_sources(self, *, security: bool) -> None:
        updates = [(self._mirrors.security, f"{self._suite}-security")] if security else []
        places = [(self._mirrors.suite, self._suite), *updates]
        stanzas = (
            f"Types: deb\nURIs: {mirror}\nSuites: {suite}\nComponents: main\nSigned-By: {KEYRING}\n"
            for mirror, suite in places
        )
        (self._directory / "lab.sources").write_text("\n".join(stanzas), "utf-8")

    def _run(self, *command: str, check: bool = True, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        with self._started([program(command[0]), *command[1:]], cwd or self._directory) as process:
            try:
                stdout, stderr = self._awaited(process)
            finally:
                process.kill()
        what = f"{command[0]} for {self._suite}/{self._architecture}"
        if check and process.returncode != 0:
            raise LabError(f"lab: {what} ended with {process.returncode}: {_reason(stderr)}")
        return subprocess.CompletedProcess(command, process.returncode, stdout, stderr)

    def _started(self, words: list[str], cwd: Path) -> subprocess.Popen[str]:
        return subprocess.Popen(  # noqa: S603 - words of our own, no shell
            words,
            cwd=cwd,
            env={**os.environ, "APT_CONFIG": str(self._settings), "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )

    def _awaited(self, process: subprocess.Popen[str]) -> tuple[str, str]:
        """What it printed, however long that took, if only something came in all the time. Raises `LabError`."""
        fetched, since = self._fetched(), time.monotonic()
        while True:
            with suppress(subprocess.TimeoutExpired):
                return process.communicate(timeout=_LOOK_SECONDS)
            if (now := self._fetched()) != fetched:
                fetched, since = now, time.monotonic()
            elif time.monotonic() - since > _STILL_SECONDS:
                raise LabError(
                    f"lab: apt for {self._suite}/{self._architecture} has fetched nothing for {_STILL_SECONDS:.0f} s; "
                    f"{_REMEDIES[-1][1]} What there is by now is kept: try again"
                )

    def _fetched(self) -> int:
        """Bytes of lists and packages, finished or not."""
        return sum(
            _size(Path(where) / name)
            for part in ("lists", "archives")
            for where, _, names in os.walk(self._directory / part)
            for name in names
        )


def _size(file: Path) -> int:
    try:
        return file.lstat().st_size
    except FileNotFoundError:
        return 0


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
    """The first complaint of apt, for people, and what may help: `E: Unable to locate package x`."""
    complaint = _complaint(stderr)
    remedy = next((remedy for sign, remedy in _REMEDIES if sign.search(complaint)), "")
    return f"{complaint}; {remedy}" if remedy else complaint


def _complaint(stderr: str) -> str:
    lines = stderr.splitlines()
    complaints = [line for sign in ("E:", "Err:", "W:") for line in lines if line.startswith(sign)]
    return " ".join((complaints or [stderr.strip() or "no reason given"])[0].split())[:200]


def content_key(packages: Sequence[Package], recipe: bytes) -> str:
    """Hexadecimal name of what comes of these packages by that recipe."""
    listed = "\n".join(sorted(package.file for package in packages)).encode()
    return hashlib.sha256(listed + b"\0" + recipe).hexdigest()[:20]
