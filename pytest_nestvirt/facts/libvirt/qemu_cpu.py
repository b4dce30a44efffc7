"""QEMU's `-cpu` option: which processor a guest is asked to be given (qemu(1), target/i386/cpu.c)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pytest_nestvirt.facts.libvirt.qemu_argv import OFF, ON, QemuProcess, split_options
from pytest_nestvirt.observation.fact import Unobservable

EXTENSION = {"intel": "vmx", "centaur": "vmx", "zhaoxin": "vmx", "amd": "svm", "hygon": "svm"}
"""The flag of the virtualization extension, by vendor (`cpu.vendor`)."""

EXTENSIONS = frozenset(EXTENSION.values())

HOST_MODEL = "host-model"
"""Stands for the model that libvirt makes of host-model when the domain starts."""

_ANY_CPU = frozenset({"cpu", "x86_64-cpu", "i386-cpu"})
_CPU_OF_THE_HOST = ("max", "host")
"""In QEMU, the type of `host` is derived from that of `max`."""


@dataclass(frozen=True, slots=True)
class GuestCpu:
    """A processor as QEMU is asked for it, or as libvirt is going to ask for it."""

    model: str
    """`host`, `max`, or a named model; empty where QEMU was left its default (qemu64); `host-model` before libvirt chose one."""
    given: frozenset[str]
    """vmx or svm, if it is switched on by name."""
    taken: frozenset[str]
    """vmx or svm, if it is switched off by name."""
    optional: frozenset[str] = frozenset()
    """vmx or svm, if the guest gets it where its host has it (libvirt's policy `optional`)."""

    @property
    def is_host(self) -> bool:
        """Whether it is the host's own processor, with whatever KVM can pass on."""
        return self.model in _CPU_OF_THE_HOST

    def offers(self, extension: str) -> bool:
        """Whether KVM is to give the guest that extension. Named models have it by name only: QEMU takes it out under KVM.

        `Unobservable` where that depends on what libvirt finds on the host when the guest starts.
        """
        if extension in self.taken | self.given or self.is_host:
            return extension not in self.taken
        if extension in self.optional or self.model == HOST_MODEL:
            raise Unobservable("<cpu>", f"whether {self} has {extension} is decided when the domain starts")
        return False

    def __str__(self) -> str:
        switches = [*(f"{name}=on" for name in sorted(self.given)), *(f"{name}=off" for name in sorted(self.taken))]
        return ",".join([self.model or "(QEMU's default)", *switches])


def parse_cpu_option(value: str) -> GuestCpu:
    """What follows `-cpu`: `host,migratable=on`, `Haswell-noTSX-IBRS,vmx=on`, `Nehalem,+vmx` (qemu(1)).

    >>> parse_cpu_option("Haswell-noTSX-IBRS,vmx=on").offers("vmx")
    True
    """
    return _cpu(value, ())


def cpu_of_argv(argv: Sequence[str]) -> GuestCpu:
    """The processor that a command line of QEMU asks for: its last -cpu, which replaces the ones before, and -global.

    >>> str(cpu_of_argv(("qemu-system-x86_64", "-cpu", "host", "-cpu", "Penryn")))
    'Penryn'
    """
    process = QemuProcess(0, tuple(argv))
    values = process.values("cpu")
    return _cpu(values[-1] if values else "", process.values("global"))


def with_arguments(cpu: GuestCpu, arguments: Sequence[str]) -> GuestCpu:
    """What becomes of a processor when more arguments follow the command line that asks for it.

    They come from <qemu:commandline> of libvirt, or from `args:` of Proxmox VE.
    """
    process = QemuProcess(0, ("", *arguments))
    if process.values("cpu"):
        return cpu_of_argv(process.argv)
    switches = dict(_global_switches(process.values("global"), cpu.model))
    given = {name for name, on in switches.items() if on} - cpu.taken | cpu.given
    return GuestCpu(cpu.model, frozenset(given), frozenset(switches) - given | cpu.taken, cpu.optional)


def _cpu(value: str, global_options: Sequence[str]) -> GuestCpu:
    """A model and its switches.

    The rule of x86_cpu_parse_featurestr and x86_cpu_expand_features: the last `f=on|off` of a feature holds, `+f` holds
    against it, and `-f` against both, wherever they are. There is no escape for a comma, and empty parts are skipped. A
    `-global` counts as an earlier `f=on|off`.
    """
    model, *parts = value.split(",")
    switches = dict(_global_switches(global_options, model))
    plus, minus = set[str](), set[str]()
    for part in filter(None, parts):
        if part[0] in "+-":
            (plus if part[0] == "+" else minus).add(part[1:])
            continue
        name, equals, setting = part.partition("=")
        if name in EXTENSIONS:
            switches[name] = _boolean(name, setting if equals else "on")
    given = (frozenset(name for name, on in switches.items() if on) | plus & EXTENSIONS) - minus
    return GuestCpu(model, given, frozenset(switches) - given | minus & EXTENSIONS)


def _global_switches(options: Sequence[str], model: str) -> Iterator[tuple[str, bool]]:
    """`-global max-x86_64-cpu.vmx=off`, or `driver=...,property=vmx,value=off`, where it speaks of this model."""
    models = _CPU_OF_THE_HOST if model == "host" else (model or "qemu64",)
    drivers = {*_ANY_CPU, *(f"{name}-{kind}" for name in models for kind in ("x86_64-cpu", "i386-cpu"))}
    for option in options:
        found = split_options(option, "driver")
        driver, name, setting = (found.get(key, "") for key in ("driver", "property", "value"))
        if not name:
            path, _, setting = option.partition("=")
            driver, _, name = path.rpartition(".")
        if driver in drivers and name in EXTENSIONS:
            yield name, _boolean(name, setting)


def _boolean(name: str, setting: str) -> bool:
    """As QEMU reads it (qapi_bool_parse); older ones took any case. `Unobservable` for a value with which it does not start."""
    if setting.lower() not in ON | OFF:
        raise Unobservable("-cpu", f"QEMU does not start with {name}={setting[:20]}")
    return setting.lower() in ON
