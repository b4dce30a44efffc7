"""Claim: facts on KVM say what the modules, their parameters and the device answered, and nothing that they did not."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Mapping

import pytest
from cpuinfo_texts import AMD, INTEL, PLAIN, reader, x86
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_nestvirt.facts.kernel.kernel import Kernel
from pytest_nestvirt.facts.kvm.device import api_of, can_create_machines, parse_answers, parse_device
from pytest_nestvirt.facts.kvm.kvm import Kvm
from pytest_nestvirt.facts.kvm.module import choose_x86_module, reads_as_enabled
from pytest_nestvirt.facts.processor.cpu import Cpu
from pytest_nestvirt.observation.fact import Unobservable, observing
from pytest_nestvirt.snapshot.snapshot import Status

Sections = Mapping[str, str | bytes | Status]
ON_INTEL: Sections = {
    "sos_commands/kernel/uname_-a": "Linux a 4.18.0-193.el8.x86_64 #1 SMP x86_64 x86_64 x86_64 GNU/Linux\n",
    "proc/cpuinfo": x86(INTEL),
}
LOADED: Sections = {
    "sys/module/kvm": "",
    "sys/module/kvm_intel": "",
    "sys/module/kvm_amd": Status.MISSING,
    "sys/module/kvm_intel/parameters/nested": "Y\n",
    "sys/module/kvm_intel/parameters/ept": "Y\n",
    "sys/module/kvm_intel/refcnt": "3\n",
}
DEVICE = "crw-rw-rw- 1 0 36 10, 232 Nov 21 04:04 /dev/kvm\n"


def kvm(*sections: Sections) -> Kvm:
    """KVM of a machine that has these sections, the later ones winning."""
    read = reader({name: value for given in sections for name, value in given.items()})
    kernel = Kernel(read)
    return Kvm(read, kernel=kernel, cpu=Cpu(read, kernel=kernel))


def on(machine: str) -> Sections:
    """A kernel for that architecture."""
    return {"sos_commands/kernel/uname_-a": f"Linux a 5.14.0 #1 SMP {machine} GNU/Linux\n"}


@pytest.mark.parametrize(
    "raw, expected", [("Y", True), ("y", True), ("1\n", True), ("N", False), ("n", False), ("0\n", False)]
)
def test_nested_is_read_as_the_documents_say(raw: str, expected: bool) -> None:
    """Y, y and 1 are on; N, n and 0 are off."""
    assert kvm(ON_INTEL, LOADED, {"sys/module/kvm_intel/parameters/nested": raw}).nested is expected


@given(st.text(max_size=4))
def test_no_other_value_is_read_as_on_or_off(raw: str) -> None:
    """Whatever else a parameter holds decides nothing."""
    if raw.strip() in {"Y", "y", "1", "N", "n", "0"}:
        assert reads_as_enabled(raw, "x") is (raw.strip() in {"Y", "y", "1"})
    else:
        with pytest.raises(Unobservable):
            reads_as_enabled(raw, "x")


def test_a_module_that_is_not_loaded_is_not_switched_off() -> None:
    """Its parameter is missing then, and the reason is told; so it is for a parameter that the module lacks."""
    gone = {"sys/module/kvm_intel": Status.MISSING, "sys/module/kvm_intel/parameters/nested": Status.MISSING}
    with pytest.raises(Unobservable, match="module kvm_intel is not loaded"):
        _ = kvm(ON_INTEL, gone).nested
    with pytest.raises(Unobservable, match="module kvm has no parameter hpage"):
        _ = kvm(ON_INTEL, LOADED, {"sys/module/kvm/parameters/hpage": Status.MISSING}).hpage
    with pytest.raises(Unobservable, match="refused"):
        _ = kvm(ON_INTEL, LOADED, {"sys/module/kvm_intel/parameters/nested": Status.DENIED}).nested


@pytest.mark.parametrize(
    "machine, expected",
    [("ppc64le", "kvm_hv"), ("ppc64", "kvm_hv"), ("s390x", "kvm"), ("aarch64", None), ("riscv64", None)],
)
def test_the_module_depends_on_the_architecture(machine: str, expected: str | None) -> None:
    """kvm_hv on POWER, kvm on IBM Z; elsewhere no module has the parameter."""
    if expected:
        assert kvm(on(machine)).module == expected
    else:
        with pytest.raises(Unobservable, match="no nested parameter on this architecture"):
            _ = kvm(on(machine)).module


@pytest.mark.parametrize(
    "vendor, flags, loaded, expected",
    [
        ("intel", {"vmx"}, {"kvm_intel"}, "kvm_intel"),
        ("intel", {"vmx"}, set(), "kvm_intel"),
        ("intel", set(), set(), "kvm_intel"),
        ("zhaoxin", {"vmx"}, {"kvm_intel"}, "kvm_intel"),
        ("centaur", {"vmx"}, set(), "kvm_intel"),
        ("amd", {"svm"}, {"kvm_amd"}, "kvm_amd"),
        ("hygon", {"svm"}, {"kvm_amd"}, "kvm_amd"),
        ("intel", {"vmx"}, {"kvm_intel", "kvm_amd"}, "kvm_intel"),  # both built in
        ("amd", {"vmx"}, {"kvm_intel"}, "kvm_intel"),  # the vendor is made up by the hypervisor
        ("", {"svm"}, set(), "kvm_amd"),  # the vendor is masked
        ("", set(), {"kvm_amd"}, "kvm_amd"),
        ("intel", {"vmx"}, {"kvm_amd"}, None),
        ("amd", set(), {"kvm_intel"}, None),
        ("", {"vmx", "svm"}, {"kvm_intel", "kvm_amd"}, None),
        ("", set(), set(), None),
        ("cyrix", set(), set(), None),
    ],
)
def test_the_module_of_x86_is_evident_or_unknown(
    vendor: str, flags: set[str], loaded: set[str], expected: str | None
) -> None:
    """Vendor, flags and loaded modules agree on one, or none is chosen."""
    if expected:
        assert choose_x86_module(vendor, flags, loaded) == expected
    else:
        with pytest.raises(Unobservable):
            choose_x86_module(vendor, flags, loaded)


def test_the_wrong_vendor_s_module_tells_nothing() -> None:
    """kvm_amd built in on an Intel processor says Y for nested, which is not this machine's answer."""
    wrong = {
        "sys/module/kvm_intel": Status.MISSING,
        "sys/module/kvm_amd": "",
        "sys/module/kvm_amd/parameters/nested": "1\n",
        "sys/module/kvm_intel/parameters/nested": Status.MISSING,
    }
    with pytest.raises(Unobservable, match="kvm_amd"):
        _ = kvm(ON_INTEL, wrong).nested
    assert kvm({**ON_INTEL, "proc/cpuinfo": x86(AMD, vendor="AuthenticAMD")}, wrong).nested is True


def test_modules_are_those_of_sysfs() -> None:
    """Loaded and built-in ones; /proc/modules decides only where sysfs was recorded for another kvm module."""
    assert kvm(ON_INTEL, LOADED).modules == {"kvm", "kvm_intel"}
    record = {
        "sys/module/kvm_intel/parameters/nested": "Y\n",
        "proc/modules": "kvm_intel 1 0 - Live 0x0\nkvm 1 1 kvm_intel, Live 0x0\n",
    }
    assert kvm(ON_INTEL, record).modules == {"kvm", "kvm_intel"}
    with pytest.raises(Unobservable, match="built in"):
        _ = kvm(ON_INTEL, {"proc/modules": "loop 1 0 - Live 0x0\n"}).modules
    with pytest.raises(Unobservable):
        _ = kvm(ON_INTEL, {"sys/module/kvm": Status.FAILED}).modules


def test_parameters_are_raw_and_leave_evidence() -> None:
    """A parameter is what the kernel prints; reading one through a method is observed like a fact."""
    facts = kvm(ON_INTEL, LOADED)
    assert facts.parameters == {"kvm_intel": {"nested": "Y", "ept": "Y"}}
    with observing() as seen:
        assert facts.parameter("ept") == "Y"
        assert facts.enabled("ept", "kvm_intel") is True
    sources = {observation.fact: observation.sources for observation in seen}
    read = "sys/module/kvm_intel/parameters/ept"
    assert sources["kvm.parameters.kvm_intel.ept"] == (read,)
    assert sources["kvm.enabled.kvm_intel.ept"] == (read, "sys/module/kvm_intel/refcnt")
    assert facts.references == 3
    with pytest.raises(Unobservable):
        _ = kvm(ON_INTEL).parameters


@pytest.mark.parametrize(
    "line, mode",
    [
        (DEVICE, 0o666),
        ("crw-rw----.   1 0        36        10, 232 Nov 21 04:04 /dev/kvm", 0o660),
        ("crw-------+ 1 0 0 10, 232 2024-01-01 00:00 /dev/kvm", 0o600),
    ],
)
def test_the_device_is_parsed(line: str, mode: int) -> None:
    """As GNU ls and BusyBox print it, with marks of SELinux and ACLs."""
    device = parse_device(line)
    assert (stat.S_IMODE(device.mode), device.major, device.minor) == (mode, 10, 232)
    assert device.is_kvm


def test_the_device_is_parsed_as_ls_prints_it(tmp_path: os.PathLike[str]) -> None:
    """A real ls, on a node that every Linux has and on a file of all permission bits."""
    null = parse_device(subprocess.run(["ls", "-ln", "/dev/null"], capture_output=True, text=True, check=True).stdout)
    assert stat.S_ISCHR(null.mode)
    assert (null.major, null.minor) == (1, 3)
    assert not null.is_kvm
    path = os.path.join(tmp_path, "odd")  # noqa: PTH118
    with open(path, "w", encoding="utf-8"):  # noqa: PTH123
        os.chmod(path, 0o7751)  # noqa: PTH101
    odd = parse_device(subprocess.run(["ls", "-ln", path], capture_output=True, text=True, check=True).stdout)
    assert odd.mode == os.stat(path).st_mode  # noqa: PTH116


def test_a_file_in_its_place_is_no_device() -> None:
    """Bind mounts gone wrong leave a directory or an empty file at /dev/kvm."""
    assert kvm({"dev/kvm": DEVICE}).has_device
    file = {"dev/kvm": "-rw-r----- 1 0 0 0 Nov 21 04:04 /dev/kvm\n"}
    assert not kvm(file).has_device
    with pytest.raises(Unobservable):
        _ = kvm(file).device  # its permissions are not those of KVM
    assert not kvm({"dev/kvm": Status.MISSING}).has_device
    for unread in (Status.DENIED, Status.CUT, "total 0\n"):
        with pytest.raises(Unobservable):
            _ = kvm({"dev/kvm": unread}).has_device


BUILT_IN: Sections = {
    "sys/module/kvm": "",
    "sys/module/kvm_intel": "",
    "sys/module/kvm_amd": "",
    "sys/module/kvm_intel/parameters/nested": "Y\n",
    "proc/modules": "",
}
ANSWERS: Sections = {"dev/kvm": DEVICE, "nestvirt/kvm_ioctl": "api=12\ncreate_vm=ok\nnested_state=0\n"}


@pytest.mark.parametrize(
    "sections, expected",
    [
        (LOADED, False),  # it has a reference count
        (
            {**LOADED, "sys/module/kvm_intel/refcnt": Status.MISSING, "proc/modules": "kvm_intel 1 0 - Live 0x0\n"},
            False,
        ),
        (
            {**LOADED, "sys/module/kvm_intel/refcnt": Status.MISSING, "proc/modules": "kvm_intel  1  0\n"},
            False,
        ),  # lsmod
        (BUILT_IN, True),
        ({**BUILT_IN, "proc/modules": "loop 1 0 - Live 0x0\n"}, True),
        ({**BUILT_IN, "sys/module/kvm_intel/initstate": "live\n"}, False),
        ({"sys/module/kvm_intel": Status.MISSING, "proc/modules": ""}, False),  # with its parameters it would be there
        ({**BUILT_IN, "proc/modules": Status.MISSING}, None),
        ({**BUILT_IN, "proc/modules": Status.CUT}, None),
        ({}, None),
    ],
)
def test_what_is_built_in_is_in_sysfs_and_not_in_the_table(sections: Sections, expected: bool | None) -> None:
    """A module of the kernel image has its parameters in /sys/module, no reference count, and no row in /proc/modules."""
    facts = kvm(ON_INTEL, sections)
    if expected is None:
        with pytest.raises(Unobservable):
            facts.is_built_in("kvm_intel")
    else:
        assert facts.is_built_in("kvm-intel".replace("-", "_")) is expected


def test_what_was_compiled_in_proves_nothing() -> None:
    """kvm_intel in the kernel image reads Y also where the firmware keeps VT-x off: only with KVM at work it is an answer."""
    assert kvm(ON_INTEL, BUILT_IN, ANSWERS).nested is True
    for silent in ({}, {"nestvirt/kvm_ioctl": "error=ENODEV\n"}, {"nestvirt/kvm_ioctl": "registered=no\n"}):
        with pytest.raises(Unobservable, match="not seen to work"):
            _ = kvm(ON_INTEL, BUILT_IN, silent).nested
    off = {"sys/module/kvm_intel/parameters/nested": "N\n"}
    assert kvm(ON_INTEL, BUILT_IN, off).nested is False
    assert kvm(ON_INTEL, LOADED).nested is True


@pytest.mark.parametrize(
    "sections, expected",
    [
        (ANSWERS, True),
        ({**ANSWERS, "nestvirt/kvm_ioctl": "api=12\ncreate_vm=EBUSY\n"}, True),
        ({**ANSWERS, "nestvirt/kvm_ioctl": "api=11\n"}, False),
        ({**ANSWERS, "nestvirt/kvm_ioctl": "error=ENODEV\n"}, False),
        ({**ANSWERS, **LOADED, "nestvirt/kvm_ioctl": "error=ENODEV\n"}, False),  # an answer counts before a trace
        ({**ANSWERS, "nestvirt/kvm_ioctl": "registered=no\n"}, False),
        ({**ANSWERS, "nestvirt/kvm_ioctl": "error=EACCES\n"}, None),
        ({**ANSWERS, **LOADED, "nestvirt/kvm_ioctl": "error=EACCES\n"}, True),
        ({"dev/kvm": DEVICE}, None),
        ({"dev/kvm": DEVICE, **LOADED}, True),
        ({"dev/kvm": DEVICE, **LOADED, "sys/module/kvm_intel": Status.MISSING}, True),  # its entries were read
        ({"dev/kvm": DEVICE, **BUILT_IN}, None),
        ({"dev/kvm": DEVICE, "sys/module/kvm": "", **dict.fromkeys(("sys/module/kvm_intel", "sys/module/kvm_amd"), Status.MISSING)}, False),
        ({"dev/kvm": "crw-rw-rw- 1 0 36 10, 130 Nov 21 04:04 /dev/kvm\n", **LOADED}, False),  # another device's number
        ({"dev/kvm": "brw-rw-rw- 1 0 36 10, 232 Nov 21 04:04 /dev/kvm\n", **LOADED}, False),
        ({"dev/kvm": "-rw-r--r-- 1 0 0 0 Nov 21 04:04 /dev/kvm\n", **LOADED}, False),
        ({"dev/kvm": "drwxr-xr-x 2 0 0 40 Nov 21 04:04 /dev/kvm\n", **LOADED}, False),
        ({"dev/kvm": Status.MISSING, **LOADED}, False),
        (LOADED, None),
    ],
)  # fmt: skip
def test_a_node_is_not_kvm(sections: Sections, expected: bool | None) -> None:
    """KVM runs where it answers; where it was not asked, where its module is loaded; udev's static node shows nothing."""
    facts = kvm(ON_INTEL, sections)
    if expected is None:
        with pytest.raises(Unobservable):
            _ = facts.running
    else:
        assert facts.running is expected


def test_a_node_that_loads_kvm_when_opened_decides_nothing() -> None:
    """On IBM Z and POWER opening the static node loads KVM, which the probe leaves alone; on x86 it loads only half of it."""
    node = {"dev/kvm": DEVICE, "nestvirt/kvm_ioctl": "registered=no\n"}
    assert kvm(ON_INTEL, node).usable is False
    assert kvm(ON_INTEL, node).failure.startswith("/dev/kvm is a node without a device behind it")
    for machine in ("s390x", "ppc64le"):
        with pytest.raises(Unobservable, match="not loaded"):
            _ = kvm(on(machine), node).usable


@pytest.mark.parametrize(
    "answers, expected",
    [
        ("api=12\ncreate_vm=ok\nnested_state=4224\n", True),
        ("warning: something\napi=12\ncreate_vm=ok\n", True),
        ("api=12\ncreate_vm=EBUSY Device or resource busy\nnested_state=0\n", False),
        ("api=12\ncreate_vm=ENODEV\n", False),
        ("api=10\ncreate_vm=ok\n", False),
        ("error=ENODEV\n", False),
        ("error=ENOENT\n", False),
        ("error=ENXIO\n", False),
        ("error=EACCES\n", None),
        ("error=EPERM\n", None),
        ("api=12\ncreate_vm=ENOMEM\n", None),
        ("api=12\ncreate_vm=EMFILE\n", None),
        ("api=12\n", None),
        ("api=twelve\ncreate_vm=ok\n", None),
        ("", None),
    ],
)
def test_usable_is_what_kvm_answers(answers: str, expected: bool | None) -> None:
    """Only a machine that was created is a yes; only an error that is KVM's own is a no."""
    facts = kvm({"dev/kvm": DEVICE, "nestvirt/kvm_ioctl": answers})
    if expected is None:
        with pytest.raises(Unobservable):
            _ = facts.usable
    else:
        assert facts.usable is expected


@given(st.text(alphabet="apicreatevmok=12EBUSYNODnested_state\n -", max_size=80))
@settings(max_examples=100)
def test_answers_never_become_a_yes_by_accident(text: str) -> None:
    """Whatever the section holds, KVM works only by `api=12` and `create_vm=ok`."""
    answers = parse_answers(text)
    try:
        works = can_create_machines(answers)
    except Unobservable:
        return
    assert not works or (answers.version == 12 and answers.create_vm == "ok")


def test_the_device_alone_proves_nothing() -> None:
    """Without Python nobody asked; without the device there is nothing to ask."""
    with pytest.raises(Unobservable, match="no Python"):
        _ = kvm({"dev/kvm": DEVICE, "nestvirt/kvm_ioctl": Status.MISSING}).usable
    with pytest.raises(Unobservable):
        _ = kvm({"dev/kvm": DEVICE, "nestvirt/kvm_ioctl": Status.DENIED}).usable
    assert kvm({"dev/kvm": Status.MISSING, "nestvirt/kvm_ioctl": "error=ENOENT\n"}).usable is False
    assert kvm({"dev/kvm": Status.MISSING}).usable is False


@pytest.mark.parametrize(
    "more, told",
    [
        ({"dev/kvm": Status.MISSING}, "there is no /dev/kvm; module kvm_intel is not loaded"),
        ({"nestvirt/kvm_ioctl": "error=ENOENT\n"}, "there is no /dev/kvm; module kvm_intel is not loaded"),
        ({"nestvirt/kvm_ioctl": "error=ENODEV\n", **LOADED}, "opening /dev/kvm fails with ENODEV"),
        ({"nestvirt/kvm_ioctl": "api=12\ncreate_vm=EBUSY busy\n", **LOADED}, "KVM_CREATE_VM fails with EBUSY"),
        ({"nestvirt/kvm_ioctl": "api=11\n", **LOADED}, "KVM's interface has version 11, not 12"),
        ({"nestvirt/kvm_ioctl": "api=12\ncreate_vm=ok\n"}, ""),
    ],
)
def test_what_keeps_kvm_from_working_is_said_in_words(more: Mapping[str, str | Status], told: str) -> None:
    """What was seen: the device, the call that failed, the module; not what could not be asked for lack of them."""
    unloaded = {f"sys/module/{name}": Status.MISSING for name in ("kvm", "kvm_intel", "kvm_amd")}
    assert kvm(ON_INTEL, {**unloaded, **more}).failure == told


def test_what_keeps_kvm_from_working_may_be_unknown() -> None:
    """Where nobody may ask, nothing is held against KVM."""
    with pytest.raises(Unobservable, match="permission denied"):
        _ = kvm(ON_INTEL, {"nestvirt/kvm_ioctl": "error=EACCES\n"}).failure


def test_the_error_is_kept() -> None:
    """A busy processor (another hypervisor owns it) is told by name; an answer that stops half-way is none."""
    api = api_of(parse_answers("api=12\ncreate_vm=EBUSY\nnested_state=0\n"))
    assert (api.version, api.create_vm, api.error) == (12, False, "EBUSY")
    assert api_of(parse_answers("api=12\ncreate_vm=ok\nnested_state=4224\n")).nested_state == 4224
    for text in ("error=ENODEV\n", "api=12\n", "api=12\ncreate_vm=ok\nerror=EIO\n"):
        with pytest.raises(Unobservable):
            api_of(parse_answers(text))


def test_a_processor_without_flags_leaves_the_choice_to_the_module() -> None:
    """KVM works also where neither vmx nor svm is seen: the module of the vendor is still the one to read."""
    plain = {**ON_INTEL, "proc/cpuinfo": x86(PLAIN)}
    assert kvm(plain, LOADED).module == "kvm_intel"
