"""What the machines of one architecture run: a kernel, a first file system, and a disk with programs."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from pytest_nestvirt.lab.image.cpio import Archive
from pytest_nestvirt.lab.image.disk import write_disk
from pytest_nestvirt.lab.image.vmlinux import unpacked
from pytest_nestvirt.lab.packages.doctor import program
from pytest_nestvirt.lab.problem import LabError

KERNEL, BASE, USERLAND, DISK = "kernel", "base.cpio", "userland.cpio", "disk.ext4"
ON_DISK = "boot/lab"
"""Where a disk keeps the kernel and the archives that its machine hands down to its guest."""

_MERGED = ("bin", "sbin", "lib", "lib64")
_LEFT_OUT = (
    *(
        f"usr/share/{name}"
        for name in ("alsa", "bash-completion", "doc", "info", "iso-codes", "lintian", "locale", "man")
    ),
    *("usr/share/sounds", "usr/share/xml", "usr/share/zoneinfo", "usr/include", "usr/lib/*/gconv", "var/lib/dpkg"),
)
"""What no program of a lab reads, as tar's patterns."""
_SHELL = "usr/bin/sh"


@dataclass(frozen=True, slots=True)
class Image:
    """A finished image: the files named above in one directory."""

    directory: Path

    def __truediv__(self, name: str) -> Path:
        return self.directory / name


@dataclass(frozen=True, slots=True)
class Recipe:
    """What goes into an image. Everything that changes its contents stands here, since its digest is part of the key."""

    modules: tuple[str, ...]
    """Kernel modules, without what they depend on."""
    userland: tuple[str, ...]
    """Packages that a machine without a disk has: enough for SSH."""
    init: str
    """Text of the first process."""
    unpack_kernel: bool = False
    """Whether the kernel is kept as the ELF file that it is packed from."""
    version: int = 2

    def digest(self) -> bytes:
        """All of it as bytes, equal for equal recipes."""
        return json.dumps(asdict(self), sort_keys=True).encode()


def build(packages: Sequence[Path], kernel: Path, recipe: Recipe, work: Path, result: Path) -> None:
    """Make an image of package files in `result`, with trees on the way in `work`. Raises `LabError`.

    Whoever makes it, its files belong to root and have the modes that the packages give them. `work` has to be a directory
    that no other user can enter: programs in it may be set to run as their owner.
    """
    with _umask(0o022):
        _build(packages, kernel, recipe, work, result)


@contextmanager
def _umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def _build(packages: Sequence[Path], kernel: Path, recipe: Recipe, work: Path, result: Path) -> None:
    kernel_tree, root, small = (work / name for name in ("kernel-tree", "root", "small"))
    for tree, contents in ((kernel_tree, [kernel]), (root, packages), (small, _of(packages, recipe.userland))):
        unpack(contents, tree, modes="--same-permissions")
    _modules(kernel_tree, root, recipe.modules)
    for tree in (root, small):
        _as_installed(tree)
    result.mkdir()
    packed = _only(kernel_tree / "boot", "vmlinu*").read_bytes()
    (result / KERNEL).write_bytes(unpacked(packed) if recipe.unpack_kernel else packed)
    (result / BASE).write_bytes(_base(root, recipe.init))
    (result / USERLAND).write_bytes(_userland(small))
    handed_down = root / ON_DISK
    handed_down.mkdir(parents=True)
    for name in (KERNEL, BASE, USERLAND):
        shutil.copy(result / name, handed_down / name)
    write_disk(root, result / DISK)


def _as_installed(tree: Path) -> None:
    """Do what maintainer scripts would have done, as far as a lab needs it: a shell, and /run where /var/run was."""
    if not (tree / _SHELL).exists():
        (tree / _SHELL).symlink_to("busybox")
    if (tree / "var/run").is_dir():
        (tree / "var/run").rmdir()
        (tree / "var/run").symlink_to("/run")


def _of(packages: Sequence[Path], names: Iterable[str]) -> list[Path]:
    wanted = set(names)
    return [path for path in packages if path.name.partition("_")[0] in wanted]


def unpack(packages: Iterable[Path], root: Path, *, modes: str = "--no-same-permissions") -> None:
    """Unpack package files into a tree, as if merged-usr had always been there. Raises `LabError`.

    `dpkg-deb -x` replaces the links of merged-usr by directories, tar has an option to keep them. `modes` is tar's option:
    whether files get theirs from the package, or what the user's umask leaves of them, without set-user-id.
    """
    for name in _MERGED:
        (root / "usr" / name).mkdir(parents=True, exist_ok=True)
        (root / name).symlink_to(f"usr/{name}")
    left_out = [f"--exclude=./{name}" for name in _LEFT_OUT]
    tar = [program("tar"), "-x", "-C", str(root), "--keep-directory-symlink", "--no-same-owner", modes, *left_out]
    for package in packages:
        _unpack(package, tar)


def _unpack(package: Path, tar: Sequence[str]) -> None:
    words = [program("dpkg-deb"), "--fsys-tarfile", str(package)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as deb:  # noqa: S603 - no shell
        unpacked = subprocess.run(tar, stdin=deb.stdout, capture_output=True, check=False)  # noqa: S603 - no shell
        if deb.stdout:
            # Where tar has given up, dpkg-deb has to notice.
            deb.stdout.close()
        _, complaint = deb.communicate()
    if deb.returncode != 0 or unpacked.returncode != 0:
        printed = b" ".join((complaint + b" " + unpacked.stderr).split()).decode("utf-8", "replace")
        raise LabError(f"lab: {package.name} can't be unpacked: {printed[:200] or 'dpkg-deb failed'}")


def _modules(kernel_tree: Path, root: Path, names: Sequence[str]) -> None:
    """Lay the modules and what they depend on into `root`, with the table that BusyBox reads.

    kmod's own tables are made by the machine itself when it starts: depmod is not everywhere.
    """
    source = _only(kernel_tree / "usr/lib/modules", "*")
    files = {_module(path.name): path for path in source.rglob("*.ko")}
    needs = {name: _needs(path) for name, path in files.items()}
    chosen = _with_dependencies([name for name in names if name in files], needs)
    target = root / "usr/lib/modules" / source.name
    for name in chosen:
        copy = target / files[name].relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(files[name], copy)
    for table in (*source.glob("modules.builtin*"), source / "modules.order"):
        shutil.copy(table, target)
    (target / "modules.dep").write_text("".join(_dependency_lines(chosen, files, needs, source)), "utf-8")


def _needs(module: Path) -> tuple[str, ...]:
    """`depends=` of a module's .modinfo: what has to be loaded before it."""
    depends = re.search(rb"(?:\0|^)depends=([^\0]*)\0", module.read_bytes())
    return tuple(_module(part) for part in (depends[1].decode().split(",") if depends else ()) if part)


def _with_dependencies(names: Iterable[str], needs: Mapping[str, Sequence[str]]) -> list[str]:
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += needs[name]
    return sorted(found)


def _dependency_lines(
    chosen: Iterable[str], files: Mapping[str, Path], needs: Mapping[str, Sequence[str]], source: Path
) -> Iterator[str]:
    """modules.dep(5): each module, then all it needs, what is loaded last first."""
    for name in chosen:
        before = [other for other in _in_order(name, needs) if other != name]
        yield f"{_listed(files[name], source)}: {' '.join(_listed(files[other], source) for other in before)}\n"


def _in_order(name: str, needs: Mapping[str, Sequence[str]]) -> list[str]:
    """The module and what it needs, each in front of what it needs itself."""
    deeper = [found for other in needs[name] for found in _in_order(other, needs)]
    return [name, *(found for place, found in enumerate(deeper) if found not in deeper[place + 1 :])]


def _listed(file: Path, source: Path) -> str:
    return str(file.relative_to(source))


def _module(name: str) -> str:
    return name.removesuffix(".ko").replace("-", "_")


def _only(directory: Path, pattern: str) -> Path:
    found = sorted(directory.glob(pattern))
    if len(found) != 1:
        raise LabError(f"lab: expected one {pattern} in {directory.name}; seen {[path.name for path in found]}")
    return found[0]


def _base(root: Path, init: str) -> bytes:
    """BusyBox, the modules and the first process: enough to find the disk."""
    archive = Archive()
    archive.console()
    for name in ("proc", "sys", "run", "tmp", "root"):
        archive.directory(name)
    for name in _MERGED:
        archive.directory(f"usr/{name}")
        archive.link(name, f"usr/{name}")
    archive.file("usr/bin/busybox", (root / "usr/bin/busybox").read_bytes(), 0o755)
    archive.link(_SHELL, "busybox")
    archive.file("init", init.encode(), 0o755)
    modules = root / "usr/lib/modules"
    for path in sorted(modules.rglob("*")):
        if path.is_file():
            archive.file(str(path.relative_to(root)), path.read_bytes())
    return archive.finished()


def _userland(small: Path) -> bytes:
    archive = Archive()
    archive.tree(small)
    return archive.finished()
