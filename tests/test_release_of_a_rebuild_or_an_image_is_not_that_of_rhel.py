"""Claim: a release counts as Red Hat's only where files, link, packages and the kernel that runs agree that it is."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from cpuinfo_texts import os_of
from recorded_machines import Texts, intel_chain, rhel
from rhel8_trios import l0, l1, l2
from suite_checks import verdict_on

from pytest_nestvirt.facts.system.os_release import is_prerelease
from pytest_nestvirt.facts.system.rhel_kernel import contradiction_of_kernel, release_of_kernel
from pytest_nestvirt.observation.unknown import if_known
from pytest_nestvirt.snapshot.snapshot import Status
from pytest_nestvirt.verdict import Verdict

RED_HAT = {
    "NAME": "Red Hat Enterprise Linux",
    "ID": "rhel",
    "VERSION_ID": "8.6",
    "PRETTY_NAME": "Red Hat Enterprise Linux 8.6 (Ootpa)",
    "CPE_NAME": "cpe:/o:redhat:enterprise_linux:8::baseos",
    "HOME_URL": "https://www.redhat.com/",
    "BUG_REPORT_URL": "https://bugzilla.redhat.com/",
    "REDHAT_BUGZILLA_PRODUCT": "Red Hat Enterprise Linux 8",
    "REDHAT_SUPPORT_PRODUCT": "Red Hat Enterprise Linux",
}
LINE = "Red Hat Enterprise Linux release 8.6 (Ootpa)\n"
LINK = "nestvirt/link/etc/redhat-release"


def files(fields: Mapping[str, str], line: str = LINE) -> Texts:
    """Release files with these variables of os-release instead of Red Hat's, and that line."""
    text = "".join(f'{name}="{value}"\n' for name, value in {**RED_HAT, **fields}.items() if value)
    return {"etc/os-release": text, "etc/redhat-release": line}


SPRINGDALE = {"NAME": "Springdale Linux", "PRETTY_NAME": "Springdale Linux 8.6 (Modena)"}
SPRINGDALE_LINE = "Springdale Linux release 8.6 (Modena)\n"

REBUILDS: dict[str, Texts] = {
    "its name": files({"NAME": "Springdale Linux"}, ""),
    "its pretty name": files({"PRETTY_NAME": "Scientific Linux 8.6 (Nitrogen)"}, ""),
    "its CPE": files({"CPE_NAME": "cpe:/o:springdale:linux:8.6:GA"}),
    "its CPE of 2.3": files({"CPE_NAME": "cpe:2.3:o:scientificlinux:scientificlinux:8.6"}),
    "its home": files({"HOME_URL": "https://springdale.math.ias.edu/"}),
    "a home with Red Hat's name in it": files({"HOME_URL": "https://redhat.com.example.org/"}),
    "its product in Bugzilla": files({"REDHAT_BUGZILLA_PRODUCT": "EuroLinux 8"}),
    "its product for support": files({"REDHAT_SUPPORT_PRODUCT": "Scientific Linux"}),
    "its vendor": files({"VENDOR_NAME": "RESF"}),
    "a variable of its own": files({"ROCKY_SUPPORT_PRODUCT": "Rocky-Linux-8"}),
    "both files": files(SPRINGDALE, SPRINGDALE_LINE),
    "both files, another rebuild": files({"NAME": "Scientific Linux"}, "Scientific Linux release 8.6 (Nitrogen)\n"),
    "both files, and its link": {**files(SPRINGDALE, SPRINGDALE_LINE), LINK: "springdale-release\n"},
}
AGREED_UPON = [*REBUILDS]

DOUBTFUL: dict[str, Texts] = {
    "a link to Rocky's file": {**files({}), LINK: "rocky-release\n"},
    "a link to CentOS's file, by its path": {**files({}), LINK: "../usr/lib/centos-release\n"},
    "a link that was copied as a file": files({}, "springdale-release"),
    "the package of AlmaLinux": {**files({}), "installed-rpms": "almalinux-release-8.6-2.el8.x86_64   Mon May 2\n"},
    "the package of Oracle Linux": {
        **files({}),
        "nestvirt/packages": "redhat-release 8.6-1\noraclelinux-release 8.6-1\n",
    },
}
GENUINE: dict[str, Texts] = {
    "as Red Hat has it": files({}),
    "the beginning of the name": files({"NAME": "Red"}),
    "a server of RHEL 7": files({"NAME": "Red Hat Enterprise Linux Server"}),
    "a link of its own": {**files({}), LINK: "../usr/lib/redhat-release\n"},
    "no link": {**files({}), LINK: Status.MISSING},
    "packages of EPEL": {**files({}), "nestvirt/packages": "epel-release 8-15\nredhat-release 8.6-0.1\n"},
    "ID and version only": {"etc/os-release": 'ID="rhel"\nVERSION_ID="8.6"\n'},
}


@pytest.mark.parametrize("case", AGREED_UPON)
def test_a_rebuild_with_the_id_of_rhel_is_known_not_to_be_it(case: str) -> None:
    """Its own variables name it: a known no, while the ID stays as it is written."""
    system = os_of(REBUILDS[case])
    assert (system.id, system.red_hat) == ("rhel", False)
    assert not system.release("rhel", (8, 2), (9,))


@pytest.mark.parametrize("case", DOUBTFUL)
def test_names_of_red_hat_beside_a_rebuilds_file_are_unknown(case: str) -> None:
    """One of the two was edited: neither yes nor no."""
    assert if_known(lambda: os_of(DOUBTFUL[case]).red_hat) is None
    assert verdict_on("rhel8", "RHEL8-OS-L0", l0(intel_chain(), DOUBTFUL[case]))[0] is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("case", GENUINE)
def test_red_hats_own_release_is_recognized(case: str) -> None:
    """With everything it may have, and with nothing but its ID."""
    system = os_of(GENUINE[case])
    assert (system.red_hat, system.release("rhel", (8, 2), (9,))) == (True, True)


def test_a_rebuild_is_found_not_to_be_rhel_at_every_level() -> None:
    """It is judged by the document, since its ID is `rhel`, and violates it."""
    rebuild = files(SPRINGDALE, SPRINGDALE_LINE)
    assert verdict_on("rhel8", "RHEL8-OS-L0", l0(intel_chain(), rebuild))[0] is Verdict.FAIL
    assert verdict_on("rhel8", "RHEL8-OS-L1", l1(intel_chain(), rebuild))[0] is Verdict.FAIL
    assert verdict_on("rhel8", "RHEL8-OS-L2-RHEL8", l2(intel_chain(), rebuild))[0] is Verdict.FAIL
    assert verdict_on("rhel8", "RHEL8-INTEL-PREREQ", l0(intel_chain(), rebuild))[0] is Verdict.FAIL


@pytest.mark.parametrize(
    "rest, prerelease",
    [
        (" Beta (Ootpa)", True),
        (" HTB (Ootpa)", True),
        (" Alpha (Ootpa)", True),
        ("8.0 HTB", True),
        ("cpe:/o:redhat:enterprise_linux:8.2:beta", True),
        ("8.2 beta (Ootpa)", True),
        ("9.0-rc1", True),
        (" (Ootpa)", False),
        (" (Alpha Centauri)", False),
        ("cpe:/o:redhat:enterprise_linux:8.2:GA", False),
        ("8.6", False),
    ],
)
def test_alpha_beta_and_htb_are_prereleases(rest: str, prerelease: bool) -> None:
    """In whichever line or variable; a code name in parentheses is not one."""
    assert is_prerelease(rest) is prerelease


@pytest.mark.parametrize("word", ["Alpha", "Beta", "HTB"])
def test_a_prerelease_is_not_a_release(word: str) -> None:
    """Whichever of the two files has the word."""
    by_line = {**rhel("8.6"), "etc/redhat-release": f"Red Hat Enterprise Linux release 8.6 {word} (Ootpa)\n"}
    by_variable = files({"REDHAT_SUPPORT_PRODUCT_VERSION": f"8.6 {word}"})
    for sections in (by_line, by_variable):
        assert verdict_on("rhel8", "RHEL8-OS-L0", l0(intel_chain(), sections))[0] is Verdict.FAIL


@pytest.mark.parametrize(
    "kernel, release",
    [
        ("4.18.0-80.el8.x86_64", (8, 0)),
        ("4.18.0-372.9.1.el8.x86_64", (8, 6)),
        ("4.18.0-372.26.1.el8_6.x86_64", (8, 6)),
        ("4.18.0-553.el8_10.x86_64+debug", (8, 10)),
        ("4.18.0-477.10.1.rt7.274.el8_8.x86_64", (8, 8)),
        ("4.18.0-408.el8.x86_64", (8, 7)),
        ("3.10.0-1160.el7.x86_64", (7, 9)),
        ("3.10.0-957.27.2.el7.ppc64le", (7, 6)),
        ("4.14.0-115.8.1.el7a.ppc64le", (7,)),
        ("5.14.0-427.13.1.el9_4.x86_64", (9, 4)),
        ("5.14.0-70.el9.x86_64", (9,)),
        ("6.12.0-55.el10.x86_64", (10,)),
        ("5.4.17-2136.307.3.el8uek.x86_64", None),
        ("5.4.270-1.el8.elrepo.x86_64", None),
        ("4.18.0-372.9.1.el8.centos.plus.x86_64", None),
        ("5.15.0-97-generic", None),
        ("5.15.167.4-microsoft-standard-WSL2", None),
        ("3.10.0-1160.el8.x86_64", None),
        ("6.1.0-18-amd64", None),
        ("", None),
    ],
)
def test_kernels_belong_to_releases(kernel: str, release: tuple[int, ...] | None) -> None:
    """By base, build number and suffix; what others build for the same systems is not Red Hat's."""
    assert release_of_kernel(kernel) == release


@pytest.mark.parametrize(
    "os_id, version, kernel, belongs",
    [
        ("rhel", (8, 6), "4.18.0-372.9.1.el8.x86_64", True),
        ("rhel", (8, 6), "4.18.0-348.el8.x86_64", True),  # not booted since the update
        ("rhel", (8, 6), "4.18.0-553.el8_10.x86_64", False),
        ("rhel", (8, 6), "3.10.0-1160.el7.x86_64", False),
        ("rhel", (8, 6), "5.14.0-70.el9.x86_64", False),
        ("rhel", (8, 6), "5.4.17-2136.el8uek.x86_64", False),
        ("rhel", (7, 6), "4.14.0-115.el7a.ppc64le", True),
        ("rhel", (9, 4), "5.14.0-427.el9.x86_64", True),
        ("ubuntu", (22, 4), "5.15.0-91-generic", True),
        ("ubuntu", (22, 4), "6.2.16-3-pve", False),
        ("ubuntu", (20, 4), "4.18.0-372.9.1.el8.x86_64", False),
        ("debian", (12,), "6.2.16-3-pve", True),
        ("debian", (12,), "5.15.0-91-generic", False),
        ("rocky", (8, 6), "5.15.0-91-generic", True),  # no document of ours asks for it
    ],
)
def test_a_kernel_that_cannot_belong_to_the_release_is_a_contradiction(
    os_id: str, version: tuple[int, ...], kernel: str, belongs: bool
) -> None:
    """An earlier minor release is a machine that was not booted; a later one, or another system's, is of something else."""
    assert (contradiction_of_kernel(os_id, version, kernel) == "") is belongs


@pytest.mark.parametrize(
    "version, kernel, verdict",
    [
        ("8.6", "4.18.0-348.el8.x86_64", Verdict.PASS),
        ("8.2", "4.18.0-147.el8.x86_64", Verdict.INCONCLUSIVE),
        ("8.6", "5.15.0-97-generic", Verdict.INCONCLUSIVE),
        ("8.6", "3.10.0-1160.el7.x86_64", Verdict.INCONCLUSIVE),
        ("8.1", "4.18.0-372.9.1.el8.x86_64", Verdict.FAIL),
    ],
)
def test_the_kernel_that_runs_is_held_against_the_release(version: str, kernel: str, verdict: Verdict) -> None:
    """Both are asked for: files that say 8.2 above a kernel of 8.1 decide nothing, files that say 8.1 decide."""
    sections = {**rhel(version), "proc/sys/kernel/osrelease": f"{kernel}\n"}
    assert verdict_on("rhel8", "RHEL8-OS-L0", l0(intel_chain(), sections))[0] is verdict


@pytest.mark.parametrize(
    "trace",
    [
        {"nestvirt/systemd-detect-virt_--container": "lxc\n"},
        {".dockerenv": ""},
        {"proc/1/cgroup": "0::/lxc.payload.web/init.scope\n"},
        {"sos_commands/host/hostnamectl_status": " Static hostname: h\n Chassis: container\n Kernel: Linux 4.18.0\n"},
    ],
)
def test_the_release_of_an_image_is_not_that_of_the_machine(trace: Texts) -> None:
    """Whatever shows the container: what is asked of the machine's release and configuration stays open at every level."""
    for requirement, chain in (
        ("RHEL8-OS-L0", l0(intel_chain(), trace)),
        ("RHEL8-INTEL-PREREQ", l0(intel_chain(), trace)),
        ("RHEL8-INTEL-PERSIST", l0(intel_chain(), trace)),
        ("RHEL8-OS-L1", l1(intel_chain(), trace)),
        ("RHEL8-OS-L2-RHEL8", l2(intel_chain(), trace)),
    ):
        assert verdict_on("rhel8", requirement, chain)[0] is Verdict.INCONCLUSIVE, requirement


@pytest.mark.parametrize(
    "sections, expected",
    [
        ({"sos_commands/release/lsb_release_-a": "Distributor ID:\tRedHatEnterprise\nRelease:\t8.6\n"}, ("rhel", (8, 6))),
        ({"sos_commands/release/lsb_release_-a": "Distributor ID:\tUbuntu\nRelease:\t22.04\n"}, ("ubuntu", (22, 4))),
        ({"nestvirt/vsphere/vmware_-v": "VMware ESXi 6.7.0 build-13006603\n"}, ("esxi", (6, 7, 0))),
        ({"sos_commands/kernel/uname_-a": "VMkernel esx01 7.0.3 #1 SMP Release build-19193900 x86_64 x86_64 ESXi\n"}, ("esxi", (7, 0, 3))),
    ],
)  # fmt: skip
def test_a_system_without_release_files_is_named_by_what_there_is(
    sections: Texts, expected: tuple[str, tuple[int, ...]]
) -> None:
    """lsb_release of a sosreport; ESXi, which is not a Linux, by its own version."""
    system = os_of(sections)
    assert (system.id, system.version) == expected
