"""Runs of schedules in the app database, on both kinds: an instant is taken once."""

from datetime import timedelta

import uuid_utils

from offtake.appdb import schedule_runs as table
from offtake.appdb.database import AppDb
from offtake.model.schedule import RunState, ScheduleRun
from sites import NOW


def new_run() -> ScheduleRun:
    """One of a schedule of its own."""
    return ScheduleRun(str(uuid_utils.uuid7()), NOW, "acme", RunState.WAITING, NOW, retry_at=NOW)


def test_an_instant_that_was_taken_is_reported_and_keeps_its_run(db: AppDb) -> None:
    run = new_run()
    assert table.insert_run(db, run)
    table.postpone_run(db, run, "Not yet.", NOW + timedelta(minutes=1))
    before = table.find_run(db, run.schedule_id, NOW)
    assert not table.insert_run(db, run)
    assert table.find_run(db, run.schedule_id, NOW) == before


def test_every_other_instant_of_the_schedule_is_free(db: AppDb) -> None:
    run = new_run()
    later = ScheduleRun(run.schedule_id, NOW + timedelta(minutes=1), "acme", RunState.WAITING, NOW, retry_at=NOW)
    assert table.insert_run(db, run)
    assert table.insert_run(db, later)
    assert [found.instant for found in table.list_runs(db, run.schedule_id)] == [later.instant, NOW]
