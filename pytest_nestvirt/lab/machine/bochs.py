"""Bochs, which emulates what QEMU does not: an Intel processor with VMX and EPT."""

from __future__ import annotations

from pytest_nestvirt.lab.image.boot_disk import assembled, boot_disk
from pytest_nestvirt.lab.image.kernel_image import DISK, KERNEL
from pytest_nestvirt.lab.image.outermost import Outermost
from pytest_nestvirt.lab.image.qemu_command import kernel_command_line
from pytest_nestvirt.lab.image.vmlinux import Vmlinux

_SETTINGS, _NETWORK, _DEBUGGER = "bochsrc", "slirp.conf", "debugger"
_BOOT_DISK, _PROGRAM_DISK = "boot.disk", "programs.disk"
_FIRMWARE, _TERMINALS = "usr/share/bochs", "usr/share/terminfo"


def outer_command(outermost: Outermost) -> list[str]:
    """The emulator of the outermost machine, whose files are written into the lab's directory. Raises `LabError`.

    It runs in that directory: its settings take paths that hold neither spaces nor commas.
    """
    toolbox, directory = outermost.supplies.emulator, outermost.lab.path
    (directory / _BOOT_DISK).write_bytes(_boot_disk(outermost))
    # By a link: what a machine writes goes into a file beside the disk, and a disk that can be written gets a lock there.
    (directory / _PROGRAM_DISK).unlink(missing_ok=True)
    (directory / _PROGRAM_DISK).symlink_to(outermost.supplies.image / DISK)
    (directory / _SETTINGS).write_text(settings(outermost), "utf-8")
    (directory / _NETWORK).write_text(_network(outermost.port), "utf-8")
    (directory / _DEBUGGER).write_text("continue\n", "utf-8")
    return [
        *("env", f"--chdir={directory}", f"BXSHARE={toolbox / _FIRMWARE}"),
        f"LTDL_LIBRARY_PATH={toolbox.libraries / 'bochs/plugins'}",
        *("TERM=linux", f"TERMINFO={toolbox / _TERMINALS}"),
        *toolbox.command(outermost.case.emulator.program),
        *("-q", "-f", _SETTINGS, "-rc", _DEBUGGER),
    ]


def _boot_disk(outermost: Outermost) -> bytes:
    supplies = outermost.supplies
    kernel = Vmlinux.parse((supplies.image / KERNEL).read_bytes())
    first_sector = assembled(supplies.emulator, outermost.lab.path)
    line = kernel_command_line(outermost.case)
    return boot_disk(first_sector, kernel, outermost.initrd.read_bytes(), line)


def settings(outermost: Outermost) -> str:
    """The bochsrc(5).

    `ips` is how many instructions make one second of the machine's time. It is more than Bochs executes in a second, so
    that the machine is not held back while it is busy; `sync` lets it wait while it is idle. What it logs is dropped:
    3.0 may lock up where it logs from a timer.
    """
    machine = outermost.case.machines[0]
    lines = (
        "plugin_ctrl: e1000=1",
        "display_library: term",
        "romimage: file=$BXSHARE/BIOS-bochs-latest",
        "vgaromimage: file=$BXSHARE/VGABIOS-lgpl-latest",
        f"cpu: {','.join(machine.options)}, count=1, ips=200000000, reset_on_triple_fault=0, ignore_bad_msrs=1",
        f"memory: guest={machine.memory}, host={machine.memory}",
        "pci: enabled=1, chipset=i440fx",
        "clock: sync=slowdown, time0=utc",
        f"com1: enabled=1, mode=file, dev={outermost.lab.console.name}",
        "boot: disk",
        "ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14",
        f"ata0-master: type=disk, path={_BOOT_DISK}, mode=volatile, cylinders=0",
        f"ata0-slave: type=disk, path={_PROGRAM_DISK}, mode=volatile, cylinders=0",
        f"e1000: card=0, enabled=1, mac=52:54:00:12:34:56, ethmod=slirp, script={_NETWORK}",
        "sound: driver=dummy",
        "speaker: enabled=0",
        "log: bochs.log",
        "panic: action=report",
        "error: action=ignore",
        "info: action=ignore",
        "debug: action=ignore",
    )
    return "".join(f"{line}\n" for line in lines)


def _network(port: int) -> str:
    # The first line is what Bochs knows the file by.
    return f"# slirp config\nrestricted = 1\nhostfwd = tcp:127.0.0.1:{port}-10.0.2.15:22\n"
