"""Facts about a VMImage: where the disk of a virtual machine comes from."""

from __future__ import annotations

from typing import ClassVar

from pytest_nestvirt.manifests.known_fields import OF_IMAGE, Known
from pytest_nestvirt.manifests.manifest_field import Field, mapping, one_of, text
from pytest_nestvirt.manifests.manifest_object import ManifestObject
from pytest_nestvirt.observation.fact import fact

_LIBVIRT = "spec.source.libvirt"

SOURCE = Field("spec.source", mapping, required=True)
URL = Field(f"{_LIBVIRT}.url", text)
CHECKSUM = Field(f"{_LIBVIRT}.checksum", text)
CHECKSUM_TYPE = Field(f"{_LIBVIRT}.checksumType", one_of("md5", "sha1", "sha256", "sha512"), default="sha256")


class VmImage(ManifestObject):
    """A VMImage. Nothing is downloaded."""

    FIELDS: ClassVar[tuple[Field[object], ...]] = (SOURCE, URL, CHECKSUM, CHECKSUM_TYPE)
    KNOWN: ClassVar[Known] = OF_IMAGE

    @fact
    def url(self) -> str | None:
        """Where libvirt's provider gets the image from; None where nothing is written."""
        return self.asked(URL)

    @fact
    def checksum(self) -> str | None:
        """As written: hexadecimal digits, with or without `sha256:` before them; None where nothing is."""
        return self.asked(CHECKSUM)

    @fact
    def checksum_type(self) -> str | None:
        """Algorithm of the checksum; sha256 where the image does not say."""
        return self.asked(CHECKSUM_TYPE)
