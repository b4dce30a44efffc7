"""Facts about an ESXi host, and about a guest as the file of its host describes it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Protocol

from pytest_nestvirt.facts.providers.vmx import Vmx, parse_vmx
from pytest_nestvirt.facts.seen_by_parent import DefinedGuest
from pytest_nestvirt.observation.fact import Subject, Unobservable, fact, why_unread
from pytest_nestvirt.observation.unknown import attempt, known_or
from pytest_nestvirt.snapshot.snapshot import Section, Status

FILES = "nestvirt/vsphere/"
"""The .vmx files are below it, at their paths in /vmfs/volumes."""

VERSION = "nestvirt/vsphere/vmware_-v"
SYSTEM_VERSION = "nestvirt/vsphere/esxcli_system_version_get"
MEMORY = "nestvirt/vsphere/esxcli_hardware_memory_get"
MORE = "nestvirt/vsphere/files"
"""Is in the snapshot of a host with more machines than were read."""
HV_SUPPORT = "nestvirt/vsphere/hv_support"
LIST = "nestvirt/vsphere/getallvms"
CAPABILITY = "nestvirt/vsphere/host_capability"
"""What the vSphere API reports of the host's `capability`; no command of ESXi prints it, so only a record can hold it."""

ENABLED = 3
"""Of `HV Support`: VT-x or AMD-V is there and switched on. 0: not there; 1: perhaps there, not enabled; 2: switched off."""

_NUMBERS = r"(?P<version>[0-9]{1,4}(?:\.[0-9]{1,4}){1,3})"
_VERSION = re.compile(rf"^\s*VMware ESXi? {_NUMBERS}\b", re.MULTILINE)
_SYSTEM_VERSION = re.compile(rf"^\s*Product: VMware ESXi?\s*\n(?:.*\n)*?\s*Version: {_NUMBERS}\s*$", re.MULTILINE)
_HV_SUPPORT = re.compile(r"^[\s|\\=+-]*HV Support\.+\s*(?P<number>[0-9])\s*$", re.MULTILINE)
_ROW = re.compile(r"^[0-9]+\s+\S.*\[[^\]\n]+\] .*\.vmx\b", re.MULTILINE)
_MEMORY = re.compile(r"^\s*Physical Memory:\s*(?P<bytes>[0-9]{1,18}) Bytes\s*$", re.MULTILINE)
_NESTED = re.compile(r"\bnestedHVSupported\b\"?\s*[=:]\s*\"?(?P<value>true|false)\b", re.IGNORECASE)


class Vsphere(Subject):
    """An ESXi host, by its own shell. Every fact is `Unobservable` on other machines."""

    name = "vsphere"

    @fact
    def version(self) -> tuple[int, ...]:
        """`VMware ESXi 7.0.3 build-19193900` is (7, 0, 3)."""
        for source, pattern in ((VERSION, _VERSION), (SYSTEM_VERSION, _SYSTEM_VERSION)):
            found = pattern.search(known_or(partial(self.read, source), otherwise="").replace("\r", ""))
            if found:
                return tuple(map(int, found["version"].split(".")))
        raise Unobservable(VERSION, "no version of ESXi is shown")

    @fact
    def hv_support(self) -> int:
        """`HV Support` of esxcfg-info: 0 no VT-x or AMD-V, 1 or 2 there but not switched on, 3 switched on."""
        # esxcfg-info prints the command lines of all processes, too, that of a `grep HV Support` among them.
        found = {int(line["number"]) for line in _HV_SUPPORT.finditer(self.read(HV_SUPPORT).replace("\r", ""))}
        if len(found) != 1 or not found <= {0, 1, 2, ENABLED}:
            raise Unobservable(HV_SUPPORT, f"shows {sorted(found) or 'no value'} as HV Support")
        return found.pop()

    @fact
    def nested_hv_supported(self) -> bool:
        """`capability.nestedHVSupported` of the vSphere API, where a record has it; False where VT-x and AMD-V are off.

        That they are on does not make it True: nesting also takes EPT or RVI.
        """
        found = _NESTED.search(known_or(lambda: self.read(CAPABILITY), otherwise=""))
        if found:
            return found["value"].lower() == "true"
        if self.hv_support != ENABLED:
            return False
        raise Unobservable(CAPABILITY, "only the vSphere API shows nestedHVSupported")

    @fact
    def vms(self) -> Mapping[str, Vmx]:
        """The virtual machines whose files were read, by the name that is shown; by path where two have one name."""
        files = [_parsed(section) for section in self._files()]
        if not files:
            raise Unobservable(FILES, "no .vmx file was read")
        known = [file for file in files if isinstance(file, Vmx)]
        if not known:
            raise next(file for file in files if isinstance(file, Unobservable))
        count = Counter(file.name for file in known)
        return MappingProxyType({file.name if count[file.name] == 1 else file.source: file for file in known})

    @fact
    def memory_mib(self) -> int:
        """Physical memory of the host, in whole MiB."""
        found = _MEMORY.search(self.read(MEMORY).replace("\r", ""))
        if found is None:
            raise Unobservable(MEMORY, "shows no Physical Memory")
        return int(found["bytes"]) >> 20

    @fact
    def reserved_mib(self) -> int:
        """Memory in MiB that is reserved for all registered machines, whether they run or not.

        `Unobservable` where the file of one of them was not read whole: there may be more.
        """
        files = [_parsed(section) for section in self._files()]
        if self.reader.under(MORE):
            raise Unobservable(MORE, "the host has more machines than were read")
        self._expect(len(files))
        for file in files:
            if isinstance(file, Unobservable):
                raise file.with_traceback(None)
        return sum(file.reserved_mib for file in files if isinstance(file, Vmx))

    def _expect(self, count: int) -> None:
        """Raise `Unobservable` if other machines are registered; a record without the list is taken to have all files."""
        if not self.reader.under(LIST):
            if not count:
                raise Unobservable(FILES, "no .vmx file was read")
            return
        registered = len(_ROW.findall(self.read(LIST)))
        if registered != count:
            raise Unobservable(LIST, f"{registered} machines are registered, the files of {count} were read")

    def machine(self, name: str) -> Vmx:
        """The file of the machine that is shown under a name, or whose file is called so. `Unobservable` if not one is."""
        files = [_parsed(section) for section in self._files()]
        known = [file for file in files if isinstance(file, Vmx)]
        found = [file for file in known if file.name == name] or [file for file in known if file.file_name == name]
        if len(found) == 1:
            return found[0]
        why = "no file of a machine" if not found else f"files of {len(found)} machines"
        unread = next((f"; {file}" for file in files if isinstance(file, Unobservable)), "")
        raise Unobservable(FILES, f"{why} named {name}; `domain:` names it{unread}")

    def _files(self) -> list[Section]:
        return [section for section in self.reader.under(FILES) if section.name.endswith(".vmx")]


def _parsed(section: Section) -> Vmx | Unobservable:
    if section.status is not Status.OK:
        return Unobservable(section.name, why_unread(section))
    vmx = attempt(lambda: parse_vmx(section.data, section.name))
    if isinstance(vmx, Unobservable):
        return vmx
    name = attempt(lambda: vmx.name)  # a file whose name is mangled cannot be attributed to a machine
    return name if isinstance(name, Unobservable) else vmx


class VsphereHost(Protocol):
    """What a guest's facts need of its parent."""

    @property
    def vsphere(self) -> Vsphere:
        """The parent as an ESXi host."""


class GuestVmx(DefinedGuest[VsphereHost]):
    """What the .vmx file on an ESXi host sets for a guest.

    A running machine has what the file set when it was switched on. Every fact is `Unobservable` also where the parent is not an
    ESXi host, or has no file for it.
    """

    name = "vmx"

    @fact
    def file(self) -> Vmx:
        """All of its settings."""
        return self.ask(lambda host: host.vsphere.machine(self.domain))

    @fact
    def hardware_version(self) -> int:
        """Version of the virtual hardware."""
        return self.file.hardware_version

    @fact
    def vcpus(self) -> int:
        """Processors that it is given."""
        return self.file.vcpus

    @fact
    def memory_mib(self) -> int:
        """Memory that it is given, in MiB."""
        return self.file.memory_mib

    @fact
    def esxi(self) -> str:
        """`esxi` for a guest whose `guestOS` is that of ESXi (`vmkernel6`); `Unobservable` for others, where it proves nothing."""
        system = (self.file.setting("guestOS") or "").strip().lower()
        if not system.startswith("vmkernel"):
            raise Unobservable(FILES, f"guestOS {system[:40]!r} does not show which system was installed")
        return "esxi"

    @fact
    def vhv_enable(self) -> bool:
        """`vhv.enable`: whether hardware-assisted virtualization is offered to it."""
        return self.file.enabled("vhv.enable")

    @fact
    def vhv_nested_page_tables(self) -> bool:
        """`vhv.allowNestedPageTables`, a key that no public document of VMware's names."""
        return self.file.enabled("vhv.allowNestedPageTables")

    @fact
    def vvtd_enable(self) -> bool:
        """`vvtd.enable`: whether it has a virtual IOMMU."""
        return self.file.enabled("vvtd.enable")

    @fact
    def firmware(self) -> str:
        """`bios` or `efi`."""
        return self.file.firmware

    @fact
    def cpu_hot_add(self) -> bool:
        """`vcpu.hotadd`."""
        return self.file.enabled("vcpu.hotadd")

    @fact
    def memory_hot_add(self) -> bool:
        """`mem.hotadd`."""
        return self.file.enabled("mem.hotadd")

    @fact
    def pci_passthrough(self) -> bool:
        """Whether a PCI device is passed to it, or a part of a graphics card."""
        return self.file.pci_passthrough

    @fact
    def vbs_enable(self) -> bool:
        """Whether virtualization-based security is prepared."""
        return self.file.vbs_enable

    @fact
    def secure_boot(self) -> bool:
        """`uefi.secureBoot.enabled`; without UEFI there is none."""
        return self.file.firmware == "efi" and self.file.enabled("uefi.secureBoot.enabled")
