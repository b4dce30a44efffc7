"""Claim: what `nested` will be after a boot is what modprobe and the kernel will make of the configuration, or unknown."""

from __future__ import annotations

import pytest
from linux_chains import xeon
from machine_sections import machine
from recorded_machines import Texts, kernel, modprobe, module, without_modules

from pytest_nestvirt.derived.kvm_refusal import refusal_of_kvm
from pytest_nestvirt.derived.nested_default import kernel_default, shipped_default
from pytest_nestvirt.derived.nested_setting import lost_at_boot, nested_after_boot, refused_at_load, unapplied_nesting
from pytest_nestvirt.facts.machine import Machine
from pytest_nestvirt.observation.fact import Unobservable
from pytest_nestvirt.snapshot.snapshot import Status

TABLE = "kvm_intel 1 0 - Live 0x0\nkvm 1 1 kvm_intel, Live 0x0\nirqbypass 1 1 kvm, Live 0x0\n"
ANSWERS: Texts = {
    "dev/kvm": "crw-rw-rw- 1 0 36 10, 232 Nov 21 04:04 /dev/kvm\n",
    "nestvirt/kvm_ioctl": "api=12\ncreate_vm=ok\nnested_state=4224\n",
}
EL8, OLD, NEW = "4.18.0-193.el8.x86_64", "4.19.0-27-amd64", "6.1.0-18-amd64"


def loaded(nested: str) -> Texts:
    """kvm_intel is a module and loaded."""
    return {**module("kvm"), **module("kvm_intel", nested=nested), "proc/modules": TABLE}


def built_in(nested: str) -> Texts:
    """kvm_intel is part of the kernel image."""
    image = {**module("kvm"), **module("kvm_intel", nested=nested), "proc/modules": ""}
    return {name: value for name, value in image.items() if not name.endswith("refcnt")}


GONE: Texts = {**without_modules("kvm", "kvm_intel", "kvm_amd"), "proc/modules": ""}


def host(release: str, state: Texts, text: str, command_line: str = "ro") -> Machine:
    """An Intel host whose /etc/modprobe.d holds one file."""
    sections = {**kernel(release, "x86_64"), **xeon(), **ANSWERS, **state, **modprobe(x=f"{text}\n")}
    return machine({**sections, "proc/cmdline": f"{command_line}\n"})


@pytest.mark.parametrize(
    "release, state, text, command_line, expected",
    [
        (EL8, loaded("Y"), "options kvm_intel nested=1", "", True),
        (EL8, loaded("1"), "options kvm_intel nested=1", "", True),
        (EL8, loaded("1"), "options kvm_intel nested=Y", "", False),  # a number there
        (EL8, loaded("Y"), "options kvm_intel nested=Y\noptions kvm_intel ept=maybe", "", False),
        (EL8, loaded("Y"), "options kvm_intel\u00a0nested=1", "", None),  # sets nothing, and the default is not known
        (EL8, loaded("N"), "options kvm_intel\u00a0nested=1", "", False),
        (EL8, loaded("Y"), "options kvm_intel nested=1\ninstall kvm /bin/false", "", False),
        (EL8, loaded("Y"), "options kvm_intel nested=1\ninstall irqbypass /bin/true", "", False),
        (EL8, loaded("Y"), "options kvm_intel nested=1\ninstall k*m /bin/false", "", False),
        (EL8, loaded("Y"), "install kvm_intel /sbin/modprobe -i kvm_intel nested=1 $CMDLINE_OPTS", "", None),
        (EL8, loaded("Y"), "options kvm_intel nested=1\nblacklist kvm", "", True),
        (EL8, loaded("Y"), "options kvm_intel nested=1", "module_blacklist=kvm", False),
        (EL8, loaded("Y"), "options kvm_intel nested=1", "kvm_intel.nested=0", False),
        (EL8, loaded("N"), "options kvm_intel nested=0", "kvm-intel.nested=1", True),
        (EL8, loaded("Y"), "options kvm_intel nested=1", "initcall_blacklist=vmx_init", False),
        (OLD, loaded("Y"), "options kvm-intel nested=true", "", None),  # a word of newer kernels
        (OLD, loaded("Y"), "options kvm nested=1", "", False),
        (NEW, loaded("Y"), "options kvm_amd nested=Y", "", True),
        (NEW, GONE, "options kvm_intel nested=1", "", True),
        (NEW, GONE, "blacklist kvm_intel", "", False),
        (OLD, built_in("N"), "options kvm_intel nested=1\noptions kvm-intel nested=Y", "", False),  # no file applies
        (OLD, built_in("Y"), "", "kvm_intel.nested=1", True),
        (NEW, built_in("Y"), "options kvm_intel nested=0\ninstall kvm_intel /bin/false", "", True),
        (EL8, built_in("Y"), "", "", True),  # nobody can have loaded it by hand
        (EL8, built_in("N"), "options kvm_intel nested=1", "", False),
    ],
)
def test_nesting_after_a_boot(release: str, state: Texts, text: str, command_line: str, expected: bool | None) -> None:
    """By lines that are accepted, for modules that are loaded; what is built in keeps what it has."""
    one = host(release, state, text, command_line)
    if expected is None:
        with pytest.raises(Unobservable):
            nested_after_boot(one, "kvm_intel")
    else:
        assert nested_after_boot(one, "kvm_intel").enabled is expected


@pytest.mark.parametrize(
    "nested, text, lost",
    [
        ("Y", "options kvm_intel nested=1", False),
        ("Y", "options kvm_intel nested=0", True),
        ("N", "options kvm_intel nested=0", False),  # there is nothing to lose
        ("N", "install kvm_intel /usr/local/bin/x", False),  # nor here, whatever that command does
        ("Y", "install kvm_intel /usr/local/bin/x", None),
        ("Y", "", None),
    ],
)
def test_what_is_on_may_be_lost_at_the_next_boot(nested: str, text: str, lost: bool | None) -> None:
    """Nesting that is off is not lost, also where the configuration is not known."""
    one = host(EL8, loaded(nested), text)
    if lost is None:
        with pytest.raises(Unobservable):
            lost_at_boot(one, "kvm_intel")
    else:
        assert bool(lost_at_boot(one, "kvm_intel")) is lost


def test_built_in_and_not_at_work_proves_nothing() -> None:
    """The compiled default reads Y also where the firmware keeps VT-x off."""
    one = host(NEW, {**built_in("Y"), "nestvirt/kvm_ioctl": "error=ENODEV\n"}, "")
    with pytest.raises(Unobservable, match="built in"):
        nested_after_boot(one, "kvm_intel")


@pytest.mark.parametrize(
    "command_line, expected", [("ro", None), ("kvm_intel.nested=1", None), ("module_blacklist=kvm_intel", False)]
)
def test_a_file_that_was_not_read_leaves_it_open(command_line: str, expected: bool | None) -> None:
    """It may switch nesting off again or keep the module out; a command line that keeps it out decides without it."""
    unread: Texts = {"etc/modprobe.d/": "x.conf\nzz.conf\n", "etc/modprobe.d/zz.conf": Status.FAILED}
    known = {**kernel(EL8, "x86_64"), **xeon(), **loaded("Y"), **modprobe(x="options kvm_intel nested=1\n")}
    one = machine({**known, **unread, "proc/cmdline": f"{command_line}\n"})
    if expected is None:
        with pytest.raises(Unobservable):
            nested_after_boot(one, "kvm_intel")
    else:
        assert nested_after_boot(one, "kvm_intel").enabled is expected


def test_what_is_not_in_effect_is_named() -> None:
    """A value that waits for a reload, one that is refused, one that no reload brings into effect."""
    assert unapplied_nesting(host(EL8, loaded("Y"), "options kvm_intel nested=1"), "kvm_intel") == ""
    assert "nested=N" in unapplied_nesting(host(EL8, loaded("N"), "options kvm_intel nested=1"), "kvm_intel")
    assert "refuses to load" in unapplied_nesting(host(EL8, loaded("1"), "options kvm_intel nested=Y"), "kvm_intel")
    assert "built in" in unapplied_nesting(host(OLD, built_in("N"), "options kvm_intel nested=1"), "kvm_intel")
    assert unapplied_nesting(host(OLD, built_in("N"), ""), "kvm_intel") == ""
    assert unapplied_nesting(host(NEW, built_in("Y"), "options kvm_intel nested=1"), "kvm_intel") == ""


def test_what_is_built_in_refuses_no_option() -> None:
    """The kernel ignores a word of its command line that it cannot parse; a module does not load with it."""
    assert refused_at_load(host(NEW, built_in("Y"), "options kvm_intel nested=x"), "kvm_intel") == ""
    assert refused_at_load(host(NEW, loaded("Y"), "options kvm_intel nested=x"), "kvm_intel")
    assert (
        refused_at_load(host(NEW, loaded("Y"), "options kvm nested=x\noptions kvm_intel nested=1"), "kvm_intel") == ""
    )


def test_defaults_are_not_what_an_administrator_wrote() -> None:
    """What is built in reads as it was built, where the version does not show it; a file of the distribution is without effect."""
    assert kernel_default(host(EL8, built_in("Y"), ""), "kvm_intel").enabled is True
    with pytest.raises(Unobservable):
        kernel_default(host(EL8, loaded("Y"), ""), "kvm_intel")
    shipped = {"usr/lib/modprobe.d/": "a.conf\n", "usr/lib/modprobe.d/a.conf": "options kvm_intel nested=1\n"}
    assert (
        shipped_default(host(OLD, {**loaded("Y"), **shipped}, ""), "kvm_intel").enabled is False
    )  # modprobe() lists none
    sections = {**kernel(OLD, "x86_64"), **xeon(), **ANSWERS, **modprobe(), "proc/cmdline": "ro\n", **shipped}
    assert shipped_default(machine({**sections, **loaded("Y")}), "kvm_intel").enabled is True
    assert shipped_default(machine({**sections, **built_in("N")}), "kvm_intel").enabled is False


@pytest.mark.parametrize("line", ["install kvm /bin/false", "blacklist kvm_intel", "install kvm* /bin/true"])
def test_a_line_explains_why_kvm_does_not_work(line: str) -> None:
    """Also one for a module that kvm_intel needs; a command whose effect is not known explains nothing."""
    off = {**GONE, "dev/kvm": Status.MISSING, "nestvirt/kvm_ioctl": "error=ENOENT\n"}
    assert refusal_of_kvm(host(NEW, off, line)).startswith(line)
    with pytest.raises(Unobservable):
        refusal_of_kvm(host(NEW, off, "install kvm_intel /usr/local/bin/x"))
    assert refusal_of_kvm(host(NEW, loaded("Y"), line)) == ""
