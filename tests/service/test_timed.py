"""Definitions with a schedule of their own: saved, changed and forgotten as one."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from offtake.errors import Conflict, InsufficientScope, InvalidRequest
from offtake.model.export import ExportRequest
from offtake.model.saved import Definition, Draft
from offtake.model.schedule import Schedule, Timetable
from offtake.service.definitions import delete_definition, find_definition, list_definitions
from offtake.service.runtime import Runtime
from offtake.service.schedules import change_schedule, create_schedule, find_schedule, list_schedules, pause_schedule
from offtake.service.timed import OWN, create_timed, own_schedule, own_schedules, replace_timed
from service.at_work import CLERK, READER
from service.calendar import open_office
from sites import NOW, FakeSource, few, make_runtime

DAILY = Timetable("FREQ=DAILY", "UTC", datetime(2026, 5, 1, 8))  # noqa: DTZ001  (local)
HOURLY = replace(DAILY, rrule="FREQ=HOURLY")
DRAFT = Draft("All numbers", ExportRequest("numbers"), dialect="optimaite")


@pytest.fixture
def runtime(tmp_path: Path) -> Runtime:
    return make_runtime(tmp_path, {"fake": FakeSource(few)})


def planned(runtime: Runtime, definition: Definition) -> Schedule:
    found = own_schedule(runtime, CLERK, definition)
    assert found is not None
    return found


def test_both_are_there_natively_and_know_each_other(runtime: Runtime) -> None:
    made = create_timed(runtime, CLERK, DRAFT, DAILY)
    schedule = planned(runtime, made)
    assert (schedule.draft.definition_id, schedule.draft.timetable, schedule.owner.id) == (made.id, DAILY, CLERK.id)
    assert list_schedules(runtime, READER, definition_id=made.id) == (schedule,)
    other = create_timed(runtime, CLERK, DRAFT, None)
    assert own_schedule(runtime, CLERK, other) is None
    assert own_schedules(runtime, READER, [made, other]) == {made.id: schedule, other.id: None}


def test_its_runs_execute_the_definition(tmp_path: Path) -> None:
    office = open_office(tmp_path)
    made = create_timed(office.runtime, CLERK, DRAFT, DAILY)
    office.tick(NOW + timedelta(days=1))
    office.work()
    assert find_definition(office.runtime, READER, made.id).last_executed_at == NOW + timedelta(days=1)


def test_a_timetable_that_cannot_be_saves_nothing(runtime: Runtime) -> None:
    for wrong in (replace(DAILY, rrule="FREQ=NEVER"), replace(DAILY, timezone="Mars"), replace(DAILY, rrule="COUNT=1")):
        with pytest.raises(InvalidRequest):
            create_timed(runtime, CLERK, DRAFT, wrong)
    with pytest.raises(InsufficientScope):
        create_timed(runtime, READER, DRAFT, DAILY)
    assert list_definitions(runtime, CLERK) == ([], 0)
    made = create_timed(runtime, CLERK, DRAFT, DAILY)
    with pytest.raises(InvalidRequest):
        replace_timed(runtime, CLERK, made.id, replace(DRAFT, name="Another"), replace(DAILY, rrule="FREQ=NEVER"))
    assert find_definition(runtime, CLERK, made.id) == made


def test_a_schedule_that_cannot_be_saved_takes_its_definition_with_it(runtime: Runtime) -> None:
    with runtime.appdb.write() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER full BEFORE INSERT ON schedules BEGIN SELECT RAISE(ABORT, 'full'); END"
        )
    with pytest.raises(Conflict):
        create_timed(runtime, CLERK, DRAFT, DAILY)
    assert list_definitions(runtime, CLERK) == ([], 0)


def test_another_timetable_takes_its_place_and_none_ends_it(runtime: Runtime) -> None:
    made = create_timed(runtime, CLERK, DRAFT, None)
    for timetable in (DAILY, HOURLY):
        replace_timed(runtime, CLERK, made.id, DRAFT, timetable)
        assert planned(runtime, made).draft.timetable == timetable
    assert len(list_schedules(runtime, CLERK)) == 1
    replace_timed(runtime, CLERK, made.id, DRAFT, None)
    assert list_schedules(runtime, CLERK) == ()
    replace_timed(runtime, CLERK, made.id, DRAFT, DAILY)
    assert planned(runtime, made).draft.timetable == DAILY


def test_a_timetable_that_stays_leaves_its_schedule_alone(runtime: Runtime) -> None:
    made = create_timed(runtime, CLERK, DRAFT, DAILY)
    paused = pause_schedule(runtime, CLERK, planned(runtime, made).id)
    done = replace_timed(runtime, CLERK, made.id, replace(DRAFT, name="Renamed"), DAILY)
    assert (done.draft.name, planned(runtime, done)) == ("Renamed", paused)


def test_a_replaced_definition_keeps_the_name_its_client_has_for_it(runtime: Runtime) -> None:
    made = create_timed(runtime, CLERK, replace(DRAFT, external_id="exp_1"), None)
    done = replace_timed(runtime, CLERK, made.id, replace(DRAFT, dialect=None, extra={"seen": 1}), None)
    assert (done.draft.external_id, done.draft.dialect, done.draft.extra["seen"]) == ("exp_1", "optimaite", 1)


def test_who_deletes_the_definition_ends_its_schedule(runtime: Runtime) -> None:
    made = create_timed(runtime, CLERK, DRAFT, DAILY)
    delete_definition(runtime, CLERK, made.id)
    assert list_schedules(runtime, CLERK) == ()


def test_a_schedule_that_went_to_another_definition_is_no_longer_its_own(runtime: Runtime) -> None:
    made, other = create_timed(runtime, CLERK, DRAFT, DAILY), create_timed(runtime, CLERK, DRAFT, None)
    moved = planned(runtime, made)
    change_schedule(runtime, CLERK, moved.id, lambda found: replace(found.draft, definition_id=other.id))
    assert own_schedule(runtime, CLERK, made) is None
    done = replace_timed(runtime, CLERK, made.id, DRAFT, HOURLY)
    assert planned(runtime, done).id != moved.id
    assert find_schedule(runtime, CLERK, moved.id).draft.timetable == DAILY


def test_of_two_who_give_it_a_schedule_at_once_one_is_told(runtime: Runtime) -> None:
    made = create_timed(runtime, CLERK, DRAFT, DAILY)
    with pytest.raises(Conflict):
        create_schedule(runtime, CLERK, planned(runtime, made).draft, schedule_id=made.draft.extra[OWN])
