"""Fact values as a person reads them in evidence: short, and without Python around them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum

from pytest_nestvirt.observation.fact import Unobservable

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+(?=[>,])")

TELLING = frozenset(
    {"vmx", "svm", "sie", "ept", "npt", "vpid", "hypervisor", "shadow_vmcs", "apicv", "posted_intr", "avic", "vgif"}
)
"""Tokens worth naming when a set of processor flags is too long to show."""

MANY = 16
"""Longer collections are counted and sampled, not listed."""


def render(value: object) -> str:
    """One line for a fact's value; `unknown: why` for what could not be observed."""
    match value:
        case Unobservable():
            return f"unknown: {value}"
        case bool():
            return "yes" if value else "no"
        case None:
            return "none"
        case Enum():
            return str(value.value)
        case str():
            return value or "(empty)"
        case tuple() if value and all(isinstance(part, int) for part in value):
            return ".".join(map(str, value))
        case frozenset() | set() | tuple() | list():
            return _several(value)
        case Mapping():
            return _several([f"{key}={render(item)}" for key, item in value.items()])
        case _ if is_dataclass(value) and not isinstance(value, type):
            return ", ".join(f"{field.name}={render(getattr(value, field.name))}" for field in fields(value))
        case _:
            return without_addresses(str(value))


def without_addresses(text: str) -> str:
    """The text without addresses of objects (`<generator object f at 0x7f1c...>`), which differ from run to run."""
    return _ADDRESS.sub("", text)


def _several(values: frozenset[object] | set[object] | tuple[object, ...] | list[object] | list[str]) -> str:
    words = [render(item) for item in values]
    if isinstance(values, (frozenset, set)):
        words.sort()
    if not words:
        return "(none)"
    if len(words) <= MANY:
        return " ".join(words) if all(" " not in word for word in words) else "; ".join(words)
    telling = [word for word in words if word in TELLING]
    shown = telling or words[:MANY]
    return f"{len(words)} entries, among them {' '.join(shown)}"
