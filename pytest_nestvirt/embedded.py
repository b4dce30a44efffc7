"""What comes with the product: its suites and its inventories of recorded machines."""

from __future__ import annotations

from pathlib import Path
from typing import Literal


def embedded(name: Literal["suites", "inventories"]) -> Path:
    """The folder of that name: inside an installed wheel, or else in the checkout beside the package."""
    package = Path(__file__).resolve().parent
    installed = package / name
    return installed if installed.is_dir() else package.parent / name
