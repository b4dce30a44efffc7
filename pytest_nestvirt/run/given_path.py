"""Files and directories that options name. Imports nothing heavy: it is asked before an inventory is in use."""

from __future__ import annotations

from pathlib import Path

import pytest


def given_path(option: str, text: str, directory: Path) -> Path:
    """The path that an option names, relative to a directory. Raises `pytest.UsageError` where it names none."""
    if not text.strip():
        raise pytest.UsageError(f"{option}: the path is empty (an unset variable?)")
    try:
        return directory / Path(text).expanduser()
    except RuntimeError:
        raise pytest.UsageError(f"{option}: {text}: unknown home directory; write the path in full") from None
