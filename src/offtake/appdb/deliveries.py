"""Deliveries as the app database keeps them. Whoever moves `next_at` on, under the count of attempts, may send."""

import json
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa

from offtake.appdb.database import AppDb
from offtake.appdb.newest import newest
from offtake.appdb.tables_saved import DELIVERIES, WEBHOOKS
from offtake.appdb.words import split_words
from offtake.model.delivery import Delivery, DeliveryState, Event, Sent
from offtake.model.ids import new_id
from offtake.model.job import ExportJob, JobState

_ENDS = {
    JobState.SUCCEEDED: Event.EXPORT_SUCCEEDED,
    JobState.FAILED: Event.EXPORT_FAILED,
    JobState.CANCELLED: Event.EXPORT_CANCELLED,
}
# Which of a job's own deliveries its end sets off.
_OWN = {Event.EXPORT_SUCCEEDED: ("mail", "store"), Event.EXPORT_FAILED: ("mail",), Event.EXPORT_CANCELLED: ()}
_LOOKED_AT = 16


def insert_job_deliveries(connection: sa.Connection, job: ExportJob) -> None:
    """What a job's end sets off, within the transaction that ends it: so there is exactly one of each for each end."""
    event, now = _ENDS[job.state], job.finished_at
    assert now is not None
    wanted = {new_id(): wish for wish in job.deliveries if wish["channel"] in _OWN[event]}
    insert_event(
        connection, job.tenant, event, export_data(job), now, job_id=job.id, dialect=job.dialect, wishes=wanted
    )


def insert_event(
    connection: sa.Connection,
    tenant: str,
    event: Event,
    data: Mapping[str, Any],
    now: datetime,
    *,
    job_id: str | None = None,
    dialect: str | None = None,
    wishes: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
) -> None:
    """A delivery to each of the tenant's active webhooks that wants the event, within an open transaction.

    Webhooks of a foreign API want only what came about through it. And one for each of the `wishes`, which are targets
    by the id that their delivery is to have.
    """
    ours = sa.or_(WEBHOOKS.c.dialect.is_(None), WEBHOOKS.c.dialect == dialect)
    query = sa.select(WEBHOOKS.c.id, WEBHOOKS.c.events).where(WEBHOOKS.c.tenant == tenant, WEBHOOKS.c.is_active, ours)
    wanting = [row.id for row in connection.execute(query) if event in split_words(row.events)]
    payload = {"type": event, "timestamp": now.isoformat(), "data": dict(data)}
    about: dict[str, Any] = {"payload": payload, "job_id": job_id}
    calls = [new_delivery(tenant, "webhook", event, {}, now, **about, webhook_id=id_) for id_ in wanting]
    wished = [new_delivery(tenant, wish["channel"], event, wish, now, **about, id=id_) for id_, wish in wishes.items()]
    _insert(connection, [*calls, *wished])


def export_data(job: ExportJob) -> Mapping[str, Any]:
    """What a webhook is told of an export. Links are paths: where the service is reached is known when it is sent."""
    own = f"/api/v1/exports/{job.id}"
    parts = ("download", "manifest") if job.state is JobState.SUCCEEDED else ()
    return {
        "export_id": job.id,
        "state": job.state,
        "dataset": job.request.dataset,
        "definition_id": job.definition_id,
        "format": job.request.format,
        "rows": job.rows,
        "bytes": job.bytes,
        "error": None if job.error is None or job.state is not JobState.FAILED else job.error.code,
        "links": {"self": own, **{part: f"{own}/{part}" for part in parts}},
    }


def new_delivery(
    tenant: str, channel: str, event: Event, target: Mapping[str, Any], now: datetime, **more: Any
) -> Delivery:
    """One that is due now, under a new id unless `more` has one."""
    given = {"id": new_id(), "payload": {}, "next_at": now, **more}
    return Delivery(
        tenant=tenant,
        channel=channel,
        event=event,
        target=target,
        state=DeliveryState.PENDING,
        created_at=now,
        **given,
    )


def insert_delivery(db: AppDb, delivery: Delivery) -> None:
    """Remember one."""
    with db.write() as connection:
        _insert(connection, [delivery])


def find_delivery(db: AppDb, id_: str) -> Delivery | None:
    """The delivery of that id."""
    return find_deliveries(db, [id_]).get(id_)


def find_deliveries(db: AppDb, ids: Collection[str]) -> Mapping[str, Delivery]:
    """Those of these ids that there are."""
    with db.read() as connection:
        rows = connection.execute(sa.select(DELIVERIES).where(DELIVERIES.c.id.in_(ids)))
        return {row.id: _delivery(row) for row in rows}


def deliveries_of_jobs(db: AppDb, job_ids: Collection[str]) -> Mapping[str, tuple[Delivery, ...]]:
    """The deliveries of each of those jobs that has any, the oldest first."""
    query = sa.select(DELIVERIES).where(DELIVERIES.c.job_id.in_(job_ids)).order_by(DELIVERIES.c.id)
    found: dict[str, tuple[Delivery, ...]] = {}
    with db.read() as connection:
        for row in connection.execute(query):
            found[row.job_id] = (*found.get(row.job_id, ()), _delivery(row))
    return found


def deliveries_of_webhook(db: AppDb, webhook_id: str, *, before: str | None, limit: int) -> tuple[Delivery, ...]:
    """Those of one webhook, the newest first, from the one after `before` on."""
    query = newest(DELIVERIES.c.id, {DELIVERIES.c.webhook_id: webhook_id}, before=before, limit=limit)
    with db.read() as connection:
        return tuple(_delivery(row) for row in connection.execute(query))


def claim_due(db: AppDb, now: datetime, leases: Mapping[str, timedelta]) -> Delivery | None:
    """The next delivery that is due, its attempt counted; nobody else's for as long as its channel's lease lasts."""
    due = sa.and_(DELIVERIES.c.state == DeliveryState.PENDING, DELIVERIES.c.next_at <= now)
    query = sa.select(DELIVERIES).where(due).order_by(DELIVERIES.c.next_at).limit(_LOOKED_AT)
    with db.read() as connection:
        seen = [_delivery(row) for row in connection.execute(query)]
    return next(filter(None, (claim(db, delivery, now, leases[delivery.channel]) for delivery in seen)), None)


def claim(db: AppDb, delivery: Delivery, now: datetime, lease: timedelta) -> Delivery | None:
    """The delivery as `claim_due` gives it; None if somebody else was faster."""
    return _change(db, delivery, attempts=delivery.attempts + 1, next_at=now + lease)


def settle(db: AppDb, delivery: Delivery, sent: Sent, now: datetime) -> Delivery | None:
    """It has arrived; None if its lease was over and somebody else tries it by now."""
    return _change(
        db,
        delivery,
        state=DeliveryState.SUCCEEDED,
        status=sent.status,
        error=sent.note,
        next_at=None,
        finished_at=now,
    )


def postpone(
    db: AppDb, delivery: Delivery, error: str, status: int | None, next_at: datetime | None, now: datetime
) -> Delivery | None:
    """The attempt failed; it is tried again then, or (None) has failed."""
    state = DeliveryState.FAILED if next_at is None else DeliveryState.PENDING
    ended = now if next_at is None else None
    return _change(db, delivery, state=state, status=status, error=error, next_at=next_at, finished_at=ended)


def revive(db: AppDb, id_: str, now: datetime) -> Delivery | None:
    """Send one that has ended once more, under the same id; None if it has not ended."""
    ended = sa.and_(DELIVERIES.c.id == id_, DELIVERIES.c.state != DeliveryState.PENDING)
    fresh = {"state": DeliveryState.PENDING, "attempts": 0, "status": None, "error": None}
    statement = DELIVERIES.update().where(ended).values(**fresh, next_at=now, finished_at=None).returning(DELIVERIES)
    with db.write() as connection:
        row = connection.execute(statement).one_or_none()
    return None if row is None else _delivery(row)


def prune_deliveries(db: AppDb, ended_before: datetime, limit: int = 500) -> int:
    """Forget deliveries that ended before that instant; gives how many, at most `limit`."""
    old = sa.select(DELIVERIES.c.id).where(DELIVERIES.c.finished_at < ended_before).limit(limit)
    with db.write() as connection:
        return connection.execute(DELIVERIES.delete().where(DELIVERIES.c.id.in_(old))).rowcount


def _change(db: AppDb, seen: Delivery, **values: Any) -> Delivery | None:
    """The fence: still pending, and nobody has begun another attempt since it was seen."""
    same = sa.and_(
        DELIVERIES.c.id == seen.id,
        DELIVERIES.c.state == DeliveryState.PENDING,
        DELIVERIES.c.attempts == seen.attempts,
    )
    with db.write() as connection:
        row = connection.execute(DELIVERIES.update().where(same).values(**values).returning(DELIVERIES)).one_or_none()
    return None if row is None else _delivery(row)


def _insert(connection: sa.Connection, deliveries: Iterable[Delivery]) -> None:
    rows = [
        vars(each) | {"target": json.dumps(dict(each.target)), "payload": json.dumps(dict(each.payload))}
        for each in deliveries
    ]
    if rows:
        connection.execute(DELIVERIES.insert(), rows)


def _delivery(row: sa.Row[Any]) -> Delivery:
    known = row._asdict()
    return Delivery(
        **known
        | {
            "event": Event(row.event),
            "state": DeliveryState(row.state),
            "target": json.loads(row.target),
            "payload": json.loads(row.payload),
        }
    )
