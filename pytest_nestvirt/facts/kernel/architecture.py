"""Names of processor architectures as kernels print them, and the families they belong to."""

from __future__ import annotations

import re
from enum import StrEnum


class Family(StrEnum):
    """Architectures that share a shape of /proc/cpuinfo."""

    X86 = "x86"
    PPC = "ppc"
    S390X = "s390x"
    ARM = "arm"
    RISCV = "riscv"
    LOONGARCH = "loongarch"
    IA64 = "ia64"
    MIPS = "mips"
    SPARC = "sparc"
    ALPHA = "alpha"
    PARISC = "parisc"
    M68K = "m68k"
    SUPERH = "sh"
    UNKNOWN = "unknown"


_FAMILIES = (
    (Family.X86, r"x86_64|i[3-6]86"),
    (Family.PPC, r"ppc|ppc64|ppc64le"),
    (Family.S390X, r"s390|s390x"),
    (Family.ARM, r"aarch64|aarch64_be|armv\d\w*|armeb"),
    (Family.RISCV, r"riscv32|riscv64"),
    (Family.LOONGARCH, r"loongarch32|loongarch64"),
    (Family.IA64, r"ia64"),
    (Family.MIPS, r"mips|mips64"),
    (Family.SPARC, r"sparc|sparc64"),
    (Family.ALPHA, r"alpha"),
    (Family.PARISC, r"parisc|parisc64"),
    (Family.M68K, r"m68k"),
    (Family.SUPERH, r"sh[2-4]\w*"),
)

_OTHER_NAMES = {"amd64": "x86_64", "arm64": "aarch64", "x86": "i686", "powerpc64le": "ppc64le", "ppc64el": "ppc64le"}
"""What distributions and Windows call them where `uname -m` prints another name."""


def family_of(architecture: str) -> Family:
    """The family of a machine name as `uname -m` prints it; `Family.UNKNOWN` for any other word."""
    for family, names in _FAMILIES:
        if re.fullmatch(names, architecture):
            return family
    return Family.UNKNOWN


def machine_name(word: str) -> str | None:
    """The name `uname -m` has for this word (`amd64` is `x86_64`); None if it names no architecture known here."""
    name = _OTHER_NAMES.get(word.lower(), word)
    return name if family_of(name) is not Family.UNKNOWN else None
