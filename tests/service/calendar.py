"""Schedules tried by hand: a definition to run, a clock that tests move, and whoever looks what is due."""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from offtake.appdb import schedule_runs
from offtake.model.access import Principal
from offtake.model.export import ExportRequest
from offtake.model.job import ExportJob
from offtake.model.ports import Stop
from offtake.model.saved import Draft
from offtake.model.schedule import Schedule, ScheduleDraft, ScheduleRun, Timetable
from offtake.service.definitions import create_definition
from offtake.service.exports import find_export
from offtake.service.runs import claim_run, run_attempt
from offtake.service.runtime import Runtime
from offtake.service.schedules import create_schedule, find_schedule
from offtake.service.ticks import launch_run, runs_to_launch, settle_runs, take_due
from service.at_work import CLERK
from sites import NOW, FakeSource, few, make_runtime


@dataclass
class Clock:
    """The time it is, until a test says otherwise."""

    at: datetime = NOW

    def __call__(self) -> datetime:
        return self.at


@dataclass
class Office:
    """A service with one definition, and a clerk who may schedule it."""

    runtime: Runtime
    clock: Clock
    source: FakeSource = field(default_factory=lambda: FakeSource(few, matched=3))
    who: Principal = CLERK

    def define(self, request: ExportRequest) -> str:
        """The id of a new definition."""
        return create_definition(self.runtime, self.who, Draft("Theirs", request)).id

    def schedule(self, rrule: str, request: ExportRequest | None = None, **more: Any) -> Schedule:
        """A new schedule of a new definition, from this instant on, in UTC."""
        timezone, end = more.pop("timezone", "UTC"), more.pop("end", None)
        start = more.pop("start", self.clock.at.replace(tzinfo=None))
        definition = self.define(request or ExportRequest("numbers"))
        draft = ScheduleDraft(definition, Timetable(rrule, timezone, start, end), **more)
        return create_schedule(self.runtime, self.who, draft)

    def look(self, schedule: Schedule) -> Schedule:
        """The schedule as it is now."""
        return find_schedule(self.runtime, self.who, schedule.id)

    def tick(self, at: datetime | None = None) -> None:
        """What one process does in one round."""
        self.clock.at = at or self.clock.at
        tick(self.runtime)

    def runs(self, schedule: Schedule) -> list[ScheduleRun]:
        """What became of its instants, the earliest first."""
        return list(reversed(schedule_runs.list_runs(self.runtime.appdb, schedule.id, limit=10_000)))

    def job(self, run: ScheduleRun) -> ExportJob:
        """The run's export."""
        assert run.job_id is not None, run
        return find_export(self.runtime, self.who, run.job_id)

    def work(self) -> None:
        """Run every export that waits, and see how they ended."""
        queue: Any = self.runtime.queue
        while queue.turns:
            turn = queue.turns.pop(0)
            job = claim_run(self.runtime, turn.job_id, turn.number)
            if job is not None:
                run_attempt(self.runtime, job, Stop())
        settle_runs(self.runtime)


def tick(runtime: Runtime) -> None:
    """One round of a process."""
    settle_runs(runtime)
    take_due(runtime)
    for run in runs_to_launch(runtime):
        launch_run(runtime, run)


def open_office(home: Path, *datasets: Any, database: str = "", sources: Any = None, **more: Any) -> Office:
    """An office over three rows of numbers, or over those sources and datasets."""
    clock, source = Clock(), FakeSource(few, matched=3)
    runtime = make_runtime(home, sources or {"fake": source}, *datasets, now=clock, database=database, **more)
    return Office(runtime, clock, source)
