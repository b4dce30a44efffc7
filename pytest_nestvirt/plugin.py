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

NEEDING_INVENTORY = (
    "nestvirt_profile",
    "nestvirt_manifest",
    "nestvirt_report",
    "nestvirt_limit",
    "nestvirt_shard",
    "nestvirt_deadline",
    "nestvirt_measure",
    "nestvirt_allow_partial",
    "nestvirt_show_na",
)
"""Options without effect where no machine is judged, which must not go unnoticed."""


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
        "--nestvirt-limit",
        metavar="HOST|CHAIN",
        action="append",
        help="check only the chains through this host, this chain ('kvm01 > vm01') or this manifest file; may be repeated. "
        "The chosen part is complete in itself",
    )
    group.addoption(
        "--nestvirt-shard",
        metavar="NUMBER/TOTAL",
        help="check only this share of the inventory ('2/8'): whole chains, about as many machines in each share. "
        "`nestvirt merge` joins the reports of all shares into one",
    )
    group.addoption(
        "--nestvirt-allow-partial",
        action="store_true",
        help="let a run succeed in which checks were deselected or did not run, if what did run conforms",
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
    group.addoption(
        "--nestvirt-deadline",
        metavar="SECONDS",
        type=_seconds,
        help="time to probe all machines together; those that are not done by then are unreachable (default: each has "
        "deadlines of its own)",
    )


def _seconds(text: str) -> float:
    """A positive number. Raises `ValueError`, which becomes a usage error."""
    seconds = float(text)
    if not 0 < seconds < float("inf"):
        raise ValueError(text)
    return seconds


_seconds.__name__ = "number of seconds"


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
    """Remove an earlier run's reports before anything of this one can go wrong, so that they are never published as its own."""
    given = early_config.known_args_namespace
    directory: str | None = getattr(given, "nestvirt_report", None)
    if directory is None or given.help or given.version:
        return
    from pytest_nestvirt.report.files import remove_earlier
    from pytest_nestvirt.report.writing import ReportError
    from pytest_nestvirt.run.given_path import given_path

    try:
        remove_earlier(given_path("--nestvirt-report", directory, early_config.invocation_params.dir))
    except ReportError as error:
        raise pytest.UsageError(str(error)) from None


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Register markers and fixtures; start a run where an inventory or a suite is named."""
    for declaration in marks.DECLARATIONS:
        config.addinivalue_line("markers", declaration)
    config.pluginmanager.register(fixtures, "pytest_nestvirt.run.fixtures")
    if not (config.getoption("help") or config.getoption("version")):
        _start_run(config)


def _start_run(config: pytest.Config) -> None:
    hosts: str | None = config.getoption("hosts")
    if not _is_run_of_ours(config, hosts):
        if ours := _given(config):
            raise pytest.UsageError(f"{ours[0]} needs an inventory: add --hosts=inventory.yml")
        return
    if sys.flags.optimize:
        raise pytest.UsageError(
            "Python runs with -O or PYTHONOPTIMIZE, which disables assertions, so every check would pass; run without it"
        )
    from pytest_nestvirt.run import inventory_fixtures
    from pytest_nestvirt.run.conclusion import Conclusion
    from pytest_nestvirt.run.options import assessment_of
    from pytest_nestvirt.run.session import NestvirtRun

    assessment = assessment_of(config, hosts)
    conclusion = Conclusion(config, assessment)
    config.pluginmanager.register(conclusion, "pytest_nestvirt.run.conclusion")
    config.pluginmanager.register(NestvirtRun(config, assessment, conclusion), RUN)
    config.pluginmanager.register(inventory_fixtures, "pytest_nestvirt.run.inventory_fixtures")


def _is_run_of_ours(config: pytest.Config, hosts: str | None) -> bool:
    """Whether the options lead to something that is judged. Raises `pytest.UsageError` for a mistake in `--hosts`."""
    if hosts is None:
        return bool(config.getoption("nestvirt_manifest")) or any(map(_leads_to_suite, _paths(config)))
    from pytest_nestvirt.inventory.option import HostsKind, classify_hosts

    value = classify_hosts(hosts, connection=getattr(config.option, "connection", None))
    if value.kind is HostsKind.MISTAKE:
        raise pytest.UsageError(value.mistake)
    return value.kind is HostsKind.INVENTORY


def _given(config: pytest.Config) -> list[str]:
    """Those of our options that were given a value."""
    return [
        f"--{name.replace('_', '-')}" for name in NEEDING_INVENTORY if config.getoption(name) not in (None, False, [])
    ]


def _paths(config: pytest.Config) -> list[Path]:
    return [config.invocation_params.dir / argument.partition("::")[0] for argument in config.args]


def _leads_to_suite(path: Path) -> bool:
    from pytest_nestvirt.run.suite_paths import suite_folders

    return bool(suite_folders([path]))


def pytest_report_header(config: pytest.Config) -> list[str] | None:
    """Say what is verified, where an inventory is in use, and which tests are not."""
    run: NestvirtRun | None = config.pluginmanager.get_plugin(RUN)
    if run is None:
        return None
    from pytest_nestvirt.run.options import left_aside

    return [f"nestvirt: {__version__}, {run.assessment.headline}", *left_aside(config)]
