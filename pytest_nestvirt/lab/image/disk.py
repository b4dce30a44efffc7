"""A file system in a file, made of a tree without root and without a loop device."""

from __future__ import annotations

import subprocess
from pathlib import Path

from pytest_nestvirt.lab.packages.doctor import program
from pytest_nestvirt.lab.problem import LabError

_BLOCK = 4096
_SLACK = 24 << 20
_OWN_INODES = 16
"""Those that a file system has for itself, and a few."""
_SUPERBLOCK = 1024


def write_disk(tree: Path, disk: Path) -> None:
    """Put a tree into an ext4 file system that is only ever read, all of it root's. Raises `LabError`."""
    sizes = [path.lstat().st_size + _BLOCK // 4 for path in tree.rglob("*")]
    blocks = (sum(sizes) * 9 // 8 + _SLACK) // _BLOCK
    _checked(
        "mke2fs", "-q", "-t", "ext4", "-O", "^has_journal,^resize_inode,^metadata_csum", "-b", str(_BLOCK),
        "-N", str(len(sizes) + _OWN_INODES), "-E", "root_owner=0:0,lazy_itable_init=1", "-m", "0",
        "-d", str(tree), str(disk), str(blocks),
    )  # fmt: skip
    _give_to_root(disk)


def _give_to_root(disk: Path) -> None:
    """Make root the owner of all files: mke2fs has taken their owners from the tree, which belongs to the user who unpacked it.

    e2fsprogs 1.47.1 and later, which read archives, have an option for it.
    """
    with disk.open("rb") as file:
        file.seek(_SUPERBLOCK)
        # s_inodes_count (Documentation/filesystems/ext4/super.rst).
        inodes = int.from_bytes(file.read(4), "little")
    commands = (f"sif <{inode}> {field} 0\n" for inode in range(1, inodes + 1) for field in ("uid", "gid"))
    complained = _checked("debugfs", "-w", "-f", "-", str(disk), given="".join(commands))
    # It succeeds even if its commands fail; apart from complaints, it prints nothing there but its version.
    if complaints := [line for line in complained.splitlines() if not line.startswith("debugfs ")]:
        raise LabError(f"lab: debugfs can't give the files of a disk to root: {complaints[0][:200]}")


def _checked(name: str, *arguments: str, given: str = "") -> str:
    """What the program wrote to its standard error. Raises `LabError` where it fails."""
    words = [program(name), *arguments]
    completed = subprocess.run(words, input=given.encode(), capture_output=True, check=False)  # noqa: S603 - no shell
    printed = completed.stderr.decode("utf-8", "replace")
    if completed.returncode != 0:
        raise LabError(f"lab: {name} ended with {completed.returncode}: {' '.join(printed.split())[:200]}")
    return printed
