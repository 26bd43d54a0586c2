"""Runs of schedules as the app database keeps them: one row an instant, every move one conditional update.

An instant is taken once, because its schedule's `next_at` moves on in the same transaction and its row has a primary
key; it is put into the queue once, because that changes the row and the schedule's count of runs together with the job.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from offtake.appdb.audit import write_launch
from offtake.appdb.database import AppDb, insert_into
from offtake.appdb.newest import newest
from offtake.appdb.schedules import write_mark
from offtake.appdb.tables import JOBS
from offtake.appdb.tables_saved import SCHEDULE_RUNS, SCHEDULES
from offtake.model.job import ExportJob, JobState
from offtake.model.schedule import RunState, Schedule, ScheduleRun, ScheduleState, Window

# What else belongs into the transaction of that connection.
Also = Callable[[Any], None]
_ENDED = [state for state in JobState if state.is_final]


class OvertakenError(Exception):
    """Somebody else moved the run or changed its schedule meanwhile."""


@dataclass(frozen=True)
class EndedJob:
    """A run whose job has ended: in which state, with how many rows, why. `state` None = the job is gone."""

    run: ScheduleRun
    state: JobState | None
    rows: int = 0
    reason: str = ""


def take_instants(
    db: AppDb, schedule: Schedule, runs: Sequence[ScheduleRun], *, next_at: datetime | None, last_at: datetime
) -> bool:
    """Move the schedule on and note what becomes of the instants it passes; False if somebody else did, or changed it.

    Without a next instant it has ended.
    """
    state = ScheduleState.ACTIVE if next_at else ScheduleState.ENDED
    same = sa.and_(
        SCHEDULES.c.id == schedule.id,
        SCHEDULES.c.version == schedule.version,
        SCHEDULES.c.state == ScheduleState.ACTIVE,
        SCHEDULES.c.next_at == schedule.next_at,
    )
    with db.write() as connection:
        moved = connection.execute(SCHEDULES.update().where(same).values(next_at=next_at, last_at=last_at, state=state))
        if moved.rowcount:
            for run in runs:
                _insert(connection, run)
    return bool(moved.rowcount)


def insert_run(db: AppDb, run: ScheduleRun) -> bool:
    """Note a run that somebody asked for; False if the schedule has one at that instant."""
    with db.write() as connection:
        return _insert(connection, run)


def _insert(connection: sa.Connection, run: ScheduleRun) -> bool:
    row = vars(run) | {"delta": _write_window(run.window)}
    del row["window"]
    statement = insert_into(connection, SCHEDULE_RUNS).values(**row).on_conflict_do_nothing()
    return connection.execute(statement.returning(SCHEDULE_RUNS.c.instant)).one_or_none() is not None


def waiting_runs(db: AppDb, now: datetime, limit: int = 500) -> tuple[ScheduleRun, ...]:
    """The earliest run that waits of each schedule, if it is time to put it into the queue."""
    waits = SCHEDULE_RUNS.c.state == RunState.WAITING
    first = sa.select(SCHEDULE_RUNS.c.schedule_id, sa.func.min(SCHEDULE_RUNS.c.instant).label("instant"))
    earliest = first.where(waits).group_by(SCHEDULE_RUNS.c.schedule_id).subquery()
    query = (
        sa.select(SCHEDULE_RUNS)
        .join(
            earliest,
            sa.and_(
                SCHEDULE_RUNS.c.schedule_id == earliest.c.schedule_id, SCHEDULE_RUNS.c.instant == earliest.c.instant
            ),
        )
        .where(waits, SCHEDULE_RUNS.c.retry_at <= now)
        .order_by(SCHEDULE_RUNS.c.retry_at)
        .limit(limit)
    )
    with db.read() as connection:
        return tuple(_run(row) for row in connection.execute(query))


def is_at_work(db: AppDb, schedule_id: str) -> bool:
    """Whether the job of one of its runs is not known to have ended."""
    going = sa.and_(SCHEDULE_RUNS.c.schedule_id == schedule_id, SCHEDULE_RUNS.c.state == RunState.SUBMITTED)
    with db.read() as connection:
        return connection.execute(sa.select(sa.exists().where(going))).scalar_one()


def launch_run(
    connection: sa.Connection, schedule: Schedule, run: ScheduleRun, job: ExportJob, window: Window | None
) -> None:
    """The run's job is in the queue, if this commits. Raises OvertakenError unless both are as they were read."""
    counted = SCHEDULES.update().where(
        SCHEDULES.c.id == schedule.id, SCHEDULES.c.version == schedule.version, SCHEDULES.c.runs == schedule.runs
    )
    moved = SCHEDULE_RUNS.update().where(*_same(run))
    values = {"state": RunState.SUBMITTED, "job_id": job.id, "reason": "", "delta": _write_window(window)}
    if not (
        connection.execute(counted.values(runs=schedule.runs + 1)).rowcount
        and connection.execute(moved.values(**values)).rowcount
    ):
        raise OvertakenError
    write_launch(connection, schedule, job)


def postpone_run(db: AppDb, run: ScheduleRun, reason: str, retry_at: datetime) -> None:
    """Try to put it into the queue again later."""
    with db.write() as connection:
        connection.execute(SCHEDULE_RUNS.update().where(*_same(run)).values(reason=reason, retry_at=retry_at))


def ended_jobs(db: AppDb, limit: int = 500) -> tuple[EndedJob, ...]:
    """Runs at work whose jobs have ended, or are gone."""
    query = (
        sa.select(SCHEDULE_RUNS, JOBS.c.state.label("ended_as"), JOBS.c.rows.label("rows"), JOBS.c.error.label("error"))
        .join(JOBS, JOBS.c.id == SCHEDULE_RUNS.c.job_id, isouter=True)
        .where(
            SCHEDULE_RUNS.c.state == RunState.SUBMITTED,
            sa.or_(JOBS.c.id.is_(None), JOBS.c.state.in_(_ENDED)),
        )
        .limit(limit)
    )
    with db.read() as connection:
        return tuple(_ended(row) for row in connection.execute(query))


def end_run(
    db: AppDb,
    run: ScheduleRun,
    state: RunState,
    now: datetime,
    *,
    reason: str = "",
    window: Window | None = None,
    also: Also = lambda _: None,
) -> bool:
    """The last move of a run; False if somebody else made it. Where a delta succeeded the watermark moves with it."""
    values = {"state": state, "reason": reason, "finished_at": now, "delta": _write_window(window)}
    with db.write() as connection:
        if not connection.execute(SCHEDULE_RUNS.update().where(*_same(run)).values(**values)).rowcount:
            return False
        if state is RunState.SUCCEEDED and window is not None:
            connection.execute(
                SCHEDULES.update()
                .where(SCHEDULES.c.id == run.schedule_id, _is_mark(window.after))
                .values(watermark=write_mark(window.until))
            )
        also(connection)
    return True


def _is_mark(mark: int | str | None) -> sa.ColumnElement[bool]:
    return SCHEDULES.c.watermark.is_(None) if mark is None else SCHEDULES.c.watermark == write_mark(mark)


def list_runs(
    db: AppDb, schedule_id: str, *, before: datetime | None = None, limit: int = 50
) -> tuple[ScheduleRun, ...]:
    """Its runs, the latest instant first, from the one after `before` on."""
    wanted = {SCHEDULE_RUNS.c.schedule_id: schedule_id}
    query = newest(SCHEDULE_RUNS.c.instant, wanted, before=before, limit=limit)
    with db.read() as connection:
        return tuple(_run(row) for row in connection.execute(query))


def find_run(db: AppDb, schedule_id: str, instant: datetime) -> ScheduleRun | None:
    """The run of that instant."""
    return _find(db, sa.and_(SCHEDULE_RUNS.c.schedule_id == schedule_id, SCHEDULE_RUNS.c.instant == instant))


def find_run_of(db: AppDb, job_id: str) -> ScheduleRun | None:
    """The run whose job that is."""
    return _find(db, SCHEDULE_RUNS.c.job_id == job_id)


def find_delivered(db: AppDb, schedule_id: str) -> ScheduleRun | None:
    """The last delta of the schedule that succeeded."""
    done = sa.and_(SCHEDULE_RUNS.c.state == RunState.SUCCEEDED, SCHEDULE_RUNS.c.delta.isnot(None))
    return _find(db, sa.and_(SCHEDULE_RUNS.c.schedule_id == schedule_id, done))


def prune_runs(db: AppDb, ended_before: datetime) -> int:
    """Forget runs that ended before that instant; gives how many."""
    with db.write() as connection:
        return connection.execute(SCHEDULE_RUNS.delete().where(SCHEDULE_RUNS.c.finished_at < ended_before)).rowcount


def _find(db: AppDb, where: sa.ColumnElement[bool]) -> ScheduleRun | None:
    query = sa.select(SCHEDULE_RUNS).where(where).order_by(SCHEDULE_RUNS.c.finished_at.desc()).limit(1)
    with db.read() as connection:
        row = connection.execute(query).one_or_none()
    return None if row is None else _run(row)


def _same(run: ScheduleRun) -> tuple[sa.ColumnElement[bool], ...]:
    columns = SCHEDULE_RUNS.c
    return columns.schedule_id == run.schedule_id, columns.instant == run.instant, columns.state == run.state


def _write_window(window: Window | None) -> str | None:
    return None if window is None else json.dumps(asdict(window), ensure_ascii=False)


def _run(row: sa.Row[Any]) -> ScheduleRun:
    return ScheduleRun(
        schedule_id=row.schedule_id,
        instant=row.instant,
        tenant=row.tenant,
        state=RunState(row.state),
        created_at=row.created_at,
        reason=row.reason,
        job_id=row.job_id,
        window=None if row.delta is None else Window(**json.loads(row.delta)),
        retry_at=row.retry_at,
        finished_at=row.finished_at,
    )


def _ended(row: sa.Row[Any]) -> EndedJob:
    error = json.loads(row.error)["detail"] if row.error else ""
    state = None if row.ended_as is None else JobState(row.ended_as)
    return EndedJob(_run(row), state, row.rows or 0, error)
