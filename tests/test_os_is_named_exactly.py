"""Claim: the operating system is what its release files say, to the letter; where they disagree it is unknown."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path

import pytest
from cpuinfo_texts import os_of
from hypothesis import example, given, settings
from hypothesis import strategies as st
from machine_sections import Sections
from real_files import CORPUS, needs, rows

from pytest_nestvirt.facts.system.os_expression import matches
from pytest_nestvirt.facts.system.os_release import parse_os_release, parse_redhat_release, unquote, version_numbers
from pytest_nestvirt.observation.fact import Unobservable, observing
from pytest_nestvirt.snapshot.snapshot import Status

RHEL_8_6 = 'NAME="Red Hat Enterprise Linux"\nVERSION="8.6 (Ootpa)"\nID="rhel"\nID_LIKE="fedora"\nVERSION_ID="8.6"\n'


def release(os_id: str, version: str, **more: str) -> Sections:
    """An os-release with these values."""
    values = {"ID": os_id, "VERSION_ID": version, **more}
    return {"etc/os-release": "".join(f'{name}="{value}"\n' for name, value in values.items())}


def windows(**properties: object) -> Sections:
    """What a Windows says of itself."""
    return {"nestvirt/windows/operating_system.json": json.dumps(properties)}


@needs("expected_os.csv")
def test_release_files_of_real_systems() -> None:
    """Every row of the table of release files from real systems holds."""
    for row in rows("expected_os.csv"):
        name = "etc/os-release" if row["kind"] == "os-release" else "etc/redhat-release"
        facts = os_of({name: (CORPUS / row["file"]).read_bytes()})
        numbers = [*map(str, facts.version), ""][:2]
        assert (facts.id, facts.version_id) == (row["id"], row["version_id"]), row
        assert numbers == [row["major"], row["minor"]], row


def test_id_and_version_are_taken_as_written() -> None:
    """A rebuild is not RHEL, whatever it is like; 8.10 is later than 8.2."""
    assert os_of({"etc/os-release": RHEL_8_6}).id == "rhel"
    rocky = os_of(release("rocky", "8.10", ID_LIKE="rhel centos fedora"))
    assert (rocky.id, rocky.version, rocky.version_id) == ("rocky", (8, 10), "8.10")
    assert not rocky.release("rhel", (8, 2))
    assert os_of(release("rhel", "8.10")).release("rhel", (8, 2), (9,))
    assert not os_of(release("rhel", "8.1")).release("rhel", (8, 2), (9,))
    assert not os_of(release("rhel", "9.4")).release("rhel", (8, 2), (9,))


def test_the_name_is_a_fact_of_the_system() -> None:
    """`os.name` is the system's, and is observed under the subject's name like every other fact."""
    with observing() as seen:
        assert os_of({"etc/os-release": RHEL_8_6}).name == "Red Hat Enterprise Linux"
    assert [o.fact for o in seen] == ["os.name"]


def test_usr_lib_stands_in_for_etc() -> None:
    """Where /etc/os-release is missing, the vendor's file counts; where it may not be read, nothing does."""
    assert os_of({"etc/os-release": Status.MISSING, "usr/lib/os-release": RHEL_8_6}).version == (8, 6)
    with pytest.raises(Unobservable):
        _ = os_of({"etc/os-release": Status.DENIED, "usr/lib/os-release": RHEL_8_6}).id


@pytest.mark.parametrize(
    "line, os_id, version, beta",
    [
        ("Red Hat Enterprise Linux Server release 7.0 (Maipo)", "rhel", (7, 0), False),
        ("Red Hat Enterprise Linux Server release 6.10 (Santiago)", "rhel", (6, 10), False),
        ("Red Hat Enterprise Linux release 8.2 Beta (Ootpa)", "rhel", (8, 2), True),
        ("Red Hat Enterprise Linux CoreOS release 4.12", "rhcos", (4, 12), False),
        ("CentOS release 6.10 (Final)", "centos", (6, 10), False),
        ("CentOS Stream release 8", "centos", (8,), False),
        ("Rocky Linux release 8.10 (Green Obsidian)", "rocky", (8, 10), False),
        ("AlmaLinux release 8.6 (Sky Tiger)", "almalinux", (8, 6), False),
        ("Fedora release 38 (Thirty Eight)", "fedora", (38,), False),
    ],
)
def test_systems_that_have_redhat_release_only(line: str, os_id: str, version: tuple[int, ...], beta: bool) -> None:
    """RHEL 6 and 7.0 have nothing else."""
    facts = os_of(
        {"etc/os-release": Status.MISSING, "usr/lib/os-release": Status.MISSING, "etc/redhat-release": line + "\n"}
    )
    assert (facts.id, facts.version, facts.prerelease) == (os_id, version, beta)


def test_oracle_linux_ships_the_line_of_rhel() -> None:
    """It has its own file beside it, and is not RHEL."""
    line = "Red Hat Enterprise Linux Server release 6.4 (Santiago)\n"
    assert os_of({"etc/redhat-release": line, "etc/oracle-release": "Oracle Linux Server release 6.4\n"}).id == "ol"
    assert (
        os_of({**release("ol", "8.6"), "etc/redhat-release": "Red Hat Enterprise Linux release 8.6 (Ootpa)\n"}).id
        == "ol"
    )


@pytest.mark.parametrize(
    "line",
    [
        "Red Hat Enterprise Linux release 8.5 (Ootpa)",
        "Red Hat Enterprise Linux release 9.6 (Plow)",
        "CentOS Linux release 8.6",
        "Rocky Linux release 8.6 (Green Obsidian)",
        "XYZ Server release 8.6",
    ],
)
def test_contradictions_are_unknown(line: str) -> None:
    """os-release says RHEL 8.6, redhat-release says something else: one of them is not this system's."""
    facts = os_of({"etc/os-release": RHEL_8_6, "etc/redhat-release": line + "\n"})
    for name in ("id", "version", "prerelease", "is_server"):
        with pytest.raises(Unobservable):
            getattr(facts, name)


def test_agreement_is_no_contradiction() -> None:
    """The same release, a longer version, or a file that says nothing."""
    for line in ("Red Hat Enterprise Linux release 8.6 (Ootpa)", "", "nothing of the kind"):
        assert os_of({"etc/os-release": RHEL_8_6, "etc/redhat-release": line}).version == (8, 6)
    centos = {**release("centos", "7"), "etc/redhat-release": "CentOS Linux release 7.9.2009 (Core)\n"}
    assert os_of(centos).version == (7,)
    coreos = {
        **release("rhel", "9.4", VARIANT_ID="coreos"),
        "etc/redhat-release": "Red Hat Enterprise Linux CoreOS release 4.16\n",
    }
    assert os_of(coreos).id == "rhcos"


def test_a_refused_redhat_release_is_not_agreement() -> None:
    """It could contradict."""
    with pytest.raises(Unobservable):
        _ = os_of({"etc/os-release": RHEL_8_6, "etc/redhat-release": Status.DENIED}).id


def test_betas() -> None:
    """By os-release or by redhat-release; whichever says so."""
    beta = os_of(release("rhel", "8.2", REDHAT_SUPPORT_PRODUCT_VERSION="8.2 Beta"))
    assert beta.prerelease
    assert os_of(
        {"etc/os-release": RHEL_8_6, "etc/redhat-release": "Red Hat Enterprise Linux release 8.6 Beta (Ootpa)\n"}
    ).prerelease
    assert not os_of({"etc/os-release": RHEL_8_6}).prerelease


@pytest.mark.parametrize("build, kind", [(14393, 3), (17763, 2), (17763, 1), (20348, 3)])
def test_windows(build: int, kind: int) -> None:
    """By its build; Windows 10 has those of Windows Server 2016 and 2019, and another type of product."""
    facts = os_of(windows(Caption="Microsoft Windows", BuildNumber=str(build), ProductType=kind))
    assert (facts.id, facts.version, facts.is_server) == ("windows", (build,), kind != 1)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "[1, 2]", '{"BuildNumber": "x"}', '{"BuildNumber": true}', "[" * 100_000]
)
def test_windows_that_does_not_say(text: str) -> None:
    """Output that is no JSON, or has no number, is unknown and no crash."""
    facts = os_of({"nestvirt/windows/operating_system.json": text})
    assert facts.id == "windows"
    with pytest.raises(Unobservable):
        _ = facts.version


@pytest.mark.parametrize(
    "os_id, version, kernel, expected",
    [
        ("rhel", "7.6", "4.14.0-115.8.1.el7a.ppc64le", True),
        ("rhel", "7.5", "4.14.0-49.el7a.aarch64", True),
        ("rhel", "7.6", "3.10.0-957.el7.ppc64le", False),
        ("rhel", "7.6", "4.14.0-115.el7a.x86_64", False),
        ("centos", "7", "4.14.0-115.el7a.ppc64le", False),
        ("rhel", "8.6", "4.14.0-115.el7a.ppc64le", False),
    ],
)
def test_rhel_alt(os_id: str, version: str, kernel: str, expected: bool) -> None:
    """RHEL 7 on a 4.14 kernel of el7a, on the architectures that had it."""
    assert os_of({**release(os_id, version), "proc/sys/kernel/osrelease": kernel + "\n"}).rhel_alt is expected


def test_versions_that_are_no_numbers_are_unknown() -> None:
    """Debian sid has none, Alpine's edge has letters; a release without an ID is no system at all."""
    for facts in (os_of({"etc/os-release": "ID=debian\n"}), os_of(release("alpine", "3.20_alpha"))):
        assert facts.id
        with pytest.raises(Unobservable):
            _ = facts.version
    for text in ("", 'NAME="x"\n', "ID='rhel\n", "ID=rhel foo\n", "\0\0"):
        with pytest.raises(Unobservable):
            _ = os_of({"etc/os-release": text}).id


@pytest.mark.parametrize(
    "expression", ["", " ", "rhel 8.x", "rhel >=", "rhel >= 8", "rhel ~8", "RHEL 8", "rhel 8,9", "rhel >=8.2<9", "8"]
)
def test_malformed_expressions_are_refused(expression: str) -> None:
    """With a ValueError, whatever system they are held against."""
    if expression == "8":  # an id may be digits
        assert not matches(expression, "windows", (1,))
        return
    with pytest.raises(ValueError, match="expected an os id"):
        matches(expression, "windows", (1,))


@pytest.mark.parametrize(
    "expression, os_id, version, expected",
    [
        ("rhel", "rhel", (), True),
        ("rhel", "rocky", (8, 10), False),
        ("rhel 8", "rhel", (8, 10), True),
        ("rhel 8", "rhel", (9, 4), False),
        ("rhel 8.2", "rhel", (8, 2), True),
        ("rhel >=8.2 <9", "rhel", (8, 10), True),
        ("rhel >=8.2 <9", "rhel", (8, 1), False),
        ("rhel >=8.2 <9", "rhel", (9, 0), False),
        ("rhel >8", "rhel", (8, 10), False),
        ("rhel <=7.9", "rhel", (7, 9), True),
        ("rhel !=8.3", "rhel", (8, 3), False),
        ("windows 14393", "windows", (14393,), True),
        ("ubuntu >=18.04", "ubuntu", (20, 4), True),
        ("ubuntu >=18.04", "ubuntu", (18, 4), True),
        ("ubuntu >=18.04", "ubuntu", (16, 10), False),
        ("centos <9", "centos", (8,), True),
        ("centos >=8.0", "centos", (8,), True),
        ("centos >=8.2", "centos", (9,), True),
        ("centos >=8.2", "centos", (7,), False),
        ("centos >=8.2", "centos", (8,), None),
        ("centos 8.2", "centos", (8,), None),
        ("centos !=8.2", "centos", (8,), None),
        ("centos >=8.2 <8", "centos", (8,), False),
        ("centos 8", "centos", (), None),
    ],
)
def test_expressions(expression: str, os_id: str, version: tuple[int, ...], expected: bool | None) -> None:
    """Versions are numbers, compared as far as the expression names them; a missing number that decides is unknown."""
    if expected is None:
        with pytest.raises(Unobservable):
            matches(expression, os_id, version)
    else:
        assert matches(expression, os_id, version) is expected


VERSIONS = st.lists(st.integers(0, 12), min_size=1, max_size=3).map(tuple)


@given(
    st.sampled_from([">=", ">", "<=", "<", "==", "!=", ""]),
    VERSIONS,
    VERSIONS,
    st.lists(st.integers(0, 12), max_size=3),
)
@settings(max_examples=200)
def test_a_short_version_is_decided_only_where_every_longer_one_agrees(
    sign: str, named: tuple[int, ...], short: tuple[int, ...], rest: list[int]
) -> None:
    """What is decided for (8,) holds for any 8.x."""
    expression = f"x {sign}{'.'.join(map(str, named))}"
    try:
        decided = matches(expression, "x", short)
    except Unobservable:
        return
    longer = (*short, *rest, 0, 0)
    assert matches(expression, "x", longer) is decided


def test_a_shell_agrees_on_quotes(tmp_path: Path) -> None:
    """os-release is read as `. /etc/os-release` reads it."""
    text = 'A=plain\nB="two words"\nC=\'single "x"\'\nD="a \\"b\\" \\$c \\`d\\` \\\\e"\nE=esc\\ aped\nF=\nG=\'a\'\'b\'"c"\nA=last\n# Z=1\n'
    script = tmp_path / "os-release"
    script.write_text(text, encoding="utf-8")
    command = f'. {shlex.quote(str(script))}; for n in A B C D E F G; do eval "printf \'%s\\n\' \\"\\$$n\\""; done'
    theirs = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True).stdout.split("\n")[:-1]
    assert [parse_os_release(text).get(name) for name in "ABCDEFG"] == theirs


@given(st.text(max_size=40))
def test_quoting_and_unquoting_are_inverse(text: str) -> None:
    """Whatever value a shell would need quotes for comes back as it was."""
    assert unquote(shlex.quote(text)) == text


@given(st.text(alphabet="ID=\"'\\ \n#rhelVRSON_8.210 releas(BtRdHn)", max_size=120))
@example("ID=")
@example("Red Hat Enterprise Linux release 8.2")
@settings(max_examples=150)
def test_parsers_neither_crash_nor_invent(text: str) -> None:
    """Names and versions that come out stood in the text."""
    for name, value in parse_os_release(text).values.items():
        assert name in text
        assert len(value) <= len(text)
    found = parse_redhat_release(text)
    assert found is None or ".".join(map(str, found.version)).replace("0", "") in text.replace("0", "")
    numbers = version_numbers(text)
    assert numbers is None or all(number >= 0 for number in numbers)
