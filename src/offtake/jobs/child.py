"""What a child process does: one job after the other, as its parent tells it."""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from offtake.errors import Unavailable
from offtake.model.job import ExportJob
from offtake.model.ports import Stop
from offtake.service.runs import BrokenAttempt, find_run, run_attempt
from offtake.service.runtime import Runtime

AGAIN_S = 0.5  # between two tries to reach an app database that does not answer


def serve_child(
    runtime: Runtime,
    orders: Iterable[Mapping[str, Any]],
    say: Callable[[Mapping[str, Any]], None],
    leave: Stop,
    tell_bug: Callable[[BaseException], None],
) -> None:
    """Say `ready`, then run each attempt that is ordered and say `done`, until orders end or `leave` is set.

    A job that runs when `leave` is set breaks off, and nothing is said any more: its attempt is not settled.
    """
    say({"ready": True})
    for order in orders:
        is_clean = _run(runtime, order["job"], order["attempt"], leave, tell_bug)
        if leave.is_set:
            return
        say({"done": order["job"], "clean": is_clean})


def _run(runtime: Runtime, job_id: str, attempt: int, leave: Stop, tell_bug: Callable[[BaseException], None]) -> bool:
    """Run one attempt; whether this process is as good as before."""
    stop = Stop()
    detach = leave.attach(stop.set)
    try:
        job = _find(runtime, job_id, attempt, stop)
        if job is not None:
            run_attempt(runtime, job, stop)
    except BrokenAttempt as error:
        tell_bug(error.__cause__ or error)
        return False
    except Unavailable:
        return False
    finally:
        detach()
    return True


def _find(runtime: Runtime, job_id: str, attempt: int, stop: Stop) -> ExportJob | None:
    """The job, as soon as the app database answers; None if that attempt no longer counts, or nobody waits for it."""
    while not stop.is_set:
        try:
            return find_run(runtime, job_id, attempt)
        except Unavailable:
            time.sleep(AGAIN_S)
    return None
