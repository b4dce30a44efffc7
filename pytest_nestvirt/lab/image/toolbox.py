"""Programs from Debian's packages that are unpacked, not installed, and run all the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_nestvirt.lab.image.kernel_image import unpack
from pytest_nestvirt.lab.problem import LabError

LINKER = "usr/lib/*-linux-gnu*/ld*.so.[0-9]"
_QEMU_BUNDLE = "qemu-bundle"


@dataclass(frozen=True, slots=True)
class Toolbox:
    """A tree of programs with all libraries that they need; none of the system's own is used."""

    directory: Path

    def __truediv__(self, name: str) -> Path:
        return self.directory / name

    @property
    def libraries(self) -> Path:
        """Where its libraries are. Raises `LabError`."""
        return self._one(LINKER).parent

    def command(self, program: str) -> list[str]:
        """The words that run a program of usr/bin: by the dynamic linker it came with (ld.so(8)). Raises `LabError`."""
        # Not the one that programs name, in lib64: that is a link to the absolute place, and so to the system's own.
        linker, file = self._one(LINKER), self._one(f"usr/bin/{program}")
        return [str(linker), "--library-path", str(self.libraries), str(file)]

    def _one(self, pattern: str) -> Path:
        found = sorted(self.directory.glob(pattern))
        if not found:
            raise LabError(f"lab: {self.directory} has no {pattern}; remove it, and it is made anew")
        return found[0]


def build(packages: Sequence[Path], result: Path) -> None:
    """Unpack package files into a tree. Raises `LabError`.

    QEMU looks for firmware and modules in /usr, unless there is a directory `qemu-bundle` beside its program, which it
    takes for the root (util/cutils.c, get_relocated_path). Its program is the dynamic linker here.
    """
    unpack(packages, result)
    for linker in result.glob(LINKER):
        (linker.parent / _QEMU_BUNDLE).symlink_to(Path(*[".."] * (len(linker.relative_to(result).parts) - 1)))
