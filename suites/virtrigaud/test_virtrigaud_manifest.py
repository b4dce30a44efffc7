"""VirtRigaud: what the page says of every object, of images, and of virtual machines as their manifests define them."""

from __future__ import annotations

import re

from pytest_nestvirt.suite import (
    API_VERSION,
    HEADER,
    KINDS,
    ManifestObject,
    Unobservable,
    VirtualMachine,
    VmImage,
    missing_packages,
    requirement,
    vm_image,
)
from pytest_nestvirt.suite import (
    virtual_machine as field,
)

CHECKSUM = re.compile(r"(?:sha256:)?([0-9a-fA-F]{64})")


@requirement("VR-MAN-APIVERSION")
def test_object_is_of_the_api_version(manifest: ManifestObject) -> None:
    assert manifest.api_version == API_VERSION, (
        f"{manifest.at('apiVersion')}: expected {API_VERSION}; seen {manifest.api_version}"
    )
    refused, unknown = manifest.every_fault, manifest.every_unknown_field
    assert not refused, f"{_first(refused)}: the API server refuses the object"
    assert not unknown, f"{_first(unknown)}: kubectl refuses the object, other clients lose the field"


def _first(faults: tuple[str, ...]) -> str:
    return f"{faults[0]} (and {len(faults) - 1} more fields)" if len(faults) > 1 else faults[0]


@requirement("VR-MAN-KINDS")
def test_kind_is_one_of_the_three(manifest: ManifestObject) -> None:
    assert manifest.kind in KINDS, f"{manifest.at('kind')}: expected one of {', '.join(KINDS)}; seen {manifest.kind}"


@requirement("VR-MAN-NAMESPACE")
def test_objects_that_belong_together_are_in_one_namespace(manifest: VirtualMachine) -> None:
    named = [("spec.classRef", manifest.class_ref, manifest.manifests.classes)]
    if manifest.image_ref is not None:
        named.append(("spec.imageRef", manifest.image_ref, manifest.manifests.images))  # type: ignore[arg-type]
    for where, (_, name), objects in named:
        found = sorted(namespace for namespace, known in objects if known == name)
        if not found:
            raise Unobservable(manifest.at(where), f"{name} is not in the manifests")
        assert manifest.namespace in found, (
            f"{manifest.at(where)}: {name} is in namespace {', '.join(found)}, the machine in {manifest.namespace}"
        )


@requirement("VR-MAN-REFS")
def test_references_lead_somewhere(manifest: VirtualMachine) -> None:
    assert not (fault := manifest.fault_at(field.PROVIDER_REF, field.CLASS_REF, field.IMAGE_REF)), fault
    assert manifest.class_ref in manifest.manifests.classes, _dangling(manifest, "spec.classRef", manifest.class_ref)
    image = manifest.image_ref
    assert image is not None or manifest.has(field.IMPORTED_DISK), f"{manifest.at('spec.imageRef')}: is not written"
    if image is not None:
        assert image in manifest.manifests.images, _dangling(manifest, "spec.imageRef", image)


def _dangling(manifest: VirtualMachine, where: str, reference: tuple[str, str]) -> str:
    namespace, name = reference
    return f"{manifest.at(where)}: {name} is not in the manifests for namespace {namespace}"


@requirement("VR-MAN-POWERSTATE")
def test_machine_is_to_be_on(manifest: VirtualMachine) -> None:
    assert not (fault := manifest.fault_at(field.POWER_STATE)), fault
    if manifest.power_state is None:
        raise Unobservable(manifest.at(field.POWER_STATE), "is not written, and the API has no default for it")
    assert manifest.power_state == "On", f"{manifest.at(field.POWER_STATE)}: expected On; seen {manifest.power_state}"


@requirement("VR-MAN-VMIMAGE")
def test_image_has_an_address_and_a_checksum(manifest: VmImage) -> None:
    assert not (fault := manifest.fault_at(vm_image.URL, vm_image.CHECKSUM, vm_image.CHECKSUM_TYPE)), fault
    url, checksum = manifest.url or "", manifest.checksum or ""
    assert url.startswith("https://"), (
        f"{manifest.at(vm_image.URL)}: expected https://...; seen {manifest.said(vm_image.URL)}"
    )
    assert manifest.checksum_type == "sha256", (
        f"{manifest.at(vm_image.CHECKSUM_TYPE)}: expected sha256; seen {manifest.checksum_type}"
    )
    digits = CHECKSUM.fullmatch(checksum)
    assert digits is not None, (
        f"{manifest.at(vm_image.CHECKSUM)}: expected sha256: and 64 hexadecimal digits; seen {manifest.said(vm_image.CHECKSUM)}"
    )
    assert len(set(digits[1].lower())) > 1, f"{manifest.at(vm_image.CHECKSUM)}: is a placeholder, one digit 64 times"


@requirement("VR-CI-HEADER")
def test_user_data_is_a_cloud_config(manifest: VirtualMachine) -> None:
    assert manifest.cloud_header == HEADER, (
        f"{manifest.at(field.INLINE)}: expected {HEADER} as the first line; seen {manifest.cloud_header[:40]!r}"
    )
    fault = manifest.cloud_fault
    assert fault is None, fault and f"{manifest.at(field.INLINE, fault.line)}: {fault.problem}"


@requirement("VR-CI-HOSTNAME")
def test_user_data_names_the_machine(manifest: VirtualMachine) -> None:
    name, wanted = manifest.cloud_hostname, manifest.metadata_name
    assert name == wanted, f"{manifest.at(field.INLINE)}: hostname: expected {wanted}; seen {name or 'nothing'}"


@requirement("VR-CI-USER")
def test_user_data_makes_an_account_that_can_log_in(manifest: VirtualMachine) -> None:
    accounts = [user for user in manifest.cloud_users if user.name not in {"", "default"}]
    where = f"{manifest.at(field.INLINE)}: users"
    if not accounts:
        raise Unobservable(where, "makes no account of its own, and that of the image is not known here")
    assert any("NOPASSWD" in rule for user in accounts for rule in user.sudo), f"{where}: no sudo rule has NOPASSWD"
    broken = [user.name for user in accounts if user.whole_keys < user.keys]
    assert not broken, f"{where}: ssh_authorized_keys of {', '.join(broken)}: not a whole public key; a placeholder?"
    assert any(user.whole_keys for user in accounts), f"{where}: no account has ssh_authorized_keys"


@requirement("VR-CI-PACKAGES")
def test_user_data_installs_the_packages(manifest: VirtualMachine) -> None:
    missing = missing_packages(manifest.cloud_packages)
    assert not missing, f"{manifest.at(field.INLINE)}: packages: missing {', '.join(missing)}"
