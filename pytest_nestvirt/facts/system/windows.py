"""Facts about a Windows machine, from what its probe prints as JSON: CIM properties and enumerations, never texts."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytest_nestvirt.observation.fact import Subject, Unobservable, fact
from pytest_nestvirt.observation.unknown import known_or

SOURCE = "nestvirt/windows/operating_system.json"
SYSTEM = "nestvirt/windows/computer_system.json"
PROCESSOR = "nestvirt/windows/processor.json"
FEATURES = "nestvirt/windows/optional_features.json"
SERVICES = "nestvirt/windows/services.json"
BOOT = "nestvirt/windows/bcdedit.txt"
SYSTEM_INFO = "nestvirt/windows/systeminfo.txt"
COUNTERS = "nestvirt/windows/hypervisor_counters.json"
MACHINES = "nestvirt/windows/virtual_machines.json"

HYPER_V = "Microsoft-Hyper-V"

_INSTALLED = {"1": True, "enabled": True, "2": False, "disabled": False, "3": False, "absent": False}
"""Win32_OptionalFeature.InstallState: 1 enabled, 2 disabled, 3 absent, 4 unknown; or its names."""

_GUID = re.compile(r"[0-9A-F]{8}(?:-[0-9A-F]{4}){3}-[0-9A-F]{12}", re.IGNORECASE)
"""Msvm_ComputerSystem.Name of a virtual machine; that of the host itself is the computer's name."""

_RUNS = 2
"""Msvm_ComputerSystem.EnabledState of a machine that runs; 3 is off, 6 saved, 9 paused."""

_LAUNCH = re.compile(r"^hypervisorlaunchtype\s+(?P<type>\w+)\s*$", re.MULTILINE | re.IGNORECASE)
_ELEMENT = re.compile(r"^(?:identifier|device|path)\s+\S", re.MULTILINE | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class HyperVRequirements:
    """The four requirements of Hyper-V, as `systeminfo` lists them on a machine without a hypervisor."""

    vm_monitor: bool
    """VM monitor mode extensions: VT-x or AMD-V."""
    firmware: bool
    """Virtualization is enabled in the firmware."""
    slat: bool
    """Second-level address translation: EPT or RVI."""
    dep: bool
    """Data execution prevention is available."""

    @property
    def met(self) -> bool:
        """Whether all four are there."""
        return self.vm_monitor and self.firmware and self.slat and self.dep


class Windows(Subject):
    """A Windows machine. Every fact is `Unobservable` on machines that are not Windows."""

    name = "windows"

    @fact
    def caption(self) -> str:
        """`Microsoft Windows Server 2019 Standard`; may be localised, so nothing is decided by it."""
        caption = self._properties().get("Caption")
        if isinstance(caption, str) and caption.strip():
            return caption.strip()
        raise Unobservable(SOURCE, "has no Caption")

    @fact
    def build(self) -> int:
        """14393: Server 2016 or Windows 10 1607; 17763: Server 2019 or 10 1809; 20348: Server 2022; 26100: 2025."""
        return self._number("BuildNumber")

    @fact
    def product_type(self) -> int:
        """1: workstation, 2: domain controller, 3: server."""
        return self._number("ProductType")

    @fact
    def hypervisor_present(self) -> bool:
        """Whether a hypervisor runs below it: true in a virtual machine, and where its own Hyper-V runs."""
        return _switch(parse_properties(self.read(SYSTEM), SYSTEM), "HypervisorPresent", SYSTEM)

    @fact
    def processors(self) -> int:
        """Logical processors."""
        return self._amount("NumberOfLogicalProcessors")

    @fact
    def memory_bytes(self) -> int:
        """Memory that Windows manages, which is a little less than the machine has."""
        return self._amount("TotalPhysicalMemory")

    def _amount(self, name: str) -> int:
        value = parse_properties(self.read(SYSTEM), SYSTEM).get(name)
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
        raise Unobservable(SYSTEM, f"{name} is not an amount: {str(value)[:40]!r}")

    @fact
    def requirements(self) -> HyperVRequirements:
        """What Hyper-V requires. `Unobservable` where a hypervisor is present: Windows does not look then."""
        if self.hypervisor_present:
            raise Unobservable(
                PROCESSOR, "a hypervisor has been detected, so Windows does not show what Hyper-V requires"
            )
        processors = parse_objects(self.read(PROCESSOR), PROCESSOR)
        monitor, firmware, slat = (
            all(_switch(processor, name, PROCESSOR) for processor in processors)
            for name in (
                "VMMonitorModeExtensions",
                "VirtualizationFirmwareEnabled",
                "SecondLevelAddressTranslationExtensions",
            )
        )
        return HyperVRequirements(
            monitor, firmware, slat, _switch(self._properties(), "DataExecutionPrevention_Available", SOURCE)
        )

    @fact
    def hyperv_enabled(self) -> bool:
        """Whether the optional feature Microsoft-Hyper-V is installed and enabled."""
        for feature in parse_objects(self.read(FEATURES), FEATURES):
            if str(feature.get("Name", "")).lower() == HYPER_V.lower():
                state = str(feature.get("InstallState")).lower()
                if state in _INSTALLED:
                    return _INSTALLED[state]
                raise Unobservable(FEATURES, f"the state of {HYPER_V} is {state[:40]!r}")
        raise Unobservable(FEATURES, f"does not name {HYPER_V}")

    @fact
    def service_running(self) -> bool:
        """Whether the management service of Hyper-V, vmms, runs; False where there is no such service.

        It runs whether or not the hypervisor does: it is vmms that reports that a virtual machine cannot be started.
        """
        for service in parse_objects(self.read(SERVICES), SERVICES, empty=True):
            if str(service.get("Name", "")).lower() == "vmms":
                return str(service.get("State", "")).lower() == "running"
        return False

    @fact
    def runs_hypervisor(self) -> bool:
        """Whether Windows runs on a hypervisor of its own, its Hyper-V, and not only on the one below the machine.

        A virtual machine of its Hyper-V that runs shows it, and so do the hypervisor's counters, which only the root
        partition can read. False where no hypervisor is present. `Unobservable` where neither shows it: `HypervisorPresent`
        is true in every virtual machine, and an installed feature, a service that runs and a boot entry prove nothing.
        """
        if not self.hypervisor_present:
            return False
        shown = (
            known_or(self._has_running_machine, otherwise=False),
            known_or(self._is_root_partition, otherwise=False),
        )
        if not any(shown):
            raise Unobservable(
                COUNTERS,
                "a hypervisor is present, and nothing shows that it is Hyper-V of this Windows and not one below it",
            )
        return True

    def _has_running_machine(self) -> bool:
        machines = parse_objects(self.read(MACHINES), MACHINES, empty=True)
        return any(
            _GUID.fullmatch(str(machine.get("Name", ""))) and machine.get("EnabledState") == _RUNS
            for machine in machines
        )

    def _is_root_partition(self) -> bool:
        """The hypervisor counts its partitions, the root one included, and the processors that it manages."""
        counters = parse_objects(self.read(COUNTERS), COUNTERS, empty=True)
        return any(_count(each, "LogicalProcessors") and _count(each, "Partitions") for each in counters)

    @fact
    def hypervisor_launch(self) -> str:
        """`hypervisorlaunchtype` of the running boot entry, in lower case: auto, off; `absent` where it is not set."""
        text = self.read(BOOT)
        found = _LAUNCH.search(text.replace("\r", ""))
        if found:
            return found["type"].lower()
        if not _ELEMENT.search(text.replace("\r", "")):
            raise Unobservable(BOOT, f"not a boot entry: {text.strip()[:60]!r}")
        return "absent"

    @fact
    def system_info(self) -> tuple[str, ...]:
        """Lines of `systeminfo`, in the language of the machine: for people, nothing is decided by them."""
        lines = tuple(line.rstrip() for line in self.read(SYSTEM_INFO).split("\n") if line.strip())
        if not lines:
            raise Unobservable(SYSTEM_INFO, "printed nothing")
        return lines

    def _number(self, name: str) -> int:
        value = self._properties().get(name)
        text = str(value) if isinstance(value, (int, str)) and not isinstance(value, bool) else ""
        if text.isascii() and text.isdigit():
            return int(text[:9])
        raise Unobservable(SOURCE, f"{name} is not a number: {str(value)[:40]!r}")

    def _properties(self) -> Mapping[str, Any]:
        return parse_properties(self.read(SOURCE), SOURCE)


def _count(properties: Mapping[str, Any], name: str) -> int:
    value = properties.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _switch(properties: Mapping[str, Any], name: str, source: str) -> bool:
    value = properties.get(name)
    if isinstance(value, bool):
        return value
    raise Unobservable(source, f"{name} is neither true nor false: {str(value)[:40]!r}")


def parse_properties(text: str, source: str = SOURCE) -> Mapping[str, Any]:
    """One JSON object, or an array of one (as `ConvertTo-Json` prints a collection). Raises `Unobservable`."""
    found = _json(text, source)
    if isinstance(found, list) and len(found) == 1:
        found = found[0]
    if not isinstance(found, dict):
        raise Unobservable(source, "not one JSON object")
    return found


def parse_objects(text: str, source: str, *, empty: bool = False) -> tuple[Mapping[str, Any], ...]:
    """An array of JSON objects; one alone stands for an array of it, and so may nothing at all if `empty` is given."""
    if empty and not text.strip("\ufeff \r\n"):
        return ()
    found = _json(text, source)
    several = found if isinstance(found, list) else [found]
    if not all(isinstance(one, dict) for one in several) or not (several or empty):
        raise Unobservable(source, "not a list of JSON objects")
    return tuple(several)


def _json(text: str, source: str) -> object:
    try:
        return json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        raise Unobservable(source, f"not JSON: {str(error)[:80]}") from None
