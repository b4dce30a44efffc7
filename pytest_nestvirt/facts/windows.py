"""Facts about a Windows machine, from CIM classes that its probe prints as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pytest_nestvirt.facts.core import Subject, Unobservable, fact

SOURCE = "nestvirt/windows/operating_system.json"


class Windows(Subject):
    """Win32_OperatingSystem. Every fact is `Unobservable` on machines that are not Windows."""

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

    def _number(self, name: str) -> int:
        value = self._properties().get(name)
        text = str(value) if isinstance(value, (int, str)) and not isinstance(value, bool) else ""
        if text.isascii() and text.isdigit():
            return int(text[:9])
        raise Unobservable(SOURCE, f"{name} is not a number: {str(value)[:40]!r}")

    def _properties(self) -> Mapping[str, Any]:
        return parse_properties(self.read(SOURCE))


def parse_properties(text: str) -> Mapping[str, Any]:
    """One JSON object, or an array of one (as `ConvertTo-Json` prints a collection). Raises `Unobservable`."""
    try:
        found = json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        raise Unobservable(SOURCE, f"not JSON: {str(error)[:80]}") from None
    if isinstance(found, list) and len(found) == 1:
        found = found[0]
    if not isinstance(found, dict):
        raise Unobservable(SOURCE, "not one JSON object")
    return found
