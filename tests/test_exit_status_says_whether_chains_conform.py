"""The exit status is 0 only if every chain that was asked for conforms and the run was complete, whatever else is loaded."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from pathlib import Path

import pytest
from small_runs import CHECKS, CPUINFO, MACHINE, Done, inventory, record, run_pytest, suite

BOOT_ID = "proc/sys/kernel/random/boot_id"
SAME = {BOOT_ID: "11111111-2222-3333-4444-555555555555\n"}
HTML = ("-p", "pytest_metadata.plugin", "-p", "pytest_html.plugin", "--html=all.html", "--self-contained-html")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A suite, and an inventory for each thing that can be wrong with a chain."""
    folder = tmp_path_factory.mktemp("chains")
    suite(folder)
    record(folder / "good")
    record(folder / "guest")
    record(folder / "twin", {**MACHINE, **SAME})
    record(folder / "violating", {**MACHINE, "proc/cpuinfo": CPUINFO.replace("vmx", "")})
    good = {"kvm01": {"path": "good", "guests": {"vm01": {"path": "guest"}}}}
    inventories: dict[str, Mapping[str, object]] = {
        "conforming": good,
        "violating": {**good, "kvm02": {"path": "violating"}},
        "contradictory": {**good, "twin": {"path": "twin", "guests": {"copy": {"path": "twin"}}}},
        "unverified": {**good, "esx": {"connection": "none", "provider": "vsphere"}},
    }
    for name, hosts in inventories.items():
        inventory(folder, hosts).rename(folder / f"{name}.yml")
    return folder


def run(folder: Path, name: str, *arguments: str) -> Done:
    """A run of the small suite over the inventory of that name."""
    return run_pytest(folder, "house", f"--hosts={name}.yml", *arguments)


def last_line(done: Done) -> str:
    """What a person reads last."""
    return done.stdout.rstrip().splitlines()[-1]


WAYS = {
    "plainly": (),
    "verbosely": ("-v",),
    "as quietly as can be": ("-qq", "--no-summary"),
    "for Nagios": ("--nagios",),
    "to the first failure": ("-x",),
    "with both reports": ("--junitxml=all.xml", *HTML),
    "without a terminal": ("-p", "no:terminal"),
    "by workers": ("-n1",),
}


@pytest.mark.parametrize("wrong", ["violating", "contradictory", "unverified"])
@pytest.mark.parametrize("way", WAYS)
def test_one_chain_that_does_not_conform_fails_the_run(folder: Path, wrong: str, way: str) -> None:
    """Also where every test item passes, and where another plugin sets the exit status from what it counted."""
    if way == "by workers" and wrong != "contradictory":
        pytest.skip("workers are slow to start; one inventory shows it")
    done = run(folder, wrong, *WAYS[way])
    assert done.returncode == (2 if way == "for Nagios" else 1), done.stdout
    if way == "for Nagios":
        assert done.stdout.startswith("TESTINFRA CRITICAL")
    assert re.match(rf"nestvirt: exit status {done.returncode}: [12] of 2 chains not conforming: ", last_line(done))


@pytest.mark.parametrize("way", WAYS)
def test_chains_that_conform_end_in_success(folder: Path, way: str) -> None:
    """The last line names them."""
    done = run(folder, "conforming", *WAYS[way])
    assert done.returncode == 0, done.stdout
    assert last_line(done) == "nestvirt: exit status 0: 1 chain, all conforming: kvm01 > vm01 (conforms)"


PARTS = {
    "the name of a check": ("-k", "test_vmx"),
    "the id of a requirement": ("-k", "HOUSE-VMX"),
    "the name of a host": ("-k", "kvm01"),
    "a host that is not taken": ("--deselect=house/test_house.py::test_vmx[kvm02]",),
    "a word that selects nothing": ("-k", "nothing"),
    "only the set-up": ("--setup-only",),
}


@pytest.mark.parametrize("part", PARTS)
def test_a_part_is_not_a_success(folder: Path, part: str) -> None:
    """Whatever chose it, and whatever of the rest would have failed; the last line and the chain say so."""
    done = run(folder, "violating", *PARTS[part])
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout
    assert "FAILED nestvirt::chain[kvm01 > vm01]" in done.stdout


def test_a_node_id_is_a_part(folder: Path) -> None:
    """One item of a suite is not the suite."""
    done = run_pytest(folder, "house/test_house.py::test_vmx[kvm01]", "--hosts=conforming.yml")
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout
    assert "3 checks did not run" in done.stdout


def test_a_check_that_is_marked_to_be_skipped_is_left_out(folder: Path, tmp_path: Path) -> None:
    """A skip is decided by pytest before the check runs: nothing was verified."""
    suite(tmp_path, checks="import pytest\n\n" + CHECKS.replace("@requirement", "@pytest.mark.skip\n@requirement", 1))
    done = run_pytest(tmp_path, "house", f"--hosts={folder / 'conforming.yml'}")
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout


@pytest.mark.parametrize(
    "name, part, code", [("conforming", "test_vmx", 0), ("violating", "kvm01", 0), ("violating", "kvm02", 1), ("conforming", "nothing", 1)]
)  # fmt: skip
def test_a_part_can_be_allowed(folder: Path, name: str, part: str, code: int) -> None:
    """Then it succeeds if something was verified and nothing of it failed, and the chains are skipped, not passed."""
    done = run(folder, name, "-k", part, "--nestvirt-allow-partial")
    assert done.returncode == code, done.stdout
    if code == 0:
        assert "verified in part" in last_line(done)


LIMITS = {
    "a conforming L0": (("kvm01",), 0),
    "a guest": (("vm01",), 0),
    "a chain": (("kvm01 > vm01",), 0),
    "a chain without blanks": (("kvm01>vm01",), 0),
    "a violating host": (("kvm02",), 1),
    "both": (("kvm01", "kvm02"), 1),
    "a host that there is not": (("kvm03",), 4),
    "nothing": (("",), 4),
}


@pytest.mark.parametrize("limit", LIMITS)
def test_a_chosen_chain_is_complete_in_itself(folder: Path, limit: str) -> None:
    """`--nestvirt-limit` chooses hosts or chains; the run is judged by those, and the last line names them."""
    names, code = LIMITS[limit]
    done = run(folder, "violating", *(f"--nestvirt-limit={name}" for name in names), "--nestvirt-report=limited")
    assert done.returncode == code, done.stdout
    if code != pytest.ExitCode.USAGE_ERROR:
        assert json.loads((folder / "limited/result.json").read_text())["limited_to"] == list(names)
    if code == 0:
        assert last_line(done).endswith(f"kvm01 > vm01 (conforms); limited to {names[0]}")
    if code == pytest.ExitCode.USAGE_ERROR:
        assert "available: kvm01 > vm01, kvm02" in done.stderr


def test_a_host_is_reached_through_one_that_is_not_chosen(folder: Path) -> None:
    """A limit chooses what is judged, not what leads there: the hop is still known."""
    inventory(folder, {"hop": {"address": "127.0.0.1", "port": 1}, "far": {"address": "127.0.0.2", "via": "hop"}})
    done = run_pytest(folder, "house", "--hosts=inventory.yml", "--nestvirt-limit=far")
    assert "127.0.0.1" in done.stdout
    assert "is no host of the inventory" not in done.stdout


def test_every_report_counts_the_chains(folder: Path) -> None:
    """JUnit has a test case for each chain, a failure with the state; HTML shows it."""
    run(folder, "contradictory", "--junitxml=all.xml", *HTML)
    cases = {case.get("name"): case for case in ET.parse(folder / "all.xml").getroot().iter("testcase")}
    assert cases["chain[kvm01 > vm01]"].find("failure") is None
    failure = cases["chain[twin > copy]"].find("failure")
    assert failure is not None
    assert "one and the same system" in (failure.get("message") or "")
    html = (folder / "all.html").read_text()
    assert "chain[twin &gt; copy]&#34;: [{&#34;extras&#34;: [], &#34;result&#34;: &#34;Failed&#34;" in html


MEDDLING = {
    "a plugin that exits well at the end": (
        "house/conftest.py",
        "import pytest\ndef pytest_sessionfinish():\n    pytest.exit('enough', returncode=0)\n",
        "    assert 'nope' in l0.cpu.flags\n",
    ),
    "a check that ends the session well": ("house/conftest.py", "", "    import pytest\n    pytest.exit('enough', returncode=0)\n"),
    "a plugin that sets the status": (
        "house/conftest.py",
        "import pytest\n@pytest.hookimpl(trylast=True)\ndef pytest_sessionfinish(session):\n    session.exitstatus = 0\n",
        "    assert 'nope' in l0.cpu.flags\n",
    ),
    "a plugin that drops tests silently": (
        "house/conftest.py",
        "def pytest_collection_modifyitems(items):\n    del items[0]\n",
        "    assert 'vmx' in l0.cpu.flags\n",
    ),
}  # fmt: skip


@pytest.mark.parametrize("meddling", MEDDLING)
def test_nothing_makes_a_success_of_it(folder: Path, tmp_path: Path, meddling: str) -> None:
    """Neither the session's end, nor its status, nor its items are taken on trust."""
    file, plugin, body = MEDDLING[meddling]
    suite(tmp_path, checks=CHECKS.replace('    assert "vmx" in l0.cpu.flags\n', body, 1))
    (tmp_path / file).write_text(plugin)
    done = run_pytest(tmp_path, "house", f"--hosts={folder / 'conforming.yml'}")
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout
    assert "kvm01 > vm01" in last_line(done)


def test_the_last_failures_alone_are_a_part(folder: Path) -> None:
    """`--lf` runs what failed; a chain that failed is not an item, and the rest is missing."""
    cache = ("-p", "cacheprovider", "-o", "cache_dir=cache")
    run(folder, "violating", *cache)
    done = run(folder, "conforming", *cache, "--lf")
    assert done.returncode == 0, done.stdout
    done = run(folder, "violating", *cache)
    done = run(folder, "violating", *cache, "--lf")
    assert done.returncode == pytest.ExitCode.TESTS_FAILED


def test_tests_of_ones_own_alone_make_no_chain(folder: Path) -> None:
    """Where only a person's own tests are named, no suite judges, and pytest's status is its own."""
    (folder / "test_own.py").write_text("def test_own(l0):\n    assert l0.cpu.flags\n")
    done = run_pytest(folder, "test_own.py", "--hosts=violating.yml")
    assert done.returncode == 0, done.stdout
    assert "nestvirt::chain" not in done.stdout


@pytest.mark.parametrize("option", ["--collect-only", "--fixtures", "--fixtures-per-test"])
def test_what_collection_shows_is_not_a_run(folder: Path, option: str) -> None:
    """An option that only lists something judges nothing, and says nothing of chains."""
    done = run(folder, "violating", option, "-q")
    assert done.returncode == 0
    assert "exit status" not in done.stdout
