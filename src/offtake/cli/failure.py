"""Errors on the command line: one line `error: …` for each, the way out as `hint: …`, and the exit code."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer

from offtake.errors import (
    InvalidFilter,
    InvalidFormat,
    InvalidRange,
    InvalidRequest,
    NotFound,
    OfftakeError,
    UnknownField,
)

FAILED, WRONG_USAGE, BROKEN_PIPE = 1, 2, 128 + 13

_TYPED_WRONG = (InvalidFilter, InvalidFormat, InvalidRange, InvalidRequest, NotFound, UnknownField)


@contextmanager
def telling_failures() -> Iterator[None]:
    """Turn an expected failure inside into lines on stderr and an exit code; a reader that left ends it quietly."""
    try:
        yield
    except OfftakeError as error:
        for _, problem in error.problems or (("", error.detail),):
            tell(f"error: {problem}")
        if error.hint:
            tell(f"hint: {error.hint}")
        raise typer.Exit(WRONG_USAGE if isinstance(error, _TYPED_WRONG) else FAILED) from None
    except BrokenPipeError:
        _leave_quietly()
    except OSError as error:
        place = f" {error.filename}" if error.filename else ""
        tell(f"error: cannot use{place}: {(error.strerror or 'input or output failed').lower()}")
        raise typer.Exit(FAILED) from None


def wrong_usage(detail: str, hint: str = "") -> NoReturn:
    """Say what was typed wrong and how it goes; exit 2."""
    tell(f"error: {detail}")
    if hint:
        tell(f"hint: {hint}")
    raise typer.Exit(WRONG_USAGE)


def tell(line: str) -> None:
    """One line for people, on stderr, so that stdout holds nothing but what was asked for."""
    typer.echo(line, err=True)


def _leave_quietly() -> NoReturn:
    """Whoever read our output has gone. Python would complain while flushing stdout at exit, so point it nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    raise typer.Exit(BROKEN_PIPE)
