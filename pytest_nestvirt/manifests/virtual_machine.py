"""Facts about a VirtualMachine object: what it is made of, who provides it, what its first boot is configured to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Protocol, TypeVar

from pytest_nestvirt.document import DocumentError, dotted
from pytest_nestvirt.manifests.cloud_config import CloudConfig, CloudUser, parse_cloud_config
from pytest_nestvirt.manifests.known_fields import OF_MACHINE, Known
from pytest_nestvirt.manifests.manifest_field import Fault, Field, one_of, text, whole
from pytest_nestvirt.manifests.manifest_object import ManifestObject, Written
from pytest_nestvirt.manifests.references import ProviderObject, Surroundings
from pytest_nestvirt.manifests.vm_class import VmClass
from pytest_nestvirt.manifests.vm_image import VmImage
from pytest_nestvirt.observation.fact import INVENTORY, Unobservable, fact
from pytest_nestvirt.observation.unknown import known_or

T = TypeVar("T")

CLASS_REF = Field("spec.classRef.name", text, required=True)
CLASS_NAMESPACE = Field("spec.classRef.namespace", text)
IMAGE_REF = Field("spec.imageRef.name", text)
IMAGE_NAMESPACE = Field("spec.imageRef.namespace", text)
PROVIDER_REF = Field("spec.providerRef.name", text, required=True)
PROVIDER_NAMESPACE = Field("spec.providerRef.namespace", text)
POWER_STATE = Field("spec.powerState", one_of("On", "Off", "OffGraceful"))
CPU = Field("spec.resources.cpu", whole(1, 128))
MEMORY_MIB = Field("spec.resources.memoryMiB", whole(128, 1_048_576))
INLINE = Field("spec.userData.cloudInit.inline", text)
IMPORTED_DISK = "spec.importedDisk"


class MachineReferences(Protocol):
    """What a VirtualMachine asks of the manifests around it; keys are namespace and name."""

    surroundings: Surroundings
    providers: dict[tuple[str, str], ProviderObject]
    classes: dict[tuple[str, str], VmClass]
    images: dict[tuple[str, str], VmImage]


class VirtualMachine(ManifestObject):
    """A VirtualMachine. It takes its size from its class, except for what it says itself."""

    FIELDS: ClassVar[tuple[Field[object], ...]] = (
        CLASS_REF, CLASS_NAMESPACE, IMAGE_REF, IMAGE_NAMESPACE, PROVIDER_REF, PROVIDER_NAMESPACE, POWER_STATE, CPU,
        MEMORY_MIB, INLINE,
    )  # fmt: skip

    KNOWN: ClassVar[Known] = OF_MACHINE

    SIZE_FIELDS: ClassVar = (CPU, MEMORY_MIB)
    """The fields of its own number of processors and its own memory."""

    def __init__(self, written: Written, name: str, manifests: MachineReferences) -> None:
        super().__init__(written, name)
        self.manifests = manifests

    # ---- references

    @fact
    def class_ref(self) -> tuple[str, str]:
        """Namespace and name of its class."""
        return self.asked(CLASS_NAMESPACE) or self.namespace, self.needed(CLASS_REF)

    @fact
    def image_ref(self) -> tuple[str, str] | None:
        """Namespace and name of its image; None where it names none."""
        name = self.asked(IMAGE_REF)
        return None if name is None else (self.asked(IMAGE_NAMESPACE) or self.namespace, name)

    @fact
    def provider_ref(self) -> tuple[str, str]:
        """Namespace and name of its provider."""
        return self.asked(PROVIDER_NAMESPACE) or self.namespace, self.needed(PROVIDER_REF)

    def refers_to_class(self, vm_class: ManifestObject) -> bool:
        """Whether it is made from that class. A reference that cannot be read leads nowhere."""
        return known_or(lambda: self.manifests.classes.get(self.class_ref) is vm_class, otherwise=False)

    @property
    def vm_class(self) -> VmClass:
        """Its class. `Unobservable` where the manifests do not hold it."""
        return self._found(self.manifests.classes, self.class_ref, "VMClass")

    @property
    def vm_image(self) -> VmImage:
        """Its image. `Unobservable` where the manifests do not hold it, or it has none."""
        if self.image_ref is None:
            raise Unobservable(self.place, "names no image")
        return self._found(self.manifests.images, self.image_ref, "VMImage")

    def _found(self, objects: Mapping[tuple[str, str], T], wanted: tuple[str, str], kind: str) -> T:
        found = objects.get(wanted)
        if found is None:
            raise Unobservable(self.place, f"no {kind} {wanted[1]} in namespace {wanted[0]} is in the manifests")
        return found

    @fact
    def provider(self) -> str:
        """Who offers it: vsphere, libvirt, proxmox, ...

        From the Provider object that it refers to, else from the machine of the inventory that is called like it.
        """
        reference = self.provider_ref
        known = self.manifests.providers.get(reference)
        if known is not None:
            self.reader.note(known.source)
            return known.type
        declared = self.manifests.surroundings.providers.get(reference[1])
        if declared is None:
            raise Unobservable(
                self.at(PROVIDER_REF.path),
                f"what kind of provider {reference[1]} is stands nowhere; add its Provider object, or a host of that name "
                "with `provider:` to the inventory",
            )
        self.reader.note(INVENTORY)
        return declared

    @fact
    def is_hypervisor(self) -> bool:
        """Whether the inventory has a guest hypervisor of its name."""
        self.reader.note(INVENTORY)
        return self.metadata_name in self.manifests.surroundings.hypervisors

    @fact
    def for_nesting(self) -> bool:
        """Whether it is to run guests of its own: by the inventory, or by its class."""
        return self.is_hypervisor or self.vm_class.for_nesting

    @fact
    def providers(self) -> frozenset[str]:
        """Its provider, in the form that its class has them."""
        return frozenset({self.provider})

    # ---- size and state

    @fact
    def cpu(self) -> int:
        """Number of virtual processors, its own or its class's."""
        own = self.asked(CPU)
        return self.vm_class.cpu if own is None else own

    @fact
    def memory_bytes(self) -> int:
        """Memory in bytes, its own or its class's."""
        own = self.asked(MEMORY_MIB)
        return self.vm_class.memory_bytes if own is None else own * 2**20

    @fact
    def power_state(self) -> str | None:
        """On, Off or OffGraceful; None where nothing is written."""
        return self.asked(POWER_STATE)

    # ---- first boot

    @fact
    def cloud_header(self) -> str:
        """The first line of the user data, by which cloud-init tells what the rest is."""
        return self._user_data().split("\n", 1)[0].rstrip()

    @fact
    def cloud_fault(self) -> Fault | None:
        """What keeps cloud-init from reading the user data as YAML; None where nothing does."""
        parsed = self._parsed()
        return parsed if isinstance(parsed, Fault) else None

    @fact
    def cloud_hostname(self) -> str:
        """The name that the user data gives the machine; empty where it gives none."""
        return self._cloud_config().hostname

    @fact
    def cloud_users(self) -> tuple[CloudUser, ...]:
        """Accounts that the user data makes."""
        return self._cloud_config().users

    @fact
    def cloud_packages(self) -> tuple[str, ...]:
        """Packages that the user data installs."""
        return self._cloud_config().packages

    def _user_data(self) -> str:
        return self.needed(INLINE)

    def _cloud_config(self) -> CloudConfig:
        parsed = self._parsed()
        if isinstance(parsed, Fault):
            raise Unobservable(f"{self.written.path.name}:{parsed.line}", parsed.problem)
        return parsed

    def _parsed(self) -> CloudConfig | Fault:
        """Lines of the text count as lines of the file where it is literal (`|`); else its key's line stands for all."""
        given, placed = self._user_data(), self.written.placed(*INLINE.keys)
        begin = placed.node.literal or placed.line if placed else 1
        try:
            return parse_cloud_config(given, self.written.path, begin - 1)
        except DocumentError as error:
            line = error.line if placed is None or placed.node.literal else placed.line
            return Fault(INLINE.path, line, ": ".join(filter(None, (dotted(error.keys), error.problem))))
