"""Deliveries as they are sent, tried again and looked at. They arrive at least once, under an id that stays."""

import random
from collections.abc import Iterable, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from offtake.appdb import deliveries as table
from offtake.errors import Conflict, NotFound, OfftakeError, Unavailable
from offtake.model.access import Principal, Scope, require
from offtake.model.delivery import Delivery, Event
from offtake.model.ids import is_id
from offtake.model.job import ExportJob
from offtake.service.parcels import CHANNELS
from offtake.service.runtime import Runtime

# How long an attempt may take before it is taken for lost: a large file takes its time to copy.
LEASES = {"mail": timedelta(minutes=5), "webhook": timedelta(minutes=5), "store": timedelta(hours=1)}
# What lies between two attempts: ten in about a day.
BACKOFF_S = (15.0, 120.0, 600.0, 1800.0, 3600.0, 7200.0, 14_400.0, 21_600.0, 36_000.0)
KEPT = timedelta(days=30)


def deliver_next(runtime: Runtime) -> Delivery | None:
    """Try the delivery that has been due longest, and give it as it is then; None if none is due, or it was taken over.

    Raises Unavailable, and whatever a bug raises, after which the delivery is tried again.
    """
    claimed = table.claim_due(runtime.appdb, runtime.now(), LEASES)
    return None if claimed is None else attempt(runtime, claimed)


def attempt(runtime: Runtime, delivery: Delivery, *, is_last: bool = False) -> Delivery | None:
    """Send what was claimed and write down what became of it; the last attempt is not followed by another."""
    try:
        sent = CHANNELS[delivery.channel](runtime, delivery)
    except Unavailable:
        raise
    except OfftakeError as error:
        answered = error.extra.get("answered")
        status = answered if isinstance(answered, int) else None
        return _postpone(runtime, delivery, error.detail, status, is_last=is_last or not error.retryable)
    except Exception:
        _postpone(runtime, delivery, "Something broke on our side.", None, is_last=is_last)
        raise
    return table.settle(runtime.appdb, delivery, sent, runtime.now())


def _postpone(
    runtime: Runtime, delivery: Delivery, error: str, status: int | None, *, is_last: bool
) -> Delivery | None:
    now = runtime.now()
    is_last = is_last or delivery.attempts > len(BACKOFF_S)
    pause_s = 0.0 if is_last else BACKOFF_S[delivery.attempts - 1] * random.uniform(0.8, 1.2)  # noqa: S311
    next_at = None if is_last else now + timedelta(seconds=pause_s)
    return table.postpone(runtime.appdb, delivery, error, status, next_at, now)


def announce(
    runtime: Runtime,
    connection: Any,
    tenant: str,
    event: Event,
    data: Mapping[str, Any],
    wishes: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
) -> None:
    """Tell the tenant's webhooks of an event, if the app database's open transaction commits.

    And those that the `wishes` name: targets as `check_deliveries` gives them, by the ids of their deliveries.
    """
    table.insert_event(connection, tenant, event, data, runtime.now(), wishes=wishes)


def deliveries_of(runtime: Runtime, jobs: Iterable[ExportJob]) -> Mapping[str, tuple[Delivery, ...]]:
    """The deliveries of each of those exports that has any, by its id, for whoever has found them before."""
    # An end sets them off, and one that goes on after an end is in a later turn.
    ids = [job.id for job in jobs if job.state.is_final or job.turn]
    return table.deliveries_of_jobs(runtime.appdb, ids) if ids else {}


def redeliver(runtime: Runtime, principal: Principal, delivery_id: str) -> Delivery:
    """Send a delivery that has ended once more, soon, under its id. Raises NotFound, Conflict, InsufficientScope."""
    require(principal, Scope.REPORTS_WRITE)
    delivery = table.find_delivery(runtime.appdb, delivery_id) if is_id(delivery_id) else None
    if delivery is None or principal.tenant not in (None, delivery.tenant):
        raise NotFound("There is no such delivery.", hint="List those of its webhook or export to see their ids.")
    revived = table.revive(runtime.appdb, delivery.id, runtime.now())
    if revived is None:
        raise Conflict("This delivery has not ended.", hint="It is tried again by itself.")
    return revived


def prune(runtime: Runtime) -> int:
    """Forget deliveries that ended long ago; gives how many."""
    return table.prune_deliveries(runtime.appdb, runtime.now() - KEPT)
