"""Why a lab is not available, for people."""

from __future__ import annotations


class LabError(Exception):
    """One line: what is wrong, where, and how to fix it. `console` holds the last lines a machine printed."""

    def __init__(self, what: str, console: tuple[str, ...] = ()) -> None:
        super().__init__(what)
        self.console = console
