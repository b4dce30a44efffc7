"""VirtRigaud's page: its statements, how each is dealt with, and what it makes of its own manifests."""

from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path

import manifest_trios
import pytest
import virtrigaud_trios
from linux_chains import definition
from rhel8_trios import l0
from small_runs import MACHINE, Done, inventory, record, run_pytest, verdicts
from suite_checks import catalogue_of, checks_of, read_only, verdict_on
from virtrigaud_chains import libvirt_chain

from pytest_nestvirt.catalogue.trace import trace
from pytest_nestvirt.report.result_json import load_json
from pytest_nestvirt.verdict import Verdict

DOCUMENTS = Path(__file__).parent / "data/virtrigaud"
IDS = """
    VR-CAPABILITY VR-USECASES VR-PERFPROFILE VR-VSPHERE-ESXI6 VR-VSPHERE-HW9 VR-VSPHERE-HW14 VR-VSPHERE-BIOS
    VR-VSPHERE-RESOURCES VR-LIBVIRT-QEMUKVM VR-LIBVIRT-HOSTCPU VR-LIBVIRT-NESTED-ON VR-LIBVIRT-1213 VR-PVE-6
    VR-PVE-HOSTCPU VR-PVE-NESTED-ON VR-MAN-APIVERSION VR-MAN-KINDS VR-MAN-NAMESPACE VR-MAN-NESTED-TRUE
    VR-MAN-VBS-OPTIONAL VR-MAN-VBS-CONFLICT VR-MAN-CPU-HOTADD VR-MAN-MEM-HOTADD VR-MAN-SECUREBOOT VR-MAN-TPM VR-MAN-VTD
    VR-MAN-FIRMWARE VR-MAN-DISK VR-MAN-STORAGECLASS VR-MAN-EX-SIZES VR-MAN-LATENCY VR-MAN-HT VR-MAN-CPU-RESERVATION
    VR-MAN-MEM-RESERVATION VR-MAN-VMIMAGE VR-MAN-REFS VR-MAN-POWERSTATE VR-CI-HEADER VR-CI-HOSTNAME VR-CI-USER
    VR-CI-PACKAGES VR-CI-CPUFLAG VR-CI-DEVKVM VR-CI-LIBVIRTD VR-CI-GROUP VR-CI-MODPROBE VR-CI-MARKERS
    VR-VSPHERE-VHV-ENABLE VR-VSPHERE-VHV-NPT VR-VSPHERE-VTD-CONSIDER VR-LIBVIRT-PASS-VMXSVM VR-LIBVIRT-Q35
    VR-LIBVIRT-AUTO-XML VR-PVE-CPUTYPE VR-PVE-VMCPU-NESTED VR-VER-LNX-FLAGS VR-VER-LNX-DEVKVM VR-VER-LNX-NESTED
    VR-VER-LNX-VHV VR-VER-WIN-SYSTEMINFO VR-VER-WIN-COMPUTERINFO VR-SIZE-CPU-MIN VR-SIZE-CPU-REC VR-SIZE-MEM-MIN
    VR-SIZE-MEM-REC VR-SIZE-DISK VR-NET-TOPOLOGY VR-NET-SRIOV VR-NET-IPPLAN VR-TS-NOT-WORKING VR-TS-SLOW
    VR-TS-NOT-DETECTED VR-DBG-LSCPU-HOST VR-DBG-NESTED-GLOB VR-DBG-LSCPU-GUEST VR-DBG-VIRT-INSTALL VR-SEC-ATTACK-SURFACE
    VR-SEC-NETISO VR-SEC-ACCESS VR-SEC-LIMITS VR-SEC-MONITOR VR-SEC-QUOTAS VR-SEC-HOST-UPDATED VR-SEC-GUEST-UPDATED
    VR-SEC-L2-PATCHES VR-BP-PLANNING VR-BP-CONFIG VR-BP-MONITORING VR-BP-MAINTENANCE VR-LIM-VSPHERE-OVERHEAD
    VR-LIM-VSPHERE-ADV VR-LIM-LIBVIRT-KERNEL VR-LIM-LIBVIRT-CPU VR-LIM-LIBVIRT-X86 VR-LIM-PVE-OVERHEAD VR-LIM-PVE-CLUSTER
    VR-MTX-VSPHERE VR-MTX-LIBVIRT VR-MTX-PROXMOX VR-DOC-POINTER
"""
CATALOGUE = catalogue_of("virtrigaud")


def test_published_ids_are_promises() -> None:
    """None of them is missing or renamed."""
    assert set(IDS.split()) <= {requirement.id for requirement in CATALOGUE}


def test_every_statement_has_a_check_a_permission_or_a_reason() -> None:
    """Both levels of those that have two."""
    assert trace(CATALOGUE).problems() == ()
    assert not any("implement" in requirement.not_observable for requirement in CATALOGUE)


def test_every_check_was_seen_to_fail() -> None:
    """Each check that only looks has a machine or a manifest that violates it."""
    tried = {trio.requirement for trio in virtrigaud_trios.virtrigaud_trios()}
    tried |= {trio.requirement for trio in manifest_trios.manifest_trios()}
    checked = {name for of_manifests in (True, False) for name in checks_of("virtrigaud", of_manifests=of_manifests)}
    assert tried == checked & set(read_only(CATALOGUE))


def test_the_impossible_processor_is_the_documents_defect() -> None:
    """A domain that requires vmx and svm: a warning that says whose mistake it is, while the intent is judged by itself."""
    both = "<feature policy='require' name='vmx'/><feature policy='require' name='svm'/>"
    sample = definition("L1", f"<cpu mode='host-model' check='partial'>{both}</cpu>")
    verdict, reason = verdict_on("virtrigaud", "VR-LIBVIRT-AUTO-XML", l0(libvirt_chain(), sample))
    assert verdict is Verdict.WARN
    assert "a defect of the document" in reason


# ---- the page's own manifests


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Done]:
    """A run over the page's two examples, no machine beside them."""
    folder = tmp_path_factory.mktemp("own")
    done = run_pytest(
        folder,
        *(f"--nestvirt-manifest={DOCUMENTS / name}.yaml" for name in ("first", "complete")),
        *("--nestvirt-report=out", "-n", "1"),
        COLUMNS="100",
    )
    return folder / "out", done


def _other_than_pass(report: Path, host: str) -> dict[str, str]:
    left_out = {"pass", "not-applicable", "not-run"}
    return {
        name: verdict
        for (name, where), verdict in verdicts(report).items()
        if where == host and verdict not in left_out
    }


def test_the_first_example_contradicts_the_second(own: tuple[Path, Done]) -> None:
    """It enables what the second warns of, has the least size, and lacks what the best practices ask for."""
    assert _other_than_pass(own[0], "VMClass/nested-vm-class") == {
        "VR-MAN-VBS-CONFLICT": "warn",
        "VR-MAN-CPU-HOTADD": "inconclusive",
        "VR-MAN-STORAGECLASS": "warn",
        "VR-SIZE-CPU-REC": "warn",
        "VR-SIZE-MEM-REC": "warn",
        "VR-SEC-LIMITS": "warn",
        "VR-BP-CONFIG": "warn",
    }


def test_the_complete_example_is_sound_but_for_its_key(own: tuple[Path, Done]) -> None:
    """A placeholder lets nobody in, reservations are no limits, and which provider it is for is not said."""
    assert _other_than_pass(own[0], "VMClass/hypervisor-class") == {
        "VR-MAN-CPU-HOTADD": "inconclusive",
        "VR-SEC-LIMITS": "warn",
    }
    assert _other_than_pass(own[0], "VMImage/ubuntu-server-22-04") == {}
    assert _other_than_pass(own[0], "VirtualMachine/nested-hypervisor") == {
        "VR-CI-USER": "warn",
        "VR-MTX-PROXMOX": "inconclusive",
    }
    found = verdicts(own[0])
    for statement in ("VR-MAN-POWERSTATE", "VR-MAN-REFS", "VR-CI-HEADER", "VR-CI-HOSTNAME", "VR-CI-PACKAGES"):
        assert found[statement, "VirtualMachine/nested-hypervisor"] == "pass"


def test_manifests_are_reported_like_chains(own: tuple[Path, Done]) -> None:
    """Exit status, terminal, result.json and JUnit: each file with its objects, none of them a machine."""
    report, done = own
    assert done.returncode == 0, done.stdout + done.stderr
    assert "first.yaml: 1 objects, complete.yaml: 3 objects" in done.stdout
    assert "complete.yaml: conforms with warnings" in done.stdout
    assert "  manifest      VMClass/hypervisor-class: complete.yaml:3, 8 processors, 16 GiB" in done.stdout
    assert "4 objects, 2 manifests, 2 of them conforming" in done.stdout
    result = json.loads((report / "result.json").read_text())
    assert [chain["name"] for chain in result["chains"]] == ["first.yaml", "complete.yaml"]
    assert {(host["level"], host["connection"], host["parent"]) for host in result["hosts"]} == {
        (None, "manifest", None)
    }
    case = next(case for case in load_json(report / "result.json").cases if case.requirement == "VR-MAN-FIRMWARE")
    assert ("manifest.firmware", ("first.yaml:10",)) in [(seen.fact, seen.sources) for seen in case.evidence]
    suites = [suite for file in report.glob("*/junit.xml") for suite in ET.parse(file).getroot()]
    names = {suite.get("name") for suite in suites}
    assert "VMClass/hypervisor-class (manifest)" in names
    assert any(case.get("name") == "VR-MAN-DISK on VMClass/hypervisor-class (manifest)" for s in suites for case in s)


def test_hot_add_is_warned_of_on_vsphere(tmp_path: Path) -> None:
    """B-10: the page advises it, the provider leaves it out. The inventory says which provider `my-provider` is."""
    shutil.copy(DOCUMENTS / "complete.yaml", tmp_path)
    inventory(tmp_path, {"my-provider": {"connection": "none", "provider": "vsphere"}}, manifests=["complete.yaml"])
    run_pytest(tmp_path, "--hosts=inventory.yml", "--nestvirt-report=out", "--nestvirt-profile=virtrigaud")
    found = verdicts(tmp_path / "out")
    assert found["VR-MAN-CPU-HOTADD", "VMClass/hypervisor-class"] == "warn"
    assert found["VR-MTX-PROXMOX", "VirtualMachine/nested-hypervisor"] == "not-applicable"


# ---- in an inventory


def test_a_machine_that_a_manifest_tells_of_is_judged(tmp_path: Path) -> None:
    """Without manifests a libvirt host has nothing to do with VirtRigaud; with them, the machine of that name has."""
    record(tmp_path / "l0")
    record(tmp_path / "l1", {**MACHINE, "proc/sys/kernel/hostname": "other\n"})
    guest = {"path": "l1", "domain": "nested-hypervisor"}
    inventory(tmp_path, {"kvm01": {"path": "l0", "guests": {"l1": guest, "l1b": {"path": "l1"}}}})
    arguments = ("--hosts=inventory.yml", "--nestvirt-report=out")
    run_pytest(tmp_path, *arguments)
    alone = {verdict for (name, _), verdict in verdicts(tmp_path / "out").items() if name.startswith("VR-")}
    assert alone == {"not-applicable"}
    before = {key: verdict for key, verdict in verdicts(tmp_path / "out").items() if key[0].startswith("RHEL8-")}
    run_pytest(tmp_path, *arguments, f"--nestvirt-manifest={DOCUMENTS / 'complete.yaml'}")
    found = verdicts(tmp_path / "out")
    assert found["VR-LIBVIRT-NESTED-ON", "kvm01"] == "pass"
    assert found["VR-CI-HOSTNAME", "l1"] == "warn"
    assert found["VR-CI-HOSTNAME", "l1b"] == "not-applicable"
    assert found["VR-VER-LNX-FLAGS", "l1"] == "pass"
    assert {key: verdict for key, verdict in found.items() if key[0].startswith("RHEL8-")} == before


def test_an_inventory_may_hold_manifests_alone(tmp_path: Path) -> None:
    """No host is needed then; paths are relative to the inventory."""
    (tmp_path / "files").mkdir()
    shutil.copy(DOCUMENTS / "complete.yaml", tmp_path / "files")
    (tmp_path / "lab.yml").write_text("manifests: files/complete.yaml\n")
    done = run_pytest(tmp_path, "--hosts=lab.yml", "--nestvirt-report=out")
    assert done.returncode == 0, done.stdout + done.stderr
    assert found_hosts(tmp_path / "out") == {
        "VMClass/hypervisor-class",
        "VMImage/ubuntu-server-22-04",
        "VirtualMachine/nested-hypervisor",
    }


def found_hosts(report: Path) -> set[str]:
    """What a result.json has cases of."""
    return {host for _, host in verdicts(report)}


# ---- refusals


def broken(folder: Path, text: str) -> Path:
    """A manifest with that text."""
    (folder / "broken.yaml").write_text(text)
    return folder / "broken.yaml"


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--nestvirt-manifest=gone.yaml"], "gone.yaml: no such file"),
        (["--nestvirt-manifest=broken.yaml"], "broken.yaml:2: invalid YAML"),
        (
            ["--nestvirt-manifest=broken.yaml", "--hosts=ssh://kvm01"],
            "--nestvirt-manifest needs an inventory: add --hosts=inventory.yml",
        ),
        (["--nestvirt-manifest=sound.yaml", "--nestvirt-profile=rhel8"], "no source that is in use judges manifests"),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, arguments: list[str], said: str) -> None:
    """A usage error, nothing runs, and no traceback."""
    broken(tmp_path, "kind: [VMClass\n")
    (tmp_path / "sound.yaml").write_text(manifest_trios.EVERYTHING)
    done = run_pytest(tmp_path, *arguments)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR, done.stdout + done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_refused_field_fails_with_its_place(tmp_path: Path) -> None:
    """What the API would refuse is a failure of the object, not of the run: file, line, object, field."""
    (tmp_path / "set.yaml").write_text(manifest_trios.EVERYTHING.replace("cpu: 8", "cpu: four"))
    done = run_pytest(tmp_path, "--nestvirt-manifest=set.yaml", "--nestvirt-report=out")
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert "set.yaml:5: VMClass big: spec.cpu: expected a whole number from 1 to 128; seen 'four'" in done.stdout
    found = verdicts(tmp_path / "out")
    assert found["VR-MAN-APIVERSION", "VMClass/big"] == "fail"
    assert found["VR-SIZE-CPU-MIN", "VMClass/big"] == "fail"
    assert found["VR-SIZE-MEM-MIN", "VMClass/big"] == "pass"


def test_a_test_of_ones_own_runs_over_all_objects(tmp_path: Path) -> None:
    """The fixture `manifest` needs no requirement."""
    (tmp_path / "set.yaml").write_text(manifest_trios.EVERYTHING)
    (tmp_path / "test_own.py").write_text(
        "def test_named(manifest):\n    assert manifest.metadata_name in {'big', 'l1'}\n"
    )
    (tmp_path / "test_mixed.py").write_text("def test_mixed(manifest, l1):\n    pass\n")
    done = run_pytest(tmp_path, "test_own.py", "--nestvirt-manifest=set.yaml", "-v")
    assert "test_named[VMClass/big] PASSED" in done.stdout
    assert "test_named[VMImage/jammy] FAILED" in done.stdout
    mixed = run_pytest(tmp_path, "test_mixed.py", "--nestvirt-manifest=set.yaml")
    assert "a manifest is not a level of a chain" in mixed.stdout + mixed.stderr
    alone = run_pytest(tmp_path, "test_own.py")
    assert "the fixture manifest needs manifests" in alone.stdout


# ---- the manifests that come with the product

EMBEDDED = Path(__file__).parent.parent / "inventories/manifests"
FAILS = {
    "VMClass/too-small": {"VR-MAN-APIVERSION", "VR-MAN-NESTED-TRUE", "VR-MAN-MEM-RESERVATION", "VR-SIZE-CPU-MIN"},
    "VMClass/misplaced": {"VR-MAN-APIVERSION", "VR-PERFPROFILE", "VR-MAN-NESTED-TRUE"},
    "VMImage/ubuntu": {"VR-MAN-APIVERSION"},
    "VirtualMachine/dangling": {"VR-MAN-REFS", "VR-CI-HEADER"},
}


def test_the_embedded_manifests_are_what_their_names_say(tmp_path: Path) -> None:
    """The sound ones have no finding; the others fail for what was done to them, and for nothing else."""
    files = [f"--nestvirt-manifest={EMBEDDED / name}.yaml" for name in ("nested", "violations")]
    done = run_pytest(tmp_path, *files, "--nestvirt-report=out")
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    found: dict[str, set[str]] = {}
    for (name, host), verdict in verdicts(tmp_path / "out").items():
        if verdict == "fail":
            found.setdefault(host, set()).add(name)
    assert found == FAILS
    for host in ("VMClass/hypervisor", "VMImage/ubuntu-22-04", "VirtualMachine/nested-hypervisor"):
        assert _other_than_pass(tmp_path / "out", host) == {}
    assert "nested.yaml: conforms" in done.stdout
    assert "violations.yaml: does not conform" in done.stdout
