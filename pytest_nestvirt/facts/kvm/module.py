"""Which module carries `nested` on x86, what kvm modules need, and how their boolean parameters read."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from pytest_nestvirt.observation.fact import Unobservable

ON = frozenset({"Y", "y", "1"})
OFF = frozenset({"N", "n", "0"})

_OF_VENDOR = {
    "intel": "kvm_intel",
    "zhaoxin": "kvm_intel",
    "centaur": "kvm_intel",
    "amd": "kvm_amd",
    "hygon": "kvm_amd",
}
_OF_FLAG = {"vmx": "kvm_intel", "svm": "kvm_amd"}

UPSTREAM_NEEDS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "kvm_intel": (("kvm",), ("irqbypass",)),
    "kvm_amd": (("kvm",), ("irqbypass", "ccp")),
    "kvm_hv": (("kvm",), ()),
    "kvm_pr": (("kvm",), ()),
}
"""The modules that a kvm module needs in every kernel, and those that it needs in some (`depends` of modinfo)."""

_OTHER = {"kvm_intel": "kvm_amd", "kvm_amd": "kvm_intel"}


@dataclass(frozen=True, slots=True)
class Needed:
    """The modules that another one needs."""

    surely: frozenset[str]
    perhaps: frozenset[str]
    """Those of some kernels; in others they are built in, or not needed."""


def reads_as_enabled(value: str, source: str) -> bool:
    """Y, y, 1: on. N, n, 0: off. Raises `Unobservable` for any other value.

    A boolean parameter prints Y or N, an integer one 1 or 0: that depends on the module, not on the kernel's age.
    """
    word = value.strip()
    if word in ON or word in OFF:
        return word in ON
    raise Unobservable(source, f"neither Y, y, 1 nor N, n, 0: {word[:40]!r}")


def choose_x86_module(vendor: str, flags: AbstractSet[str], loaded: AbstractSet[str]) -> str:
    """kvm_intel or kvm_amd, from the vendor (empty if masked), the processor's flags and the modules that are loaded.

    Flags and vendor of a guest's processor may be made up, and a module that is built in is there whatever the processor
    is, so no single sign is trusted against another. Raises `Unobservable` where they contradict each other.
    """
    by_flags, by_vendor = _module_of_flags(flags), _OF_VENDOR.get(vendor)
    expected = by_flags or by_vendor
    if expected is None:
        return _only_one(loaded)
    if _OTHER[expected] in loaded and expected not in loaded:
        raise Unobservable(
            f"sys/module/{_OTHER[expected]}",
            f"it is loaded, while the processor ({vendor or 'vendor not known'}) calls for {expected}",
        )
    return expected


def _module_of_flags(flags: AbstractSet[str]) -> str | None:
    modules = {module for flag, module in _OF_FLAG.items() if flag in flags}
    return modules.pop() if len(modules) == 1 else None


def _only_one(loaded: AbstractSet[str]) -> str:
    if len(loaded) == 1:
        return next(iter(loaded))
    which = " and ".join(sorted(loaded)) or "neither kvm_intel nor kvm_amd"
    raise Unobservable("proc/cpuinfo", f"neither vendor nor flags show which module is due, and {which} is loaded")
