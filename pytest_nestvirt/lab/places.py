"""Where labs keep things: downloads and images in the user's cache, running labs in the user's state directory."""

from __future__ import annotations

import os
from pathlib import Path

from pytest_nestvirt.lab.problem import LabError

_NAME = "pytest-nestvirt"
_NOT_IN_CACHE = ':;$="\\'
"""ld.so(8) splits --library-path at the first two and expands the third, env(1) takes what has a `=` for a variable, and
values of apt.conf(5) can hold neither of the last two."""
_NOT_IN_STATE = ',%$"\\'
"""pytest's --hosts is split at commas; ssh_config(5) expands `%` and `$`, and the others end or escape its quotes."""


def cache_directory() -> Path:
    """Downloads and images, which may be deleted at any time: `$XDG_CACHE_HOME/pytest-nestvirt/lab`.

    Raises `LabError` where that can't be used.
    """
    return _base("XDG_CACHE_HOME", ".cache", _NOT_IN_CACHE) / _NAME / "lab"


def state_directory() -> Path:
    """One directory for each lab that runs: `$XDG_STATE_HOME/pytest-nestvirt/labs`. Raises `LabError` likewise."""
    return _base("XDG_STATE_HOME", ".local/state", _NOT_IN_STATE) / _NAME / "labs"


def _base(variable: str, below_home: str, refused: str) -> Path:
    """As the XDG base directory specification has it: a relative path in the variable does not count."""
    named = Path(os.environ.get(variable, ""))
    path = named if named.is_absolute() else _home(variable) / below_home
    # What can't be printed, a newline above all, can't be written in a configuration either.
    odd = next((character for character in str(path) if character in refused or not character.isprintable()), None)
    if odd is not None:
        raise LabError(f"lab: {str(path)!r} can't be used, its name has a {odd!r}; set {variable} to another directory")
    return path


def _home(variable: str) -> Path:
    try:
        return Path.home()
    except RuntimeError:
        raise LabError(f"lab: this user has no home directory; set {variable} to a directory") from None
