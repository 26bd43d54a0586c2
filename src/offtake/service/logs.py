"""What goes wrong where nobody waits for it, as lines of our log: codes and places, not words that may quote a row."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from offtake.errors import OfftakeError


@contextmanager
def logged(log: Any, what: str) -> Iterator[None]:
    """Let nothing that goes wrong inside get out: one bad minute must not end a loop for good."""
    try:
        yield
    except OfftakeError as error:
        log.warning(f"{what} failed", code=error.code, detail=error.detail)
    except Exception as error:
        log.error(f"{what} failed", bug=type(error).__name__)


def log_through(library: str, log: Any, event: str) -> None:
    """Have a library's warnings come out as our own lines, and nowhere else: where they arose, without their words."""
    logger = logging.getLogger(library)
    logger.handlers[:] = [_Through(log, event)]
    logger.propagate = False


class _Through(logging.Handler):
    def __init__(self, log: Any, event: str) -> None:
        super().__init__(logging.WARNING)
        self._log = log
        self._event = event

    def emit(self, record: logging.LogRecord) -> None:
        self._log.warning(self._event, at=f"{record.module}:{record.lineno}", level=record.levelname.lower())
