"""The parts one running service is made of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, NoReturn

from offtake.appdb.database import AppDb
from offtake.model.access import Secret, Tenant
from offtake.model.dataset import Dataset
from offtake.model.delivery import Event, Outbox
from offtake.model.job import ExportJob, JobLimits, Retention
from offtake.model.limits import Limits
from offtake.model.ports import Format, Queue, Source, Stop, Store
from offtake.service.counters import Counters

if TYPE_CHECKING:
    from offtake.service.jwks import KeyRing


# What a foreign API tells webhooks of its own when an export that was made through it has ended.
Telling = Callable[["Runtime", ExportJob, Event], Mapping[str, Any]]


class Absent:
    """In the place of a part that a command does without, such as the store in `offtake export`."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, _: str) -> NoReturn:
        raise RuntimeError(f"This process was started without a {self._name}.")


def _absent(name: str) -> Any:
    return Absent(name)


@dataclass(frozen=True)
class Runtime:
    """Everything a use case needs. `app.build_runtime` makes it; tests make their own.

    `issuers` are those whose tokens are believed, by name. `resolved` remembers datasets whose fields were read from
    their source; it only ever grows. `ending` is set when the process was told to end: what only waits for news lets
    go. `own_sources` are those of our own tables: that they answer says nothing of anybody's data. `telling` knows what
    a foreign API says to webhooks; None if it says nothing, or is not served.
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
    store: Store = field(default_factory=lambda: _absent("store"))
    queue: Queue = field(default_factory=lambda: _absent("queue"))
    outbox: Outbox = field(default_factory=lambda: _absent("outbox"))
    job_limits: JobLimits = field(default_factory=JobLimits)
    retention: Retention = field(default_factory=Retention)
    public_url: str | None = None
    secrets: tuple[Secret, ...] = ()
    issuers: "Mapping[str, KeyRing]" = field(default_factory=dict)
    resolved: dict[str, Dataset] = field(default_factory=dict)
    redirect_downloads: bool = False
    ending: Stop = field(default_factory=Stop)
    own_sources: frozenset[str] = frozenset()
    telling: Callable[[str], Telling | None] = lambda _: None

    @property
    def has_jobs(self) -> bool:
        """Whether this process was started with a store and a queue."""
        return not isinstance(self.store, Absent) and not isinstance(self.queue, Absent)
