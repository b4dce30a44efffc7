"""Claim: what runs a guest is judged by who knows best; a yes needs agreement, and what no witness shows is unknown."""

from __future__ import annotations

from itertools import product

import pytest
from kvm_wiki_trios import BOOKWORM
from linux_chains import intel
from recorded_machines import Chain, Texts, cpuinfo, domain, guest_of, machines, qemu
from rhel8_trios import l0, l1, l2, unread
from suite_checks import verdict_on

from pytest_nestvirt.derived.runner import runner_of
from pytest_nestvirt.facts.libvirt.domain_state import DomainState, parse_state
from pytest_nestvirt.inventory.host import Provider
from pytest_nestvirt.observation.fact import Unobservable
from pytest_nestvirt.observation.unknown import attempt, if_known
from pytest_nestvirt.verdict import Verdict

CHAIN = intel(*BOOKWORM)
YES, NO, SILENT = "kvm", "not kvm", "silent"

UNSEEN = unread(
    "sys/class/dmi/id/sys_vendor",
    "sys/class/dmi/id/product_name",
    "sys/class/dmi/id/board_vendor",
    "sys/class/dmi/id/bios_vendor",
    "sys/class/dmi/id/product_uuid",
    "nestvirt/systemd-detect-virt_--vm",
    "sos_commands/kernel/dmesg",
    "sos_commands/processor/lscpu",
    "proc/cpuinfo",
)
ARGV = "/usr/bin/qemu-system-x86_64 -name guest=L2 -machine q35 -accel "

PROCESS: dict[str, Texts] = {YES: qemu(ARGV + "kvm"), NO: qemu(ARGV + "tcg"), SILENT: unread("nestvirt/qemu/")}
LIBVIRT: dict[str, Texts] = {
    YES: domain("L2", "<cpu mode='host-passthrough'/>"),
    NO: domain("L2", "<cpu mode='host-passthrough'/>", type_="qemu"),
    SILENT: unread("sos_commands/virsh/virsh_-r_list_--all", "sos_commands/virsh/virsh_-r_dumpxml_L2"),
}
ITSELF: dict[str, Texts] = {
    YES: {**UNSEEN, "nestvirt/systemd-detect-virt_--vm": "kvm\n"},
    NO: {**UNSEEN, **guest_of("vmware", "VMware, Inc.", "VMware7,1")},
    SILENT: UNSEEN,
}
ANSWERS = list(product((YES, NO, SILENT), repeat=3))


def seen(process: str, libvirt: str, itself: str) -> Chain:
    """A chain whose L2 is shown like that by the three."""
    return l2(l1(CHAIN, {**PROCESS[process], **LIBVIRT[libvirt]}), ITSELF[itself])


def right(answers: tuple[str, ...]) -> Verdict:
    """The first that says anything decides a no; a yes takes all that say anything; of silence follows nothing."""
    said = [answer for answer in answers if answer is not SILENT]
    if not said:
        return Verdict.INCONCLUSIVE
    if said[0] is NO:
        return Verdict.FAIL
    return Verdict.PASS if NO not in said else Verdict.INCONCLUSIVE


@pytest.mark.parametrize("answers", ANSWERS, ids=" / ".join)
def test_a_yes_takes_every_witness_and_a_no_the_best_one(answers: tuple[str, str, str]) -> None:
    """Every combination of process, libvirt and guest that agree, disagree or are silent."""
    verdict, reason = verdict_on("kvm_wiki", "KWIKI-TERM-L2", seen(*answers))
    assert verdict is right(answers), reason
    if YES in answers and NO in answers:
        assert "kvm" in reason
        assert ("tcg" in reason) or ("vmware" in reason)


@pytest.mark.parametrize("answers", [each for each in ANSWERS if set(each) != {SILENT}], ids=" / ".join)
def test_an_answer_names_its_witnesses(answers: tuple[str, str, str]) -> None:
    """Whoever shows anything is named with it; who is silent is not."""
    words = str(runner_of(machines(seen(*answers))[2]))
    named = ("its QEMU process on L1", "libvirt on L1", "L2 itself")
    assert [name in words for name in named] == [answer is not SILENT for answer in answers]


@pytest.mark.parametrize(
    "options, possible",
    [
        ("-accel kvm", {"kvm"}),
        ("-enable-kvm", {"kvm"}),
        ("-machine q35,accel=kvm -machine accel=tcg", {"tcg"}),
        ("-enable-kvm -machine accel=tcg", {"tcg"}),
        ("-machine accel=tcg -enable-kvm", {"kvm"}),
        ("-accel kvm -accel tcg", {"kvm", "tcg"}),
        ("-machine accel=kvm:tcg", {"kvm", "tcg"}),
        ("-accel tcg -accel kvm", {"tcg"}),
        ("-machine accel=tcg:kvm", {"tcg"}),
        ("-machine q35", {"tcg"}),
        ("-accel xen", {"xen"}),
        ("-accel tcg,thread=multi", {"tcg"}),
    ],
)
def test_qemu_takes_the_first_accelerator_that_works(options: str, possible: set[str]) -> None:
    """What it was left to choose stays open until another witness narrows it."""
    process = qemu(f"/usr/bin/qemu-system-x86_64 -name guest=L2 {options}")
    chain = l2(l1(CHAIN, {**process, **LIBVIRT[SILENT]}), UNSEEN)
    assert runner_of(machines(chain)[2]).possible == possible
    if len(possible) > 1:
        assert verdict_on("kvm_wiki", "KWIKI-TERM-L2", chain)[0] is Verdict.INCONCLUSIVE
        assert verdict_on("kvm_wiki", "KWIKI-TERM-L2", l2(chain, ITSELF[YES]))[0] is Verdict.PASS


def test_a_program_whose_name_ends_in_kvm_may_fall_back_to_emulation() -> None:
    """RHEL's qemu-kvm without an option prefers KVM; a guest that shows emulation decides which it became."""
    started = qemu("/usr/libexec/qemu-kvm -name L2 -m 2048")
    chain = l2(
        l1(CHAIN, {**started, **LIBVIRT[SILENT]}),
        {**UNSEEN, **cpuinfo("AuthenticAMD", "QEMU TCG CPU", "fpu lm hypervisor")},
    )
    assert runner_of(machines(chain)[2]).possible >= {"tcg"}
    assert verdict_on("kvm_wiki", "KWIKI-TERM-L2", chain)[0] is not Verdict.PASS


def test_a_parent_that_runs_no_qemu_does_not_run_the_guest() -> None:
    """A guest that shows KVM, in a parent of which all processes are known: another machine answered."""
    chain = l2(l1(CHAIN, {**qemu(), **LIBVIRT[SILENT]}), ITSELF[YES])
    verdict, reason = verdict_on("kvm_wiki", "KWIKI-TERM-L2", chain)
    assert verdict is Verdict.INCONCLUSIVE
    assert "no QEMU runs on L1" in reason


def test_a_domain_that_is_shut_off_does_not_run_the_guest() -> None:
    """What answers at its address is something else."""
    chain = l2(l1(CHAIN, {**PROCESS[SILENT], **domain("L2", "<cpu/>", running=False)}), ITSELF[YES])
    verdict, reason = verdict_on("kvm_wiki", "KWIKI-TERM-L2", chain)
    assert verdict is Verdict.INCONCLUSIVE
    assert "libvirt on L1: shut off" in reason


HIDDEN = [
    (qemu("/usr/bin/qemu-system-x86_64 -name guest=L1 -accel kvm -cpu host,kvm=off"), {}),
    (qemu("/usr/bin/qemu-system-x86_64 -name guest=L1 -accel kvm -cpu host,-hypervisor"), {}),
    (unread("nestvirt/qemu/"), domain("L1", "<features><kvm><hidden state='on'/></kvm></features>")),
    (unread("nestvirt/qemu/"), domain("L1", "<os><smbios mode='host'/></os>")),
    (qemu("/usr/bin/qemu-system-x86_64 -name guest=L1 -accel kvm -smbios type=1,manufacturer=Dell,product=R640"), {}),
]
LOOKS = [
    guest_of("qemu", "QEMU", "Standard PC (Q35 + ICH9, 2009)"),
    {**guest_of("none", "Dell Inc.", "PowerEdge R640"), **cpuinfo("GenuineIntel", "Intel Xeon", "fpu lm vmx ept")},
]


@pytest.mark.parametrize("process, defined", HIDDEN)
@pytest.mark.parametrize("look", LOOKS)
def test_a_hypervisor_that_hides_itself_is_known_by_its_parent(process: Texts, defined: Texts, look: Texts) -> None:
    """A guest that is shown something else on purpose neither refutes KVM nor becomes the machine itself."""
    shown = {**look, **unread("sys/class/dmi/id/product_uuid")}
    chain = l1(l0(CHAIN, {**process, **defined}), shown)
    verdict, reason = verdict_on("kvm_wiki", "KWIKI-TERM-L1", chain)
    assert verdict is Verdict.PASS, reason


@pytest.mark.parametrize(
    "configured, itself, expected",
    [
        ("", SILENT, None),
        ("", YES, True),
        ("kvm: 0", SILENT, False),
        ("kvm: 0", YES, None),
        ("kvm: no", SILENT, False),
        ("args: -accel tcg", SILENT, None),
        ("args: -accel tcg", YES, True),
    ],
)
def test_a_configuration_alone_is_no_yes(configured: str, itself: str, expected: bool | None) -> None:
    """Proxmox VE starts its guests with KVM unless `kvm: 0`; what a guest runs on now is not in its configuration."""
    node = {
        **unread("nestvirt/qemu/", "sos_commands/virsh/virsh_-r_list_--all", "sos_commands/virsh/virsh_-r_dumpxml_L1"),
        "nestvirt/proxmox/qm_config_101": f"cpu: host\n{configured}\nname: L1\n",
    }
    chain = (CHAIN[0].having(node, provider=Provider.PROXMOX), *l1(CHAIN, ITSELF[itself])[1:])
    assert if_known(lambda: runner_of(machines(chain)[1]).is_kvm) is expected


# ---- emulation that shows the extension


EMULATED = {
    **qemu("/usr/bin/qemu-system-x86_64 -name guest=L1 -accel tcg"),
    **domain("L1", "<cpu mode='maximum'/>", type_="qemu"),
}


@pytest.mark.parametrize(
    "suite, requirement", [("ubuntu", "UBU-L1-FLAG"), ("stoney", "STONEY-DEF"), ("kvm_wiki", "KWIKI-TERM-L1")]
)
def test_an_emulated_l1_that_shows_the_extension_is_not_a_guest_of_kvm(suite: str, requirement: str) -> None:
    """QEMU emulates vmx and svm; nesting of the host has no part in it."""
    chain = l1(l0(intel("ubuntu", "22.04", "5.15.0-91-generic"), EMULATED), guest_of("qemu", "QEMU", "Standard PC"))
    verdict, reason = verdict_on(suite, requirement, chain)
    assert verdict is Verdict.FAIL, reason
    assert "tcg" in reason


# ---- states


@pytest.mark.parametrize(
    "word", ["running", "idle", "blocked", "running (booted)", "paused (user)", "shutoff", "nostate"]
)
def test_states_by_the_words_of_virsh_and_of_libvirts_files(word: str) -> None:
    """The reason that `virsh domstate --reason` adds changes nothing."""
    runs = {"running": True, "idle": True, "blocked": True, "nostate": None}.get(word.partition(" ")[0], False)
    assert parse_state(word, "here").runs is runs


@pytest.mark.parametrize("word", ["laufend", "en cours d'exécution", "", "Running"])
def test_a_state_in_another_language_is_unknown(word: str) -> None:
    """It is neither running nor not."""
    assert isinstance(attempt(lambda: parse_state(word, "here")), Unobservable)


@pytest.mark.parametrize("state", DomainState)
@pytest.mark.parametrize("where", ["list", "dominfo", "domstate", "domstatus"])
def test_every_state_by_every_section(state: DomainState, where: str) -> None:
    """The L1 runs in two states, it is not known in one, and does not in the rest, whoever shows it."""
    of_file = {DomainState.NO_STATE: "nostate", DomainState.IDLE: "blocked", DomainState.IN_SHUTDOWN: "shutdown"}
    word = of_file.get(state, str(state)).replace("shut off", "shutoff")
    listed = "sos_commands/virsh/virsh_-r_list_--all"
    shown: dict[str, Texts] = {
        "list": {listed: f" Id   Name   State\n-----\n 1    L1   {state}\n"},
        "dominfo": {"sos_commands/virsh/virsh_-r_dominfo_L1": f"Id: 1\nName: L1\nState:          {state}\n"},
        "domstate": {"sos_commands/virsh/virsh_-r_domstate_--reason_L1": f"{state} (unknown)\n"},
        "domstatus": {
            "run/libvirt/qemu/L1.xml": f"<domstatus state='{word}' pid='1'><domain type='kvm'><name>L1</name></domain></domstatus>"
        },
    }
    chain = l0(CHAIN, {**(unread(listed) if where != "list" else {}), **shown[where]})
    found = attempt(lambda: machines(chain)[1].domain.running)
    assert (None if isinstance(found, Unobservable) else found) is state.runs


def test_two_sections_that_disagree_about_a_state_are_named() -> None:
    """Virsh was asked a moment before or after the file was read: neither is believed."""
    file = "<domstatus state='paused'><domain type='kvm'><name>L1</name></domain></domstatus>"
    found = attempt(lambda: machines(l0(CHAIN, {"run/libvirt/qemu/L1.xml": file}))[1].domain.running)
    assert isinstance(found, Unobservable)
    assert "running (sos_commands/virsh/virsh_-r_list_--all), paused (run/libvirt/qemu/L1.xml)" in found.why
