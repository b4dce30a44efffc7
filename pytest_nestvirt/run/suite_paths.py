"""Which suites the arguments of pytest lead to."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

REQUIREMENTS = "requirements.yml"


def suite_folders(paths: Iterable[Path], below: int = 1) -> list[Path]:
    """The folders with a `requirements.yml` and tests at or just above these paths, or `below` levels under them, each once, sorted.

    A `requirements.yml` without a `source:` line is another tool's file (Ansible has such files) and does not count.
    """
    return sorted({folder.resolve() for path in paths for folder in _near(path, below) if _is_suite(folder)})


def _near(path: Path, below: int) -> Iterable[Path]:
    folder = path if path.is_dir() else path.parent
    yield folder
    yield folder.parent
    if path.is_dir():
        for depth in range(1, below + 1):
            yield from (found.parent for found in path.glob("/".join(["*"] * depth) + f"/{REQUIREMENTS}"))


def _is_suite(folder: Path) -> bool:
    file = folder / REQUIREMENTS
    try:
        with file.open(encoding="utf-8") as lines:
            return any(line.startswith("source:") for line in lines)
    except (OSError, UnicodeDecodeError):
        return False
