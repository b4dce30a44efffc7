"""What Windows shows of the maker of its machine: SMBIOS strings by CIM, under the names that Linux has for them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from pytest_nestvirt.facts.system.windows import SYSTEM, parse_properties
from pytest_nestvirt.observation.fact import Reader
from pytest_nestvirt.observation.partial import seen_text
from pytest_nestvirt.observation.unknown import if_known

BIOS = "nestvirt/windows/bios.json"

_PROPERTIES = (
    ("sys_vendor", SYSTEM, "Manufacturer"),
    ("product_name", SYSTEM, "Model"),
    ("bios_vendor", BIOS, "Manufacturer"),
    ("bios_version", BIOS, "SMBIOSBIOSVersion"),
)


def seen_windows_dmi(reader: Reader) -> Mapping[str, str]:
    """The strings that were read, by name of the file below /sys/class/dmi/id; empty for machines that are not Windows."""
    found = {field: _property(reader, section, name) for field, section, name in _PROPERTIES}
    return {field: text.strip() for field, text in found.items() if isinstance(text, str) and text.strip()}


def shows_no_hypervisor(reader: Reader) -> bool:
    """Whether Windows sees none. One that it sees may be its own: Hyper-V, of which it is the root partition."""
    return _property(reader, SYSTEM, "HypervisorPresent") is False


def _property(reader: Reader, section: str, name: str) -> object:
    properties = if_known(partial(parse_properties, seen_text(reader, section), section))
    return None if properties is None else properties.get(name)
