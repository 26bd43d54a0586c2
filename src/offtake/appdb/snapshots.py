"""Snapshots as the app database keeps them: a row is there before its spool, and names it once that is whole."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from offtake.appdb.database import AppDb
from offtake.appdb.tables_saved import SNAPSHOTS
from offtake.appdb.words import join_words, split_words
from offtake.model.snapshot import Snapshot, Spool


@dataclass(frozen=True)
class Holdings:
    """What a tenant's snapshots come to: how many of more than one page are open, how many bytes all of them have.

    `next_end` is when the first of them ends, if there is any.
    """

    open: int
    bytes: int
    next_end: datetime | None


# Raises what keeps one more from being added to these.
Check = Callable[[Holdings], None]


def insert_snapshot(db: AppDb, snapshot: Snapshot, now: datetime, check: Check) -> Holdings:
    """Remember a snapshot whose spool is about to be written; gives what the tenant had before.

    Snapshots of one tenant are inserted and committed one after the other, so none passes the check unseen.
    """
    with db.write() as connection:
        held = _holdings(connection, snapshot, now)
        check(held)
        connection.execute(SNAPSHOTS.insert().values(**_row(snapshot)))
    return held


def hold_snapshot(db: AppDb, id_: str, size: int, expires_at: datetime) -> bool:
    """Say that its spool is still being written, and how many bytes it has; False if somebody took it for dead."""
    unfinished = sa.and_(SNAPSHOTS.c.id == id_, SNAPSHOTS.c.spool.is_(None))
    return _update(db, unfinished, bytes=size, expires_at=expires_at)


def commit_snapshot(db: AppDb, snapshot: Snapshot, spool: Spool, now: datetime, check: Check) -> bool:
    """Name the finished spool; False if the snapshot is no longer there. Raises what the check raises."""
    with db.write() as connection:
        check(_holdings(connection, snapshot, now))
        done = connection.execute(
            SNAPSHOTS.update()
            .where(SNAPSHOTS.c.id == snapshot.id, SNAPSHOTS.c.spool.is_(None))
            .values(**_spool_row(spool), expires_at=snapshot.expires_at)
        )
    return bool(done.rowcount)


def renew_snapshot(db: AppDb, snapshot: Snapshot, now: datetime) -> bool:
    """Move its end to what the snapshot says; False if it had its time meanwhile."""
    alive = sa.and_(SNAPSHOTS.c.id == snapshot.id, SNAPSHOTS.c.expires_at > now)
    return _update(db, alive, keep_alive_s=snapshot.keep_alive_s, expires_at=snapshot.expires_at)


def find_snapshot(db: AppDb, id_: str) -> Snapshot | None:
    """The snapshot of that id, expired or not."""
    return find_snapshots(db, [id_]).get(id_)


def find_snapshots(db: AppDb, ids: Collection[str]) -> Mapping[str, Snapshot]:
    """Those of the snapshots that there are, by id."""
    with db.read() as connection:
        found = connection.execute(sa.select(SNAPSHOTS).where(SNAPSHOTS.c.id.in_(ids)))
        return {row.id: _snapshot(row) for row in found}


def expired_snapshots(db: AppDb, before: datetime, limit: int) -> Sequence[Snapshot]:
    """Snapshots that ended before that instant, the first to end first."""
    query = sa.select(SNAPSHOTS).where(SNAPSHOTS.c.expires_at <= before).order_by(SNAPSHOTS.c.expires_at).limit(limit)
    with db.read() as connection:
        return [_snapshot(row) for row in connection.execute(query)]


def delete_snapshot(db: AppDb, id_: str) -> None:
    """Forget it."""
    with db.write() as connection:
        connection.execute(SNAPSHOTS.delete().where(SNAPSHOTS.c.id == id_))


def delete_expired(db: AppDb, id_: str, before: datetime) -> bool:
    """Forget it if it ended before that instant; False if it has come to live on."""
    with db.write() as connection:
        ended = sa.and_(SNAPSHOTS.c.id == id_, SNAPSHOTS.c.expires_at <= before)
        return bool(connection.execute(SNAPSHOTS.delete().where(ended)).rowcount)


def _update(db: AppDb, where: sa.ColumnElement[bool], **values: Any) -> bool:
    with db.write() as connection:
        return bool(connection.execute(SNAPSHOTS.update().where(where).values(**values)).rowcount)


def _holdings(connection: sa.Connection, snapshot: Snapshot, now: datetime) -> Holdings:
    """What others of its tenant hold, which nobody changes until the transaction ends."""
    if connection.dialect.name == "postgresql":  # on SQLite there is one writer anyway
        key = sa.func.hashtextextended(f"snapshots of {snapshot.tenant}", 0)
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))
    others = sa.and_(SNAPSHOTS.c.tenant == snapshot.tenant, SNAPSHOTS.c.expires_at > now, SNAPSHOTS.c.id != snapshot.id)
    counts = sa.or_(SNAPSHOTS.c.spool.is_(None), SNAPSHOTS.c.rows > SNAPSHOTS.c.page_size)
    query = sa.select(
        sa.func.count().filter(counts),
        sa.func.coalesce(sa.func.sum(SNAPSHOTS.c.bytes), 0),
        sa.func.min(SNAPSHOTS.c.expires_at),
    ).where(others)
    count, size, next_end = connection.execute(query).one()
    return Holdings(count, int(size), next_end)


def _row(snapshot: Snapshot) -> dict[str, Any]:
    return {
        "id": snapshot.id,
        "tenant": snapshot.tenant,
        "principal_id": snapshot.principal_id,
        "definition_id": snapshot.definition_id,
        "page_size": snapshot.page_size,
        "keep_alive_s": snapshot.keep_alive_s,
        "needs": join_words(sorted(snapshot.needs)),
        "rows": 0,
        "bytes": 0,
        "created_at": snapshot.created_at,
        "expires_at": snapshot.expires_at,
    }


def _spool_row(spool: Spool) -> dict[str, Any]:
    return {
        "spool": spool.name,
        "index": json.dumps(
            {"marks": spool.marks, "end": spool.end, "names": dict(spool.names)}, separators=(",", ":")
        ),
        "rows": spool.rows,
        "bytes": spool.bytes,
        "snapshot_at": spool.snapshot_at,
    }


def _snapshot(row: sa.Row[Any]) -> Snapshot:
    return Snapshot(
        id=row.id,
        tenant=row.tenant,
        principal_id=row.principal_id,
        definition_id=row.definition_id,
        page_size=row.page_size,
        keep_alive_s=row.keep_alive_s,
        needs=frozenset(split_words(row.needs)),
        created_at=row.created_at,
        expires_at=row.expires_at,
        spool=None if row.spool is None else _spool(row),
    )


def _spool(row: sa.Row[Any]) -> Spool:
    index = json.loads(row._mapping[SNAPSHOTS.c.index])
    marks = tuple((first_row, first_byte) for first_row, first_byte in index["marks"])
    return Spool(row.spool, marks, index["end"], row.rows, row.bytes, row.snapshot_at, index.get("names", {}))
