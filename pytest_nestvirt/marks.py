"""The markers by which pytest and the catalogue meet."""

from __future__ import annotations

import pytest

REQUIREMENT = "requirement"
BOUND = "nestvirt_bound"

DECLARATIONS = (
    f"{REQUIREMENT}(id, ...): the statements of the suite's requirements.yml that this check verifies",
    f"{BOUND}(id): set by pytest-nestvirt on each test item: the one requirement that it verifies",
)


def requirement(*ids: str) -> pytest.MarkDecorator:
    """Bind a check to one or more requirements, each by its id."""
    return pytest.mark.requirement(*ids)
