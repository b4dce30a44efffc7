"""For each statement about VirtRigaud's manifests one that conforms, one that violates it, and one that can't tell.

What stands in a file can be seen as a rule; where no manifest leaves a question open, the third is None.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rhel8_trios import MUST, TOLD

from pytest_nestvirt.verdict import Verdict

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f me"

CLASS = """\
apiVersion: infra.virtrigaud.io/v1beta1
kind: VMClass
metadata: {name: big}
spec:
  cpu: 8
  memory: 16Gi
  firmware: UEFI
  performanceProfile:
    nestedVirtualization: true
    virtualizationBasedSecurity: false
    cpuHotAddEnabled: true
    memoryHotAddEnabled: true
    latencySensitivity: low
    hyperThreadingPolicy: prefer
  securityProfile: {secureBoot: false, tpmEnabled: true, vtdEnabled: true}
  resourceLimits: {cpuReservation: 4000, cpuLimit: 8000, memoryReservation: 8Gi, memoryLimit: 16Gi}
  diskDefaults: {type: thin, size: 200Gi, storageClass: fast-ssd}
"""
IMAGE = f"""\
apiVersion: infra.virtrigaud.io/v1beta1
kind: VMImage
metadata: {{name: jammy}}
spec:
  source:
    libvirt:
      url: https://example.com/jammy.img
      checksum: sha256:{"de5e632e17b8965f" * 4}
"""
MACHINE = f"""\
apiVersion: infra.virtrigaud.io/v1beta1
kind: VirtualMachine
metadata: {{name: l1}}
spec:
  providerRef: {{name: lab}}
  classRef: {{name: big}}
  imageRef: {{name: jammy}}
  userData:
    cloudInit:
      inline: |
        #cloud-config
        hostname: l1
        users:
          - name: ubuntu
            sudo: ALL=(ALL) NOPASSWD:ALL
            ssh_authorized_keys: [{KEY}]
        packages: [qemu-kvm, libvirt-daemon-system, libvirt-clients, bridge-utils, virt-manager]
  powerState: On
"""
PROVIDER = """\
apiVersion: infra.virtrigaud.io/v1beta1
kind: Provider
metadata: {name: lab}
spec: {type: libvirt}
"""
EVERYTHING = f"{CLASS}---\n{IMAGE}---\n{MACHINE}---\n{PROVIDER}"


def but(*changes: tuple[str, str], of: str = EVERYTHING) -> str:
    """The manifests with some text replaced, which must be there."""
    for old, new in changes:
        assert old in of, old
        of = of.replace(old, new, 1)
    return of


def without(*parts: str) -> str:
    """The manifests without some of the objects."""
    return "---\n".join(part for part in (CLASS, IMAGE, MACHINE, PROVIDER) if part not in parts)


@dataclass(frozen=True, slots=True)
class ManifestTrio:
    """One statement, the object that it is asked of, three manifests and the verdicts expected of them in that order."""

    requirement: str
    item: str
    verdicts: tuple[Verdict, Verdict, Verdict]
    violating: str
    unobservable: str | None = None
    conforming: str = EVERYTHING
    violator: str = ""
    """The object in the violating manifest, if it is called otherwise there."""


BIG, JAMMY, L1 = "VMClass/big", "VMImage/jammy", "VirtualMachine/l1"
NO_YAML = but(("hostname: l1", "hostname: [l1"))
RESIZED = "  powerState: On\n  resources: {{cpu: {cpu}, memoryMiB: {memory}}}\n"


def _resized(cpu: int, memory: int) -> str:
    """A machine that overrides its class."""
    return but(("  powerState: On\n", RESIZED.format(cpu=cpu, memory=memory)))


def of_classes() -> Iterator[ManifestTrio]:
    """What is said of a VMClass."""
    moved = but(("    nestedVirtualization: true\n", ""), ("  cpu: 8\n", "  cpu: 8\n  nestedVirtualization: true\n"))
    vbs = "virtualizationBasedSecurity: false"
    yield ManifestTrio("VR-PERFPROFILE", BIG, MUST, moved)
    yield ManifestTrio("VR-MAN-APIVERSION", BIG, MUST, but(("v1beta1", "v1alpha1")))
    yield ManifestTrio("VR-MAN-KINDS", BIG, MUST, but(("VMClass", "VMclass")), violator="VMclass/big")
    yield ManifestTrio("VR-MAN-NESTED-TRUE", BIG, MUST, but(("ization: true", 'ization: "true"')))
    yield ManifestTrio("VR-MAN-VBS-OPTIONAL", BIG, TOLD, but((vbs, "virtualizationBasedSecurity: maybe")))
    both, odd = but((vbs, "virtualizationBasedSecurity: true")), but((vbs, "virtualizationBasedSecurity: maybe"))
    yield ManifestTrio("VR-MAN-VBS-CONFLICT", BIG, TOLD, both, odd)
    yield ManifestTrio("VR-MAN-CPU-HOTADD", BIG, TOLD, but(("type: libvirt", "type: vsphere")), without(PROVIDER))
    yield ManifestTrio("VR-MAN-MEM-HOTADD", BIG, TOLD, but(("memoryHotAddEnabled: true", "memoryHotAddEnabled: 1")))
    yield ManifestTrio("VR-MAN-SECUREBOOT", BIG, TOLD, but(("secureBoot: false", "secureBoot: true")))
    yield ManifestTrio("VR-MAN-TPM", BIG, TOLD, but(("UEFI", "BIOS")), but(("UEFI", "uefi")))
    yield ManifestTrio("VR-MAN-VTD", BIG, TOLD, but(("vtdEnabled: true", "vtdEnabled: false")))
    yield ManifestTrio("VR-MAN-FIRMWARE", BIG, TOLD, but(("  firmware: UEFI\n", "")))
    yield ManifestTrio("VR-MAN-DISK", BIG, TOLD, but(("size: 200Gi", "size: 100G")))
    yield ManifestTrio("VR-MAN-STORAGECLASS", BIG, TOLD, but((", storageClass: fast-ssd", "")))
    yield ManifestTrio("VR-MAN-EX-SIZES", BIG, TOLD, but(("memory: 16Gi", "memory: 8Gi")))
    yield ManifestTrio("VR-MAN-LATENCY", BIG, TOLD, but(("Sensitivity: low", "Sensitivity: lowest")))
    yield ManifestTrio("VR-MAN-HT", BIG, TOLD, but(("prefer", "sometimes")))
    yield ManifestTrio("VR-MAN-CPU-RESERVATION", BIG, TOLD, but(("4000", "4GHz")))
    yield ManifestTrio("VR-MAN-MEM-RESERVATION", BIG, MUST, but(("memoryReservation: 8Gi", "memoryReservation: 17Gi")))
    yield ManifestTrio("VR-SEC-LIMITS", BIG, TOLD, but(("cpuLimit: 8000, ", ""), (", memoryLimit: 16Gi", "")))
    yield ManifestTrio("VR-BP-CONFIG", BIG, TOLD, but(("cpuReservation: 4000, ", "")))


def of_sizes() -> Iterator[ManifestTrio]:
    """How large a class, or a machine that overrides it, is."""
    only_memory = but((", memoryMiB: 2048", ""), of=_resized(2, 2048).replace(CLASS, ""))
    only_cpu = but(("cpu: 8, ", ""), of=_resized(8, 2048).replace(CLASS, ""))
    yield ManifestTrio("VR-SIZE-CPU-MIN", L1, MUST, _resized(3, 16384), only_cpu, _resized(4, 8192))
    yield ManifestTrio("VR-SIZE-CPU-REC", BIG, TOLD, but(("cpu: 8", "cpu: 7")), only_cpu)
    yield ManifestTrio("VR-SIZE-MEM-MIN", L1, MUST, _resized(8, 7168), only_memory, _resized(4, 8192))
    yield ManifestTrio("VR-SIZE-MEM-REC", BIG, TOLD, but(("memory: 16Gi", "memory: 15G")), only_memory)


def of_images_and_machines() -> Iterator[ManifestTrio]:
    """What is said of a VMImage and of a VirtualMachine."""
    elsewhere = but(("{name: jammy}", "{name: jammy, namespace: images}"))
    yield ManifestTrio("VR-MAN-NAMESPACE", L1, TOLD, elsewhere, without(IMAGE))
    yield ManifestTrio("VR-MAN-VMIMAGE", JAMMY, TOLD, but(("de5e632e17b8965f", "de5e")))
    yield ManifestTrio("VR-MAN-REFS", L1, MUST, but(("classRef: {name: big}", "classRef: {name: bigger}")))
    yield ManifestTrio("VR-MAN-POWERSTATE", L1, TOLD, but(("State: On", "State: Off")), but(("  powerState: On\n", "")))
    yield ManifestTrio("VR-CI-HEADER", L1, MUST, but(("#cloud-config", "# cloud-config")))
    yield ManifestTrio("VR-CI-HOSTNAME", L1, TOLD, but(("hostname: l1", "hostname: l2")), NO_YAML)
    no_users = but(("name: ubuntu", "name: default"))
    yield ManifestTrio("VR-CI-USER", L1, TOLD, but((KEY, "ssh-rsa AAAAB3NzaC1yc2E...")), no_users)
    yield ManifestTrio("VR-CI-PACKAGES", L1, TOLD, but(("bridge-utils, ", "")), NO_YAML)
    planned, harmless = (
        ("type: libvirt", "type: proxmox"),
        ("nestedVirtualization: true", "nestedVirtualization: false"),
    )
    orphan = but(planned, of=without(CLASS))
    yield ManifestTrio("VR-MTX-PROXMOX", L1, TOLD, but(planned), orphan, but(planned, harmless))


def manifest_trios() -> Iterator[ManifestTrio]:
    """All of them."""
    yield from of_classes()
    yield from of_sizes()
    yield from of_images_and_machines()
