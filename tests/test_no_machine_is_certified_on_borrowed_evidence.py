"""Machines whose files speak of something else than of themselves, or whose processors promise what they cannot keep."""

from __future__ import annotations

import pytest
from recorded_machines import (
    AMD_FLAGS,
    EL8,
    NOT_COLLECTED,
    Chain,
    Texts,
    cpuinfo,
    host,
    intel_chain,
    machines,
    modprobe,
    power,
)

from pytest_nestvirt.derived.identity import contradiction, same_system
from pytest_nestvirt.facts.processor.cpu import Capable
from pytest_nestvirt.observation.fact import Unobservable
from pytest_nestvirt.snapshot.snapshot import Section, Snapshot

BOOT = "proc/sys/kernel/random/boot_id"
DMESG = "sos_commands/kernel/dmesg"
AMD = cpuinfo("AuthenticAMD", "AMD EPYC 7451", AMD_FLAGS)
PARTITION = power("POWER9 (architected), altivec supported", native=False)


def _boot_id(digit: int) -> Texts:
    return {BOOT: f"{digit}1111111-2222-3333-4444-555555555555\n"}


def _booted(*digits: int) -> Chain:
    return tuple(each.having(_boot_id(digit)) for each, digit in zip(intel_chain(), digits, strict=True))


def test_an_address_that_leads_back_to_the_hypervisor_is_noticed() -> None:
    """No two kernels share a boot id, at any distance in the chain; different ones and unknown ones hold nothing against it."""
    _, l1, l2 = machines(_booted(1, 1, 3))
    assert "L1 and L0 are one and the same system" in contradiction(l1)
    _, l1, l2 = machines(_booted(1, 2, 1))
    assert same_system(l1) == ""
    assert "L2 and L0 are one and the same system" in same_system(l2)
    assert not any(map(same_system, machines(_booted(1, 2, 3))))
    assert not any(map(same_system, machines(intel_chain())))


GAPS = {"a directory": ("usr/lib/modprobe.d/",), "a listed file": ("etc/modprobe.d/zz.conf",)}


@pytest.mark.parametrize("claim", GAPS)
def test_what_a_collection_did_not_come_to_is_not_taken_for_absent(claim: str) -> None:
    """A file that was not collected says nothing of kvm, unless collecting stopped halfway: it may set nested=0."""
    line = {"kvm": "options kvm_intel nested=1\n", "zz": "options kvm_intel nested=0\n"}
    recorded = intel_chain()[0].having({**modprobe(**line), **dict.fromkeys(GAPS[claim], NOT_COLLECTED)})
    read = {name: text for name, text in (recorded.sections or {}).items() if isinstance(text, str)}
    sections = {name: Section(name, data=text.encode()) for name, text in read.items()}
    (l0,) = machines((recorded,))
    l0.reader.snapshot = Snapshot(sections, note="incomplete: no answer within 60 s")
    with pytest.raises(Unobservable, match="incomplete"):
        l0.modprobe.setting("kvm_intel", "nested")


DOUBTS: dict[str, tuple[Texts, Capable]] = {
    "KVM refuses in a guest with encrypted memory": (
        {**AMD, DMESG: "[    0.2] Memory Encryption Features active: AMD SEV SEV-ES\n"}, Capable.NO,
    ),
    "the same before Linux 5.8": ({**AMD, DMESG: "[    0.2] AMD Secure Encrypted Virtualization (SEV) active\n"}, Capable.NO),
    "a host that offers encrypted guests nests": (
        {**AMD, DMESG: "[    0.2] AMD Memory Encryption Features active: SME\n[    9.1] kvm_amd: SEV supported: 410 ASIDs\n"},
        Capable.YES,
    ),
    "a paravirtualized Xen domain that only the log tells of": (
        {**AMD, DMESG: "[    0.0] Booting paravirtualized kernel on Xen PV\n"}, Capable.NO,
    ),
    "half a vendor's name at a cut is no second vendor": (
        {"proc/cpuinfo": str(AMD["proc/cpuinfo"]) + "processor\t: 2\nvendor_id\t: Auth"}, Capable.UNKNOWN,
    ),
    "a guest of KVM on POWER9": (PARTITION, Capable.YES),
    "a partition of PowerVM on POWER9": (
        {"proc/cpuinfo": str(PARTITION["proc/cpuinfo"]).replace("CHRP IBM pSeries (emulated by qemu)", "CHRP IBM,9009-22A")},
        Capable.UNKNOWN,
    ),
}  # fmt: skip


@pytest.mark.parametrize("claim", DOUBTS)
def test_a_processor_that_cannot_nest_is_not_said_to(claim: str) -> None:
    """The flags alone are not the answer where something tells that KVM cannot use them."""
    texts, capable = DOUBTS[claim]
    architecture = "ppc64le" if "POWER9" in claim else "x86_64"
    (machine,) = machines((host("L0", architecture, {"proc/cmdline": f"{EL8}\n"}, texts),))
    assert machine.cpu.nested.capable is capable, machine.cpu.nested.why
