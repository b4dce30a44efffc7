"""Reading `result.json` of version 1, which has everything in each of its cases, and what does not apply among them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import TypeAdapter

from pytest_nestvirt.report.case import RunReport

NO_LEVEL = -1
"""What a file of version 1 has for the level of an object of a manifest."""

_RUN: Final = TypeAdapter(RunReport)


def run_of_version_1(data: bytes) -> RunReport:
    """The run. Raises `pydantic.ValidationError`, or another error of a wrong shape: KeyError, TypeError, AttributeError."""
    return _RUN.validate_json(json.dumps(_with_timing(json.loads(data))), strict=True)


def _with_level(written: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every part of the file that has a level: hosts, cases and their evidence."""
    yield from written["hosts"]
    for case in written["cases"]:
        yield case
        yield from case["evidence"]


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
