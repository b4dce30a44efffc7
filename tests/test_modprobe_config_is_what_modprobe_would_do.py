"""Claim: the configuration is read as modprobe reads it, and `None` means that surely nobody set the parameter."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from cpuinfo_texts import reader
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_nestvirt.derived.nested_default import upstream_default
from pytest_nestvirt.facts.kernel.kernel import Kernel
from pytest_nestvirt.facts.kvm.kernel_command_line import (
    blacklist_for_modprobe,
    blacklist_for_the_kernel,
    options_for_modprobe,
    options_for_the_kernel,
    skipped_initcalls,
)
from pytest_nestvirt.facts.kvm.kvm import Kvm
from pytest_nestvirt.facts.kvm.modprobe import Modprobe, Origin
from pytest_nestvirt.facts.kvm.modprobe_files import DIRECTORIES, effective_files
from pytest_nestvirt.facts.kvm.modprobe_lines import parse_directives
from pytest_nestvirt.facts.kvm.module_option import (
    ModuleOption,
    ParameterType,
    first_rejected,
    options_of,
    rejected_by_kernel,
    split_parameters,
)
from pytest_nestvirt.facts.processor.cpu import Cpu
from pytest_nestvirt.facts.system.operating_system import Os
from pytest_nestvirt.facts.system.windows import Windows
from pytest_nestvirt.observation.fact import Unobservable
from pytest_nestvirt.snapshot.sections import SEARCHED
from pytest_nestvirt.snapshot.snapshot import Status

Sections = Mapping[str, str | bytes | Status]
UNLOADED: Sections = {
    **{f"sys/module/{name}": Status.MISSING for name in ("kvm", "kvm_intel", "kvm_amd", "kvm_hv")},
    "proc/modules": "loop 40960 0 - Live 0x0\n",
}
NOTHING: Sections = {
    **dict.fromkeys(DIRECTORIES, ""),
    **UNLOADED,
    "proc/cmdline": "BOOT_IMAGE=/vmlinuz root=/dev/sda1 ro\n",
}
UBUNTU = 'ID=ubuntu\nID_LIKE=debian\nVERSION_ID="22.04"\n'
RHEL = 'ID="rhel"\nVERSION_ID="8.6"\n'


def modprobe(*sections: Sections) -> Modprobe:
    """The configuration of a machine that has these sections, the later ones winning."""
    read = reader({name: value for given in sections for name, value in given.items()})
    kernel = Kernel(read)
    kvm = Kvm(read, kernel=kernel, cpu=Cpu(read, kernel=kernel))
    return Modprobe(read, os=Os(read, kernel=kernel, windows=Windows(read)), kvm=kvm)


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


LOADED: Sections = {
    "sys/module/kvm": "",
    "sys/module/kvm_intel": "",
    "sys/module/kvm_intel/refcnt": "0\n",
    "proc/modules": "kvm_intel 1 0 - Live 0x0\nkvm 1 1 kvm_intel, Live 0x0\nirqbypass 1 1 kvm, Live 0x0\n",
}


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


BUILT_IN: Sections = {"sys/module/kvm": "", "sys/module/kvm_intel": "", "proc/modules": "loop 1 0 - Live 0x0\n"}


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
        ("options kvm_intel ept=whatever", "kvm_intel", True),
        ("options kvm_intel of_another_kernel=whatever", "kvm_intel", False),
        ("options kvm nested=4294967296", "kvm", True),
        ("options kvm nested=08", "kvm", True),
    ],
)
def test_values_that_keep_a_module_from_loading(line: str, module: str, refused: bool) -> None:
    """A word for a number, or a number that is no truth value; parameters of unknown type are left alone."""
    (found,) = options_of(parse_directives("etc/modprobe.d/kvm.conf", line))
    assert found.module == module
    assert bool(rejected_by_kernel(found)) is refused


@pytest.mark.parametrize(
    "module, printed, line, accepted",
    [
        ("kvm_intel", "1", "nested=Y", False),  # a kernel whose parameter is a number
        ("kvm_intel", "1", "nested=1", True),
        ("kvm_intel", "Y", "nested=Y", True),
        ("kvm_intel", "Y", "nested=2", False),
        ("kvm_amd", "1", "nested=Y", False),
        ("kvm_amd", "Y", "nested=Y", True),  # a kernel whose parameter is a boolean
        ("kvm_amd", "N", "nested", True),
        ("kvm_amd", "0", "nested", False),
        ("kvm_intel", "never", "vmentry_l1d_flush=Y", True),  # prints as it pleases
    ],
)
def test_the_type_of_a_parameter_is_what_the_kernel_prints(
    module: str, printed: str, line: str, accepted: bool
) -> None:
    """Y and N are printed by booleans and by nothing else, digits by numbers, which take no letter (kernel/params.c)."""
    name = line.partition("=")[0]
    loaded = {
        f"sys/module/{module}": "",
        f"sys/module/{module}/refcnt": "1\n",
        f"sys/module/{module}/parameters/{name}": f"{printed}\n",
    }
    facts = modprobe(NOTHING, loaded, files(a=f"options {module} {line}\n"))
    found = facts.setting(module, name)
    assert found is not None
    assert (rejected_by_kernel(found) == "") is accepted


def test_one_value_that_is_refused_is_enough() -> None:
    """The kernel parses every option, also one that a later one overrides, and refuses the module for a single bad one."""
    facts = modprobe(NOTHING, files(a="options kvm_amd nested=Y\n", b="options kvm_amd nested=1\n"))
    assert "nested=Y" in first_rejected(facts.settings_of("kvm_amd"), ibm_z=False)
    good = modprobe(NOTHING, files(a="options kvm_amd nested=0\n", b="options kvm_amd nested=1 x=Y\n"))
    assert first_rejected(good.settings_of("kvm-amd"), ibm_z=False) == ""
    doubtful = modprobe(NOTHING, files(a="options kvm_intel nested=true\noptions kvm_intel nested=1\n"))
    with pytest.raises(Unobservable):
        first_rejected(doubtful.settings_of("kvm_intel"), ibm_z=False)
    on_x86 = modprobe(NOTHING, files(a="options kvm nested=Y\n")).settings_of("kvm")
    assert first_rejected(on_x86, ibm_z=False) == ""  # kvm has no such parameter there
    assert first_rejected(on_x86, ibm_z=True)


@pytest.mark.parametrize(
    "line, value",
    [
        ("options kvm_intel nested=1", "1"),
        ("options kvm_intel\tnested=1\r", "1"),  # the kernel takes the carriage return for a blank
        ("options kvm_intel \u00a0nested=1", "1"),  # and so the second byte of a no-break space
        ("options kvm_intel nested=1\u00a0", "1\xc2"),
        ("options kvm_intel\u00a0nested=1", None),
        ("options\u00a0kvm_intel nested=1", None),
        ("\ufeffoptions kvm_intel nested=1", None),
        ("options kvm_intel\u2003nested=1", None),
        ("options kvm_intel -- nested=1", None),
        ("options kvm_intel kvm_intel.nested=1", None),
        ("options kvm.nested nested=1", None),
        ("options kvm_hv nested=1", None),
        ("option kvm_intel nested=1", None),
        ("options kvm_intel nested =1", ""),
        ("options kvm_in\\tel nested=1", "1"),
    ],
)
def test_blanks_are_what_modprobe_and_the_kernel_take_for_blanks(line: str, value: str | None) -> None:
    """A line that was pasted from a web page looks right and sets nothing."""
    found = modprobe(NOTHING, files(a=f"{line}\n")).setting("kvm_intel", "nested")
    assert (found.value if found else None) == value


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
    assert upstream_default("kvm_intel", (4, 20)) is True
    assert upstream_default("kvm_intel", (5, 14, 0), "5.14.0-70.el9.x86_64") is True
    assert upstream_default("kvm_intel", (4, 15, 0), "4.15.0-20-generic") is False
    assert upstream_default("kvm_intel", (4, 18, 0), "4.18.0-193.el8.x86_64") is None
    assert upstream_default("kvm_amd", (3, 10, 0), "3.10.0-1160.el7.x86_64") is True
    assert upstream_default("kvm_hv", (4, 18, 0), "4.18.0-193.el8.ppc64le") is None
    assert upstream_default("kvm_hv", (5, 4)) is True
    assert upstream_default("kvm", (6, 1)) is False
    assert upstream_default("vfio", (6, 1)) is None


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
    for read in (options_for_modprobe, options_for_the_kernel, blacklist_for_modprobe, blacklist_for_the_kernel):
        list(read(text))
    list(skipped_initcalls(text))
    ModuleOption("kvm_amd", "nested", text, "f", 1).valid_for(ParameterType.INT)
