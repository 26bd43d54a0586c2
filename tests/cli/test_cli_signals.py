"""What is left behind by an export that somebody ends, and what a reader that leaves gets to see."""

import os
import pty
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cli.conftest import OFFTAKE

# Far more rows than anybody waits for, made up as they are read.
ENDLESS = """\
sources: {db: {url: "sqlite:///shop.db"}}
datasets:
  endless:
    source: db
    sql: >-
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000)
      SELECT i, i * 2 AS j FROM n
    fields: {i: {type: integer}, j: {type: integer}}
  silent:
    source: db
    sql: >-
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000)
      SELECT max(i) AS i FROM n
    fields: {i: {type: integer}}
"""


@pytest.fixture
def endless(home: Path) -> Path:
    """The folder, with datasets that never end."""
    (home / "offtake.yaml").write_text(ENDLESS)
    return home


@contextmanager
def running(home: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """The command, still running; killed at the end if nobody ended it."""
    process = subprocess.Popen([*OFFTAKE, *arguments], cwd=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_until(holds: Callable[[], object]) -> None:
    """Wait until it holds, 20 seconds at most."""
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_in_the_middle_leaves_nothing(endless: Path, number: signal.Signals) -> None:
    with running(endless, "export", "endless", "-o", "out.csv") as process:
        wait_until(lambda: any(part.stat().st_size > 100_000 for part in endless.glob(".out.csv.*")))
        process.send_signal(number)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert told == b"error: stopped; nothing was written\n"
    assert not list(endless.glob("*out.csv*")) + list(endless.glob(".out.csv*"))


def test_a_signal_before_the_first_row_ends_the_query(endless: Path) -> None:
    with running(endless, "export", "silent", "-o", "out.csv") as process:
        wait_until(lambda: list(endless.glob(".out.csv.*")))
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 130
    assert not list(endless.glob(".out.csv*"))


def test_a_reader_that_leaves_ends_it_quietly(endless: Path) -> None:
    with running(endless, "export", "endless", "-o", "-") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"i,j\n"
        process.stdout.close()
        assert process.wait(timeout=60) == 141
        assert process.stderr is not None
        assert process.stderr.read() == b""


def test_a_terminal_sees_rows_and_rate(home: Path) -> None:
    ours, theirs = pty.openpty()
    environ = os.environ | {"TERM": "xterm", "COLUMNS": "100"}
    command = [*OFFTAKE, "export", "orders", "-o", "out.csv"]
    done = subprocess.run(command, cwd=home, stderr=theirs, env=environ, timeout=60, check=True, stdout=subprocess.PIPE)
    os.close(theirs)
    shown = _read_all(ours)
    assert done.stdout == b""
    assert b"12 rows" in shown
    assert b"rows/s" in shown


def _read_all(terminal: int) -> bytes:
    """What was written to it; Linux says EIO where others say end of file."""
    shown = b""
    try:
        while chunk := os.read(terminal, 65536):
            shown += chunk
    except OSError:
        pass
    os.close(terminal)
    return shown
