"""junit.xml is valid against Jenkins' schema, loses nothing, and is never green where the chain is not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from report_runs import ANY_EVIDENCE, HOSTILE, case, host, run, violating_run

from pytest_nestvirt.catalogue.requirement import Needs, Stance
from pytest_nestvirt.report.case import Case, ChainReport, RunReport
from pytest_nestvirt.report.chain_state import CONFORMING, chain_results
from pytest_nestvirt.report.junit import slug, to_junit, write_junit
from pytest_nestvirt.report.writing import ReportError
from pytest_nestvirt.verdict import Kind, Obligation, Verdict

SCHEMA = etree.XMLSchema(etree.parse(Path(__file__).parent / "data" / "junit-10.xsd"))


def valid(report: RunReport) -> etree._Element:
    """The file of the first chain, checked against the schema."""
    root = etree.fromstring(to_junit(next(chain_results(report)), report).encode())
    SCHEMA.assertValid(root)
    return root


def only(told: Case) -> etree._Element:
    """The test case of a run in which something else passed."""
    root = valid(run(case("A-PLAIN-PASS"), told))
    return root.xpath("//testcase[starts-with(@name, $id)]", id=told.requirement)[0]


def test_the_schema_refuses_what_junit_xml_writes() -> None:
    """The mending is needed: what junit-xml makes of an empty suite is not valid."""
    import junit_xml

    root = etree.fromstring(junit_xml.to_xml_report_string([junit_xml.TestSuite("x")]).encode())
    assert not SCHEMA.validate(root)


def test_one_suite_per_host_and_one_case_per_requirement() -> None:
    """Machines of the chain from the L0 down, counted; what does not apply is a property."""
    root = valid(violating_run())
    assert [suite.get("hostname") for suite in root] == ["kvm01", "rhel8-l1", "rhel8-l2"]
    assert [suite.get("tests") for suite in root] == ["15", "10", "1"]
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("26", "2", "1")
    assert root.xpath("string(testsuite[1]/properties/property[@name='nestvirt.count.not-applicable']/@value)") == "41"
    assert not root.xpath("//testcase[starts-with(@name, 'RHEL8-Z-')]")


@pytest.mark.parametrize(
    "verdict, obligation, element",
    [
        (Verdict.PASS, Obligation.MUST, None),
        (Verdict.WARN, Obligation.SHOULD, None),
        (Verdict.LIMIT_CONFIRMED, Obligation.MUST, None),
        (Verdict.LIMIT_LIFTED, Obligation.MUST, None),
        (Verdict.FAIL, Obligation.MUST, ("failure", "fail")),
        (Verdict.INCONCLUSIVE, Obligation.MUST, ("failure", "inconclusive")),
        (Verdict.UNREACHABLE, Obligation.INFO, ("error", "unreachable")),
        (Verdict.ERROR, Obligation.SHOULD, ("error", "error")),
        (Verdict.INCONCLUSIVE, Obligation.SHOULD, ("skipped", "skipped")),
        (Verdict.BLOCKED, Obligation.MUST, ("skipped", "skipped")),
        (Verdict.NOT_RUN, Obligation.MUST, ("skipped", "skipped")),
        (Verdict.WAIVED, Obligation.MUST, ("skipped", "skipped")),
    ],
)
@pytest.mark.parametrize("reason", ["because", ""])
def test_every_verdict_has_its_element(
    verdict: Verdict, obligation: Obligation, element: tuple[str, str] | None, reason: str
) -> None:
    """As pytest counts it; also where no reason was recorded, for junit-xml would drop such a failure."""
    told = only(case("B-OTHER", verdict=verdict, obligation=obligation, reason=reason, needs=Needs.L2))
    results = [(child.tag, child.get("type")) for child in told if child.tag != "system-out"]
    assert results == ([element] if element else [])
    assert told.findtext("system-out").startswith(f"verdict: {verdict}\n")
    if element:
        assert told[0].get("message") == f"{verdict}: {reason or 'no reason was recorded'}"


def test_a_failure_can_be_read_without_the_code() -> None:
    """Statement, section, expected, seen, remedy and evidence stand in the failure."""
    text = only(case("B-OTHER", verdict=Verdict.FAIL, reason="no ept", evidence=ANY_EVIDENCE)).findtext("failure")
    for part in ("An Intel host", "18.1", "among the flags", "no ept", "firmware", "cpu.flags = fpu, msr, vmx"):
        assert part in text


def test_what_passes_and_is_no_plain_pass_can_be_told() -> None:
    """Warnings, limitations and technology previews show in output and properties; a plain pass does not."""
    root = valid(
        run(
            case("A-PLAIN-PASS", stance=Stance.SUPPORTED),
            case("A-WARNING", verdict=Verdict.WARN),
            case("A-LIMIT", verdict=Verdict.LIMIT_CONFIRMED, kind=Kind.LIMITATION),
            case("A-PREVIEW", stance=Stance.TECHNOLOGY_PREVIEW),
        )
    )
    told = {p.get("name"): p.get("value") for p in root.iter("property") if "nestvirt.verdict." in p.get("name")}
    assert told == {
        "nestvirt.verdict.A-WARNING": "warn",
        "nestvirt.verdict.A-LIMIT": "limit-confirmed",
        "nestvirt.verdict.A-PREVIEW": "pass technology-preview",
    }
    output = root.xpath("string(//testcase[contains(@name, 'A-PREVIEW')]/system-out)")
    assert output.splitlines()[:2] == ["verdict: pass", "stance: technology-preview"]


def test_an_unreachable_host_is_a_test_case_and_not_an_absence() -> None:
    """Also where no requirement would have been judged on it."""
    lost = host("kvm02", 1, "kvm01", reachable=False, trouble="connection refused", identity="", origin="")
    root = valid(run(case(), hosts=(host(), lost)))
    assert root.xpath("string(testsuite[2]/testcase/error/@message)") == "unreachable: connection refused"


def test_a_host_that_nobody_logs_in_to_is_no_error() -> None:
    """`connection: none` is a choice, not an accident."""
    cloud = host("azure", connection="none", reachable=False, origin="", identity="")
    root = valid(run(case("A-PLAIN-PASS", "vm", 1), hosts=(cloud, host("vm", 1, "azure"))))
    assert root.get("errors") == "0"


def test_a_requirement_that_does_not_apply_is_listed_on_demand() -> None:
    """Where a test item stands for it, a test case does, too."""
    told = only(case("B-OTHER", verdict=Verdict.NOT_APPLICABLE, reason="it is x86_64", nodeid="test_z.py::test_z[z]"))
    assert told.find("skipped").get("message") == "not-applicable: it is x86_64"


HOSTILE_RUN = replace(
    run(
        case(verdict=Verdict.FAIL, reason=HOSTILE, evidence=ANY_EVIDENCE, statement=HOSTILE, host=HOSTILE),
        case("B-OTHER", HOSTILE, verdict=Verdict.NOT_RUN, reason=HOSTILE),
        case("B-HUGE", HOSTILE, verdict=Verdict.ERROR, reason="]]>\x00" * 250_000, seconds=1 / 3),
        case("B-NAN", HOSTILE, seconds=float("nan")),
        hosts=(host(HOSTILE, identity=HOSTILE, trouble=HOSTILE),),
        complete=False,
        because=HOSTILE,
    ),
    started=HOSTILE,
    catalogue_digest=HOSTILE,
)


def test_hostile_output_is_valid_and_bounded() -> None:
    """Control characters, lone surrogates, markup and a megabyte of reason."""
    root = valid(HOSTILE_RUN)
    assert len(root) == 1
    assert len(etree.tostring(root)) < 40_000
    assert r"\x1b]0;owned\x07" in root.xpath("string(//failure/@message)")
    assert "]]>&<x a='\"'>" in root.xpath("string(//failure/@message)")


@settings(max_examples=40, deadline=None)
@given(text=st.text(st.characters(codec=None), max_size=60), verdict=st.sampled_from(Verdict))
def test_any_text_is_valid(text: str, verdict: Verdict) -> None:
    """Whatever a host says."""
    valid(run(case(verdict=verdict, reason=text, statement=text, host=text), hosts=(host(text),)))


@settings(max_examples=200, deadline=None)
@given(
    told=st.lists(st.tuples(st.sampled_from(Verdict), st.sampled_from(Obligation), st.sampled_from(Needs)), max_size=4),
    complete=st.booleans(),
    reachable=st.booleans(),
)
def test_green_means_conforming(told: list[tuple[Verdict, Obligation, Needs]], complete: bool, reachable: bool) -> None:
    """A file has no failure and no error exactly where its chain conforms."""
    cases = [case(f"A-{n}", verdict=v, obligation=o, needs=needs) for n, (v, o, needs) in enumerate(told)]
    report = run(*cases, hosts=(host(reachable=reachable),), complete=complete)
    root = valid(report)
    green = root.get("failures") == "0" and root.get("errors") == "0"
    assert green == (next(chain_results(report)).state in CONFORMING)


def test_every_chain_has_its_file(tmp_path: Path) -> None:
    """A directory per chain, named after its hosts."""
    written = write_junit(violating_run(), tmp_path)
    assert [str(p.relative_to(tmp_path)) for p in written] == [
        "kvm01--rhel8-l1--rhel8-l2/junit.xml",
        "epyc01--amd-l1/junit.xml",
    ]
    assert all(SCHEMA.validate(etree.parse(path)) for path in written)


def test_files_of_chains_that_are_gone_are_removed(tmp_path: Path) -> None:
    """An old green file is not taken for a result of this run; files of others stay."""
    stale = write_junit(violating_run(), tmp_path)[1]
    foreign = tmp_path / "other" / "junit.xml"
    foreign.parent.mkdir()
    foreign.write_text("<testsuites name='somebody else'/>")
    write_junit(run(case()), tmp_path)
    assert not stale.exists()
    assert foreign.exists()
    assert (tmp_path / "kvm01" / "junit.xml").exists()


def test_an_impossible_directory_is_one_clear_line(tmp_path: Path) -> None:
    """As for result.json."""
    (tmp_path / "kvm01").write_text("")
    with pytest.raises(ReportError, match=r"kvm01/junit\.xml: the report cannot be written"):
        write_junit(run(case()), tmp_path)


NAMES = st.text(st.sampled_from("aAzZ09-._ />\\:\x00é\ud800"), max_size=6)


@settings(max_examples=300, deadline=None)
@given(one=st.lists(NAMES, min_size=1, max_size=3).map(tuple), other=st.lists(NAMES, min_size=1, max_size=3).map(tuple))
def test_directories_are_safe_and_never_shared(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    """Only harmless characters; two chains have two names, also where the file system ignores case."""
    first, second = (slug(ChainReport(" > ".join(hosts), hosts)) for hosts in (one, other))
    assert first.lower() == first
    assert first.isascii()
    assert first.strip("-._ /\\:") == first
    assert "/" not in first
    assert (first == second) == (one == other)


@pytest.mark.parametrize(
    "hosts, others",
    [
        (("a--b",), ("a", "b")),
        (("KVM01",), ("kvm01",)),
        (("a-", "b"), ("a", "-b")),
        (("a/b",), ("a_b",)),
        (("x" * 200,), ("x" * 201,)),
        (("result.json",), ("result-json",)),
        (("..",), (".",)),
    ],
)
def test_names_that_look_alike_stay_apart(hosts: tuple[str, ...], others: tuple[str, ...]) -> None:
    """The cases that a careless mapping gets wrong."""
    first, second = slug(ChainReport("", hosts)), slug(ChainReport("", others))
    assert first != second
    assert "result.json" not in {first, second}
    assert max(map(len, (first, second))) <= 100
