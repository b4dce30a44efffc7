"""The .vmx file of a VMware virtual machine: a pure parser of its settings.

The format is that of VMware's dictionary files: `key = "value"`, one a line; keys without regard to case; `|XX` is a byte in hexadecimal (`|22` is a quotation mark); `.encoding` names the character set. A machine
whose file has a key twice does not start (hashicorp/vagrant#2597), so which of two different values holds is not known.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pytest_nestvirt.observation.fact import Unobservable

_LINE = re.compile(
    rb'\s*(?P<key>[^\s=#"][^\s="]*)\s*=\s*(?:"(?P<quoted>[^"]*)"\s*(?:#.*)?|(?P<bare>[^\s"#][^"#]*?)\s*)'
)
_KEY = re.compile(rb'\s*(?P<key>[^\s=#"][^\s="]*)\s*=')
_ESCAPE = re.compile(rb"\|([0-9a-fA-F]{2})")
_TRUE = frozenset({"true", "t", "yes", "y", "on", "1"})
_FALSE = frozenset({"false", "f", "no", "n", "off", "0", ""})
_PASSED_THROUGH = re.compile(r"pcipassthru[0-9]+\.present")
_VBS = ("vbs.enable", "vbs.enabled", "windows.vbs.enabled")
"""The document's spelling, and those of the products."""


@dataclass(frozen=True, slots=True)
class Vmx:
    """The settings of one machine. What a setting that is not there means is VMware's default: off, and BIOS."""

    source: str
    """The section it was parsed from, as in `nestvirt/vsphere/datastore1/rhel8-l1/rhel8-l1.vmx`."""
    settings: Mapping[str, str | None]
    """By key in lower case; None where the line could not be understood, and where two lines differ."""

    @property
    def file_name(self) -> str:
        """Of the file, without its extension."""
        return self.source.rpartition("/")[2].removesuffix(".vmx")

    @property
    def name(self) -> str:
        """The name that is shown for it; that of its file where it has none."""
        return self.setting("displayname") or self.file_name

    @property
    def hardware_version(self) -> int:
        """The virtual hardware's version: 9 for `vmx-09`. `config.version` counts only if it is written like that."""
        written = self.setting("virtualhw.version") or ""
        found = re.fullmatch(r"(?:vmx-)?([0-9]{1,3})", written.strip()) or re.fullmatch(
            r"vmx-([0-9]{1,3})", (self.setting("config.version") or "").strip()
        )
        if found is None:
            raise Unobservable(self.source, f"virtualHW.version is not a version: {written[:40]!r}")
        return int(found[1])

    @property
    def firmware(self) -> str:
        """`bios` or `efi`."""
        return (self.setting("firmware") or "bios").strip().lower()

    @property
    def pci_passthrough(self) -> bool:
        """Whether it is given a PCI device of the host, or a part of a graphics card."""
        return any(self.enabled(key) for key in self.settings if _PASSED_THROUGH.fullmatch(key))

    @property
    def vbs_enable(self) -> bool:
        """Whether it is made ready for Windows' virtualization-based security."""
        return any(self.enabled(key) for key in _VBS)

    @property
    def memory_mib(self) -> int:
        """Memory that it is given, in MiB. `Unobservable` where the file does not name it."""
        if not self.setting("memsize"):
            raise Unobservable(self.source, "has no memSize")
        return self._number("memsize")

    @property
    def vcpus(self) -> int:
        """Processors that it is given; a file that names no number gives one."""
        return self._number("numvcpus") or 1

    @property
    def reserved_mib(self) -> int:
        """Memory in MiB that the host keeps for it: `sched.mem.min`, or all of it where `sched.mem.pin` says so."""
        return self.memory_mib if self.enabled("sched.mem.pin") else self._number("sched.mem.min")

    def _number(self, key: str) -> int:
        value = (self.setting(key) or "0").strip()
        if not re.fullmatch(r"[0-9]{1,12}", value):
            raise Unobservable(self.source, f"{key} is not a number: {value[:40]!r}")
        return int(value)

    def setting(self, key: str) -> str | None:
        """The value of a key, whatever its case; None where there is no such line. `Unobservable` if it is mangled."""
        known = self.settings.get(key.lower(), "")
        if known is None:
            raise Unobservable(self.source, f"the line of {key} is not understood")
        return known if key.lower() in self.settings else None

    def enabled(self, key: str) -> bool:
        """Whether a switch is on; one that is not there is off. `Unobservable` for what is neither on nor off."""
        value = (self.setting(key) or "").strip().lower()
        if value in _TRUE:
            return True
        if value in _FALSE:
            return False
        raise Unobservable(self.source, f"{key} is neither TRUE nor FALSE: {value[:40]!r}")


def parse_vmx(data: bytes, source: str) -> Vmx:
    """Every setting of a file. Raises `Unobservable` where it has none, or is in an unknown character set.

    >>> parse_vmx(b'vhv.enable = "TRUE"', "l1.vmx").enabled("vhv.enable")
    True
    """
    raw = _settings(data.removeprefix(codecs.BOM_UTF8))
    if not raw:
        raise Unobservable(source, 'holds no line `key = "value"`')
    named = raw.get(b".encoding") or b"utf-8"
    try:
        encoding = codecs.lookup(named.decode("ascii", "replace")).name
        decoded = {key.decode("ascii", "replace"): _decoded(value, encoding) for key, value in raw.items()}
    except (LookupError, ValueError):
        raise Unobservable(source, f"the character set {named[:40]!r} is not known") from None
    return Vmx(source, MappingProxyType(decoded))


def _settings(data: bytes) -> dict[bytes, bytes | None]:
    found: dict[bytes, bytes | None] = {}
    for line in data.replace(b"\r", b"\n").split(b"\n"):
        setting, key = _LINE.fullmatch(line), _KEY.match(line)
        if setting is not None:
            name, value = setting["key"].lower(), setting["bare"] if setting["quoted"] is None else setting["quoted"]
            found[name] = value if found.get(name, value) == value else None
        elif key is not None:
            found[key["key"].lower()] = None
    return found


def _decoded(value: bytes | None, encoding: str) -> str | None:
    if value is None:
        return None
    return _ESCAPE.sub(lambda escape: bytes.fromhex(escape[1].decode("ascii")), value).decode(encoding, "replace")
