"""From an architecture to its image: packages are asked for once, fetched once and built once.

What was decided stands in a plan, so that a second lab needs neither the network nor a package; `refresh` asks anew.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.resources import files
from pathlib import Path

from pytest_nestvirt.lab.apt import Apt, Package, content_key
from pytest_nestvirt.lab.image import Image, Recipe, build
from pytest_nestvirt.lab.model import Architecture
from pytest_nestvirt.lab.places import cache_directory

SUITE = "bookworm"
_PROGRAMS = ("base-files", "busybox-static", "dropbear-bin", "kmod", "python3-minimal")
_FOR_SSH = (
    *("base-files", "busybox-static", "dropbear-bin", "libc6", "libcrypt1", "libgmp10", "libtomcrypt1", "libtommath1"),
    "zlib1g",
)
_FOR_DISKS = ("ext4", "crc32c_generic", "overlay")
_FOR_GUESTS = ("kvm", "kvm_amd", "kvm_intel", "kvm_hv")
_MIB = 1 << 20


def recipe(architecture: Architecture) -> Recipe:
    """What the image of an architecture is made of, packages apart."""
    init = files("pytest_nestvirt.lab").joinpath("init.sh").read_text("utf-8")
    return Recipe((*architecture.modules, *_FOR_DISKS, *_FOR_GUESTS), _FOR_SSH, init)


def image_of(architecture: Architecture, tell: Callable[[str], None], *, refresh: bool = False) -> Image:
    """The image of an architecture, made if it is not there. Raises `LabError`.

    `tell` is called with a line for people at each step that takes time.
    """
    cache = cache_directory()
    directory = cache / "apt" / f"{SUITE}-{architecture.debian}"
    directory.mkdir(parents=True, exist_ok=True)
    with _alone(directory):
        sweep(architecture.debian)
        made_of = recipe(architecture)
        plan = directory / f"plan-{content_key((), repr((architecture, made_of)).encode())}.json"
        kept = None if refresh else _kept(plan, cache)
        return kept or _made(architecture, made_of, Apt(directory, SUITE, architecture.debian), plan, tell)


@contextmanager
def _alone(directory: Path, *, wait: bool = True) -> Iterator[None]:
    """Two labs at once build an image once; the lock is the kernel's and goes with the process.

    Raises BlockingIOError where somebody has it and `wait` is False.
    """
    held = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(held)


def _kept(plan: Path, cache: Path) -> Image | None:
    try:
        key = json.loads(plan.read_text("utf-8"))["image"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    image = cache / "images" / str(key)
    return Image(image) if image.is_dir() else None


def _made(architecture: Architecture, made_of: Recipe, apt: Apt, plan: Path, tell: Callable[[str], None]) -> Image:
    programs = (*_PROGRAMS, architecture.emulator_package) if architecture.guests else _PROGRAMS
    tell(f"{architecture.debian}: asking Debian {SUITE} for its packages")
    apt.update()
    if apt.note:
        tell(f"{architecture.debian}: {apt.note}")
    (kernel,) = apt.alone(apt.kernel(architecture.kernel))
    needed = apt.closure(programs)
    packages = (*needed, kernel)
    key = content_key(packages, made_of.digest())
    image = plan.parents[2] / "images" / f"{architecture.debian}-{key}"
    if not image.is_dir():
        _build(apt, needed, kernel, made_of, image=image, tell=tell)
    _forget_others(image)
    told = {"image": image.name, "packages": [package.file for package in packages]}
    plan.write_text(json.dumps(told, indent=1) + "\n", "utf-8")
    return Image(image)


def _build(
    apt: Apt,
    programs: tuple[Package, ...],
    kernel: Package,
    made_of: Recipe,
    *,
    image: Path,
    tell: Callable[[str], None],
) -> None:
    packages = (*programs, kernel)
    tell(f"{image.name}: fetching {len(packages)} packages, {sum(p.size for p in packages) / _MIB:.0f} MiB")
    archives = apt.fetch([package.name for package in programs], [kernel.name])
    tell(f"{image.name}: building the image")
    build([archives / package.file for package in programs], archives / kernel.file, made_of, image)
    apt.forget()


def _forget_others(image: Path) -> None:
    """Remove what newer packages or another recipe have replaced. A lab that runs from it has its files open."""
    architecture = image.name.rpartition("-")[0]
    for other in image.parent.glob(f"{architecture}-*"):
        if other != image:
            shutil.rmtree(other, ignore_errors=True)


def sweep(architecture: str) -> None:
    """Remove half-made images of killed commands. Only for who holds the architecture's lock."""
    for left in (cache_directory() / "images").glob(f".building-{architecture}-*"):
        shutil.rmtree(left, ignore_errors=True)


def sweep_all() -> None:
    """Remove the half-made images that nobody is working on."""
    for directory in (cache_directory() / "apt").glob(f"{SUITE}-*"):
        with suppress(BlockingIOError), _alone(directory, wait=False):
            sweep(directory.name.removeprefix(f"{SUITE}-"))
