"""The architectures that are emulated: what Debian calls their kernels, and how their devices are found."""

from __future__ import annotations

from pytest_nestvirt.lab.model import Architecture

_PCI = ("virtio_pci", "virtio_blk", "virtio_net")

AMD64 = Architecture(
    debian="amd64",
    kernel="linux-image-cloud-amd64",
    console="ttyS0",
    modules=_PCI,
    emulator="qemu-system-x86_64",
    emulator_package="qemu-system-x86",
)
PPC64EL = Architecture(
    debian="ppc64el",
    kernel="linux-image-powerpc64le",
    console="hvc0",
    modules=_PCI,
    emulator="qemu-system-ppc64",
    emulator_package="qemu-system-ppc",
)
S390X = Architecture(
    debian="s390x",
    kernel="linux-image-s390x",
    console="ttysclp0",
    modules=("virtio_ccw", "virtio_blk", "virtio_net"),
    emulator="qemu-system-s390x",
    emulator_package="qemu-system-misc",
    guests=False,
    block_device="virtio-blk-ccw",
    network_device="virtio-net-ccw",
)
ARM64 = Architecture(
    debian="arm64",
    kernel="linux-image-cloud-arm64",
    console="ttyAMA0",
    modules=_PCI,
    emulator="qemu-system-aarch64",
    emulator_package="qemu-system-arm",
    guests=False,
)
