"""The fields that v1beta1 has in the mappings that the VirtRigaud document writes: path of the mapping -> its keys.

From VirtRigaud's definitions (config/crd/bases and api/infra.virtrigaud.io/v1beta1, late 2025). Their schemas are structural
and keep no unknown fields: kubectl validates strictly and refuses an object with one (since 1.25); for clients that do not ask
for that, the API server warns, drops the field and keeps the rest. Mappings that are not listed here are not looked into.
"""

from __future__ import annotations

from collections.abc import Mapping


def _keys(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


Known = Mapping[str, frozenset[str]]

_OBJECT: Known = {"": _keys("apiVersion kind metadata spec status")}
_REFERENCE = _keys("name namespace")

OF_CLASS: Known = {
    **_OBJECT,
    "spec": _keys(
        "cpu memory firmware diskDefaults guestToolsPolicy extraConfig resourceLimits performanceProfile securityProfile"
        " hardwareVersion"
    ),
    "spec.diskDefaults": _keys("type size iops storageClass"),
    "spec.resourceLimits": _keys("cpuLimit cpuReservation memoryLimit memoryReservation cpuShares"),
    "spec.performanceProfile": _keys(
        "latencySensitivity cpuHotAddEnabled memoryHotAddEnabled virtualizationBasedSecurity nestedVirtualization"
        " hyperThreadingPolicy"
    ),
    "spec.securityProfile": _keys("secureBoot tpmEnabled tpmVersion vtdEnabled encryptionPolicy"),
    "spec.securityProfile.encryptionPolicy": _keys("enabled keyProvider requireEncryption"),
}
OF_IMAGE: Known = {
    **_OBJECT,
    "spec": _keys("source prepare metadata distribution"),
    "spec.source": _keys("vsphere libvirt http registry dataVolume proxmox"),
    "spec.source.libvirt": _keys("path url format checksum checksumType storagePool"),
}
OF_MACHINE: Known = {
    **_OBJECT,
    "spec": _keys(
        "providerRef classRef imageRef importedDisk networks disks userData metaData placement powerState tags resources"
        " placementRef snapshot lifecycle"
    ),
    "spec.providerRef": _REFERENCE,
    "spec.classRef": _REFERENCE,
    "spec.imageRef": _REFERENCE,
    "spec.resources": _keys("cpu memoryMiB gpu"),
    "spec.userData": _keys("cloudInit ignition"),
    "spec.userData.cloudInit": _keys("inline secretRef"),
}
