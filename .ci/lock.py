"""Write the two lists of versions that tests are run with: today's newest, and the oldest that pyproject.toml allows.

`tox -e lock` runs it in an environment that has everything at its newest version.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).parent
OURS = re.compile(r"pytest[-_.]nestvirt\b", re.IGNORECASE)
INSTALLERS = re.compile(r"(pip|setuptools|wheel)==")
LOWER_BOUND = re.compile(r"(?P<name>[A-Za-z0-9._-]+)>=(?P<version>[0-9.]+)")


def newest() -> list[str]:
    """What is installed in this environment, without the project itself and what installs it."""
    frozen = subprocess.run(
        [sys.executable, "-m", "pip", "list", "--format=freeze"], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    return sorted((line for line in frozen if not OURS.match(line) and not INSTALLERS.match(line)), key=str.lower)


def oldest() -> list[str]:
    """The lower bounds of everything that the product and its tests import."""
    project = tomllib.loads((HERE.parent / "pyproject.toml").read_text("utf-8"))["project"]
    named = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    bounds = [LOWER_BOUND.fullmatch(requirement) for requirement in named]
    return sorted((f"{bound['name']}=={bound['version']}" for bound in bounds if bound), key=str.lower)


if __name__ == "__main__":
    (HERE / "constraints.txt").write_text("\n".join(newest()) + "\n", "utf-8")
    (HERE / "oldest.txt").write_text("\n".join(oldest()) + "\n", "utf-8")
