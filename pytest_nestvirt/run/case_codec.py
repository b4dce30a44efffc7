"""A case as plain data, for the report object that travels from an xdist worker to the controller."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from pytest_nestvirt.catalogue.requirement import Needs, Stance
from pytest_nestvirt.report.case import Case, Evidence, WhyNotRun
from pytest_nestvirt.verdict import Kind, Obligation, Verdict


def encode(case: Case) -> dict[str, Any]:
    """Only strings, numbers, lists and dicts: execnet carries nothing else."""
    plain = asdict(case)
    for name in ("verdict", "kind", "obligation", "needs", "stance", "not_run"):
        plain[name] = None if plain[name] is None else str(plain[name])
    plain["evidence"] = [{**item, "sources": list(item["sources"])} for item in plain["evidence"]]
    return plain


def decode(plain: dict[str, Any]) -> Case:
    """The case that was encoded."""
    return Case(
        **{
            **plain,
            "verdict": Verdict(plain["verdict"]),
            "kind": Kind(plain["kind"]),
            "obligation": Obligation(plain["obligation"]),
            "needs": Needs(plain["needs"]),
            "stance": None if plain["stance"] is None else Stance(plain["stance"]),
            "not_run": None if plain["not_run"] is None else WhyNotRun(plain["not_run"]),
            "evidence": tuple(Evidence(**{**item, "sources": tuple(item["sources"])}) for item in plain["evidence"]),
        }
    )
