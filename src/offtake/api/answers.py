"""What answers hold, as plain dataclasses that FastAPI writes and describes."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from offtake.model.access import Key
from offtake.service.datasets import DatasetView


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
class HealthAnswer:
    """`ready`, `degraded` (some source does not answer) or `not_ready`; the parts only for callers with a key."""

    status: str
    appdb: str | None = None
    sources: dict[str, str] | None = None


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
