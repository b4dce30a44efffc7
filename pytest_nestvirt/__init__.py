"""Certify nested virtualization, L0 to L2, against what the vendors' documents say.

A suite of one's own needs two names from here: `requirement`, which binds a check to a statement of its
`requirements.yml`, and `Machine`, the type of the fixtures `l0`, `l1` and `l2`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_nestvirt.facts.machine import Machine
    from pytest_nestvirt.manifests.manifest_object import ManifestObject
    from pytest_nestvirt.marks import requirement
    from pytest_nestvirt.observation.fact import Unobservable
    from pytest_nestvirt.verdict import Blocked

__all__ = ["Blocked", "Machine", "ManifestObject", "Unobservable", "__version__", "requirement"]

__version__ = "0.1.0"

_HOMES = {
    "Blocked": "pytest_nestvirt.verdict",
    "Machine": "pytest_nestvirt.facts.machine",
    "ManifestObject": "pytest_nestvirt.manifests.manifest_object",
    "Unobservable": "pytest_nestvirt.observation.fact",
    "requirement": "pytest_nestvirt.marks",
}


def __getattr__(name: str) -> object:
    """Import the public names at first use: `pytest --version` must not pay for them."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
