"""`result.json`: everything a run found out, so that two runs can be compared line by line.

Keys are sorted, cases stand in the order of the inventory, and whatever differs between two equal runs (moments and
durations) stands together under `timing`. The shape is described in `result.schema.json`, beside this module.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NoReturn, cast

from pydantic import TypeAdapter, ValidationError

from pytest_nestvirt.report import files
from pytest_nestvirt.report.case import SCHEMA_VERSION, Case, RunReport
from pytest_nestvirt.report.sanitize import block, plain
from pytest_nestvirt.report.writing import ReportError, write_whole

__all__ = ["FILE_NAME", "ReportError", "load_json", "to_json", "write_json"]

FILE_NAME = files.RESULT
SCHEMA_FILE = Path(__file__).with_name("result.schema.json")

NO_LEVEL = -1
"""What the file has for the level of an object of a manifest, until its form changes with version 2.0."""

_MAX_LINES = 400
_MAX_CHARACTERS = 16_000
"""Bounds of one string in the file: no host and no assertion can blow the report up."""

_RUN: Final = TypeAdapter(RunReport)


def to_json(run: RunReport) -> str:
    """The canonical text of a run, with a newline at its end."""
    ordered = replace(run, cases=in_order(run))
    written = cast("dict[str, Any]", _harmless(_RUN.dump_python(ordered, mode="json")))
    for judged in _with_level(written):
        judged["level"] = NO_LEVEL if judged["level"] is None else judged["level"]
    written["timing"] = {
        "started": written.pop("started"),
        "finished": written.pop("finished"),
        "hosts": [_host_timing(host) for host in written["hosts"]],
        "cases": [timing for case in written["cases"] if (timing := _case_timing(case))],
    }
    written["schema_version"] = SCHEMA_VERSION
    return json.dumps(written, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def in_order(run: RunReport) -> tuple[Case, ...]:
    """The cases by host (order of the inventory) and source; requirements stay in the order they are given in."""
    places = {host.name: place for place, host in enumerate(run.hosts)}
    return tuple(sorted(run.cases, key=lambda case: (places.get(case.host, len(places)), case.host, case.source)))


def write_json(run: RunReport, directory: Path) -> Path:
    """Write `result.json` into the directory, at once or not at all. Raises `ReportError`."""
    return write_whole(directory / FILE_NAME, to_json(run))


def _with_level(written: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every part of the file that has a level: hosts, cases and their evidence."""
    yield from written["hosts"]
    for case in written["cases"]:
        yield case
        yield from case["evidence"]


def _host_timing(host: dict[str, Any]) -> dict[str, Any]:
    return {"host": host["name"], "collected_at": host.pop("collected_at"), "seconds": _seconds(host)}


def _case_timing(case: dict[str, Any]) -> dict[str, Any] | None:
    """Timing of a case that took time; a case that never ran has none."""
    seconds = _seconds(case)
    return {"host": case["host"], "requirement": case["requirement"], "seconds": seconds} if seconds else None


def _seconds(written: dict[str, Any]) -> float:
    seconds = written.pop("seconds")
    return round(seconds, 6) if math.isfinite(seconds) else 0.0


def _harmless(value: object) -> object:
    match value:
        case str():
            return block(value, _MAX_LINES, _MAX_CHARACTERS)
        case dict():
            return {plain(key, 200): _harmless(inner) for key, inner in value.items()}
        case list():
            return [_harmless(inner) for inner in value]
        case _:
            return value


def load_json(path: Path) -> RunReport:
    """Read a `result.json` of this major version of the schema. Raises `ReportError` with one line."""

    def refuse(why: str) -> NoReturn:
        raise ReportError(f"{path}: {why}; expected is a {FILE_NAME} as --nestvirt-report leaves it") from None

    try:
        written = json.loads(path.read_bytes())
    except OSError as error:
        refuse(f"cannot be read ({error.strerror or error})")
    except UnicodeDecodeError:
        refuse("is not UTF-8 text")
    except RecursionError:
        refuse("is nested too deeply to be a report")
    except ValueError as error:
        refuse(f"is not JSON ({error})")
    _refuse_other_versions(written, refuse)
    try:
        return _RUN.validate_json(json.dumps(_with_timing(written)), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        refuse(f"{'.'.join(map(str, first['loc'])) or 'the file'}: {first['msg']}")
    except (KeyError, TypeError, AttributeError):
        refuse("`hosts`, `cases` or `timing` is not what the schema says")


def _refuse_other_versions(written: object, refuse: Callable[[str], NoReturn]) -> None:
    version = written.get("schema_version") if isinstance(written, dict) else None
    if not isinstance(version, str):
        refuse("has no `schema_version`")
    if version.partition(".")[0] != SCHEMA_VERSION.partition(".")[0]:
        refuse(f"has schema version {plain(version, 40)}, this program reads {SCHEMA_VERSION}")


def _with_timing(written: Mapping[str, Any]) -> dict[str, Any]:
    """The file's content in the shape of `RunReport`: moments and durations back where they belong."""
    timing = written["timing"]
    for judged in _with_level(written):
        judged["level"] = None if judged["level"] == NO_LEVEL else judged["level"]
    hosts = {entry["host"]: entry for entry in timing["hosts"]}
    seconds = {(entry["host"], entry["requirement"]): entry["seconds"] for entry in timing["cases"]}
    return {
        **{name: value for name, value in written.items() if name not in {"timing", "schema_version"}},
        "started": timing["started"],
        "finished": timing["finished"],
        "hosts": [_timed_host(host, hosts[host["name"]]) for host in written["hosts"]],
        "cases": [
            {**case, "seconds": seconds.get((case["host"], case["requirement"]), 0.0)} for case in written["cases"]
        ],
    }


def _timed_host(host: Mapping[str, Any], timing: Mapping[str, Any]) -> dict[str, Any]:
    return {**host, "collected_at": timing["collected_at"], "seconds": timing["seconds"]}
