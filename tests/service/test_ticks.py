"""Two processes that look what is due, through a week with breaks and clock changes: each instant once."""

import random
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from dateutil import tz
from dateutil.rrule import rrulestr

from offtake.appdb.database import open_appdb
from offtake.appdb.jobs import list_jobs
from offtake.appdb.tables import JOBS
from offtake.model.schedule import CatchUp, Overlap, RunState
from offtake.service.runtime import Runtime
from offtake.service.ticks import forget_old_runs, launch_run, runs_to_launch, settle_runs, take_due
from servers import Postgres
from service.calendar import Office, open_office
from sites import NOW, new_appdb

TURN = datetime(2026, 4, 4, 20, 10, tzinfo=UTC)  # Lord Howe turns its clocks back before, Santiago after it
HOUR = timedelta(hours=1)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield new_appdb(tmp_path)
        return
    postgres: Postgres = request.getfixturevalue("postgres")
    with postgres.app_database() as url:
        yield url


def rounds(runtime: Runtime, dice: random.Random) -> None:
    """What one process comes to before it is killed: any step may be its last, and is then another's to do."""
    for step in (settle_runs, take_due, *[launch_some] * 3):
        if dice.random() < 0.1:
            return
        step(runtime)


def launch_some(runtime: Runtime) -> None:
    for run in runs_to_launch(runtime):
        launch_run(runtime, run)


def both(runtimes: list[Runtime], seed: int) -> None:
    """Both at the same time, each in a thread of its own."""
    failed: list[BaseException] = []

    def work(number: int) -> None:
        try:
            rounds(runtimes[number], random.Random(f"{seed}-{number}"))
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(runtimes))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


@pytest.mark.parametrize("days", [1.5, pytest.param(7, marks=pytest.mark.slow)])
def test_days_with_two_tickers_and_breaks_run_each_instant_once(database: str, tmp_path: Path, days: float) -> None:
    office = open_office(tmp_path, database=database)
    office.clock.at = TURN - timedelta(days=days / 2)
    policy: dict[str, Any] = {"catch_up": CatchUp.ALL, "catch_up_limit": 100}
    made = [
        office.schedule("FREQ=HOURLY;INTERVAL=3", timezone="America/Santiago", overlap=Overlap.ALLOW, **policy),
        office.schedule("FREQ=DAILY;BYHOUR=1,2,3,23", timezone="Australia/Lord_Howe", overlap=Overlap.QUEUE, **policy),
        office.schedule("FREQ=MINUTELY;INTERVAL=90", overlap=Overlap.ALLOW, **policy),
    ]
    first = [each.next_at for each in made]
    dice, seed, others = random.Random(7), 0, [office.runtime]
    while office.clock.at < TURN + timedelta(days=days / 2):
        # Now and then nobody is there for hours; and now and then both begin anew.
        office.clock.at += timedelta(hours=dice.uniform(5, 20) if dice.random() < 0.05 else dice.uniform(0.3, 2.5))
        if seed % 20 == 0:
            others = [replace(office.runtime, appdb=open_appdb(database)) for _ in range(2)]
        both(others, seed := seed + 1)
        if dice.random() < 0.5:
            office.work()
    for _ in range(round(days * 12)):
        office.tick()
        office.work()
    for schedule, since in zip(made, first, strict=True):
        runs = office.runs(schedule)
        assert since is not None
        expected = instants(schedule, since, office.clock.at)
        assert [run.instant for run in runs] == expected
        assert {run.state for run in runs} == {RunState.SUCCEEDED}
        jobs = list_jobs(office.runtime.appdb, office.clock.at, definition_id=schedule.draft.definition_id, limit=1000)
        assert sorted(job.as_of for job in jobs) == expected
        assert {run.job_id for run in runs} == {job.id for job in jobs}
        assert office.look(schedule).runs == len(jobs)


def instants(schedule: Any, since: datetime, until: datetime) -> list[datetime]:
    """Local times put into the zone, hours and minutes counted: not by the code that is tried."""
    table = schedule.draft.timetable
    zone = tz.gettz(table.timezone)
    if "DAILY" in table.rrule:
        rule = rrulestr(table.rrule, dtstart=table.start)
        local = rule.between(table.start, table.start + timedelta(days=12), inc=True)
        found = [each.replace(tzinfo=zone).astimezone(UTC) for each in local]
    else:
        begin = table.start.replace(tzinfo=zone).astimezone(UTC)
        step = timedelta(minutes=90) if "MINUTELY" in table.rrule else 3 * HOUR
        found = [begin + number * step for number in range(200)]
    return [each for each in found if since <= each <= until]


def test_two_tickers_that_launch_the_same_run_make_one_export(database: str, tmp_path: Path) -> None:
    office = open_office(tmp_path, database=database)
    made = office.schedule("FREQ=HOURLY", overlap=Overlap.ALLOW)
    office.clock.at = NOW + HOUR
    take_due(office.runtime)
    (run,) = runs_to_launch(office.runtime)
    others = [replace(office.runtime, appdb=open_appdb(database)) for _ in range(4)]
    threads = [threading.Thread(target=launch_run, args=(runtime, run)) for runtime in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with office.runtime.appdb.read() as connection:
        ids = list(connection.execute(sa.select(JOBS.c.id)).scalars())
    assert ids == [each.job_id for each in office.runs(made)]
    assert len(ids) == 1


def test_many_schedules_of_one_instant_each_run_once(database: str, tmp_path: Path) -> None:
    office = open_office(tmp_path, database=database)
    made = [office.schedule("FREQ=HOURLY") for _ in range(12)]
    office.clock.at = NOW + HOUR
    both([replace(office.runtime, appdb=open_appdb(database)) for _ in range(3)], seed=2)
    office.tick()
    states = Counter(run.state for schedule in made for run in office.runs(schedule))
    assert states == {RunState.SUBMITTED: 12}


def test_old_runs_are_forgotten(office_at_home: Office) -> None:
    made = office_at_home.schedule("FREQ=DAILY;COUNT=2")
    office_at_home.tick(NOW + timedelta(days=1))
    office_at_home.work()
    office_at_home.clock.at = NOW + timedelta(days=92)
    assert forget_old_runs(office_at_home.runtime) == 1
    assert office_at_home.runs(made) == []


@pytest.fixture
def office_at_home(tmp_path: Path) -> Office:
    return open_office(tmp_path)
