"""Which check verifies which requirement, read from the source of the tests, in both directions."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pytest_nestvirt.catalogue.load_catalogue import REQUIREMENTS, Catalogue, CatalogueError
from pytest_nestvirt.catalogue.requirement import Needs, Requirement, Suite


@dataclass(frozen=True, slots=True)
class Check:
    """One test function and the requirements its marker names."""

    name: str
    """`test_intel.py::test_nesting_is_on`"""
    file: Path
    line: int
    requirements: tuple[str, ...]
    level: str
    """The deepest of l0, l1, l2 that it asks for, or `manifest`; empty if it asks for none."""
    is_test: bool = True
    """Whether pytest collects it: functions are named `test…`, and the classes around them `Test…`."""

    @property
    def where(self) -> str:
        """`file:line`, for messages."""
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Traceability:
    """Requirements and checks of a catalogue, held against each other."""

    catalogue: Catalogue
    checks: tuple[Check, ...]

    def checks_of(self, requirement_id: str) -> tuple[Check, ...]:
        """The checks that verify a requirement, in order of file and line."""
        return tuple(check for check in self.checks if check.is_test and requirement_id in check.requirements)

    @cached_property
    def unchecked(self) -> frozenset[tuple[str, str]]:
        """Requirement and level of every statement that could be verified and that no check verifies there."""
        return frozenset(
            (requirement.id, level)
            for requirement in self.catalogue
            if is_verifiable(requirement)
            for level in set(requirement.levels) - {check.level for check in self.checks_of(requirement.id)}
        )

    def requirements_of(self, check: Check) -> tuple[Requirement, ...]:
        """The requirements that a check verifies; undeclared ids are left out."""
        return tuple(self.catalogue.requirement(i) for i in check.requirements if i in self.catalogue)

    def problems(self) -> tuple[str, ...]:
        """What doesn't fit together, one line each; empty when all is well."""
        return (
            *self._misnamed(),
            *self._unknown_ids(),
            *self._wrong_levels(),
            *self._unverified(),
            *self._needless(),
        )

    def _misnamed(self) -> Iterator[str]:
        for check in self.checks:
            if not check.is_test:
                yield f"{check.where}: {check.name}: pytest does not collect it; name it test_… (in a class Test…)"

    def _unknown_ids(self) -> Iterator[str]:
        for check in self.checks:
            for unknown in check.requirements:
                if unknown not in self.catalogue:
                    yield f"{check.where}: {check.name}: no requirement {unknown} is declared; fix the id or declare it"

    def _wrong_levels(self) -> Iterator[str]:
        for check in self.checks:
            for requirement in self.requirements_of(check):
                if check.level not in requirement.levels:
                    about, wanted = check.level or "no machine", " and ".join(requirement.levels)
                    yield f"{check.where}: {check.name}: {requirement.id} is about {wanted}, the check about {about}"

    def _unverified(self) -> Iterator[str]:
        for requirement in self.catalogue:
            looked_at = {check.level for check in self.checks_of(requirement.id)}
            if is_verifiable(requirement) and not looked_at:
                yield (
                    f"{requirement.id}: no check verifies it; write one, or say `not_observable: why` or what it `needs`"
                )
            elif requirement.also and looked_at and not looked_at >= set(requirement.levels):
                missing = ", ".join(sorted(set(requirement.levels) - looked_at))
                yield f"{requirement.id}: no check verifies it for {missing}; write one that asks for that fixture"

    def _needless(self) -> Iterator[str]:
        for requirement in self.catalogue:
            if requirement.not_observable:
                for check in self.checks_of(requirement.id):
                    yield f"{check.where}: {check.name}: {requirement.id} is declared not observable; one of them is wrong"


def is_verifiable(requirement: Requirement) -> bool:
    """Whether a requirement needs a check: something can be observed, and without changing a machine."""
    return not requirement.not_observable and requirement.needs in {Needs.READ_ONLY, Needs.MEASURE}


def trace(catalogue: Catalogue) -> Traceability:
    """Read the checks of every suite. Raises `CatalogueError` where a test file is invalid Python or a marker not a literal."""
    return Traceability(catalogue, tuple(check for suite in catalogue.suites for check in checks_in(suite)))


def checks_in(suite: Suite) -> Iterator[Check]:
    """The functions with a marker in the test files of a suite's folder and of the folders below it, in order."""
    for file in _test_files(suite.folder):
        try:
            tree = ast.parse(file.read_bytes(), str(file))
        except (SyntaxError, ValueError) as error:
            line = getattr(error, "lineno", None) or 1
            raise CatalogueError(f"{file}:{line}: syntax error: {getattr(error, 'msg', error)}") from None
        yield from _checks(tree.body, file, "")


def _test_files(folder: Path) -> list[Path]:
    """The files that pytest collects by default, but for those of a suite inside this one."""
    found = {file for pattern in ("test_*.py", "*_test.py") for file in folder.rglob(pattern)}
    return sorted(file for file in found if _suite_around(file, folder) == folder)


def _suite_around(file: Path, folder: Path) -> Path:
    inner = (parent for parent in file.parents if parent.is_relative_to(folder) and (parent / REQUIREMENTS).exists())
    return next(inner, folder)


def _checks(body: Iterable[ast.stmt], file: Path, inside: str) -> Iterator[Check]:
    for statement in body:
        if isinstance(statement, ast.ClassDef):
            yield from _checks(statement.body, file, f"{inside}{statement.name}::")
        elif isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
            ids = tuple(_ids(statement, file))
            if ids:
                name = f"{file.name}::{inside}{statement.name}"
                yield Check(name, file, statement.lineno, ids, _level(statement), _is_test(inside, statement.name))


def _is_test(inside: str, name: str) -> bool:
    return name.startswith("test") and all(part.startswith("Test") for part in inside.split("::") if part)


def _level(function: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    asked = {argument.arg for argument in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)}
    return max(asked & {"l0", "l1", "l2", "manifest"}, default="")


def _ids(function: ast.FunctionDef | ast.AsyncFunctionDef, file: Path) -> Iterator[str]:
    """The ids of `@requirement("…")` or `@pytest.mark.requirement("…")`."""
    for decorator in function.decorator_list:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func).split(".")[-1] == "requirement":
            for argument in decorator.args:
                if not isinstance(argument, ast.Constant) or not isinstance(argument.value, str):
                    raise CatalogueError(
                        f"{file}:{decorator.lineno}: the ids of a marker are written out, "
                        'as in @requirement("RHEL8-INTEL-CPU-FLAGS")'
                    )
                yield argument.value
