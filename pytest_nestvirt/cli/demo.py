"""`nestvirt demo`: the product at work on recorded machines, with no host, no inventory and no checkout."""

from __future__ import annotations

from pathlib import Path

import click

from pytest_nestvirt.embedded import embedded
from pytest_nestvirt.run.embedded_run import run_embedded

CONFORMING, VIOLATING = "recorded.yml", "recorded-violations.yml"


@click.command()
@click.option("--violations", is_flag=True, help="Certify machines that violate something: the run fails.")
@click.option(
    "--report",
    type=click.Path(path_type=Path, file_okay=False),
    help="Directory of the report (default: reports/demo, or reports/demo-violations).",
)
def demo(report: Path | None, *, violations: bool) -> None:
    """Certify the recorded machines that come with the product.

    Ends with pytest's exit status: 0 for the conforming machines, 1 with --violations.
    """
    inventory = embedded("inventories") / (VIOLATING if violations else CONFORMING)
    kept = report or Path("reports") / ("demo-violations" if violations else "demo")
    status = run_embedded(inventory, kept.absolute())
    click.echo(f"inventory: {inventory}")
    click.echo(f"report: {kept}")
    raise SystemExit(status)
