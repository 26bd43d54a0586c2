"""`offtake` in this process, which spares its start: for the many small files of the edge cases."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from typer.testing import CliRunner

from offtake.cli.commands import app


@dataclass(frozen=True)
class Done:
    """How a command ended and what it said."""

    code: int
    said: str


def offtake(*arguments: str) -> Done:
    """Run the command to its end; an exception that is not its own fails the test."""
    done = CliRunner().invoke(app, arguments, prog_name="offtake")
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return Done(done.exit_code, done.stdout + done.stderr)


def export(home: Path, dataset: str, path: Path, arguments: Sequence[str] = ()) -> Path:
    """The file of a dataset that must succeed without a word."""
    done = offtake("export", dataset, "-o", str(path), "--config", str(home / "offtake.yaml"), *arguments)
    assert done == Done(0, ""), done.said
    return path
