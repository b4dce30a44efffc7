"""Whether the running kernel has been damaged since it booted."""

from __future__ import annotations

import re

from pytest_nestvirt.observation.fact import Subject, Unobservable, fact
from pytest_nestvirt.observation.partial import seen_log

TAINTED = "proc/sys/kernel/tainted"

DIED = 7
"""Bit of the taint mask that is set by an oops or a BUG (Documentation/admin-guide/tainted-kernels.rst: D)."""

_SIGNS = re.compile(
    r"kernel BUG at |\bOops\b.*:|BUG: unable to handle |Kernel panic - not syncing|general protection fault"
)


class Health(Subject):
    """Oopses and their like. The kernel remembers them in its taint mask, which outlasts the lines in its log."""

    name = "health"

    @fact
    def tainted(self) -> int:
        """The taint mask; 0 for a kernel that has seen nothing."""
        text = self.read(TAINTED).strip()
        if not re.fullmatch(r"[0-9]{1,20}", text):
            raise Unobservable(TAINTED, f"not a number: {text[:40]!r}")
        return int(text)

    @fact
    def has_died(self) -> bool:
        """Whether there was an oops or a BUG since the boot."""
        return bool(self.tainted >> DIED & 1)

    @fact
    def signs(self) -> tuple[str, ...]:
        """Lines of such events as far as the log was read. None proves nothing: `has_died` does."""
        return tuple(line.strip() for line in seen_log(self.reader).split("\n") if _SIGNS.search(line))
