"""Webhooks: make, list, change, rotate, try, delete; what was sent to them, and sending it again."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request

from offtake.api.answers_webhooks import (
    DeliveryAnswer,
    DeliveryList,
    NewWebhookAnswer,
    TriedAnswer,
    WebhookAnswer,
    WebhookList,
    delivery_answer,
    new_webhook_answer,
    webhook_answer,
)
from offtake.api.bodies import PageQuery
from offtake.api.bodies_webhooks import ChangedWebhookBody, NewWebhookBody
from offtake.api.spec import problems
from offtake.service import deliveries, webhooks
from offtake.service.lists import list_page
from offtake.web.auth import Caller
from offtake.web.site import site_of

Listed = Annotated[PageQuery, Query()]

ROUTES = APIRouter(prefix="/api/v1", tags=["webhooks"])


@ROUTES.post("/webhooks", status_code=201, responses=problems(409, 413, 415, 503))
def post_webhook(request: Request, body: NewWebhookBody, caller: Caller) -> NewWebhookAnswer:
    """Have events of the tenant posted to an address, signed with the secret in this answer."""
    runtime = site_of(request).runtime
    webhook, secret = webhooks.create_webhook(runtime, caller, body.url, body.events, body.dialect)
    return new_webhook_answer(webhook, runtime.now(), secret)


@ROUTES.get("/webhooks", responses=problems(503))
def get_webhooks(request: Request, caller: Caller, query: Listed) -> WebhookList:
    """Every webhook of the tenant, without secrets, a page at a time."""
    runtime = site_of(request).runtime
    find = partial(webhooks.list_webhooks, runtime, caller)
    page = list_page(runtime, ("webhooks", caller.tenant), query.cursor, query.limit, find)
    return WebhookList(tuple(webhook_answer(webhook, runtime.now()) for webhook in page.things), page.next_cursor)


@ROUTES.get("/webhooks/{webhook_id}", responses=problems(503))
def get_webhook(request: Request, webhook_id: str, caller: Caller) -> WebhookAnswer:
    """One webhook, without its secret."""
    runtime = site_of(request).runtime
    return webhook_answer(webhooks.find_webhook(runtime, caller, webhook_id), runtime.now())


@ROUTES.put("/webhooks/{webhook_id}", responses=problems(413, 415, 503))
def put_webhook(request: Request, webhook_id: str, body: ChangedWebhookBody, caller: Caller) -> WebhookAnswer:
    """Let it lead elsewhere, be told of other events, or be told of nothing for now."""
    runtime = site_of(request).runtime
    changed = webhooks.change_webhook(
        runtime, caller, webhook_id, url=body.url, events=body.events, is_active=body.is_active
    )
    return webhook_answer(changed, runtime.now())


@ROUTES.delete("/webhooks/{webhook_id}", status_code=204, responses=problems(503))
def delete_webhook(request: Request, webhook_id: str, caller: Caller) -> None:
    """Delete it, with the list of what was sent to it. What waits is not sent any more."""
    webhooks.delete_webhook(site_of(request).runtime, caller, webhook_id)


@ROUTES.post("/webhooks/{webhook_id}/rotate", responses=problems(503))
def post_rotate(request: Request, webhook_id: str, caller: Caller) -> NewWebhookAnswer:
    """Give it a new secret. For a day, the one before signs too, so that the receiver can change over."""
    runtime = site_of(request).runtime
    webhook, secret = webhooks.rotate_secret(runtime, caller, webhook_id)
    return new_webhook_answer(webhook, runtime.now(), secret)


@ROUTES.post("/webhooks/{webhook_id}/test", responses=problems(503))
def post_test(request: Request, webhook_id: str, caller: Caller) -> TriedAnswer:
    """Send it a test event at once, a single time, and tell what became of it."""
    tried = webhooks.try_webhook(site_of(request).runtime, caller, webhook_id)
    return TriedAnswer(tried.id, tried.state, tried.status, tried.error)


@ROUTES.get("/webhooks/{webhook_id}/deliveries", responses=problems(503))
def get_deliveries(request: Request, webhook_id: str, caller: Caller, query: Listed) -> DeliveryList:
    """What was sent to it in the last 30 days, and what will be, a page at a time."""
    runtime = site_of(request).runtime
    find = partial(webhooks.list_deliveries, runtime, caller, webhook_id)
    page = list_page(runtime, ("deliveries", webhook_id), query.cursor, query.limit, find)
    return DeliveryList(tuple(delivery_answer(delivery) for delivery in page.things), page.next_cursor)


@ROUTES.post("/deliveries/{delivery_id}/redeliver", status_code=202, responses=problems(409, 503))
def post_redeliver(request: Request, delivery_id: str, caller: Caller) -> DeliveryAnswer:
    """Send a mail, webhook or copy that has ended once more, under the same id."""
    return delivery_answer(deliveries.redeliver(site_of(request).runtime, caller, delivery_id))
