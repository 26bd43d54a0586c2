"""Deltas over real databases: every row that commits in time is in exactly one file, whatever fails in between."""

import json
import random
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from offtake.errors import AttemptFailed, Conflict
from offtake.model.dataset import Dataset, Field, FieldType
from offtake.model.export import ExportRequest
from offtake.model.filter import Condition, Operator
from offtake.model.job import JobLimits
from offtake.model.ports import SourceSpec, Stop
from offtake.model.schedule import CatchUp, Delta, Overlap, RunState, Schedule, ScheduleRun
from offtake.service.exports import cancel_export, delete_export, retry_export
from offtake.service.runs import claim_run, run_attempt, settle_failure
from offtake.service.schedules import change_schedule, run_schedule
from offtake.service.ticks import settle_runs
from offtake.source import open_source
from servers import Postgres
from service.at_work import CLERK
from service.calendar import Office, open_office
from sites import NOW

SETTLE = timedelta(seconds=40)
EVENTS = Dataset(
    "events",
    "db",
    table="events",
    key=("id",),
    tenant_column="tenant",
    fields=(
        Field("id", FieldType.INTEGER, "id", "Id"),
        Field("made", FieldType.DATETIME, "made", "Made"),
        Field("day", FieldType.DATE, "day", "Day"),
    ),
)
CREATE = "CREATE TABLE events (id INTEGER PRIMARY KEY, made TIMESTAMP, day DATE, tenant VARCHAR(20))"


@dataclass
class Shop:
    """An office over a database that grows; `insert` commits one row, with the time it was made."""

    office: Office
    insert: Callable[[int, datetime], None]

    def schedule(self, field: str, **more: Any) -> Schedule:
        """A delta every ten minutes, in ndjson."""
        wish = ExportRequest("events", format="ndjson", filter=Condition("id", Operator.GTE, (0,)))
        delta = Delta(field, int(SETTLE.total_seconds()))
        return self.office.schedule("FREQ=MINUTELY;INTERVAL=10", wish, delta=delta, overlap=Overlap.QUEUE, **more)

    def delivered(self, schedule: Schedule) -> list[int]:
        """The ids in all files of the schedule's runs that succeeded."""
        runs = [run for run in self.office.runs(schedule) if run.state is RunState.SUCCEEDED]
        return [id_ for run in runs for id_ in self.ids(run)]

    def ids(self, run: ScheduleRun) -> list[int]:
        """Those in one file."""
        artifact = self.office.job(run).artifact
        assert artifact is not None
        text = b"".join(self.office.runtime.store.read(artifact.name)).decode()
        return [json.loads(line)["id"] for line in text.splitlines()]


def in_sqlite(home: Path) -> tuple[str, Callable[[int, datetime], None]]:
    connection = sqlite3.connect(home / "events.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(CREATE)

    def insert(id_: int, made: datetime) -> None:
        connection.execute("INSERT INTO events VALUES (?, ?, ?, 'acme')", (id_, f"{made:%F %T.%f}", f"{made:%F}"))

    return f"sqlite:///{home}/events.db", insert


def in_postgres(url: str) -> tuple[str, Callable[[int, datetime], None]]:
    connection = psycopg.connect(url, autocommit=True)
    connection.execute(CREATE)

    def insert(id_: int, made: datetime) -> None:
        naive = made.replace(tzinfo=None)
        connection.execute("INSERT INTO events VALUES (%s, %s, %s, 'acme')", (id_, naive, naive.date()))

    return url, insert


@pytest.fixture(params=["sqlite", "postgresql"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shop]:
    def opened(made: tuple[str, Callable[[int, datetime], None]]) -> Shop:
        source = open_source(SourceSpec("db", made[0]))
        office = open_office(tmp_path, EVENTS, sources={"db": source}, job_limits=JobLimits(attempts=1))
        return Shop(office, made[1])

    if request.param == "sqlite":
        yield opened(in_sqlite(tmp_path))
        return
    postgres: Postgres = request.getfixturevalue("postgres")
    with postgres.database() as url:
        yield opened(in_postgres(url))


@dataclass
class Writers:
    """Rows that get their value at one moment and commit up to `SETTLE` later, in any order."""

    shop: Shop
    dice: random.Random
    waiting: list[tuple[datetime, int, datetime]]
    made: int = 0

    def until(self, moment: datetime) -> None:
        """Make rows up to that moment, and commit those whose time has come."""
        at = self.shop.office.clock.at
        while at < moment:
            at += timedelta(seconds=self.dice.uniform(1, 90))
            self.made += 1
            self.waiting.append((at + SETTLE * self.dice.random(), self.made, at))
        due = sorted(each for each in self.waiting if each[0] <= moment)
        self.waiting = [each for each in self.waiting if each[0] > moment]
        for _, id_, made in due:
            self.shop.insert(id_, made)
        self.shop.office.clock.at = moment


def work_somehow(shop: Shop, dice: random.Random, writers: Writers) -> None:
    """Run what waits when the queue would: well, or cancelled, or failed in one way or another."""
    queue: Any = shop.office.runtime.queue
    while queue.turns:
        turn = queue.turns.pop(0)
        writers.until(shop.office.clock.at + timedelta(seconds=turn.delay_s))
        fate = dice.choice(("well", "well", "cancelled", "failed", "lost", "deleted"))
        if fate in ("cancelled", "deleted"):
            {"cancelled": cancel_export, "deleted": delete_export}[fate](shop.office.runtime, CLERK, turn.job_id)
            continue
        job = claim_run(shop.office.runtime, turn.job_id, turn.number)
        assert job is not None
        if fate == "failed":
            settle_failure(shop.office.runtime, job, AttemptFailed("The machine was lost."), final=True)
            continue
        if fate == "lost":  # and taken over
            job = claim_run(shop.office.runtime, turn.job_id, turn.number)
            assert job is not None
        run_attempt(shop.office.runtime, job, Stop())


@pytest.mark.parametrize("field", ["id", "made"])
@pytest.mark.parametrize("seed", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 2))])
def test_every_row_that_commits_in_time_is_in_exactly_one_file(shop: Shop, field: str, seed: int) -> None:
    dice = random.Random(seed)
    made = shop.schedule(field, catch_up=dice.choice([CatchUp.ALL, CatchUp.ONE]))
    writers = Writers(shop, dice, [])
    for _ in range(25):
        next_at = shop.office.look(made).next_at
        assert next_at is not None
        writers.until(next_at if dice.random() < 0.7 else next_at + timedelta(seconds=dice.uniform(1, 900)))
        shop.office.tick()
        work_somehow(shop, dice, writers)
        if dice.random() < 0.2:
            writers.until(shop.office.clock.at + timedelta(seconds=dice.uniform(1, 60)))
            run_schedule(shop.office.runtime, CLERK, made.id)
            work_somehow(shop, dice, writers)
    last, shop.office.clock.at = writers.made, shop.office.clock.at + timedelta(hours=1)
    for id_, moment in [(id_, at) for _, id_, at in writers.waiting]:
        shop.insert(id_, moment)
    for _ in range(30):
        shop.office.tick(shop.office.clock.at + timedelta(minutes=10))
        shop.office.work()
    assert sorted(shop.delivered(made)) == list(range(1, last + 1))
    assert {run.window.late_rows for run in shop.office.runs(made) if run.window} <= {0}


def test_rows_that_come_too_late_are_counted_and_not_promised(shop: Shop) -> None:
    made = shop.schedule("made")
    for id_ in (1, 2, 3):
        shop.insert(id_, NOW + timedelta(minutes=id_))
    shop.office.tick(NOW + timedelta(minutes=10))
    shop.office.work()
    shop.insert(4, NOW + timedelta(minutes=2))
    shop.insert(5, NOW + timedelta(minutes=3))
    shop.insert(6, NOW + timedelta(minutes=12))
    shop.office.tick(NOW + timedelta(minutes=20))
    shop.office.work()
    first, second = (run.window for run in shop.office.runs(made))
    assert first is not None
    assert second is not None
    assert (first.rows, first.late_rows, second.rows, second.late_rows) == (3, 0, 1, 2)
    assert sorted(shop.delivered(made)) == [1, 2, 3, 6]
    assert shop.office.look(made).watermark == second.until


def test_the_manifest_shows_the_window(shop: Shop) -> None:
    made = shop.schedule("id")
    shop.insert(7, NOW)
    shop.office.tick(NOW + timedelta(minutes=10))
    shop.office.work()
    shop.insert(8, NOW)
    shop.office.tick(NOW + timedelta(minutes=20))
    job = shop.office.job(shop.office.runs(made)[-1])
    assert [getattr(part, "values", None) for part in job.request.filter.items] == [(0,), (7,), (8,)]  # type: ignore[union-attr]
    assert (job.state, shop.office.runtime.queue.turns[-1].delay_s) == ("scheduled", 40)  # type: ignore[attr-defined]
    assert job.state_at(shop.office.clock.at) == "scheduled"


def test_a_day_is_delivered_when_it_is_over_where_the_schedule_is(shop: Shop) -> None:
    wish = ExportRequest("events", format="ndjson")
    made = shop.office.schedule("FREQ=HOURLY", wish, delta=Delta("day", 60), timezone="America/Santiago")
    shop.insert(1, datetime(2026, 5, 16, 12, tzinfo=UTC))
    shop.insert(2, datetime(2026, 5, 17, 12, tzinfo=UTC))
    for hour in range(24):
        shop.office.tick(NOW + timedelta(hours=hour))
        shop.office.work()
    runs = [run for run in shop.office.runs(made) if run.state is RunState.SUCCEEDED]
    assert [(f"{run.instant:%d %H:%M}", run.window and run.window.until, shop.ids(run)) for run in runs] == [
        ("17 16:30", "2026-05-16", [1]),
        ("18 04:30", "2026-05-17", [2]),
    ]


def test_a_delta_is_not_retried_by_hand(shop: Shop) -> None:
    made = shop.schedule("id")
    shop.insert(1, NOW)
    shop.office.tick(NOW + timedelta(minutes=10))
    job = shop.office.job(shop.office.runs(made)[0])
    cancel_export(shop.office.runtime, CLERK, job.id)
    with pytest.raises(Conflict):
        retry_export(shop.office.runtime, CLERK, job.id)


def test_another_field_begins_anew_and_another_policy_does_not(shop: Shop) -> None:
    made = shop.schedule("id")
    shop.insert(1, NOW)
    shop.office.tick(NOW + timedelta(minutes=10))
    change_schedule(shop.office.runtime, CLERK, made.id, lambda found: replace(found.draft, skip_if_empty=True))
    shop.office.work()
    assert shop.office.look(made).watermark == 1
    shop.insert(2, NOW)
    shop.office.tick(NOW + timedelta(minutes=20))
    change_schedule(shop.office.runtime, CLERK, made.id, lambda found: replace(found.draft, delta=Delta("made")))
    shop.office.work()
    settle_runs(shop.office.runtime)
    assert shop.office.look(made).watermark is None
