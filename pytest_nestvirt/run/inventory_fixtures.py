"""The fixture that replaces testinfra's while an inventory is in use; a module of its own, since pytest registers modules."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_nestvirt.run.fixtures import connect

if TYPE_CHECKING:
    from pytest_nestvirt.run.testinfra_host import NestvirtHost


@pytest.fixture(scope="module")
def host(request: pytest.FixtureRequest) -> NestvirtHost:
    """Every machine of the inventory in turn, as a testinfra Host; `host.nestvirt` is its `Machine` with the facts."""
    return connect(request)
