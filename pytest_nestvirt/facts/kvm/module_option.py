"""Parameters of modules as configuration writes them and the kernel parses them.

The kernel's rules are in lib/cmdline.c (next_arg), kernel/params.c (parse_args, param_set_bool, param_set_int) and lib/kstrtox.c.
Text is bytes decoded as Latin-1.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from pytest_nestvirt.facts.kvm.modprobe_lines import Directive, normalized
from pytest_nestvirt.observation.fact import Unobservable
from pytest_nestvirt.observation.unknown import first_finding

KERNEL_SPACE = "\t\n\v\f\r \xa0"
"""isspace() of the kernel (lib/ctype.c), for which the second byte of a UTF-8 no-break space is a space, too."""

_INT_LIMIT = 1 << 31


class ParameterType(StrEnum):
    """Types of module parameters, as `modinfo -p` names them."""

    BOOL = "bool"
    INT = "int"


_TYPES: Mapping[tuple[str, str], ParameterType] = {
    ("kvm_intel", "nested"): ParameterType.BOOL,
    ("kvm_intel", "ept"): ParameterType.BOOL,
    ("kvm_intel", "vpid"): ParameterType.BOOL,
    ("kvm_intel", "unrestricted_guest"): ParameterType.BOOL,
    ("kvm_intel", "enable_shadow_vmcs"): ParameterType.BOOL,
    ("kvm_amd", "nested"): ParameterType.INT,
    ("kvm_amd", "npt"): ParameterType.BOOL,
    ("kvm_hv", "nested"): ParameterType.BOOL,
    ("kvm", "nested"): ParameterType.INT,
    ("kvm", "hpage"): ParameterType.INT,
}
"""From module_param() in arch/x86/kvm/vmx/vmx.c, svm/svm.c, arch/powerpc/kvm/book3s_hv.c, arch/s390/kvm/kvm-s390.c."""

_IBM_Z_ONLY = frozenset({("kvm", "nested"), ("kvm", "hpage")})
"""Elsewhere kvm has no such parameter, and the kernel ignores it whatever its value."""


def printed_type(module: str, name: str, printed: str) -> ParameterType | None:
    """The type that the printed value of a loaded module shows: param_get_bool prints Y or N, param_get_int digits.

    None for parameters whose type is not known here, since some print as they please (`nx_huge_pages`).
    """
    if (module, name) not in _TYPES:
        return None
    if printed in {"Y", "N"}:
        return ParameterType.BOOL
    return ParameterType.INT if re.fullmatch(r"-?[0-9]+", printed) else None


@dataclass(frozen=True, slots=True)
class ModuleOption:
    """One parameter that a configuration sets."""

    module: str
    name: str
    value: str
    """Without quotes; empty for `name=` and for a bare `name`."""
    file: str
    """Where it is written: `etc/modprobe.d/kvm.conf`, or `proc/cmdline`."""
    line: int
    bare: bool = False
    """Whether it has no `=`: that switches a boolean on."""
    printed: ParameterType | None = None
    """The type that the loaded module shows; None where it shows none."""

    def __str__(self) -> str:
        written = self.name if self.bare else f"{self.name}={self.value}"
        return f"{self.module} {written} ({self.file}:{self.line})"

    @property
    def type(self) -> ParameterType | None:
        """As the loaded module shows it, else as upstream kernels declare it; None if it is not known here."""
        return self.printed or _TYPES.get((self.module, self.name))

    def valid_for(self, kind: ParameterType) -> bool:
        """Whether the kernel accepts the value for a parameter of that type; if not, the module fails to load.

        `Unobservable` for words that only newer kernels accept.
        """
        if kind is ParameterType.INT:
            return _as_int(self.value) is not None and not self.bare
        if self.value[:1].lower() in {"t", "f", "e", "d"}:
            # `true`, `false`, `enable` and `disable` came in with recent kernels, one pair at a time.
            raise Unobservable(self.file, f"{self}: whether the kernel accepts that word depends on its version")
        return self.bare or _as_bool(self.value) is not None

    @property
    def enabled(self) -> bool:
        """What a boolean parameter, or an integer one used as such, is going to be. `Unobservable` if it is neither."""
        if self.bare:
            return True
        number, truth = _as_int(self.value), _as_bool(self.value)
        if number is not None and (self.type is ParameterType.INT or truth is None):
            return number != 0
        if truth is not None:
            return truth
        raise Unobservable(self.file, f"{self} is not a boolean that the kernel accepts")


def _as_int(value: str) -> int | None:
    """As kstrtoint() reads it: decimal, `0x` hexadecimal, a leading 0 octal; None if it is not a number that fits."""
    if not re.fullmatch(r"[+-]?(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)\n?", value):
        return None
    number = int(re.sub(r"^([+-]?)0(?=[0-7])", r"\g<1>0o", value), 0)
    return number if -_INT_LIMIT <= number < _INT_LIMIT else None


def _as_bool(value: str) -> bool | None:
    """As kstrtobool() has always done: it looks at the first letter, and at the second one of `on` and `off`."""
    if value[:1] in {"y", "Y", "1"} or value[:2].lower() == "on":
        return True
    if value[:1] in {"n", "N", "0"} or value[:2].lower() == "of":
        return False
    return None


def rejected_by_kernel(option: ModuleOption) -> str:
    """Why the module will refuse to load with this option; empty where it will not, or where its type is not known here.

    The classic: `options kvm-amd nested=Y`, which is right for kvm_intel, is not a number.
    """
    kind = option.type
    if kind is None or option.valid_for(kind):
        return ""
    return f"{option}: the parameter is of type {kind}, so the module refuses to load (Invalid argument)"


def first_rejected(options: Iterable[ModuleOption], *, ibm_z: bool) -> str:
    """Why a module refuses to load with these options: a single one that the kernel rejects is enough, wherever it is.

    `Unobservable` where none is surely rejected and one may be.
    """
    parsed = [option for option in options if ibm_z or (option.module, option.name) not in _IBM_Z_ONLY]
    return first_finding(*(partial(rejected_by_kernel, option) for option in parsed))


def split_parameters(text: str, *, space: str = KERNEL_SPACE, end: str = "--") -> tuple[tuple[str, str | None], ...]:
    """Names and values of `a=1 b="two words" c`, up to the end or to the word `end`; None for a value that is not there.

    Quotes keep blanks together, wherever they are in a word; those around a word or a value are dropped. In names, `-` and `_`
    are one letter.
    """
    found = []
    rest = text.lstrip(space)
    while rest:
        word, rest = _next_word(rest, space)
        if word == end:
            break
        found.append(_parameter(word))
    return tuple(found)


def _next_word(text: str, space: str) -> tuple[str, str]:
    quoted = False
    for place, letter in enumerate(text):
        if letter == '"':
            quoted = not quoted
        elif letter in space and not quoted:
            return text[:place], text[place:].lstrip(space)
    return text, ""


def _parameter(word: str) -> tuple[str, str | None]:
    if word.startswith('"'):
        word = word[1:].removesuffix('"')
    equals = word.find("=", 1)
    if equals < 0:
        return normalized(word), None
    name, value = word[:equals], word[equals + 1 :]
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
