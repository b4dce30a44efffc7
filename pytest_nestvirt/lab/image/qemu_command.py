"""QEMU's command lines: the one that runs here, and those that run inside."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from pytest_nestvirt.lab.cases.lab_case import LabCase, LabMachine
from pytest_nestvirt.lab.image.kernel_image import DISK, KERNEL, ON_DISK
from pytest_nestvirt.lab.image.outermost import Outermost

GUEST_INITRD = "/run/guest-initrd"


def inner_port(level: int) -> int:
    """Port on the machine around it at which the machine of that level answers to SSH."""
    return 2200 + level


def outer_command(outermost: Outermost) -> list[str]:
    """The emulator of the outermost machine. Raises `LabError`."""
    case, image, toolbox = outermost.case, outermost.supplies.image, outermost.supplies.emulator
    machine = case.machines[0]
    monitor = outermost.lab.monitor
    qmp = ("-qmp", f"unix:{_escaped(monitor)},server=on,wait=off") if monitor else ()
    return [
        *toolbox.command(case.emulator.program),
        *("-name", "nestvirt-lab-l0", *machine.options, "-smp", "1", "-m", f"{machine.memory}M"),
        *("-display", "none", "-monitor", "none", "-no-reboot"),
        *("-chardev", f"file,id=console,path={_escaped(outermost.lab.console)}", *_serial(case)),
        *qmp,
        *("-kernel", str(image / KERNEL), "-initrd", str(outermost.initrd), "-append", kernel_command_line(case)),
        *_devices(case, machine, _escaped(image / DISK), outermost.port),
    ]


def guest_command(case: LabCase, level: int) -> str:
    """The command by which the machine of a level is run by the one around it, for a shell."""
    machine = case.machines[level]
    words = [
        case.architecture.hypervisor,
        *("-name", f"l{level}", *machine.options, "-smp", "1", "-m", f"{machine.memory}M"),
        *("-nodefaults", "-display", "none", "-monitor", "none", "-no-reboot"),
        *("-chardev", "stdio,id=console,signal=off", *_serial(case)),
        *("-kernel", f"/{ON_DISK}/{KERNEL}", "-initrd", GUEST_INITRD, "-append", kernel_command_line(case)),
        *_devices(case, machine, case.machines[level - 1].disk, inner_port(level)),
    ]
    return shlex.join(words)


def kernel_command_line(case: LabCase) -> str:
    """The kernel command line of a case."""
    return f"console={case.architecture.console} {case.kernel_options}"


def _serial(case: LabCase) -> tuple[str, ...]:
    if case.architecture.console.startswith("ttysclp"):
        return ("-device", "sclpconsole,chardev=console")
    return ("-serial", "chardev:console")


def _devices(case: LabCase, machine: LabMachine, disk: str, port: int) -> Iterator[str]:
    architecture = case.architecture
    if machine.disk:
        yield from ("-drive", f"if=none,id=disk,format=raw,readonly=on,file={disk}")
        yield from ("-device", f"{architecture.block_device},drive=disk{machine.block}")
    # `restrict`: a machine reaches nothing, and is reached through this port only.
    yield from ("-netdev", f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{port}-:22")
    yield from ("-device", f"{architecture.network_device},netdev=net{machine.network}")


def _escaped(path: Path) -> str:
    """QEMU's option lists take `,,` for a comma."""
    return str(path).replace(",", ",,")
