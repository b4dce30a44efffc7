"""Lines that keep a module from being loaded at boot.

kmod's rules are in libkmod/libkmod-module.c (kmod_module_probe_insert_module): a module and those that it needs are each replaced by the
command of the first `install` line whose pattern matches, and an error of a needed one ends the whole. A blacklist counts for
the module that udev loads by its alias, not for those that it needs, and not for `modprobe NAME`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pytest_nestvirt.facts.kvm.kernel_command_line import (
    blacklist_for_modprobe,
    blacklist_for_the_kernel,
    skipped_initcalls,
)
from pytest_nestvirt.facts.kvm.modprobe_lines import Directive
from pytest_nestvirt.facts.kvm.module import Needed

_LOADS_NOTHING = re.compile(
    r"(?:(?:/usr)?/bin/)?(?:true|false|:|exit|echo|logger)(?:[ \t\r]+[^;&|<>`$()\\]*)?|/dev/null|/bin/nologin"
)
"""Commands of `install` lines that surely load no module; of any other command the effect is not known."""

_OF_A_PROCESSOR = "cpu:type:x86,ven0000fam0006mod0055:feature:,0085,"
"""An alias by which udev asks for the module of a processor; an `alias` line that matches it takes its place."""


@dataclass(frozen=True, slots=True)
class Obstacles:
    """What configuration puts in the way of one module."""

    module: str
    needed: Needed
    directives: tuple[Directive, ...]
    command_line: str

    def sure(self) -> Directive | None:
        """A line that surely keeps it out; None where there is none."""
        return next(self._sure(), None)

    def _sure(self) -> Iterator[Directive]:
        for module in (self.module, *sorted(self.needed.surely)):
            line = self._install_line(module)
            if line is not None and _LOADS_NOTHING.fullmatch(line.argument):
                yield line
        yield from (line for line in self.directives if (line.command, line.module) == ("blacklist", self.module))
        yield from (line for line in blacklist_for_modprobe(self.command_line) if line.module == self.module)
        needed = {self.module} | self.needed.surely
        yield from (line for line in blacklist_for_the_kernel(self.command_line) if line.module in needed)
        yield from self.to_initialization()

    def to_initialization(self) -> Iterator[Directive]:
        """Initcalls that are skipped: that holds for modules that are built in as well."""
        needed = {self.module} | self.needed.surely
        return (line for line in skipped_initcalls(self.command_line) if line.module in needed)

    def doubtful(self) -> tuple[Directive, ...]:
        """Lines that may keep it out."""
        return tuple(self._doubtful())

    def _doubtful(self) -> Iterator[Directive]:
        for module in (self.module, *sorted(self.needed.surely)):
            line = self._install_line(module)
            if line is not None and not _LOADS_NOTHING.fullmatch(line.argument):
                yield line
        for module in sorted(self.needed.perhaps):
            line = self._install_line(module)
            if line is not None:
                yield line
        blacklisted = (*blacklist_for_the_kernel(self.command_line), *skipped_initcalls(self.command_line))
        yield from (line for line in blacklisted if line.module in self.needed.perhaps)
        yield from (line for line in self.directives if line.command == "alias" and self._is_diverted(line))

    def _install_line(self, module: str) -> Directive | None:
        return next((line for line in self.directives if line.command == "install" and line.is_about(module)), None)

    def _is_diverted(self, line: Directive) -> bool:
        target = line.argument.replace("\t", " ").partition(" ")[0].replace("-", "_")
        return target != self.module and (line.is_about(self.module) or line.is_about(_OF_A_PROCESSOR))
