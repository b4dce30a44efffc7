"""The architectures that are emulated: what Debian calls their kernels, and how their devices are found."""

from __future__ import annotations

from pytest_nestvirt.lab.model import Architecture

_PCI = ("virtio_pci", "virtio_blk", "virtio_net")

AMD64 = Architecture(
    name="amd64",
    debian="amd64",
    kernel="linux-image-cloud-amd64",
    console="ttyS0",
    modules=_PCI,
    hypervisor="qemu-system-x86_64",
    programs=("qemu-system-x86",),
)
PPC64EL = Architecture(
    name="ppc64el",
    debian="ppc64el",
    kernel="linux-image-powerpc64le",
    console="hvc0",
    modules=_PCI,
    hypervisor="qemu-system-ppc64",
    programs=("qemu-system-ppc",),
)
S390X = Architecture(
    name="s390x",
    debian="s390x",
    kernel="linux-image-s390x",
    console="ttysclp0",
    modules=("virtio_ccw", "virtio_blk", "virtio_net"),
    block_device="virtio-blk-ccw",
    network_device="virtio-net-ccw",
)
ARM64 = Architecture(
    name="arm64",
    debian="arm64",
    kernel="linux-image-cloud-arm64",
    console="ttyAMA0",
    modules=_PCI,
)
