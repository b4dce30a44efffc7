"""`nestvirt demo` certifies what comes with the product, wherever it is called, and the wheel has all that it needs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_nestvirt.embedded import embedded
from pytest_nestvirt.snapshot.archive import load

ROOT = Path(__file__).parents[1]
IN_WHEEL = embedded("inventories").parent.name == "pytest_nestvirt"


def demo(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """`nestvirt demo` in a folder, as its entry point calls it."""
    command = [sys.executable, "-P", "-c", "from pytest_nestvirt.cli import main; main()", "demo", *options]
    environment = {**os.environ, "PYTEST_ADDOPTS": ""}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120
    )


def test_the_demo_succeeds_in_a_folder_whose_sources_would_shadow_the_package(tmp_path: Path) -> None:
    """A folder `pytest_nestvirt` in the working directory, as in a checkout, is not what runs."""
    (tmp_path / "pytest_nestvirt").mkdir()
    (tmp_path / "pytest_nestvirt" / "__init__.py").write_text(
        "raise ImportError('the working directory was imported')\n"
    )
    done = demo(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads((tmp_path / "reports" / "demo" / "result.json").read_text("utf-8"))
    assert len(result["hosts"]) > 40


def test_the_violations_fail_and_leave_a_report_of_their_own(tmp_path: Path) -> None:
    """The other half of the demo ends as a run over violations ends, beside the report of the first."""
    done = demo(tmp_path, "--violations")
    assert done.returncode == 1, done.stdout + done.stderr
    assert (tmp_path / "reports" / "demo-violations" / "result.json").is_file()


@pytest.mark.skipif(not IN_WHEEL, reason="machines are packed in an installed wheel only: tox")
def test_every_packed_machine_is_the_folder_that_it_was_packed_from() -> None:
    """Each machine of the repository is in the wheel, with the same sections, and the inventories name it there."""
    packed = embedded("inventories") / "recorded"
    folders = sorted((ROOT / "inventories" / "recorded").iterdir())
    assert {file.name for file in packed.iterdir()} == {f"{folder.name}.tar.xz" for folder in folders}
    for folder in folders:
        archive = load(packed / f"{folder.name}.tar.xz")
        assert dict(archive.sections) == dict(load(folder).sections), folder.name
    named = "".join(file.read_text("utf-8") for file in embedded("inventories").glob("*.yml"))
    assert all(f"path: recorded/{folder.name}.tar.xz\n" in named for folder in folders)
