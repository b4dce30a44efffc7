"""pytest over the embedded suites, in a process of its own: for commands that judge what they have prepared."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from pytest_nestvirt.embedded import embedded


def run_embedded(inventory: Path, report: Path, arguments: Sequence[str] = ()) -> int:
    """Judge an inventory by the embedded suites, leave the reports in a directory, and return pytest's exit status.

    `-P` keeps the working directory off the import path: in a checkout, its sources would otherwise be imported in place of
    the package that is installed, and they have no suites inside.
    """
    command = [
        *(sys.executable, "-P", "-m", "pytest", f"--hosts={inventory}", f"--nestvirt-report={report}"),
        *("-p", "no:cacheprovider", *arguments, str(embedded("suites"))),
    ]
    return subprocess.run(command, check=False).returncode  # noqa: S603 - words of our own, no shell
