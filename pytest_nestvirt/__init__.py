"""Certify nested virtualization, L0 to L2, against what the vendors' documents say.

What suites are written with is in `pytest_nestvirt.suite`; the names below can be imported from here, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_nestvirt.version import __version__

if TYPE_CHECKING:
    from pytest_nestvirt.suite import Blocked, Machine, ManifestObject, Unobservable, requirement

__all__ = ["Blocked", "Machine", "ManifestObject", "Unobservable", "__version__", "requirement"]


def __getattr__(name: str) -> object:
    """Import the public names at first use: `pytest --version` must not pay for them."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from pytest_nestvirt import suite

    return getattr(suite, name)
