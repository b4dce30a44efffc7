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

    @property
    def libraries(self) -> Path:
        """The directory that its libraries are in: `usr/lib/x86_64-linux-gnu`. Raises `LabError`."""
        return self._one("usr/lib/*-linux-gnu*")

    def command(self, program: str) -> list[str]:
        """The words that run a program of usr/bin: by the dynamic linker it came with (ld.so(8)). Raises `LabError`."""
        program_file = self._one(f"usr/bin/{program}")
        return [str(self._one("usr/lib*/ld-*.so.*")), "--library-path", str(self.libraries), str(program_file)]

    def _one(self, pattern: str) -> Path:
        found = sorted(self.directory.glob(pattern))
        if not found:
            raise LabError(f"lab: {self.directory} has no {pattern}; remove it, and it is made anew")
        return found[0]
