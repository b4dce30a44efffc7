"""The account that looked at a machine."""

from __future__ import annotations

import re

from pytest_nestvirt.observation.fact import Subject, Unobservable, fact

SOURCE = "nestvirt/whoami"

_LINE = re.compile(r"uid=(?P<uid>\d{1,10}) sudo=(?P<sudo>yes|no|none)\s*")


class Account(Subject):
    """Who looked, and what that account may do; only the probe writes this down."""

    name = "account"

    @fact
    def uid(self) -> int:
        """Number of the user; 0 is root."""
        return int(self._shown()["uid"])

    @fact
    def may_change(self) -> bool:
        """Whether it is root or becomes root by sudo without a password."""
        shown = self._shown()
        return int(shown["uid"]) == 0 or shown["sudo"] == "yes"

    def _shown(self) -> re.Match[str]:
        text = self.read(SOURCE)
        shown = _LINE.fullmatch(text)
        if shown is None:
            raise Unobservable(SOURCE, f"not a line `uid=0 sudo=none`: {text.strip()[:60]!r}")
        return shown
