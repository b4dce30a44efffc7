"""`nestvirt`: snapshots, facts and the catalogue from the command line. The verdicts come from pytest."""

from __future__ import annotations

import click

from pytest_nestvirt.cli.catalogue_commands import explain, requirements
from pytest_nestvirt.cli.demo import demo
from pytest_nestvirt.cli.lab_commands import lab
from pytest_nestvirt.cli.machine_commands import collect, facts
from pytest_nestvirt.cli.merge_command import merge_command
from pytest_nestvirt.cli.vocabulary import vocabulary
from pytest_nestvirt.version import __version__


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="nestvirt")
def main() -> None:
    """Look at hosts, keep what was seen, and explain what nested virtualization needs.

    The verdicts come from pytest: pytest --hosts=inventory.yml
    """


for command in (demo, collect, facts, merge_command, requirements, explain, vocabulary, lab):
    main.add_command(command)
