"""Export jobs as the app database keeps them. Every move is one conditional update: whoever gets the row has won."""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict
from datetime import datetime
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa

from offtake.appdb.audit import write_job_end
from offtake.appdb.database import AppDb
from offtake.appdb.deliveries import insert_job_deliveries
from offtake.appdb.followers import insert_follower
from offtake.appdb.idempotency import Once, claim_key, forget_keys
from offtake.appdb.job_rows import hash_request, read_job, wish_row, write_job
from offtake.appdb.newest import newest
from offtake.appdb.principals import write_principal
from offtake.appdb.tables import JOBS
from offtake.appdb.totals import add_totals
from offtake.errors import Conflict
from offtake.model.export import ExportRequest
from offtake.model.job import Artifact, ExportJob, JobError, JobState, Progress, states_before
from offtake.model.ports import Queue

# What puts a turn of the job into the queue, in the transaction of that connection.
Enqueue = Callable[[Any], None]


def insert_job(db: AppDb, job: ExportJob, enqueue: Enqueue, once: Once | None = None) -> str | None:
    """Remember a new job and put it into the queue, both or neither.

    Under a key that was used before nothing is done, and the id of the job made then is given. Raises
    IdempotencyMismatch if that was made with another body, Conflict if the dialect has a job of that external id.
    """
    with db.write() as connection:
        made_before = None if once is None else claim_key(connection, once, job.id)
        if made_before is None:
            _insert(connection, job)
            enqueue(connection)
    return made_before


def _insert(connection: sa.Connection, job: ExportJob) -> None:
    try:
        connection.execute(JOBS.insert().values(**write_job(job)))
    except sa.exc.IntegrityError as error:
        raise Conflict("There is an export of that id already.", hint="Choose another id.") from error


def share_job(db: AppDb, job_id: str, once: Once) -> str:
    """Take the key for a job that is there already; the id of the job that it stands for, which may be another.

    Raises IdempotencyMismatch.
    """
    with db.write() as connection:
        return claim_key(connection, once, job_id) or job_id


def find_alike(db: AppDb, owner_id: str, request: ExportRequest, due_at: datetime) -> ExportJob | None:
    """A job of that principal with the very same request, due by then, that has not ended; the oldest of them."""
    alike = sa.and_(JOBS.c.owner_id == owner_id, JOBS.c.request_hash == hash_request(request), JOBS.c.due_at <= due_at)
    going = JOBS.c.state.in_([state for state in JobState if not state.is_final])
    with db.read() as connection:
        row = connection.execute(sa.select(JOBS).where(alike, going).order_by(JOBS.c.id).limit(1)).one_or_none()
    return None if row is None else read_job(row)


def find_job(db: AppDb, id_: str) -> ExportJob | None:
    """The job of that id."""
    with db.read() as connection:
        row = connection.execute(sa.select(JOBS).where(JOBS.c.id == id_)).one_or_none()
    return None if row is None else read_job(row)


def find_jobs(db: AppDb, ids: Collection[str]) -> Mapping[str, ExportJob]:
    """Those of the jobs that there are, by id."""
    with db.read() as connection:
        return {row.id: read_job(row) for row in connection.execute(sa.select(JOBS).where(JOBS.c.id.in_(ids)))}


def list_jobs(
    db: AppDb,
    now: datetime,
    *,
    tenant: str | None = None,
    state: JobState | None = None,
    dataset: str | None = None,
    definition_id: str | None = None,
    before: str | None = None,
    limit: int = 50,
) -> tuple[ExportJob, ...]:
    """Jobs with the newest first (ids grow with time); `before` is the id of the last one already seen."""
    wanted = {JOBS.c.tenant: tenant, JOBS.c.dataset: dataset, JOBS.c.definition_id: definition_id}
    query = newest(JOBS.c.id, wanted, before=before, limit=limit)
    query = query if state is None else query.where(_shown_as(state, now))
    with db.read() as connection:
        return tuple(read_job(row) for row in connection.execute(query))


def _shown_as(state: JobState, now: datetime) -> sa.ColumnElement[bool]:
    """As `ExportJob.state_at` has it."""
    waiting = JOBS.c.state == JobState.SCHEDULED
    if state is JobState.SCHEDULED:
        return sa.and_(waiting, JOBS.c.due_at > now)
    if state is JobState.QUEUED:
        return sa.or_(JOBS.c.state == JobState.QUEUED, sa.and_(waiting, JOBS.c.due_at <= now))
    return JOBS.c.state == state


def claim_job(db: AppDb, id_: str, turn: int, now: datetime) -> ExportJob | None:
    """Begin the next attempt, if the job still waits for one or its last one lost its machine; None otherwise.

    None too for any but the job's latest turn: that of a job cancelled in the queue and retried is still in there.
    """
    # A running job is claimed again only by a recovered turn: its former worker is known to be dead.
    may = states_before(JobState.RUNNING) | {JobState.RUNNING}
    return _change(
        db,
        sa.and_(JOBS.c.id == id_, JOBS.c.turn == turn, JOBS.c.state.in_(may)),
        state=JobState.RUNNING,
        attempt=JOBS.c.attempt + 1,
        started_at=now,
        beat_at=now,
        finished_at=None,
        rows=0,
        bytes=0,
        total=None,
        stages=None,
    )


def beat_job(db: AppDb, job: ExportJob, progress: Progress, now: datetime) -> bool:
    """Write down how far the attempt has come; False if it is no longer the one that counts, and must stop."""
    known = {} if progress.total is None else {"total": progress.total}
    return _change(db, _running(job), beat_at=now, rows=progress.rows, bytes=progress.bytes, **known) is not None


def commit_job(
    db: AppDb,
    job: ExportJob,
    artifact: Artifact,
    *,
    rows: int,
    stages: Mapping[str, float],
    now: datetime,
    expires_at: datetime | None,
    filter: str | None = None,
    queue: Queue | None = None,
) -> bool:
    """The commit of an artifact: True for exactly one attempt of a job, and never after it was cancelled.

    `filter` is the one that was evaluated, on one line, for the audit. Whatever ends a job puts the next of its series
    into that queue; without one the series ends with it.
    """
    done = _end(
        db,
        _running(job),
        JobState.SUCCEEDED,
        now,
        {"rows": rows, "bytes": artifact.bytes, **{f"seconds.{stage}": value for stage, value in stages.items()}},
        filter,
        queue,
        artifact=json.dumps(asdict(artifact)),
        rows=rows,
        bytes=artifact.bytes,
        total=rows,
        stages=json.dumps(dict(stages)),
        error=None,
        beat_at=now,
        expires_at=expires_at,
    )
    return done is not None


def repeat_job(db: AppDb, job: ExportJob, error: JobError, enqueue: Enqueue) -> bool:
    """Put the failed attempt's job back into the queue; False if the attempt no longer counts."""
    return _requeue(db, _running(job), enqueue, turn=JOBS.c.turn + 1, **_failed(error)) is not None


def hand_on_job(db: AppDb, job: ExportJob, enqueue: Enqueue) -> bool:
    """Put a job whose worker leaves back into the queue, which is no failure; False if the attempt no longer counts."""
    return _requeue(db, _running(job), enqueue, turn=JOBS.c.turn + 1) is not None


def fail_job(
    db: AppDb,
    job: ExportJob,
    error: JobError,
    now: datetime,
    expires_at: datetime | None,
    queue: Queue | None = None,
) -> bool:
    """End the job as failed; False if the attempt no longer counts."""
    failed = _failed(error)
    return _end(db, _running(job), JobState.FAILED, now, queue=queue, expires_at=expires_at, **failed) is not None


def cancel_job(
    db: AppDb, id_: str, now: datetime, expires_at: datetime | None, queue: Queue | None = None
) -> ExportJob | None:
    """End the job as cancelled, wherever it stands; None if it had ended already."""
    going = sa.and_(JOBS.c.id == id_, JOBS.c.state.in_(states_before(JobState.CANCELLED)))
    return _end(db, going, JobState.CANCELLED, now, queue=queue, expires_at=expires_at)


def change_job(db: AppDb, seen: ExportJob, changed: ExportJob, now: datetime, enqueue: Enqueue) -> ExportJob | None:
    """Put another wish, owner and time in the place of those of a job that nobody has begun, and into its next turn.

    None if somebody began, ended or changed it since it was seen.
    """
    waits = JOBS.c.state.in_((JobState.SCHEDULED, JobState.QUEUED))
    same = sa.and_(JOBS.c.id == seen.id, JOBS.c.turn == seen.turn, JOBS.c.revision == seen.revision, waits)
    values: dict[str, Any] = wish_row(changed) | {
        "owner_id": changed.owner.id,
        "owner": write_principal(changed.owner),
        "state": changed.state,
        "priority": changed.priority,
        "due_at": changed.due_at,
        "turn": seen.turn + 1,
        "failures": 0,
        "error": None,
        "modified_at": now,
    }
    return _requeue(db, same, enqueue, **values)


def retry_job(db: AppDb, job: ExportJob, turn: int, now: datetime, enqueue: Enqueue) -> ExportJob | None:
    """Start a failed or cancelled job over in that turn, due now; None if it is neither, or somebody else just did.

    A scheduled run's keeps its instant, so that its file shows what it would have shown.
    """
    ended = states_before(JobState.QUEUED) - {JobState.SCHEDULED, JobState.RUNNING}
    return _requeue(
        db,
        sa.and_(JOBS.c.id == job.id, JOBS.c.turn == job.turn, JOBS.c.state.in_(ended)),
        enqueue,
        due_at=now,
        failures=0,
        turn=turn,
        error=None,
        finished_at=None,
        expires_at=None,
        started_at=None,
        beat_at=None,
        rows=0,
        bytes=0,
        total=None,
        stages=None,
    )


def delete_job(db: AppDb, id_: str) -> None:
    """Forget the job, and the key it was asked for under."""
    with db.write() as connection:
        forget_keys(connection, id_)
        connection.execute(JOBS.delete().where(JOBS.c.id == id_))


def expired_jobs(db: AppDb, now: datetime, limit: int = 100) -> tuple[ExportJob, ...]:
    """Ended jobs whose artifact had its time and still lies in the store."""
    query = sa.select(JOBS).where(JOBS.c.expires_at <= now, JOBS.c.artifact.isnot(None)).limit(limit)
    with db.read() as connection:
        return tuple(read_job(row) for row in connection.execute(query))


def forget_artifact(db: AppDb, id_: str) -> None:
    """The artifact's bytes are gone; the job stays in the list, with what it was."""
    _change(db, JOBS.c.id == id_, artifact=None)


def prune_jobs(db: AppDb, ended_before: datetime, limit: int = 500) -> int:
    """Forget jobs that ended before that instant and have no file any more; gives how many, at most `limit`."""
    ended = JOBS.c.state.in_([state for state in JobState if state.is_final])
    old = sa.select(JOBS.c.id).where(ended, JOBS.c.artifact.is_(None), JOBS.c.finished_at < ended_before).limit(limit)
    with db.write() as connection:
        return connection.execute(JOBS.delete().where(JOBS.c.id.in_(old))).rowcount


def stuck_jobs(
    db: AppDb, silent_since: datetime, waiting_since: datetime, *, tenant: str | None = None, limit: int = 100
) -> tuple[ExportJob, ...]:
    """Running jobs that nobody has heard of and waiting ones that nobody took, the oldest first."""
    silent = sa.and_(JOBS.c.state == JobState.RUNNING, JOBS.c.beat_at < silent_since)
    waiting = sa.and_(JOBS.c.state.in_((JobState.QUEUED, JobState.SCHEDULED)), JOBS.c.due_at < waiting_since)
    query = sa.select(JOBS).where(sa.or_(silent, waiting)).order_by(JOBS.c.id).limit(limit)
    query = query if tenant is None else query.where(JOBS.c.tenant == tenant)
    with db.read() as connection:
        return tuple(read_job(row) for row in connection.execute(query))


def count_jobs(db: AppDb, now: datetime) -> Mapping[str, int]:
    """How many jobs are in each state, as it is shown at that instant."""
    due = sa.and_(JOBS.c.state == JobState.SCHEDULED, JOBS.c.due_at <= now)
    shown = sa.case((due, JobState.QUEUED), else_=JOBS.c.state).label("shown")
    with db.read() as connection:
        found = connection.execute(sa.select(shown, sa.func.count().label("jobs")).group_by(shown))
        return {row.shown: row.jobs for row in found}


def oldest_waiting(db: AppDb, now: datetime) -> datetime | None:
    """Since when the job that waits longest for a worker has been due; None if none waits."""
    waiting = JOBS.c.state.in_((JobState.QUEUED, JobState.SCHEDULED))
    with db.read() as connection:
        query = sa.select(sa.func.min(JOBS.c.due_at)).where(waiting, JOBS.c.due_at <= now)
        found: datetime | None = connection.execute(query).scalar()
        return found


def _running(job: ExportJob) -> sa.ColumnElement[bool]:
    """The fence: this very attempt, and nobody has cancelled it."""
    return sa.and_(JOBS.c.id == job.id, JOBS.c.attempt == job.attempt, JOBS.c.state == JobState.RUNNING)


def _failed(error: JobError) -> dict[str, Any]:
    """One more attempt that failed by itself."""
    return {"failures": JOBS.c.failures + 1, "error": json.dumps(asdict(error))}


def _requeue(db: AppDb, where: sa.ColumnElement[bool], enqueue: Enqueue, **values: Any) -> ExportJob | None:
    """The job as it is once it waits for its next turn, both or neither; None if the condition did not hold."""
    with db.write() as connection:
        job = _change_in(connection, where, **{"state": JobState.QUEUED, **values})
        if job is not None:
            enqueue(connection)
    return job


def _end(
    db: AppDb,
    where: sa.ColumnElement[bool],
    state: JobState,
    now: datetime,
    totals: Mapping[str, float] = MappingProxyType({}),
    filter: str | None = None,
    queue: Queue | None = None,
    **values: Any,
) -> ExportJob | None:
    """The job as it has ended, with all that goes with an end; None if the condition did not hold."""
    with db.write() as connection:
        job = _change_in(connection, where, state=state, finished_at=now, **values)
        if job is not None:
            write_job_end(connection, job, now, filter)
            add_totals(connection, {state: 1, **totals})
            insert_job_deliveries(connection, job)
            if queue is not None:
                insert_follower(connection, job, now, queue)
    return job


def _change(db: AppDb, where: sa.ColumnElement[bool], **values: Any) -> ExportJob | None:
    with db.write() as connection:
        return _change_in(connection, where, **values)


def _change_in(connection: sa.Connection, where: sa.ColumnElement[bool], **values: Any) -> ExportJob | None:
    """The one row as it is after the change; None if the condition did not hold."""
    statement = JOBS.update().where(where).values(**values, revision=JOBS.c.revision + 1).returning(JOBS)
    row = connection.execute(statement).one_or_none()
    return None if row is None else read_job(row)
