"""Claim: files of real machines get the answers that were worked out for them by hand.

The files are not part of this project (some come under the GPL). Where NESTVIRT_CORPUS names a directory with
`machines/NAME/...` and a table `expected_public.csv` (machine, field, expected), every row of the table is held against
the facts.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from cpuinfo_texts import cpu_of, platform_of, reader
from real_files import CORPUS, needs, rows

from pytest_nestvirt.facts.kernel.cpuinfo import parse
from pytest_nestvirt.facts.kernel.kernel import Kernel
from pytest_nestvirt.facts.platform.platform import Platform
from pytest_nestvirt.facts.processor.capability import nested_capability
from pytest_nestvirt.facts.processor.cpu import Capable, Cpu
from pytest_nestvirt.observation.fact import Reader, Unobservable
from pytest_nestvirt.snapshot.snapshot import Section, Snapshot

TABLE = "expected_public.csv"
ROWS = [(row["machine"], row["field"], row["expected"]) for row in rows(TABLE)]
MACHINES = sorted({machine for machine, _, _ in ROWS})
needs_corpus = needs(TABLE)


def _platform(machine: str) -> Platform:
    root = CORPUS / "machines" / machine
    files = {str(file.relative_to(root)): file.read_bytes() for file in root.rglob("*") if file.is_file()}
    read = Reader(machine, 0, Snapshot({name: Section(name, data=data) for name, data in files.items()}))
    return Platform(read, kernel=Kernel(read), cpu=Cpu(read))


def _known(read: Callable[[], object], otherwise: str) -> str:
    try:
        return str(read())
    except Unobservable:
        return otherwise


def _flag(token: str, platform: Platform) -> str:
    family = _known(lambda: platform.kernel.family, "unknown")
    if family != ("s390x" if token == "sie" else "x86"):
        return "n/a"
    return "yes" if token in platform.cpu.flags else "no"


def _layer(platform: Platform) -> str:
    """One word for both what lies below and the partition, as the table has it."""
    substrate = _known(lambda: platform.substrate, "none")
    return substrate if substrate.endswith("-lpar") else _known(lambda: platform.virtualization, "unknown")


FIELDS: dict[str, Callable[[Platform], str]] = {
    "arch_family": lambda p: _known(lambda: p.kernel.family, "unknown"),
    "vendor": lambda p: _known(lambda: p.cpu.vendor, "").replace("ibm-z", "ibm-s390"),
    "power_version": lambda p: _known(lambda: p.cpu.power.generation, ""),
    "power_mode": lambda p: _known(lambda: p.cpu.power.mode, ""),
    "power_platform": lambda p: _known(lambda: p.cpu.power.platform, ""),
    "cpu_supports_nested": lambda p: p.cpu.nested.capable.value,
    "virt_layer": _layer,
    **{f"flag_{token}": partial(_flag, token) for token in ("vmx", "ept", "svm", "npt", "hypervisor", "sie")},
}
WORDS_OF_THE_TABLE = {"why", "ambiguous", "note", "layer_evidence"}
"""Notes of whoever made the table."""

ALSO_RIGHT = {
    "none-evident": {"none", "unknown"},
    "container": {"none", "unknown"},  # the recorded files hold nothing of the container
}

UNDECIDED = {("kvm-guest-novmx", "virt_layer", "unknown")}
"""Whoever made the table ran it with KVM; its flag and its DMI are also those of QEMU's emulation."""


@needs_corpus
@pytest.mark.parametrize("machine", MACHINES or ["(none)"])
def test_every_row_of_the_table_holds(machine: str) -> None:
    """Every field that is a fact has the value expected."""
    platform = _platform(machine)
    wrong = {}
    for _, name, expected in (
        row for row in ROWS if row[0] == machine and row[1] not in {*WORDS_OF_THE_TABLE, "is_virtual"}
    ):
        seen = FIELDS[name](platform)
        if seen not in ALSO_RIGHT.get(expected, {expected}) and (machine, name, seen) not in UNDECIDED:
            wrong[name] = (expected, seen)
    assert wrong == {}


@needs_corpus
@pytest.mark.parametrize("machine", MACHINES or ["(none)"])
def test_physical_does_not_contradict_the_table(machine: str) -> None:
    """A virtual machine is never called physical nor the other way round; unknown is allowed on weak evidence."""
    expected = {field: value for name, field, value in ROWS if name == machine}["is_virtual"]
    seen = _known(lambda: _platform(machine).physical, "unknown")
    assert seen in {"yes": {"False"}, "no": {"True", "unknown"}, "unknown": {"unknown"}}[expected]


@needs_corpus
@pytest.mark.parametrize("machine", MACHINES or ["(none)"])
def test_no_beginning_of_a_real_file_makes_a_yes(machine: str) -> None:
    """Where the whole /proc/cpuinfo is no yes, none of its beginnings is."""
    text = (CORPUS / "machines" / machine / "proc/cpuinfo").read_text()
    if nested_capability(parse(text)).capable is not Capable.YES:
        ends = {*range(min(len(text), 2500)), *range(0, len(text), 97)}
        assert Capable.YES not in {nested_capability(parse(text[:end])).capable for end in ends}


def test_helpers_of_this_test_can_fail() -> None:
    """The comparison is worth something: a machine with other facts gives other words."""
    assert _layer(platform_of("")) == "unknown"
    assert _flag("vmx", platform_of("processor : 0\nflags : fpu vmx\n")) == "yes"
    assert _flag("vmx", platform_of("processor : 0\nflags : fpu\n")) == "no"
    assert cpu_of(None).nested.capable is Capable.UNKNOWN
    assert _known(lambda: Kernel(reader()).family, "unknown") == "unknown"
