"""The process below `offtake serve` or `offtake worker` that runs one job at a time."""

import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from offtake.cli import collect_garbage_from_now
from offtake.errors import OfftakeError
from offtake.jobs.child import serve_child
from offtake.jobs.parent import die_with_parent
from offtake.model.ports import Stop
from offtake.service.spans import end_tracing
from offtake.web.logs import open_log, where

FAILED, ENDED = 1, 128 + signal.SIGTERM
BEHIND = 10  # nice(2): with the processors full, people who wait for an answer go before jobs


def run_child(config: Path, line: Connection) -> None:
    """Run what comes over the line until it ends. SIGTERM breaks a running job off; Ctrl-C is for the parent."""
    die_with_parent()
    leave = Stop()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: leave.set())
    os.dup2(2, 1)  # what somebody prints must not look like the service's own
    failures: list[int] = []

    def work() -> None:
        try:
            _serve(config, line, leave)
        except BaseException as error:
            _tell(error)
            failures.append(FAILED)

    # A thread works, because this one must be free to hear signals while that one waits on a driver.
    thread = threading.Thread(target=work, name="work", daemon=True)
    thread.start()
    thread.join()
    # Not through the interpreter's own end, which a thread inside a driver can hold up.
    os._exit(ENDED if leave.is_set else sum(failures))


def _serve(config: Path, line: Connection, leave: Stop) -> None:
    from offtake.app import build_child_runtime
    from offtake.settings import load_settings

    runtime = build_child_runtime(load_settings(config))
    collect_garbage_from_now()
    os.nice(BEHIND)
    try:
        serve_child(runtime, _orders(line, leave), line.send, leave, _tell)
    finally:
        end_tracing()


def _orders(line: Connection, leave: Stop) -> Iterator[Mapping[str, Any]]:
    """What comes over the line, until it ends or `leave` is set."""
    woken, wake = os.pipe()
    leave.attach(lambda: os.close(wake))
    while woken not in wait([line, woken]):
        try:
            yield line.recv()
        except (EOFError, ConnectionResetError):
            return


def _tell(error: BaseException) -> None:
    log = open_log(sys.stderr)
    if isinstance(error, OfftakeError):
        log.error("child", code=error.code, detail=error.detail)
    else:
        log.error("bug", type=type(error).__name__, at=where(error))
