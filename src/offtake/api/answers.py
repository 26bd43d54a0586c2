"""What answers hold, as plain dataclasses that FastAPI writes and describes."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter

from offtake.model.access import Key
from offtake.model.delivery import Delivery, DeliveryState
from offtake.model.job import ExportJob, JobError, JobState
from offtake.service.datasets import DatasetView
from offtake.service.previews import Preview


@dataclass(frozen=True)
class DatasetList:
    """Every dataset the caller may read; never cut into pages."""

    data: tuple[DatasetView, ...]
    next_cursor: None = None


@dataclass(frozen=True)
class ColumnAnswer:
    """A column of a preview."""

    name: str
    label: str
    type: str


@dataclass(frozen=True)
class PreviewAnswer:
    """At most 50 rows, each a list of cells as the file will hold them, and how many rows the file would have."""

    columns: tuple[ColumnAnswer, ...]
    data: tuple[tuple[Any, ...], ...]
    total: int


@dataclass(frozen=True)
class KeyAnswer:
    """A key, without its secret."""

    id: str
    tenant: str
    prefix: str
    scopes: tuple[str, ...]
    roles: tuple[str, ...]
    created_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True)
class NewKeyAnswer(KeyAnswer):
    """A key with its secret, which is shown this once."""

    secret: str = ""


@dataclass(frozen=True)
class KeyList:
    """Every key of the caller's tenant."""

    data: tuple[KeyAnswer, ...]
    next_cursor: None = None


@dataclass(frozen=True)
class DeliveryNote:
    """What became of one delivery."""

    id: str
    channel: str
    state: DeliveryState
    attempts: int
    error: str | None


@dataclass(frozen=True)
class ExportAnswer:
    """An export that runs in the background.

    `rows` and `bytes` are of the file so far; `total`, `percent` and `eta_s` are known where counting was cheap. `rate`
    is in rows a second. `error` is that of the last attempt. `links` holds `self` and `events`, and `download` and
    `manifest` as long as there is a file. `deliveries` begin with the end of the export; null = it cannot be
    told at the moment.
    """

    id: str
    dataset: str
    definition_id: str | None
    format: str
    state: JobState
    rows: int
    bytes: int
    total: int | None
    percent: float | None
    eta_s: float | None
    rate: float | None
    attempts: int
    error: JobError | None
    priority: int
    filename: str | None
    sha256: str | None
    created_at: datetime
    start_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    expires_at: datetime | None
    links: dict[str, str]
    deliveries: tuple[DeliveryNote, ...] | None


@dataclass(frozen=True)
class ExportList:
    """Exports of the caller's tenant, the newest first. `next_cursor` asks for those after them; null on the last."""

    data: tuple[ExportAnswer, ...]
    next_cursor: str | None


@dataclass(frozen=True)
class LinkAnswer:
    """A URL that needs no key, and when it ends."""

    url: str
    expires_at: datetime


@dataclass(frozen=True)
class HealthAnswer:
    """`ready`, `degraded` (some source does not answer) or `not_ready`; the parts only for callers with a key.

    `store` and `queue` are null where the service runs without jobs.
    """

    status: str
    appdb: str | None = None
    store: str | None = None
    queue: str | None = None
    sources: dict[str, str] | None = None


def preview_answer(preview: Preview) -> PreviewAnswer:
    """The preview as it is shown."""
    columns = tuple(ColumnAnswer(c.name, c.label or c.field.label or c.name, c.type) for c in preview.columns)
    return PreviewAnswer(columns, preview.rows, preview.total)


def export_answer(
    job: ExportJob, now: datetime, address: Callable[[str], str], deliveries: Iterable[Delivery] | None
) -> ExportAnswer:
    """The job as it is shown now; `address` makes a path of ours absolute."""
    file = None if job.expires_at is not None and job.expires_at <= now else job.artifact
    own = address(f"/api/v1/exports/{job.id}")
    parts = ("events", "download", "manifest") if file else ("events",)
    return ExportAnswer(
        id=job.id,
        dataset=job.request.dataset,
        definition_id=job.definition_id,
        format=job.request.format,
        state=job.state_at(now),
        rows=job.rows,
        bytes=job.bytes,
        total=job.total,
        percent=job.percent,
        eta_s=job.eta_s(now),
        rate=job.rows_per_s,
        attempts=job.attempt,
        error=job.error,
        priority=job.priority,
        filename=file.filename if file else None,
        sha256=file.sha256 if file else None,
        created_at=job.created_at,
        start_at=job.due_at.astimezone(UTC),
        started_at=job.started_at,
        finished_at=job.finished_at,
        expires_at=job.expires_at,
        links={"self": own, **{part: f"{own}/{part}" for part in parts}},
        deliveries=None if deliveries is None else delivery_notes(deliveries),
    )


def delivery_notes(deliveries: Iterable[Delivery]) -> tuple[DeliveryNote, ...]:
    """What became of them, for where they are shown with what they tell of."""
    return tuple(DeliveryNote(each.id, each.channel, each.state, each.attempts, each.error) for each in deliveries)


def export_json(answer: ExportAnswer) -> dict[str, Any]:
    """The export as FastAPI would write it, where FastAPI does not."""
    written: dict[str, Any] = _EXPORT.dump_python(answer, mode="json")
    return written


_EXPORT = TypeAdapter(ExportAnswer)


def key_answer(key: Key) -> KeyAnswer:
    """The key as it is shown."""
    return KeyAnswer(**_fields(key))


def new_key_answer(key: Key, secret: str) -> NewKeyAnswer:
    """The key as it is shown once."""
    return NewKeyAnswer(**_fields(key), secret=secret)


def _fields(key: Key) -> dict[str, Any]:
    return {
        "id": key.id,
        "tenant": key.tenant,
        "prefix": key.prefix,
        "scopes": tuple(sorted(key.scopes)),
        "roles": tuple(sorted(key.roles)),
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "last_used_at": key.last_used_at,
    }
