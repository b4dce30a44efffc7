"""Loaded modules, the account, the taint mask, UUIDs, host-model and `-cpu`: each parser reads its grammar and invents nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from linux_chains import offered
from recorded_machines import Recorded, Texts, machines

from pytest_nestvirt.facts.kernel.module_table import parse_modules
from pytest_nestvirt.facts.libvirt.domcapabilities import parse_host_model
from pytest_nestvirt.facts.libvirt.qemu_cpu import parse_cpu_option
from pytest_nestvirt.facts.machine import Machine
from pytest_nestvirt.facts.platform.machine_uuid import parse_uuid, same_uuid
from pytest_nestvirt.observation.fact import Unobservable
from pytest_nestvirt.observation.unknown import attempt
from pytest_nestvirt.snapshot.snapshot import Status


def machine(sections: Texts) -> Machine:
    """A machine of which only this was read."""
    return machines((Recorded("one", sections),))[0]


def unknown(read: Callable[[], object]) -> str:
    """Why a fact cannot be known."""
    with pytest.raises(Unobservable) as raised:
        read()
    return str(raised.value)


# ---- /proc/modules

TABLE = """\
kvm_intel 409600 4 - Live 0x0000000000000000
kvm 1032192 1 kvm_intel, Live 0x0000000000000000
irqbypass 16384 2 vfio_pci,kvm, Live 0xffffffffc0a4d000
unloadable 8192 - - Live 0x0000000000000000
forever 8192 0 [permanent], Live 0x0000000000000000
nvidia 56000000 1000 - Live 0x0000000000000000 (POE)
half a line"""


def test_the_table_of_modules_has_size_references_and_users() -> None:
    """Users end in a comma, `-` stands for none, taint marks follow the address."""
    table = parse_modules(TABLE)
    assert {name: (row.size, row.references, row.users) for name, row in table.items()} == {
        "kvm_intel": (409600, 4, ()),
        "kvm": (1032192, 1, ("kvm_intel",)),
        "irqbypass": (16384, 2, ("vfio_pci", "kvm")),
        "unloadable": (8192, 0, ()),
        "forever": (8192, 0, ()),
        "nvidia": (56000000, 1000, ()),
    }


def test_a_module_without_a_row_may_be_built_in() -> None:
    """No row is no answer to who uses it."""
    assert "built into the kernel" in unknown(lambda: machine({"proc/modules": ""}).modules.users("kvm"))


def test_users_are_evidence_under_the_name_of_the_module() -> None:
    """Whoever asks for the users of kvm is shown to have read /proc/modules."""
    from pytest_nestvirt.observation.fact import observing

    one = machine({"proc/modules": TABLE})
    with observing() as seen:
        one.modules.users("kvm")
    assert [(o.fact, o.value, o.sources) for o in seen] == [("modules.users.kvm", ("kvm_intel",), ("proc/modules",))]


# ---- the account


@pytest.mark.parametrize(
    "text, uid, may_change",
    [("uid=0 sudo=none\n", 0, True), ("uid=1000 sudo=yes\n", 1000, True), ("uid=1000 sudo=no\n", 1000, False)],
)
def test_root_and_sudo_may_change_things(text: str, uid: int, may_change: bool) -> None:
    """Root may, and whoever becomes root without a password."""
    account = machine({"nestvirt/whoami": text}).account
    assert (account.uid, account.may_change) == (uid, may_change)


@pytest.mark.parametrize("text", ["", "uid= sudo=yes\n", "root\n", "uid=0 sudo=maybe\n"])
def test_another_text_names_no_account(text: str) -> None:
    """What the probe would not write is not read."""
    assert "not a line" in unknown(lambda: machine({"nestvirt/whoami": text}).account.may_change)


# ---- damage

BUG = "[91.1] BUG: unable to handle page fault for address: 0000000000000010\n[91.2] Oops: 0000 [#1] SMP\n"


@pytest.mark.parametrize("mask, died", [("0", False), ("128", True), ("4609", False), ("12928", True), ("64", False)])
def test_an_oops_stays_in_the_taint_mask(mask: str, died: bool) -> None:
    """Bit 7 and no other: proprietary modules and warnings taint a kernel too."""
    assert machine({"proc/sys/kernel/tainted": f"{mask}\n"}).health.has_died is died


def test_lines_of_an_oops_are_quoted() -> None:
    """For people; ordinary lines with `bug` in them are none."""
    health = machine({"sos_commands/kernel/dmesg": f"[0.1] debugfs: ready\n{BUG}[92.0] kvm: exiting\n"}).health
    assert [line[:5] for line in health.signs] == ["[91.1", "[91.2"]


@pytest.mark.parametrize("text", ["", "-1\n", "0x80\n", "none\n"])
def test_another_text_is_no_mask(text: str) -> None:
    """An unreadable mask neither clears nor accuses a kernel."""
    assert "not a number" in unknown(lambda: machine({"proc/sys/kernel/tainted": text}).health.has_died)


# ---- UUIDs

SHOWN = "4c4c4544-0051-4810-8035-b2c04f4e4e32"


@pytest.mark.parametrize(
    "sections",
    [
        {"sys/class/dmi/id/product_uuid": f"{SHOWN}\n"},
        {"proc/device-tree/vm,uuid": f"{SHOWN}\n"},
        {
            "proc/sysinfo": f"VM00 Name:            L1\nVM00 UUID:            {SHOWN}\nVM01 UUID:            {SHOWN[::-1]}\n"
        },
    ],
    ids=["dmi", "device-tree", "sysinfo"],
)
def test_a_guest_shows_its_uuid_as_its_architecture_does(sections: Texts) -> None:
    """DMI on x86 and Arm, the device tree on POWER, the innermost hypervisor's block on IBM Z."""
    assert machine(sections).identity.uuid == UUID(SHOWN)


@pytest.mark.parametrize(
    "sections",
    [{}, {"sys/class/dmi/id/product_uuid": Status.DENIED}, {"sys/class/dmi/id/product_uuid": "Not Settable\n"}],
)
def test_no_uuid_is_unknown(sections: Texts) -> None:
    """Only root may read DMI's; some firmware has none."""
    assert "shows no UUID" in unknown(lambda: machine(sections).identity.uuid)


@given(st.uuids())
def test_uuids_are_the_same_in_either_order_of_bytes(uuid: UUID) -> None:
    """However DMI's first three fields are printed, it is the machine that libvirt defined."""
    assert same_uuid(uuid, uuid)
    assert same_uuid(UUID(bytes_le=uuid.bytes), uuid)
    assert same_uuid(uuid, UUID(bytes_le=uuid.bytes))
    assert not same_uuid(uuid, UUID(int=uuid.int ^ 1))


@pytest.mark.parametrize(
    "text",
    ["56 4d b6 b0 b5 8a 67 47-a4 2e bc 67 e7 a4 f6 68", "564DB6B0-B58A-6747-A42E-BC67E7A4F668\n"],
)
def test_vmware_writes_the_bytes_of_a_uuid(text: str) -> None:
    """In .vmx files, with a hyphen in the middle."""
    assert parse_uuid(text, "l1.vmx") == UUID("564db6b0-b58a-6747-a42e-bc67e7a4f668")


@pytest.mark.parametrize("text", ["", "none", "0" * 32, "f" * 32, "03000200-0400-0500-0006-000700080009"])
def test_a_uuid_that_is_missing_or_shared_by_many_machines_is_unknown(text: str) -> None:
    """There is nothing to compare."""
    assert "shows" in unknown(lambda: parse_uuid(text, "here"))


# ---- virsh domcapabilities

CAPABILITIES = str(offered("vmx", "ss")["sos_commands/virsh/virsh_-r_domcapabilities"])


def test_host_model_has_a_model_and_features() -> None:
    """What a domain with host-model would become on this machine."""
    found = parse_host_model(CAPABILITIES)
    assert (found.model, dict(found.features)) == ("Skylake-Server", {"vmx": "require", "ss": "require"})
    assert found.offers("vmx")
    assert not found.offers("svm")


def test_a_disabled_feature_is_not_offered() -> None:
    """What it takes out of the model, libvirt names too."""
    assert not parse_host_model(
        CAPABILITIES.replace("policy='require' name='vmx'", "policy='disable' name='vmx'")
    ).offers("vmx")


@pytest.mark.parametrize(
    "text, why",
    [
        ("", "not readable XML"),
        ("error: failed to connect to the hypervisor\n", "failed to connect"),
        ("<capabilities/>", "not what virsh domcapabilities prints"),
        ("<domainCapabilities/>", "no host-model"),
        (CAPABILITIES.replace("'host-model' supported='yes'", "'host-model' supported='no'"), "no host-model"),
        ("<!DOCTYPE x [<!ENTITY a 'b'>]><domainCapabilities>&a;</domainCapabilities>", "not readable XML"),
    ],
)
def test_what_is_no_answer_is_unknown(text: str, why: str) -> None:
    """Errors, other documents and hostile ones."""
    section: Texts = {"sos_commands/virsh/virsh_-r_domcapabilities": text}
    assert why in unknown(lambda: machine(section).domain_capabilities.host_model)


# ---- -cpu


@pytest.mark.parametrize(
    "value, model, given_, taken",
    [
        ("host", "host", (), ()),
        ("host,migratable=on", "host", (), ()),
        ("host,-vmx", "host", (), ("vmx",)),
        ("Haswell-noTSX-IBRS,vmx=on", "Haswell-noTSX-IBRS", ("vmx",), ()),
        ("Nehalem,+vmx,vmx=off", "Nehalem", ("vmx",), ()),
        ("Nehalem,-vmx,+vmx,vmx=on", "Nehalem", (), ("vmx",)),
        ("Nehalem,vmx=off,vmx=on", "Nehalem", ("vmx",), ()),
        ("Nehalem,vmx,,svm=n", "Nehalem", ("vmx",), ("svm",)),
        ("EPYC-Rome,x2apic=on,svm=yes,svme-addr-chk=on", "EPYC-Rome", ("svm",), ()),
        ("Cascadelake-Server,vmx-apicv-xapic=on", "Cascadelake-Server", (), ()),
        ("", "", (), ()),
    ],
)
def test_processor_options_of_qemu(value: str, model: str, given_: tuple[str, ...], taken: tuple[str, ...]) -> None:
    """Model first, then switches in old and new style; +f holds against f=off, -f against both, and sub-features are other words."""
    found = parse_cpu_option(value)
    assert (found.model, found.given, found.taken) == (model, frozenset(given_), frozenset(taken))


def test_named_models_have_the_extension_by_name_only() -> None:
    """KVM takes svm out of the models that would have it; the host's processor has whatever can be passed on."""
    assert parse_cpu_option("max").offers("svm")
    assert not parse_cpu_option("EPYC").offers("svm")
    assert str(parse_cpu_option("EPYC,svm=on,-vmx")) == "EPYC,svm=on,vmx=off"


# ---- anything else


def told(read: Callable[[], Any]) -> str:
    """Why a fact is unknown; empty if it has a value."""
    try:
        read()
    except Unobservable as why:
        return str(why)
    return ""


@settings(max_examples=60)
@given(st.text())
def test_no_text_crashes_a_parser(text: str) -> None:
    """Whatever a host prints, the answer is a value or `Unobservable`."""
    names = (
        "proc/modules",
        "nestvirt/whoami",
        "proc/sys/kernel/tainted",
        "sys/class/dmi/id/product_uuid",
        "proc/sysinfo",
    )
    one = machine(
        {
            **dict.fromkeys(names, text.encode("utf-8", "replace").decode()),
            "sos_commands/virsh/virsh_-r_domcapabilities": "x",
        }
    )
    reads: list[Callable[[], Any]] = [
        lambda: one.modules.table,
        lambda: one.account.may_change,
        lambda: one.health.has_died,
        lambda: one.identity.uuid,
        lambda: one.domain_capabilities.host_model,
        lambda: parse_host_model(text),
    ]
    assert "\n" not in "".join(map(told, reads))
    told(lambda: parse_cpu_option(text))
    parse_modules(text)


@given(st.text(alphabet="vmxs=,+-on", max_size=30))
def test_an_extension_is_never_given_and_taken(value: str) -> None:
    """One of the two wins, whatever is written; values with which QEMU does not start are unknown."""
    found = attempt(lambda: parse_cpu_option(value))
    assert isinstance(found, Unobservable) or not found.given & found.taken
