"""Where labs keep things: downloads and images in the user's cache, running labs in the user's state directory."""

from __future__ import annotations

import os
from pathlib import Path

_NAME = "pytest-nestvirt"


def cache_directory() -> Path:
    """Downloads and images, which may be deleted at any time: `$XDG_CACHE_HOME/pytest-nestvirt/lab`."""
    return _base("XDG_CACHE_HOME", ".cache") / _NAME / "lab"


def state_directory() -> Path:
    """One directory for each lab that runs: `$XDG_STATE_HOME/pytest-nestvirt/labs`."""
    return _base("XDG_STATE_HOME", ".local/state") / _NAME / "labs"


def _base(variable: str, below_home: str) -> Path:
    """As the XDG base directory specification has it: a relative path in the variable does not count."""
    named = Path(os.environ.get(variable, ""))
    return named if named.is_absolute() else Path.home() / below_home
