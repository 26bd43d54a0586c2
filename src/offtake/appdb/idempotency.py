"""Idempotency keys: a request that is sent again within a day is answered with what the first one made."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from offtake.appdb.database import AppDb, insert_into
from offtake.appdb.tables import IDEMPOTENCY
from offtake.errors import IdempotencyMismatch

KEPT = timedelta(hours=24)


@dataclass(frozen=True)
class Once:
    """A principal's key, and the hash of the body it came with."""

    principal: str
    key: str
    body_hash: str
    at: datetime


def claim_key(connection: sa.Connection, once: Once, job_id: str) -> str | None:
    """Take the key for that job within an open transaction; the id of the job it was taken for before, if it was.

    Raises IdempotencyMismatch if that was with another body.
    """
    mine = sa.and_(IDEMPOTENCY.c.principal == once.principal, IDEMPOTENCY.c.key == once.key)
    taken = {"body_hash": once.body_hash, "job_id": job_id, "created_at": once.at}
    statement = (
        insert_into(connection, IDEMPOTENCY)
        .values(principal=once.principal, key=once.key, **taken)
        .on_conflict_do_update(
            index_elements=["principal", "key"], set_=taken, where=IDEMPOTENCY.c.created_at <= once.at - KEPT
        )
    )
    if connection.execute(statement.returning(IDEMPOTENCY.c.key)).one_or_none() is not None:
        return None
    before = connection.execute(sa.select(IDEMPOTENCY).where(mine)).one()
    if before.body_hash != once.body_hash:
        raise IdempotencyMismatch(
            "This Idempotency-Key was used with another body.", hint="Send a new key for a new export."
        )
    found: str = before.job_id
    return found


def forget_keys(connection: sa.Connection, job_id: str) -> None:
    """Set the keys of a job free that is being deleted."""
    connection.execute(IDEMPOTENCY.delete().where(IDEMPOTENCY.c.job_id == job_id))


def forget_old_keys(db: AppDb, now: datetime) -> None:
    """Set every key free that had its day."""
    with db.write() as connection:
        connection.execute(IDEMPOTENCY.delete().where(IDEMPOTENCY.c.created_at <= now - KEPT))
