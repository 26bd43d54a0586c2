"""The parts one running service is made of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from offtake.appdb.database import AppDb
from offtake.model.access import Secret, Tenant
from offtake.model.dataset import Dataset
from offtake.model.limits import Limits
from offtake.model.ports import Format, Source
from offtake.service.counters import Counters


@dataclass(frozen=True)
class Runtime:
    """Everything a use case needs. `app.build_runtime` makes it; tests make their own.

    `resolved` remembers datasets whose fields were read from their
    source; it only ever grows.
    """

    datasets: Mapping[str, Dataset]
    sources: Mapping[str, Source]
    formats: Mapping[str, Format]
    tenants: Mapping[str, Tenant]
    roles: Mapping[str, frozenset[str]]
    limits: Limits
    counters: Counters
    appdb: AppDb
    now: Callable[[], datetime]
    public_url: str | None = None
    secrets: tuple[Secret, ...] = ()
    resolved: dict[str, Dataset] = field(default_factory=dict)
