"""Single findings of the Ubuntu, stoney cloud and KVM wiki suites: consequences, defects of documents, superseded claims."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from kvm_wiki_trios import BOOKWORM, ON_Z, STRETCH, started_with
from linux_chains import (
    EXPANDED,
    HOST_MODEL,
    HOST_PASSTHROUGH,
    UNLOADED,
    UUID_L2,
    amd,
    definition,
    epyc,
    identified,
    intel,
    offered,
    transient,
    xeon,
    z,
)
from recorded_machines import KVM_GUEST, NO_KVM, Chain, Texts, machines, modprobe, module, qemu, rhel
from rhel8_trios import denied, l0, l1, l2, unread, windows
from stoney_trios import LINE, NEW, configured
from suite_checks import verdict_on
from ubuntu_trios import BIONIC, JAMMY, NO_XML, OFF, SWITCHED_OFF, shipped_file

from pytest_nestvirt.derived.guest_cpu import describe_cpu_mode
from pytest_nestvirt.verdict import Verdict

PLAIN = xeon("fpu lm hypervisor")
NAMED_TOO = "<cpu mode='host-model' check='partial'><feature policy='require' name='vmx'/></cpu>"
REAL = Path(__file__).parent / "data" / "libvirt-9.0.0"
CHAIN = intel(*JAMMY)


def said(requirement: str, chain: Chain) -> tuple[Verdict, str]:
    """Verdict and reason; the suite follows from the id."""
    folder = {"UBU": "ubuntu", "STONEY": "stoney", "KWIKI": "kvm_wiki"}[requirement.split("-", maxsplit=1)[0]]
    return verdict_on(folder, requirement, chain)


# ---- what follows from the host


@pytest.mark.parametrize("requirement", ["UBU-L1-FLAG", "UBU-L1-FLAG-VENDOR", "STONEY-L1-VMX"])
def test_an_l1_without_the_flag_is_a_consequence_while_nesting_is_off(requirement: str) -> None:
    """The host fails for it; the L1 is blocked, and says what it follows from."""
    verdict, reason = said(requirement, l1(l0(CHAIN, OFF), PLAIN))
    assert verdict is Verdict.BLOCKED
    assert reason.startswith("nesting is off on L0, and what follows from that: ")
    assert said("UBU-NESTED-VALUE", l0(CHAIN, OFF))[0] is Verdict.FAIL


@pytest.mark.parametrize("requirement", ["UBU-L1-FLAG", "UBU-L1-FLAG-VENDOR", "STONEY-L1-VMX"])
def test_it_is_a_finding_of_its_own_where_nesting_is_on_or_unknown(requirement: str) -> None:
    """What may not follow from the host is the L1's own failure."""
    assert said(requirement, l1(CHAIN, PLAIN))[0] is Verdict.FAIL
    assert said(requirement, l1(l0(CHAIN, UNLOADED), PLAIN))[0] is Verdict.FAIL


@pytest.mark.parametrize("requirement", ["STONEY-DEF", "KWIKI-TERM-L1"])
def test_an_l1_without_kvm_is_a_consequence_while_nesting_is_off(requirement: str) -> None:
    """The same for KVM itself."""
    assert said(requirement, l1(l0(CHAIN, OFF), NO_KVM))[0] is Verdict.BLOCKED
    assert said(requirement, l1(CHAIN, NO_KVM))[0] is Verdict.FAIL


# ---- B-07: the flag alone


def test_a_flag_without_kvm_is_inconclusive_until_a_reason_is_found() -> None:
    """A module that nobody loaded is no proof of anything."""
    verdict, reason = said("UBU-L1-FLAG", l1(CHAIN, NO_KVM))
    assert verdict is Verdict.INCONCLUSIVE
    assert "modprobe kvm_intel" in reason


@pytest.mark.parametrize(
    "cause, told",
    [
        (modprobe(local="blacklist kvm_intel\n"), "blacklist kvm_intel (etc/modprobe.d/local.conf:1)"),
        ({"sos_commands/kernel/dmesg": "[2.1] kvm: disabled by bios\n"}, "[2.1] kvm: disabled by bios"),
        (
            {"sos_commands/kernel/dmesg": "[2.1] SVM: KVM is unsupported when running as an SEV guest\n"},
            "KVM is unsupported when running as an SEV guest",
        ),
    ],
    ids=["blacklist", "firmware", "SEV"],
)
def test_a_flag_without_kvm_fails_for_a_known_reason(cause: Texts, told: str) -> None:
    """Where something says why KVM does not work, the flag is worth nothing."""
    verdict, reason = said("UBU-L1-FLAG", l1(CHAIN, {**NO_KVM, **cause}))
    assert verdict is Verdict.FAIL
    assert told in reason


def test_nobody_able_to_ask_kvm_leaves_the_flag_to_decide() -> None:
    """The document asks for the flag; an L1 without Python, or a sosreport, is judged by it."""
    assert said("UBU-L1-FLAG", l1(CHAIN, unread("nestvirt/kvm_ioctl")))[0] is Verdict.PASS


# ---- defaults and their origin


def test_the_distributions_file_makes_the_default_of_18_04() -> None:
    """Kernel 4.15 has nesting off; qemu-system-x86.conf in /etc is Ubuntu's, not the administrator's."""
    chain = l0(intel(*BIONIC), shipped_file())
    assert said("UBU-DEFAULT-ON", chain)[0] is Verdict.PASS
    assert said("UBU-PERSIST-FILE", chain)[0] is Verdict.PASS
    assert said("KWIKI-DISTRO-OVERRIDE", chain)[0] is Verdict.PASS
    assert said("KWIKI-DEFAULT-OFF", chain)[0] is Verdict.PASS


def test_a_module_loaded_by_hand_is_no_default() -> None:
    """On 18.04 without that file nesting that is on was switched on by somebody, and is gone after a boot."""
    verdict, reason = said("UBU-DEFAULT-ON", intel(*BIONIC))
    assert verdict is Verdict.WARN
    assert "has nested=0 as its default" in reason
    assert said("UBU-NO-ACTION-IF-ON", intel(*BIONIC))[0] is Verdict.WARN


@pytest.mark.parametrize("line", ["options kvm_intel nested=1", "options kvm-intel nested=0"])
def test_what_an_administrator_sets_says_nothing_about_the_default(line: str) -> None:
    """The kernel of 22.04 defaults to on, whatever somebody added."""
    chain = l0(CHAIN, {**modprobe(local=f"{line}\n"), **(OFF if line.endswith("0") else {})})
    assert said("UBU-DEFAULT-ON", chain)[0] is Verdict.PASS


def test_the_command_line_wins_over_files() -> None:
    """`kvm-intel.nested=0` there takes nesting away at the next boot."""
    verdict, reason = said("UBU-PERSIST-FILE", l0(CHAIN, {"proc/cmdline": "ro kvm-intel.nested=0\n"}))
    assert verdict is Verdict.FAIL
    assert "proc/cmdline" in reason


@pytest.mark.parametrize(
    "chain, applies",
    [
        (intel(*STRETCH), True),
        (intel("debian", "10", "4.20.1"), False),
        (intel(*BOOKWORM), False),
        (amd(*STRETCH), False),
        (amd("debian", "5", "2.6.26-2-amd64"), True),
        (z(*ON_Z), True),
    ],
    ids=["intel 4.9", "intel 4.20", "intel 6.1", "amd 4.9", "amd 2.6.26", "z 6.1"],
)
def test_claims_about_the_default_end_with_the_kernel_that_changed_it(chain: Chain, applies: bool) -> None:
    """What a later kernel superseded is not held against it; kvm on IBM Z is off to this day."""
    verdict, reason = said("KWIKI-DEFAULT-OFF", chain)
    assert (verdict is not Verdict.NOT_APPLICABLE) is applies, reason


def test_a_superseded_claim_says_which_kernel_it_is_about() -> None:
    """The reason for putting it aside names the version."""
    assert "kernel.version is 5.15.80" in said("STONEY-DEFAULT-OFF", intel(*NEW))[1]


# ---- B-04: a number and a word


def test_a_word_for_a_number_keeps_kvm_amd_from_loading() -> None:
    """What stoney cloud's page writes for AMD: the host fails, and the reason is told, not just `off`."""
    chain = configured(amd(*NEW), "options kvm-amd nested=Y\n")
    for requirement in (
        "STONEY-AMD-CONF",
        "STONEY-AMD-RELOAD",
        "KWIKI-PARAM-VALUES",
        "KWIKI-PERSIST-AMD",
        "UBU-PERSIST-FILE",
    ):
        verdict, reason = said(requirement, chain)
        assert verdict in {Verdict.FAIL, Verdict.WARN}, requirement
        assert "refuses to load" in reason, requirement


@pytest.mark.parametrize("value", ["1", "0x1", "2"])
def test_any_number_but_zero_will_do_for_kvm_amd(value: str) -> None:
    """As the kernel reads it."""
    assert said("STONEY-AMD-CONF", configured(amd(*NEW), f"options kvm-amd nested={value}\n"))[0] is Verdict.PASS


def test_kvm_intel_takes_the_word() -> None:
    """There the parameter is a bool."""
    assert said("STONEY-INTEL-CONF", configured(intel(*NEW), LINE))[0] is Verdict.PASS
    assert said("KWIKI-PARAM-VALUES", configured(intel(*NEW), LINE))[0] is Verdict.PASS


# ---- the definition of an L1


@pytest.mark.parametrize(
    "texts, verdict",
    [
        (definition("L1", HOST_PASSTHROUGH), Verdict.PASS),
        (definition("L1", "<cpu mode='maximum'/>"), Verdict.PASS),
        (definition("L1", HOST_MODEL, active=EXPANDED.format("")), Verdict.PASS),
        (definition("L1", "<cpu><model>Haswell</model><feature policy='require' name='vmx'/></cpu>"), Verdict.PASS),
        (definition("L1", "<cpu><model>Haswell</model></cpu>"), Verdict.PASS),
        (definition("L1", "<cpu mode='host-passthrough'><feature policy='disable' name='vmx'/></cpu>"), Verdict.FAIL),
        (definition("L1", HOST_MODEL + HOST_MODEL), Verdict.FAIL),
        (transient("L1", HOST_PASSTHROUGH), Verdict.PASS),
        (transient("L1", EXPANDED.format("<feature name='vmx'/>")), Verdict.INCONCLUSIVE),
    ],
    ids=["passthrough", "maximum", "expanded", "named", "bare", "declined", "two", "transient", "transient-expanded"],
)
def test_ubuntus_two_modes(texts: Texts, verdict: Verdict) -> None:
    """The stored definition counts; a model without vmx conforms where the instance shows it, which is all that the page asks."""
    found, reason = said("UBU-L1-CPU-MODE", l0(CHAIN, texts))
    assert found is verdict, reason


def test_svm_that_is_taken_away_on_intel_harms_nothing() -> None:
    """Only the extension of the host's own processor counts."""
    texts = definition("L1", "<cpu mode='host-passthrough'><feature policy='disable' name='svm'/></cpu>")
    assert said("UBU-L1-CPU-MODE", l0(CHAIN, texts))[0] is Verdict.PASS


@pytest.mark.parametrize(
    "texts, inside, verdict",
    [
        (definition("L1", HOST_PASSTHROUGH, active=HOST_MODEL), {}, Verdict.FAIL),
        (definition("L1", HOST_MODEL, active=HOST_PASSTHROUGH), {}, Verdict.FAIL),
        (definition("L1", HOST_MODEL, active=EXPANDED.format("")), {}, Verdict.PASS),
        (definition("L1", HOST_MODEL, active=EXPANDED.format("")), PLAIN, Verdict.INCONCLUSIVE),
        (definition("L1", NAMED_TOO, active=EXPANDED.format("")), PLAIN, Verdict.FAIL),
        (definition("L1", HOST_PASSTHROUGH), PLAIN, Verdict.FAIL),
        (definition("L1", "<os/>", active="<cpu><model>qemu64</model></cpu>"), PLAIN, Verdict.PASS),
        (transient("L1", HOST_PASSTHROUGH), {}, Verdict.INCONCLUSIVE),
    ],
    ids=[
        *("to-passthrough", "to-host-model", "expanded", "expanded-without", "demanded", "passthrough-without"),
        *("default", "transient"),
    ],
)
def test_an_edit_takes_effect_with_the_next_start(texts: Texts, inside: Texts, verdict: Verdict) -> None:
    """Running and stored definition are compared, libvirt's own rewriting left aside."""
    found, reason = said("UBU-L1-RESTART", l1(l0(CHAIN, texts), inside))
    assert found is verdict, reason


def started_from(defined: str, inside: Texts) -> Chain:
    """A chain of EPYCs whose L1 libvirt 9.0.0 had just started from that definition; `inside` is what the L1 shows."""
    dumps = {kind: (REAL / f"{defined}.{kind}.xml").read_text(encoding="utf-8") for kind in ("active", "inactive")}
    host: Texts = {
        "sos_commands/virsh/virsh_-r_list_--all": " Id   Name   State\n----------------------\n 1    l1     running\n\n",
        "sos_commands/virsh/virsh_-r_dumpxml_l1": dumps["active"],
        "sos_commands/virsh/virsh_-r_dumpxml_--inactive_l1": dumps["inactive"],
    }
    first, second, *_ = l1(l0(amd(*JAMMY), host), inside)
    return first, replace(second, name="l1")


def test_a_host_model_that_gives_no_svm_is_no_missed_restart() -> None:
    """The L1 was started from the very definition that it has: that it lacks svm proves nothing against the start."""
    verdict, reason = said("UBU-L1-RESTART", started_from("host-model", epyc("fpu lm hypervisor")))
    assert verdict is Verdict.INCONCLUSIVE
    assert "decided at each start" in reason
    assert said("UBU-L1-RESTART", started_from("host-model", epyc("fpu lm svm hypervisor")))[0] is Verdict.PASS
    assert said("UBU-L1-RESTART", started_from("host-passthrough", epyc("fpu lm svm hypervisor")))[0] is Verdict.PASS
    assert said("UBU-L1-RESTART", started_from("no-cpu", epyc("fpu lm hypervisor")))[0] is Verdict.PASS


@pytest.mark.parametrize("inside", [epyc("fpu lm hypervisor"), denied("proc/cpuinfo")], ids=["flags", "definition"])
def test_a_host_model_that_gives_no_svm_is_not_vouched_for(inside: Texts) -> None:
    """The page takes host-model to be enough; the running domain counts, by its own flags or by its definition."""
    chain = started_from("host-model", inside)
    verdict, reason = said("UBU-L1-CPU-MODE", chain)
    assert verdict is Verdict.INCONCLUSIVE
    assert "it runs with EPYC without svm" in reason
    off = l0(chain, {"sys/module/kvm_amd/parameters/nested": "0\n"})
    assert said("UBU-L1-CPU-MODE", off)[0] is Verdict.BLOCKED
    assert said("UBU-L1-CPU-MODE", started_from("host-model", epyc("fpu lm svm hypervisor")))[0] is Verdict.PASS


def test_a_host_model_is_not_vouched_for_where_only_the_guest_tells() -> None:
    """Nobody said which domains run; what the L1 shows of its own processors is enough."""
    unlisted = l0(
        started_from("host-model", epyc("fpu lm hypervisor")), unread("sos_commands/virsh/virsh_-r_list_--all")
    )
    verdict, reason = said("UBU-L1-CPU-MODE", unlisted)
    assert verdict is Verdict.INCONCLUSIVE
    assert "it runs without svm" in reason


def test_a_host_model_that_is_not_running_is_what_the_page_asks_for() -> None:
    """Nothing shows what it becomes."""
    stopped = {"sos_commands/virsh/virsh_-r_list_--all": " Id   Name   State\n---\n -    L1     shut off\n"}
    chain = l1(l0(CHAIN, {**definition("L1", HOST_MODEL), **stopped}), denied("proc/cpuinfo"))
    assert said("UBU-L1-CPU-MODE", chain)[0] is Verdict.PASS


@pytest.mark.parametrize(
    "defined, told",
    [
        ("host-model", "mode custom (defined as host-model)"),
        ("no-cpu", "mode custom"),
    ],
)
def test_a_mode_is_told_as_it_was_written_too(defined: str, told: str) -> None:
    """Somebody who wrote host-model does not know of `custom`."""
    chain = started_from(defined, epyc("fpu lm hypervisor"))
    assert (
        verdict_on("rhel8", "RHEL8-AMD-L1-PASSTHROUGH", l0(chain, rhel("8.8")))[1] == f"the domain's <cpu> has {told}"
    )


def test_a_mode_that_was_never_written_is_told_so() -> None:
    """Older libvirt stores no <cpu> where none was given."""
    texts = definition("L1", "<os/>", active="<cpu><model>qemu64</model></cpu>")
    chain = machines(l0(CHAIN, texts))
    assert describe_cpu_mode(chain[1]) == "custom (defined without <cpu>)"
    assert describe_cpu_mode(machines(l0(CHAIN, NO_XML))[1]) == "unknown"
    assert describe_cpu_mode(machines(l0(CHAIN, transient("L1", HOST_PASSTHROUGH)))[1]) == "host-passthrough"


def test_an_edit_that_nesting_would_need_is_a_consequence_while_it_is_off() -> None:
    """host-model gives no vmx on a host that does not nest; a restart of the L1 would change nothing."""
    texts = definition("L1", HOST_MODEL, active=EXPANDED.format(""))
    assert said("UBU-L1-RESTART", l1(l0(CHAIN, {**texts, **OFF}), PLAIN))[0] is Verdict.BLOCKED


def test_a_domain_that_does_not_run_was_not_started() -> None:
    """The last step is missing."""
    stopped = {"sos_commands/virsh/virsh_-r_list_--all": " Id   Name   State\n---\n -    L1     shut off\n"}
    assert said("UBU-L1-RESTART", l0(CHAIN, stopped))[0] is Verdict.FAIL


# ---- QEMU's own words


@pytest.mark.parametrize(
    "cpu, host, named",
    [
        ("host", Verdict.PASS, Verdict.PASS),
        ("host,-vmx", Verdict.WARN, Verdict.WARN),
        ("max", Verdict.PASS, Verdict.PASS),
        ("Haswell-noTSX-IBRS,vmx=on", Verdict.PASS, Verdict.PASS),
        ("Nehalem,+vmx", Verdict.PASS, Verdict.PASS),
        ("Nehalem,vmx=off", Verdict.WARN, Verdict.WARN),
        ("Nehalem", Verdict.WARN, Verdict.WARN),
        ("EPYC,svm=on", Verdict.WARN, Verdict.WARN),
    ],
)
def test_processors_of_the_wiki(cpu: str, host: Verdict, named: Verdict) -> None:
    """`-cpu host`, or a named model that has the extension of this vendor by name."""
    chain = l0(l1(intel(*BOOKWORM), PLAIN), started_with(cpu))
    assert said("KWIKI-L1-CPU-HOST", chain)[0] is host
    assert said("KWIKI-L1-NAMED-MODEL", chain)[0] is named


def test_without_a_cpu_option_qemu_has_its_default() -> None:
    """qemu64 does not give vmx."""
    chain = l0(l1(intel(*BOOKWORM), PLAIN), qemu("/usr/bin/kvm -name guest=L1 -machine pc,accel=kvm"))
    assert "QEMU's default" in said("KWIKI-L1-CPU-HOST", chain)[1]


def test_the_guests_own_flags_settle_what_the_command_line_leaves_open() -> None:
    """An L1 that shows the extension has it, however it came by it."""
    chain = l0(intel(*BOOKWORM), started_with("Nehalem"))
    assert said("KWIKI-L1-CPU-HOST", chain)[0] is Verdict.PASS


# ---- where a guest is


def test_a_guest_that_shows_another_uuid_is_another_machine() -> None:
    """The inventory's address leads somewhere else: nothing that it shows is about this chain."""
    verdict, reason = said("KWIKI-TERM-L1", l1(intel(*BOOKWORM), identified(UUID_L2)))
    assert verdict is Verdict.FAIL
    assert "L1 is another machine than the one that its parent runs" in reason


def test_an_old_kernels_order_of_bytes_is_no_other_machine() -> None:
    """Kernels before 4.2 print the first three fields of DMI's UUID turned round."""
    swapped = identified("de521a3c-407b-0c4f-9d51-2f6c0e8b7a11")
    assert said("KWIKI-TERM-L1", l1(intel(*BOOKWORM), swapped))[0] is Verdict.PASS


def test_a_windows_l2_is_judged_by_what_its_l1_shows() -> None:
    """It does not show what it runs on; the QEMU of its name in the L1 does."""
    chain = (*intel(*BOOKWORM)[:2], windows(17763))
    assert said("KWIKI-TERM-L2", chain)[0] is Verdict.PASS
    argv = qemu("/usr/bin/qemu-system-x86_64 -name guest=L2 -machine q35,accel=tcg")
    verdict, reason = said("KWIKI-TERM-L2", l1(chain, argv))
    assert verdict is Verdict.FAIL
    assert "its QEMU process on L1: tcg" in reason


def test_a_guest_whose_firmware_differs_from_its_hosts_model_is_still_a_kvm_guest() -> None:
    """Who made the machine is not what runs it."""
    assert (
        said("KWIKI-TERM-L2", l2(intel(*BOOKWORM), {**KVM_GUEST, **unread("sys/class/dmi/id/product_uuid")}))[0]
        is Verdict.PASS
    )


# ---- what is in effect


def test_configuration_that_is_not_in_effect_is_pending() -> None:
    """The value that modprobe would give differs from the one that runs."""
    off = configured(intel(*NEW), "options kvm-intel nested=N\n")
    verdict, reason = said("STONEY-INTEL-RELOAD", off)
    assert verdict is Verdict.FAIL
    assert "etc/modprobe.d/nested-virtualization.conf:1" in reason
    assert said("STONEY-INTEL-RELOAD", l0(off, {"sys/module/kvm_intel/parameters/nested": "N\n"}))[0] is Verdict.PASS


def test_a_default_that_is_not_in_effect_is_pending_too() -> None:
    """Nobody sets it, the kernel defaults to on, and it is off: somebody loaded the module so."""
    assert said("STONEY-INTEL-RELOAD", l0(intel(*NEW), OFF))[0] is Verdict.FAIL


def test_shadow_vmcs_that_the_processor_lacks_is_not_pending() -> None:
    """The kernel ignores what is asked for there."""
    lacking = {
        **xeon("fpu lm vmx ept\nvmx flags\t: ept vpid"),
        "sys/module/kvm_intel/parameters/enable_shadow_vmcs": "N\n",
    }
    chain = l0(configured(intel(*NEW), LINE), lacking)
    for requirement in ("STONEY-INTEL-RELOAD", "STONEY-SHADOW-VMCS-ON", "STONEY-SHADOW-VMCS-IGNORED"):
        assert said(requirement, chain)[0] is Verdict.PASS, requirement


def test_shadow_vmcs_switched_off_on_purpose_is_no_deviation() -> None:
    """The page allows it where it makes trouble."""
    chain = configured(intel(*NEW), "options kvm-intel nested=Y enable_shadow_vmcs=N\n")
    chain = l0(chain, {"sys/module/kvm_intel/parameters/enable_shadow_vmcs": "N\n"})
    for requirement in (
        "STONEY-SHADOW-VMCS-ON",
        "STONEY-SHADOW-VMCS-DISABLE",
        "STONEY-INTEL-CONF",
        "STONEY-INTEL-RELOAD",
    ):
        assert said(requirement, chain)[0] is Verdict.PASS, requirement


def test_libvirt_need_not_offer_vmx_while_nesting_is_off() -> None:
    """The claim begins with a hypervisor that nests."""
    assert said("STONEY-LIBVIRT-AUTO", l0(intel(*NEW), {**offered("ss"), **OFF}))[0] is Verdict.PASS


# ---- what cannot be said


@pytest.mark.parametrize("requirement", ["UBU-NESTED-VALUE", "UBU-NESTED-PARAM-PATH", "KWIKI-PARAM-VALUES"])
def test_a_module_that_is_not_loaded_is_neither_on_nor_off(requirement: str) -> None:
    """A missing file is no answer."""
    verdict, reason = said(requirement, l0(CHAIN, UNLOADED))
    assert verdict is Verdict.INCONCLUSIVE
    assert "not loaded" in reason


def test_an_unreadable_configuration_does_not_persist_nor_fail_to() -> None:
    """Whoever may not list /etc/modprobe.d knows nothing of the next boot."""
    chain = l0(intel(*BIONIC), denied("etc/modprobe.d/"))
    assert said("UBU-PERSIST-FILE", chain)[0] is Verdict.INCONCLUSIVE
    assert said("STONEY-INTEL-CONF", chain)[0] is Verdict.INCONCLUSIVE


def test_hygon_and_zhaoxin_use_the_modules_of_others() -> None:
    """Their extension and module are those of AMD and of Intel."""
    hygon = amd(*JAMMY)
    texts = {"proc/cpuinfo": str(epyc()["proc/cpuinfo"]).replace("AuthenticAMD", "HygonGenuine")}
    assert said("UBU-MODULE-AMD", l0(hygon, texts))[0] is Verdict.PASS
    assert said("UBU-MODULE-INTEL", l0(hygon, texts))[0] is Verdict.NOT_APPLICABLE
    assert said("UBU-L1-FLAG-VENDOR", l0(hygon, texts))[0] is Verdict.PASS


def test_switching_off_by_a_later_file_counts() -> None:
    """Files are read by name; the last word wins."""
    chain = l0(CHAIN, {**SWITCHED_OFF, **module("kvm_intel", nested="Y")})
    assert "zz.conf:1" in said("UBU-PERSIST-FILE", chain)[1]
