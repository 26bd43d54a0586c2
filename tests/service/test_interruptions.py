"""Something happens to a job while a worker is at it: whenever that is, one truth comes of it and nothing is left."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offtake.appdb import jobs as table
from offtake.appdb.totals import read_totals
from offtake.errors import Conflict, NotFound
from offtake.model.export import ExportRequest
from offtake.model.job import ExportJob, JobState
from offtake.model.ports import Stop
from offtake.service.exports import cancel_export, delete_export, retry_export
from offtake.service.runs import claim_run, run_attempt
from offtake.service.runtime import Runtime
from service.at_work import READER, WatchedSource, WatchedStore, claim, content, find, left, run, submit, turns
from sites import NOW, NUMBERS, make_runtime

# What an attempt of WatchedSource as CSV goes through. It is read ahead, so the order in the middle may vary.
MOMENTS = (
    *("queued", "claimed", "planning", "opening"),
    *("reading", "storing", "reading", "storing", "reading", "storing", "read", "encoded"),
    *("stored", "describing", "described", "committing", "ended"),
)
FORMATS = ("csv", "json", "xlsx", "parquet")


@dataclass
class Watch:
    """Calls `act` at the so-manyth moment of one attempt, wherever that is; remembers the moments."""

    moment: int
    act: Callable[[], object]

    def __post_init__(self) -> None:
        self.passed: list[str] = []
        self._lock = threading.Lock()

    def tick(self, what: str) -> None:
        with self._lock:  # the source is read ahead by a thread of its own
            self.passed.append(what)
            is_now = len(self.passed) == self.moment + 1
        if is_now:
            self.act()


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    """A service whose dataset is asked of its source; one for all examples."""
    dataset = replace(NUMBERS, fields=())
    made = make_runtime(
        tmp_path_factory.mktemp("watched"), {"fake": WatchedSource(batches=lambda _: iter(()))}, dataset
    )
    yield made
    made.appdb.close()


def attempt_with(runtime: Runtime, job: ExportJob, watch: Watch, times: Sequence[datetime] = (NOW,)) -> None:
    """Run the job's latest turn in a process of its own, so to say, with somebody watching every step."""
    worker = threading.current_thread()

    def now() -> datetime:
        if threading.current_thread() is worker:
            watch.tick("committing")
        return times[-1]

    watch.tick("queued")
    attempt = claim_run(runtime, job.id, 0)
    watch.tick("claimed")
    if attempt is not None:
        source = WatchedSource(tick=watch.tick)
        store = WatchedStore(runtime.store, lambda what: what == "deleting" or watch.tick(what))
        run_attempt(replace(runtime, sources={"fake": source}, store=store, resolved={}, now=now), attempt, Stop())
    watch.tick("ended")


def ended(runtime: Runtime) -> float:
    """How many jobs have ended, in whatever way."""
    return sum(read_totals(runtime.appdb).get(state, 0) for state in ("succeeded", "failed", "cancelled"))


def check_store(runtime: Runtime, job: ExportJob) -> None:
    """Of a job that succeeded, the file with its manifest is in the store, and else nothing."""
    artifact = job.artifact
    assert (artifact is not None) is (job.state is JobState.SUCCEEDED)
    assert left(runtime, job) == ([] if artifact is None else [artifact.name, artifact.manifest_name])
    assert artifact is None or len(content(runtime, job)) == artifact.bytes


def test_an_attempt_goes_through_these_moments(runtime: Runtime) -> None:
    watch = Watch(-1, lambda: None)
    job = submit(runtime)
    attempt_with(runtime, job, watch)
    assert sorted(watch.passed) == sorted(MOMENTS)
    assert find(runtime, job).state is JobState.SUCCEEDED


@settings(max_examples=20)
@given(moment=st.integers(0, len(MOMENTS)), format=st.sampled_from(FORMATS))
def test_a_job_cancelled_at_any_moment_is_cancelled_or_has_succeeded(
    runtime: Runtime, moment: int, format: str
) -> None:
    before, cancelled = ended(runtime), []
    job = submit(runtime, request=ExportRequest("numbers", format))

    def cancel() -> None:
        with suppress(Conflict):
            cancelled.append(cancel_export(runtime, READER, job.id))

    attempt_with(runtime, job, Watch(moment, cancel))
    done = find(runtime, job)
    assert done.state is (JobState.CANCELLED if cancelled else JobState.SUCCEEDED)
    assert ended(runtime) == before + 1
    check_store(runtime, done)


@settings(max_examples=15)
@given(moment=st.integers(0, len(MOMENTS)))
def test_a_job_deleted_at_any_moment_leaves_nothing(runtime: Runtime, moment: int) -> None:
    job = submit(runtime)
    watch = Watch(moment, lambda: delete_export(runtime, READER, job.id))
    attempt_with(runtime, job, watch)
    if len(watch.passed) <= moment:
        delete_export(runtime, READER, job.id)
    assert table.find_job(runtime.appdb, job.id) is None
    assert left(runtime, job) == []


@settings(max_examples=15)
@given(moment=st.integers(0, len(MOMENTS)))
def test_a_job_taken_over_at_any_moment_is_committed_once(runtime: Runtime, moment: int) -> None:
    before = ended(runtime)
    job = submit(runtime)

    def take_over() -> None:
        attempt = claim_run(runtime, job.id, 0)
        assert attempt is None or run_attempt(runtime, attempt, Stop())

    attempt_with(runtime, job, Watch(moment, take_over))
    done = find(runtime, job)
    assert done.state is JobState.SUCCEEDED
    assert ended(runtime) == before + 1
    check_store(runtime, done)


@settings(max_examples=15)
@given(moment=st.integers(0, len(MOMENTS)))
def test_a_job_cancelled_and_retried_at_any_moment_succeeds(runtime: Runtime, moment: int) -> None:
    job = submit(runtime)

    def start_over() -> None:
        with suppress(Conflict):
            cancel_export(runtime, READER, job.id)
            retry_export(runtime, READER, job.id)

    attempt_with(runtime, job, Watch(moment, start_over))
    now = find(runtime, job)
    if now.state is JobState.QUEUED:
        assert (now.turn, left(runtime, job)) == (turns(runtime, job)[-1].number, [])
        now = run(runtime, job)
    assert now.state is JobState.SUCCEEDED
    check_store(runtime, now)


@pytest.mark.parametrize("moment", ["planning", "reading", "storing", "described"])
def test_a_worker_that_is_held_up_notices_within_a_second_or_two(runtime: Runtime, moment: str) -> None:
    stop, held = Stop(), threading.Event()
    stop.attach(held.set)
    job = submit(runtime)

    def hold(what: str) -> None:
        if what == moment and not held.is_set():
            cancel_export(runtime, READER, job.id)
            assert held.wait(60), "nobody told the worker"

    attempt = claim(runtime, job)
    source = WatchedSource(tick=hold)
    store = WatchedStore(runtime.store, hold)
    assert not run_attempt(replace(runtime, sources={"fake": source}, store=store, resolved={}), attempt, stop)
    done = find(runtime, job)
    assert done.state is JobState.CANCELLED
    check_store(runtime, done)


@settings(max_examples=12)
@given(moment=st.integers(0, len(MOMENTS)), hours=st.sampled_from((1, -1)))
def test_a_clock_that_jumps_at_any_moment_changes_no_outcome(runtime: Runtime, moment: int, hours: int) -> None:
    times = [NOW]
    jumping = replace(runtime, now=lambda: times[-1])
    job = submit(jumping)
    attempt_with(jumping, job, Watch(moment, lambda: times.append(NOW + timedelta(hours=hours))), times)
    done = find(runtime, job)
    assert (done.state, done.attempt, done.due_at) == (JobState.SUCCEEDED, 1, NOW)
    assert done.finished_at in (NOW, times[-1])
    assert done.percent == 100.0
    check_store(runtime, done)


def test_what_never_was_a_job_cannot_be_run(runtime: Runtime) -> None:
    job = submit(runtime)
    delete_export(runtime, READER, job.id)
    assert claim_run(runtime, job.id, 0) is None
    with pytest.raises(NotFound):
        cancel_export(runtime, READER, job.id)
