"""Ctrl-C and its kin, made to leave nothing behind: the work is asked to stop and cleans up before we exit."""

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import TypeVar

import typer

from offtake.cli.failure import tell
from offtake.model.ports import Stop

CLEAN_UP_S = 10.0

T = TypeVar("T")


class _Signalled(BaseException):
    """Raised in the main thread by a signal; BaseException, so that nothing takes it for a failure."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def run_stoppable(work: Callable[[Stop], T]) -> T:
    """What `work` gives. It runs in a thread of its own, because a signal cannot wake a thread that waits on a driver.

    On SIGINT, SIGTERM or SIGHUP its Stop is set, it gets CLEAN_UP_S seconds to end, and we exit with 128 + the number.
    """
    stop, done = Stop(), threading.Event()
    results: list[T] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work(stop))
        except BaseException as error:
            failures.append(error)
        finally:
            done.set()

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, _raise_signalled) for number in numbers}
    try:
        threading.Thread(target=run, name="work", daemon=True).start()
        done.wait()
    except _Signalled as signalled:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        _stop(stop, done, signalled.number)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if failures:
        raise failures[0]
    return results[0]


def _stop(stop: Stop, done: threading.Event, number: int) -> None:
    stop.set()
    ended = done.wait(CLEAN_UP_S)
    tell("error: stopped; nothing was written")
    if not ended:
        os._exit(128 + number)  # a thread that does not end would keep the interpreter from ending, too
    raise typer.Exit(128 + number)


def _raise_signalled(number: int, _: FrameType | None) -> None:
    raise _Signalled(number)
