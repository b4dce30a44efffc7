"""What QEMU runs a guest with counts before the definition, and of its command line the last -cpu."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from linux_chains import HOST_PASSTHROUGH, definition, intel, transient, xeon
from machine_sections import guest_of
from recorded_machines import Texts, intel_chain, power9_chain, qemu
from rhel8_trios import l0, l1, unread
from suite_checks import verdict_on

from pytest_nestvirt.facts.libvirt.qemu_argv import QemuProcess
from pytest_nestvirt.facts.libvirt.qemu_cpu import cpu_of_argv
from pytest_nestvirt.observation.fact import Unobservable
from pytest_nestvirt.verdict import Verdict

JAMMY = ("ubuntu", "22.04", "5.15.0-91-generic")
PLAIN, SHOWN = xeon("fpu lm hypervisor"), xeon("fpu lm vmx ept hypervisor")
SWITCHES = st.sampled_from(("+vmx", "-vmx", "vmx=on", "vmx=off", "vmx", "vmx=yes", "vmx=n", "", "+svm", "aes=off"))
CPUS = st.tuples(st.sampled_from(("host", "max", "Haswell", "EPYC")), st.lists(SWITCHES, max_size=6))


def offered_by_qemus_rule(model: str, switches: list[str]) -> bool:
    """Properties are set in their order, then those with plus are switched on, then those with minus off."""
    has = model in {"host", "max"}
    for switch in switches:
        if switch in {"vmx", "vmx=on", "vmx=yes", "vmx=off", "vmx=n"}:
            has = switch not in {"vmx=off", "vmx=n"}
    has = has or "+vmx" in switches
    return has and "-vmx" not in switches


@given(st.lists(CPUS, min_size=1, max_size=3))
def test_switches_are_applied_as_qemu_applies_them(cpus: list[tuple[str, list[str]]]) -> None:
    """Of several -cpu the last replaces the others; minus holds against plus, plus against `f=off`, else the last holds."""
    argv = ["qemu-system-x86_64"]
    for model, switches in cpus:
        argv += ["-cpu", ",".join([model, *switches])]
    assert cpu_of_argv(argv).offers("vmx") is offered_by_qemus_rule(*cpus[-1])


@pytest.mark.parametrize(
    "arguments, offers",
    [
        ("-global host-x86_64-cpu.vmx=off -cpu host", False),
        ("-cpu host -global max-x86_64-cpu.vmx=off", False),
        ("-cpu host,vmx=on -global driver=cpu,property=vmx,value=off", True),
        ("-cpu host -global Haswell-x86_64-cpu.vmx=off", True),
        ("-name -cpu -cpu host", True),
    ],
)
def test_globals_count_as_earlier_switches(arguments: str, offers: bool) -> None:
    """As QEMU 7.2 answers; the name of a guest is not an option."""
    assert cpu_of_argv(["qemu-system-x86_64", *arguments.split()]).offers("vmx") is offers


def handed(*arguments: str, cpu: str = HOST_PASSTHROUGH) -> Texts:
    """A definition with <qemu:commandline>, of which the QEMU process was not collected."""
    listed = "".join(f"<arg value='{argument}'/>" for argument in arguments)
    texts = definition(
        "L1", f"{cpu}<commandline xmlns='http://libvirt.org/schemas/domain/qemu/1.0'>{listed}</commandline>"
    )
    return {**texts, **unread("nestvirt/qemu/")}


def running(cpu: str, accel: str = "kvm") -> Texts:
    """A definition with host-passthrough, and a QEMU with another processor."""
    command = f"/usr/libexec/qemu-kvm -name guest=L1 -machine q35,accel={accel} -cpu host -cpu {cpu}"
    return {**definition("L1", HOST_PASSTHROUGH), **qemu(command)}


@pytest.mark.parametrize(
    "texts, verdict",
    [
        (handed("-cpu", "host,+aes"), Verdict.PASS),
        (handed("-cpu", "Penryn"), Verdict.FAIL),
        (handed("-cpu", "Haswell,vmx=on"), Verdict.FAIL),
        (handed("-cpu", "host,-vmx"), Verdict.FAIL),
        (handed("-global", "host-x86_64-cpu.vmx=off"), Verdict.FAIL),
        (running("host,migratable=on"), Verdict.PASS),
        (running("Cascadelake-Server,+vmx"), Verdict.FAIL),
        (running("max"), Verdict.FAIL),
        (running("host,vmx=off"), Verdict.FAIL),
        (definition("L1", "<cpu mode='host-model'/>", active=HOST_PASSTHROUGH), Verdict.FAIL),
        (transient("L1", HOST_PASSTHROUGH), Verdict.PASS),
    ],
)
def test_rhels_one_form_is_what_runs(texts: Texts, verdict: Verdict) -> None:
    """Host-passthrough in the definition is not enough where QEMU was given another processor after it."""
    found, reason = verdict_on("rhel8", "RHEL8-INTEL-L1-PASSTHROUGH", l0(intel_chain(), texts))
    assert found is verdict, reason


OPTIONAL = "<cpu mode='custom'><model>Haswell</model><feature policy='optional' name='vmx'/></cpu>"
DISABLED = "<cpu mode='host-passthrough'><feature policy='disable' name='vmx'/></cpu>"


@pytest.mark.parametrize(
    "texts, inside, verdict",
    [
        (definition("L1", OPTIONAL), SHOWN, Verdict.PASS),
        (definition("L1", OPTIONAL), PLAIN, Verdict.INCONCLUSIVE),
        (definition("L1", "<cpu mode='custom'><model>Haswell</model></cpu>"), SHOWN, Verdict.PASS),
        (definition("L1", DISABLED), SHOWN, Verdict.FAIL),
        (handed("-cpu", "Haswell,+vmx", cpu=DISABLED), SHOWN, Verdict.PASS),
        (handed("-cpu", "Haswell"), PLAIN, Verdict.FAIL),
        (handed("-cpu", "host,-vmx"), SHOWN, Verdict.FAIL),
    ],
)
def test_ubuntu_asks_for_a_change_only_where_the_flag_is_missing(texts: Texts, inside: Texts, verdict: Verdict) -> None:
    """The form of <cpu> does not matter to a guest that has the extension, unless its next start takes it away."""
    found, reason = verdict_on("ubuntu", "UBU-L1-CPU-MODE", l1(l0(intel(*JAMMY), texts), inside))
    assert found is verdict, reason


def test_an_edit_that_takes_the_extension_away_is_pending() -> None:
    """The guest still shows it, and does not after its next start."""
    named = "<cpu mode='custom'><model>Haswell</model>{}</cpu>"
    active = named.format("<feature policy='require' name='vmx'/>")
    texts = definition("L1", named.format(""), active=active)
    found, reason = verdict_on("ubuntu", "UBU-L1-RESTART", l1(l0(intel(*JAMMY), texts), SHOWN))
    assert (found, "any more" in reason) == (Verdict.FAIL, True)


@pytest.mark.parametrize("cpu, accel", [("host,-vmx", "kvm"), ("Haswell,vmx=off", "kvm"), ("max", "tcg")])
def test_a_guest_that_shows_what_qemu_keeps_from_it_is_a_contradiction(cpu: str, accel: str) -> None:
    """One of the two is of another guest, or of another time."""
    chain = l0(intel("debian", "12", "6.1.0-18-amd64"), running(cpu, accel))
    assert verdict_on("kvm_wiki", "KWIKI-L1-CPU-HOST", l1(chain, SHOWN))[0] is Verdict.INCONCLUSIVE
    assert verdict_on("kvm_wiki", "KWIKI-L1-CPU-HOST", l1(chain, PLAIN))[0] is Verdict.WARN


# ---- POWER


@pytest.mark.parametrize(
    "options, on",
    [
        ("pseries,cap-nested-hv=on", True),
        ("pseries,cap-nested-hv=true", True),
        ("pseries,cap-nested-hv=y", True),
        ("pseries,cap-nested-hv", True),
        ("pseries -machine x-vof=off,cap-nested-hv=yes", True),
        ("pseries,cap-nested-hv=on -M cap-nested-hv=off", False),
        ("pseries,cap-nested-hv=no", False),
        ("pseries,nocap-nested-hv", False),
        ("pseries", None),
    ],
)
def test_switches_of_the_machine_have_every_spelling_of_qemu(options: str, on: bool | None) -> None:
    """The last one holds, over all options -machine and -M."""
    assert QemuProcess(0, ("qemu-kvm", "-machine", *options.split())).switch("cap-nested-hv") is on


def test_other_values_of_a_switch_are_unknown() -> None:
    """QEMU does not start with them."""
    with pytest.raises(Unobservable, match="does not start"):
        QemuProcess(0, ("qemu-kvm", "-machine", "pseries,cap-nested-hv=1")).switch("cap-nested-hv")


def test_an_argument_can_switch_nested_hv_off_again() -> None:
    """<nested-hv state='on'/> comes first on QEMU's command line, and <qemu:commandline> after it."""
    on = "<features><nested-hv state='on'/></features>"
    chain = power9_chain()
    assert verdict_on("rhel8", "RHEL8-P9-NESTED-HV-L1", l0(chain, handed(cpu=on)))[0] is Verdict.PASS
    off = handed("-machine", "cap-nested-hv=off", cpu=on)
    assert verdict_on("rhel8", "RHEL8-P9-NESTED-HV-L1", l0(chain, off))[0] is Verdict.FAIL


# ---- Proxmox VE


def node(lines: str, cpu: str, more: str = "", vendor: str = "GenuineIntel") -> Texts:
    """A node with one machine, 101, called l1."""
    return {
        "nestvirt/proxmox/qm_config_101": f"{lines}\nname: l1\n",
        "nestvirt/proxmox/qm_showcmd_101": f"/usr/bin/kvm -id 101 -name l1 -cpu {cpu} -machine type=q35{more}\n",
        "proc/cpuinfo": f"processor\t: 0\nvendor_id\t: {vendor}\nflags\t\t: fpu\n\n",
    }


@pytest.mark.parametrize(
    "texts, configured, offered",
    [
        (node("cpu: host", "host"), True, True),
        (node("cpu: kvm64\nargs: -cpu 'host,+vmx'", "kvm64", " -cpu host,+vmx"), True, True),
        (node("cpu: host\nargs: -device x -cpu Penryn", "host", " -device x -cpu Penryn"), False, False),
        (node("cpu: host\nargs: -cpu host,-vmx", "host", " -cpu host,-vmx"), False, False),
        (node("cpu: x86-64-v3,flags=+nested-virt", "Haswell,+vmx"), True, True),
        (node("cpu: host,flags=-nested-virt", "host,-vmx"), False, False),
        (node("cpu: x86-64-v3,flags=+nested-virt", "EPYC,+svm", vendor="AuthenticAMD"), True, True),
        (node("cpu: kvm64,flags=+svm", "kvm64,+svm"), False, False),
        (node("cpu: host,hidden=1", "host,kvm=off"), True, True),
        (node("cpu: custom-lab", "Haswell,+vmx"), True, True),
        (node("cpu: max\nkvm: 0", "max", ",accel=tcg"), True, False),
        (node("cpu: max\nkvm: 0", "max", ",accel=tcg", vendor="AuthenticAMD"), True, False),
    ],
)
def test_args_of_proxmox_replace_the_processor(texts: Texts, configured: bool, offered: bool) -> None:
    """By `cpu:` and `args:`, and by what QEMU is started with; without KVM nothing is passed on."""
    pve = guest_of(texts).pve
    assert (pve.configured_for_virtualization, pve.offers_virtualization) == (configured, offered)


def test_types_of_the_node_itself_are_unknown_without_the_command_line() -> None:
    """What custom-lab is made of was not collected; a -cpu in args: replaces it all the same."""
    hidden = {**node("cpu: custom-lab", "host"), **unread("nestvirt/proxmox/qm_showcmd_101")}
    with pytest.raises(Unobservable, match="custom-lab was not collected"):
        _ = guest_of(hidden).pve.configured_for_virtualization
    replaced = {**hidden, "nestvirt/proxmox/qm_config_101": "cpu: custom-lab\nargs: -cpu host\nname: l1\n"}
    assert guest_of(replaced).pve.configured_for_virtualization
