"""`junit.xml` for each chain, for CI systems: one suite a machine, one test case a requirement.

How verdicts are shown: `fail` is a failure, an inconclusive must a failure of type `inconclusive`, `unreachable` and
`error` are errors, what pytest skips is skipped with its verdict and reason. `pass`, `warn`, `limit-confirmed` and
`limit-lifted` pass; the first lines of their output and a property of their suite tell them apart. A chain that does
not conform never makes a file without a failure or an error.
"""

# mypy: untyped-calls-exclude="junit_xml"

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

import junit_xml

from pytest_nestvirt.catalogue.requirement import Stance
from pytest_nestvirt.report import files
from pytest_nestvirt.report.case import Case, ChainReport, HostReport, RunReport, level_label
from pytest_nestvirt.report.case_text import evidence_text, render_case
from pytest_nestvirt.report.chain_state import (
    CONFORMING,
    ChainResult,
    ChainState,
    chain_results,
    is_unreachable,
    shows_conformity,
)
from pytest_nestvirt.report.sanitize import block, plain
from pytest_nestvirt.report.writing import write_whole
from pytest_nestvirt.verdict import PytestOutcome, Verdict, pytest_outcome

_UNALTERED = re.compile(r"[a-z0-9]([a-z0-9._]|-(?!-))*(?<=[a-z0-9])")
_LONGEST_SLUG = 100


def write_junit(run: RunReport, directory: Path) -> list[Path]:
    """Write `<directory>/<chain>/junit.xml` for every chain. Raises `ReportError`.

    Files that an earlier run left here for chains this run does not have are removed: a CI system that gathers `*/junit.xml`
    would take them for results of this run.
    """
    written = [
        write_whole(directory / slug(result.chain) / files.JUNIT, [to_junit(result, run)])
        for result in chain_results(run)
    ]
    files.remove_earlier(directory, [directory / files.RESULT, *written])
    return written


def slug(chain: ChainReport) -> str:
    """Name of the chain's directory: `kvm01--l1--l2`, with a digest where host names do not fit as they are.

    Two chains never share one, on file systems that ignore case neither: only lower-case names without `--` stay
    unaltered, and only altered ones contain `---`.
    """
    joined = "--".join(chain.hosts)
    if (
        all(map(_UNALTERED.fullmatch, chain.hosts))
        and len(joined) <= _LONGEST_SLUG
        and joined not in {"", files.RESULT}
    ):
        return joined
    digest = hashlib.sha256("\0".join(chain.hosts).encode("utf-8", "surrogatepass")).hexdigest()[:16]
    name = joined if chain.name == " > ".join(chain.hosts) else chain.name  # of manifests, the file
    readable = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60].strip("-") or "chain"
    return f"{readable}---{digest}"


def to_junit(result: ChainResult, run: RunReport) -> str:
    """The file of one chain; it is valid against Jenkins' schema, junit-10.xsd."""
    suites = [_suite(host, result, run) for host in result.hosts]
    unreported = _unreported(result, run, [case for suite in suites for case in suite.test_cases])
    if unreported:
        suites = suites or [junit_xml.TestSuite(plain(result.chain.name, 500))]
        suites[0].test_cases.append(_stand_in("chain", str(result.state), unreported))
    root = ET.Element("testsuites", {"name": f"{files.JUNIT_TITLE} {plain(result.chain.name, 500)}"})
    root.extend(suite.build_xml_doc() for suite in suites)
    _fix(root)
    ET.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _fix(root: ET.Element) -> None:
    """What junit-xml 1.9 gets wrong for junit-10.xsd.

    It writes `disabled`, which the schema does not know, and `time` of a suite with as many digits as a float has,
    where three are allowed.
    """
    for suite in root.iter("testsuite"):
        suite.attrib.pop("disabled", None)
        suite.set("time", f"{float(suite.get('time', 0)):.3f}")
    for count in ("tests", "failures", "errors"):
        root.set(count, str(sum(int(suite.get(count, 0)) for suite in root.iter("testsuite"))))


def _suite(host: HostReport, result: ChainResult, run: RunReport) -> junit_xml.TestSuite:
    own = sorted((case for case in result.cases if case.host == host.name), key=lambda case: case.source)
    test_cases = [_test_case(case) for case in own if _has_test_case(case)]
    if is_unreachable(host) and not any(case.errors for case in test_cases):
        test_cases.append(_stand_in(plain(host.name, 200), Verdict.UNREACHABLE, host.trouble or "could not be reached"))
    return junit_xml.TestSuite(
        name=f"{plain(host.name, 200)} ({level_label(host.level)})",
        test_cases=test_cases,
        hostname=plain(host.name, 200),
        package=plain(result.chain.name, 500),
        timestamp=plain(run.started, 40).removesuffix("Z"),
        properties=dict(_properties(host, own, result, run)),
    )


def _has_test_case(case: Case) -> bool:
    """What does not apply is counted, not listed, unless the option asked for an item of it."""
    return case.verdict is not Verdict.NOT_APPLICABLE or bool(case.nodeid)


def _test_case(case: Case) -> junit_xml.TestCase:
    name = f"{case.requirement} on {plain(case.host, 200)} ({level_label(case.level)})"
    test_case = junit_xml.TestCase(name, plain(case.source, 200), _seconds(case), stdout=_output(case))
    # junit-xml drops a failure without a message, and what is left reads like a pass.
    message = f"{case.verdict}: {plain(case.reason, 1000) or 'no reason was recorded'}"
    match pytest_outcome(case.verdict, case.obligation):
        case PytestOutcome.SKIPPED:
            test_case.add_skipped_info(message)
        case PytestOutcome.FAILED if case.verdict in {Verdict.UNREACHABLE, Verdict.ERROR}:
            test_case.add_error_info(message, render_case(case), str(case.verdict))
        case PytestOutcome.FAILED:
            test_case.add_failure_info(message, render_case(case), str(case.verdict))
        case PytestOutcome.PASSED:
            pass
    return test_case


def _seconds(case: Case) -> float:
    return case.seconds if math.isfinite(case.seconds) else 0.0


def _output(case: Case) -> str:
    """Verdict and stance first, each on a line of its own for machines, then reason and evidence."""
    lines = [
        f"verdict: {case.verdict}",
        f"stance: {case.stance or 'nothing said'}",
        f"kind: {case.kind}, {case.obligation}",
        f"section: {plain(case.section, 200)}",
        f"statement: {plain(case.statement, 1000)}",
        f"reason: {plain(case.reason, 2000)}",
        *(f"evidence: {evidence_text(evidence, case.host, 500)}" for evidence in case.evidence),
    ]
    return block("\n".join(lines), 60, 20_000)


def _stand_in(name: str, verdict: str, reason: str) -> junit_xml.TestCase:
    """A test case for what would otherwise be an absence."""
    test_case = junit_xml.TestCase(name, "nestvirt", stdout=f"verdict: {verdict}")
    test_case.add_error_info(f"{verdict}: {plain(reason, 1000)}", error_type=verdict)
    return test_case


def _unreported(result: ChainResult, run: RunReport, test_cases: Sequence[junit_xml.TestCase]) -> str:
    """Why the chain does not conform, if none of its test cases says so; empty otherwise."""
    if result.state in CONFORMING or any(case.is_failure() or case.is_error() for case in test_cases):
        return ""
    if result.state is ChainState.NOTHING_VERIFIED:
        return "no requirement of this chain was verified"
    if result.contradictions:
        return "; ".join(result.contradictions)
    if run.complete and not shows_conformity(result.cases):
        return "no must of this chain was verified, nor a should where no must applies"
    return run.incomplete_because or "requirements of this chain were left out or blocked"


def _properties(
    host: HostReport, cases: Sequence[Case], result: ChainResult, run: RunReport
) -> Iterator[tuple[str, str]]:
    yield "nestvirt.chain", plain(result.chain.name, 500)
    yield "nestvirt.chain.state", str(result.state)
    yield "nestvirt.level", level_label(host.level)
    yield "nestvirt.identity", plain(host.identity, 500)
    yield "nestvirt.origin", plain(host.origin or host.connection, 100)
    yield "nestvirt.trouble", plain("; ".join(filter(None, (host.trouble, host.contradiction))), 1000)
    yield "nestvirt.complete", "yes" if run.complete else f"no: {plain(run.incomplete_because, 1000)}"
    yield "nestvirt.catalogue", plain(run.catalogue_digest, 200)
    yield "nestvirt.inventory", plain(run.inventory_digest, 200)
    for stance in result.chain.stances:
        decided = "; ".join(stance.decided_by)
        yield f"nestvirt.stance.{plain(stance.source, 200)}", plain(f"{stance.stance}: {decided}", 1000)
    for note in result.chain.notes:
        yield "nestvirt.conflict", plain(note, 1000)
    for verdict, count in sorted(Counter(case.verdict for case in cases).items()):
        yield f"nestvirt.count.{verdict}", str(count)
    for case in cases:
        if _passes_with_more_to_say(case):
            yield f"nestvirt.verdict.{case.requirement}", " ".join(filter(None, (case.verdict, case.stance)))


def _passes_with_more_to_say(case: Case) -> bool:
    if pytest_outcome(case.verdict, case.obligation) is not PytestOutcome.PASSED:
        return False
    return case.verdict is not Verdict.PASS or case.stance not in {None, Stance.SUPPORTED}
