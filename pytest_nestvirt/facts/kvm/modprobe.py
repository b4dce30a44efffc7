"""Facts about what modprobe would load kvm modules with: what outlives a reboot."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from enum import StrEnum

from pytest_nestvirt.facts.kvm.kernel_command_line import (
    COMMAND_LINE,
    options_for_modprobe,
    options_for_the_kernel,
)
from pytest_nestvirt.facts.kvm.kvm import Kvm
from pytest_nestvirt.facts.kvm.modprobe_files import (
    ADMINISTRATOR_DIRECTORIES,
    DIRECTORIES,
    effective_files,
)
from pytest_nestvirt.facts.kvm.modprobe_lines import Directive, normalized, parse_directives
from pytest_nestvirt.facts.kvm.module_option import ModuleOption, ParameterType, options_of, printed_type
from pytest_nestvirt.facts.kvm.obstacle import Obstacles
from pytest_nestvirt.facts.system.operating_system import Os
from pytest_nestvirt.observation.fact import Reader, Subject, Unobservable, fact, why_unread
from pytest_nestvirt.observation.unknown import attempt, if_known
from pytest_nestvirt.snapshot.sections import SEARCHED
from pytest_nestvirt.snapshot.snapshot import Origin as SnapshotOrigin
from pytest_nestvirt.snapshot.snapshot import Section, Snapshot, Status

__all__ = ["Modprobe", "ModuleOption", "Origin"]

_NOT_UTF_8 = "\N{REPLACEMENT CHARACTER}"

_PROBE = "nestvirt/whoami"
"""A section of every snapshot that a probe made."""

_SHIPPED_BY_UBUNTU = "etc/modprobe.d/qemu-system-x86.conf"
"""Ubuntu's package of that name puts `options kvm_intel nested=1` under /etc, where files are the administrator's."""


class Origin(StrEnum):
    """Who decided the value that a module is going to be loaded with."""

    KERNEL_DEFAULT = "kernel-default"
    DISTRIBUTION = "distribution"
    ADMINISTRATOR = "administrator"
    COMMAND_LINE = "command-line"


class Modprobe(Subject):
    """The effective configuration of modprobe, as far as it concerns kvm, and the kernel command line's part in it.

    It speaks of the next time a module is loaded. What a loaded module runs with is a fact of `kvm`. Only files with lines that can
    matter to kvm are in a snapshot of a live host, so nothing is known of other modules there.
    """

    name = "modprobe"

    def __init__(self, reader: Reader, *, os: Os, kvm: Kvm) -> None:
        super().__init__(reader)
        self._os = os
        self._kvm = kvm

    @fact
    def files(self) -> tuple[str, ...]:
        """Paths of all files that modprobe reads, in that order; files that another directory masks are left out."""
        return effective_files({directory: tuple(self._names(directory)) for directory in DIRECTORIES})

    def _names(self, directory: str) -> Iterator[str]:
        """Names in one directory, from its listing. /etc has to have one: only a listing shows what is not there."""
        listing = self._listing(directory)
        if listing is None:
            for section in self.reader.under(directory):
                yield section.name.removeprefix(directory)
        elif listing.status is Status.OK:
            yield from _distinct(directory, listing.text)
        elif listing.status is not Status.MISSING:
            raise Unobservable(directory, why_unread(listing))

    def _listing(self, directory: str) -> Section | None:
        listing = attempt(lambda: self.reader.section(directory))
        if isinstance(listing, Section):
            return listing
        if directory == DIRECTORIES[0] or self._is_incomplete:
            raise listing
        return None

    @property
    def _is_incomplete(self) -> bool:
        """Whether collecting stopped halfway: then what is not in the snapshot may well be on the machine."""
        return isinstance(self.reader.snapshot, Snapshot) and bool(self.reader.snapshot.note)

    @fact
    def directives(self) -> tuple[Directive, ...]:
        """The lines that count, of all files, in the order they are read."""
        return tuple(line for file in self.files for line in parse_directives(file, self._text(file)))

    def _text(self, file: str) -> str:
        """Each byte a character; `Unobservable` for a file that is listed and was neither collected nor searched."""
        section = attempt(lambda: self.reader.section(file))
        if isinstance(section, Section):
            if section.status is Status.OK:
                return section.data.decode("latin-1")
            raise Unobservable(file, why_unread(section))
        if self._is_incomplete:
            raise section
        if not self._was_searched(file):
            raise Unobservable(file, "it is listed, and its contents were not read")
        return ""

    def _was_searched(self, file: str) -> bool:
        """Whether the probe has seen that the file has no line that can matter to kvm.

        Records of earlier probes do not name what was searched. They are trusted, except with a name that a listing may not
        show as it is; of other records, such as sosreports, every file was to be copied.
        """
        searched = if_known(lambda: self.reader.section(SEARCHED))
        if searched is not None and searched.status is not Status.MISSING:
            return searched.status is Status.OK and file in searched.text.split("\n")
        return self._is_of_an_earlier_probe and not {"?", "\\", _NOT_UTF_8} & set(file)

    @property
    def _is_of_an_earlier_probe(self) -> bool:
        snapshot = self.reader.snapshot
        if not isinstance(snapshot, Snapshot) or snapshot.origin is SnapshotOrigin.SOSREPORT:
            return False
        return snapshot.get(_PROBE) is not None

    @fact
    def options(self) -> tuple[ModuleOption, ...]:
        """Every parameter that is set, in the order in which it takes effect: the last one of a name wins."""
        return (*self._typed(options_of(self.directives)), *self._from_command_line())

    def _typed(self, options: Iterator[ModuleOption]) -> tuple[ModuleOption, ...]:
        return tuple(replace(option, printed=self._printed_type(option)) for option in options)

    def _printed_type(self, option: ModuleOption) -> ParameterType | None:
        if not option.module.startswith("kvm"):
            return None
        printed = if_known(lambda: self._kvm.parameter(option.name, option.module))
        return None if printed is None else printed_type(option.module, option.name, printed)

    def _from_command_line(self) -> tuple[ModuleOption, ...]:
        options = self._typed(options_for_modprobe(self._command_line()))
        return tuple(option for option in options if option.module.startswith("kvm"))

    def _command_line(self) -> str:
        """Each byte a character, as in files."""
        self.read(COMMAND_LINE)
        return self.reader.section(COMMAND_LINE).data.decode("latin-1")

    def setting(self, module: str, name: str) -> ModuleOption | None:
        """What decides that parameter at the next load or boot; None: surely no line sets it, the module's default holds.

        A module that is built into the kernel is never loaded by modprobe: only the kernel command line sets its parameters.
        """
        module, name = normalized(module), normalized(name)
        return self.reader.compute(self, f"setting.{module}.{name}", lambda _: self._setting(module, name))

    def _setting(self, module: str, name: str) -> ModuleOption | None:
        built_in = attempt(lambda: self._kvm.is_built_in(module))
        by_kernel = _last(self._typed(options_for_the_kernel(self._command_line())), module, name)
        if built_in is True:
            return by_kernel
        # The command line wins over files, so it decides even where those cannot be read.
        by_modprobe = _last(self._from_command_line(), module, name) or _last(self.options, module, name)
        if isinstance(built_in, Unobservable) and by_modprobe != by_kernel:
            raise built_in
        if by_modprobe is None and not module.startswith("kvm"):
            raise Unobservable(DIRECTORIES[0], f"files about {module} that do not mention kvm are not collected")
        return by_modprobe

    def settings_of(self, module: str) -> tuple[ModuleOption, ...]:
        """Every option that the module is loaded with, those that a later one overrides as well: the kernel parses them all."""
        module = normalized(module)
        return tuple(option for option in self.options if option.module == module)

    def kept_out_by(self, module: str) -> Directive | None:
        """A line that keeps the module from being loaded at boot; None: surely there is none.

        That is an `install` line for it or for a module that it needs, a blacklist, an initcall that is skipped. `Unobservable`
        where a line may do so: the effect of a shell command is not decided here.
        """
        module = normalized(module)
        return self.reader.compute(self, f"kept_out_by.{module}", lambda _: self._kept_out_by(module))

    def _kept_out_by(self, module: str) -> Directive | None:
        needed, command_line = self._kvm.needed_by(module), self._command_line()
        built_in = attempt(lambda: self._kvm.is_built_in(module))
        by_command_line = Obstacles(module, needed, (), command_line)
        if built_in is True:
            return next(by_command_line.to_initialization(), None)
        if built_in is False and by_command_line.sure():
            return by_command_line.sure()
        obstacles = Obstacles(module, needed, self.directives, command_line)
        found, doubtful = obstacles.sure(), obstacles.doubtful()
        if isinstance(built_in, Unobservable) and (found or doubtful):
            raise built_in
        if found is None and doubtful:
            line = doubtful[0]
            raise Unobservable(line.file, f"whether {module} is loaded in spite of `{line}` cannot be decided")
        return found

    def origin(self, module: str, name: str) -> Origin:
        """Who decides that parameter: the kernel's default, the distribution, the administrator or the command line."""
        module, name = normalized(module), normalized(name)
        return self.reader.compute(
            self, f"origin.{module}.{name}", lambda _: self.origin_of(self._setting(module, name))
        )

    def origin_of(self, option: ModuleOption | None) -> Origin:
        """Who wrote a line; None is the kernel's default."""
        if option is None:
            return Origin.KERNEL_DEFAULT
        if option.file == COMMAND_LINE:
            return Origin.COMMAND_LINE
        if option.file == _SHIPPED_BY_UBUNTU and self._is_as_shipped(option):
            return Origin.DISTRIBUTION
        if option.file.startswith(ADMINISTRATOR_DIRECTORIES):
            return Origin.ADMINISTRATOR
        return Origin.DISTRIBUTION

    def _is_as_shipped(self, option: ModuleOption) -> bool:
        return (option.module, option.name, option.value) == ("kvm_intel", "nested", "1") and self._os.is_like(
            "ubuntu", "debian"
        )


def _last(options: tuple[ModuleOption, ...], module: str, name: str) -> ModuleOption | None:
    found = [option for option in options if (option.module, option.name) == (module, name)]
    return found[-1] if found else None


def _distinct(directory: str, listing: str) -> list[str]:
    """The names in a listing; `Unobservable` where two files have the same one, once bytes that are not UTF-8 are replaced."""
    names = [name for name in listing.split("\n") if name]
    if len(set(names)) < len(names):
        raise Unobservable(directory, "has names that differ only in bytes that are not UTF-8")
    return names
