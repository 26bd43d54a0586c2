"""Schedules with real processes: `offtake serve` on SQLite, and two workers that look at the same PostgreSQL."""

from datetime import UTC, datetime, timedelta

import pytest

from jobs.shop import ROWS, Shop, Shops
from offtake.model.export import ExportRequest
from offtake.model.job import JobState
from offtake.model.saved import Draft
from offtake.model.schedule import RunState, Schedule, ScheduleDraft, Timetable
from offtake.service.definitions import create_definition
from offtake.service.schedules import create_schedule, list_runs
from servers import Postgres
from sites import wait_until


def in_a_moment(shop: Shop) -> Schedule:
    """A schedule of the shop's orders whose only instant is in a few seconds."""
    clerk = shop.principals["acme"]
    definition = create_definition(shop.runtime, clerk, Draft("Orders", ExportRequest("orders")))
    start = (datetime.now(UTC) + timedelta(seconds=3)).replace(microsecond=0, tzinfo=None)
    table = Timetable("FREQ=MINUTELY;COUNT=1", "UTC", start)
    return create_schedule(shop.runtime, clerk, ScheduleDraft(definition.id, table))


def wait_for_runs(shop: Shop, schedules: list[Schedule]) -> None:
    """Until each has run, which it does once."""
    clerk = shop.principals["acme"]

    def are_over() -> bool:
        runs = [list_runs(shop.runtime, clerk, each.id) for each in schedules]
        return all(some and all(run.state.is_final for run in some) for some in runs)

    wait_until(are_over, 60)
    for schedule in schedules:
        (run,) = list_runs(shop.runtime, clerk, schedule.id)
        assert (run.state, run.instant) == (RunState.SUCCEEDED, schedule.next_at)
        job = shop.look(str(run.job_id))
        assert (job.state, job.rows, job.as_of, job.attempt) == (JobState.SUCCEEDED, ROWS, schedule.next_at, 1)


def test_a_served_schedule_runs_when_its_time_comes(make_shop: Shops) -> None:
    shop = make_shop(concurrency=1)
    shop.serve()
    wait_for_runs(shop, [in_a_moment(shop)])


@pytest.mark.slow
def test_two_workers_run_each_schedule_once(make_shop: Shops, postgres: Postgres) -> None:
    with postgres.database() as url:
        shop = make_shop(database=url, concurrency=1)
        for _ in range(2):
            shop.start("worker")
        wait_for_runs(shop, [in_a_moment(shop) for _ in range(6)])
