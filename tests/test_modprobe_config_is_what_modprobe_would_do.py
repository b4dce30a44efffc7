"""Claim: the configuration is read as modprobe reads it, and `None` means that surely nobody set the parameter."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from cpuinfo_texts import reader
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_nestvirt.facts.kernel.kernel import Kernel
from pytest_nestvirt.facts.kvm.modprobe import Modprobe
from pytest_nestvirt.facts.kvm.modprobe_files import (
    DIRECTORIES,
    ModuleOption,
    Origin,
    ParameterType,
    blacklist_of_command_line,
    effective_files,
    expected_default,
    options_of,
    options_of_command_line,
    parse_directives,
    rejected_by_kernel,
    split_parameters,
)
from pytest_nestvirt.facts.system.operating_system import Os
from pytest_nestvirt.facts.system.windows import Windows
from pytest_nestvirt.observation.fact import Unobservable
from pytest_nestvirt.snapshot.snapshot import Status

Sections = Mapping[str, str | bytes | Status]
NOTHING: Sections = {**dict.fromkeys(DIRECTORIES, ""), "proc/cmdline": "BOOT_IMAGE=/vmlinuz root=/dev/sda1 ro\n"}
UBUNTU = 'ID=ubuntu\nID_LIKE=debian\nVERSION_ID="22.04"\n'
RHEL = 'ID="rhel"\nVERSION_ID="8.6"\n'


def modprobe(*sections: Sections) -> Modprobe:
    """The configuration of a machine that has these sections, the later ones winning."""
    read = reader({name: value for given in sections for name, value in given.items()})
    return Modprobe(read, os=Os(read, kernel=Kernel(read), windows=Windows(read)))


def files(**texts: str) -> Sections:
    """Files of /etc/modprobe.d with their listing: `files(kvm="options ...")` is kvm.conf."""
    listing = {"etc/modprobe.d/": "".join(f"{name}.conf\n" for name in sorted(texts))}
    return listing | {f"etc/modprobe.d/{name}.conf": text for name, text in texts.items()}


def option(text: str) -> list[tuple[str, str, str]]:
    """What one `options` line sets."""
    return [(o.module, o.name, o.value) for o in options_of(parse_directives("f", f"options {text}\n"))]


def test_options_are_parsed() -> None:
    """Several parameters, blanks and tabs, quotes around a word or a value, `-` and `_` as one letter."""
    assert option("kvm_intel nested=1 ept=0") == [("kvm_intel", "nested", "1"), ("kvm_intel", "ept", "0")]
    assert option("\tkvm-intel\t enable-apicv=Y  ") == [("kvm_intel", "enable_apicv", "Y")]
    assert option('m a="two words" "b=3 4" c="1"') == [("m", "a", "two words"), ("m", "b", "3 4"), ("m", "c", "1")]
    assert option("m nested") == [("m", "nested", "")]
    assert option("m") == []


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


def test_what_hides_a_module() -> None:
    """Blacklists of files and of the command line, and install lines."""
    facts = modprobe(
        NOTHING,
        files(a="blacklist kvm-intel\ninstall kvm_amd /bin/true\nsoftdep kvm pre: x\n"),
        {"proc/cmdline": "modprobe.blacklist=kvm_amd,kvm-intel module_blacklist=kvm\n"},
    )
    assert [line.file for line in facts.hidden_by("kvm_intel")] == ["etc/modprobe.d/a.conf", "proc/cmdline"]
    assert [line.command for line in facts.hidden_by("kvm_amd")] == ["install", "blacklist"]
    assert [line.file for line in facts.hidden_by("kvm")] == ["proc/cmdline"]
    assert facts.hidden_by("kvm_hv") == ()
    assert not list(options_of_command_line("modprobe.blacklist=kvm module_blacklist=kvm"))
    assert [line.module for line in blacklist_of_command_line("modprobe.blacklist=a,,b-c")] == ["a", "b_c"]


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


@pytest.mark.parametrize(
    "line, module, refused",
    [
        ("options kvm-amd nested=Y", "kvm_amd", True),
        ("options kvm_amd nested=1", "kvm_amd", False),
        ("options kvm nested=y", "kvm", True),
        ("options kvm nested", "kvm", True),
        ("options kvm nested=0x1", "kvm", False),
        ("options kvm_intel nested=Y", "kvm_intel", False),
        ("options kvm_intel nested", "kvm_intel", False),
        ("options kvm_intel nested=", "kvm_intel", True),
        ("options kvm_intel nested=2", "kvm_intel", True),
        ("options kvm_hv nested=on", "kvm_hv", False),
        ("options kvm_intel ept=whatever", "kvm_intel", False),
    ],
)
def test_values_that_keep_a_module_from_loading(line: str, module: str, refused: bool) -> None:
    """A word for a number, or a number that is no truth value; parameters of unknown type are left alone."""
    (found,) = options_of(parse_directives("etc/modprobe.d/kvm.conf", line))
    assert found.module == module
    assert bool(rejected_by_kernel(found)) is refused


def test_words_that_only_newer_kernels_take_are_unknown() -> None:
    """`nested=true` loads on some kernels only."""
    for value in ("true", "enable", "Disabled"):
        with pytest.raises(Unobservable):
            rejected_by_kernel(ModuleOption("kvm_intel", "nested", value, "f", 1))


@pytest.mark.parametrize(
    "value, expected",
    [
        ("1", True),
        ("Y", True),
        ("yes", True),
        ("on", True),
        ("2", True),
        ("0x0", False),
        ("0", False),
        ("N", False),
        ("off", False),
    ],
)
def test_enabled(value: str, expected: bool) -> None:
    """What the parameter is going to be, as the kernel's parsers for truth values and numbers read it."""
    assert ModuleOption("kvm_amd", "nested", value, "f", 1).enabled is expected
    assert ModuleOption("kvm_amd", "nested", "", "f", 1, bare=True).enabled is True
    with pytest.raises(Unobservable):
        _ = ModuleOption("kvm_amd", "nested", "maybe", "f", 1).enabled


def test_defaults_of_kernels() -> None:
    """kvm_intel since 4.20, kvm_amd since 2009, kvm on IBM Z never; not told by the version of an enterprise kernel."""
    assert expected_default("kvm_intel", (4, 20)) is True
    assert expected_default("kvm_intel", (5, 14, 0), "5.14.0-70.el9.x86_64") is True
    assert expected_default("kvm_intel", (4, 15, 0), "4.15.0-20-generic") is False
    assert expected_default("kvm_intel", (4, 18, 0), "4.18.0-193.el8.x86_64") is None
    assert expected_default("kvm_amd", (3, 10, 0), "3.10.0-1160.el7.x86_64") is True
    assert expected_default("kvm_hv", (4, 18, 0), "4.18.0-193.el8.ppc64le") is None
    assert expected_default("kvm_hv", (5, 4)) is True
    assert expected_default("kvm", (6, 1)) is False
    assert expected_default("vfio", (6, 1)) is None


TEXT = st.text(alphabet='options kvm_intel-amd nested=1"#\\\n\tY.,', max_size=120)


@given(TEXT)
@settings(max_examples=150)
def test_parsers_neither_crash_nor_invent(text: str) -> None:
    """Every option is one that stands in the text, at the line that is named."""
    for found in options_of(parse_directives("f", text)):
        assert 1 <= found.line <= text.count("\n") + 1
        assert "options" in text
        assert found.value in text.replace("\\\n", "")
    for name, value in split_parameters(text):
        assert name.replace("_", "-") in text.replace("_", "-")
        assert value is None or "=" in text
    list(options_of_command_line(text))
    list(blacklist_of_command_line(text))
    ModuleOption("kvm_amd", "nested", text, "f", 1).valid_for(ParameterType.INT)


@pytest.mark.skipif(shutil.which("modprobe") is None, reason="there is no modprobe on this machine")
def test_modprobe_agrees(tmp_path: Path) -> None:
    """The real modprobe, shown the same directory, has the same options in the same order."""
    texts = {
        "b": "options kvm_intel nested=1 \\\n ept=1\n# options kvm_intel nested=2\n",
        "a": "options kvm-intel nested=0\n  # x\nblacklist kvm-amd\n",
    }
    for name, text in texts.items():
        (tmp_path / f"{name}.conf").write_text(text, encoding="utf-8")
    command = ["modprobe", "-C", str(tmp_path), "--showconfig"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    theirs = [line.split()[:3] for line in shown.split("\n") if line.startswith("options kvm_intel")]
    ours = modprobe(NOTHING, files(**texts)).directives
    assert theirs == [["options", d.module, d.argument.split()[0]] for d in ours if d.command == "options"]
