"""The hooks by which pytest and this plugin meet; nothing heavy is imported before an inventory is in use."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_nestvirt import marks
from pytest_nestvirt.run import fixtures
from pytest_nestvirt.version import __version__

if TYPE_CHECKING:
    from pytest_nestvirt.run.session import NestvirtRun

TESTINFRA = "pytest11.testinfra"
"""Name under which pytest-testinfra registers its plugin."""

RUN = "pytest_nestvirt.run"
"""Name under which an active run is registered."""


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Adopt testinfra's `--hosts` or bring our own, whichever plugin was loaded first."""
    group = parser.getgroup("nestvirt", "nested virtualization")
    if not _load_testinfra(pluginmanager):
        group.addoption("--hosts", dest="hosts", help="inventory.yml[,more.yml]: the machines to check")
    group.addoption(
        "--nestvirt-profile",
        metavar="SOURCE[,SOURCE]",
        help="evaluate every machine against these sources only (default: the sources that apply to it)",
    )
    group.addoption(
        "--nestvirt-manifest",
        metavar="FILE",
        action="append",
        help="also check the VMClass, VMImage and VirtualMachine objects in this file; may be repeated, and works "
        "without --hosts (then no machine is contacted)",
    )
    group.addoption(
        "--nestvirt-report",
        metavar="DIR",
        help="write result.json and one junit.xml per chain to this directory; reports of an earlier run are removed first",
    )
    group.addoption(
        "--nestvirt-measure",
        action="store_true",
        help="check performance claims by measuring: a CPU and memory load of about one second on L0, L1 and L2 in turn; "
        "without this option nothing is measured",
    )
    group.addoption(
        "--nestvirt-measure-rounds",
        metavar="N",
        type=int,
        default=5,
        help="number of measurements per machine (default: 5, minimum: 3)",
    )
    group.addoption(
        "--nestvirt-show-na",
        action="store_true",
        help="add a skipped test item for every requirement that does not apply",
    )
    group.addoption(
        "--nestvirt-threads",
        metavar="N",
        type=int,
        default=32,
        help="number of machines to probe in parallel (default: 32)",
    )


def _load_testinfra(pluginmanager: pytest.PytestPluginManager) -> bool:
    """Whether testinfra's plugin, and with it `--hosts`, is there; it is loaded now if its turn comes later."""
    if pluginmanager.is_blocked(TESTINFRA):
        return False
    if not pluginmanager.has_plugin(TESTINFRA):
        try:
            pluginmanager.import_plugin(TESTINFRA, consider_entry_points=True)
        except ImportError:
            return False
    return pluginmanager.has_plugin(TESTINFRA)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Take an earlier run's reports away before anything of this one can go wrong, so that nobody publishes them as its own."""
    given = early_config.known_args_namespace
    directory: str | None = getattr(given, "nestvirt_report", None)
    if directory is None or given.help or given.version:
        return
    from pytest_nestvirt.report.files import remove_earlier
    from pytest_nestvirt.report.writing import ReportError

    try:
        remove_earlier(early_config.invocation_params.dir / Path(directory).expanduser())
    except ReportError as error:
        raise pytest.UsageError(str(error)) from None


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Register markers and fixtures; start a run where an inventory or a suite is named."""
    for declaration in marks.DECLARATIONS:
        config.addinivalue_line("markers", declaration)
    config.pluginmanager.register(fixtures, "pytest_nestvirt.run.fixtures")
    run = _run(config)
    if run is not None:
        config.pluginmanager.register(run, RUN)
        config.pluginmanager.register(fixtures.ForInventory(), "pytest_nestvirt.run.fixtures.host")


def _run(config: pytest.Config) -> NestvirtRun | None:
    value: str | None = config.getoption("hosts")
    manifests: list[str] = config.getoption("nestvirt_manifest") or []
    if value is not None and not _mentions_yaml(value):
        if manifests:
            raise pytest.UsageError("--nestvirt-manifest needs an inventory in --hosts, or no --hosts at all")
        return None
    if value is None and not manifests and not any(map(_leads_to_suite, _paths(config))):
        if any(map(config.getoption, ("nestvirt_report", "nestvirt_profile", "nestvirt_measure"))):
            raise pytest.UsageError("--nestvirt-... options need an inventory: add --hosts=inventory.yml")
        return None
    if sys.flags.optimize:
        raise pytest.UsageError(
            "Python runs with -O or PYTHONOPTIMIZE, which disables assertions, so every check would pass; run without it"
        )
    from pytest_nestvirt.run.options import assessment_of
    from pytest_nestvirt.run.session import NestvirtRun

    return NestvirtRun(config, assessment_of(config, value))


def _mentions_yaml(value: str) -> bool:
    return any(part.strip().endswith((".yml", ".yaml")) for part in value.split(","))


def _paths(config: pytest.Config) -> list[Path]:
    return [config.invocation_params.dir / argument.partition("::")[0] for argument in config.args]


def _leads_to_suite(path: Path) -> bool:
    from pytest_nestvirt.run.suite_paths import suite_folders

    return bool(suite_folders([path]))


def pytest_report_header(config: pytest.Config) -> str | None:
    """Say what is verified, where an inventory is in use."""
    run: NestvirtRun | None = config.pluginmanager.get_plugin(RUN)
    return None if run is None else f"nestvirt: {__version__}, {run.subject.headline}"
