"""Claim: what keeps a module out is known from lines that surely do, and a shell command is not guessed at."""

from __future__ import annotations

import pytest
from modprobe_sections import BUILT_IN, LOADED, NOTHING, files, modprobe

from pytest_nestvirt.facts.kvm.modprobe import Origin
from pytest_nestvirt.observation.fact import Unobservable
from pytest_nestvirt.snapshot.snapshot import Status


@pytest.mark.parametrize(
    "lines, command_line, expected",
    [
        ("install kvm_intel /bin/false", "", True),
        ("install kvm-intel /usr/bin/true", "", True),
        ("install kvm_intel /bin/false # hardening", "", True),
        ("install kvm /bin/false", "", True),  # kvm_intel needs it
        ("install kvm* /bin/false", "", True),
        ("install kvm[-_]intel /bin/false", "", True),
        ("install kv[^x]_intel /bin/false", "", True),
        ("install * /bin/true", "", True),
        ("install kvm_intel /bin/false\r", "", True),
        ("blacklist kvm_intel", "", True),
        ("blacklist kvm-intel", "", True),
        ("", "modprobe.blacklist=x,kvm_intel", True),
        ("", "module_blacklist=kvm_intel", True),
        ("", "module_blacklist=kvm", True),
        ("", "initcall_blacklist=vmx_init", True),
        ("install kvm_amd /bin/false", "", False),
        ("install kvm_intel_x /bin/false", "", False),
        ("install KVM_INTEL /bin/false", "", False),
        ("install kvm[ /bin/false", "", False),  # a bad line, which is ignored
        ("install kvm_intel", "", False),  # so is this
        ("install\u00a0kvm_intel /bin/false", "", False),
        ("remove kvm_intel /bin/false", "", False),
        ("softdep kvm_intel pre: x", "", False),
        ("blacklist kvm", "", False),  # as something that is needed it is loaded all the same
        ("blacklist kvm_intel\r", "", False),  # of another name
        ("blacklist kvm*", "", False),  # not a pattern
        ("", "modprobe.blacklist=kvm", False),
        ("", "modprobe.blacklist=kvm-intel", False),  # compared as it is written
        ("", "module_blacklist=kvm-intel", False),
        ("", "module_blacklist=kvm_intel module_blacklist=x", False),  # the last one holds
        ("", "rd.driver.blacklist=kvm_intel", False),
        ("", "initcall_blacklist=svm_init", False),
        ("install kvm_intel /sbin/modprobe --ignore-install kvm_intel nested=1 $CMDLINE_OPTS", "", None),
        ("install kvm /sbin/modprobe -i kvm && /sbin/modprobe vhost_net", "", None),
        ("install kvm_intel /bin/true; /sbin/modprobe -i kvm_intel", "", None),
        ("install kvm_intel /usr/local/bin/load-kvm", "", None),
        ("install kvm_intel /bin/true\ninstall kvm_intel /usr/local/bin/x", "", True),  # the first one holds
        ("install kvm_intel /usr/local/bin/x\nblacklist kvm_intel", "", True),
        ("install irqbypass /bin/false", "", None),  # whether it is built in is not known while kvm is not loaded
        ("alias kvm_intel off", "", None),
        ("alias cpu:type:* off", "", None),
        ("alias foo kvm_intel", "", False),
    ],
)
def test_what_keeps_kvm_intel_out(lines: str, command_line: str, expected: bool | None) -> None:
    """A replaced command that loads nothing, for it or what it needs; a blacklist; a skipped initcall. Shell is not read."""
    facts = modprobe(NOTHING, files(a=f"{lines}\n"), {"proc/cmdline": f"ro {command_line}\n"})
    if expected is None:
        with pytest.raises(Unobservable):
            facts.kept_out_by("kvm_intel")
    else:
        assert (facts.kept_out_by("kvm-intel") is not None) is expected


@pytest.mark.parametrize(
    "line, table, expected",
    [
        ("install irqbypass /bin/false", LOADED["proc/modules"], True),
        (
            "install irqbypass /bin/false",
            "kvm_intel 1 0 - Live 0x0\nkvm 1 1 kvm_intel, Live 0x0\n",
            False,
        ),  # it is built in
        ("install kvm /bin/false", "kvm_intel 1 0 - Live 0x0\n", False),
        ("install kvm /bin/false", "kvm_intel  1  0\nkvm  1  1 kvm_intel\n", True),  # as lsmod prints it
    ],
)
def test_what_a_loaded_module_needs_is_what_the_table_shows(line: str, table: str, expected: bool) -> None:
    """No `install` line stands in the way of what is built in."""
    facts = modprobe(NOTHING, files(a=f"{line}\n"), LOADED, {"proc/modules": table})
    assert (facts.kept_out_by("kvm_intel") is not None) is expected


def test_no_file_applies_to_what_is_built_in() -> None:
    """Its parameters are set by the kernel command line alone, up to `--`; nothing but a skipped initcall keeps it out."""
    hardened = files(
        a="options kvm_intel nested=1\ninstall kvm_intel /bin/false\nblacklist kvm_intel\ninstall kvm /bin/false\n"
    )
    facts = modprobe(NOTHING, hardened, BUILT_IN)
    assert facts.setting("kvm_intel", "nested") is None
    assert facts.origin("kvm_intel", "nested") is Origin.KERNEL_DEFAULT
    assert facts.kept_out_by("kvm_intel") is None
    for line, value in (("kvm-intel.nested=0", "0"), ("kvm_intel.nested", ""), ("-- kvm_intel.nested=0", None)):
        found = modprobe(NOTHING, hardened, BUILT_IN, {"proc/cmdline": f"ro {line}\n"}).setting("kvm_intel", "nested")
        assert (found.value if found else None) == value
    skipped = modprobe(NOTHING, hardened, BUILT_IN, {"proc/cmdline": "initcall_blacklist=vmx_init\n"})
    assert skipped.kept_out_by("kvm_intel") is not None


def test_whether_it_is_built_in_has_to_be_known_where_that_decides() -> None:
    """Lines of files count for a module and not for what is built in; where there is none, both are the same."""
    unknown = {**BUILT_IN, "proc/modules": Status.CUT}
    assert modprobe(NOTHING, unknown).setting("kvm_intel", "nested") is None
    assert modprobe(NOTHING, unknown).kept_out_by("kvm_intel") is None
    by_word = modprobe(NOTHING, unknown, {"proc/cmdline": "kvm_intel.nested=1\n"}).setting("kvm_intel", "nested")
    assert by_word is not None
    with pytest.raises(Unobservable):
        modprobe(NOTHING, unknown, files(a="options kvm_intel nested=1\n")).setting("kvm_intel", "nested")
    with pytest.raises(Unobservable):
        modprobe(NOTHING, unknown, files(a="blacklist kvm_intel\n")).kept_out_by("kvm_intel")
