"""What objects of manifests refer to: other objects, the inventory's hosts, and how a class finds its machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pytest_nestvirt.manifests.manifest_object import ManifestObject


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the inventory knows that manifests are about."""

    providers: Mapping[str, str] = field(default_factory=dict)
    """Name of a machine -> who offers virtual machines on it (`vsphere`): a `providerRef` may be called like it."""
    hypervisors: frozenset[str] = frozenset()
    """Names of the guest hypervisors (L1): machines that are to run guests of their own."""


@dataclass(frozen=True, slots=True)
class ProviderObject:
    """A `kind: Provider` of the manifests."""

    type: str
    """libvirt, vsphere, proxmox, ..."""
    source: str
    """`nested.yaml:3`"""


class MachineOfClass(Protocol):
    """A VirtualMachine, as far as its class has to know of it."""

    @property
    def provider(self) -> str:
        """Who offers it. `Unobservable` where that is unknown."""

    @property
    def is_hypervisor(self) -> bool:
        """Whether the inventory has a guest hypervisor of its name."""


class ClassReferences(Protocol):
    """What a VMClass asks of the manifests around it."""

    def machines_of(self, vm_class: ManifestObject) -> Sequence[MachineOfClass]:
        """The VirtualMachine objects that are made from a class."""

    @property
    def any_class_mentions_nesting(self) -> bool:
        """Whether any class says more of nested virtualization than a plain `false`."""
