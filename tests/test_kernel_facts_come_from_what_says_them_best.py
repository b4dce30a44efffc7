"""Claim: facts on the kernel come from the file that says them best among those that were read."""

from __future__ import annotations

import pytest
from cpuinfo_texts import ARM, PLAIN, RISCV, power, reader, x86, z
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_nestvirt.facts.kernel.kernel import Kernel
from pytest_nestvirt.observation.fact import Unobservable
from pytest_nestvirt.snapshot.snapshot import Status

UNAME = "sos_commands/kernel/uname_-a"
LSCPU = "sos_commands/processor/lscpu"

UNAMES = {
    "Linux rhel 4.18.0-193.el8.x86_64 #1 SMP Fri Mar 27 14:35:58 UTC 2020 x86_64 x86_64 x86_64 GNU/Linux": (
        "x86_64",
        "x86",
    ),
    "Linux x86_64 6.1.0-13-s390x #1 SMP Debian 6.1.55-1 (2023-09-29) s390x GNU/Linux": ("s390x", "s390x"),
    "Linux p9 4.14.0-115.8.1.el7a.ppc64le #1 SMP Thu 2019 ppc64le ppc64le ppc64le GNU/Linux": ("ppc64le", "ppc"),
    "Linux old 2.6.18-400.el5PAE #1 SMP Thu Dec 18 2014 i686 i686 i386 GNU/Linux": ("i686", "x86"),
    "Linux box 5.15.0 #1 SMP 2022 x86_64 Intel(R) Core(TM) i7 CPU GenuineIntel GNU/Linux": ("x86_64", "x86"),
    "Linux busy 6.6.0 #1 SMP aarch64 GNU/Linux": ("aarch64", "arm"),
    "Linux pi 4.9.0-v7+ #1 SMP armv7l GNU/Linux": ("armv7l", "arm"),
    "Linux loong 6.8.0 #1 SMP loongarch64 GNU/Linux": ("loongarch64", "loongarch"),
}


@pytest.mark.parametrize("line", UNAMES)
def test_uname_comes_first(line: str) -> None:
    """The machine name of `uname -a`, not the host's name and not another file's word."""
    kernel = Kernel(reader({UNAME: f"{line}\n", LSCPU: "Architecture: riscv64\n"}, cpuinfo=RISCV))
    assert (kernel.architecture, kernel.family) == UNAMES[line]


SHAPES = {
    "x86_64": x86(PLAIN),
    "i686": x86("fpu vme pse"),
    "ppc64": power(),
    "ppc": power("7447A, altivec supported", "8003 0101", platform="PowerMac"),
    "s390x": z(),
    "aarch64": ARM,
    "armv7l": "Processor\t: ARMv7 Processor rev 4 (v7l)\nFeatures\t: swp half thumb\nCPU architecture: 7\n",
    "riscv64": RISCV,
}


@pytest.mark.parametrize("architecture", SHAPES)
def test_the_shape_of_cpuinfo_comes_last(architecture: str) -> None:
    """Without any name the text itself tells; the byte order of POWER it cannot tell."""
    assert Kernel(reader(cpuinfo=SHAPES[architecture])).architecture == architecture


def test_lscpu_and_the_release_come_between() -> None:
    """The architecture is named by lscpu, and by the ends of most distributions' releases."""
    assert Kernel(reader({LSCPU: "Architecture:        ppc64le\n"}, cpuinfo=power())).architecture == "ppc64le"
    for release, architecture in {"4.18.0-80.el8.ppc64le+debug": "ppc64le", "6.1.0-13-amd64": "x86_64"}.items():
        assert Kernel(reader({"proc/sys/kernel/osrelease": f"{release}\n"})).architecture == architecture
    version = {"proc/version": "Linux version 4.18.0-193.el8.s390x (mockbuild@s390-064) #1 SMP\n"}
    assert Kernel(reader(version)).architecture == "s390x"


def test_an_unknown_architecture_is_unknown() -> None:
    """Neither a default nor the word `unknown`."""
    for sections in ({}, {"proc/cpuinfo": ""}, {"proc/cpuinfo": Status.DENIED}, {UNAME: "FreeBSD h 13.2 z80\n"}):
        kernel = Kernel(reader(sections))
        with pytest.raises(Unobservable):
            _ = kernel.architecture
        with pytest.raises(Unobservable):
            _ = kernel.family


def test_release_and_version() -> None:
    """The release is text, the version numbers; 8.10 and the like never become a float."""
    for sections in (
        {"proc/sys/kernel/osrelease": "4.18.0-193.10.el8.x86_64\n"},
        {UNAME: "Linux h 4.18.0-193.10.el8.x86_64 #1 SMP x86_64 GNU/Linux\n"},
        {"proc/version": "Linux version 4.18.0-193.10.el8.x86_64 (gcc) #1\n"},
    ):
        kernel = Kernel(reader(sections))
        assert (kernel.release, kernel.version) == ("4.18.0-193.10.el8.x86_64", (4, 18, 0))


@pytest.mark.parametrize("name", ["release", "version", "command_line", "log", "boot_id"])
def test_what_was_not_read_is_unknown(name: str) -> None:
    """Nothing read, nothing known; a refused kernel log is not an empty one."""
    with pytest.raises(Unobservable):
        getattr(Kernel(reader({"sos_commands/kernel/dmesg": Status.DENIED})), name)


def test_command_line_keeps_quoted_blanks() -> None:
    """The kernel reads a quoted value as one word."""
    text = 'BOOT_IMAGE=/vmlinuz ro kvm-intel.nested=1 dyndbg="file a +p; file b +p" quiet\n'
    words = Kernel(reader({"proc/cmdline": text})).command_line
    assert words == ("BOOT_IMAGE=/vmlinuz", "ro", "kvm-intel.nested=1", 'dyndbg="file a +p; file b +p"', "quiet")


@given(st.text(st.characters(exclude_characters='"', exclude_categories=["Cs"]), max_size=60))
@settings(max_examples=60, deadline=None)
def test_command_line_without_quotes_is_split_at_blanks(text: str) -> None:
    """Nothing is lost and nothing is invented."""
    assert Kernel(reader({"proc/cmdline": text})).command_line == tuple(text.split())


def test_log_has_the_lines_on_virtualization() -> None:
    """Of a whole kernel log those lines stay that concern virtualization, in order and unchanged."""
    text = "[0] Linux version\n[1] DMAR: IOMMU enabled\n[2] usb 1-1: new device\n[3] kvm: disabled by bios\n"
    assert Kernel(reader({"sos_commands/kernel/dmesg": text})).log == (
        "[1] DMAR: IOMMU enabled",
        "[3] kvm: disabled by bios",
    )


def test_boot_id() -> None:
    """A UUID, or nothing."""
    name = "proc/sys/kernel/random/boot_id"
    uuid = "5a0fc1f7-3f2a-4e7a-9f1e-0123456789ab"
    assert Kernel(reader({name: f"{uuid}\n"})).boot_id == uuid
    with pytest.raises(Unobservable):
        _ = Kernel(reader({name: "<html>\n"})).boot_id
