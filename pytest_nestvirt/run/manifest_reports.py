"""How objects of manifests appear among the machines of a report."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from pytest_nestvirt.manifests.manifest_object import LEVEL, ManifestObject
from pytest_nestvirt.manifests.manifest_set import ManifestFile
from pytest_nestvirt.manifests.virtual_machine import VirtualMachine
from pytest_nestvirt.manifests.vm_class import VmClass
from pytest_nestvirt.manifests.vm_image import VmImage
from pytest_nestvirt.observation.fact import Unobservable
from pytest_nestvirt.report.case import HostReport
from pytest_nestvirt.report.sanitize import plain

MANIFEST = "manifest"
"""Stands for how an object was looked at, and for where what is known of it comes from."""


def manifest_reports(files: Sequence[ManifestFile]) -> Iterator[HostReport]:
    """One for each object; the first of a file says what else the file holds."""
    for file in files:
        for place, item in enumerate(file.objects):
            trouble = f"not judged: {', '.join(file.skipped)}" if file.skipped and place == 0 else ""
            yield HostReport(
                name=item.name,
                level=LEVEL,
                parent=None,
                connection=MANIFEST,
                where=item.place,
                reachable=True,
                trouble=plain(trouble, 400),
                origin=MANIFEST,
                identity=plain(_identity(item), 160),
            )


def _identity(item: ManifestObject) -> str:
    """What a person tells objects apart by, as far as it is known."""
    told: tuple[str, ...]
    match item:
        case VmClass() | VirtualMachine():
            told = (item.place, _known(lambda: f"{item.cpu} processors"), _known(lambda: _size(item.memory_bytes)))
        case VmImage():
            told = (item.place, _known(lambda: item.url or ""))
        case _:
            told = (item.place,)
    return ", ".join(filter(None, told))


def _size(memory: int) -> str:
    return f"{memory / 2**30:.3g} GiB"


def _known(read: Callable[[], str]) -> str:
    try:
        return read()
    except Unobservable:
        return ""
