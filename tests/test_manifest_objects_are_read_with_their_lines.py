"""Manifests are read object by object; every field knows its file and line, and what the API refuses is a fault."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from manifest_trios import CLASS, EVERYTHING, IMAGE, MACHINE, PROVIDER, but

from pytest_nestvirt.manifests import vm_class as field
from pytest_nestvirt.manifests.cloud_config import is_public_key
from pytest_nestvirt.manifests.load_manifests import ManifestError, load_manifests
from pytest_nestvirt.manifests.manifest_object import ManifestObject
from pytest_nestvirt.manifests.manifest_set import ManifestSet
from pytest_nestvirt.manifests.references import Surroundings
from pytest_nestvirt.manifests.virtual_machine import VirtualMachine
from pytest_nestvirt.manifests.vm_class import VmClass
from pytest_nestvirt.observation.fact import Unobservable, facts_of, observing

DOCUMENTS = Path(__file__).parent / "data/virtrigaud"
Load = Callable[..., ManifestSet]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Write a text into set.yaml and load it."""

    def load(text: str, surroundings: Surroundings | None = None) -> ManifestSet:
        (tmp_path / "set.yaml").write_text(text)
        return load_manifests([tmp_path / "set.yaml"], surroundings)

    return load


def the_class(manifests: ManifestSet) -> VmClass:
    """The only class of a set."""
    (found,) = manifests.classes.values()
    return found


def the_machine(manifests: ManifestSet) -> VirtualMachine:
    """The only virtual machine of a set."""
    (found,) = manifests.virtual_machines.values()
    return found


def test_the_objects_of_a_file_come_in_their_order(load: Load) -> None:
    """Several documents a file, by kind and name; empty ones are nothing."""
    manifests = load("---\n---\n" + EVERYTHING + "---\n# the end\n")
    assert [item.name for item in manifests.objects] == ["VMClass/big", "VMImage/jammy", "VirtualMachine/l1"]
    assert [item.place for item in manifests.objects] == ["set.yaml:3", "set.yaml:21", "set.yaml:30"]


def test_the_class_of_the_document_is_read_as_it_is_meant() -> None:
    """Every field of the page's complete example arrives, with its type."""
    manifests = load_manifests([DOCUMENTS / "complete.yaml"])
    vm_class = the_class(manifests)
    assert (vm_class.kind, vm_class.metadata_name, vm_class.namespace) == ("VMClass", "hypervisor-class", "default")
    assert (vm_class.cpu, vm_class.memory_mib, vm_class.firmware) == (8, 16384, "UEFI")
    assert vm_class.nested_virtualization
    assert not vm_class.virtualization_based_security
    assert (vm_class.cpu_hot_add, vm_class.memory_hot_add) == (True, True)
    assert (vm_class.latency_sensitivity, vm_class.hyper_threading) == ("low", "prefer")
    assert (vm_class.secure_boot, vm_class.tpm, vm_class.vtd) == (False, False, True)
    assert (vm_class.cpu_reservation_mhz, vm_class.memory_reservation_bytes) == (4000, 8 * 2**30)
    assert (vm_class.cpu_limit_mhz, vm_class.memory_limit_bytes) == (None, None)
    assert (vm_class.disk_type, vm_class.disk_bytes, vm_class.storage_class) == ("thin", 200 * 2**30, "fast-ssd")
    assert not vm_class.faults


def test_the_machine_of_the_document_is_read_as_it_is_meant() -> None:
    """References lead to the other objects; `On` stays the word; the user data is read as YAML of its own."""
    machine = the_machine(load_manifests([DOCUMENTS / "complete.yaml"]))
    assert machine.power_state == "On"
    assert (machine.vm_class.name, machine.vm_image.name) == ("VMClass/hypervisor-class", "VMImage/ubuntu-server-22-04")
    assert machine.provider_ref == ("default", "my-provider")
    assert (machine.cloud_header, machine.cloud_hostname) == ("#cloud-config", "nested-hypervisor")
    (user,) = machine.cloud_users
    assert (user.name, user.sudo, user.keys, user.whole_keys) == ("ubuntu", ("ALL=(ALL) NOPASSWD:ALL",), 1, 0)
    assert machine.cloud_packages[0] == "qemu-kvm"


def test_evidence_names_file_and_line(load: Load) -> None:
    """A fact's source is the line it was read from, or the mapping in which it is missing."""
    vm_class = the_class(load(but(("  firmware: UEFI\n", ""))))
    with observing() as seen:
        assert (vm_class.firmware, vm_class.cpu) == ("BIOS", 8)
    assert [(o.fact, o.level, o.sources) for o in seen] == [
        ("manifest.firmware", None, ("set.yaml:4",)),
        ("manifest.cpu", None, ("set.yaml:5",)),
    ]


@pytest.mark.parametrize(
    "change, line",
    [
        (("cpu: 8", "cpu: four"), "5: VMClass big: spec.cpu: expected a whole number from 1 to 128; seen 'four'"),
        (("cpu: 8", 'cpu: "8"'), "5: VMClass big: spec.cpu: expected a whole number from 1 to 128; seen '8'"),
        (("cpu: 8", "cpu: 129"), "5: VMClass big: spec.cpu: expected a whole number from 1 to 128; seen 129"),
        (("  cpu: 8\n", ""), "4: VMClass big: spec.cpu: is missing"),
        (("memory: 16Gi", "memory: 16GB"), "6: VMClass big: spec.memory: expected a quantity such as 16Gi"),
        (("UEFI", "uefi"), "7: VMClass big: spec.firmware: expected one of BIOS, UEFI, EFI; seen 'uefi'"),
        (
            ("ization: true", "ization: yes"),
            "9: VMClass big: spec.performanceProfile.nestedVirtualization: expected true",
        ),
        (
            ("  diskDefaults: {", "  diskDefaults: [{"),
            "17: VMClass big: spec.diskDefaults: expected a mapping; seen a list",
        ),
        (("type: thin", "type: fat"), "17: VMClass big: spec.diskDefaults.type: expected one of thin, thick"),
    ],
)
def test_a_refused_value_is_a_fault_with_its_place(load: Load, change: tuple[str, str], line: str) -> None:
    """Wrong types, words and ranges, and what is missing: file, line, object, field; asking for it is not an answer."""
    text = but(change)
    if "[{" in text:
        text = text.replace("fast-ssd}", "fast-ssd}]")
    vm_class = the_class(load(text))
    (fault,) = vm_class.every_fault
    assert fault.startswith(f"set.yaml:{line}")


def test_a_fault_is_no_value(load: Load) -> None:
    """What the API refuses is neither on nor off."""
    vm_class = the_class(load(but(("ization: true", 'ization: "true"'))))
    with pytest.raises(Unobservable, match=r"set\.yaml:9"):
        _ = vm_class.nested_virtualization
    assert "(without quotes)" in vm_class.fault_at(field.NESTED)


@pytest.mark.parametrize(
    "text, said",
    [
        (CLASS + "  x: [\n", "set.yaml:19: invalid YAML"),
        ("- a\n", "set.yaml:1: expected a mapping"),
        (CLASS.replace("kind: VMClass\n", ""), "set.yaml:1: kind: is missing"),
        (CLASS.replace("apiVersion: infra.virtrigaud.io/v1beta1\n", ""), "set.yaml:1: apiVersion: is missing"),
        (CLASS.replace("{name: big}", "{}"), "set.yaml:3: metadata.name: is missing; an object without a name"),
        (CLASS.replace("{name: big}", "{name: 5}"), "set.yaml:3: metadata.name: expected text; seen 5"),
        (f"{CLASS}---\n{IMAGE}---\n{CLASS}", "set.yaml:28: VMClass big is already defined at "),
        ("apiVersion: v1\nkind: List\nitems: [5]\n", "set.yaml:3: items: expected an object; seen 5"),
        (PROVIDER, ": holds none of VMClass, VMImage, VirtualMachine"),
        (CLASS.replace("  cpu: 8\n", "  cpu: 8\n  cpu: 4\n"), "set.yaml:6: spec.cpu: duplicate key"),
    ],
)
def test_what_keeps_objects_from_being_told_apart_is_refused(load: Load, text: str, said: str) -> None:
    """No run begins with such a file: one line, file and line first."""
    with pytest.raises(ManifestError) as caught:
        load(text)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_objects_of_others_are_passed_over_with_a_note(load: Load) -> None:
    """Other groups, and kinds of VirtRigaud that the document is silent on; a VirtualMachine of KubeVirt among them."""
    others = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n---\napiVersion: kubevirt.io/v1\nkind: VirtualMachine\nmetadata: {name: k}\n"
    (file,) = load(f"{EVERYTHING}---\n{others}").files
    assert file.skipped == ("ConfigMap/c (line 52)", "VirtualMachine/k (line 56)")
    assert len(file.objects) == 3


def test_a_misspelt_kind_or_group_is_not_passed_over(load: Load) -> None:
    """What is meant for VirtRigaud is judged, so that the slip is found."""
    for slip, name in ((("VMClass", "VMclass"), "VMclass/big"), (("virtrigaud", "virtrigard"), "VMClass/big")):
        assert load(but(slip)).objects[0].name == name


def test_a_list_is_its_items(load: Load) -> None:
    """What `kubectl get -o yaml` prints."""
    items = "".join("- " + part.replace("\n", "\n  ").rstrip(" ") for part in (CLASS, IMAGE))
    manifests = load(f"apiVersion: v1\nkind: List\nitems:\n{items}")
    assert [item.place for item in manifests.objects] == ["set.yaml:4", "set.yaml:21"]


def test_names_are_told_apart_by_namespace_where_they_must_be(load: Load) -> None:
    """Two classes of one name have their namespaces in their names; others do not."""
    other = CLASS.replace("{name: big}", "{name: big, namespace: lab}")
    names = [item.name for item in load(f"{CLASS}---\n{other}---\n{IMAGE}").objects]
    assert names == ["VMClass/default/big", "VMClass/lab/big", "VMImage/jammy"]


def test_references_are_looked_up_in_all_files(tmp_path: Path) -> None:
    """One set of manifests, however many files; a file that is named twice counts once."""
    for name, text in (("a.yaml", CLASS), ("b.yaml", MACHINE), ("c.yaml", IMAGE)):
        (tmp_path / name).write_text(text)
    manifests = load_manifests([tmp_path / name for name in ("a.yaml", "b.yaml", "c.yaml", "a.yaml")])
    assert the_machine(manifests).vm_class is the_class(manifests)
    assert len(manifests.objects) == 3


# ---- what is about nesting at all


PLAIN = CLASS.replace("name: big", "name: web").replace("nestedVirtualization: true", "nestedVirtualization: false")


def test_a_class_of_other_machines_is_let_alone(load: Load) -> None:
    """Beside a class with nesting, one without is not about nesting; alone, it is what was meant."""
    beside = load(f"{CLASS}---\n{PLAIN}")
    assert {c.metadata_name: c.for_nesting for c in beside.classes.values()} == {"big": True, "web": False}
    assert the_class(load(PLAIN)).for_nesting


def test_a_class_of_a_guest_hypervisor_is_about_nesting(load: Load) -> None:
    """The inventory says that l1 is to run guests: its class has to allow that, whatever other classes do."""
    machine = MACHINE.replace("classRef: {name: big}", "classRef: {name: web}")
    text = f"{CLASS}---\n{PLAIN}---\n{machine}"
    web = load(text, Surroundings(hypervisors=frozenset({"l1"}))).classes["default", "web"]
    assert web.for_nesting
    assert not load(text).classes["default", "web"].for_nesting


# ---- providers


def test_the_provider_is_known_from_its_object_or_from_the_inventory(load: Load) -> None:
    """The object first; a host of that name second; else nobody knows."""
    assert the_machine(load(EVERYTHING)).provider == "libvirt"
    assert the_class(load(EVERYTHING)).providers == {"libvirt"}
    alone = f"{CLASS}---\n{MACHINE}"
    declared = Surroundings(providers={"lab": "vsphere"})
    assert the_machine(load(alone, declared)).provider == "vsphere"
    with pytest.raises(Unobservable, match="what kind of provider lab is stands nowhere"):
        _ = the_machine(load(alone)).provider


# ---- user data


def test_a_fault_in_user_data_is_placed_in_the_manifest(load: Load) -> None:
    """The text begins a line below its key, so its own lines count on from there."""
    machine = the_machine(load(but(("hostname: l1", "hostname: l1\n        \tusers: x"))))
    assert machine.cloud_fault is not None
    assert machine.cloud_fault.line == 40
    duplicate = the_machine(load(but(("hostname: l1", "hostname: l1\n        hostname: l2"))))
    assert duplicate.cloud_fault is not None
    assert (duplicate.cloud_fault.line, duplicate.cloud_fault.problem) == (
        40,
        "hostname: duplicate key (first defined on line 39)",
    )


def test_user_data_keeps_its_secrets(load: Load) -> None:
    """Commands, passwords and files of the user data never become evidence."""
    text = but(("        packages: [", "        password: S3CRET\n        runcmd: [echo S3CRET]\n        packages: ["))
    machine = the_machine(load(text))
    with observing() as seen:
        for name in facts_of(VirtualMachine):
            with contextlib.suppress(Unobservable):
                getattr(machine, name)
    assert seen
    assert "S3CRET" not in repr(seen)


@pytest.mark.parametrize(
    "line, whole",
    [
        ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f me@here", True),
        ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f", True),
        ('from="10.0.0.0/8" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f', True),
        ("ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f", False),
        ("ssh-rsa AAAAB3NzaC1yc2E...", False),
        ("ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQC...", False),
        ("ssh-rsa", False),
        ("<your key here>", False),
        ("", False),
    ],
)
def test_a_placeholder_is_no_key(line: str, whole: bool) -> None:
    """A key is whole if its Base64 holds the strings that its type has."""
    assert is_public_key(line) is whole


@settings(max_examples=100)
@given(st.text(max_size=60), st.binary(max_size=60))
def test_no_text_is_mistaken_for_a_key(text: str, data: bytes) -> None:
    """Whatever stands there, it is a key or not, and never a crash."""
    assert is_public_key(text) in {True, False}
    assert is_public_key(f"ssh-rsa {data!r}") is False


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.integers(0, len(EVERYTHING) - 1), max_size=4),
    st.sampled_from(["", ":", "- ", "{", '"', "\n", "0", "true", "|", "\t", "é"]),
)
def test_damaged_manifests_are_refused_or_read(load: Load, places: list[int], inserted: str) -> None:
    """A damaged file is one-line errors or objects whose facts are values or unknown; nothing crashes."""
    text = EVERYTHING
    for place in places:
        text = text[:place] + inserted + text[place + 1 :]
    try:
        manifests = load(text)
    except ManifestError as error:
        problems = error.problems
        assert not [problem for problem in problems if "\n" in problem]
        return
    for item in manifests.objects:
        _ = item.every_fault
        for name in facts_of(type(item)):
            with contextlib.suppress(Unobservable):
                getattr(item, name)
        assert isinstance(item, ManifestObject)
