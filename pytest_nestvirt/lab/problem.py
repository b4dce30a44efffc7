"""What a person is told when a lab cannot be had."""

from __future__ import annotations


class LabError(Exception):
    """One line: what is wrong, where, and how to mend it. `console` holds the last lines a machine printed."""

    def __init__(self, what: str, console: tuple[str, ...] = ()) -> None:
        super().__init__(what)
        self.console = console
