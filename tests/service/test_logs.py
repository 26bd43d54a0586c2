"""What goes wrong in the background is a line of our log, without the words of whoever failed."""

import io
import json
import logging
from typing import Any

import pytest

from offtake.errors import SourceFailed
from offtake.service.logs import log_through, logged
from offtake.web.logs import open_log


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    """What was logged, without the times."""
    found = [json.loads(line) for line in stream.getvalue().splitlines()]
    return [{name: value for name, value in line.items() if name != "timestamp"} for line in found]


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (SourceFailed("It is down."), {"level": "warning", "code": "SOURCE_FAILED", "detail": "It is down."}),
        (ValueError("s3cret"), {"level": "error", "bug": "ValueError"}),
    ],
)
def test_what_fails_is_logged_and_ends_nothing(error: Exception, line: dict[str, str]) -> None:
    stream = io.StringIO()
    with logged(open_log(stream), "tea"):
        raise error
    assert lines(stream) == [{"event": "tea failed", **line}]


def test_an_end_that_was_asked_for_goes_through() -> None:
    with pytest.raises(KeyboardInterrupt), logged(open_log(io.StringIO()), "tea"):
        raise KeyboardInterrupt


def test_a_library_warns_in_our_log_without_its_words(caplog: pytest.LogCaptureFixture) -> None:
    stream, logger = io.StringIO(), logging.getLogger("a.library")
    for _ in range(2):
        log_through("a.library", open_log(stream), "tea")
    logger.info("quiet")
    logger.warning("SELECT s3cret")
    (line,) = lines(stream)
    assert (line["event"], line["level"], line["at"].partition(":")[0]) == ("tea", "warning", "test_logs")
    assert "s3cret" not in stream.getvalue()
    assert caplog.records == []
