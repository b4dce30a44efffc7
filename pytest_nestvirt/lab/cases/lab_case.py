"""What a lab is, as data: an architecture, the machines inside each other, and what is to be found out about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pytest_nestvirt.catalogue.requirement import Stance
from pytest_nestvirt.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Emulator:
    """What emulates the outermost machine: a program from Debian's packages for the machine that it runs on."""

    program: str
    """`qemu-system-ppc64`."""
    packages: tuple[str, ...]
    """Where that and all it is used with comes from; what they depend on comes along."""
    suite: str
    """Debian's release that they are taken from: `bookworm`."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """What all machines of one architecture have in common: what their image is made of."""

    name: str
    """Of the image; `amd64-libvirt` where that has more than the plain one."""
    debian: str
    """Debian's name for it: `ppc64el`."""
    kernel: str
    """Metapackage of the kernel: `linux-image-powerpc64le`."""
    console: str
    """Device that the kernel talks to: `hvc0`."""
    modules: tuple[str, ...]
    """Modules by which a machine finds its devices."""
    outermost_modules: tuple[str, ...] = ()
    """Those by which the outermost machine finds its own; empty where they are the same."""
    further_modules: tuple[str, ...] = ()
    """Those that programs ask for once they run."""
    unpack_kernel: bool = False
    """Whether the kernel is unpacked when the image is made, since its machines would take minutes for that."""
    hypervisor: str = ""
    """Program by which its machines run guests: `qemu-system-ppc64`; empty where they are to run none."""
    programs: tuple[str, ...] = ()
    """Packages that its machines have besides Python and SSH."""
    block_device: str = "virtio-blk-pci"
    network_device: str = "virtio-net-pci,romfile="
    suite: str = "bookworm"
    """Debian's release that runs on its machines."""


@dataclass(frozen=True, slots=True)
class Domain:
    """How libvirt is asked to run a machine."""

    cpu: str
    """Its <cpu> element; empty for none, so that libvirt chooses."""


@dataclass(frozen=True, slots=True)
class LabMachine:
    """One level of a lab."""

    options: tuple[str, ...]
    """Words that its emulator is given about machine and processor."""
    memory: int
    """MiB."""
    seconds: float
    """From its start until it answers to SSH, as measured on two cores without other load."""
    kvm: str = ""
    """Module by which it runs guests; empty for one that is not to."""
    modprobe: str = ""
    """Text of its /etc/modprobe.d/kvm.conf; empty for none."""
    disk: str = "/dev/vda"
    """Device of the disk with Python and QEMU; empty for a machine that has none, but BusyBox and SSH."""
    block: str = ""
    """More words for its block device: where on the bus it sits."""
    network: str = ""
    """The same for its network device."""
    systemd: bool = False
    """Whether systemd brings it up, as it does on a host of every day, and not the lab's own first process alone."""
    domain: Domain | None = None
    """Set where it is a domain of the libvirtd around it, which takes no `options`; otherwise QEMU is started."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a run over the lab has to find: verdict -> requirements, by the name of the machine.

    What does not apply and what asks for a permission is left out; everything else has to be named.
    """

    verdicts: Mapping[str, Mapping[Verdict, tuple[str, ...]]]
    stances: Mapping[str, Stance] = field(default_factory=dict)
    """The support stance of each document that judges the lab's chain and mentions support, by the document's id."""

    def table(self) -> dict[tuple[str, str], Verdict]:
        """(machine, requirement) -> verdict."""
        return {
            (host, requirement): verdict
            for host, by_verdict in self.verdicts.items()
            for verdict, requirements in by_verdict.items()
            for requirement in requirements
        }


@dataclass(frozen=True, slots=True)
class LabCase:
    """One lab that can be brought up."""

    name: str
    title: str
    architecture: Architecture
    emulator: Emulator
    machines: tuple[LabMachine, ...]
    """The outermost first; L0, L1 and L2 are their names."""
    expected: Expected
    treat_as: str = ""
    """Operating system that its machines, which run Debian, are judged as: `rhel`; empty where they are judged as what
    they are."""
    kernel_options: str = "quiet mitigations=off panic=-1"
    attempts: int = 1
    """How often it is started before it counts as broken; above 1 where the emulator is known to fail at times."""
    snapshots: bool = False
    """Whether it is kept on disk once it is up, and comes up from there."""
    slow: bool = False
    """Whether it takes minutes, so that it does not belong into every run of the product's own tests."""
    notes: tuple[str, ...] = field(default=())
    """How deep it goes, and why not deeper."""

    @property
    def seconds(self) -> float:
        """From its start until its innermost machine answers, as measured without other load."""
        return sum(machine.seconds for machine in self.machines)

    @property
    def levels(self) -> tuple[str, ...]:
        """Names of the machines: L0, L1, ..."""
        return tuple(f"L{level}" for level in range(len(self.machines)))
