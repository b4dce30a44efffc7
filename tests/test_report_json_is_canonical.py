"""result.json is canonical, valid against its schema, harmless, and read back as what it was."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_runs import ANY_EVIDENCE, HOSTILE, case, host, run, violating_run

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
from pytest_nestvirt.report.result_json import SCHEMA_FILE, ReportError, load_json, to_json, write_json
from pytest_nestvirt.verdict import Kind, Obligation, Verdict

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
    mended = replace(report, cases=(replace(report.cases[0], verdict=Verdict.PASS), *report.cases[1:]))
    before, after = to_json(report).splitlines(), to_json(mended).splitlines()
    assert [(a.strip(), b.strip()) for a, b in zip(before, after, strict=True) if a != b] == [
        ('"verdict": "fail"', '"verdict": "pass"')
    ]


def test_cases_stand_in_inventory_order_whatever_order_they_ran_in() -> None:
    """Workers that finish in another order make the same file."""
    machines = (host("zeta"), host("alpha"))
    first, second = case("A-ONE", "zeta"), case("A-ONE", "alpha")
    assert to_json(run(second, first, hosts=machines)) == to_json(run(first, second, hosts=machines))
    told = json.loads(to_json(run(second, first, hosts=machines)))
    assert [c["host"] for c in told["cases"]] == ["zeta", "alpha"]


def test_layout_is_fixed() -> None:
    """Sorted keys, two blanks, one newline at the end, readable UTF-8."""
    text = to_json(run(case(reason="für")))
    assert text == json.dumps(json.loads(text), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    assert "für" in text


@pytest.mark.parametrize(
    "report",
    [violating_run(), later(violating_run()), run(), run(case(reason=HOSTILE), complete=False, because=HOSTILE)],
    ids=["violating", "later", "empty", "hostile"],
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
    "name, model, moved",
    [
        ("host", HostReport, {"collected_at", "seconds"}),
        ("chain", ChainReport, set()),
        ("chain_stance", StanceReport, set()),
        ("case", Case, {"seconds"}),
        ("evidence", Evidence, set()),
    ],
)
def test_the_schema_names_every_field(name: str, model: type[Any], moved: set[str]) -> None:
    """A field that is added to the model is added to the schema, or this fails."""
    assert set(SCHEMA["$defs"][name]["properties"]) == {field.name for field in fields(model)} - moved


@pytest.mark.parametrize(
    "name, words", [("verdict", Verdict), ("kind", Kind), ("obligation", Obligation), ("needs", Needs)]
)
def test_the_schema_knows_every_word(name: str, words: type[Any]) -> None:
    """The words of the schema are the words of the product."""
    assert SCHEMA["$defs"]["case"]["properties"][name]["enum"] == [str(word) for word in words]
    assert SCHEMA["$defs"]["stance"]["enum"] == [str(word) for word in Stance]
    assert SCHEMA["$defs"]["case"]["properties"]["not_run"]["enum"] == [*map(str, WhyNotRun), None]


def test_an_object_of_a_manifest_keeps_its_place_in_the_form_of_version_1(tmp_path: Path) -> None:
    """It has no level; the file has -1 for that, in hosts, cases and evidence, and what is read back has none again."""
    name = "VMClass/big"
    seen = Evidence(name, None, "manifest.cpu", "8", ("set.yaml:5",))
    report = run(case(host=name, level=None, evidence=(seen,)), hosts=(host(name, None, origin="manifest"),))
    written = json.loads(to_json(report))
    jsonschema.validate(written, SCHEMA)
    (judged,) = written["cases"]
    assert (written["hosts"][0]["level"], judged["level"], judged["evidence"][0]["level"]) == (-1, -1, -1)
    assert load_json(write_json(report, tmp_path)) == report


def test_a_report_of_version_1_2_is_read(tmp_path: Path) -> None:
    """It does not say why a check did not run; then nothing excuses it."""
    report = run(case(verdict=Verdict.NOT_RUN, not_run=WhyNotRun.NO_PERMISSION))
    older = json.loads(to_json(report)) | {"schema_version": "1.2"}
    del older["cases"][0]["not_run"]
    (tmp_path / "result.json").write_text(json.dumps(older))
    assert load_json(tmp_path / "result.json").cases[0].not_run is None


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
    assert told["timing"]["cases"] == []
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
        (b"[" * 200_000, "nested too deeply"),
        (b"[]", "has no `schema_version`"),
        (
            json.dumps(_valid() | {"schema_version": "2.0"}).encode(),
            f"schema version 2.0, this program reads {SCHEMA_VERSION}",
        ),
        (json.dumps(_valid() | {"timing": None}).encode(), "`timing` is not what the schema says"),
        (json.dumps(_valid() | {"hosts": [1]}).encode(), "`hosts`, `cases` or `timing`"),
        (json.dumps(_valid() | {"complete": "yes"}).encode(), "complete: "),
        (json.dumps(_valid() | {"chains": [{"name": "x"}]}).encode(), "chains.0.hosts: "),
    ],
    ids=["empty", "binary", "deep", "list", "version", "timing", "hosts", "type", "missing"],
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
