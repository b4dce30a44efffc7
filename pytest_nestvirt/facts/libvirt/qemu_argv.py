"""QEMU's command line: a pure parser of what decides about acceleration and nesting (qemu(1), system/vl.c)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pytest_nestvirt.observation.fact import Unobservable

ON = frozenset({"on", "yes", "true", "y"})
OFF = frozenset({"off", "no", "false", "n"})
"""What QEMU reads as a boolean (qapi_bool_parse)."""

_SHORT = {"M": "machine"}
_WITH_FREE_VALUE = frozenset(
    {"machine", "accel", "cpu", "global", "name", "readconfig", "append", "uuid", "fw_cfg", "smbios"}
)
"""Options that are read here, and those whose value is free text: it may look like an option and is not one."""
_SHORT_FOR = {"enable-kvm": "kvm", "no-kvm": "tcg"}
_HIDING = frozenset(
    {"-kvm", "kvm=off", "kvm=no", "kvm=false", "-hypervisor", "hypervisor=off", "hypervisor=no", "hypervisor=false"}
)
"""Parts of -cpu that keep the CPUID signature or the flag `hypervisor` from the guest."""
_MAKER = frozenset({"manufacturer", "product"})


@dataclass(frozen=True, slots=True)
class QemuProcess:
    """One running QEMU."""

    pid: int
    argv: tuple[str, ...]

    @property
    def name(self) -> str:
        """The guest's name: `guest=` of -name, or what -name begins with; empty if it was given none."""
        options = self._merged("name", first="guest")
        return options.get("guest", "")

    @property
    def machine_options(self) -> Mapping[str, str]:
        """What -machine sets, all of them merged, the last of a key wins: `type`, `accel`, `cap-nested-hv`, ..."""
        return self._merged("machine", first="type")

    def switch(self, option: str) -> bool | None:
        """A boolean of -machine, such as `cap-nested-hv`; None where it is not set.

        The words are those of qapi_bool_parse; up to QEMU 6.0 `option` alone was on, and `nooption` off. `Unobservable` for a
        value with which QEMU does not start.
        """
        setting = self.machine_options.get(option)
        if setting is None:
            return False if f"no{option}" in self.machine_options else None
        if setting.lower() not in {"", *ON, *OFF}:
            raise Unobservable(f"nestvirt/qemu/{self.pid}", f"QEMU does not start with {option}={setting[:20]}")
        return setting.lower() not in OFF

    @property
    def accel(self) -> str:
        """The accelerator it runs with: kvm, tcg, xen, ... `Unobservable` where it is one of several, or not known at all."""
        possible = self.accelerators
        if len(possible) > 1:
            raise Unobservable(self.source, f"QEMU was left the choice between {', '.join(possible)}")
        return possible[0]

    @property
    def source(self) -> str:
        """The section that it was read from."""
        return f"nestvirt/qemu/{self.pid}"

    @property
    def accelerators(self) -> tuple[str, ...]:
        """The accelerators that it may run with: QEMU takes the first of them that works, and emulation always does.

        Without an option the default is `tcg`, but `kvm` before it for a binary whose name ends in `kvm` (system/vl.c,
        configure_accelerators). `Unobservable` where the default is that of another program, or in a file of -readconfig.
        """
        offered = tuple(dict.fromkeys(self.requested_accelerators))
        if offered:
            return offered[: offered.index("tcg") + 1] if "tcg" in offered else offered
        binary = self.argv[0].rpartition("/")[2] if self.argv else ""
        if binary.endswith("kvm") and not any(self._values("readconfig")):
            return ("kvm", "tcg")
        if not binary.startswith("qemu-system-") or any(self._values("readconfig")):
            raise Unobservable(
                self.source, f"{binary or 'no command line'}: no accelerator is given, its default is not known"
            )
        return ("tcg",)

    @property
    def requested_accelerators(self) -> tuple[str, ...]:
        """What its options ask for, in order; empty where none does.

        -enable-kvm is short for `-machine accel=kvm`, of which the last one holds; QEMU refuses to start with both -accel and
        an accelerator of -machine.
        """
        by_machine: list[str] = []
        for option, value in self._options():
            if option == "machine" and "accel" in (options := split_options(value, "type")):
                by_machine = list(filter(None, options["accel"].split(":")))
            elif option in _SHORT_FOR:
                by_machine = [_SHORT_FOR[option]]
        named = [_first(value, "accel") for value in self._values("accel")]
        return (*filter(None, named), *by_machine)

    @property
    def uuid(self) -> str:
        """The UUID that its firmware shows: of -uuid or -smbios type=1, the last one; empty where none is given."""
        found = ""
        for option, value in self._options():
            if option == "uuid":
                found = value
            elif option == "smbios" and (options := split_options(value, "type")).get("type") == "1":
                found = options.get("uuid", found)
        return found

    @property
    def disguise(self) -> tuple[str, ...]:
        """The options by which the guest does not see what runs it, or sees another maker: `kvm=off`, `-hypervisor`, ..."""
        switched = [part for value in self._values("cpu") for part in value.split(",") if part in _HIDING]
        makers = [
            f"-smbios {value}"
            for value in self._values("smbios")
            if (options := split_options(value, "type")).get("type") == "1" and _MAKER & options.keys()
        ]
        return (*switched, *makers)

    def values(self, option: str) -> tuple[str, ...]:
        """Return what follows each occurrence of an option: `values("cpu")` is ("host,migratable=on",)."""
        return tuple(self._values(option))

    def _values(self, option: str) -> Iterator[str]:
        return (value for name, value in self._options() if name == option)

    def _options(self) -> Iterator[tuple[str, str]]:
        """Each option with its value, empty for those whose values do not matter here."""
        words = iter(self.argv[1:])
        for word in words:
            option = _option(word)
            yield option, next(words, "") if option in _WITH_FREE_VALUE else ""

    def _merged(self, option: str, first: str) -> dict[str, str]:
        merged: dict[str, str] = {}
        for value in self._values(option):
            merged.update(split_options(value, first))
        return merged

    @property
    def power8_compat(self) -> bool:
        """Whether it was started in POWER8 compatibility mode: `max-cpu-compat=power8`, or `-cpu host,compat=power8`."""
        by_machine = self.machine_options.get("max-cpu-compat", "").lower() == "power8"
        by_model = any(value.lower().startswith("power8") for value in self._values("cpu"))
        options = (split_options(value, "model") for value in self._values("cpu"))
        return by_machine or by_model or any(found.get("compat", "").lower() == "power8" for found in options)


def _option(word: str) -> str:
    """`machine` for -machine, --machine and -M; empty for a word that is not an option."""
    if not word.startswith("-"):
        return ""
    name = word.removeprefix("-").removeprefix("-")
    return _SHORT.get(name, name)


def _first(value: str, key: str) -> str:
    return split_options(value, key).get(key, "")


def split_options(value: str, first: str) -> dict[str, str]:
    """`host,migratable=on,+vmx` as {first: "host", "migratable": "on", "+vmx": ""}; `,,` is a comma inside a value."""
    parts = [part.replace("\0", ",") for part in value.replace(",,", "\0").split(",")]
    found: dict[str, str] = {}
    for place, part in enumerate(parts):
        key, equals, text = part.partition("=")
        if place == 0 and not equals:
            key, text = first, part
        found[key] = text
    return found


def parse_argv(pid: int, text: str) -> QemuProcess:
    """One argument a line."""
    lines = text.removesuffix("\n").split("\n") if text.strip("\n") else []
    return QemuProcess(pid, tuple(lines))
