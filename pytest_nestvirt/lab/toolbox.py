"""Programs from Debian's packages that are unpacked, not installed, and run all the same."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pytest_nestvirt.lab.problem import LabError


@dataclass(frozen=True, slots=True)
class Toolbox:
    """A tree of programs with all libraries that they need; none of the system's own is used."""

    directory: Path

    def __truediv__(self, name: str) -> Path:
        return self.directory / name

    def command(self, program: str) -> list[str]:
        """The words that run a program of usr/bin: by the dynamic linker it came with (ld.so(8)). Raises `LabError`."""
        path = self / "usr/bin" / program
        linkers = sorted(self.directory.glob("usr/lib*/ld-*.so.*"))
        if not path.exists() or not linkers:
            raise LabError(f"lab: {self.directory.name} has no {program}; remove {self.directory}, and it is made anew")
        libraries = sorted(self.directory.glob("usr/lib/*-linux-gnu*"))
        return [str(linkers[0]), "--library-path", ":".join(map(str, libraries)), str(path)]
