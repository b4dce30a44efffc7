"""`nestvirt requirements` and `nestvirt explain`: the catalogue, and the checks that verify it."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from pytest_nestvirt.catalogue.load_catalogue import CatalogueError, load_catalogue
from pytest_nestvirt.catalogue.requirement import Needs, Requirement
from pytest_nestvirt.catalogue.trace import Traceability, trace
from pytest_nestvirt.embedded import embedded
from pytest_nestvirt.run.suite_paths import suite_folders


def _traced(suites: Iterable[Path]) -> Traceability:
    try:
        return trace(load_catalogue(suite_folders(list(suites) or [embedded("suites")])))
    except CatalogueError as error:
        raise click.ClickException(str(error)) from None


def _answer(traced: Traceability, requirement: Requirement) -> str:
    """How a requirement is dealt with: its checks, the permission it needs, or why it cannot be observed."""
    checks = traced.checks_of(requirement.id)
    needs = f"needs {requirement.needs}" if requirement.needs is not Needs.READ_ONLY else ""
    if checks:
        return "checked by " + ", ".join(check.name for check in checks) + (f" ({needs})" if needs else "")
    if requirement.not_observable:
        return f"not observable: {requirement.not_observable}"
    return needs or "NO CHECK"


SUITES = click.option(
    "--suite", "suites", type=click.Path(exists=True, path_type=Path), multiple=True, help="Folder of a suite."
)


@click.command()
@SUITES
@click.option("--by-check", is_flag=True, help="From checks to requirements instead.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, both ways.")
def requirements(suites: tuple[Path, ...], *, by_check: bool, as_json: bool) -> None:
    """List every statement of the catalogue with its check, the permission it needs, or the reason why it has neither.

    Ends in failure where a statement has none of the three, or a check names a statement that there is not.
    """
    traced = _traced(suites)
    if as_json:
        click.echo(json.dumps(_as_json(traced), indent=2, sort_keys=True))
    else:
        click.echo("\n".join(_by_check(traced) if by_check else _by_requirement(traced)))
    for problem in traced.problems():
        click.echo(problem, err=True)
    if traced.problems():
        raise SystemExit(1)


def _by_requirement(traced: Traceability) -> Iterator[str]:
    for suite in traced.catalogue.suites:
        yield f"{suite.source.id}: {suite.source.title} ({suite.source.version}), {len(suite.requirements)} statements"
        width = max((len(requirement.id) for requirement in suite.requirements), default=0)
        for requirement in suite.requirements:
            about = f"{'+'.join(requirement.levels).upper()} {requirement.kind}/{requirement.obligation}"
            yield f"  {requirement.id:<{width}}  {about:<24}  {_answer(traced, requirement)}"


def _by_check(traced: Traceability) -> Iterator[str]:
    for check in traced.checks:
        yield f"{check.name}: {', '.join(check.requirements)}"


def _as_json(traced: Traceability) -> dict[str, object]:
    return {
        "sources": [suite.source.model_dump(mode="json") for suite in traced.catalogue.suites],
        "requirements": [
            {
                **requirement.model_dump(mode="json", by_alias=True, exclude_defaults=True),
                "source": traced.catalogue.suite_of(requirement.id).source.id,
                "checks": [check.name for check in traced.checks_of(requirement.id)],
                "answer": _answer(traced, requirement),
            }
            for requirement in traced.catalogue
        ],
        "checks": [
            {"check": check.name, "line": check.line, "requirements": list(check.requirements)}
            for check in traced.checks
        ],
    }


@click.command()
@click.argument("requirement_id", metavar="ID")
@SUITES
def explain(requirement_id: str, suites: tuple[Path, ...]) -> None:
    """Explain one requirement: statement, source, where it applies, how it is checked, and the remedy."""
    traced = _traced(suites)
    wanted = requirement_id.upper()
    if wanted not in traced.catalogue:
        near = [requirement.id for requirement in traced.catalogue if wanted in requirement.id]
        hint = f"; did you mean {', '.join(near[:8])}?" if near else "; `nestvirt requirements` lists them all"
        raise click.UsageError(f"no requirement {requirement_id}{hint}")
    click.echo("\n".join(_explanation(traced, traced.catalogue.requirement(wanted))))


def _explanation(traced: Traceability, requirement: Requirement) -> Iterator[str]:
    source = traced.catalogue.suite_of(requirement.id).source
    yield requirement.id
    for name, value in (
        ("statement", requirement.statement),
        ("source", f"{source.publisher}: {source.title} ({source.version}), section {requirement.section}"),
        ("about", f"{' and '.join(requirement.levels).upper()}, {requirement.kind}, {requirement.obligation}"),
        ("applies", _applies(requirement)),
        ("expected", requirement.expected),
        ("remedy", requirement.remedy),
        ("support", "; ".join(f"{verdict}: {stance}" for verdict, stance in requirement.stance.items() if stance)),
        ("check", _answer(traced, requirement)),
        ("note", requirement.note),
    ):
        if value:
            yield _field(name, value)


def _applies(requirement: Requirement) -> str:
    conditions = {
        level: asked.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        for level, asked in requirement.applies.items()
    }
    return json.dumps(conditions) if conditions else "to every machine of that level that the source speaks of"


def _field(name: str, value: str) -> str:
    indent = " " * 13
    return textwrap.fill(" ".join(value.split()), 100, initial_indent=f"  {name:<10} ", subsequent_indent=indent)
