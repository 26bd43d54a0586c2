"""Schedules: when a definition runs by itself, what happens to instants nobody was there for, and what each run did."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from offtake.model.access import Principal
from offtake.model.job import JobState


class ScheduleState(StrEnum):
    """Whether a schedule runs. One that ended has no instant left."""

    ACTIVE = "active"
    PAUSED = "paused"
    ENDED = "ended"


class RunState(StrEnum):
    """Where the run of one instant stands."""

    WAITING = "waiting"  # its instant has come, its export is not in the queue yet
    SUBMITTED = "submitted"
    SKIPPED = "skipped"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Nothing more will happen."""
        return self not in (RunState.WAITING, RunState.SUBMITTED)


RUN_STATES: Mapping[JobState, RunState] = {
    JobState.SUCCEEDED: RunState.SUCCEEDED,
    JobState.FAILED: RunState.FAILED,
    JobState.CANCELLED: RunState.CANCELLED,
}


class CatchUp(StrEnum):
    """Which of the instants that passed while nothing ran are made up for."""

    SKIP = "skip"
    ONE = "one"  # the latest
    ALL = "all"  # the latest of them, up to a limit, in their order


class Overlap(StrEnum):
    """What becomes of an instant that comes while the run before is still at work."""

    SKIP = "skip"
    QUEUE = "queue"
    ALLOW = "allow"


@dataclass(frozen=True)
class Timetable:
    """An RFC 5545 rule counted from `start`; both `start` and `end` (inclusive) are local times of the zone, naive."""

    rrule: str
    timezone: str
    start: datetime
    end: datetime | None = None


@dataclass(frozen=True)
class Delta:
    """Each run takes only what came after the last that succeeded, told by a field whose values grow and are not null.

    Rows that commit within `settle_s` of getting their value are in exactly one succeeded run.
    """

    field: str
    settle_s: int = 0


@dataclass(frozen=True)
class ScheduleDraft:
    """What its maker says about a schedule. `deliveries` say where each file goes."""

    definition_id: str
    timetable: Timetable
    catch_up: CatchUp = CatchUp.ONE
    catch_up_limit: int = 10
    overlap: Overlap = Overlap.SKIP
    skip_if_empty: bool = False
    delta: Delta | None = None
    deliveries: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class Schedule:
    """A draft that was saved. It runs with the rights its owner has at each instant.

    `version` grows with every change, `runs` with every run that was put into the queue. `watermark` is the value that
    the last delta to succeed reached, as a filter would have it.
    """

    id: str
    tenant: str
    owner: Principal
    draft: ScheduleDraft
    state: ScheduleState
    created_at: datetime
    updated_at: datetime
    version: int = 1
    next_at: datetime | None = None
    last_at: datetime | None = None
    runs: int = 0
    watermark: int | str | None = None


@dataclass(frozen=True)
class Window:
    """What a delta's run covers: `after` < field ≤ `until`; `after` None = from the first row on.

    `rows` were in its file. `late_rows` is how many more there were in the window of the delivery before when this run
    began: they came too late and are in no file.
    """

    field: str
    after: int | str | None
    until: int | str
    rows: int | None = None
    late_rows: int = 0


@dataclass(frozen=True)
class ScheduleRun:
    """What became of one instant of a schedule. `retry_at` is when to put it into the queue, while it waits."""

    schedule_id: str
    instant: datetime
    tenant: str
    state: RunState
    created_at: datetime
    reason: str = ""
    job_id: str | None = None
    window: Window | None = None
    retry_at: datetime | None = None
    finished_at: datetime | None = None
