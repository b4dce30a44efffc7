"""Claim: the configuration is read as modprobe reads it, and `None` means that surely no line sets the parameter."""

from __future__ import annotations

import pytest
from machine_sections import Sections
from modprobe_sections import NOTHING, files, modprobe

from pytest_nestvirt.derived.nested_default import upstream_default
from pytest_nestvirt.facts.kvm.modprobe import Origin
from pytest_nestvirt.facts.kvm.modprobe_files import DIRECTORIES, effective_files
from pytest_nestvirt.facts.kvm.modprobe_lines import parse_directives
from pytest_nestvirt.facts.kvm.module_option import (
    ModuleOption,
)
from pytest_nestvirt.observation.fact import Unobservable
from pytest_nestvirt.snapshot.sections import SEARCHED
from pytest_nestvirt.snapshot.snapshot import Status

UBUNTU = 'ID=ubuntu\nID_LIKE=debian\nVERSION_ID="22.04"\n'
RHEL = 'ID="rhel"\nVERSION_ID="8.6"\n'


def test_comments_and_continuations() -> None:
    """A comment begins a line; a backslash at its end joins the next, also inside a comment."""
    text = "# options kvm_intel nested=1\n#options kvm_intel nested=1 \\\noptions kvm_intel nested=1\n  # no command\n"
    assert parse_directives("f", text) == ()
    joined = parse_directives("f", "\noptions kvm_intel \\\n  nested=1 \\\n  ept=1\noptions kvm nested=0\n")
    assert [(d.line, d.module, d.argument) for d in joined] == [
        (2, "kvm_intel", "nested=1   ept=1"),
        (5, "kvm", "nested=0"),
    ]


def test_other_commands_are_kept() -> None:
    """What hides a module or runs something in its place is remembered with its line."""
    text = "install kvm_intel /bin/false\nremove kvm-amd /sbin/modprobe -r kvm\nblacklist kvm\nsoftdep kvm pre: irqbypass\nalias x y\n"
    found = parse_directives("f", text)
    assert [(d.command, d.module) for d in found] == [
        ("install", "kvm_intel"),
        ("remove", "kvm_amd"),
        ("blacklist", "kvm"),
        ("softdep", "kvm"),
        ("alias", "x"),
    ]
    assert found[0].argument == "/bin/false"


def test_a_file_masks_those_of_its_name() -> None:
    """Also if it does not mention kvm: an empty file in /etc is how one of /usr/lib is switched off."""
    listings = {
        "lib/modprobe.d/": ["kvm.conf", "z.conf", "notes.txt"],
        "usr/lib/modprobe.d/": ["kvm.conf", "a.conf"],
        "run/modprobe.d/": ["z.conf"],
        "etc/modprobe.d/": ["kvm.conf", "b.conf~", ".hidden.conf"],
    }
    assert effective_files(listings) == (
        "usr/lib/modprobe.d/a.conf",
        "etc/modprobe.d/kvm.conf",
        "run/modprobe.d/z.conf",
    )
    masked = {
        "etc/modprobe.d/": "kvm.conf\n",
        "etc/modprobe.d/kvm.conf": "",
        "lib/modprobe.d/": "kvm.conf\n",
        "lib/modprobe.d/kvm.conf": "options kvm_intel nested=1\n",
    }
    assert modprobe(NOTHING, masked).setting("kvm_intel", "nested") is None


def test_files_are_read_by_name_across_directories() -> None:
    """`99-x.conf` of /lib comes after `10-x.conf` of /etc, so it wins."""
    sections = {
        "etc/modprobe.d/": "10-kvm.conf\n",
        "etc/modprobe.d/10-kvm.conf": "options kvm_intel nested=1\n",
        "lib/modprobe.d/": "99-kvm.conf\n",
        "lib/modprobe.d/99-kvm.conf": "options kvm-intel nested=0\n",
    }
    found = modprobe(NOTHING, sections).setting("kvm-intel", "nested")
    assert found == ModuleOption("kvm_intel", "nested", "0", "lib/modprobe.d/99-kvm.conf", 1)


def test_lines_accumulate_and_the_last_one_wins() -> None:
    """Two lines of one module set two parameters; of one parameter the last value holds."""
    facts = modprobe(
        NOTHING, files(a="options kvm nested=1\noptions kvm nested=0 hpage=1\n", b="options kvm nested=1\n")
    )
    assert [(o.name, o.value) for o in facts.options] == [
        ("nested", "1"),
        ("nested", "0"),
        ("hpage", "1"),
        ("nested", "1"),
    ]
    nested, hpage = facts.setting("kvm", "nested"), facts.setting("kvm", "hpage")
    assert nested is not None
    assert (nested.value, nested.file) == ("1", "etc/modprobe.d/b.conf")
    assert hpage is not None
    assert hpage.line == 2


def test_options_of_another_module_set_nothing() -> None:
    """`options kvm nested=1` does nothing for kvm_intel."""
    facts = modprobe(NOTHING, files(kvm="options kvm nested=1\n"))
    assert facts.setting("kvm_intel", "nested") is None
    assert facts.origin("kvm_intel", "nested") is Origin.KERNEL_DEFAULT


@pytest.mark.parametrize(
    "word", ["kvm-intel.nested=1", "kvm_intel.nested=1", '"kvm_intel.nested=1"', 'kvm-intel.nested="1"']
)
def test_the_kernel_command_line_wins(word: str) -> None:
    """Over every file, in both spellings of the module's name."""
    facts = modprobe(NOTHING, files(kvm="options kvm_intel nested=0\n"), {"proc/cmdline": f"ro quiet {word} splash\n"})
    found = facts.setting("kvm_intel", "nested")
    assert found is not None
    assert (found.value, found.file) == ("1", "proc/cmdline")
    assert facts.origin("kvm-intel", "nested") is Origin.COMMAND_LINE


@pytest.mark.parametrize(
    "path, text, system, expected",
    [
        ("etc/modprobe.d/kvm.conf", "options kvm_intel nested=1", RHEL, Origin.ADMINISTRATOR),
        ("run/modprobe.d/kvm.conf", "options kvm_intel nested=1", RHEL, Origin.ADMINISTRATOR),
        ("usr/local/lib/modprobe.d/kvm.conf", "options kvm_intel nested=1", RHEL, Origin.ADMINISTRATOR),
        ("usr/lib/modprobe.d/kvm.conf", "options kvm_intel nested=1", RHEL, Origin.DISTRIBUTION),
        ("lib/modprobe.d/kvm.conf", "options kvm_intel nested=1", RHEL, Origin.DISTRIBUTION),
        ("etc/modprobe.d/qemu-system-x86.conf", "options kvm_intel nested=1", UBUNTU, Origin.DISTRIBUTION),
        ("etc/modprobe.d/qemu-system-x86.conf", "options kvm_intel nested=0", UBUNTU, Origin.ADMINISTRATOR),
        ("etc/modprobe.d/qemu-system-x86.conf", "options kvm_intel nested=1", RHEL, Origin.ADMINISTRATOR),
        ("etc/modprobe.d/kvm.conf", "#options kvm_intel nested=1", RHEL, Origin.KERNEL_DEFAULT),
    ],
)
def test_origin(path: str, text: str, system: str, expected: Origin) -> None:
    """Who decided it follows from where the line stands, but for the file that Ubuntu puts under /etc."""
    directory, _, name = path.rpartition("/")
    facts = modprobe(NOTHING, {f"{directory}/": f"{name}\n", path: f"{text}\n", "etc/os-release": system})
    assert facts.origin("kvm_intel", "nested") is expected


@pytest.mark.parametrize(
    "unread",
    [
        {"etc/modprobe.d/": Status.DENIED},
        {"etc/modprobe.d/": Status.CUT},
        {"usr/lib/modprobe.d/": Status.TRUNCATED},
        {"proc/cmdline": Status.DENIED},
        {"etc/modprobe.d/": "kvm.conf\n", "etc/modprobe.d/kvm.conf": Status.DENIED},
    ],
)
def test_what_was_not_read_is_not_unset(unread: Sections) -> None:
    """None means that nobody sets the parameter: with a directory, a file or the command line unread, nobody knows."""
    with pytest.raises(Unobservable):
        modprobe(NOTHING, unread).setting("kvm_intel", "nested")
    with pytest.raises(Unobservable):
        modprobe(NOTHING, unread).origin("kvm_intel", "nested")


def test_only_a_listing_of_etc_tells_what_is_not_there() -> None:
    """A record of files without the listing of /etc leaves room for others; missing directories are empty ones."""
    record = {"etc/modprobe.d/kvm.conf": "# nothing\n", "proc/cmdline": "ro\n"}
    with pytest.raises(Unobservable):
        modprobe(record).setting("kvm_intel", "nested")
    assert modprobe(record, {"etc/modprobe.d/": "kvm.conf\n"}).setting("kvm_intel", "nested") is None
    assert (
        modprobe({**dict.fromkeys(DIRECTORIES, Status.MISSING), "proc/cmdline": "ro\n"}).setting("kvm", "hpage") is None
    )
    with pytest.raises(Unobservable):
        modprobe(NOTHING).setting("vfio", "x")


def test_the_command_line_tells_even_where_files_are_unread() -> None:
    """It wins over all of them."""
    facts = modprobe({"proc/cmdline": "kvm_amd.nested=0\n"})
    found = facts.setting("kvm_amd", "nested")
    assert found is not None
    assert found.enabled is False


LISTED: Sections = {"etc/modprobe.d/": "kvm.conf\nzz.conf\n", "etc/modprobe.d/kvm.conf": "options kvm_intel nested=1\n"}


@pytest.mark.parametrize(
    "more, known",
    [
        ({"etc/modprobe.d/zz.conf": ""}, True),
        ({SEARCHED: "etc/modprobe.d/zz.conf\n"}, True),
        ({SEARCHED: "etc/modprobe.d/other.conf\n"}, False),
        ({SEARCHED: ""}, False),
        ({SEARCHED: Status.CUT}, False),
        ({"etc/modprobe.d/zz.conf": Status.FAILED, SEARCHED: ""}, False),
        ({}, False),  # a record of unknown origin: a link to the outside, a missing target, a FIFO
        ({"nestvirt/whoami": "uid=0\n"}, True),  # an earlier probe, which named nothing
        ({"nestvirt/whoami": "uid=0\n", "etc/modprobe.d/": "kvm.conf\nz?z.conf\n"}, False),
        ({"nestvirt/whoami": "uid=0\n", "etc/modprobe.d/": b"kvm.conf\nz\xffz.conf\n"}, False),
        ({SEARCHED: b"etc/modprobe.d/z\xffz.conf\n", "etc/modprobe.d/": b"kvm.conf\nz\xffz.conf\n"}, True),
        (
            {SEARCHED: b"etc/modprobe.d/z\xffz.conf\n", "etc/modprobe.d/": b"kvm.conf\nz\xfez.conf\nz\xffz.conf\n"},
            False,
        ),
        ({"etc/modprobe.d/": "kvm.conf\nREADME\n.zz.conf\nzz.conf.rpmsave\n"}, True),  # which modprobe does not read
        ({"lib/modprobe.d/": "kvm.conf\n", SEARCHED: "etc/modprobe.d/zz.conf\n"}, True),  # masked
        ({"lib/modprobe.d/": "more.conf\n", SEARCHED: "etc/modprobe.d/zz.conf\n"}, False),
        ({"etc/modprobe.d/": "kvm.conf\nold.alias\n"}, False),
    ],
)
def test_a_file_that_is_listed_has_to_have_been_read(more: Sections, known: bool) -> None:
    """Or searched by the probe, which names it: any other may hold the line that decides, and makes the setting unknown."""
    facts = modprobe(NOTHING, LISTED, more)
    if known:
        assert facts.setting("kvm_intel", "nested") is not None
    else:
        with pytest.raises(Unobservable):
            facts.setting("kvm_intel", "nested")


def test_defaults_of_kernels() -> None:
    """kvm_intel since 4.20, kvm_amd since 2009, kvm on IBM Z never; not told by the version of an enterprise kernel."""
    assert upstream_default("kvm_intel", (4, 20)) is True
    assert upstream_default("kvm_intel", (5, 14, 0), "5.14.0-70.el9.x86_64") is True
    assert upstream_default("kvm_intel", (4, 15, 0), "4.15.0-20-generic") is False
    assert upstream_default("kvm_intel", (4, 18, 0), "4.18.0-193.el8.x86_64") is None
    assert upstream_default("kvm_amd", (3, 10, 0), "3.10.0-1160.el7.x86_64") is True
    assert upstream_default("kvm_hv", (4, 18, 0), "4.18.0-193.el8.ppc64le") is None
    assert upstream_default("kvm_hv", (5, 4)) is True
    assert upstream_default("kvm", (6, 1)) is False
    assert upstream_default("vfio", (6, 1)) is None
