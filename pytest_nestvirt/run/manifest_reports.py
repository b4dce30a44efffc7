"""How objects of manifests appear in a report, beside the machines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pytest_nestvirt.manifests.manifest_object import ManifestObject
from pytest_nestvirt.manifests.manifest_set import ManifestFile
from pytest_nestvirt.manifests.virtual_machine import VirtualMachine
from pytest_nestvirt.manifests.vm_class import VmClass
from pytest_nestvirt.manifests.vm_image import VmImage
from pytest_nestvirt.observation.unknown import known_or
from pytest_nestvirt.report.case import HostReport
from pytest_nestvirt.report.sanitize import plain

MANIFEST = "manifest"
"""`connection` and `origin` of an object: it is read from a file."""


def manifest_reports(files: Sequence[ManifestFile]) -> Iterator[HostReport]:
    """One for each object; the first of a file says what else the file holds."""
    for file in files:
        for place, item in enumerate(file.objects):
            trouble = f"not judged: {', '.join(file.skipped)}" if file.skipped and place == 0 else ""
            yield HostReport(
                name=item.name,
                level=None,
                parent=None,
                connection=MANIFEST,
                where=item.place,
                reachable=True,
                trouble=plain(trouble, 400),
                origin=MANIFEST,
                identity=plain(_identity(item), 160),
            )


def _identity(item: ManifestObject) -> str:
    """What distinguishes an object for a person, as far as it is known."""
    words: tuple[str, ...]
    match item:
        case VmClass() | VirtualMachine():
            words = (
                item.place,
                known_or(lambda: f"{item.cpu} processors", ""),
                known_or(lambda: _size(item.memory_bytes), ""),
            )
        case VmImage():
            words = (item.place, known_or(lambda: item.url or "", ""))
        case _:
            words = (item.place,)
    return ", ".join(filter(None, words))


def _size(memory: int) -> str:
    return f"{memory / 2**30:.3g} GiB"
