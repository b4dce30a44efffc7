"""How large a guest is: by its hypervisor and by itself, and what follows where the two differ."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from linux_chains import definition
from recorded_machines import Chain, Recorded, Texts, machines
from rhel8_trios import l0, l1, unread
from suite_checks import verdict_on
from virtrigaud_chains import libvirt_chain, memory, processors, proxmox_chain, pve, vmx, vsphere_chain

from pytest_nestvirt.derived.guest_size import GuestMemory, GuestProcessors
from pytest_nestvirt.derived.runs import runs
from pytest_nestvirt.inventory.host import Provider
from pytest_nestvirt.observation.fact import Unobservable
from pytest_nestvirt.observation.unknown import attempt
from pytest_nestvirt.verdict import Verdict

GB = 10**9
HIDDEN = unread("proc/meminfo", "proc/cpuinfo")


def given_by(provider: str, cpus: int, mib: int) -> Chain:
    """A chain whose hypervisor gives the guest that much."""
    if provider == "vsphere":
        return l0(vsphere_chain(), vmx(f'numvcpus = "{cpus}"\nmemSize = "{mib}"'))
    if provider == "proxmox":
        texts = pve(f"cores: {cpus}", "host")
        name = "nestvirt/proxmox/qm_config_101"
        sized = str(texts[name]).replace("sockets: 2\n", "").replace("16384", str(mib))
        return l0(proxmox_chain(), {**texts, name: sized})
    inside = f"<vcpu>{cpus}</vcpu><currentMemory unit='MiB'>{mib}</currentMemory><cpu mode='host-passthrough'/>"
    texts = {name: str(text).replace("4194304", "33554432") for name, text in definition("L1", inside).items()}
    return l0(libvirt_chain(), texts)


@pytest.mark.parametrize("provider", ["libvirt", "vsphere", "proxmox"])
@pytest.mark.parametrize(
    "cpus, mib, inside, of_cpus, of_memory",
    [
        (4, 8192, HIDDEN, Verdict.PASS, Verdict.PASS),
        (3, 7168, HIDDEN, Verdict.FAIL, Verdict.FAIL),
        (4, 8192, {**processors(4), **memory(7.3)}, Verdict.PASS, Verdict.PASS),
        (8, 16384, {**processors(2), **memory(3.6)}, Verdict.INCONCLUSIVE, Verdict.INCONCLUSIVE),
        (1, 2048, {**processors(8), **memory(15.6)}, Verdict.INCONCLUSIVE, Verdict.INCONCLUSIVE),
    ],
    ids=["hidden", "small", "kept-by-kernel", "grown-not-restarted", "shrunk-not-restarted"],
)
def test_each_provider_shows_what_it_gives(  # noqa: PLR0917 - a table
    provider: str, cpus: int, mib: int, inside: Texts, of_cpus: Verdict, of_memory: Verdict
) -> None:
    """What is known of the two decides; where one is enough and the other is not, nothing is certain."""
    chain = l1(given_by(provider, cpus, mib), inside)
    found = [verdict_on("virtrigaud", f"VR-SIZE-{what}-MIN", chain) for what in ("CPU", "MEM")]
    assert [verdict for verdict, _ in found] == [of_cpus, of_memory], found


@pytest.mark.parametrize(
    "size, count",
    [("<vcpu>8</vcpu>", 8), ("<vcpu current='2'>8</vcpu>", 2), ("<vcpu current='99'>8</vcpu>", 8)],
)
def test_processors_that_are_not_plugged_in_do_not_count(size: str, count: int) -> None:
    """The maximum of a definition is not what the guest has."""
    chain = l1(l0(libvirt_chain(), definition("L1", size)), HIDDEN)
    expected = Verdict.PASS if count >= 4 else Verdict.FAIL
    assert verdict_on("virtrigaud", "VR-SIZE-CPU-MIN", chain)[0] is expected


def test_unplugged_processors_of_proxmox_do_not_count() -> None:
    """`vcpus: 2` of 8."""
    chain = l1(l0(proxmox_chain(), pve("cores: 4\nvcpus: 2", "host")), HIDDEN)
    assert verdict_on("virtrigaud", "VR-SIZE-CPU-MIN", chain)[0] is Verdict.FAIL


SIZES = st.one_of(st.none(), st.integers(1, 64))


@given(SIZES, SIZES, st.integers(1, 64))
def test_a_size_is_enough_only_where_nothing_known_denies_it(shown: int | None, given_: int | None, least: int) -> None:
    """Never a yes where what the hypervisor gives is less, never a no where it is more and the guest agrees."""
    if shown is None and given_ is None:
        return
    count = attempt(lambda: GuestProcessors(shown, given_).is_at_least(least))
    known = [number for number in (shown, given_) if number is not None]
    assert count is True if min(known) >= least else count is not True
    whole = GuestMemory(None if shown is None else shown * GB, None if given_ is None else given_ * GB)
    enough = attempt(lambda: whole.is_at_least(least * GB))
    assert enough is not True or max(known) >= least
    assert isinstance(enough, Unobservable) or given_ is None or enough is (given_ >= least)


def esxi(version: str = "7.0.3") -> Texts:
    """What is read of an ESXi."""
    return {
        "sos_commands/kernel/uname_-a": f"VMkernel nested {version} #1 SMP Release build-19193900 Jan 1 2022 x86_64 ESXi\n",
        "nestvirt/vsphere/vmware_-v": f"VMware ESXi {version} build-19193900\n",
    }


@pytest.mark.parametrize(
    "guest_os, inside, system",
    [
        ("vmkernel7", esxi(), "esxi"),
        ("other", esxi(), "esxi"),
        ("vmkernel7", {}, "esxi"),
        ("ubuntu-64", {}, None),
    ],
    ids=["both", "by-itself", "by-its-host", "not-known"],
)
def test_an_esxi_guest_is_known_as_such(guest_os: str, inside: Texts, system: str | None) -> None:
    """By its own kernel, or by the guestOS with which its host switches it on; other values of that prove nothing."""
    first, *_ = vsphere_chain()
    host = first.having(vmx(f'guestOS = "{guest_os}"'))
    built = machines((host, Recorded("L1", inside, {"provider": Provider.VSPHERE})))
    found = attempt(lambda: runs(built[1], "esxi"))
    assert found is True if system else isinstance(found, Unobservable)
