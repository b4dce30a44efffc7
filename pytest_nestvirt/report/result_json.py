"""`result.json`: everything a run found out, so that two runs can be compared line by line.

Keys are sorted, cases are in the order of the inventory, and whatever differs between two equal runs (moments and durations)
is under `timing`. The shape is described in `result.schema.json`, beside this module. Files of version 1 are read, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

from pydantic import TypeAdapter, ValidationError

from pytest_nestvirt.report import files
from pytest_nestvirt.report.case import SCHEMA_VERSION, RunReport
from pytest_nestvirt.report.result_form import ResultRecord
from pytest_nestvirt.report.result_reading import DanglingNameError, run_of
from pytest_nestvirt.report.result_version_1 import run_of_version_1
from pytest_nestvirt.report.result_writing import result_parts
from pytest_nestvirt.report.sanitize import plain
from pytest_nestvirt.report.writing import ReportError, write_whole

__all__ = ["FILE_NAME", "ReportError", "load_json", "to_json", "write_json"]

FILE_NAME = files.RESULT
SCHEMA_FILE = Path(__file__).with_name("result.schema.json")


@dataclass(frozen=True, slots=True)
class _Versioned:
    schema_version: str


_VERSION: Final = TypeAdapter(_Versioned)
_RESULT: Final = TypeAdapter(ResultRecord)


def to_json(run: RunReport) -> str:
    """The canonical text of a run, with a newline at its end."""
    return "".join(result_parts(run))


def write_json(run: RunReport, directory: Path) -> Path:
    """Write `result.json` into the directory, at once or not at all. Raises `ReportError`."""
    return write_whole(directory / FILE_NAME, result_parts(run))


def load_json(path: Path) -> RunReport:
    """Read a `result.json` of this major version of the schema or of version 1. Raises `ReportError` with one line."""

    def refuse(why: str) -> NoReturn:
        raise ReportError(f"{path}: {why}; expected is a {FILE_NAME} as --nestvirt-report leaves it") from None

    try:
        data = path.read_bytes()
        major = _major(data)
        if major == "1":
            return run_of_version_1(data)
        if major != SCHEMA_VERSION.partition(".")[0]:
            refuse(f"has schema version {plain(major, 40)}.x, this program reads 1.x and {SCHEMA_VERSION}")
        return run_of(_RESULT.validate_json(data, strict=True))
    except OSError as error:
        refuse(f"cannot be read ({error.strerror or error})")
    except ValidationError as error:
        refuse(_complaint(error))
    except DanglingNameError as error:
        refuse(plain(str(error), 400))
    except UnicodeDecodeError:
        refuse("is not UTF-8 text")
    except (KeyError, TypeError, AttributeError):
        refuse("`hosts`, `cases` or `timing` is not what the schema says")


def _major(data: bytes) -> str:
    """The major version of a file. Raises `UnicodeDecodeError`, or `ValidationError` where it is not JSON or has none."""
    data.decode()
    return _VERSION.validate_json(data, strict=True).schema_version.partition(".")[0]


def _complaint(error: ValidationError) -> str:
    """The first thing that is wrong, in a few words."""
    first = error.errors(include_url=False)[0]
    if first["type"] == "json_invalid":
        return f"is not JSON ({first['msg'].removeprefix('Invalid JSON: ')})"
    place = ".".join(map(str, first["loc"]))
    if error.title == _Versioned.__name__:
        return "has no `schema_version`"
    return plain(f"{place or 'the file'}: {first['msg']}", 400)
