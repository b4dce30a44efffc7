"""modprobe's configuration: pure parsers of modprobe.d(5) files and of the kernel command line.

The rules are those of kmod (libkmod/libkmod-config.c) and, for what stands behind the module's name, of the kernel itself
(lib/cmdline.c: next_arg, kernel/params.c).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from pytest_nestvirt.observation.fact import Unobservable

COMMAND_LINE = "proc/cmdline"

DIRECTORIES = (
    "etc/modprobe.d/",
    "run/modprobe.d/",
    "usr/local/lib/modprobe.d/",
    "usr/lib/modprobe.d/",
    "lib/modprobe.d/",
)
"""In order of precedence: a file of one directory hides files of the same name in those behind it."""

ADMINISTRATOR_DIRECTORIES = DIRECTORIES[:3]

_COMMANDS = frozenset({"options", "install", "remove", "blacklist", "softdep", "weakdep"})
_BLACKLISTS = frozenset({"modprobe.blacklist", "module_blacklist"})
_WORD = re.compile(r'(?:"[^"]*(?:"|$)|[^\s"])+')


class Origin(StrEnum):
    """Who decided the value that a module is going to be loaded with."""

    KERNEL_DEFAULT = "kernel-default"
    DISTRIBUTION = "distribution"
    ADMINISTRATOR = "administrator"
    COMMAND_LINE = "command-line"


class ParameterType(StrEnum):
    """Types of module parameters, as `modinfo -p` names them."""

    BOOL = "bool"
    INT = "int"


_TYPES: Mapping[tuple[str, str], ParameterType] = {
    ("kvm_intel", "nested"): ParameterType.BOOL,
    ("kvm_amd", "nested"): ParameterType.INT,
    ("kvm_hv", "nested"): ParameterType.BOOL,
    ("kvm", "nested"): ParameterType.INT,
    ("kvm", "hpage"): ParameterType.INT,
}
"""From module_param() in arch/x86/kvm/vmx/vmx.c, svm/svm.c, arch/powerpc/kvm/book3s_hv.c, arch/s390/kvm/kvm-s390.c."""


@dataclass(frozen=True, slots=True)
class Directive:
    """One logical line of a configuration file: `options kvm_intel nested=1`."""

    command: str
    module: str
    """With `_` for `-`, as /sys/module has it."""
    argument: str
    """What follows the module's name, as it stands there."""
    file: str
    line: int
    """Of the first physical line, from 1."""


@dataclass(frozen=True, slots=True)
class ModuleOption:
    """One parameter that a configuration sets."""

    module: str
    name: str
    value: str
    """Without quotes; empty for `name=` and for a bare `name`."""
    file: str
    """Where it stands: `etc/modprobe.d/kvm.conf`, or `proc/cmdline`."""
    line: int
    bare: bool = False
    """Whether it has no `=`: that switches a boolean on."""

    def __str__(self) -> str:
        written = self.name if self.bare else f"{self.name}={self.value}"
        return f"{self.module} {written} ({self.file}:{self.line})"

    def valid_for(self, kind: ParameterType) -> bool:
        """Whether the kernel accepts the value for a parameter of that type; if not, the module fails to load.

        `Unobservable` for words that only newer kernels take.
        """
        if kind is ParameterType.INT:
            return (
                not self.bare and re.fullmatch(r"[+-]?(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)", self.value) is not None
            )
        if self.value[:1].lower() in {"t", "f", "e", "d"}:
            # `true`, `false`, `enable` and `disable` came in with recent kernels, one pair at a time.
            raise Unobservable(self.file, f"{self}: whether the kernel takes that word depends on its version")
        return self.bare or _as_bool(self.value) is not None

    @property
    def enabled(self) -> bool:
        """What a boolean parameter, or an integer one used as such, is going to be. `Unobservable` if it is neither."""
        if self.bare:
            return True
        number = self._number()
        if number is not None and self._type is ParameterType.INT:
            return number != 0
        known = _as_bool(self.value)
        if known is not None:
            return known
        if number is not None:
            return number != 0
        raise Unobservable(self.file, f"{self} switches nothing on or off that the kernel would understand")

    @property
    def _type(self) -> ParameterType | None:
        return _TYPES.get((self.module, self.name))

    def _number(self) -> int | None:
        """As the kernel reads an integer: decimal, `0x` hexadecimal, a leading 0 octal; None if it is none."""
        if not self.valid_for(ParameterType.INT):
            return None
        return int(re.sub(r"^([+-]?)0(?=[0-7])", r"\g<1>0o", self.value), 0)


def _as_bool(value: str) -> bool | None:
    """As kstrtobool() has always done: it looks at the first letter, and at the second one of `on` and `off`."""
    if value[:1] in {"y", "Y", "1"} or value[:2].lower() == "on":
        return True
    if value[:1] in {"n", "N", "0"} or value[:2].lower() == "of":
        return False
    return None


def rejected_by_kernel(option: ModuleOption) -> str:
    """Why the module will refuse to load with this option; empty where it will not, or where its type is not known here.

    The classic: `options kvm-amd nested=Y`, which is right for kvm_intel, is no number.
    """
    kind = _TYPES.get((option.module, option.name))
    if kind is None or option.valid_for(kind):
        return ""
    return f"{option}: the parameter is of type {kind}, so the module refuses to load (Invalid argument)"


def normalized(module: str) -> str:
    """`kvm-intel` and `kvm_intel` are one module; /sys/module has the underscore."""
    return module.replace("-", "_")


def parse_directives(file: str, text: str) -> tuple[Directive, ...]:
    r"""Parse one file: `options MODULE name=value...`, `install`, `remove`, `blacklist`, `softdep`, `weakdep`.

    A backslash at the end of a line continues it. A line that begins with `#` is a comment; a `#` further on is not.
    Lines of other commands and lines that are incomplete are passed over, as kmod does.
    """
    found = (_directive(file, number, line) for number, line in _logical_lines(text))
    return tuple(directive for directive in found if directive)


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    first, kept = 1, ""
    for number, line in enumerate(text.split("\n"), start=1):
        if line.endswith("\\"):
            kept += line[:-1]
            continue
        yield first, kept + line
        first, kept = number + 1, ""
    yield first, kept


def _directive(file: str, number: int, line: str) -> Directive | None:
    words = line.split(None, 2)
    if line.startswith("#") or len(words) < 2 or words[0] not in _COMMANDS:  # noqa: PLR2004 - command and module
        return None
    return Directive(words[0], normalized(words[1]), "".join(words[2:]).strip(), file, number)


def split_parameters(text: str) -> tuple[tuple[str, str | None], ...]:
    """Names and values of `a=1 b="two words" c`; None for a value that is not there.

    Quotes keep blanks together, wherever they stand in a word; those around a word or a value are dropped. In names, `-`
    and `_` are one letter.
    """
    return tuple(_parameter(word) for word in _WORD.findall(text))


def _parameter(word: str) -> tuple[str, str | None]:
    quoted = word.startswith('"')
    if quoted:
        word = word[1:].removesuffix('"')
    name, equals, value = word.partition("=")
    if not equals:
        return normalized(name), None
    if value.startswith('"'):
        value = value[1:].removesuffix('"')
    return normalized(name), value


def options_of(directives: Iterable[Directive]) -> Iterator[ModuleOption]:
    """The parameters that `options` lines set, in order."""
    for directive in directives:
        if directive.command == "options":
            for name, value in split_parameters(directive.argument):
                yield ModuleOption(
                    directive.module, name, value or "", directive.file, directive.line, bare=value is None
                )


def options_of_command_line(text: str) -> Iterator[ModuleOption]:
    """What `kvm-intel.nested=1` on the kernel command line sets: it comes last, and is all there is for what is built in."""
    for name, value in split_parameters(text):
        module, _, parameter = name.partition(".")
        if module and parameter and name not in _BLACKLISTS:
            yield ModuleOption(module, parameter, value or "", COMMAND_LINE, 1, bare=value is None)


def blacklist_of_command_line(text: str) -> Iterator[Directive]:
    """Modules that `modprobe.blacklist=a,b` or `module_blacklist=a,b` names on the kernel command line."""
    for name, value in split_parameters(text):
        if name in _BLACKLISTS:
            for word in filter(None, (value or "").split(",")):
                yield Directive("blacklist", normalized(word), "", COMMAND_LINE, 1)


def effective_files(listings: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    """Paths of the files that count, in the order they are read: by name, whatever the directory.

    `listings` has the names in each of `DIRECTORIES`. A file masks those of its name in directories of lower precedence,
    whatever it says itself (an empty one is the documented way to switch one off).
    """
    place: dict[str, str] = {}
    for directory in DIRECTORIES:
        for name in listings.get(directory, ()):
            if name.endswith(".conf") and not name.startswith("."):
                place.setdefault(name, directory)
    return tuple(place[name] + name for name in sorted(place, key=lambda name: name.encode("utf-8", "surrogateescape")))


_SINCE_ON = {"kvm_intel": (4, 20), "kvm_amd": (2, 6, 32), "kvm_hv": (4, 20)}


def expected_default(module: str, kernel_version: tuple[int, ...], release: str = "") -> bool | None:
    """What `nested` is where nobody sets it; None where that cannot be told from the version.

    kvm_intel: on since 4.20 (commit 1e58e5e59148); kvm_amd: on since 2009; kvm_hv: on since it has the parameter;
    kvm on IBM Z: off. Enterprise kernels (`.el8` in the release) take such changes over without the version showing it.
    """
    if module == "kvm":
        return False
    since = _SINCE_ON.get(module)
    if since is None:
        return None
    if kernel_version >= since:
        return True
    return None if module == "kvm_hv" or ".el" in release else False
