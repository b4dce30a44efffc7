"""Files of real machines, with the answers that were worked out for them by hand.

They are not part of this project (some come under the GPL): NESTVIRT_CORPUS names a directory that has them and tables of
expected values. Without it there are no rows, and what needs them is skipped.
"""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

CORPUS = Path(os.environ.get("NESTVIRT_CORPUS") or os.devnull)


def rows(table: str) -> list[dict[str, str]]:
    """The rows of a table of expected values; none where there is no such table."""
    file = CORPUS / table
    return list(csv.DictReader(file.read_text(encoding="utf-8").splitlines())) if file.is_file() else []


def needs(table: str) -> pytest.MarkDecorator:
    """Skip a test where there is no such table."""
    return pytest.mark.skipif(not rows(table), reason=f"NESTVIRT_CORPUS names no directory with {table}")
