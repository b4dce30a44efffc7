"""Claim: where a guest's record is of a machine that cannot be that guest, the chain does not conform."""

from __future__ import annotations

from itertools import permutations

import pytest
from kvm_wiki_trios import BOOKWORM
from linux_chains import intel
from recorded_machines import (
    NO_DOMAINS,
    Chain,
    Recorded,
    Texts,
    amd_chain,
    intel_chain,
    machines,
    power9_chain,
    qemu,
    z_chain,
)
from rhel8_trios import l0
from suite_checks import verdict_on

from pytest_nestvirt.derived.identity import contradiction
from pytest_nestvirt.verdict import Verdict

CHAINS = {"intel": intel_chain(), "amd": amd_chain(), "z": z_chain(), "power9": power9_chain()}
WIKI = intel(*BOOKWORM)
UUIDS = ("7e0b9f34-1c2d-4a5e-8b6f-90a1b2c3d4e5", "11111111-59c1-4d0e-8f7b-0a6f2c9e1b34")
"""That of the L2, and of another machine."""


@pytest.mark.parametrize("host, guest", list(permutations(CHAINS, 2)))
def test_a_guest_has_the_processor_of_its_host_unless_it_is_emulated(host: str, guest: str) -> None:
    """KVM runs guests of its own architecture only, and gives Intel's vmx to none on AMD; emulation gives anything but vmx."""
    line = (CHAINS[host][0], CHAINS[guest][1])
    assert "L1 is not a guest of L0: its " in contradiction(machines(line)[1])
    line = (line[0].having(qemu("/usr/bin/qemu-system-any -name guest=L1 -accel tcg")), line[1])
    assert contradiction(machines(line)[1]) == ""
    line = (line[0].having(qemu("/usr/bin/qemu-kvm -name guest=L1 -accel kvm")), CHAINS[host][1])
    assert contradiction(machines(line)[1]) == ""


def windows(maker: str, model: str, *, present: bool) -> Recorded:
    """A Windows Server 2019, by what CIM shows of its machine."""
    shown = f'{{"Manufacturer": "{maker}", "Model": "{model}", "HypervisorPresent": {str(present).lower()}}}'
    system = '{"Caption": "Microsoft Windows Server 2019 Standard", "BuildNumber": "17763", "ProductType": 3}'
    sections: Texts = {
        "nestvirt/windows/operating_system.json": system,
        "nestvirt/windows/computer_system.json": shown,
    }
    return Recorded("L2", sections)


@pytest.mark.parametrize(
    "maker, model, present, contradicted",
    [
        ("Red Hat", "KVM", True, ""),
        ("QEMU", "Standard PC (Q35 + ICH9, 2009)", True, ""),
        ("VMware, Inc.", "VMware7,1", True, "L2 runs on vmware"),
        ("Microsoft Corporation", "Virtual Machine", True, "L2 runs on hyperv"),
        ("innotek GmbH", "VirtualBox", True, "L2 runs on virtualbox"),
        ("Dell Inc.", "PowerEdge R640", False, "L2 is not a guest: it runs on hardware"),
        ("Dell Inc.", "PowerEdge R640", True, ""),  # its own Hyper-V, or one below it
        ("", "", True, ""),
    ],
)
def test_windows_names_the_maker_of_its_machine(maker: str, model: str, present: bool, contradicted: str) -> None:
    """A Windows that VMware runs is not the guest of a KVM host; DMI that is KVM's, a maker's or nobody's shows nothing."""
    guest = machines((*intel_chain()[:2], windows(maker, model, present=present)))[2]
    found = contradiction(guest)
    assert contradicted in found
    assert bool(contradicted) is bool(found)


def test_windows_does_not_run_on_ibm_z() -> None:
    """Windows shows no architecture, and has never been built for those of IBM."""
    for chain in (z_chain(), power9_chain()):
        guest = machines((*chain[:2], windows("Red Hat", "KVM", present=True)))[2]
        assert "its architecture is arm or x86" in contradiction(guest)


ESXI = Recorded("L2", {"nestvirt/vsphere/vmware_-v": "VMware ESXi 7.0.3 build-19193900\n"})


@pytest.mark.parametrize("record", [windows("Red Hat", "KVM", present=True), ESXI], ids=["windows", "esxi"])
def test_one_record_is_not_two_machines(record: Recorded) -> None:
    """The record of a machine in the place of its guest's is noticed without a boot id, which Windows and ESXi lack."""
    line = (intel_chain()[0], Recorded("L1", record.sections), Recorded("L2", record.sections))
    assert "L2 and L1 are one and the same system" in contradiction(machines(line)[2])
    changed = line[2].having({"nestvirt/windows/services.json": "[]", "nestvirt/vsphere/getallvms": "Vmid\n"})
    assert "same system" not in contradiction(machines((*line[:2], changed))[2])


def started(*uuids: str) -> Texts:
    """QEMU processes of other names with these UUIDs."""
    argv = "/usr/bin/qemu-system-x86_64 -name guest=web -accel kvm -uuid "
    return qemu(*(argv + uuid for uuid in uuids))


@pytest.mark.parametrize(
    "uuids, verdict",
    [
        (UUIDS[:1], Verdict.PASS),
        (UUIDS, Verdict.PASS),
        (UUIDS[1:], Verdict.INCONCLUSIVE),
        ((UUIDS[1], "no-uuid"), Verdict.PASS),  # which may be it
        ((), Verdict.INCONCLUSIVE),
    ],
)
def test_a_parent_that_runs_other_machines_only_does_not_run_the_guest(
    uuids: tuple[str, ...], verdict: Verdict
) -> None:
    """The domain runs by libvirt, and each QEMU process there has the UUID of another machine: one of the two is wrong."""
    guest: Texts = {"sys/class/dmi/id/product_uuid": f"{UUIDS[0]}\n"}
    chain: Chain = (WIKI[0], WIKI[1].having(started(*uuids)), WIKI[2].having(guest))
    assert verdict_on("kvm_wiki", "KWIKI-TERM-L2", chain)[0] is verdict


def test_libvirt_of_the_parent_has_no_such_domain() -> None:
    """That a machine is a guest of KVM does not show that it is one of this host; a process that is it does."""
    without = l0(WIKI, {**NO_DOMAINS, **qemu("/usr/bin/qemu-system-x86_64 -name guest=web -accel kvm")})
    verdict, reason = verdict_on("kvm_wiki", "KWIKI-TERM-L1", without)
    assert verdict is Verdict.INCONCLUSIVE, reason
    assert "libvirt on L0: no domain L1" in reason
    by_hand = l0(WIKI, {**NO_DOMAINS, **qemu("/usr/bin/qemu-system-x86_64 -name guest=L1 -accel kvm")})
    assert verdict_on("kvm_wiki", "KWIKI-TERM-L1", by_hand)[0] is Verdict.PASS
