"""The first file system of the outermost machine, with that of its guest inside, and so on."""

from __future__ import annotations

from pytest_nestvirt.lab.cases.lab_case import LabCase, LabMachine
from pytest_nestvirt.lab.image import domain_guest, qemu_command, systemd
from pytest_nestvirt.lab.image.kernel_image import BASE, ON_DISK, USERLAND, Image
from pytest_nestvirt.lab.image.overlay import QEMUS_OWN, Guest, Settings, overlay
from pytest_nestvirt.lab.keys import Keys


def initrd(case: LabCase, image: Image, keys: Keys) -> bytes:
    """What the outermost machine starts from."""
    archives = [(image / name).read_bytes() for name in _archives(case.machines[0])]
    return b"".join([*archives, own_archive(case, keys)])


def own_archive(case: LabCase, keys: Keys) -> bytes:
    """The last part of that: all that is special about this case and these keys."""
    return _overlay(case, 0, keys)


def _archives(machine: LabMachine) -> tuple[str, ...]:
    return (BASE,) if machine.disk else (BASE, USERLAND)


def _overlay(case: LabCase, number: int, keys: Keys) -> bytes:
    """The archive of one machine, with that of its guest inside, and so on."""
    machine, level = case.machines[number], case.levels[number]
    settings = Settings(
        level=level,
        modules=_modules(case, number),
        disk=machine.disk,
        kvm=machine.kvm,
        host_key=keys.hosts[level],
        client=keys.client,
        files=_files(machine),
        guest=_guest(case, number + 1, keys) if number + 1 < len(case.machines) else None,
        network=domain_guest.NETWORK if machine.domain else QEMUS_OWN,
        systemd=machine.systemd,
    )
    return overlay(settings)


def _files(machine: LabMachine) -> dict[str, str]:
    modprobe = {"etc/modprobe.d/kvm.conf": machine.modprobe} if machine.modprobe else {}
    return {**modprobe, **(systemd.FILES if machine.systemd else {})}


def _guest(case: LabCase, number: int, keys: Keys) -> Guest:
    """What the machine around it gets to run the machine of that number."""
    machine, within = case.machines[number], _overlay(case, number, keys)
    archives = tuple(f"/{ON_DISK}/{name}" for name in _archives(machine))
    if machine.domain:
        return Guest(
            within, domain_guest.start(case, number), archives, domain_guest.files(case, number, machine.domain)
        )
    return Guest(within, f"exec {qemu_command.guest_command(case, number)}\n", archives)


def _modules(case: LabCase, number: int) -> tuple[str, ...]:
    architecture = case.architecture
    return architecture.modules if number else architecture.outermost_modules or architecture.modules
