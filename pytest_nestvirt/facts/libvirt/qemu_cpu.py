"""QEMU's `-cpu` option: which processor a guest is asked to be given (qemu(1), target/i386/cpu.c)."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_nestvirt.facts.libvirt.qemu_argv import split_options

EXTENSION = {"intel": "vmx", "centaur": "vmx", "zhaoxin": "vmx", "amd": "svm", "hygon": "svm"}
"""The flag of the virtualization extension, by vendor (`cpu.vendor`)."""

EXTENSIONS = frozenset(EXTENSION.values())

_ON = frozenset({"on", "yes", "true", "y"})
_OFF = frozenset({"off", "no", "false", "n"})


@dataclass(frozen=True, slots=True)
class GuestCpu:
    """A processor as QEMU is asked for it."""

    model: str
    """`host`, `max`, or a named model; empty where QEMU was left its default (qemu64)."""
    given: frozenset[str]
    """vmx or svm, if it is switched on by name."""
    taken: frozenset[str]
    """vmx or svm, if it is switched off by name."""

    @property
    def is_host(self) -> bool:
        """Whether it is the host's own processor, with whatever KVM can pass on."""
        return self.model in {"host", "max"}

    def offers(self, extension: str) -> bool:
        """Whether the guest is to have that extension. Named models have it by name only: QEMU takes it out under KVM."""
        return extension not in self.taken and (self.is_host or extension in self.given)

    def __str__(self) -> str:
        switches = [*(f"{name}=on" for name in sorted(self.given)), *(f"{name}=off" for name in sorted(self.taken))]
        return ",".join([self.model or "(QEMU's default)", *switches])


def parse_cpu_option(value: str) -> GuestCpu:
    """What follows `-cpu`: `host,migratable=on`, `Haswell-noTSX-IBRS,vmx=on`, `Nehalem,+vmx` (qemu(1)).

    >>> parse_cpu_option("Haswell-noTSX-IBRS,vmx=on").offers("vmx")
    True
    """
    options = split_options(value, "model")
    model = options.pop("model", "")
    given, taken = set[str](), set[str]()
    for key, setting in options.items():
        name = key.lstrip("+-")
        if name in EXTENSIONS:
            off = key.startswith("-") or setting.lower() in _OFF
            (taken if off else given).add(name)
            (given if off else taken).discard(name)
    return GuestCpu(model, frozenset(given), frozenset(taken))
