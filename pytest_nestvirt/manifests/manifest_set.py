"""All objects of the manifests of one run: what refers to what, and who provides it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pytest_nestvirt.manifests.manifest_object import ManifestObject
from pytest_nestvirt.manifests.references import ProviderObject, Surroundings
from pytest_nestvirt.manifests.virtual_machine import VirtualMachine
from pytest_nestvirt.manifests.vm_class import VmClass
from pytest_nestvirt.manifests.vm_image import VmImage
from pytest_nestvirt.observation.unknown import known_or


@dataclass(frozen=True, slots=True)
class ManifestFile:
    """One file: its objects, and what else it holds."""

    path: Path
    objects: tuple[ManifestObject, ...]
    skipped: tuple[str, ...] = ()
    """`ConfigMap/settings (line 40)`: objects that are not VirtRigaud's, or of a kind that its document is silent on."""


class ManifestSet:
    """The manifests of one run. References are looked up in all files together, as in a cluster they all went to."""

    def __init__(self, surroundings: Surroundings | None = None) -> None:
        self.surroundings = surroundings or Surroundings()
        self.files: tuple[ManifestFile, ...] = ()
        self.digest = ""
        """SHA-256 of what the files hold; empty without files."""
        self.providers: dict[tuple[str, str], ProviderObject] = {}
        """By namespace and name."""
        self.classes: dict[tuple[str, str], VmClass] = {}
        self.images: dict[tuple[str, str], VmImage] = {}
        self.virtual_machines: dict[tuple[str, str], VirtualMachine] = {}

    @property
    def objects(self) -> tuple[ManifestObject, ...]:
        """Every object that can be judged, in the order of the files."""
        return tuple(item for file in self.files for item in file.objects)

    def machines_of(self, vm_class: ManifestObject) -> tuple[VirtualMachine, ...]:
        """The VirtualMachine objects that are made from a class."""
        return tuple(vm for vm in self.virtual_machines.values() if vm.refers_to_class(vm_class))

    @property
    def any_class_mentions_nesting(self) -> bool:
        """Whether any class says more of nested virtualization than a plain `false`."""
        return any(vm_class.mentions_nesting for vm_class in self.classes.values())

    def of_machine(self, names: Iterable[str], provider: str = "") -> VirtualMachine | None:
        """The VirtualMachine with the name of a machine on such a provider; None where none or several are."""
        wanted = set(names)
        found = [vm for (_, name), vm in self.virtual_machines.items() if name in wanted and _may_be_on(vm, provider)]
        return found[0] if len(found) == 1 else None

    def __bool__(self) -> bool:
        return bool(self.files)


def _may_be_on(machine: VirtualMachine, provider: str) -> bool:
    """Whether its provider is not known to be another one."""
    return known_or(lambda: provider in {"", machine.provider}, otherwise=True)
