"""Lets `pytest` run from a checkout that is not installed."""

from importlib.metadata import entry_points

PLUGIN = "pytest_nestvirt.plugin"

if not any(entry.value == PLUGIN for entry in entry_points(group="pytest11")):
    pytest_plugins = [PLUGIN]
