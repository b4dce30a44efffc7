"""Facts about a Proxmox VE node, and about a guest by its configuration and by the command line made of it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from machine_sections import Sections, guest_of, machine

from pytest_nestvirt.facts.providers.qm import parse_config, parse_cpu, parse_showcmd
from pytest_nestvirt.observation.fact import Unobservable
from pytest_nestvirt.snapshot.snapshot import Status

CONFIG = "cores: 4\ncpu: host,flags=+aes;-pcid\nmachine: q35\nmemory: 16384\nname: l1\n\n[snap1]\ncpu: kvm64\n"
SHOWCMD = (
    "/usr/bin/kvm -id 101 -name 'l1,debug-threads=on' -no-shutdown -daemonize -smp '4,sockets=1,cores=4' -nodefaults "
    "-cpu host,+aes,+kvm_pv_eoi,+kvm_pv_unhalt,-pcid -m 16384 -machine 'type=q35+pve0'\n"
)
INTEL = "processor\t: 0\nvendor_id\t: GenuineIntel\nflags\t\t: fpu vmx ept\n\n"


def node(cpu: str, showcmd: str | Status = SHOWCMD, **more: str) -> Sections:
    """A node with one machine, 101, called l1."""
    return {
        "nestvirt/proxmox/qm_config_101": f"{cpu}\nname: l1\n",
        "nestvirt/proxmox/qm_showcmd_101": showcmd,
        "proc/cpuinfo": INTEL,
        **more,
    }


def asked(cpu: str) -> str:
    """A command line with that processor."""
    return f"/usr/bin/kvm -id 101 -name l1,debug-threads=on -cpu {cpu} -m 4096\n"


@pytest.mark.parametrize(
    "text, version",
    [
        ("pve-manager/8.2.2/9355359cd7afbae4 (running kernel: 6.8.4-2-pve)\n", (8, 2, 2)),
        ("pve-manager/6.4-13/9f411e79 (running kernel: 5.4.128-1-pve)\n", (6, 4, 13)),
        ("pve-manager/5.4-3/0a6eaa62 (running kernel: 4.15.18-12-pve)\n", (5, 4, 3)),
        ("pve-manager/8.0.0~8/61cf3e3d9af500c2 (running kernel: 6.2.16-1-pve)\n", (8, 0, 0)),
    ],
)
def test_version_is_that_of_the_manager(text: str, version: tuple[int, ...]) -> None:
    """Both ways of writing a release give integers."""
    assert machine({"nestvirt/proxmox/pveversion": text}).proxmox.version == version


@pytest.mark.parametrize("text", ["", "proxmox-ve: 8.2.0", "pve-manager/unknown/0"])
def test_version_is_not_guessed(text: str) -> None:
    """What names no release of the manager is none."""
    with pytest.raises(Unobservable):
        _ = machine({"nestvirt/proxmox/pveversion": text}).proxmox.version


@pytest.mark.parametrize(
    "line, kind, flags",
    [
        ("host", "host", {}),
        ("cputype=host", "host", {}),
        ("host,flags=+aes", "host", {"aes": True}),
        ("kvm64,flags=+pcid;-aes", "kvm64", {"pcid": True, "aes": False}),
        ("flags=+nested-virt,cputype=x86-64-v3", "x86-64-v3", {"nested-virt": True}),
        ("custom-lab,hidden=1,phys-bits=host", "custom-lab", {}),
        ("", "kvm64", {}),
    ],
)
def test_cpu_line_follows_the_grammar(line: str, kind: str, flags: dict[str, bool]) -> None:
    """`[[cputype=]TYPE][,flags=+A;-B]`, in any order; kvm64 where nothing is written."""
    cpu = parse_cpu(line, "100.conf")
    assert (cpu.type, cpu.flags) == (kind, flags)


@pytest.mark.parametrize("line", ["host,flags=aes", "host,vmx", "cputype=", ",host"])
def test_other_cpu_lines_are_unknown(line: str) -> None:
    """A line that Proxmox would refuse names no processor."""
    with pytest.raises(Unobservable):
        parse_cpu(line, "100.conf")


def test_a_guest_is_found_by_name_and_by_number() -> None:
    """Snapshots in a configuration do not count."""
    for domain in ("l1", "101"):
        pve = guest_of({**node(""), "nestvirt/proxmox/qm_config_101": CONFIG}, domain).pve
        assert (pve.cpu_type, pve.cpu_flags) == ("host", {"aes": True, "pcid": False})
        assert pve.showcmd_cpu == "host,+aes,+kvm_pv_eoi,+kvm_pv_unhalt,-pcid"
        assert pve.offers_virtualization


@pytest.mark.parametrize(
    "cpu, offers",
    [
        ("host,+kvm_pv_eoi", True),
        ("host,-vmx", False),
        ("host,vmx=off", False),
        ("max", True),
        ("kvm64,enforce,+kvm_pv_eoi", False),
        ("qemu64,+aes,enforce,+popcnt", False),
        ("Skylake-Client,+vmx", True),
        ("kvm64,+svm", False),
        ("EPYC", False),
    ],
)
def test_the_command_line_tells_what_is_offered(cpu: str, offers: bool) -> None:
    """The processor with the extension of the node's vendor; another vendor's is no use."""
    assert guest_of(node("cpu: host", asked(cpu))).pve.offers_virtualization is offers


def test_the_running_process_goes_before_the_plan() -> None:
    """A machine that was started before its processor was changed still has the old one."""
    argv = "/usr/bin/kvm\n-id\n101\n-name\nl1,debug-threads=on\n-cpu\nkvm64,+kvm_pv_eoi\n"
    sections = node("cpu: host", asked("host"), **{"nestvirt/qemu/": "4711\n", "nestvirt/qemu/4711": argv})
    assert guest_of(sections).pve.offers_virtualization is False
    assert guest_of(sections).pve.showcmd_cpu == "host"


@pytest.mark.parametrize("missing", [Status.FAILED, Status.MISSING, "ERROR: no such VM\n"])
@pytest.mark.parametrize(
    "lines, offers",
    [
        ("cpu: host", True),
        ("cpu: x86-64-v2-AES,flags=+nested-virt", True),
        ("cpu: x86-64-v2-AES", False),
        ("ostype: l26", False),
        ("cpu: host,flags=-nested-virt", False),
        ("cpu: host\nkvm: 0", False),
        ("cpu: kvm64\nargs: -cpu 'host,-hypervisor'", True),
        ("cpu: host\nargs: -global host-x86_64-cpu.vmx=off", False),
        ("cpu: host\nargs: -accel tcg", False),
        ("cpu: host\nargs: -machine accel=kvm", True),
        ("ostype: l26\nname: l1\n\n[before]\ncpu: host", False),
    ],
)
def test_without_the_command_line_the_configuration_decides(lines: str, offers: bool, missing: str | Status) -> None:
    """It is what QEMU is started with next; a snapshot of it is not."""
    sections = {**node("", missing), "nestvirt/proxmox/qm_config_101": f"name: l1\n{lines}\n"}
    assert guest_of(sections).pve.offers_virtualization is offers


def test_without_the_command_line_some_configurations_are_unknown() -> None:
    """A type that the node defines itself, an accelerator in `args:`, and a command line that was cut off."""
    custom, cut_off = node("cpu: custom-lab", Status.MISSING), node("cpu: host", "/usr/bin/kvm -id 101\n")
    choice = node("cpu: host\nargs: -accel kvm -accel tcg", Status.MISSING)
    for sections in (custom, cut_off, choice):
        with pytest.raises(Unobservable):
            _ = guest_of(sections).pve.offers_virtualization


def test_unknown_vendors_decide_nothing_alone() -> None:
    """Without the node's processors only what holds for both vendors is known."""
    sections = {**node("", asked("kvm64,+svm")), "proc/cpuinfo": Status.DENIED}
    with pytest.raises(Unobservable, match="vendor"):
        _ = guest_of(sections).pve.offers_virtualization
    assert guest_of({**sections, "nestvirt/proxmox/qm_showcmd_101": asked("host")}).pve.offers_virtualization


def test_unknown_guests_are_named() -> None:
    """The message says what was looked for and where."""
    with pytest.raises(Unobservable, match="named other on hv"):
        _ = guest_of(node("cpu: host"), "other").pve.cpu_type
    with pytest.raises(Unobservable):
        _ = guest_of({}).pve.cpu_type
    with pytest.raises(Unobservable, match="not a guest"):
        _ = machine({}).pve.cpu_type


def test_two_of_one_name_are_known_by_number() -> None:
    """A name that two machines have finds neither."""
    sections = {**node("cpu: host"), "nestvirt/proxmox/qm_config_102": "name: l1\ncpu: kvm64\n"}
    assert set(machine(sections).proxmox.vms) == {"101", "102"}
    with pytest.raises(Unobservable):
        _ = guest_of(sections, "l1").pve.cpu_type
    assert guest_of(sections, "102").pve.cpu_type == "kvm64"


@settings(max_examples=100)
@given(st.text(max_size=120))
def test_any_text_is_parsed_or_unknown(text: str) -> None:
    """No output crashes a parser; a processor that was parsed stands in it."""
    for parse in (parse_config, parse_showcmd):
        try:
            parse(text, 1, "here")
        except Unobservable:
            continue
    try:
        cpu = parse_cpu(text, "here")
    except Unobservable:
        return
    assert cpu.type in text or cpu.type == "kvm64"
    assert all(flag in text for flag in cpu.flags)


@pytest.mark.parametrize(
    "lines, vcpus, memory",
    [("cores: 4\nsockets: 2\nmemory: 16384", 8, 16384), ("memory: current=2048", 1, 2048), ("", 1, 512)],
)
def test_size_is_that_of_the_configuration(lines: str, vcpus: int, memory: int) -> None:
    """Cores times sockets; Proxmox' defaults where nothing is written."""
    pve = guest_of(node(lines)).pve
    assert (pve.vcpus, pve.memory_mib) == (vcpus, memory)


def test_sizes_that_are_no_numbers_are_unknown() -> None:
    """A mangled line is not the default."""
    with pytest.raises(Unobservable):
        _ = guest_of(node("cores: many")).pve.vcpus
