"""Shares as the app database keeps them: their tokens hashed, their uses counted where the count is the gate."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from offtake.appdb.database import AppDb
from offtake.appdb.newest import newest
from offtake.appdb.principals import read_principal, write_principal
from offtake.appdb.tables_saved import DEFINITIONS, SHARES
from offtake.model.share import Share


def insert_share(db: AppDb, share: Share, hash_: str) -> None:
    """Remember a new share under the hash of its token (SHA-256, lower-case hex)."""
    with db.write() as connection:
        connection.execute(
            SHARES.insert().values(
                id=share.id,
                tenant=share.tenant,
                owner_id=share.owner.id,
                owner=write_principal(share.owner),
                definition_id=share.definition_id,
                job_id=share.job_id,
                hash=hash_,
                prefix=share.prefix,
                uses=share.uses,
                max_downloads=share.max_downloads,
                created_at=share.created_at,
                expires_at=share.expires_at,
            )
        )


def find_share(db: AppDb, id_: str) -> Share | None:
    """The share of that id, ended ones too."""
    return _find(db, SHARES.c.id == id_)


def find_share_by_hash(db: AppDb, hash_: str) -> Share | None:
    """The share with that token, ended ones too."""
    return _find(db, SHARES.c.hash == hash_)


def list_shares(
    db: AppDb,
    tenant: str | None,
    *,
    definition_id: str | None = None,
    job_id: str | None = None,
    before: str | None = None,
    limit: int = 50,
) -> tuple[Share, ...]:
    """Shares, the newest first, from the one after `before` on; None leaves a condition out."""
    wanted = {SHARES.c.tenant: tenant, SHARES.c.definition_id: definition_id, SHARES.c.job_id: job_id}
    with db.read() as connection:
        rows = connection.execute(newest(SHARES.c.id, wanted, before=before, limit=limit))
        return tuple(_share(row) for row in rows)


def use_share(db: AppDb, share: Share, now: datetime) -> bool:
    """Count one more use, if there is one left: of any number at once, exactly as many are let through as may.

    A definition that was used so was executed.
    """
    is_left = sa.or_(SHARES.c.max_downloads.is_(None), SHARES.c.uses < SHARES.c.max_downloads)
    is_on = sa.and_(SHARES.c.revoked_at.is_(None), sa.or_(SHARES.c.expires_at.is_(None), SHARES.c.expires_at > now))
    counted = SHARES.update().where(SHARES.c.id == share.id, is_left, is_on)
    executed = DEFINITIONS.update().where(DEFINITIONS.c.id == share.definition_id).values(last_executed_at=now)
    with db.write() as connection:
        if connection.execute(counted.values(uses=SHARES.c.uses + 1, last_used_at=now)).rowcount == 0:
            return False
        if share.definition_id is not None:
            connection.execute(executed)
    return True


def give_back_use(db: AppDb, id_: str) -> None:
    """Take back one use that brought nobody anything."""
    with db.write() as connection:
        connection.execute(SHARES.update().where(SHARES.c.id == id_).values(uses=SHARES.c.uses - 1))


def revoke_share(db: AppDb, id_: str, now: datetime) -> None:
    """End the share; one that was revoked before keeps the time it was."""
    with db.write() as connection:
        _revoke(connection, SHARES.c.id == id_, now)


def revoke_shares_of_job(db: AppDb, job_id: str, now: datetime) -> None:
    """End every share of that export's file."""
    with db.write() as connection:
        _revoke(connection, SHARES.c.job_id == job_id, now)


def revoke_shares_of(connection: sa.Connection, definition_id: str, now: datetime) -> None:
    """End every share of a definition, within an open transaction."""
    _revoke(connection, SHARES.c.definition_id == definition_id, now)


def _revoke(connection: sa.Connection, which: sa.ColumnElement[bool], now: datetime) -> None:
    connection.execute(SHARES.update().where(which, SHARES.c.revoked_at.is_(None)).values(revoked_at=now))


def _find(db: AppDb, where: sa.ColumnElement[bool]) -> Share | None:
    with db.read() as connection:
        row = connection.execute(sa.select(SHARES).where(where)).one_or_none()
    return None if row is None else _share(row)


def _share(row: sa.Row[Any]) -> Share:
    return Share(
        id=row.id,
        tenant=row.tenant,
        owner=read_principal(row.owner),
        prefix=row.prefix,
        created_at=row.created_at,
        definition_id=row.definition_id,
        job_id=row.job_id,
        uses=row.uses,
        max_downloads=row.max_downloads,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
    )
