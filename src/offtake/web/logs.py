"""Log lines as JSON: what happened to a request, never what was in it."""

import traceback
from typing import Any, TextIO

import structlog

DEEPEST = 12  # frames of a traceback worth keeping


def open_log(stream: TextIO) -> Any:
    """A structlog logger that writes one JSON object a line."""
    return structlog.wrap_logger(
        structlog.WriteLogger(stream),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(sort_keys=True),
        ],
    )


def where(error: BaseException) -> list[str]:
    """The places an unexpected error passed through, outermost first. Its message is left out: it may quote a row."""
    frames = traceback.extract_tb(error.__traceback__)[-DEEPEST:]
    return [f"{frame.filename.rpartition('site-packages/')[2]}:{frame.lineno} {frame.name}" for frame in frames]
