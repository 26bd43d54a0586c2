"""What a child process does: one job after the other, as its parent tells it."""

import ctypes
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from offtake.errors import Unavailable
from offtake.model.job import ExportJob
from offtake.model.ports import Stop
from offtake.service.runs import BrokenAttempt, find_run, run_attempt
from offtake.service.runtime import Runtime

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
AGAIN_S = 0.5  # between two tries to reach an app database that does not answer
SOONER = "500"  # of 1000, in oom_score_adj: when memory runs out, a job goes before the service


def die_with(parent: int) -> None:
    """Be killed when the thread that started this process ends (Linux); exits at once if that was before."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        with suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text(SOONER, "ascii")
    if os.getppid() != parent:
        os._exit(1)


def serve_child(
    runtime: Runtime,
    lines: Iterable[str],
    say: Callable[[str], None],
    leave: Stop,
    tell_bug: Callable[[BaseException], None],
) -> None:
    """Say `ready`, then run each attempt that a line names and say `done`, until the lines end or `leave` is set.

    A job that runs when `leave` is set breaks off, and nothing is said any more: its attempt is not settled.
    """
    say(json.dumps({"ready": True}))
    for line in lines:
        order = json.loads(line)
        is_clean = _run(runtime, order["job"], order["attempt"], leave, tell_bug)
        if leave.is_set:
            return
        say(json.dumps({"done": order["job"], "clean": is_clean}))


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
