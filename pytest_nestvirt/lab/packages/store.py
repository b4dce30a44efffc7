"""What is made of Debian's packages and kept: asked for once, fetched once, made once.

What was chosen is written to a plan, so that a second lab needs neither the network nor a package; `refresh` chooses again.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pytest_nestvirt.lab.locking import alone, use
from pytest_nestvirt.lab.packages.apt import Apt, Package, content_key
from pytest_nestvirt.lab.packages.doctor import require_tools
from pytest_nestvirt.lab.places import cache_directory
from pytest_nestvirt.lab.problem import LabError

Announce = Callable[[str], None]
"""Takes a line for people."""
Make = Callable[[Sequence[Path], Path | None, Path, Path], None]
"""Makes a thing of the package files of its programs and its kernel: (programs, kernel, work, result). `work` is an empty
directory for what is needed on the way, `result` one that does not exist yet."""
_MIB = 1 << 20
_BUILDING = "building-"
_UNUSED_SECONDS = 14 * 86400.0


@dataclass(frozen=True, slots=True)
class Order:
    """Something to be made of packages."""

    kind: str
    """`images` or `tools`: its directory in the cache."""
    name: str
    """`ppc64el`."""
    suite: str
    """Debian's release: `bookworm`."""
    architecture: str
    """Debian's name of it: `ppc64el`."""
    programs: tuple[str, ...]
    """Packages, which are taken with all that they depend on."""
    kernel: str
    """Metapackage of a kernel, which is taken alone; empty for none."""
    recipe: bytes
    """All else that changes the result."""
    make: Make


def obtain(order: Order, announce: Announce, *, refresh: bool = False) -> Path:
    """The directory of what is ordered, made if it is not there; it stays while this process lives. Raises `LabError`.

    `announce` is called with a line for people at each step that takes time.
    """
    directory = cache_directory() / "apt" / f"{order.suite}-{order.architecture}"
    wanted = repr((order.kind, order.name, order.programs, order.kernel)).encode() + order.recipe
    plan = directory / f"plan-{order.name}-{content_key((), wanted)}.json"
    try:
        return (None if refresh else _kept(order, plan)) or _ordered(order, plan, announce, refresh=refresh)
    except OSError as error:
        raise LabError(f"lab: {order.name} can't be kept: {error}") from None


def _ordered(order: Order, plan: Path, announce: Announce, *, refresh: bool) -> Path:
    directory = plan.parent
    directory.mkdir(parents=True, exist_ok=True)

    def waiting() -> None:
        announce(f"{order.name}: waiting for another lab that fetches packages")

    with alone(directory, waiting=waiting):
        sweep(directory)
        return (None if refresh else _kept(order, plan)) or _made(order, directory, plan, announce)


def _use(result: Path) -> bool:
    """Keep others from removing a result while this process lives, and note when it was used; whether it is there."""
    there = use(result)
    # A cache that can only be read serves as well.
    with suppress(OSError):
        os.utime(result)
    return there


def _shelf(order: Order) -> Path:
    return cache_directory() / order.kind


def _kept(order: Order, plan: Path) -> Path | None:
    result = _planned(order, plan)
    return result if result is not None and _use(result) else None


def _planned(order: Order, plan: Path) -> Path | None:
    try:
        return _shelf(order) / str(json.loads(plan.read_text("utf-8"))["result"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _made(order: Order, directory: Path, plan: Path, announce: Announce) -> Path:
    require_tools(order.name)
    apt = Apt(directory, order.suite, order.architecture)
    announce(f"{order.name}: asking Debian {order.suite} for its packages")
    apt.update()
    if apt.note:
        announce(f"{order.name}: {apt.note}")
    kernel = apt.alone(apt.kernel(order.kernel)) if order.kernel else ()
    programs = apt.closure(order.programs)
    packages = (*programs, *kernel)
    result = _shelf(order) / f"{order.name}-{content_key(packages, order.recipe)}"
    while not _use(result):
        _make(order, apt, programs, kernel, result=result, work=directory, announce=announce)
    _forget_others(result, _planned(order, plan), directory)
    chosen = {"result": result.name, "packages": [package.file for package in packages]}
    plan.write_text(json.dumps(chosen, indent=1) + "\n", "utf-8")
    return result


def _make(
    order: Order,
    apt: Apt,
    programs: tuple[Package, ...],
    kernel: tuple[Package, ...],
    *,
    result: Path,
    work: Path,
    announce: Announce,
) -> None:
    """Make it at once or not at all."""
    packages = (*programs, *kernel)
    announce(f"{result.name}: fetching {len(packages)} packages, {sum(p.size for p in packages) / _MIB:.0f} MiB")
    archives = apt.fetch([package.name for package in programs], [package.name for package in kernel])
    announce(f"{result.name}: making it")
    result.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=_BUILDING, dir=work) as made_in:
        made = Path(made_in) / "result"
        files = [archives / package.file for package in programs]
        (Path(made_in) / "work").mkdir()
        order.make(files, next((archives / package.file for package in kernel), None), Path(made_in) / "work", made)
        made.rename(result)
    apt.forget()


def _forget_others(result: Path, replaced: Path | None, work: Path) -> None:
    """Remove what newer packages have replaced, and what another version of this program has long made no use of."""
    name = result.name.rpartition("-")[0]
    for other in result.parent.iterdir():
        if other != result and other.name.rpartition("-")[0] == name:
            # Somebody uses it, or has just removed it.
            with suppress(BlockingIOError, FileNotFoundError):
                if other == replaced or time.time() - other.stat().st_mtime > _UNUSED_SECONDS:
                    _forget(other, work)


def _forget(other: Path, work: Path) -> None:
    """At once or not at all. Raises BlockingIOError where it is in use.

    An emulator that has outlived its command has its files open.
    """
    with tempfile.TemporaryDirectory(prefix=_BUILDING, dir=work) as doomed, alone(other, wait=False):
        other.rename(Path(doomed) / other.name)


def sweep(directory: Path) -> None:
    """Remove what killed commands have left half-made. Only for who holds the directory's lock."""
    for left in directory.glob(f"{_BUILDING}*"):
        shutil.rmtree(left, ignore_errors=True)


def sweep_all() -> None:
    """Remove what is half-made and half-fetched, unless another process is working on it."""
    for directory in (cache_directory() / "apt").glob("*"):
        with suppress(BlockingIOError), alone(directory, wait=False):
            sweep(directory)
            shutil.rmtree(directory / "archives", ignore_errors=True)
