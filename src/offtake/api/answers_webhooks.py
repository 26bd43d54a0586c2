"""What answers about webhooks and deliveries hold."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from offtake.model.delivery import Delivery, DeliveryState, Event, Webhook


@dataclass(frozen=True)
class WebhookAnswer:
    """A webhook, without its secret. `old_secret_until` is when the one before ceases to sign as well.

    `dialect` is the foreign API in whose words it is told of what was made through that; null = natively, of all.
    """

    id: str
    url: str
    events: tuple[Event, ...]
    is_active: bool
    created_at: datetime
    updated_at: datetime
    old_secret_until: datetime | None
    dialect: str | None


@dataclass(frozen=True)
class NewWebhookAnswer(WebhookAnswer):
    """A webhook with the secret that signs for it, which is shown this once."""

    secret: str = ""


@dataclass(frozen=True)
class WebhookList:
    """Webhooks of the caller's tenant, the newest first. `next_cursor` asks for those after them; null on the last."""

    data: tuple[WebhookAnswer, ...]
    next_cursor: str | None


@dataclass(frozen=True)
class DeliveryAnswer:
    """One thing that was or will be sent. `status` is the HTTP status that a webhook answered last."""

    id: str
    channel: str
    event: Event
    export_id: str | None
    webhook_id: str | None
    state: DeliveryState
    attempts: int
    status: int | None
    error: str | None
    created_at: datetime
    next_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True)
class DeliveryList:
    """Deliveries, the newest first. `next_cursor` asks for those after them; null on the last."""

    data: tuple[DeliveryAnswer, ...]
    next_cursor: str | None


@dataclass(frozen=True)
class TriedAnswer:
    """What became of a test event. `status` is null if the webhook was never reached."""

    id: str
    state: DeliveryState
    status: int | None
    error: str | None


def webhook_answer(webhook: Webhook, now: datetime) -> WebhookAnswer:
    """The webhook as it is shown."""
    return WebhookAnswer(**_shown(webhook, now))


def new_webhook_answer(webhook: Webhook, now: datetime, secret: str) -> NewWebhookAnswer:
    """The webhook as it is shown once."""
    return NewWebhookAnswer(**_shown(webhook, now), secret=secret)


def delivery_answer(delivery: Delivery) -> DeliveryAnswer:
    """The delivery as it is shown."""
    return DeliveryAnswer(
        id=delivery.id,
        channel=delivery.channel,
        event=delivery.event,
        export_id=delivery.job_id,
        webhook_id=delivery.webhook_id,
        state=delivery.state,
        attempts=delivery.attempts,
        status=delivery.status,
        error=delivery.error,
        created_at=delivery.created_at,
        next_at=delivery.next_at,
        finished_at=delivery.finished_at,
    )


def _shown(webhook: Webhook, now: datetime) -> dict[str, Any]:
    until = webhook.old_until
    return {
        "id": webhook.id,
        "url": webhook.url,
        "events": webhook.events,
        "is_active": webhook.is_active,
        "created_at": webhook.created_at,
        "updated_at": webhook.updated_at,
        "old_secret_until": until if until is not None and until > now else None,
        "dialect": webhook.dialect,
    }
