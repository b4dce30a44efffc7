"""Claim: `cpu.nested` is whether the processor has what nested KVM needs, and never yes in doubt."""

from __future__ import annotations

import pytest
from cpuinfo_texts import AMD, ARM, INTEL, PLAIN, RISCV, VMX_FLAGS, cpu_of, kvm_power, power, x86, z
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_nestvirt.facts.kernel.cpuinfo import parse
from pytest_nestvirt.facts.processor.capability import nested_capability
from pytest_nestvirt.facts.processor.cpu import Capable, Cpu
from pytest_nestvirt.observation.fact import Reader, Unobservable, observing
from pytest_nestvirt.snapshot.snapshot import Section, Snapshot, Status

WITHOUT_EPT = INTEL.replace(" ept ", " ")

ANSWERS = {
    "Intel with vmx and ept": (x86(cpus=2), Capable.YES, "vmx and ept on all 2"),
    "Intel of 2009, vmx without ept": (x86(WITHOUT_EPT), Capable.NO, "ept on 0 of 1"),
    "Intel, ept only in the line vmx flags": (x86(WITHOUT_EPT, vmx_flags=VMX_FLAGS), Capable.YES, "vmx and ept"),
    "Intel, vmx only as a label": (x86(PLAIN, vmx_flags=VMX_FLAGS), Capable.NO, "vmx on 0 of 1"),
    "Intel, ept_ad is another token": (x86("fpu vmx ept_ad ept_x_only"), Capable.NO, "ept on 0 of 1"),
    "Intel with AMD's flags": (x86(AMD), Capable.NO, "vmx on 0 of 1"),
    "AMD with svm and npt": (x86(AMD, vendor="AuthenticAMD"), Capable.YES, "svm and npt"),
    "AMD of 2008, svm without npt": (x86("fpu lm svm", vendor="AuthenticAMD"), Capable.NO, "npt on 0 of 1"),
    "AMD with Intel's flags": (x86(INTEL, vendor="AuthenticAMD"), Capable.NO, "svm on 0 of 1"),
    "one vendor with both vendors' flags": (x86(f"{INTEL} svm npt"), Capable.UNKNOWN, "no processor has"),
    "no vendor, Intel's flags": (x86(vendor=None), Capable.YES, "vmx and ept"),
    "vendor masked, AMD's flags": (x86(AMD, vendor="unknown"), Capable.YES, "svm and npt"),
    "no vendor, no extension": (x86(PLAIN, vendor=None), Capable.NO, "no vendor named"),
    "no vendor, both extensions": (x86(f"{INTEL} svm npt", vendor=None), Capable.UNKNOWN, "both"),
    "Hygon with AMD's flags": (x86(AMD, vendor="HygonGenuine"), Capable.UNKNOWN, "Intel and AMD only"),
    "Zhaoxin with Intel's flags": (x86(vendor="  Shanghai  "), Capable.UNKNOWN, "Intel and AMD only"),
    "Centaur without flags": (x86(PLAIN, vendor="CentaurHauls"), Capable.NO, "neither"),
    "User Mode Linux shows the host's flags": (x86(vendor="User Mode Linux"), Capable.UNKNOWN, "Intel and AMD only"),
    "second processor without ept": (x86([INTEL, WITHOUT_EPT]), Capable.NO, "ept on 1 of 2"),
    "second processor without flags": (x86([INTEL, None]), Capable.UNKNOWN, "1 of 2 processors have no readable"),
    "processors without flags": (x86([None]), Capable.UNKNOWN, "no readable"),
    "flags in capitals": (x86(INTEL.upper()), Capable.UNKNOWN, "no readable"),
    "processors of two vendors": (x86() + x86(AMD, vendor="AuthenticAMD"), Capable.NO, "several vendors"),
    "second processor hides its vendor": (x86() + x86(vendor=None), Capable.UNKNOWN, "not every processor"),
    "IBM Z with sie": (z(), Capable.YES, "sie"),
    "IBM Z without sie": (z("esan3 zarch vx"), Capable.NO, "no sie"),
    "IBM Z of 2004 without a line of features": (z(None), Capable.UNKNOWN, "no readable"),
    "POWER9 bare metal": (power(), Capable.YES, "POWER9"),
    "POWER9 guest of KVM": (kvm_power("POWER9 (architected)"), Capable.YES, "POWER9"),
    "POWER9 guest, raw": (kvm_power("POWER9 (raw)"), Capable.YES, "POWER9"),
    "POWER9 as POWER8": (kvm_power("POWER8 (architected)"), Capable.NO, "compatibility"),
    "POWER9 with the hash MMU": (power(mmu="Hash"), Capable.NO, "hash"),
    "POWER9, MMU not named": (power(mmu=None), Capable.UNKNOWN, "radix"),
    "POWER9 without version register": (power(pvr=None), Capable.UNKNOWN, "missing"),
    "POWER8E host": (power("POWER8E (raw), altivec supported", "004b 0201"), Capable.NO, "POWER8 is not POWER9"),
    "POWER7": (power("POWER7 (raw), altivec supported", "003f 0203"), Capable.NO, "POWER7 is not POWER9"),
    "POWER10 as POWER9": (power("POWER9 (architected), altivec supported", "0080 0200"), Capable.NO, "POWER10"),
    "PowerBook": (power("7447A, altivec supported", "8003 0101", platform="PowerMac", mmu=None), Capable.NO, "7447A"),
    "Arm": (ARM, Capable.NO, "this is arm"),
    "RISC-V": (RISCV, Capable.NO, "this is riscv"),
    "Itanium by Intel": (
        "processor  : 0\nvendor     : GenuineIntel\narch       : IA-64\nfeatures   : branchlong\n",
        Capable.NO,
        "ia64",
    ),
    "LoongArch": (
        "system type\t: generic\n\nprocessor\t: 0\nCPU Family\t: Loongson-64bit\nISA\t: loongarch64\nFeatures\t: lvz\n",
        Capable.NO,
        "loongarch",
    ),
    "UltraSPARC": ("cpu\t\t: UltraSparc T1 (Niagara)\ntype\t\t: sun4v\n", Capable.NO, "sparc"),
    "MIPS": ("system type\t\t: MIPS Malta\nprocessor\t\t: 0\ncpu model\t\t: MIPS 24Kc\n", Capable.NO, "mips"),
    "Alpha": ("cpu\t\t\t: Alpha\ncpu model\t\t: EV6\n", Capable.NO, "alpha"),
    "68040": ("CPU:\t\t68040\nMMU:\t\t68040\nCalibration:\t1 loops\n", Capable.NO, "m68k"),
    "ARMv7 of old": (
        "Processor\t: ARMv7 Processor rev 4 (v7l)\nFeatures\t: swp half thumb\nCPU architecture: 7\n",
        Capable.NO,
        "arm",
    ),
    "empty": ("", Capable.UNKNOWN, "empty"),
    "something else": ("Not Found: no such file\n", Capable.UNKNOWN, "no architecture known"),
    "flags alone, cut off at the head": (f"flags\t\t: {INTEL}\n", Capable.UNKNOWN, "no architecture known"),
}


@pytest.mark.parametrize("machine", ANSWERS)
def test_answer_of(machine: str) -> None:
    """Every kind of processor gets its answer, with the reason in words."""
    text, capable, why = ANSWERS[machine]
    nested = cpu_of(text).nested
    assert (nested.capable, why in nested.why) == (capable, True), nested


@pytest.mark.parametrize("machine", ANSWERS)
def test_odd_separators_change_nothing(machine: str) -> None:
    """CRLF, no blank lines between blocks, twice as many of them, blanks for tabs: the answer is the same."""
    text, capable, _ = ANSWERS[machine]
    spellings = [
        text.replace("\n", "\r\n"),
        text.replace("\n\n", "\n"),
        text.replace("\n", "\n\n"),
        text.replace("\t", "    "),
    ]
    assert [cpu_of(spelling).nested.capable for spelling in spellings] == [capable] * 4


LOG_LINES = [
    "[    3.1] kvm: disabled by bios",
    "[    3.1] kvm: support for 'kvm_intel' disabled by bios",
    "[    0.2] x86/cpu: VMX (outside TXT) disabled by BIOS",
    "[    3.1] kvm_intel: VMX not enabled (by BIOS) in MSR_IA32_FEAT_CTL on CPU 0",
    "[    3.1] kvm_amd: SVM disabled (by BIOS) in MSR_VM_CR on CPU 0",
    "[    3.1] SVM: KVM is unsupported when running as an SEV guest",
]


@pytest.mark.parametrize("line", LOG_LINES)
@pytest.mark.parametrize("status", [Status.OK, Status.TRUNCATED, Status.FAILED])
def test_a_refusal_in_the_kernel_log_outweighs_the_flags(line: str, status: Status) -> None:
    """Kernels before 5.6 keep vmx, and all keep svm, where the firmware has switched it off; half a log is enough."""
    log = Section("sos_commands/kernel/dmesg", status, f"[    0.0] Linux version\n{line}\n".encode())
    sections = {"proc/cpuinfo": Section("proc/cpuinfo", data=x86().encode()), log.name: log}
    nested = Cpu(Reader("here", 0, Snapshot(sections))).nested
    assert nested.capable is Capable.NO
    assert line in nested.why


def test_the_other_vendors_module_is_no_refusal() -> None:
    """`no hardware support for 'kvm_amd'` is what an Intel host says when somebody tries the wrong module."""
    log = {"sos_commands/kernel/dmesg": "kvm: no hardware support for 'kvm_amd'\nkvm: Nested Virtualization enabled\n"}
    assert cpu_of(x86(), log).nested.capable is Capable.YES


XEN: dict[str, tuple[dict[str, str | bytes | Status], Capable]] = {
    "domU of old": ({"proc/xen/capabilities": "", "proc/xen/xenbus": ""}, Capable.NO),
    "listing of /proc/xen": ({"proc/xen/": "balloon\ncapabilities\n"}, Capable.NO),
    "dom0": ({"proc/xen/capabilities": "control_d\n"}, Capable.NO),
    "dom0 by its features": (
        {"sys/hypervisor/type": "xen", "sys/hypervisor/properties/features": "00002804\n"},
        Capable.NO,
    ),
    "PV by the kernel log": ({"sos_commands/kernel/dmesg": "Booting paravirtualized kernel on Xen\n"}, Capable.NO),
    "PV by lscpu": (
        {"sos_commands/processor/lscpu": "Hypervisor vendor:  Xen\nVirtualization type: para\n"},
        Capable.NO,
    ),
    "empty /proc/xen of a new kernel": ({"proc/xen/": ""}, Capable.UNKNOWN),
    "xen in sysfs": ({"sys/hypervisor/type": "xen\n"}, Capable.UNKNOWN),
    "HVM": ({"proc/xen/": "", "sys/class/dmi/id/product_name": "HVM domU\n"}, Capable.YES),
    "PVH": ({"proc/xen/": "", "sos_commands/kernel/dmesg": "Booting paravirtualized kernel on Xen PVH\n"}, Capable.YES),
    "no Xen": ({"proc/xen/": Status.MISSING, "proc/xen/capabilities": Status.MISSING}, Capable.YES),
}


@pytest.mark.parametrize("kind", XEN)
def test_a_xen_domain_may_see_flags_that_it_cannot_use(kind: str) -> None:
    """Paravirtualized and control domains never get a yes, hardware-virtualized ones what their flags say."""
    sections, capable = XEN[kind]
    assert cpu_of(x86(), sections).nested.capable is capable


def test_cpuinfo_of_another_machine_proves_nothing() -> None:
    """User-mode emulation shows the host's /proc/cpuinfo to a kernel interface of another architecture."""
    uname = {
        "sos_commands/kernel/uname_-a": "Linux h 5.4.0 #1 SMP Mon Jan 1 00:00:00 UTC 2024 aarch64 aarch64 aarch64 GNU/Linux\n"
    }
    assert cpu_of(x86(), uname).nested.capable is Capable.UNKNOWN


@pytest.mark.parametrize("status", [Status.MISSING, Status.DENIED, Status.FAILED, Status.CUT, Status.TRUNCATED])
def test_what_was_not_read_whole_is_unknown(status: Status) -> None:
    """A section that is missing or incomplete gives unknown and says so, whatever its beginning holds."""
    section = Section("proc/cpuinfo", status, x86().encode())
    nested = Cpu(Reader("here", 0, Snapshot({section.name: section}))).nested
    assert nested.capable is Capable.UNKNOWN
    assert "proc/cpuinfo" in nested.why


def test_an_unreachable_machine_is_unknown() -> None:
    """The fact does not raise, not even where nothing was read at all."""
    nested = Cpu(Reader("here", 0, Unobservable("ssh", "connection refused"))).nested
    assert (nested.capable, "connection refused" in nested.why) == (Capable.UNKNOWN, True)


def test_undecodable_flags_are_unknown() -> None:
    """A line of flags with bytes that are no text is not believed."""
    assert cpu_of(x86().encode().replace(b" ept ", b" ept \xff\xfe ")).nested.capable is Capable.UNKNOWN
    assert cpu_of(x86().encode().replace(b" ept ", b" ept\x00 ")).nested.capable is Capable.UNKNOWN


def test_evidence_names_the_file() -> None:
    """Reading the fact leaves /proc/cpuinfo among its sources."""
    with observing() as seen:
        assert cpu_of(x86()).nested.capable is Capable.YES
    assert [(o.fact, "proc/cpuinfo" in o.sources) for o in seen] == [("cpu.nested", True)]


SHORTENED = sorted(name for name, (text, capable, _) in ANSWERS.items() if capable is not Capable.YES and text)


@pytest.mark.parametrize(
    "machine", [name for name in SHORTENED if not name.startswith(("second", "processors of two"))]
)
def test_cutting_a_text_never_makes_a_yes(machine: str) -> None:
    """A machine whose processors are alike gets no yes from any beginning of its /proc/cpuinfo."""
    text = ANSWERS[machine][0]
    answers = {nested_capability(parse(text[:end])).capable for end in range(len(text))}
    assert Capable.YES not in answers


def test_a_line_of_flags_that_is_cut_off_is_not_believed() -> None:
    """`ept` at the end of a text may be the beginning of `ept_ad`."""
    text = x86("fpu vmx ept_ad")
    cut = text[: text.index("ept_ad") + 3]
    assert cut.endswith("vmx ept")
    assert cpu_of(cut).nested.capable is Capable.UNKNOWN


LINES = st.sampled_from(
    [
        "",
        ":",
        "sie",
        "# processors : 2",
        "MMU : Hash",
        "cpu : POWER9, x",
        "features : vmx npt",
        "flags : npt ept_ad vmx_",
        "flags\t\t: fpu vmx",
        "flags\t\t: svm ept",
        "isa : rv64",
        "processor 0: version = FF",
        "processor\t: 0",
        "processor\t: 1",
        "revision : 2.2 (pvr 004e 1202",
        "vendor_id\t: AuthenticAMD",
        "vendor_id\t: GenuineIntel",
        "vmx flags\t: ept vpid",
    ]
)


@given(st.lists(LINES | st.text(max_size=30), max_size=12))
@settings(max_examples=150, deadline=None)
def test_no_yes_for_a_text_that_lacks_the_tokens(lines: list[str]) -> None:
    """Lines in any order, none of which holds a sufficient pair, never add up to a yes, and never to a crash."""
    text = "\n".join(lines)
    flags = [set(line.partition(":")[2].split()) for line in lines if line.startswith("flags")]
    vmx = any("vmx" in tokens for tokens in flags) and "vmx flags" in text
    assert nested_capability(parse(text)).capable is not Capable.YES or vmx


@given(st.text(max_size=400) | st.binary(max_size=400))
@settings(max_examples=150, deadline=None)
def test_any_text_gets_an_answer(text: str | bytes) -> None:
    """Random input neither raises nor nests."""
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    assert cpu_of(raw).nested.capable is not Capable.YES


def test_a_thousand_processors_share_their_flags() -> None:
    """Equal lines are split once: 1024 processors hold one set of flags."""
    cpu = cpu_of(x86(f"{INTEL} {' '.join(f'f{n}' for n in range(120))}", cpus=1024))
    assert cpu.nested.capable is Capable.YES
    assert (cpu.count, len({id(flags) for flags in (p.flags for p in cpu.info.processors)})) == (1024, 1)
