"""`offtake worker`, and the jobs that `offtake serve` runs beside the API."""

import os
import signal
import sys
import threading
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from offtake.app import build_runtime, close_runtime
from offtake.cli import collect_garbage_from_now
from offtake.cli.child import run_child
from offtake.errors import InvalidConfig
from offtake.service.runtime import Runtime
from offtake.settings import Settings
from offtake.web.logs import open_log, where

if TYPE_CHECKING:
    from offtake.jobs.executor import Executor


def open_executor(settings: Settings, runtime: Runtime, log: Any) -> "Executor":
    """What runs jobs in this process, in children that read the same configuration. It has not started."""
    from offtake.jobs.executor import Executor

    def tell_bug(error: BaseException) -> None:
        log.error("bug", type=type(error).__name__, at=where(error))

    return Executor(runtime, partial(run_child, settings.path), log, settings.database, tell_bug)


class Stopping:
    """The end of an executor, beside whatever else ends meanwhile. None needs no end."""

    def __init__(self, executor: "Executor | None", grace_s: float) -> None:
        self._executor = executor
        self._grace_s = grace_s
        self._thread = threading.Thread(target=self._stop, name="stop")
        self._hangs = False

    def begin(self) -> None:
        """Take no more jobs, and give running ones their grace from now on. Returns at once; may be called again."""
        if self._executor is not None and self._thread.ident is None:
            self._thread.start()

    def finish(self) -> None:
        """Return when nothing runs any more. Exits here if something hangs."""
        self.begin()
        if self._thread.ident is not None:
            self._thread.join()
        if self._hangs:
            os._exit(0)  # whoever waits for the app database is taken for dead, and its jobs go to others

    def _stop(self) -> None:
        assert self._executor is not None
        self._hangs = not self._executor.stop(self._grace_s)


def leave() -> NoReturn:
    """Exit 0 at once: the interpreter's own end waits for drivers' threads, and DuckDB prints what it left behind."""
    sys.stdout.flush()
    os._exit(0)


def run_worker(settings: Settings) -> None:
    """Run jobs until SIGINT or SIGTERM. Raises InvalidConfig where there can be no worker."""
    _check(settings)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    runtime = build_runtime(settings, with_jobs=True)
    executor = open_executor(settings, runtime, open_log(sys.stderr))
    stopping = Stopping(executor, settings.jobs.grace_s)
    try:
        executor.start()
        collect_garbage_from_now()
        if not executor.wait_warm():
            raise InvalidConfig("No child process comes up; the log says why.")
        typer.echo("ready")
        ended.wait()
    finally:
        stopping.finish()
        close_runtime(runtime)
    leave()


def _check(settings: Settings) -> None:
    if settings.database.startswith("sqlite"):
        raise InvalidConfig(
            "A worker needs the app database on PostgreSQL.",
            hint="Set database: postgresql://…; on SQLite `offtake serve` runs the jobs itself.",
        )
    if not settings.jobs.concurrency:
        raise InvalidConfig("jobs.concurrency is 0: this worker would run nothing.", hint="Set it to 1 or more.")
