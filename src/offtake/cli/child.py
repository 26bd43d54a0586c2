"""The process below `offtake serve` or `offtake worker` that runs one job at a time."""

import os
import select
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from offtake.cli import collect_garbage_from_now
from offtake.errors import OfftakeError
from offtake.jobs.child import serve_child
from offtake.model.ports import Stop
from offtake.service.spans import end_tracing
from offtake.web.logs import open_log, where

FAILED, ENDED = 1, 128 + signal.SIGTERM
BEHIND = 10  # nice(2): with the processors full, people who wait for an answer go before jobs


def run_child(config: Path) -> None:
    """Run what stdin says until it ends. SIGTERM breaks a running job off; Ctrl-C is for the parent."""
    leave = Stop()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: leave.set())
    # Whatever prints must not stand between our answers.
    answers = os.dup(1)
    os.dup2(2, 1)
    failures: list[int] = []

    def work() -> None:
        try:
            _serve(config, answers, leave)
        except BaseException as error:
            _tell(error)
            failures.append(FAILED)

    # A thread works, because this one must be free to hear signals while that one waits on a driver.
    thread = threading.Thread(target=work, name="work", daemon=True)
    thread.start()
    thread.join()
    # Not through the interpreter's own end, which a thread inside a driver can hold up.
    os._exit(ENDED if leave.is_set else sum(failures))


def _serve(config: Path, answers: int, leave: Stop) -> None:
    from offtake.app import build_child_runtime
    from offtake.settings import load_settings

    runtime = build_child_runtime(load_settings(config))
    collect_garbage_from_now()
    os.nice(BEHIND)
    try:
        serve_child(runtime, _lines(leave), lambda line: _write(answers, line), leave, _tell)
    finally:
        end_tracing()


def _lines(leave: Stop) -> Iterator[str]:
    """What stdin says, until it ends or `leave` is set."""
    heard, (woken, wake) = b"", os.pipe()
    leave.attach(lambda: os.close(wake))
    while True:
        readable, _, _ = select.select([0, woken], [], [])
        data = b"" if woken in readable else os.read(0, 65536)
        if not data:
            return
        heard += data
        *lines, heard = heard.split(b"\n")
        yield from (line.decode() for line in lines)


def _write(answers: int, line: str) -> None:
    os.write(answers, f"{line}\n".encode())


def _tell(error: BaseException) -> None:
    log = open_log(sys.stderr)
    if isinstance(error, OfftakeError):
        log.error("child", code=error.code, detail=error.detail)
    else:
        log.error("bug", type=type(error).__name__, at=where(error))
