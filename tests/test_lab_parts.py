"""What a lab's machines are made of: archives for the kernel, keys, settings, command lines."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import paramiko
import pytest
from emulator_stand_in import emulated_by
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_nestvirt.catalogue.load_catalogue import load_catalogue
from pytest_nestvirt.catalogue.requirement import Stance
from pytest_nestvirt.embedded import embedded
from pytest_nestvirt.inventory.load_inventory import load_inventory
from pytest_nestvirt.lab.access import write_access
from pytest_nestvirt.lab.cases.all_cases import CASES, case_of
from pytest_nestvirt.lab.cases.emulators import BOCHS
from pytest_nestvirt.lab.cases.judged import deviations
from pytest_nestvirt.lab.cases.lab_case import LabCase
from pytest_nestvirt.lab.directory import LabDirectory
from pytest_nestvirt.lab.image.cpio import Archive
from pytest_nestvirt.lab.image.outermost import Outermost
from pytest_nestvirt.lab.image.overlay import Guest, Settings, overlay
from pytest_nestvirt.lab.image.qemu_command import guest_command, outer_command
from pytest_nestvirt.lab.keys import KeyPair, Keys
from pytest_nestvirt.lab.machine.console import Mark, death, last_lines, marks
from pytest_nestvirt.lab.packages.apt import Package, content_key
from pytest_nestvirt.lab.packages.doctor import Lack, remedy
from pytest_nestvirt.lab.problem import LabError
from pytest_nestvirt.report.case import Case, ChainReport, HostReport, RunReport, StanceReport
from pytest_nestvirt.run.suite_paths import suite_folders
from pytest_nestvirt.verdict import Kind, Obligation, Verdict

INIT = Path(__file__).parent.parent / "pytest_nestvirt/lab/init.sh"


def entries(archive: bytes) -> Iterator[tuple[str, int, bytes]]:
    """Name, mode and contents of each entry of a newc archive, read as the kernel's init/initramfs.c does."""
    at = 0
    while archive[at : at + 6] == b"070701":
        fields = [int(archive[at + 6 + 8 * place : at + 14 + 8 * place], 16) for place in range(13)]
        mode, size, name_size = fields[1], fields[6], fields[11]
        name = archive[at + 110 : at + 110 + name_size - 1].decode()
        at += (110 + name_size + 3) // 4 * 4
        yield name, mode, archive[at : at + size]
        at += (size + 3) // 4 * 4


@given(
    st.dictionaries(st.from_regex(r"[a-z]{1,8}(/[a-z]{1,8}){0,2}", fullmatch=True), st.binary(max_size=40), max_size=6)
)
@settings(max_examples=40)
def test_archive_holds_what_was_put_in_behind_its_directories(files: dict[str, bytes]) -> None:
    """Each file comes back as it was, after the directories it lies in, and another archive may follow."""
    archive = Archive()
    for name, data in files.items():
        archive.file(name, data)
    finished = archive.finished()
    read = list(entries(finished))
    assert {name: data for name, mode, data in read if mode >> 12 == 0o10} == files
    seen: set[str] = set()
    for name, _, _ in read[:-1]:
        assert "/" not in name or name.rpartition("/")[0] in seen
        seen.add(name)
    assert read[-1][0] == "TRAILER!!!"
    assert len(finished) % 512 == 0


def test_keys_are_what_openssh_and_dropbear_read() -> None:
    """The identity file is a key to paramiko, with the public half that authorized_keys and known_hosts get."""
    pair = KeyPair.generate()
    key = paramiko.Ed25519Key.from_private_key(StringIO(pair.openssh.decode()))
    assert pair.public == f"{key.get_name()} {key.get_base64()}"
    assert pair.dropbear.startswith(b"\0\0\0\x0bssh-ed25519\0\0\0\x40")
    assert pair.dropbear[-32:] == key.asbytes()[-32:]


def test_keys_are_kept_and_read_again() -> None:
    """Keys of a snapshot open the machines that are restored from it."""
    keys = Keys.generate(["L0", "L1"])
    read = Keys.from_json(json.loads(json.dumps(keys.as_json())))
    assert read.client.public == keys.client.public
    assert {level: pair.public for level, pair in read.hosts.items()} == {
        level: pair.public for level, pair in keys.hosts.items()
    }


def test_overlay_gives_a_machine_its_own_key_and_its_guests() -> None:
    """A host key never leaves the archive of its machine but for the guest's own inside it, and is readable by root only."""
    client, outer, inner = KeyPair.generate(), KeyPair.generate(), KeyPair.generate()
    within = overlay(Settings("L1", (), "", "", inner, client))
    archive = overlay(
        Settings("L0", ("a", "b"), "/dev/vda", "kvm_amd", outer, client, guest=Guest(within, "qemu", ("x",)))
    )
    read = {name: (mode & 0o777, data) for name, mode, data in entries(archive)}
    assert read["run/lab/hostkey"] == (0o600, outer.dropbear)
    assert read["run/lab/guest.cpio"][1] == within
    assert b"kvm='kvm_amd'\n" in read["run/lab/level"][1]
    assert client.public.encode() in read["run/lab/root/root/.ssh/authorized_keys"][1]


@pytest.mark.parametrize("shell", ["dash", "busybox"])
def test_first_process_is_posix_shell(shell: str) -> None:
    """The script that every machine begins with is one for BusyBox and dash alike."""
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} here")
    words = [shell, "sh", "-n"] if shell == "busybox" else [shell, "-n"]
    subprocess.run([*words, str(INIT)], check=True)


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="no shellcheck here")
def test_shellcheck_finds_nothing_in_the_first_process() -> None:
    """Nothing that shellcheck knows is wrong with it."""
    done = subprocess.run(["shellcheck", "-s", "sh", str(INIT)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


# ---- cases


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_cases_expect_statements_of_the_catalogue(case: LabCase) -> None:
    """What a case expects is about machines that it has and statements that there are."""
    known = {requirement.id for requirement in load_catalogue(suite_folders([embedded("suites")]))}
    expected = case.expected.table()
    assert expected
    assert {requirement for _, requirement in expected} <= known
    assert {host for host, _ in expected} <= {level.lower() for level in case.levels}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_machines_are_reachable_from_this_one_only(case: LabCase, tmp_path: Path) -> None:
    """Every forwarded port is one of 127.0.0.1, and no machine reaches anything by itself."""
    outermost = Outermost(case, emulated_by(tmp_path, "", case), LabDirectory(tmp_path), 4711)
    # What Bochs is told stands in test_lab_bochs.py.
    commands = [] if case.emulator == BOCHS else [" ".join(outer_command(outermost))]
    # What libvirt is told stands in test_lab_domain.py.
    commands += [
        guest_command(case, level) for level, machine in enumerate(case.machines) if level and not machine.domain
    ]
    for command in commands:
        assert command.count("hostfwd=tcp:127.0.0.1:") == command.count("hostfwd=") == 1
        assert "restrict=on" in command


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_inventory_leads_to_every_machine(case: LabCase, tmp_path: Path) -> None:
    """The inventory is valid, nests as the machines do, and knows each by its own key."""
    keys = Keys.generate(case.levels)
    write_access(LabDirectory(tmp_path), case, keys, 4711)
    inventory = load_inventory([tmp_path / "inventory.yml"])
    assert [host.name for host in inventory] == [level.lower() for level in case.levels]
    assert [host.level for host in inventory] == list(range(len(case.levels)))
    assert all(host.via == host.parent for host in inventory)
    assert (tmp_path / "identity").stat().st_mode & 0o077 == 0
    known = (tmp_path / "known_hosts").read_text()
    for host in inventory:
        place = host.ssh.address if host.ssh.port == 22 else f"[{host.ssh.address}]:{host.ssh.port}"
        assert f"{place} {keys.hosts[host.name.upper()].public}\n" in known


def test_unknown_case_is_answered_with_those_there_are() -> None:
    """One line that names the cases."""
    with pytest.raises(LabError, match="unknown case 'itanium'; choose from: power9"):
        case_of("itanium")


# ---- console


def test_marks_are_found_among_whatever_a_console_prints() -> None:
    """Marks of guests flow through the consoles of their hosts, with carriage returns and kernel messages."""
    text = "[    1.2] foo\r\nnestvirt-lab L0 kvm 1 up=3.35\r\r\n[ 2.0] xnestvirt-lab L1 ssh up=5.67\nnestvirt-lab L1 ss"
    assert marks(text) == [Mark("L0", "kvm", 1), Mark("L1", "ssh")]


@pytest.mark.parametrize(
    "line",
    [
        "[    2.107075] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100",
        "KVM internal error. Suberror: 1",
        "nestvirt-lab L0 guest-end 1 up=9.1",
        "nestvirt-lab L0 no-disk up=2.57",
    ],
)
def test_death_is_seen_on_the_console(line: str) -> None:
    """What no machine comes back from ends the wait at once."""
    assert death(f"before\n{line}\nafter") == line


def test_refusal_of_kvm_is_no_death() -> None:
    """A machine whose KVM refuses to load goes on: that is what some cases are about."""
    assert not death("nestvirt-lab L0 kvm 1 up=3.35\nkvm-s390: SIE is not available")


@given(st.text())
@settings(max_examples=60)
def test_console_of_any_kind_is_read(text: str) -> None:
    """Nothing a machine prints crashes whoever reads it, or reaches the terminal as a control character."""
    marks(text)
    death(text)
    assert all(character >= " " or character == "\t" for line in last_lines(text) for character in line)


# ---- images, doctor, verdicts


def test_image_is_named_by_versions_and_recipe() -> None:
    """A newer package or another recipe is another image; the order of packages is not."""
    old, new, other = Package("a_1_amd64.deb", 1), Package("a_2_amd64.deb", 1), Package("b_1_amd64.deb", 1)
    assert content_key([old, other], b"r") == content_key([other, old], b"r")
    assert len({content_key([old], b"r"), content_key([new], b"r"), content_key([old], b"s")}) == 3


def test_doctor_names_one_command() -> None:
    """All packages in one command; without apt, what that means."""
    lacks = [Lack("tar", "tar"), Lack("mke2fs", "e2fsprogs")]
    assert remedy(lacks) == "sudo apt-get install --no-install-recommends e2fsprogs tar"
    assert "Debian" in remedy([Lack("apt-get", "apt")])
    assert remedy([]) == ""


def told(requirement: str, host: str, verdict: Verdict) -> Case:
    """A case of a report, as far as it matters here."""
    return Case(
        requirement, "kvm-wiki", "", "", host, 0, verdict, Kind.REQUIREMENT, Obligation.MUST, reason="as it happens"
    )


def report_of(cases: Iterable[Case], **told: Any) -> RunReport:  # noqa: ANN401 - its fields
    """A report that holds these cases."""
    report = RunReport("", "", complete=True, incomplete_because="", tool={}, catalogue_digest="", inventory_digest="",
                       inventory_files=(), cases=tuple(cases))  # fmt: skip
    return replace(report, **told)


def held(case: LabCase) -> list[Case]:
    """What a case expects."""
    return [told(requirement, host, verdict) for (host, requirement), verdict in case.expected.table().items()]


def test_every_difference_to_what_is_expected_is_told() -> None:
    """Another verdict, a verdict nobody expected and one that is missing are all deviations; what did not apply is none."""
    case = case_of("power9")
    cases = held(case)
    assert deviations(case, report_of(cases)) == ()
    odd = (*cases[1:], told("X", "l0", Verdict.WARN), told("Y", "l0", Verdict.NOT_APPLICABLE))
    lines = deviations(case, report_of(odd))
    assert len(lines) == 2
    assert f"{cases[0].requirement} on l0: expected pass, seen no verdict" in lines
    assert "X on l0: expected no verdict, seen warn (as it happens)" in lines


def test_what_is_said_of_support_has_to_be_what_is_expected() -> None:
    """The stance of a chain is what people certify by: a lab that comes out supported, or not judged, is no success."""
    case = case_of("power8")
    chains = [
        ChainReport("l0 > l1", ("l0", "l1"), (StanceReport("rhel8", stance, ()),))
        for stance in (Stance.NOT_WORKING, Stance.SUPPORTED)
    ]
    assert deviations(case, report_of(held(case), chains=(chains[0],))) == ()
    (line,) = deviations(case, report_of(held(case), chains=(chains[1],)))
    assert line == "rhel8 on the support of l0 > l1: expected not-working, seen supported"
    (line,) = deviations(case, report_of(held(case), chains=(ChainReport("l0 > l1", ("l0", "l1")),)))
    assert line.endswith("expected not-working, seen nothing")


def test_run_that_is_incomplete_or_over_other_machines_is_no_success() -> None:
    """Equal verdicts are not enough."""
    case = case_of("power9")
    report = report_of(held(case), complete=False, incomplete_because="interrupted")
    assert deviations(case, report) == ("the run is not complete: interrupted",)
    host = HostReport("l1", 1, "l0", "ssh", "", reachable=True, contradiction="it is another one")
    assert deviations(case, report_of(held(case), hosts=(host,))) == ("l1: it is another one",)
