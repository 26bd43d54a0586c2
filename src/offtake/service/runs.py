"""One attempt of one job, from claim to commit: what a worker does."""

import random
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace

from offtake.appdb import jobs as table
from offtake.engine.manifest import manifest_bytes
from offtake.errors import AttemptFailed, Cancelled, OfftakeError, StoreFailed, StoreFull, Unavailable
from offtake.model.job import Artifact, ExportJob, JobError, JobState, Progress
from offtake.model.ports import Stop, Turn
from offtake.service.access import present_principal
from offtake.service.datasets import plan_request
from offtake.service.downloads import deadline, open_file
from offtake.service.meter import Meter
from offtake.service.retention import expires_at
from offtake.service.runtime import Runtime
from offtake.service.spans import traced
from offtake.service.trail import following

BEAT_S = 1.0
COUNT_AFTER_S, COUNT_FOR_S = 1.0, 10.0  # only what takes longer than a moment is worth counting
LONGEST_BACKOFF_S = 60.0
MOST_LOSSES = 20  # lost machines are forgiven, but not for ever: a job may be what loses them


def claim_run(runtime: Runtime, job_id: str, turn: int) -> ExportJob | None:
    """The job with its next attempt begun; None if there is nothing to run any more, or another turn will."""
    job = table.claim_job(runtime.appdb, job_id, turn, runtime.now())
    if job is None:
        return None
    # Every turn but the first follows an attempt that was settled: the others were lost.
    if job.attempt - job.turn > MOST_LOSSES:
        settle_failure(runtime, job, AttemptFailed("Every machine that ran this export was lost."), final=True)
        return None
    return job


def still_counts(runtime: Runtime, job: ExportJob) -> bool:
    """Whether this attempt is the one that counts: not cancelled, not deleted, not taken over."""
    return find_run(runtime, job.id, job.attempt) is not None


def find_run(runtime: Runtime, job_id: str, attempt: int) -> ExportJob | None:
    """The job, if that attempt is the one that counts."""
    job = table.find_job(runtime.appdb, job_id)
    return job if job is not None and (job.attempt, job.state) == (attempt, JobState.RUNNING) else None


def hand_on(runtime: Runtime, job: ExportJob) -> None:
    """Put the job back into the queue, for another worker or the next start: its attempt was cut short, not failed.

    Does nothing if the attempt no longer counts.
    """
    turn = Turn(job.id, job.turn + 1, job.tenant, job.priority)
    table.hand_on_job(runtime.appdb, job, lambda connection: runtime.queue.enqueue(connection, turn))


def run_attempt(runtime: Runtime, job: ExportJob, stop: Stop) -> bool:
    """Write the file and commit it; False if the attempt was stopped because it no longer counts.

    Whatever went wrong is settled: the job is put back into the queue or has failed, and nothing of the attempt is
    left in the store. Waits for the app database as long as that takes. Raises only BrokenAttempt.
    """
    meter = Meter()
    try:
        with (
            traced("job", meter, job=job.id, dataset=job.request.dataset, format=job.request.format),
            deadline(runtime.job_limits.duration_s, stop, "export"),
            _telling(runtime, job, meter, stop),
        ):
            return _write(runtime, job, meter, stop)
    except Cancelled:
        return False
    except OfftakeError as error:
        settle_failure(runtime, job, error)
    except MemoryError:
        settle_failure(runtime, job, AttemptFailed("The export needed more memory than there is."))
    except Exception as error:
        settle_failure(runtime, job, OfftakeError("Something went wrong on our side."), final=True)
        raise BrokenAttempt from error
    return False


class BrokenAttempt(Exception):
    """A bug ended the attempt, which is settled already; its cause is for the log."""


def _write(runtime: Runtime, job: ExportJob, meter: Meter, stop: Stop) -> bool:
    # Relative dates and the file's name mean the instant the job was due, however late it runs.
    then = replace(runtime, now=lambda: job.as_of)
    began = time.perf_counter()
    owner = present_principal(runtime, job.owner)
    with following() as trail:
        download = open_file(then, owner, job.request, stop=stop, on_rows=meter.count_rows, with_manifest=True)
    meter.add("plan", time.perf_counter() - began)
    name = f"{job.id}/{job.attempt}-{secrets.token_hex(8)}"
    artifact = Artifact(name, download.filename, download.media_type, 0, "")
    keep = False
    try:
        with meter.delivering():
            with closing(meter.watch(download.chunks)) as chunks:
                size = runtime.store.write(name, chunks, filename=artifact.filename, media_type=artifact.media_type)
            assert download.manifest is not None
            manifest = download.manifest(download.filename)
            artifact = replace(artifact, bytes=size, sha256=manifest.sha256)
            runtime.store.write_once(artifact.manifest_name, manifest_bytes(manifest))
        stop.check()
        keep = True  # from here on only the job's row knows: whatever ends this thread now must not delete its file
        keep = _commit(runtime, job, artifact, manifest.rows, meter, trail.filter)
    finally:
        if not keep:
            with suppress(StoreFailed, StoreFull):  # the sweep will find it
                runtime.store.delete([artifact.name, artifact.manifest_name])
    return keep


def _commit(runtime: Runtime, job: ExportJob, artifact: Artifact, rows: int, meter: Meter, filter: str | None) -> bool:
    """The conditional update of the job's row, and nothing else, is the commit.

    A connection that broke in the middle of it says nothing about whether it happened, so the row is asked.
    """
    while True:
        now = runtime.now()
        expiry = expires_at(runtime, job, now)
        try:
            return table.commit_job(
                runtime.appdb,
                job,
                artifact,
                rows=rows,
                stages=meter.stages,
                now=now,
                expires_at=expiry,
                filter=filter,
                queue=runtime.queue,
            ) or _is_committed(runtime, job, artifact)
        except Unavailable:
            time.sleep(BEAT_S)


def _is_committed(runtime: Runtime, job: ExportJob, artifact: Artifact) -> bool:
    found = table.find_job(runtime.appdb, job.id)
    return found is not None and found.artifact is not None and found.artifact.name == artifact.name


def settle_failure(runtime: Runtime, job: ExportJob, error: OfftakeError, *, final: bool = False) -> None:
    """Put the job back into the queue after a pause if trying again can help; else it has failed.

    Does nothing if the attempt no longer counts. Waits for the app database as long as that takes.
    """
    told = JobError(error.code, error.detail, error.hint, error.retryable)
    again = error.retryable and not final and job.failures + 1 < runtime.job_limits.attempts
    pause_s = min(2.0**job.failures, LONGEST_BACKOFF_S) * random.uniform(0.75, 1.25)  # noqa: S311
    turn = Turn(job.id, job.turn + 1, job.tenant, job.priority, pause_s)
    while True:
        now = runtime.now()
        try:
            if again:
                table.repeat_job(runtime.appdb, job, told, lambda c: runtime.queue.enqueue(c, turn))
            else:
                table.fail_job(runtime.appdb, job, told, now, expires_at(runtime, job, now), runtime.queue)
            return
        except Unavailable:
            time.sleep(BEAT_S)


@contextmanager
def _telling(runtime: Runtime, job: ExportJob, meter: Meter, stop: Stop) -> Iterator[None]:
    """Once a second, write down how far the attempt has come; set the stop when it no longer counts."""
    over = threading.Event()
    teller = threading.Thread(target=_tell, args=(runtime, job, meter, stop, over), name="teller", daemon=True)
    counter = threading.Thread(target=_count_total, args=(runtime, job, meter, over), name="counter", daemon=True)
    teller.start()
    counter.start()
    try:
        yield
    finally:
        over.set()
        teller.join()
        counter.join()


def _tell(runtime: Runtime, job: ExportJob, meter: Meter, stop: Stop, over: threading.Event) -> None:
    while not over.wait(BEAT_S):
        progress = Progress(meter.rows, meter.size, meter.total)
        with suppress(Unavailable):
            if not table.beat_job(runtime.appdb, job, progress, runtime.now()) and not over.is_set():
                stop.set()
                return


def _count_total(runtime: Runtime, job: ExportJob, meter: Meter, over: threading.Event) -> None:
    """Find out how many rows there will be, if the database can say so in a few seconds."""
    if over.wait(COUNT_AFTER_S):
        return
    stop = Stop()

    def end() -> None:
        over.wait(COUNT_FOR_S)
        stop.set()

    threading.Thread(target=end, daemon=True).start()
    try:
        then = replace(runtime, now=lambda: job.as_of)
        source, plan = plan_request(then, job.owner, job.request)
        if plan.expansion is None:
            matched = source.count(plan, stop)
            meter.total = matched if plan.limit is None else min(matched, plan.limit)
    except OfftakeError:
        return  # nobody needs to know the total
