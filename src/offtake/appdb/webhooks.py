"""Webhooks as the app database keeps them, their secrets sealed."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from offtake.appdb.database import AppDb
from offtake.appdb.newest import newest
from offtake.appdb.tables_saved import DELIVERIES, WEBHOOKS
from offtake.appdb.words import join_words, split_words
from offtake.model.delivery import Event, Webhook


def insert_webhook(db: AppDb, webhook: Webhook, most: int) -> bool:
    """Remember a new one; False if its tenant has so many already."""
    count = sa.select(sa.func.count()).select_from(WEBHOOKS).where(WEBHOOKS.c.tenant == webhook.tenant)
    with db.write() as connection:
        has_room = bool(connection.execute(count).scalar_one() < most)
        if has_room:
            connection.execute(WEBHOOKS.insert().values(**vars(webhook) | {"events": join_words(webhook.events)}))
    return has_room


def find_webhook(db: AppDb, id_: str) -> Webhook | None:
    """The webhook of that id."""
    with db.read() as connection:
        row = connection.execute(sa.select(WEBHOOKS).where(WEBHOOKS.c.id == id_)).one_or_none()
    return None if row is None else _webhook(row)


def list_webhooks(db: AppDb, tenant: str | None, *, before: str | None, limit: int) -> tuple[Webhook, ...]:
    """A tenant's webhooks, or (None) everybody's, the newest first, from the one after `before` on."""
    query = newest(WEBHOOKS.c.id, {WEBHOOKS.c.tenant: tenant}, before=before, limit=limit)
    with db.read() as connection:
        return tuple(_webhook(row) for row in connection.execute(query))


def change_webhook(
    db: AppDb, id_: str, *, url: str, events: tuple[Event, ...], is_active: bool, now: datetime
) -> Webhook | None:
    """The webhook as it is after the change; None if there is none."""
    return _change(db, id_, url=url, events=join_words(events), is_active=is_active, updated_at=now)


def rotate_secret(db: AppDb, id_: str, secret: str, old_until: datetime, now: datetime) -> Webhook | None:
    """Give it a new secret; what was its secret signs too until that instant. None if there is none."""
    return _change(db, id_, secret=secret, old_secret=WEBHOOKS.c.secret, old_until=old_until, updated_at=now)


def delete_webhook(db: AppDb, id_: str) -> None:
    """Forget it and everything that was sent or should be sent to it."""
    with db.write() as connection:
        connection.execute(DELIVERIES.delete().where(DELIVERIES.c.webhook_id == id_))
        connection.execute(WEBHOOKS.delete().where(WEBHOOKS.c.id == id_))


def _change(db: AppDb, id_: str, **values: Any) -> Webhook | None:
    statement = WEBHOOKS.update().where(WEBHOOKS.c.id == id_).values(**values).returning(WEBHOOKS)
    with db.write() as connection:
        row = connection.execute(statement).one_or_none()
    return None if row is None else _webhook(row)


def _webhook(row: sa.Row[Any]) -> Webhook:
    return Webhook(**row._asdict() | {"events": tuple(Event(name) for name in split_words(row.events))})
