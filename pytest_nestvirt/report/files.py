"""The files that reports are made of, and those of ours that an earlier run left.

Whoever publishes what lies in the directory takes it for the last run's word. So a run takes the earlier ones away before
anything can go wrong, and one that comes to no verdict (a mistake in the inventory, `--collect-only`, a kill) leaves none.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from pytest_nestvirt.report.writing import ReportError

RESULT = "result.json"
JUNIT = "junit.xml"
JUNIT_TITLE = "pytest-nestvirt chain"
"""How the name of the root element begins in a `junit.xml` of ours."""

_RESULT_BEGINS = b'{\n  "cases": ['
_RESULT_NAMES = b'"pytest-nestvirt": "'


def remove_earlier(directory: Path, keep: Collection[Path] = ()) -> None:
    """Remove every `result.json` and `<chain>/junit.xml` of ours but those to keep; never a file of anybody else.

    Raises `ReportError` where one cannot be read or removed.
    """
    try:
        for path in _ours(directory):
            if path not in keep:
                path.unlink(missing_ok=True)
    except OSError as error:
        raise ReportError(
            f"{error.filename or directory}: an earlier run's report cannot be removed ({error.strerror or error}); "
            "remove it, or name another directory with --nestvirt-report"
        ) from None


def _ours(directory: Path) -> Iterator[Path]:
    yield from filter(_is(_is_result), directory.glob(RESULT))
    yield from filter(_is(_is_junit), directory.glob(f"*/{JUNIT}"))


def _is(ours: Callable[[bytes], bool]) -> Callable[[Path], bool]:
    return lambda path: path.is_file() and ours(path.read_bytes())


def _is_result(data: bytes) -> bool:
    """By its first key and by the tool that it names, as `canonical.to_json` writes them."""
    return data.startswith(_RESULT_BEGINS) and _RESULT_NAMES in data


def _is_junit(data: bytes) -> bool:
    return f'<testsuites name="{JUNIT_TITLE}'.encode() in data[:200]
