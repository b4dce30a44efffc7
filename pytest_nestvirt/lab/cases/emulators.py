"""The emulators of the outermost machines: Debian's, of the release whose version is known to work."""

from __future__ import annotations

from pytest_nestvirt.lab.cases.lab_case import Emulator

# What another release has may differ: with QEMU 7.2 outside, an L2 of POWER dies in its kernel; with 10.0.2, an AMD L0
# of two processors panics.
QEMU_X86 = Emulator("qemu-system-x86_64", ("qemu-system-x86",), "bookworm")
QEMU_PPC = Emulator("qemu-system-ppc64", ("qemu-system-ppc",), "bookworm")
QEMU_10_PPC = Emulator("qemu-system-ppc64", ("qemu-system-ppc",), "trixie")
QEMU_S390X = Emulator("qemu-system-s390x", ("qemu-system-misc",), "bookworm")
BOCHS = Emulator(
    "bochs-bin", ("bochs", "bochs-term", "bochsbios", "vgabios", "ncurses-base", "binutils-x86-64-linux-gnu"), "trixie"
)
QEMU_ARM = Emulator("qemu-system-aarch64", ("qemu-system-arm",), "bookworm")
