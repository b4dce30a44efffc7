"""Lets `pytest` run from a checkout that is not installed."""

pytest_plugins = ["pytest_nestvirt.plugin"]
