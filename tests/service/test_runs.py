"""One attempt of a job, from claim to commit: what it leaves, and what is left of it when it fails."""

import hashlib
import threading
import time
from collections.abc import Generator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from offtake.appdb.totals import read_totals
from offtake.errors import OfftakeError, SourceFailed, StoreFailed, StoreFull
from offtake.model.dataset import Field, FieldType
from offtake.model.export import DateRange, ExportRequest, FieldChoice
from offtake.model.job import JobLimits, JobState, Retention
from offtake.model.ports import Stop
from offtake.query.shown import filter_json
from offtake.service.access import authenticate, list_keys, local_principal, revoke_key
from offtake.service.exports import retry_export
from offtake.service.runs import MOST_LOSSES, BrokenAttempt, claim_run, run_attempt, settle_failure, still_counts
from offtake.service.runtime import Runtime
from offtake.service.sweep import sweep
from service.at_work import (
    READER,
    WISH,
    NotedSource,
    WatchedStore,
    at,
    claim,
    content,
    find,
    left,
    run,
    submit,
    turns,
)
from sites import (
    NOW,
    NUMBERS,
    Batches,
    FakeSource,
    batch,
    failing_after,
    few,
    make_key,
    make_runtime,
    silent,
    wait_until,
)

AT = Field("at", FieldType.DATETIME, "at", "At")
DATED = replace(NUMBERS, name="dated", fields=(*NUMBERS.fields, AT), date_field="at")


def service(home: Path, batches: Batches = few, **given: Any) -> Runtime:
    """A service over those batches; turns are only listed."""
    return make_runtime(home, {"fake": FakeSource(batches)}, **given)


def test_a_job_ends_with_its_file_and_manifest_in_the_store(tmp_path: Path) -> None:
    runtime = service(tmp_path)
    job = run(runtime, submit(runtime))
    assert (job.state, job.rows, job.total, job.percent, job.error) == (JobState.SUCCEEDED, 3, 3, 100.0, None)
    assert content(runtime, job) == b"n,text\n0,row\n1,row\n2,row\n"
    assert job.artifact is not None
    assert job.artifact.sha256 == hashlib.sha256(content(runtime, job)).hexdigest()
    assert job.artifact.bytes == job.bytes == len(content(runtime, job))
    assert left(runtime, job) == [job.artifact.name, job.artifact.manifest_name]
    assert job.artifact.name.startswith(f"{job.id}/1-")
    assert "acme" not in job.artifact.name
    assert set(job.stages) == {"plan", "read", "encode", "deliver"}
    assert min(job.stages.values()) >= 0


def test_what_succeeded_is_counted_once(tmp_path: Path) -> None:
    runtime = service(tmp_path)
    done = run(runtime, submit(runtime))
    totals = dict(read_totals(runtime.appdb))
    assert {name: totals[name] for name in ("succeeded", "rows", "bytes")} == {
        "succeeded": 1,
        "rows": 3,
        "bytes": done.bytes,
    }
    assert {name for name in totals if name.startswith("seconds.")} == {f"seconds.{stage}" for stage in done.stages}


def test_a_failure_that_may_pass_is_tried_again_after_a_pause_that_grows(tmp_path: Path) -> None:
    runtime = service(tmp_path, failing_after(2500), job_limits=JobLimits(attempts=3))
    job = submit(runtime)
    for failures in (1, 2):
        failed = run(runtime, job)
        assert (failed.state, failed.failures, failed.attempt) == (JobState.QUEUED, failures, failures)
        assert failed.error is not None
        assert (failed.error.code, failed.error.retryable, failed.error.hint) == ("SOURCE_FAILED", True, "Try again.")
        turn = turns(runtime, job)[-1]
        assert turn.number == failures
        assert 0.75 * 2 ** (failures - 1) <= turn.delay_s <= 1.25 * 2 ** (failures - 1)
        assert left(runtime, job) == []
    failed = run(runtime, job)
    assert (failed.state, failed.failures, len(turns(runtime, job))) == (JobState.FAILED, 3, 3)
    assert failed.finished_at == NOW
    assert read_totals(runtime.appdb) == {"failed": 1}


def test_a_job_tried_again_succeeds(tmp_path: Path) -> None:
    source = FakeSource(failing_after(2500))
    runtime = make_runtime(tmp_path, {"fake": source})
    job = submit(runtime)
    run(runtime, job)
    source.batches = few
    done = run(runtime, job)
    assert (done.state, done.attempt, done.failures, done.error) == (JobState.SUCCEEDED, 2, 1, None)
    assert len(left(runtime, job)) == 2


def test_a_failure_that_stays_ends_the_job_at_once(tmp_path: Path) -> None:
    runtime = service(tmp_path)
    job = submit(runtime)
    gone = run(replace(runtime, datasets={}), job)
    assert (gone.state, gone.failures) == (JobState.FAILED, 1)
    assert gone.error is not None
    assert (gone.error.code, gone.error.retryable) == ("NOT_FOUND", False)
    assert len(turns(runtime, job)) == 1


def test_a_job_without_rows_fails_at_once_where_they_make_no_file(tmp_path: Path) -> None:
    runtime = service(tmp_path, lambda _: (batch(0, 0) for _ in range(1)))
    assert run(runtime, submit(runtime)).state is JobState.SUCCEEDED
    job = run(runtime, submit(runtime, request=replace(WISH, allow_empty=False)))
    assert job.error is not None
    assert (job.state, job.error.code, left(runtime, job)) == (JobState.FAILED, "NO_ROWS", [])
    assert len(turns(runtime, job)) == 1


def test_a_failed_job_is_kept_as_long_as_a_file_would_be(tmp_path: Path) -> None:
    runtime = replace(service(tmp_path), retention=Retention(days=2))
    failed = run(replace(runtime, datasets={}), submit(runtime))
    assert failed.expires_at == NOW + timedelta(days=2)


def test_a_bug_fails_the_job_without_telling_what_it_was(tmp_path: Path) -> None:
    def broken(_: Stop) -> Generator[pa.RecordBatch, None, None]:
        yield batch(0, 2000)
        raise ValueError("s3cret value")

    runtime = service(tmp_path, broken)
    job = submit(runtime)
    with pytest.raises(BrokenAttempt) as caught:
        run(runtime, job)
    assert isinstance(caught.value.__cause__, ValueError)
    failed = find(runtime, job)
    assert failed.state is JobState.FAILED
    assert failed.error is not None
    assert failed.error.code == "INTERNAL"
    assert "s3cret" not in repr(failed.error)
    assert left(runtime, job) == []


def test_no_memory_left_is_a_failure_that_may_pass(tmp_path: Path) -> None:
    def greedy(_: Stop) -> Generator[pa.RecordBatch, None, None]:
        yield batch(0, 2000)
        raise MemoryError

    runtime = service(tmp_path, greedy)
    failed = run(runtime, submit(runtime))
    assert (failed.state, failed.error and failed.error.code) == (JobState.QUEUED, "ATTEMPT_FAILED")


def test_a_job_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    runtime = service(tmp_path, silent, job_limits=JobLimits(duration_s=1, attempts=1))
    failed = run(runtime, submit(runtime))
    assert (failed.state, failed.error and failed.error.code) == (JobState.FAILED, "SOURCE_TIMEOUT")


@pytest.mark.parametrize("moment", ["opening", "storing", "encoded", "stored", "describing", "described"])
@pytest.mark.parametrize("error", [StoreFull("No room."), StoreFailed("Broke off.")])
def test_a_store_that_fails_is_left_empty_and_asked_again(tmp_path: Path, moment: str, error: OfftakeError) -> None:
    def fail(what: str) -> None:
        if what == moment:
            raise error

    runtime = service(tmp_path)
    job = submit(runtime)
    failed = run(replace(runtime, store=WatchedStore(runtime.store, fail)), job)
    assert (failed.state, failed.error and failed.error.code) == (JobState.QUEUED, error.code)
    assert left(runtime, job) == []
    assert run(runtime, job).state is JobState.SUCCEEDED


def test_what_a_store_that_fails_could_not_delete_the_sweep_deletes(tmp_path: Path) -> None:
    def fail(what: str) -> None:
        if what in ("described", "deleting"):
            raise StoreFailed("Broke off.")

    runtime = service(tmp_path, now=lambda: datetime.now(UTC))
    job = submit(runtime)
    failed = run(replace(runtime, store=WatchedStore(runtime.store, fail)), job)
    assert failed.error is not None
    assert failed.error.code == "STORE_FAILED"
    done = run(runtime, job)
    assert len(left(runtime, job)) == 4
    assert sweep(runtime, grace=timedelta()).orphans == 2
    assert done.artifact is not None
    assert left(runtime, job) == [done.artifact.name, done.artifact.manifest_name]


def test_a_store_that_fails_ends_the_read(tmp_path: Path) -> None:
    source = FakeSource(lambda stop: (batch(first, 1000) for first in range(0, 10**9, 1000)))
    runtime = make_runtime(tmp_path, {"fake": source})

    def fail(what: str) -> None:
        if what == "storing":
            raise StoreFull("No room.")

    run(replace(runtime, store=WatchedStore(runtime.store, fail)), submit(runtime))
    assert source.closed.is_set()


def test_the_key_that_asked_must_still_be_good(tmp_path: Path) -> None:
    runtime = service(tmp_path)
    owner = authenticate(runtime, make_key(runtime))
    job = submit(runtime, owner)
    admin = local_principal(runtime, None)
    revoke_key(runtime, admin, list_keys(runtime, admin)[0].id)
    failed = run(runtime, job)
    assert (failed.state, failed.error and failed.error.code) == (JobState.FAILED, "FORBIDDEN")
    assert left(runtime, job) == []


def test_the_rights_that_count_are_those_when_it_runs(tmp_path: Path) -> None:
    runtime = service(tmp_path)
    owner = authenticate(runtime, make_key(runtime))
    job = submit(runtime, owner)
    closed = replace(NUMBERS, scopes=frozenset({"pii:read"}))
    failed = run(replace(runtime, datasets={"numbers": closed}, resolved={}), job)
    assert (failed.state, failed.error and failed.error.code) == (JobState.FAILED, "INSUFFICIENT_SCOPE")


def test_relative_dates_and_names_mean_the_time_the_job_was_due(tmp_path: Path) -> None:
    source = NotedSource()
    runtime = make_runtime(tmp_path, {"fake": source}, DATED)
    fields, today = (FieldChoice("n"),), DateRange("today", "today")
    wish = ExportRequest("dated", fields=fields, date_range=today, filename="{datetime}")
    due = NOW + timedelta(days=3)
    done = run(at(runtime, due + timedelta(days=2)), submit(runtime, request=wish, start_at=due))
    assert done.artifact is not None
    assert done.artifact.filename == "2026-05-20T12-30-00.csv"
    assert source.plans[0].planned_at == due
    where = source.plans[0].where
    assert where is not None
    assert "2026-05-20" in str(filter_json(where))


def test_an_attempt_writes_down_how_far_it_is(tmp_path: Path) -> None:
    going = threading.Event()

    def halfway(_: Stop) -> Generator[pa.RecordBatch, None, None]:
        yield batch(0, 5000)
        yield batch(5000, 5000)
        going.wait(60)
        yield batch(10_000, 10_000)

    source = FakeSource(halfway, matched=20_000)
    runtime = make_runtime(tmp_path, {"fake": source})
    job = submit(runtime)
    worker = threading.Thread(target=run, args=(runtime, job))
    worker.start()
    wait_until(lambda: find(runtime, job).total is not None and find(runtime, job).rows > 0)
    seen = find(runtime, job)
    going.set()
    worker.join(60)
    assert (seen.state, seen.total, seen.percent) == (JobState.RUNNING, 20_000, seen.rows / 200)
    assert 0 < seen.rows <= 10_000
    assert seen.eta_s(NOW + timedelta(seconds=10)) == (20_000 - seen.rows) * 10 / seen.rows
    done = find(runtime, job)
    assert (done.rows, done.total, done.percent) == (20_000, 20_000, 100.0)


def test_a_source_that_cannot_count_runs_without_a_total(tmp_path: Path) -> None:
    class Uncounted(FakeSource):
        def count(self, plan: Any, stop: Stop) -> int:
            raise SourceFailed("No.")

    source = Uncounted(slow_rows)
    runtime = make_runtime(tmp_path, {"fake": source})
    assert run(runtime, submit(runtime)).state is JobState.SUCCEEDED


def slow_rows(_: Stop) -> Generator[pa.RecordBatch, None, None]:
    """Rows for somewhat longer than it takes until they are counted."""
    yield batch(0, 10)
    time.sleep(1.3)
    yield batch(10, 10)


def test_of_two_workers_on_one_job_the_later_one_commits(tmp_path: Path) -> None:
    runtime = service(tmp_path)
    job = submit(runtime)
    former, latter = claim(runtime, job), claim(runtime, job)
    assert (still_counts(runtime, former), still_counts(runtime, latter)) == (False, True)
    assert run_attempt(runtime, latter, Stop())
    assert not run_attempt(runtime, former, Stop())
    done = find(runtime, job)
    assert done.attempt == latter.attempt
    assert done.artifact is not None
    assert left(runtime, job) == [done.artifact.name, done.artifact.manifest_name]
    assert read_totals(runtime.appdb)["succeeded"] == 1


def test_a_former_attempt_that_fails_changes_nothing(tmp_path: Path) -> None:
    runtime = service(tmp_path)
    job = submit(runtime)
    former, latter = claim(runtime, job), claim(runtime, job)
    settle_failure(runtime, former, SourceFailed("Broke off."))
    assert find(runtime, job) == latter
    assert len(turns(runtime, job)) == 1


def test_a_job_that_loses_every_machine_fails_until_somebody_retries_it(tmp_path: Path) -> None:
    runtime = service(tmp_path)
    job = submit(runtime)
    for _ in range(MOST_LOSSES):
        claim(runtime, job)
    assert claim_run(runtime, job.id, 0) is None
    failed = find(runtime, job)
    assert (failed.state, failed.error and failed.error.code) == (JobState.FAILED, "ATTEMPT_FAILED")
    retry_export(runtime, READER, job.id)
    assert run(runtime, job).state is JobState.SUCCEEDED


@pytest.mark.parametrize(
    "format", ["csv", "json", "ndjson", "xlsx", "xml", "parquet", "arrow", "pdf", "jsonapi", "tsv"]
)
def test_every_format_can_be_a_job(tmp_path: Path, format: str) -> None:
    runtime = service(tmp_path)
    done = run(runtime, submit(runtime, request=replace(WISH, format=format, compression="gzip")))
    assert done.artifact is not None
    assert (done.state, done.artifact.media_type) == (JobState.SUCCEEDED, "application/gzip")
    assert done.artifact.filename.endswith(".gz")
