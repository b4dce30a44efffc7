"""Claim: facts on firmware and memory are what sysfs and /proc/meminfo list, and unknown where they were not read."""

from __future__ import annotations

import pytest
from cpuinfo_texts import reader

from pytest_nestvirt.facts.kernel.firmware import Firmware
from pytest_nestvirt.facts.kernel.memory import Memory
from pytest_nestvirt.observation.fact import Unobservable
from pytest_nestvirt.snapshot.snapshot import Status

TABLES = "sys/firmware/acpi/tables/"
GROUPS = "sys/kernel/iommu_groups/"
MEMINFO = "MemTotal:       65779908 kB\nHugePages_Total:       4\nHugepagesize:       2048 kB\n"


def test_acpi_tables() -> None:
    """Names of tables, without the directories beside them."""
    assert Firmware(reader({TABLES: "APIC\nDMAR\nSSDT1\nSSDT12\ndata\ndynamic\n"})).acpi_tables == {
        "APIC",
        "DMAR",
        "SSDT1",
        "SSDT12",
    }


@pytest.mark.parametrize("given", ["", "data\n", Status.MISSING, Status.DENIED])
def test_hidden_acpi_tables_are_unknown(given: str | Status) -> None:
    """Container engines hide them: an empty directory does not tell that there is no DMAR."""
    with pytest.raises(Unobservable):
        _ = Firmware(reader({TABLES: given})).acpi_tables


def test_iommu_groups() -> None:
    """They are counted; a kernel without them has none; a directory that was not listed is unknown."""
    assert Firmware(reader({GROUPS: "0\n1\n10\n"})).iommu_groups == 3
    assert Firmware(reader({GROUPS: ""})).iommu_groups == 0
    assert Firmware(reader({GROUPS: Status.MISSING})).iommu_groups == 0
    for sections in ({}, {GROUPS: Status.DENIED}):
        with pytest.raises(Unobservable):
            _ = Firmware(reader(sections)).iommu_groups


def test_efi() -> None:
    """The directory is there on EFI machines only."""
    assert Firmware(reader({"sys/firmware/efi/": "efivars\n"})).efi is True
    assert Firmware(reader({"sys/firmware/efi/": Status.MISSING})).efi is False


def test_memory() -> None:
    """Total in KiB, pools by size of page."""
    pools = {
        f"sys/kernel/mm/hugepages/hugepages-{kib}kB/nr_hugepages": f"{pages}\n"
        for kib, pages in ((2048, 512), (1048576, 0))
    }
    memory = Memory(reader({"proc/meminfo": MEMINFO, **pools}))
    assert memory.total_kib == 65779908
    assert memory.huge_pages == {2048: 512, 1048576: 0}


def test_huge_pages_of_meminfo() -> None:
    """Without sysfs the default size is known."""
    assert Memory(reader({"proc/meminfo": MEMINFO})).huge_pages == {2048: 4}


@pytest.mark.parametrize(
    "sections",
    [{}, {"proc/meminfo": "MemFree: 1 kB\n"}, {"sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages": "many\n"}],
    ids=["nothing", "other lines", "no number"],
)
def test_memory_that_was_not_read_is_unknown(sections: dict[str, str | bytes | Status]) -> None:
    """No line, no fact."""
    memory = Memory(reader(sections))
    for name in ("total_kib", "huge_pages"):
        with pytest.raises(Unobservable):
            getattr(memory, name)
