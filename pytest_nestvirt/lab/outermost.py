"""What there is to start the outermost machine of a lab with, whatever emulates it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pytest_nestvirt.lab.model import LabCase
from pytest_nestvirt.lab.supply import Supplies


@dataclass(frozen=True, slots=True)
class Outermost:
    """The machine that is emulated here."""

    case: LabCase
    supplies: Supplies
    directory: Path
    """The lab's."""
    port: int
    """Of 127.0.0.1: where it answers to SSH."""
    monitor: Path | None = None
    """Socket at which its emulator is to take commands."""

    @property
    def console(self) -> Path:
        """File that takes what it prints."""
        return self.directory / "console.log"

    @property
    def initrd(self) -> Path:
        """Its first file system."""
        return self.directory / "initrd"
