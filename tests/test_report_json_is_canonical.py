"""result.json is canonical, valid against its schema, harmless, and read back as what it was."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_runs import ANY_EVIDENCE, HOSTILE, case, host, run, violating_run
from result_1_3 import to_json_1_3

from pytest_nestvirt.catalogue.requirement import Needs, Stance
from pytest_nestvirt.report.case import (
    SCHEMA_VERSION,
    Case,
    ChainReport,
    Evidence,
    HostReport,
    RunReport,
    StanceReport,
    WhyNotRun,
)
from pytest_nestvirt.report.result_form import (
    AsideRecord,
    CaseRecord,
    Difference,
    FactRecord,
    FactsOfHost,
    HostRecord,
    RequirementRecord,
    ResultRecord,
    Timing,
)
from pytest_nestvirt.report.result_json import SCHEMA_FILE, ReportError, load_json, to_json, write_json
from pytest_nestvirt.report.result_writing import harmless
from pytest_nestvirt.verdict import Kind, Obligation, Verdict

ROOT = Path(__file__).parent.parent
SCHEMA: dict[str, Any] = json.loads(SCHEMA_FILE.read_text())


def later(report: RunReport) -> RunReport:
    """The same run on another day on a slower machine."""
    return replace(
        report,
        started="2027-01-01T00:00:00Z",
        finished="2027-01-01T00:01:00Z",
        hosts=tuple(replace(h, collected_at="2027-01-01T00:00:01Z", seconds=h.seconds + 3.5) for h in report.hosts),
        cases=tuple(replace(c, seconds=c.seconds + 0.25) for c in report.cases),
    )


def without_timing(text: str) -> str:
    """What `jq 'del(.timing)'` leaves."""
    told = json.loads(text)
    del told["timing"]
    return json.dumps(told, indent=2)


def test_equal_runs_differ_in_timing_only() -> None:
    """All that is volatile stands in one place."""
    report = violating_run()
    assert to_json(report) != to_json(later(report))
    assert without_timing(to_json(report)) == without_timing(to_json(later(report)))


def test_a_changed_verdict_shows_in_one_line() -> None:
    """What differs between two runs is what changed."""
    report = violating_run()
    fixed = replace(report, cases=(replace(report.cases[0], verdict=Verdict.PASS), *report.cases[1:]))
    before, after = to_json(report).splitlines(), to_json(fixed).splitlines()
    ((old, new),) = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
    assert old.replace('"verdict":"fail"', '"verdict":"pass"') == new


def test_cases_stand_in_inventory_order_whatever_order_they_ran_in() -> None:
    """Workers that finish in another order make the same file."""
    machines = (host("zeta"), host("alpha"))
    first, second = case("A-ONE", "zeta"), case("A-ONE", "alpha")
    assert to_json(run(second, first, hosts=machines)) == to_json(run(first, second, hosts=machines))
    told = json.loads(to_json(run(second, first, hosts=machines)))
    assert [c["host"] for c in told["cases"]] == ["zeta", "alpha"]


def test_layout_is_fixed() -> None:
    """Sorted keys, a record on each line, one newline at the end, readable UTF-8."""
    text = to_json(run(case(reason="für", evidence=ANY_EVIDENCE), case("A-Z", verdict=Verdict.NOT_APPLICABLE)))
    told = json.loads(
        text, object_pairs_hook=lambda pairs: pytest.fail("keys") if pairs != sorted(pairs) else dict(pairs)
    )
    assert text.endswith("\n}\n")
    assert '"reason":"für"' in text
    lines = [line.strip().rstrip(",") for line in text.splitlines()]
    for record in (*told["cases"], *told["timing"]["hosts"], *told["hosts"][0]["not_applicable"]):
        assert json.dumps(record, separators=(",", ":"), ensure_ascii=False) in lines
    assert '"cpu.flags": {"sources":"031dc1fc39dd","value":"fpu, msr, vmx"}' in lines


@pytest.mark.parametrize(
    "report",
    [
        violating_run(),
        replace(violating_run(), lists_not_applicable=True),
        later(violating_run()),
        run(),
        run(case(reason=HOSTILE), complete=False, because=HOSTILE),
    ],
    ids=["violating", "listing", "later", "empty", "hostile"],
)
def test_files_are_valid_against_the_schema(report: RunReport) -> None:
    """The published schema describes what is written."""
    jsonschema.validate(json.loads(to_json(report)), SCHEMA, cls=jsonschema.Draft202012Validator)


def test_the_schema_is_a_schema_and_allows_no_other_keys() -> None:
    """The schema itself is valid, and refuses what it does not know."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    told = json.loads(to_json(violating_run()))
    told["cases"][0]["surprise"] = 1
    with pytest.raises(jsonschema.ValidationError, match="surprise"):
        jsonschema.validate(told, SCHEMA)


@pytest.mark.parametrize(
    "name, model",
    [
        ("host", HostRecord),
        ("chain", ChainReport),
        ("chain_stance", StanceReport),
        ("case", CaseRecord),
        ("requirement", RequirementRecord),
        ("fact", FactRecord),
        ("aside", AsideRecord),
        ("evidence", FactsOfHost),
        ("differs", Difference),
        ("timing", Timing),
    ],
)
def test_the_schema_names_every_field(name: str, model: type[Any]) -> None:
    """A field that is added to the form is added to the schema, or this fails."""
    assert set(SCHEMA["$defs"][name]["properties"]) == {field.name for field in fields(model)}


def test_the_schema_names_every_key_of_the_file() -> None:
    """The form has what the schema has, aside from the version, which is looked at first."""
    assert set(SCHEMA["properties"]) == {field.name for field in fields(ResultRecord)} | {"schema_version"}


def test_the_form_has_every_field_of_the_report() -> None:
    """A field that is added to the report is written and read, or this fails."""
    moved = {"collected_at", "seconds"}
    named = {field.name for model in (CaseRecord, RequirementRecord, Difference) for field in fields(model)}
    assert {field.name for field in fields(Case)} - moved <= named
    assert {field.name for field in fields(HostReport)} - moved <= {field.name for field in fields(HostRecord)}
    assert {field.name for field in fields(RunReport)} - {"started", "finished"} <= set(SCHEMA["properties"])


@pytest.mark.parametrize("name, words", [("kind", Kind), ("obligation", Obligation), ("needs", Needs)])
def test_the_schema_knows_every_word(name: str, words: type[Any]) -> None:
    """The words of the schema are the words of the product."""
    for part in ("requirement", "differs"):
        assert SCHEMA["$defs"][part]["properties"][name]["enum"] == [str(word) for word in words]
    assert SCHEMA["$defs"]["stance"]["enum"] == [str(word) for word in Stance]
    assert SCHEMA["$defs"]["case"]["properties"]["verdict"]["enum"] == [str(word) for word in Verdict]
    assert SCHEMA["$defs"]["case"]["properties"]["not_run"]["enum"] == [*map(str, WhyNotRun)]


def test_an_object_of_a_manifest_has_no_level(tmp_path: Path) -> None:
    """Its level is null, where version 1 had -1; both are read as none."""
    name = "VMClass/big"
    seen = Evidence(name, None, "manifest.cpu", "8", ("set.yaml:5",))
    report = run(case(host=name, level=None, evidence=(seen,)), hosts=(host(name, None, origin="manifest"),))
    assert json.loads(to_json(report))["hosts"][0]["level"] is None
    assert load_json(write_json(report, tmp_path)) == report
    assert json.loads(to_json_1_3(report))["cases"][0]["level"] == -1
    assert read_1_3(to_json_1_3(report), tmp_path) == report


def read_1_3(text: str, folder: Path) -> RunReport:
    """What is read of a file of version 1."""
    (folder / "old.json").write_text(text)
    return load_json(folder / "old.json")


def test_a_report_of_version_1_2_is_read(tmp_path: Path) -> None:
    """It does not say why a check did not run; then nothing excuses it."""
    report = run(case(verdict=Verdict.NOT_RUN, not_run=WhyNotRun.NO_PERMISSION))
    older = json.loads(to_json_1_3(report)) | {"schema_version": "1.2"}
    del older["cases"][0]["not_run"]
    assert read_1_3(json.dumps(older), tmp_path).cases[0].not_run is None


@pytest.mark.parametrize("inventory", ["recorded", "recorded-violations", "recorded-lab"])
def test_version_2_says_all_that_version_1_3_said(tmp_path: Path, inventory: str) -> None:
    """For every recorded inventory both forms are written of one run; read back, the new one makes the old one again."""
    arguments = [f"--hosts=inventories/{inventory}.yml", f"--nestvirt-report={tmp_path}", "-p", "result_1_3"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT / "tests/support")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (tmp_path / "result.json").exists(), done.stdout + done.stderr
    old, new = load_json(tmp_path / "result-1.3.json"), load_json(tmp_path / "result.json")
    assert new == old
    assert to_json_1_3(new) == (tmp_path / "result-1.3.json").read_text()
    assert to_json(old) == (tmp_path / "result.json").read_text()
    assert (tmp_path / "result.json").stat().st_size < (tmp_path / "result-1.3.json").stat().st_size / 4


# ---- written once


def test_a_statement_is_written_once() -> None:
    """However many hosts it is verified on, and those that it does not apply to."""
    machines = tuple(host(f"kvm{number}") for number in range(3))
    cases = (
        case(host="kvm0"),
        case(host="kvm1"),
        case(host="kvm2", verdict=Verdict.NOT_APPLICABLE, reason="cpu.vendor is amd"),
    )
    text = to_json(run(*cases, hosts=machines))
    assert text.count(cases[0].statement) == text.count(cases[0].remedy) == text.count(cases[0].expected) == 1


def test_what_does_not_apply_is_grouped_by_the_fact_that_decided() -> None:
    """Under its host, in the order of the catalogue; the list of cases has it where a person asked for that."""
    aside = [case(f"A-{n}", verdict=Verdict.NOT_APPLICABLE, reason=why) for n, why in enumerate(["z", "a", "z"])]
    report = run(case(), *aside)
    told = json.loads(to_json(report))
    assert told["hosts"][0]["not_applicable"] == [
        {"reason": "z", "requirements": ["A-0", "A-2"]},
        {"reason": "a", "requirements": ["A-1"]},
    ]
    assert [c["requirement"] for c in told["cases"]] == ["RHEL8-INTEL-CPU-FLAGS"]
    listed = json.loads(to_json(replace(report, lists_not_applicable=True)))
    assert [c["verdict"] for c in listed["cases"]] == ["pass", *["not-applicable"] * 3]
    assert listed["hosts"] == told["hosts"]


def test_a_fact_is_written_once_for_its_host() -> None:
    """Cases name it; the sections that it was parsed from are written once for all facts that have the same."""
    other = Evidence("kvm02", 0, "cpu.flags", "svm", ("proc/cpuinfo",))
    machines = host(), host("kvm02")
    report = run(case(evidence=ANY_EVIDENCE), case("A-B", evidence=(*ANY_EVIDENCE, other)), hosts=machines)
    told = json.loads(to_json(report))
    assert [c["evidence"] for c in told["cases"]] == [
        [{"facts": ["cpu.flags"]}],
        [{"facts": ["cpu.flags"]}, {"facts": ["cpu.flags"], "host": "kvm02"}],
    ]
    facts = [h["facts"]["cpu.flags"] for h in told["hosts"]]
    assert [fact["value"] for fact in facts] == ["fpu, msr, vmx", "svm"]
    assert told["sources"] == {facts[0]["sources"]: ["proc/cpuinfo"]}


def test_facts_that_share_a_name_are_kept_apart(tmp_path: Path) -> None:
    """Two values of one fact, a machine at two levels, a machine that is not among the hosts."""
    evidence = (
        Evidence("kvm01", 0, "a", "1", ()),
        Evidence("kvm01", 0, "a", "2", ()),
        Evidence("kvm01", 0, "a (2)", "3", ()),
        Evidence("kvm01", 1, "a", "1", ()),
        Evidence("elsewhere", 4, "a", "1", ("x",)),
        Evidence("kvm01", 0, "a", "1", ()),
    )
    report = run(case(evidence=evidence))
    jsonschema.validate(json.loads(to_json(report)), SCHEMA)
    assert load_json(write_json(report, tmp_path)) == report


NAMES = st.sampled_from(["A-A", "A-B", "B-A", "B-B"])
HOSTS = st.sampled_from(["kvm01", "kvm02", "elsewhere"])
EVIDENCE = st.builds(
    Evidence, HOSTS, st.sampled_from([0, 1, None]), NAMES, st.text(max_size=2), st.tuples(st.sampled_from(["x", "y"]))
)
CASES = st.builds(
    Case,
    requirement=NAMES,
    source=st.sampled_from(["rhel8", "ubuntu"]),
    section=st.sampled_from(["1", "2"]),
    statement=st.sampled_from(["one", "two"]),
    host=HOSTS,
    level=st.sampled_from([0, 1, None]),
    verdict=st.sampled_from(Verdict),
    kind=st.sampled_from(Kind),
    obligation=st.sampled_from(Obligation),
    needs=st.sampled_from(Needs),
    reason=st.sampled_from(["", "why"]),
    not_run=st.none() | st.sampled_from(WhyNotRun),
    expected=st.sampled_from(["", "this"]),
    remedy=st.sampled_from(["", "that"]),
    stance=st.none() | st.sampled_from(Stance),
    evidence=st.lists(EVIDENCE, max_size=4).map(tuple),
    seconds=st.sampled_from([0.0, 0.5]),
    nodeid=st.sampled_from(["", "a.py::test_a[x]"]),
)


@settings(max_examples=150, deadline=None)
@given(cases=st.lists(CASES, max_size=6, unique_by=lambda case: (case.requirement, case.host)), listing=st.booleans())
def test_any_case_is_read_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, cases: list[Case], listing: bool
) -> None:
    """Whatever a case has otherwise than others of its requirement is kept with it; text within bounds is kept as it is."""
    cases.sort(key=lambda case: case.requirement)  # as a catalogue has them: in one order for all hosts
    report = replace(run(*cases, hosts=(host(), host("kvm02"))), lists_not_applicable=listing)
    text = to_json(report)
    again = load_json(write_json(report, tmp_path_factory.getbasetemp()))
    harmless = [harmless_case(case) for case in cases]
    assert sorted(map(repr, again.cases)) == sorted(map(repr, harmless))
    assert to_json(again) == text


def harmless_case(case: Case) -> Case:
    """The case with the values of its facts as they may be in the file."""
    return replace(case, evidence=tuple(replace(e, value=harmless(e.value)) for e in case.evidence))


def test_a_report_survives_writing_and_reading(tmp_path: Path) -> None:
    """What is read back is what was written, timing included, in a directory that did not exist."""
    report = later(violating_run())
    assert load_json(write_json(report, tmp_path / "new" / "reports")) == report


def test_hostile_text_is_harmless_and_stays_the_same_when_written_again(tmp_path: Path) -> None:
    """Escapes, surrogates and a megabyte of output: strict UTF-8, bounded, idempotent."""
    report = run(case(reason=HOSTILE * 30_000, evidence=ANY_EVIDENCE), hosts=(host(HOSTILE, trouble=HOSTILE),))
    written = write_json(report, tmp_path)
    data = written.read_bytes()
    assert len(data) < 50_000
    assert all(character.isprintable() or character == "\n" for character in data.decode("utf-8"))
    assert "more characters)" in load_json(written).cases[0].reason
    assert to_json(load_json(written)) == data.decode()


def test_durations_that_are_no_numbers_do_not_lose_the_report() -> None:
    """A clock that goes mad costs its own value only."""
    told = json.loads(to_json(run(case(seconds=float("nan")), hosts=(host(seconds=float("inf")),))))
    assert told["timing"]["cases"] == {}
    assert told["timing"]["hosts"][0]["seconds"] == 0


def test_a_file_is_replaced_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When writing fails half-way, the old file is still there, and nothing else."""
    old = write_json(run(), tmp_path).read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(ReportError, match="No space left on device"):
        write_json(violating_run(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]
    assert (tmp_path / "result.json").read_bytes() == old


def test_an_impossible_directory_is_one_clear_line(tmp_path: Path) -> None:
    """A directory that cannot be made is a mistake to mend, not a crash."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ReportError) as caught:
        write_json(run(), tmp_path / "file" / "reports")
    assert "\n" not in str(caught.value)
    assert "--nestvirt-report" in str(caught.value)


def _valid() -> dict[str, Any]:
    told: dict[str, Any] = json.loads(to_json(violating_run()))
    return told


@pytest.mark.parametrize(
    "content, complaint",
    [
        (b"", "is not JSON"),
        (b"\xff\xfe\xfa", "is not UTF-8 text"),
        (b"[" * 200_000, "recursion limit exceeded"),
        (b"[]", "has no `schema_version`"),
        (
            json.dumps(_valid() | {"schema_version": "3.0"}).encode(),
            f"schema version 3.x, this program reads 1.x and {SCHEMA_VERSION}",
        ),
        (json.dumps(_valid() | {"schema_version": "1.3"}).encode(), "`timing` is not what the schema says"),
        (json.dumps(_valid() | {"timing": None}).encode(), "timing: "),
        (json.dumps(_valid() | {"hosts": [1]}).encode(), "hosts.0: "),
        (json.dumps(_valid() | {"requirements": {}}).encode(), "`requirements` has no 'RHEL8-INTEL-CPU-FLAGS'"),
        (json.dumps(_valid() | {"sources": {}}).encode(), "`sources` has no '031dc1fc39dd'"),
        (json.dumps(_valid() | {"complete": "yes"}).encode(), "complete: "),
        (json.dumps(_valid() | {"chains": [{"name": "x"}]}).encode(), "chains.0.hosts: "),
    ],
    ids=[
        "empty",
        "binary",
        "deep",
        "list",
        "version",
        "mixture",
        "timing",
        "hosts",
        "requirement",
        "sources",
        "type",
        "missing",
    ],
)
def test_a_bad_file_is_one_clear_line(tmp_path: Path, content: bytes, complaint: str) -> None:
    """Whatever the file is, reading it ends in a report or in one line with file and reason."""
    path = tmp_path / "result.json"
    path.write_bytes(content)
    with pytest.raises(ReportError) as caught:
        load_json(path)
    assert complaint in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_one_clear_line(tmp_path: Path) -> None:
    """A path that leads nowhere says so."""
    with pytest.raises(ReportError, match="No such file"):
        load_json(tmp_path / "none.json")


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(key=st.sampled_from(sorted(_valid())), value=JSON_VALUES)
def test_reading_never_crashes(tmp_path_factory: pytest.TempPathFactory, key: str, value: object) -> None:
    """Any value anywhere: a report or a ReportError."""
    path = tmp_path_factory.getbasetemp() / "any-result.json"
    path.write_text(json.dumps(_valid() | {key: value}))
    try:
        load_json(path)
    except ReportError as error:
        assert "\n" not in str(error)  # noqa: PT017 - both ends are allowed
