"""Facts about memory."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pytest_nestvirt.observation.fact import Subject, Unobservable, fact
from pytest_nestvirt.snapshot.snapshot import Status

MEMINFO = "proc/meminfo"
HUGE_PAGES = "sys/kernel/mm/hugepages/"


class Memory(Subject):
    """How much there is, and how much of it is set aside in huge pages."""

    name = "memory"

    @fact
    def total_kib(self) -> int:
        """Memory the kernel manages, KiB."""
        return self._meminfo("MemTotal")

    @fact
    def huge_pages(self) -> Mapping[int, int]:
        """Pages in the pool of every huge page size: KiB of a page to number of pages.

        From sysfs, which has every size; else from /proc/meminfo, which has the default size only. `Unobservable` where
        neither was read.
        """
        pools: dict[int, int] = {}
        for section in self.reader.under(HUGE_PAGES):
            size = re.fullmatch(rf"{HUGE_PAGES}hugepages-(\d{{1,12}})kB/nr_hugepages", section.name)
            if size and section.status is not Status.MISSING:
                pools[int(size[1])] = _number(section.name, self.read(section.name).strip())
        if not pools:
            pools[self._meminfo("Hugepagesize")] = self._meminfo("HugePages_Total")
        return pools

    def _meminfo(self, field: str) -> int:
        found = re.search(rf"^{field}:\s*(\d{{1,18}})\b", self.read(MEMINFO), re.MULTILINE)
        if found is None:
            raise Unobservable(MEMINFO, f"has no line {field}")
        return int(found[1])


def _number(source: str, text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise Unobservable(source, f"{text[:40]!r} is not a number")
    return int(text)
