"""Webhooks as people use them: make, list, change, rotate the secret, try, delete."""

import base64
import secrets
from collections.abc import Sequence
from datetime import timedelta

from offtake.appdb import deliveries as delivery_table
from offtake.appdb import webhooks as table
from offtake.errors import Conflict, DeliveryRefused, InvalidRequest, NotFound
from offtake.model.access import Principal, Scope, require
from offtake.model.dataset import DIALECTS
from offtake.model.delivery import Delivery, Event, Webhook
from offtake.model.ids import is_id, new_id
from offtake.query.nearest import did_you_mean
from offtake.service.deliveries import LEASES, attempt
from offtake.service.runtime import Runtime
from offtake.service.sealing import seal
from offtake.service.trail import current_trail

MARK = "whsec_"
SECRET_BYTES = 32
MOST = 50  # of one tenant: each end of an export makes a delivery for every one of them
OLD_SIGNS = timedelta(days=1)
EVENTS = tuple(event for event in Event if event is not Event.TEST)


def create_webhook(
    runtime: Runtime, principal: Principal, url: str, events: Sequence[str], dialect: str | None = None
) -> tuple[Webhook, str]:
    """A webhook, and its secret, which is shown this once; with a dialect it is told what that API tells of exports.

    Raises InvalidRequest, Conflict, InsufficientScope.
    """
    require(principal, Scope.REPORTS_WRITE)
    if dialect is not None and runtime.telling(dialect) is None:
        known = [name for name in DIALECTS if runtime.telling(name) is not None]
        hint = did_you_mean(dialect[:40], known, "Known")
        raise InvalidRequest(f"No webhook speaks {dialect[:40]!r}.", hint=hint, pointer="/dialect")
    if principal.tenant is None:
        raise InvalidRequest("A webhook belongs to one tenant.", hint="Use a key of a tenant.")
    wanted = _check(runtime, url, events)
    secret, now = _new_secret(), runtime.now()
    webhook = Webhook(
        id=new_id(),
        tenant=principal.tenant,
        owner_id=principal.id,
        url=url,
        events=wanted,
        secret=seal(runtime, secret),
        created_at=now,
        updated_at=now,
        dialect=dialect,
    )
    if not table.insert_webhook(runtime.appdb, webhook, MOST):
        raise Conflict(f"A tenant has at most {MOST} webhooks.", hint="Delete one that nobody needs.")
    current_trail().thing = webhook.id
    return webhook, secret


def find_webhook(runtime: Runtime, principal: Principal, webhook_id: str) -> Webhook:
    """The tenant's webhook of that id. Raises NotFound, InsufficientScope."""
    require(principal, Scope.REPORTS_WRITE)
    webhook = table.find_webhook(runtime.appdb, webhook_id) if is_id(webhook_id) else None
    if webhook is None or principal.tenant not in (None, webhook.tenant):
        raise _no_such()
    return webhook


def list_webhooks(
    runtime: Runtime, principal: Principal, *, before: str | None = None, limit: int = 50
) -> tuple[Webhook, ...]:
    """The tenant's webhooks, the newest first, from the one after `before` on. Raises InsufficientScope."""
    require(principal, Scope.REPORTS_WRITE)
    return table.list_webhooks(runtime.appdb, principal.tenant, before=before, limit=limit)


def change_webhook(
    runtime: Runtime, principal: Principal, webhook_id: str, *, url: str, events: Sequence[str], is_active: bool
) -> Webhook:
    """The webhook with all of that in place of what it was. Raises NotFound, InvalidRequest, InsufficientScope."""
    webhook = find_webhook(runtime, principal, webhook_id)
    wanted = _check(runtime, url, events)
    changed = table.change_webhook(
        runtime.appdb, webhook.id, url=url, events=wanted, is_active=is_active, now=runtime.now()
    )
    return _there(changed)


def rotate_secret(runtime: Runtime, principal: Principal, webhook_id: str) -> tuple[Webhook, str]:
    """The webhook with a new secret, which is shown this once. For a day, the one before signs as well.

    Raises NotFound, InsufficientScope.
    """
    webhook = find_webhook(runtime, principal, webhook_id)
    secret, now = _new_secret(), runtime.now()
    changed = table.rotate_secret(runtime.appdb, webhook.id, seal(runtime, secret), now + OLD_SIGNS, now)
    return _there(changed), secret


def delete_webhook(runtime: Runtime, principal: Principal, webhook_id: str) -> None:
    """Forget it, with its deliveries. Raises NotFound, InsufficientScope."""
    table.delete_webhook(runtime.appdb, find_webhook(runtime, principal, webhook_id).id)


def try_webhook(runtime: Runtime, principal: Principal, webhook_id: str) -> Delivery:
    """Send it a test event at once, a single time; what became of it. Raises NotFound, InsufficientScope."""
    webhook, now = find_webhook(runtime, principal, webhook_id), runtime.now()
    payload = {"type": Event.TEST, "timestamp": now.isoformat(), "data": {"webhook_id": webhook.id}}
    test = delivery_table.new_delivery(
        webhook.tenant,
        "webhook",
        Event.TEST,
        {},
        now,
        payload=payload,
        webhook_id=webhook.id,
        next_at=now + LEASES["webhook"],
    )
    delivery_table.insert_delivery(runtime.appdb, test)
    claimed = delivery_table.claim(runtime.appdb, test, now, LEASES["webhook"])
    tried = None if claimed is None else attempt(runtime, claimed, is_last=True)
    return tried or delivery_table.find_delivery(runtime.appdb, test.id) or test


def list_deliveries(
    runtime: Runtime, principal: Principal, webhook_id: str, *, before: str | None = None, limit: int = 50
) -> tuple[Delivery, ...]:
    """What was sent to the webhook, the newest first. Raises NotFound, InsufficientScope."""
    webhook = find_webhook(runtime, principal, webhook_id)
    return delivery_table.deliveries_of_webhook(runtime.appdb, webhook.id, before=before, limit=limit)


def _check(runtime: Runtime, url: str, events: Sequence[str]) -> tuple[Event, ...]:
    """The events that are meant."""
    try:
        runtime.outbox.check_url(url)
    except DeliveryRefused as error:
        raise InvalidRequest(error.detail, hint=error.hint, pointer="/url") from None
    for n, name in enumerate(events):
        if name not in EVENTS:
            hint = did_you_mean(name[:40], EVENTS, "Events")
            raise InvalidRequest(f"There is no event {name[:40]!r}.", hint=hint, pointer=f"/events/{n}")
    if not events:
        hint = f"Events: {', '.join(EVENTS)}."
        raise InvalidRequest("A webhook wants at least one event.", hint=hint, pointer="/events")
    return tuple(dict.fromkeys(Event(name) for name in events))


def _new_secret() -> str:
    return MARK + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def _there(webhook: Webhook | None) -> Webhook:
    if webhook is None:
        raise _no_such()
    return webhook


def _no_such() -> NotFound:
    return NotFound("There is no such webhook.", hint="List the webhooks to see their ids.")
