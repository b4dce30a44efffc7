"""Facts about the QEMU processes that run on a machine."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_nestvirt.facts.libvirt.qemu_argv import QemuProcess, parse_argv
from pytest_nestvirt.observation.fact import Subject, Unobservable, fact, why_unread
from pytest_nestvirt.snapshot.snapshot import Status

__all__ = ["Qemu", "QemuProcess"]

PIDS = "nestvirt/qemu/"


class Qemu(Subject):
    """Virtual machines as the process list shows them, whoever started them."""

    name = "qemu"

    @fact
    def processes(self) -> tuple[QemuProcess, ...]:
        """Every QEMU process with its command line, by process id. Empty if none runs."""
        return tuple(self._processes())

    def _processes(self) -> Iterator[QemuProcess]:
        pids = [word for word in self.read(PIDS).split() if word.isascii() and word.isdigit()]
        for pid in sorted(pids, key=int):
            section = self.reader.section(PIDS + pid)
            if section.status is Status.OK:
                yield parse_argv(int(pid), section.text)
            elif section.status is not Status.MISSING:  # one that ended in between is none
                raise Unobservable(section.name, why_unread(section))
