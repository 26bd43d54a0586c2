"""Deliveries: what is sent when something has happened, by mail, to a webhook or into another store."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from offtake.model.ports import Store, StoreSpec

# What templates of subjects and of the names of copies may hold.
PLACEHOLDERS = ("dataset", "date", "datetime", "format", "tenant", "filename", "id")


class Event(StrEnum):
    """What can have happened."""

    EXPORT_SUCCEEDED = "export.succeeded"
    EXPORT_FAILED = "export.failed"
    EXPORT_CANCELLED = "export.cancelled"
    SCHEDULE_FAILED = "schedule.failed"
    TEST = "test"


class DeliveryState(StrEnum):
    """Whether it has arrived."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True)
class Delivery:
    """One thing to send to one place, and what became of it.

    `id` stays the same however often it is sent, so that a receiver can tell repeats. `target` says to whom or where,
    `payload` what a webhook is told. `status` is the last HTTP status of a webhook. A pending one is tried at
    `next_at`; while somebody tries it, that is when another may.
    """

    id: str
    tenant: str
    channel: str
    event: Event
    target: Mapping[str, Any]
    payload: Mapping[str, Any]
    state: DeliveryState
    created_at: datetime
    job_id: str | None = None
    webhook_id: str | None = None
    attempts: int = 0
    status: int | None = None
    error: str | None = None
    next_at: datetime | None = None
    finished_at: datetime | None = None


@dataclass(frozen=True)
class Webhook:
    """An address that is told of a tenant's events. Its secrets are sealed; until `old_until` the old one signs too.

    One with a `dialect` is told only of exports that were made through that foreign API, as it would tell of them.
    """

    id: str
    tenant: str
    owner_id: str
    url: str
    events: tuple[Event, ...]
    secret: str = field(repr=False)
    created_at: datetime
    updated_at: datetime
    old_secret: str | None = field(default=None, repr=False)
    old_until: datetime | None = None
    is_active: bool = True
    dialect: str | None = None


@dataclass(frozen=True)
class SmtpSpec:
    """The mail server. `security` is starttls, tls (from the first byte) or none; `ca_file` is trusted instead of the
    system's authorities. No `allowed_domains` = mail may go anywhere."""

    host: str
    sender: str
    port: int = 587
    security: str = "starttls"
    user: str = ""
    password: str = field(default="", repr=False)
    ca_file: str | None = None
    timeout_s: float = 30.0
    allowed_domains: tuple[str, ...] = ()
    attach_max_bytes: int = 10_000_000


@dataclass(frozen=True)
class WebhookRules:
    """Where webhooks may lead. `allowed_hosts` (`name` or `name:port`) may be inside; nothing else may."""

    allowed_hosts: frozenset[str] = frozenset()
    timeout_s: float = 10.0


@dataclass(frozen=True)
class TargetSpec:
    """A place for copies, and the folder in it: a template that requests cannot leave."""

    store: StoreSpec
    folder: str = "{tenant}"


@dataclass(frozen=True)
class Letter:
    """A mail, said twice: as text and as HTML. The id becomes its Message-ID, `at` its date."""

    id: str
    at: datetime
    to: tuple[str, ...]
    subject: str
    text: str
    html: str
    filename: str = ""
    media_type: str = ""
    attachment: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Call:
    """A request to a webhook, signed with each of the secrets as of `at`."""

    id: str
    at: datetime
    url: str
    body: str
    secrets: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True)
class Sent:
    """It has arrived: under which HTTP status, and what people should know all the same."""

    status: int | None = None
    note: str | None = None


@dataclass(frozen=True)
class Target:
    """An open store for copies."""

    store: Store
    folder: str = "{tenant}"


_NOWHERE: Mapping[str, Target] = MappingProxyType({})


@dataclass(frozen=True)
class Outbox:
    """How deliveries leave. Both ways of sending raise DeliveryFailed if trying again can help, else DeliveryRefused.

    `check_url` raises DeliveryRefused for a URL that no webhook may have. Without `smtp` there is no mail.
    """

    mail: Callable[[Letter], Sent]
    webhook: Callable[[Call], Sent]
    check_url: Callable[[str], None]
    smtp: SmtpSpec | None = None
    targets: Mapping[str, Target] = field(default_factory=lambda: _NOWHERE)
