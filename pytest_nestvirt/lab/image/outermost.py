"""What there is to start the outermost machine of a lab with, whatever emulates it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pytest_nestvirt.lab.cases.lab_case import LabCase
from pytest_nestvirt.lab.directory import LabDirectory
from pytest_nestvirt.lab.image.kernel_image import Image
from pytest_nestvirt.lab.image.toolbox import Toolbox


@dataclass(frozen=True, slots=True)
class Supplies:
    """All that is made of packages for one lab."""

    image: Image
    emulator: Toolbox


@dataclass(frozen=True, slots=True)
class Outermost:
    """The machine that is emulated here."""

    case: LabCase
    supplies: Supplies
    lab: LabDirectory
    port: int
    """Of 127.0.0.1: where it answers to SSH."""

    @property
    def initrd(self) -> Path:
        """Its first file system."""
        return self.lab.path / "initrd"
