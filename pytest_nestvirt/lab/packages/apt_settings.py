"""The settings of our own apt: all of them ours, except for access to the network.

apt.conf(5) has apt read the file of $APT_CONFIG first and the system's configuration after it, which would win: it may switch
signatures off, run commands or have packages kept elsewhere. Our file points apt at none instead.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from pytest_nestvirt.lab.packages.doctor import program

_CARRIED_OVER = re.compile(
    r'^Acquire::(?:https?::[^\s"]+|ForceIPv[46]|Check-Valid-Until|Check-Date) "[^"\n]*";$', re.MULTILINE
)
"""Proxies, certificates and the like; and whether old indexes are accepted, which has nothing to do with signatures: where the
administrator has decided so, mirrors are reached that fall behind."""


def settings(directory: Path, architecture: str, system: str) -> str:
    """The file for $APT_CONFIG: an apt for `architecture` that lives in `directory`.

    `system` is the configuration of the system, as `of_system` has it.
    """
    ours = (
        ("APT::Architecture", architecture),
        ("APT::Architectures", architecture),
        ("APT::Install-Recommends", "false"),
        ("APT::Sandbox::User", ""),
        ("APT::Get::AllowUnauthenticated", "false"),
        ("Acquire::AllowInsecureRepositories", "false"),
        ("Acquire::AllowWeakRepositories", "false"),
        ("Acquire::AllowDowngradeToInsecureRepositories", "false"),
        ("Acquire::Languages", "none"),
        ("Acquire::Retries", "2"),
        ("Dir::State", directory),
        ("Dir::State::lists", directory / "lists"),
        ("Dir::State::status", directory / "status"),
        ("Dir::Cache", directory),
        ("Dir::Cache::archives", directory / "archives"),
        # Quickly made, and 35 MB each.
        ("Dir::Cache::pkgcache", ""),
        ("Dir::Cache::srcpkgcache", ""),
        ("Dir::Etc::main", "/dev/null"),
        ("Dir::Etc::parts", "/dev/null"),
        ("Dir::Etc::sourcelist", directory / "lab.sources"),
        ("Dir::Etc::sourceparts", "/dev/null"),
        ("Dir::Etc::preferences", "/dev/null"),
        ("Dir::Etc::preferencesparts", "/dev/null"),
    )
    return "".join([*(f"{line}\n" for line in carried_over(system)), *(f'{key} "{value}";\n' for key, value in ours)])


def carried_over(system: str) -> list[str]:
    """The lines of the system's configuration that hold for us as well.

    >>> carried_over('Acquire::http::Proxy "http://proxy:3128";')
    ['Acquire::http::Proxy "http://proxy:3128";']
    >>> carried_over('Acquire::AllowInsecureRepositories "true";')
    []
    """
    return _CARRIED_OVER.findall(system)


def of_system() -> str:
    """The configuration that the user's own apt has; a line for each value: `Acquire::http::Proxy "http://x";`."""
    words = [program("apt-config"), "dump"]
    shown = subprocess.run(words, capture_output=True, check=False, stdin=subprocess.DEVNULL)  # noqa: S603 - no shell
    return shown.stdout.decode("utf-8", "replace")
