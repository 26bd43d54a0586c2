"""What answers about schedules hold."""

from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, TypeAdapter

from offtake.api.answers import DeliveryNote, delivery_notes
from offtake.api.bodies_schedules import ScheduleBody, draft_json
from offtake.model.delivery import Delivery
from offtake.model.schedule import RunState, Schedule, ScheduleRun, ScheduleState

ACTIONS = ("pause", "resume", "run", "next", "runs")
# Schedules are answered as this writes them, not as a model would: what was saved once is shown whatever it is like.
_JSON = TypeAdapter(dict[str, Any])


class ScheduleAnswer(ScheduleBody):
    """A schedule: its body, with every default filled in, and what became of it.

    `version` grows with every change, `runs` with every export it made. `owner` is whose rights it runs with: whoever
    changed it last. `watermark` is how far the last delta to succeed reached.
    """

    id: str
    owner: str
    state: ScheduleState
    version: int
    next_at: datetime | None
    last_at: datetime | None
    runs: int
    watermark: int | str | None
    created_at: datetime
    updated_at: datetime
    links: dict[str, str]


class ScheduleList(BaseModel):
    """Schedules of the caller's tenant, the newest first. `next_cursor` is null on the last page."""

    data: list[ScheduleAnswer]
    next_cursor: str | None


class WindowAnswer(BaseModel):
    """What a delta covers: `after` < `field` ≤ `until`. `rows` are in its file.

    `late_rows` is how many more there were by then in the window delivered before: they came too late for any file.
    """

    field: str
    after: int | str | None
    until: int | str
    rows: int | None
    late_rows: int


class RunAnswer(BaseModel):
    """What became of one instant, and why. `export_id` is its export, once there is one.

    `deliveries` tell of a failure before that; all others are those of the export.
    """

    instant: datetime
    state: RunState
    reason: str
    export_id: str | None
    delta: WindowAnswer | None
    created_at: datetime
    finished_at: datetime | None
    deliveries: tuple[DeliveryNote, ...]


class RunList(BaseModel):
    """A schedule's runs, the latest instant first. `next_cursor` is null on the last page."""

    data: tuple[RunAnswer, ...]
    next_cursor: str | None


class InstantList(BaseModel):
    """Instants, in UTC."""

    data: tuple[datetime, ...]


def schedule_json(schedule: Schedule, address: Callable[[str], str]) -> dict[str, Any]:
    """The schedule as it is shown; `address` makes a path of ours absolute."""
    own = address(f"/api/v1/schedules/{schedule.id}")
    written: dict[str, Any] = _JSON.dump_python(
        {
            "id": schedule.id,
            **draft_json(schedule.draft),
            "owner": schedule.owner.id,
            "state": schedule.state,
            "version": schedule.version,
            "next_at": schedule.next_at,
            "last_at": schedule.last_at,
            "runs": schedule.runs,
            "watermark": schedule.watermark,
            "created_at": schedule.created_at,
            "updated_at": schedule.updated_at,
            "links": {"self": own, **{name: f"{own}/{name}" for name in ACTIONS}},
        },
        mode="json",
    )
    return written


def run_answer(run: ScheduleRun, deliveries: Iterable[Delivery]) -> RunAnswer:
    """The run as it is shown."""
    return RunAnswer(
        instant=run.instant.astimezone(UTC),
        state=run.state,
        reason=run.reason,
        export_id=run.job_id,
        delta=None if run.window is None else WindowAnswer(**asdict(run.window)),
        created_at=run.created_at.astimezone(UTC),
        finished_at=None if run.finished_at is None else run.finished_at.astimezone(UTC),
        deliveries=delivery_notes(deliveries),
    )
