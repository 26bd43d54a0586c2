"""One turn of one job: claim it, have a child run it, watch both, and see that the job's row says how it went."""

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from offtake.appdb.jobs import find_job
from offtake.errors import AttemptFailed, OfftakeError, Unavailable
from offtake.jobs.children import Child, Children
from offtake.model.job import ExportJob, JobState
from offtake.service.runs import claim_run, hand_on, settle_failure, still_counts
from offtake.service.runtime import Runtime

WATCH_S = 0.25
AGAIN_S = 0.5  # between two tries to reach an app database that does not answer

T = TypeVar("T")


@dataclass(frozen=True)
class _Outcome:
    """How the child's work ended: `failure` is still to be settled, and so is `hands_on`; else the row says it."""

    is_clean: bool = False
    failure: AttemptFailed | None = None
    hands_on: bool = False

    @property
    def word(self) -> str:
        """For the log."""
        return "handed on" if self.hands_on else "died" if self.failure else "settled"


def run_turn(
    runtime: Runtime, children: Children, log: Any, leaving: threading.Event, job_id: str, number: int
) -> None:
    """Run the job's next attempt, if this turn is still the one that may.

    Returns when the job's row says how it went, however long the app database takes to answer. Once `leaving` is set,
    the child is ended and the job goes back into the queue.
    """
    child = children.take(leaving)
    try:
        job = _patiently(lambda: claim_run(runtime, job_id, number))
    except BaseException:
        if child is not None:
            children.give_back(child, is_clean=False)
        raise
    if job is None or child is None:
        if child is not None:
            children.give_back(child, is_clean=True)
        if job is not None:
            _hand_on(runtime, job)
        return
    log.info("attempt began", job=job.id, attempt=job.attempt, child=child.pid)
    outcome = _Outcome()
    try:
        outcome = _watch(runtime, child, job, leaving)
    except Exception:
        settle_failure(runtime, job, OfftakeError("Something went wrong on our side."), final=True)
        raise
    finally:
        children.give_back(child, is_clean=outcome.is_clean)
    log.info("attempt ended", job=job.id, attempt=job.attempt, child=child.pid, outcome=outcome.word)
    _settle(runtime, job, outcome)


def _settle(runtime: Runtime, job: ExportJob, outcome: _Outcome) -> None:
    if outcome.hands_on:
        _hand_on(runtime, job)
    elif outcome.failure is not None:
        settle_failure(runtime, job, outcome.failure)
    else:
        _count_for_day(runtime, job)


def _hand_on(runtime: Runtime, job: ExportJob) -> None:
    _patiently(lambda: hand_on(runtime, job))


def _watch(runtime: Runtime, child: Child, job: ExportJob, leaving: threading.Event) -> _Outcome:
    """Have the child run the attempt until it is done, dies, or must be ended (which is for the caller to do)."""
    most_mb = runtime.job_limits.memory_mb or math.inf
    child.tell({"job": job.id, "attempt": job.attempt})
    while True:
        try:
            answer = child.listen(WATCH_S)
        except EOFError:
            return _Outcome(hands_on=True) if child.was_ended else _died(f"The export's process {child.why()}.")
        memory_mb = child.memory_mb()
        if answer is not None:
            return _done(runtime, job, is_clean=answer["clean"] and memory_mb < most_mb / 2)
        if leaving.is_set():
            return _Outcome(hands_on=True)
        if memory_mb > most_mb:
            return _died(f"The export needed more than {most_mb} MB of memory.")
        if not _counts(runtime, job):
            return _Outcome()


def _died(detail: str) -> _Outcome:
    return _Outcome(failure=AttemptFailed(detail, hint="Ask for fewer rows or fields, or give jobs more memory."))


def _done(runtime: Runtime, job: ExportJob, *, is_clean: bool) -> _Outcome:
    """A child that is done has settled its attempt, unless the app database did not let it."""
    if _patiently(lambda: still_counts(runtime, job)):
        return _died("The export's process could not tell how it went.")
    return _Outcome(is_clean)


def _counts(runtime: Runtime, job: ExportJob) -> bool:
    """Whether to go on: while the app database does not answer, nobody has said otherwise."""
    try:
        return still_counts(runtime, job)
    except Unavailable:
        return True


def _count_for_day(runtime: Runtime, job: ExportJob) -> None:
    """Add what a finished job came to to its tenant's day."""
    ended = _patiently(lambda: find_job(runtime.appdb, job.id))
    if ended is not None and ended.state is JobState.SUCCEEDED and ended.attempt == job.attempt:
        runtime.counters.count_rows(ended.owner, ended.rows)
        runtime.counters.count_bytes(ended.owner, ended.bytes)


def _patiently(ask: Callable[[], T]) -> T:
    """What it gives, as soon as the app database answers."""
    while True:
        try:
            return ask()
        except Unavailable:
            time.sleep(AGAIN_S)
