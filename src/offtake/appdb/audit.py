"""The audit as the app database keeps it: lines are added and, once old, pruned; nothing ever changes one.

Triggers refuse every other change, whoever asks for it; see the migration.
"""

from dataclasses import asdict
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from offtake.appdb.database import AppDb
from offtake.appdb.newest import newest
from offtake.appdb.tables_saved import AUDIT, AUDIT_START
from offtake.model.audit import AuditEntry, Outcome
from offtake.model.ids import new_id
from offtake.model.job import ExportJob, JobState
from offtake.model.schedule import Schedule

LONGEST = 4000  # characters of a filter, which may list any number of values


def insert_entry(db: AppDb, entry: AuditEntry) -> None:
    """Write the line down."""
    with db.write() as connection:
        write_entry(connection, entry)


def write_entry(connection: sa.Connection, entry: AuditEntry) -> None:
    """The same in the transaction of whatever it tells of."""
    texts = {name: _plain(value) if isinstance(value, str) else value for name, value in asdict(entry).items()}
    connection.execute(AUDIT.insert().values(texts))


def write_job_end(connection: sa.Connection, job: ExportJob, at: datetime, filter: str | None = None) -> None:
    """How the job ended, in the transaction that ends it: the one or the other never stands alone."""
    entry = AuditEntry(
        id=new_id(),
        at=at,
        tenant=job.tenant,
        principal=job.owner.id,
        action=f"export.{job.state}",
        outcome=Outcome.FAILED if job.state is JobState.FAILED else Outcome.OK,
        dataset=job.request.dataset,
        thing=job.id,
        filter=filter or None,
        detail=job.error.code if job.error and job.state is JobState.FAILED else None,
        rows=job.rows if job.state is JobState.SUCCEEDED else None,
        bytes=job.bytes if job.state is JobState.SUCCEEDED else None,
    )
    write_entry(connection, entry)


def write_launch(connection: sa.Connection, schedule: Schedule, job: ExportJob) -> None:
    """The schedule put that job into the queue, in the transaction that does so."""
    entry = AuditEntry(
        id=new_id(),
        at=job.created_at,
        tenant=schedule.tenant,
        principal=schedule.owner.id,
        action="schedule.launched",
        outcome=Outcome.OK,
        dataset=job.request.dataset,
        thing=schedule.id,
        detail=job.id,
    )
    write_entry(connection, entry)


def list_entries(
    db: AppDb,
    *,
    tenant: str | None,
    action: str | None = None,
    principal: str | None = None,
    dataset: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    before: str | None = None,
    limit: int = 50,
) -> tuple[AuditEntry, ...]:
    """Lines, the newest first, from the one after the id `before` on; None leaves a condition out.

    Those from `since` on and before `until`; `action` may end with `.*`, for everything done to such things.
    """
    wanted = {AUDIT.c.tenant: tenant, AUDIT.c.principal: principal, AUDIT.c.dataset: dataset}
    query = newest(AUDIT.c.id, wanted, before=before, limit=limit)
    if action is not None:
        things = action.removesuffix("*")
        query = query.where(AUDIT.c.action == action if things == action else AUDIT.c.action.startswith(things))
    if since is not None:
        query = query.where(AUDIT.c.at >= since)
    if until is not None:
        query = query.where(AUDIT.c.at < until)
    with db.read() as connection:
        return tuple(_entry(row) for row in connection.execute(query))


def prune_entries(db: AppDb, before: datetime, limit: int = 500) -> int:
    """Forget lines from before that instant; gives how many, at most `limit`.

    First says so in `audit_start`: the triggers let nothing go that is younger than what stands there.
    """
    old = sa.select(AUDIT.c.id).where(AUDIT.c.at < before).limit(limit)
    with db.write() as connection:
        if connection.execute(old.limit(1)).first() is None:
            return 0
        moved = AUDIT_START.update().values(
            since=sa.case((AUDIT_START.c.since > before, AUDIT_START.c.since), else_=before)
        )
        if not connection.execute(moved).rowcount:
            connection.execute(AUDIT_START.insert().values(id=1, since=before))
        return connection.execute(AUDIT.delete().where(AUDIT.c.id.in_(old))).rowcount


def _plain(text: str) -> str:
    """What every database takes: no NUL, no half of a surrogate pair, not too long."""
    text = text.replace("\0", "").encode("utf-8", "replace").decode()
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _entry(row: sa.Row[Any]) -> AuditEntry:
    return AuditEntry(**{**row._mapping, "outcome": Outcome(row.outcome)})
