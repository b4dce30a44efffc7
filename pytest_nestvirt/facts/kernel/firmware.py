"""Facts about what the firmware hands to the kernel."""

from __future__ import annotations

import re

from pytest_nestvirt.observation.fact import Subject, Unobservable, fact

ACPI_TABLES = "sys/firmware/acpi/tables/"
IOMMU_GROUPS = "sys/kernel/iommu_groups/"


class Firmware(Subject):
    """ACPI tables, IOMMU groups, the kind of boot."""

    name = "firmware"

    @fact
    def acpi_tables(self) -> frozenset[str]:
        """Names of the ACPI tables (`DMAR`, `IVRS`, `SSDT1`, ...).

        `Unobservable` where none is shown: a machine with ACPI has some, and container engines hide the directory, so
        an empty one does not show that `DMAR` is missing.
        """
        names = frozenset(re.findall(r"^[A-Z0-9_]{4}\d*\r?$", self.read(ACPI_TABLES), re.MULTILINE))
        if not names:
            raise Unobservable(ACPI_TABLES, "lists no table")
        return frozenset(name.rstrip("\r") for name in names)

    @fact
    def iommu_groups(self) -> int:
        """How many IOMMU groups there are; 0 also where the kernel was built without them."""
        if not self.reader.exists(IOMMU_GROUPS):
            return 0
        return len(re.findall(r"^\d+\r?$", self.read(IOMMU_GROUPS), re.MULTILINE))

    @fact
    def efi(self) -> bool:
        """Whether the kernel was started by EFI firmware."""
        return self.reader.exists("sys/firmware/efi/")
