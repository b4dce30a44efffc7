"""Puts the embedded inventories into the wheel, each of their recorded machines as one small archive.

In the repository a machine is a folder of files that can be read and compared; 68 machines are nearly 4,000 files. In the
wheel each is `recorded/NAME.tar.xz`, and the inventories name it so. The archives are the same whenever they are made.
"""

from __future__ import annotations

import re
import shutil
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

RECORDED = "recorded"
RECORDED_PATH = re.compile(rf"^(\s*path: {RECORDED}/[\w-]+)$", re.MULTILINE)


class PackedInventories(BuildHookInterface[Any]):
    """Adds `pytest_nestvirt/inventories/` to a wheel; an editable install reads the repository's own."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make the packed inventories beside the repository, and name them to the build."""
        if version == "editable":
            return
        self._packed = Path(tempfile.mkdtemp(prefix="nestvirt-inventories-"))
        pack(Path(self.root) / "inventories", self._packed)
        build_data["force_include"][str(self._packed)] = "pytest_nestvirt/inventories"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002 - the hook's form
        """Remove what was made."""
        if version != "editable":
            shutil.rmtree(self._packed)


def pack(inventories: Path, target: Path) -> None:
    """Copy a folder of inventories, with its recorded machines packed and named as archives."""
    shutil.copytree(inventories, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns(RECORDED))
    for inventory in target.glob("*.yml"):
        text = inventory.read_text("utf-8")
        inventory.write_text(RECORDED_PATH.sub(r"\1.tar.xz", text), "utf-8")
    (target / RECORDED).mkdir()
    for machine in sorted((inventories / RECORDED).iterdir()):
        pack_machine(machine, target / RECORDED / f"{machine.name}.tar.xz")


def pack_machine(machine: Path, target: Path) -> None:
    """One folder as an archive that depends on names and contents alone."""
    with tarfile.open(target, "w:xz", preset=9, format=tarfile.PAX_FORMAT) as archive:
        for file in sorted(path for path in machine.rglob("*") if not path.is_dir()):
            member = archive.gettarinfo(file, file.relative_to(machine).as_posix())
            member.mtime, member.uid, member.gid, member.uname, member.gname, member.mode = 0, 0, 0, "", "", 0o644
            if member.isreg():
                with file.open("rb") as contents:
                    archive.addfile(member, contents)
            else:
                archive.addfile(member)
