r"""The lines of modprobe.d(5) files as kmod reads them: pure parsers.

The rules are those of libkmod/libkmod-config.c (kmod_config_parse) and shared/util.c (freadline_wrapped, underscores). Text is
bytes decoded as Latin-1, one character a byte, for kmod and the kernel look at bytes: only the blank and the tab separate words.

>>> [str(line) for line in parse_directives("etc/modprobe.d/kvm.conf", "options kvm-intel \\\n nested=1\n")]
['options kvm_intel nested=1 (etc/modprobe.d/kvm.conf:1)']
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

_COMMANDS = frozenset({"alias", "options", "install", "remove", "blacklist", "softdep", "weakdep"})
_LINE = re.compile(r"[\t ]*(?P<command>[^\t ]+)[\t ]+(?P<module>[^\t ]+)(?:[\t ](?P<rest>.*))?", re.DOTALL)
_PIECES = re.compile(r"\\\n|\\.|\\\Z|\n|[^\\\n]+")
_END_OF_FILE = "\xff"
"""What kmod keeps of a backslash that ends the file: EOF, as a byte."""


@dataclass(frozen=True, slots=True)
class Directive:
    """One logical line of a configuration file: `options kvm_intel nested=1`."""

    command: str
    module: str
    """With `_` for `-` outside of brackets; `install`, `remove`, `softdep` and `alias` take a pattern of fnmatch(3)."""
    argument: str
    """What follows the module's name, without blanks around it."""
    file: str
    line: int
    """Of the first physical line, from 1."""

    def __str__(self) -> str:
        return f"{' '.join(filter(None, (self.command, self.module, self.argument)))} ({self.file}:{self.line})"

    def is_about(self, module: str) -> bool:
        """Whether the line's pattern matches the name of a module, which has `_` and not `-`."""
        return fnmatchcase(module, re.sub(r"\\(.)", r"[\1]", self.module.replace("[^", "[!")))


def normalized(module: str) -> str:
    """`kvm-intel` and `kvm_intel` are one module; /sys/module has the underscore."""
    return module.replace("-", "_")


def parse_directives(file: str, text: str) -> tuple[Directive, ...]:
    """Parse one file.

    A backslash at the end of a line continues it, and disappears before any other character. A line that begins with `#` is a
    comment; a `#` further on is not. Lines of other commands and incomplete lines are ignored.
    """
    found = (_directive(file, number, line) for number, line in _logical_lines(text))
    return tuple(directive for directive in found if directive)


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    first, number, kept = 1, 1, ""
    for piece in _PIECES.findall(text):
        number += piece.count("\n")
        if piece == "\n":
            yield first, kept
            first, kept = number, ""
        elif piece == "\\":
            kept += _END_OF_FILE
        elif piece != "\\\n":
            kept += piece.removeprefix("\\")
    yield first, kept


def _directive(file: str, number: int, line: str) -> Directive | None:
    line = line.partition("\0")[0]
    found = _LINE.fullmatch(line)
    if line.startswith("#") or found is None or found["command"] not in _COMMANDS:
        return None
    module, rest = _underscores(found["module"]), found["rest"]
    if module is None or (not rest and found["command"] != "blacklist"):
        return None
    return Directive(found["command"], module, (rest or "").strip("\t "), file, number)


def _underscores(name: str) -> str | None:
    """The name with `_` for `-`, except inside brackets; None if the brackets do not match, for then the line is ignored."""
    outside = re.sub(r"\[[^\]]*\]", "", name)
    if "[" in outside or "]" in outside:
        return None
    return re.sub(r"\[[^\]]*\]|-", lambda found: "_" if found[0] == "-" else found[0], name)
