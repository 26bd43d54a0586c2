"""Keys as the app database keeps them: hashed, never in clear."""

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from offtake.appdb.database import AppDb
from offtake.appdb.tables import KEYS
from offtake.appdb.words import join_words, split_words
from offtake.model.access import Key

TOUCH_EVERY = timedelta(minutes=1)


def insert_key(db: AppDb, key: Key, hash_: str) -> None:
    """Remember a new key under the hash of its secret (SHA-256, lower-case hex)."""
    with db.write() as connection:
        connection.execute(
            KEYS.insert().values(
                id=key.id,
                hash=hash_,
                prefix=key.prefix,
                tenant=key.tenant,
                scopes=join_words(sorted(key.scopes)),
                roles=join_words(sorted(key.roles)),
                created_at=key.created_at,
                expires_at=key.expires_at,
            )
        )


def find_key_by_hash(db: AppDb, hash_: str) -> Key | None:
    """The key with that secret, ended ones too."""
    return _find(db, KEYS.c.hash == hash_)


def find_key(db: AppDb, id_: str) -> Key | None:
    """The key of that id, ended ones too."""
    return _find(db, KEYS.c.id == id_)


def list_keys(db: AppDb, tenant: str | None = None) -> tuple[Key, ...]:
    """Every key, or one tenant's; the oldest first."""
    query = sa.select(KEYS).order_by(KEYS.c.created_at, KEYS.c.id)
    if tenant is not None:
        query = query.where(KEYS.c.tenant == tenant)
    with db.read() as connection:
        return tuple(_key(row) for row in connection.execute(query))


def revoke_key(db: AppDb, id_: str, at: datetime) -> None:
    """End the key; one that ended before keeps the time it ended."""
    with db.write() as connection:
        connection.execute(KEYS.update().where(KEYS.c.id == id_, KEYS.c.revoked_at.is_(None)).values(revoked_at=at))


def replace_secret(db: AppDb, id_: str, hash_: str, prefix: str) -> bool:
    """Put a new secret in the place of the old one; False if the key was revoked meanwhile."""
    with db.write() as connection:
        changed = connection.execute(
            KEYS.update().where(KEYS.c.id == id_, KEYS.c.revoked_at.is_(None)).values(hash=hash_, prefix=prefix)
        )
        return changed.rowcount == 1


def touch_key(db: AppDb, key: Key, at: datetime) -> None:
    """Note that the key was used; at most one write a minute, so that reads stay reads."""
    if key.last_used_at is not None and at - key.last_used_at < TOUCH_EVERY:
        return
    stale = sa.or_(KEYS.c.last_used_at.is_(None), KEYS.c.last_used_at <= at - TOUCH_EVERY)
    with db.write() as connection:
        connection.execute(KEYS.update().where(KEYS.c.id == key.id, stale).values(last_used_at=at))


def _find(db: AppDb, where: sa.ColumnElement[bool]) -> Key | None:
    with db.read() as connection:
        row = connection.execute(sa.select(KEYS).where(where)).one_or_none()
    return None if row is None else _key(row)


def _key(row: sa.Row[Any]) -> Key:
    return Key(
        id=row.id,
        tenant=row.tenant,
        prefix=row.prefix,
        scopes=frozenset(split_words(row.scopes)),
        roles=frozenset(split_words(row.roles)),
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
    )
