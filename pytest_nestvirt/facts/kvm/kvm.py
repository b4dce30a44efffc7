"""Facts about KVM as it is loaded: modules, parameters, the device and what it answers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from pytest_nestvirt.facts.kernel.architecture import Family, family_of
from pytest_nestvirt.facts.kernel.kernel import Kernel
from pytest_nestvirt.facts.kernel.module_table import SOURCE as MODULE_TABLE
from pytest_nestvirt.facts.kernel.module_table import LoadedModule, modules_needed_by, parse_modules
from pytest_nestvirt.facts.kvm.device import (
    DEVICE,
    IOCTL,
    KvmApi,
    KvmDevice,
    answers_as_kvm,
    api_of,
    can_create_machines,
    failure_of,
    parse_answers,
    parse_device,
)
from pytest_nestvirt.facts.kvm.module import UPSTREAM_NEEDS, Needed, choose_x86_module, reads_as_enabled
from pytest_nestvirt.facts.processor.cpu import Cpu
from pytest_nestvirt.observation.fact import Reader, Subject, Unobservable, fact, why_unread
from pytest_nestvirt.observation.unknown import attempt, every, first_known, if_known, known_or
from pytest_nestvirt.snapshot.snapshot import Status

__all__ = ["Kvm", "KvmApi", "KvmDevice"]

_MODULES = {
    Family.X86: ("kvm", "kvm_intel", "kvm_amd"),
    Family.PPC: ("kvm", "kvm_hv", "kvm_pr"),
}
"""Modules that exist on an architecture; on all others there is `kvm` only."""

_PARAMETER = re.compile(r"sys/module/(?P<module>kvm(?:_\w+)?)/parameters/(?P<name>\w+)")


class Kvm(Subject):
    """KVM on this machine. What a module's parameters say holds only while that module is loaded."""

    name = "kvm"

    def __init__(self, reader: Reader, *, kernel: Kernel, cpu: Cpu) -> None:
        super().__init__(reader)
        self._kernel = kernel
        self._cpu = cpu

    @fact
    def modules(self) -> frozenset[str]:
        """Those of kvm, kvm_intel, kvm_amd, kvm_hv, kvm_pr that are loaded or built in."""
        present = _MODULES.get(family_of(self._kernel.architecture), ("kvm",))
        return frozenset(module for module in present if self._is_loaded(module))

    def _is_loaded(self, module: str) -> bool:
        """From /sys/module, else from /proc/modules, which does not list what is built in."""
        if self._has_entries(module):
            return True
        section = attempt(lambda: self.reader.section(f"sys/module/{module}"))
        if isinstance(section, Unobservable):
            return self._is_listed(module)
        if section.status in {Status.OK, Status.MISSING}:
            return section.status is Status.OK
        raise Unobservable(section.name, why_unread(section))

    def _has_entries(self, module: str) -> bool:
        return any(section.status is Status.OK for section in self.reader.under(f"sys/module/{module}/"))

    def _is_listed(self, module: str) -> bool:
        if module in self._table():
            return True
        if any(_PARAMETER.fullmatch(section.name) for section in self.reader.under("sys/module/kvm")):
            return False  # a record that has the parameters of one kvm module has those of all
        raise Unobservable(f"sys/module/{module}", "not collected, and /proc/modules does not list what is built in")

    @fact
    def module(self) -> str:
        """The module that carries `nested`: kvm_intel or kvm_amd on x86, kvm_hv on POWER, kvm on IBM Z."""
        architecture = self._kernel.architecture
        match family_of(architecture):
            case Family.X86:
                return choose_x86_module(self._vendor(), self._flags(), self._x86_modules())
            case Family.PPC:
                return "kvm_hv"
            case Family.S390X:
                return "kvm"
            case _:
                raise Unobservable("sys/module/", f"no nested parameter on this architecture ({architecture})")

    def _vendor(self) -> str:
        """Empty where the processor's vendor is masked or not known."""
        return known_or(lambda: self._cpu.vendor, "")

    def _flags(self) -> frozenset[str]:
        """Empty where they cannot be read: then they decide nothing."""
        return known_or(lambda: self._cpu.flags, frozenset())

    def _x86_modules(self) -> frozenset[str]:
        """Vendor modules that are surely loaded."""
        return frozenset(module for module in ("kvm_intel", "kvm_amd") if self._is_surely_loaded(module))

    def _is_surely_loaded(self, module: str) -> bool:
        return known_or(lambda: self._is_loaded(module), otherwise=False)

    def is_built_in(self, module: str) -> bool:
        """Whether a module is part of the kernel image: modprobe never loads it, and no file sets its parameters.

        False for one that is not there: what is built in and has parameters is always in /sys/module. `Unobservable` where neither
        its reference count nor /proc/modules, which does not list what is built in, was read.
        """
        return self.reader.compute(self, f"is_built_in.{module}", lambda _: self._is_built_in(module))

    def _is_built_in(self, module: str) -> bool:
        marks = (f"sys/module/{module}/{name}" for name in ("refcnt", "initstate"))
        if any(section.status is Status.OK for mark in marks for section in self.reader.under(mark)):
            return False
        return self._is_loaded(module) and module not in self._table()

    def _table(self) -> Mapping[str, LoadedModule]:
        return parse_modules(self.read(MODULE_TABLE))

    def needed_by(self, module: str) -> Needed:
        """The modules that one needs: as /proc/modules shows them while it is loaded, else those of upstream kernels."""
        return self.reader.compute(self, f"needed_by.{module}", lambda _: self._needed_by(module))

    def _needed_by(self, module: str) -> Needed:
        table = if_known(self._table) or {}
        if module in table:
            return Needed(surely=modules_needed_by(module, table), perhaps=frozenset())
        always, perhaps = UPSTREAM_NEEDS.get(module, ((), ()))
        absent = {name for name in always if name not in table and self._is_surely_loaded(name)}
        return Needed(surely=frozenset(always) - absent, perhaps=frozenset(perhaps) | absent)

    @fact
    def nested_raw(self) -> str:
        """The parameter `nested` as the kernel prints it, without the newline."""
        return self._parameter("nested", self.module)

    @fact
    def nested(self) -> bool:
        """Whether nesting is switched on: Y, y or 1 is on, N, n or 0 is off, anything else is `Unobservable`."""
        return self._enabled("nested", self.module)

    @fact
    def hpage(self) -> bool:
        """IBM Z: whether guests may be backed by huge pages (parameter `hpage` of kvm)."""
        return self._enabled("hpage", "kvm")

    @fact
    def second_level_paging(self) -> bool:
        """Whether guests of this machine get a second level of page tables from the processor: EPT on Intel, NPT on AMD.

        False where the processor does not show it, or the module is configured not to use it.
        """
        name = {"kvm_intel": "ept", "kvm_amd": "npt"}.get(self.module)
        if name is None:
            raise Unobservable(f"sys/module/{self.module}", "shows nothing about second-level paging")
        return name in self._cpu.flags and self._enabled(name, self.module)

    @fact
    def parameters(self) -> Mapping[str, Mapping[str, str]]:
        """Every parameter that could be read, by module and name, as the kernel prints it."""
        found: dict[str, dict[str, str]] = {}
        sections = self.reader.under("sys/module/kvm")
        for section in sections:
            named = _PARAMETER.fullmatch(section.name)
            if named and section.status is Status.OK:
                found.setdefault(named["module"], {})[named["name"]] = section.text.strip()
        if not sections:
            raise Unobservable("sys/module/kvm", "not collected")
        return MappingProxyType({module: MappingProxyType(values) for module, values in found.items()})

    def parameter(self, name: str, module: str | None = None) -> str:
        """A parameter as the kernel prints it; of the module that carries `nested` unless another is named."""
        module = module or self.module
        return self.reader.compute(self, f"parameters.{module}.{name}", lambda _: self._parameter(name, module))

    def enabled(self, name: str, module: str | None = None) -> bool:
        """A boolean parameter, read as `nested` is."""
        module = module or self.module
        return self.reader.compute(self, f"enabled.{module}.{name}", lambda _: self._enabled(name, module))

    def _parameter(self, name: str, module: str) -> str:
        source = f"sys/module/{module}/parameters/{name}"
        section = attempt(lambda: self.reader.section(source))
        if isinstance(section, Unobservable):
            # The probe asks for a module's parameters by listing them, so an unloaded module leaves no trace but this.
            absent = known_or(lambda: not self._is_loaded(module), otherwise=False)
            raise Unobservable(source, self._why_missing(name, module) if absent else section.why)
        if section.status is Status.OK:
            return section.text.strip()
        if section.status is Status.MISSING:
            raise Unobservable(source, self._why_missing(name, module))
        raise Unobservable(source, why_unread(section))

    def _why_missing(self, name: str, module: str) -> str:
        if self._is_loaded(module):
            return f"module {module} has no parameter {name}"
        return f"module {module} is not loaded"

    def _enabled(self, name: str, module: str) -> bool:
        source = f"sys/module/{module}/parameters/{name}"
        on = reads_as_enabled(self._parameter(name, module), source)
        built_in = known_or(lambda: self._is_built_in(module), otherwise=False)
        if on and built_in and not known_or(self._answers, otherwise=False):
            raise Unobservable(
                source, f"{module} is built in and was not seen to work, and what was compiled in reads the same then"
            )
        return on

    @fact
    def has_device(self) -> bool:
        """Whether /dev/kvm is there and is KVM's character device. udev makes that node whether or not KVM works."""
        return self.reader.exists(DEVICE) and parse_device(self.read(DEVICE)).is_kvm

    @fact
    def device(self) -> KvmDevice:
        """The node /dev/kvm with its permissions; `Unobservable` if there is none, or another file in its place."""
        node = parse_device(self.read(DEVICE))
        if not node.is_kvm:
            raise Unobservable(DEVICE, "it is not KVM's device")
        return node

    @fact
    def running(self) -> bool:
        """Whether KVM runs: its device is there, and it answers; where it could not be asked, its module is loaded.

        The device alone shows nothing, nor does a module that is built in: it is there also where it refused to work.
        """
        return every(lambda: self.has_device, lambda: first_known(self._answers, self._has_loaded_module))

    def _answers(self) -> bool:
        return answers_as_kvm(parse_answers(self._ioctl()), loads_at_opening=self._loads_at_opening())

    def _has_loaded_module(self) -> bool:
        if self.module not in self.modules:
            return False
        if self._is_built_in(self.module):
            raise Unobservable(IOCTL, f"{self.module} is built in, which does not show whether it works")
        return True

    def _loads_at_opening(self) -> bool:
        """Whether opening the node loads all that KVM consists of; on x86 that is `kvm` alone, which does nothing."""
        return known_or(lambda: family_of(self._kernel.architecture) is not Family.X86, otherwise=True)

    @fact
    def api(self) -> KvmApi:
        """What KVM answers when it is asked; `Unobservable` where it did not answer or no Python could ask."""
        return api_of(parse_answers(self._ioctl()))

    @fact
    def usable(self) -> bool:
        """Whether a virtual machine can be created: the interface is version 12 and KVM_CREATE_VM succeeds.

        False also where there is no /dev/kvm. `Unobservable` where the account may not open it and where the host has no
        Python to ask with: the device alone proves nothing.
        """
        if self._lacks_device():
            return False
        return can_create_machines(parse_answers(self._ioctl()), loads_at_opening=self._loads_at_opening())

    @fact
    def failure(self) -> str:
        """Why no virtual machine can be created, for people; empty where one can be. `Unobservable` where `usable` is."""
        if self.usable:
            return ""
        seen = "there is no /dev/kvm" if self._lacks_device() else failure_of(parse_answers(self._ioctl()))
        return "; ".join([seen, *self._not_loaded()])

    def _not_loaded(self) -> list[str]:
        missing = known_or(lambda: self.module not in self.modules, otherwise=False)
        return [f"module {self.module} is not loaded"] if missing else []

    def _lacks_device(self) -> bool:
        """Whether it is known that there is none; where it was not looked for, what KVM answers decides."""
        return known_or(lambda: self.reader.section(DEVICE).status is Status.MISSING, otherwise=False)

    def _ioctl(self) -> str:
        section = self.reader.section(IOCTL)
        if section.status is Status.MISSING:
            raise Unobservable(IOCTL, section.error or "there is no Python on this host to ask KVM with")
        return self.read(IOCTL)

    @fact
    def references(self) -> int:
        """How often the module that carries `nested` is in use; a running virtual machine is one use at least."""
        source = f"sys/module/{self.module}/refcnt"
        text = self.read(source).strip()
        if not re.fullmatch(r"[0-9]{1,9}", text):
            raise Unobservable(source, f"not a number: {text[:40]!r}")
        return int(text)
