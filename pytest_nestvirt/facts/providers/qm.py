"""What Proxmox VE's `qm` prints of one virtual machine: pure parsers of its configuration and of its command line."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pytest_nestvirt.facts.libvirt.qemu_argv import QemuProcess
from pytest_nestvirt.facts.libvirt.qemu_cpu import EXTENSIONS, GuestCpu, with_arguments
from pytest_nestvirt.observation.fact import Unobservable

DEFAULT_TYPE = "kvm64"
"""The type of a machine without a line `cpu:` (qm.conf(5)); the web interface writes one into new machines since 8.0."""

NESTED_VIRT = "nested-virt"
CUSTOM = "custom-"
"""Begins the name of a type that the node defines itself, in /etc/pve/virtual-guest/cpu-models.conf."""

_SETTING = re.compile(r"(?P<key>[a-z][a-z_]*[0-9]*):[ \t]*(?P<value>.*?)\s*")
_FALSE = frozenset({"0", "no", "off", "false"})
_FLAG = re.compile(r"(?P<sign>[+-])(?P<name>[A-Za-z0-9_.-]+)")


@dataclass(frozen=True, slots=True)
class CpuSetting:
    """The line `cpu:`, after the grammar `[[cputype=]TYPE][,flags=+A;-B][,KEY=VALUE]...` of qm.conf(5)."""

    type: str
    """`host`, `kvm64`, `x86-64-v2-AES`, `custom-NAME`, ..."""
    flags: Mapping[str, bool]
    """Flag -> whether it is added (True) or taken away."""

    def given(self, extension: str) -> GuestCpu:
        """As QEMU is asked for it on a node with that extension, which `nested-virt` (qemu-server 9.0.27) stands for."""
        named = {extension if name == NESTED_VIRT else name: on for name, on in self.flags.items()}
        given = frozenset(name for name, on in named.items() if on) & EXTENSIONS
        taken = frozenset(name for name, on in named.items() if not on) & EXTENSIONS
        return GuestCpu(self.type, given - taken, taken)


@dataclass(frozen=True, slots=True)
class QemuConfig:
    """The configuration of one machine, without its snapshots and pending changes."""

    source: str
    vmid: int
    settings: Mapping[str, str]

    @property
    def name(self) -> str:
        """Its name; `VM 100`, as Proxmox shows it, where it has none."""
        return self.settings.get("name") or f"VM {self.vmid}"

    @property
    def vcpus(self) -> int:
        """Processors that it is given: cores times sockets, one of each by default; fewer where `vcpus` leaves some unplugged."""
        most = self._number("cores", 1) * self._number("sockets", 1)
        return min(most, self._number("vcpus", most))

    @property
    def memory_mib(self) -> int:
        """Memory that it is given, in MiB; 512 where nothing is written (qm.conf(5))."""
        return self._number("memory", 512)

    def _number(self, key: str, default: int) -> int:
        value = self.settings.get(key, str(default)).removeprefix("current=")
        if not re.fullmatch(r"[0-9]{1,12}", value):
            raise Unobservable(self.source, f"{key} is not a number: {value[:40]!r}")
        return int(value)

    @property
    def cpu(self) -> CpuSetting:
        """The processor that it is given. `Unobservable` where the line is not of that grammar."""
        return parse_cpu(self.settings.get("cpu", ""), self.source)

    @property
    def arguments(self) -> tuple[str, ...]:
        """Those of `args:`, which follow the ones that Proxmox VE generates. `Unobservable` where a quotation does not end."""
        try:
            return tuple(shlex.split(self.settings.get("args", "")))
        except ValueError:
            raise Unobservable(self.source, "args: is not a list of arguments") from None

    @property
    def accel(self) -> str:
        """`tcg` with `kvm: 0`, else `kvm`: without /dev/kvm Proxmox VE does not start a machine that has no such line.

        An accelerator of `args:` replaces it; `Unobservable` where `args:` leaves QEMU a choice.
        """
        added = QemuProcess(self.vmid, ("", *self.arguments))
        if added.requested_accelerators:
            return added.accel
        return "tcg" if self.settings.get("kvm", "1").strip().lower() in _FALSE else "kvm"

    def cpu_on(self, extension: str) -> GuestCpu:
        """The processor that QEMU is asked for on a node with that extension, by `cpu:` and `args:`.

        `Unobservable` for a type that the node defines itself.
        """
        cpu = self.cpu.given(extension)
        found = with_arguments(cpu, self.arguments)
        if found.model.startswith(CUSTOM):
            raise Unobservable(self.source, f"the definition of the processor type {cpu.model} was not collected")
        return found


def parse_config(text: str, vmid: int, source: str) -> QemuConfig:
    """Lines `key: value`, up to the first snapshot. Raises `Unobservable` where there is none.

    >>> parse_config("cpu: host,flags=+aes", 100, "100.conf").cpu.type
    'host'
    """
    settings: dict[str, str] = {}
    for line in text.split("\n"):
        if line.startswith("["):
            break
        found = _SETTING.fullmatch(line)
        if found:
            settings[found["key"]] = found["value"]
    if not settings:
        raise Unobservable(source, "holds no line `key: value`")
    return QemuConfig(source, vmid, MappingProxyType(settings))


def parse_cpu(line: str, source: str) -> CpuSetting:
    """Parse the value of `cpu:`; an empty one stands for the default. Raises `Unobservable`."""
    kind, flags = DEFAULT_TYPE, dict[str, bool]()
    for place, part in enumerate(line.strip().split(",") if line.strip() else ()):
        key, equals, value = part.strip().partition("=")
        if key == "cputype" or (place == 0 and not equals):
            kind = value if equals else key
        elif key == "flags":
            flags |= _flags(value, source)
        elif not equals:
            raise Unobservable(source, f"cpu: {line[:60]!r} is not of the form TYPE,flags=+A;-B")
    if not kind:
        raise Unobservable(source, f"cpu: {line[:60]!r} names an empty type")
    return CpuSetting(kind, MappingProxyType(flags))


def _flags(listed: str, source: str) -> dict[str, bool]:
    found: dict[str, bool] = {}
    for word in filter(None, map(str.strip, listed.split(";"))):
        flag = _FLAG.fullmatch(word)
        if flag is None:
            raise Unobservable(source, f"a flag of cpu: begins with + or -, not {word[:40]!r}")
        found[flag["name"]] = flag["sign"] == "+"
    return found


def parse_showcmd(text: str, vmid: int, source: str) -> QemuProcess:
    """The command line that `qm showcmd` prints, on one line or several. Raises `Unobservable` if it is not one."""
    try:
        argv = shlex.split(text.replace("\\\n", " "))
    except ValueError:
        argv = []
    binary = argv[0].rpartition("/")[2] if argv else ""
    if binary != "kvm" and not binary.startswith("qemu-system-"):
        raise Unobservable(source, f"not a command line of QEMU: {text.strip()[:60]!r}")
    return QemuProcess(vmid, tuple(argv))
