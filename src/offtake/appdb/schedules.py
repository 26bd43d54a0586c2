"""Schedules as the app database keeps them; every change names the version it was made of."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from offtake.appdb.database import AppDb
from offtake.appdb.newest import newest
from offtake.appdb.principals import read_principal, write_principal
from offtake.appdb.tables_saved import SCHEDULE_RUNS, SCHEDULES
from offtake.errors import Conflict
from offtake.model.schedule import (
    CatchUp,
    Delta,
    Overlap,
    RunState,
    Schedule,
    ScheduleDraft,
    ScheduleState,
    Timetable,
)

AT_ONCE = 1000  # ids in one question


def insert_schedule(db: AppDb, schedule: Schedule) -> None:
    """Remember a new schedule. Raises Conflict if there is one of that id already."""
    try:
        with db.write() as connection:
            connection.execute(SCHEDULES.insert().values(**_row(schedule)))
    except sa.exc.IntegrityError as error:
        raise Conflict("It was given a schedule meanwhile.", hint="Look at it again.") from error


def find_schedule(db: AppDb, id_: str) -> Schedule | None:
    """The schedule of that id."""
    with db.read() as connection:
        row = connection.execute(sa.select(SCHEDULES).where(SCHEDULES.c.id == id_)).one_or_none()
    return None if row is None else _schedule(row)


def find_schedules(db: AppDb, ids: Sequence[str]) -> Mapping[str, Schedule]:
    """Those of the schedules that there are, by id."""
    found: dict[str, Schedule] = {}
    with db.read() as connection:
        for first in range(0, len(ids), AT_ONCE):
            some = SCHEDULES.c.id.in_(ids[first : first + AT_ONCE])
            found |= {row.id: _schedule(row) for row in connection.execute(sa.select(SCHEDULES).where(some))}
    return found


def list_schedules(
    db: AppDb, tenant: str | None, *, definition_id: str | None = None, before: str | None = None, limit: int = 50
) -> tuple[Schedule, ...]:
    """Schedules, the newest first, from the one after `before` on; None leaves a condition out."""
    wanted = {SCHEDULES.c.tenant: tenant, SCHEDULES.c.definition_id: definition_id}
    with db.read() as connection:
        rows = connection.execute(newest(SCHEDULES.c.id, wanted, before=before, limit=limit))
        return tuple(_schedule(row) for row in rows)


def due_schedules(db: AppDb, now: datetime, limit: int = 100) -> tuple[Schedule, ...]:
    """Active schedules whose next instant has come, the one that waits longest first."""
    due = sa.select(SCHEDULES).where(SCHEDULES.c.state == ScheduleState.ACTIVE, SCHEDULES.c.next_at <= now)
    with db.read() as connection:
        return tuple(_schedule(row) for row in connection.execute(due.order_by(SCHEDULES.c.next_at).limit(limit)))


def replace_schedule(db: AppDb, before: Schedule, after: Schedule, *, starts_anew: bool) -> Schedule | None:
    """Put another in the place of that very version; None if somebody changed, deleted or ran it meanwhile.

    If its watermark `starts_anew`, runs that are still at work no longer move it; else it is what it is by now.
    """
    values = _row(after) | {"version": before.version + 1, "watermark": None}
    if not starts_anew:
        del values["watermark"]
    same = sa.and_(*_version(before), _is(SCHEDULES.c.next_at, before.next_at), SCHEDULES.c.runs == before.runs)
    with db.write() as connection:
        found = connection.execute(SCHEDULES.update().where(same).values(**values).returning(SCHEDULES)).one_or_none()
        if found is not None and starts_anew:
            runs = sa.and_(SCHEDULE_RUNS.c.schedule_id == before.id, SCHEDULE_RUNS.c.state == RunState.SUBMITTED)
            connection.execute(SCHEDULE_RUNS.update().where(runs).values(delta=None))
        if found is not None and after.state is ScheduleState.PAUSED:
            _skip_waiting(connection, before.id, after.updated_at)
    return None if found is None else _schedule(found)


def _skip_waiting(connection: sa.Connection, schedule_id: str, now: datetime) -> None:
    waiting = sa.and_(SCHEDULE_RUNS.c.schedule_id == schedule_id, SCHEDULE_RUNS.c.state == RunState.WAITING)
    told = {"state": RunState.SKIPPED, "reason": "The schedule was paused.", "finished_at": now}
    connection.execute(SCHEDULE_RUNS.update().where(waiting).values(**told))


def delete_schedule(db: AppDb, schedule: Schedule) -> bool:
    """Forget that version and its runs; False if somebody changed it meanwhile. Exports that it made stay."""
    with db.write() as connection:
        gone = connection.execute(SCHEDULES.delete().where(*_version(schedule)))
        if gone.rowcount:
            connection.execute(SCHEDULE_RUNS.delete().where(SCHEDULE_RUNS.c.schedule_id == schedule.id))
    return bool(gone.rowcount)


def delete_schedules_of(connection: sa.Connection, definition_id: str) -> None:
    """Forget every schedule of a definition, and their runs, within an open transaction."""
    ours = SCHEDULES.c.definition_id == definition_id
    runs = SCHEDULE_RUNS.c.schedule_id.in_(sa.select(SCHEDULES.c.id).where(ours))
    connection.execute(SCHEDULE_RUNS.delete().where(runs))
    connection.execute(SCHEDULES.delete().where(ours))


def end_schedule(db: AppDb, id_: str, now: datetime) -> None:
    """It has no instant any more."""
    with db.write() as connection:
        ended = {"state": ScheduleState.ENDED, "next_at": None, "updated_at": now}
        connection.execute(SCHEDULES.update().where(SCHEDULES.c.id == id_).values(**ended))


def _version(schedule: Schedule) -> tuple[sa.ColumnElement[bool], ...]:
    return SCHEDULES.c.id == schedule.id, SCHEDULES.c.version == schedule.version


def _is(column: sa.Column[Any], value: Any) -> sa.ColumnElement[bool]:
    return column.is_(None) if value is None else column == value


def write_mark(mark: int | str | None) -> str | None:
    """A watermark as its column has it."""
    return None if mark is None else json.dumps(mark)


def _row(schedule: Schedule) -> dict[str, Any]:
    return {
        "id": schedule.id,
        "tenant": schedule.tenant,
        "owner_id": schedule.owner.id,
        "owner": write_principal(schedule.owner),
        "definition_id": schedule.draft.definition_id,
        "settings": json.dumps(_settings(schedule.draft), ensure_ascii=False),
        "state": schedule.state,
        "version": schedule.version,
        "next_at": schedule.next_at,
        "last_at": schedule.last_at,
        "runs": schedule.runs,
        "watermark": write_mark(schedule.watermark),
        "created_at": schedule.created_at,
        "updated_at": schedule.updated_at,
    }


def _settings(draft: ScheduleDraft) -> dict[str, Any]:
    found = {**vars(draft), "deliveries": [dict(each) for each in draft.deliveries]}
    table = draft.timetable
    end = None if table.end is None else table.end.isoformat()
    found["timetable"] = asdict(table) | {"start": table.start.isoformat(), "end": end}
    found["delta"] = None if draft.delta is None else asdict(draft.delta)
    return found


def _draft(found: Mapping[str, Any]) -> ScheduleDraft:
    table = found["timetable"]
    end = None if table["end"] is None else datetime.fromisoformat(table["end"])
    return ScheduleDraft(
        **{
            **found,
            "timetable": Timetable(**{**table, "start": datetime.fromisoformat(table["start"]), "end": end}),
            "catch_up": CatchUp(found["catch_up"]),
            "overlap": Overlap(found["overlap"]),
            "delta": None if found["delta"] is None else Delta(**found["delta"]),
            "deliveries": tuple(found["deliveries"]),
        }
    )


def _schedule(row: sa.Row[Any]) -> Schedule:
    return Schedule(
        id=row.id,
        tenant=row.tenant,
        owner=read_principal(row.owner),
        draft=_draft(json.loads(row.settings)),
        state=ScheduleState(row.state),
        created_at=row.created_at,
        updated_at=row.updated_at,
        version=row.version,
        next_at=row.next_at,
        last_at=row.last_at,
        runs=row.runs,
        watermark=None if row.watermark is None else json.loads(row.watermark),
    )
