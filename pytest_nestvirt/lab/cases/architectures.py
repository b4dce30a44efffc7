"""The architectures that are emulated: what Debian calls their kernels, and how their devices are found."""

from __future__ import annotations

from dataclasses import replace

from pytest_nestvirt.lab.cases.lab_case import Architecture

PC_OVER_KVM = ("-machine", "q35,accel=kvm", "-cpu", "host")
"""The words about machine and processor for a guest that gets all that its PC has."""
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
VMX = replace(
    AMD64,
    name="intel",
    kernel="linux-image-amd64",
    # The cloud kernel has no driver for any network device of Bochs.
    outermost_modules=("sd_mod", "ata_piix", "e1000"),
    unpack_kernel=True,
)
AMD64_LIBVIRT = replace(
    AMD64,
    name="amd64-libvirt",
    further_modules=("tun", "bridge", "vhost_net"),
    programs=(
        *("bash", "coreutils", "dash", "dbus", "findutils", "grep", "hostname", "iproute2", "libc-bin", "mawk"),
        *("libvirt-clients", "libvirt-daemon-system", "procps", "qemu-system-x86", "sed", "systemd-sysv", "udev"),
        "util-linux",
    ),
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
