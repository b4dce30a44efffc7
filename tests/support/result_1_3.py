"""`result.json` as version 1.3 had it, to hold version 2 against; loaded as a plugin, it leaves `result-1.3.json` beside it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
from pydantic import TypeAdapter

from pytest_nestvirt.report.case import RunReport
from pytest_nestvirt.report.result_json import write_json
from pytest_nestvirt.report.result_order import in_order
from pytest_nestvirt.report.result_writing import _harmless

FILE = "result-1.3.json"
NO_LEVEL = -1
_RUN: Final = TypeAdapter(RunReport)


def to_json_1_3(run: RunReport) -> str:
    """The text that version 1.3 had for a run."""
    written: Any = _harmless(_RUN.dump_python(replace(run, cases=in_order(run)), mode="json"))
    del written["lists_not_applicable"]
    for judged in _with_level(written):
        judged["level"] = NO_LEVEL if judged["level"] is None else judged["level"]
    written["timing"] = {
        "started": written.pop("started"),
        "finished": written.pop("finished"),
        "hosts": [_host_timing(host) for host in written["hosts"]],
        "cases": [timing for case in written["cases"] if (timing := _case_timing(case))],
    }
    written["schema_version"] = "1.3"
    return json.dumps(written, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def _with_level(written: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield from written["hosts"]
    for case in written["cases"]:
        yield case
        yield from case["evidence"]


def _host_timing(host: dict[str, Any]) -> dict[str, Any]:
    return {"host": host["name"], "collected_at": host.pop("collected_at"), "seconds": _seconds(host)}


def _case_timing(case: dict[str, Any]) -> dict[str, Any] | None:
    seconds = _seconds(case)
    return {"host": case["host"], "requirement": case["requirement"], "seconds": seconds} if seconds else None


def _seconds(written: dict[str, Any]) -> float:
    seconds = written.pop("seconds")
    return round(seconds, 6) if math.isfinite(seconds) else 0.0


def pytest_configure(config: pytest.Config) -> None:
    """As a plugin of a run: write the old form beside the new one, of the same results."""
    from pytest_nestvirt.run import conclusion

    def both(run: RunReport, directory: Path) -> Path:
        (directory / FILE).write_text(to_json_1_3(run), encoding="utf-8")
        return write_json(run, directory)

    patch = pytest.MonkeyPatch()
    patch.setattr(conclusion, "write_json", both)
    config.add_cleanup(patch.undo)
