"""Facts about what modprobe would load kvm modules with: what outlives a reboot."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_nestvirt.facts.kvm.modprobe_files import (
    ADMINISTRATOR_DIRECTORIES,
    COMMAND_LINE,
    DIRECTORIES,
    Directive,
    ModuleOption,
    Origin,
    blacklist_of_command_line,
    effective_files,
    normalized,
    options_of,
    options_of_command_line,
    parse_directives,
)
from pytest_nestvirt.facts.system.operating_system import Os
from pytest_nestvirt.observation.fact import Reader, Subject, Unobservable, fact, why_unread
from pytest_nestvirt.observation.unknown import if_known
from pytest_nestvirt.snapshot.sections import SEARCHED
from pytest_nestvirt.snapshot.snapshot import Section, Snapshot, Status

__all__ = ["Modprobe", "ModuleOption", "Origin"]

_SHIPPED_BY_UBUNTU = "etc/modprobe.d/qemu-system-x86.conf"
"""Ubuntu's package of that name puts `options kvm_intel nested=1` under /etc, where files are the administrator's."""


class Modprobe(Subject):
    """The effective configuration of modprobe, as far as it concerns kvm, and the kernel command line's part in it.

    It speaks of the next time a module is loaded. What a loaded module runs with is said by `kvm`. Only files that mention
    kvm are in a snapshot of a live host, so nothing is known of other modules there.
    """

    name = "modprobe"

    def __init__(self, reader: Reader, *, os: Os) -> None:
        super().__init__(reader)
        self._os = os

    @fact
    def files(self) -> tuple[str, ...]:
        """Paths of all files that modprobe reads, in that order; what another directory masks is left out."""
        return effective_files({directory: tuple(self._names(directory)) for directory in DIRECTORIES})

    def _names(self, directory: str) -> Iterator[str]:
        """Names in one directory, from its listing. /etc has to have one: without it, nobody knows what is not there."""
        listing = self._listing(directory)
        if listing is None:
            for section in self.reader.under(directory):
                yield section.name.removeprefix(directory)
        elif listing.status is Status.OK:
            yield from filter(None, listing.text.split("\n"))
        elif listing.status is not Status.MISSING:
            raise Unobservable(directory, why_unread(listing))

    def _listing(self, directory: str) -> Section | None:
        try:
            return self.reader.section(directory)
        except Unobservable:
            if directory == DIRECTORIES[0] or self._is_incomplete:
                raise
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
        """A file that is listed and was not collected does not mention kvm: the probe leaves such files on the host."""
        try:
            section = self.reader.section(file)
        except Unobservable:
            if self._is_incomplete or not self._was_searched(file):
                raise
            return ""
        if section.status is Status.OK:
            return section.text
        raise Unobservable(file, why_unread(section))

    def _was_searched(self, file: str) -> bool:
        """Whether a file without a section was searched for kvm; records of older probes do not say, and are trusted."""
        searched = if_known(lambda: self.reader.section(SEARCHED))
        if searched is None or searched.status is Status.MISSING:
            return True
        return searched.status is Status.OK and file in searched.text.split("\n")

    @fact
    def options(self) -> tuple[ModuleOption, ...]:
        """Every parameter that is set, in the order in which it takes effect: the last one of a name wins."""
        return (*options_of(self.directives), *self._from_command_line())

    def _from_command_line(self) -> tuple[ModuleOption, ...]:
        options = options_of_command_line(self.read(COMMAND_LINE))
        return tuple(option for option in options if option.module.startswith("kvm"))

    def setting(self, module: str, name: str) -> ModuleOption | None:
        """What decides that parameter at the next load; None: surely nobody sets it, the module's default holds."""
        module, name = normalized(module), normalized(name)
        return self.reader.compute(self, f"setting.{module}.{name}", lambda _: self._setting(module, name))

    def _setting(self, module: str, name: str) -> ModuleOption | None:
        # The command line is looked at first: it wins over files, so it tells even where those cannot be read.
        for source in (self._from_command_line, lambda: self.options):
            found = [option for option in source() if (option.module, option.name) == (module, name)]
            if found:
                return found[-1]
        if not module.startswith("kvm"):
            raise Unobservable(DIRECTORIES[0], f"files that speak of {module} and not of kvm are not collected")
        return None

    def hidden_by(self, module: str) -> tuple[Directive, ...]:
        """Lines that keep the module from being loaded, or from being loaded this way: `install` and `blacklist`."""
        module = normalized(module)
        return self.reader.compute(self, f"hidden_by.{module}", lambda _: tuple(self._hiding(module)))

    def _hiding(self, module: str) -> Iterator[Directive]:
        for line in (*self.directives, *blacklist_of_command_line(self.read(COMMAND_LINE))):
            if line.module == module and line.command in {"install", "blacklist"}:
                yield line

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
