"""Tables for people and for `awk`: columns of equal width, two spaces between them, nothing else."""

from collections.abc import Sequence
from pathlib import Path

import typer

from offtake.settings import load_settings


def print_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print the rows under their heads."""
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    for row in (heads, *rows):
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def print_datasets(config: Path) -> None:
    """Print every dataset of the file; no source is asked."""
    settings = load_settings(config)
    rows = [
        (d.name, d.label, d.source, d.table or "sql", "by tenant" if d.tenant_column else "open to all")
        for d in settings.datasets.values()
    ]
    print_table(("NAME", "LABEL", "SOURCE", "TABLE", "ROWS"), rows)
