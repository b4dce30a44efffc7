"""What a lab needs before it can start: the image of its machines, and the emulator of the outermost one."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from pytest_nestvirt.lab.cases.lab_case import Architecture, Emulator, LabCase
from pytest_nestvirt.lab.image import kernel_image, toolbox
from pytest_nestvirt.lab.image.kernel_image import Image, Recipe
from pytest_nestvirt.lab.image.outermost import Supplies
from pytest_nestvirt.lab.image.toolbox import Toolbox
from pytest_nestvirt.lab.packages.doctor import HERE
from pytest_nestvirt.lab.packages.store import Announce, Order, obtain
from pytest_nestvirt.lab.problem import LabError

_PROGRAMS = ("base-files", "busybox-static", "dropbear-bin", "kmod", "python3-minimal")
_FOR_SSH = (
    *("base-files", "busybox-static", "dropbear-bin", "libc6", "libcrypt1", "libgmp10", "libtomcrypt1", "libtommath1"),
    "zlib1g",
)
_FOR_DISKS = ("ext4", "crc32c_generic", "overlay")
_FOR_GUESTS = ("kvm", "kvm_amd", "kvm_intel", "kvm_hv")


def supplies_of(case: LabCase, announce: Announce, *, refresh: bool = False) -> Supplies:
    """What a case needs, made if it is not there. Raises `LabError`."""
    machines = obtain(_image(case.architecture), announce, refresh=refresh)
    emulator = obtain(_toolbox(case.emulator), announce, refresh=refresh)
    return Supplies(Image(machines), Toolbox(emulator))


def _image(architecture: Architecture) -> Order:
    init = files("pytest_nestvirt.lab").joinpath("init.sh").read_text("utf-8")
    modules = (*architecture.modules, *architecture.outermost_modules, *architecture.further_modules)
    recipe = Recipe((*modules, *_FOR_DISKS, *_FOR_GUESTS), _FOR_SSH, init, architecture.unpack_kernel)

    def make(programs: Sequence[Path], kernel: Path | None, work: Path, result: Path) -> None:
        if kernel is None:
            raise LabError(f"lab: {architecture.name} names no kernel")
        kernel_image.build(programs, kernel, recipe, work, result)

    return Order(
        kind="images",
        name=architecture.name,
        suite=architecture.suite,
        architecture=architecture.debian,
        programs=(*_PROGRAMS, *architecture.programs),
        kernel=architecture.kernel,
        recipe=recipe.digest(),
        make=make,
    )


def _toolbox(emulator: Emulator) -> Order:
    machine = platform.machine()
    if machine not in HERE:
        raise LabError(
            f"lab: Debian has no emulators for this machine, a {machine}; there are some for {', '.join(HERE)}"
        )
    return Order(
        kind="tools",
        name=f"{emulator.packages[0]}-{emulator.suite}",
        suite=emulator.suite,
        architecture=HERE[machine],
        programs=emulator.packages,
        kernel="",
        recipe=b"tree 2",
        make=lambda packages, _kernel, _work, result: toolbox.build(packages, result),
    )
