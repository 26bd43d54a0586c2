"""The next job of a series, made in the transaction that ends the one before: it can be neither lost nor doubled."""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from offtake.appdb.job_rows import write_job
from offtake.appdb.tables import JOBS
from offtake.errors import InvalidRequest
from offtake.model.ids import new_id
from offtake.model.job import ExportJob, JobState, Recurrence
from offtake.model.ports import Queue, Turn
from offtake.model.schedule import Timetable
from offtake.query.instants import instants_after


def next_instant(recurrence: Recurrence, since: datetime) -> datetime | None:
    """Its first instant from that moment on, None if there is none left. Raises InvalidRequest for a bad rule."""
    start = recurrence.start.astimezone(UTC).replace(microsecond=0, tzinfo=None)
    timetable = Timetable(recurrence.rrule, "UTC", start)
    return next(instants_after(timetable, since - timedelta(microseconds=1)), None)


def insert_follower(connection: sa.Connection, job: ExportJob, now: datetime, queue: Queue) -> None:
    """After a job that recurs, its follower, due at the next instant that is still to come; once, however often the
    job ends. A series whose rule can no longer be read ends: its job must be able to."""
    if job.recurrence is None or job.follower_id is not None:
        return
    try:
        due_at = next_instant(job.recurrence, max(now, job.due_at) + timedelta(microseconds=1))
    except InvalidRequest:
        return
    if due_at is None:
        return
    follower = ExportJob(
        id=new_id(),
        tenant=job.tenant,
        owner=job.owner,
        request=job.request,
        state=JobState.SCHEDULED,
        created_at=now,
        due_at=due_at,
        instant=due_at,
        needs=job.needs,
        priority=job.priority,
        definition_id=job.definition_id,
        deliveries=job.deliveries,
        name=job.name,
        dialect=job.dialect,
        extra=job.extra,
        recurrence=job.recurrence,
    )
    connection.execute(JOBS.insert().values(**write_job(follower)))
    connection.execute(JOBS.update().where(JOBS.c.id == job.id).values(follower_id=follower.id))
    queue.enqueue(connection, Turn(follower.id, 0, job.tenant, job.priority, (due_at - now).total_seconds()))
