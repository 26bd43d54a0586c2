"""Export jobs: their states and legal moves, and what they leave behind besides bytes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from offtake.model.access import Principal
from offtake.model.export import ExportRequest


class JobState(StrEnum):
    """Where a job stands."""

    SCHEDULED = "scheduled"
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Nothing more will happen unless somebody asks for it."""
        return self in (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)


_S = JobState
# From a state to those that may follow. A running job goes back into the queue when an attempt failed that may be
# repeated; a final one only when a person asks to retry it.
MOVES: Mapping[JobState, frozenset[JobState]] = MappingProxyType(
    {
        _S.SCHEDULED: frozenset({_S.QUEUED, _S.RUNNING, _S.CANCELLED, _S.FAILED}),
        _S.QUEUED: frozenset({_S.RUNNING, _S.CANCELLED, _S.FAILED}),
        _S.RUNNING: frozenset({_S.QUEUED, _S.SUCCEEDED, _S.FAILED, _S.CANCELLED}),
        _S.SUCCEEDED: frozenset(),
        _S.FAILED: frozenset({_S.QUEUED}),
        _S.CANCELLED: frozenset({_S.QUEUED}),
    }
)


def states_before(state: JobState) -> frozenset[JobState]:
    """The states from which this one can be reached."""
    return frozenset(before for before, after in MOVES.items() if state in after)


@dataclass(frozen=True)
class JobLimits:
    """How jobs are run. `concurrency` 0 = this process takes none; `per_tenant` 0 = as many as there is room for.

    `attempts` counts tries that failed by themselves; one that only lost its machine is tried again regardless.
    """

    concurrency: int = 2
    per_tenant: int = 0
    attempts: int = 3
    duration_s: int = 21_600
    memory_mb: int = 2048
    grace_s: int = 30


@dataclass(frozen=True)
class Retention:
    """How long artifacts are kept, in days: a dataset's own time before the tenant's, and that before `days`.

    `audit_days` is for the lines of the audit. 0 = for ever.
    """

    days: float = 7
    tenants: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    datasets: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    audit_days: float = 365


@dataclass(frozen=True)
class JobError:
    """Why a job, or its last attempt, failed: as the same failure would be told over HTTP."""

    code: str
    detail: str
    hint: str = ""
    retryable: bool = False


@dataclass(frozen=True)
class Artifact:
    """What a finished job left. `name` is its name in the store, unique to the attempt; the manifest lies beside it."""

    name: str
    filename: str
    media_type: str
    bytes: int
    sha256: str

    @property
    def manifest_name(self) -> str:
        """The name of its manifest in the store."""
        return f"{self.name}.manifest.json"


@dataclass(frozen=True)
class Recurrence:
    """When a job comes again: at the instants of an RFC 5545 rule counted from `start`, in UTC."""

    rrule: str
    start: datetime


@dataclass(frozen=True)
class ExportJob:
    """One background run, as the app database remembers it.

    `attempt` grows with every start, `failures` with every attempt that failed by itself, `turn` whenever it goes back
    into the queue. `due_at` is when it may start, `instant` what relative dates mean if that is something else.
    `needs` are the scopes whoever fetches the file must hold. `total` is the rows to expect, where counting them was
    cheap. `revision` grows with every change, for events. `stages` are seconds spent on plan, read, encode, deliver.
    `deliveries` say where its file goes. One made through a foreign API (`dialect`) may have an id of the client's own
    and things to echo (`extra`). With a `recurrence` its end makes the next job, `follower_id`.
    """

    id: str
    tenant: str
    owner: Principal
    request: ExportRequest
    state: JobState
    created_at: datetime
    due_at: datetime
    needs: frozenset[str] = frozenset()
    priority: int = 0
    attempt: int = 0
    failures: int = 0
    turn: int = 0
    rows: int = 0
    bytes: int = 0
    total: int | None = None
    error: JobError | None = None
    artifact: Artifact | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    expires_at: datetime | None = None
    beat_at: datetime | None = None
    stages: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    definition_id: str | None = None
    deliveries: tuple[Mapping[str, Any], ...] = ()
    revision: int = 0
    name: str | None = None
    dialect: str | None = None
    external_id: str | None = None
    extra: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    recurrence: Recurrence | None = None
    follower_id: str | None = None
    modified_at: datetime | None = None
    instant: datetime | None = None

    @property
    def as_of(self) -> datetime:
        """What relative dates mean, however late it runs."""
        return self.instant or self.due_at

    @property
    def public_id(self) -> str:
        """The id that clients of its own API know it by."""
        return self.external_id or self.id

    @property
    def updated_at(self) -> datetime:
        """When it last changed."""
        return self.finished_at or self.beat_at or self.started_at or self.modified_at or self.created_at

    def state_at(self, now: datetime) -> JobState:
        """The state as it is shown: a scheduled job whose time has come is queued."""
        if self.state is JobState.SCHEDULED and self.due_at <= now:
            return JobState.QUEUED
        return self.state

    @property
    def percent(self) -> float | None:
        """How much is done, 0 to 100; None where nobody knows the total."""
        if self.state is JobState.SUCCEEDED:
            return 100.0
        if self.total is None:
            return None
        return min(99.9, round(100 * self.rows / self.total, 1)) if self.total else 0.0

    def eta_s(self, now: datetime) -> float | None:
        """Seconds still to go at the present rate; None unless it runs and the total is known."""
        if self.state is not JobState.RUNNING or not self.total or not self.rows or self.started_at is None:
            return None
        return round(max(0, self.total - self.rows) * (now - self.started_at).total_seconds() / self.rows, 1)

    @property
    def rows_per_s(self) -> float | None:
        """Rows a second of the current or last attempt; None before the first."""
        until = self.finished_at or self.beat_at
        if self.started_at is None or until is None or not self.rows:
            return None
        return round(self.rows / max(0.001, (until - self.started_at).total_seconds()), 1)


@dataclass(frozen=True)
class Progress:
    """What an attempt has come to so far."""

    rows: int = 0
    bytes: int = 0
    total: int | None = None


@dataclass(frozen=True)
class ManifestColumn:
    """One column of the file, as a reader of the manifest needs it; never a tenant's name."""

    name: str
    label: str
    type: str
    masked: bool = False


@dataclass(frozen=True)
class Part:
    """One whole file inside a zip of parts."""

    file: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What is in a file and how to see that it is whole: kept beside it as `FILE.manifest.json`.

    `filter` is the tree as it was evaluated: relative dates are instants by then. `guarded` and `cut` count the cells
    an encoder changed. `sha256` in lower-case hex is of the file's bytes as written, compression included. `parts` are
    the files inside, if it is a zip of parts.
    """

    file: str
    dataset: str
    format: str
    media_type: str
    compression: str
    rows: int
    bytes: int
    sha256: str
    columns: tuple[ManifestColumn, ...]
    filter: Mapping[str, Any] | None
    sort: tuple[str, ...]
    limit: int | None
    locale: str | None
    timezone: str | None
    options: Mapping[str, Any]
    guarded: int
    cut: int
    snapshot_at: datetime
    version: str
    parts: tuple[Part, ...] = ()
