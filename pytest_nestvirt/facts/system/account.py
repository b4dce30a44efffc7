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
        return int(self._said()["uid"])

    @fact
    def may_change(self) -> bool:
        """Whether it is root or becomes root by sudo without a password."""
        said = self._said()
        return int(said["uid"]) == 0 or said["sudo"] == "yes"

    def _said(self) -> re.Match[str]:
        text = self.read(SOURCE)
        said = _LINE.fullmatch(text)
        if said is None:
            raise Unobservable(SOURCE, f"not a line `uid=0 sudo=none`: {text.strip()[:60]!r}")
        return said
