"""Changing an export that nobody has begun, and series of exports that recur."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from offtake.errors import Conflict, InsufficientScope, InvalidRequest, NotFound, UnknownField
from offtake.model.access import Principal
from offtake.model.export import ExportRequest, FieldChoice
from offtake.model.job import ExportJob, JobState, Recurrence
from offtake.model.ports import Turn
from offtake.service.changes import change_export
from offtake.service.exports import Submission, cancel_export, delete_export
from offtake.service.external import list_external_exports
from offtake.service.runs import claim_run
from offtake.service.runtime import Runtime
from service.at_work import CLERK, FOREIGN, OTHER, READER, at, claim, find, run, submit, turns
from sites import NOW, NUMBERS, FakeSource, few, make_runtime

TOMORROW = NOW + timedelta(days=1)
DAILY = Recurrence("FREQ=DAILY", NOW)
JSON = ExportRequest("numbers", "json")


@pytest.fixture
def runtime(tmp_path: Path) -> Runtime:
    """A service over three rows; turns are only listed."""
    return make_runtime(tmp_path, {"fake": FakeSource(few)}, NUMBERS)


def change(runtime: Runtime, job: ExportJob, who: Principal = READER, **how: Any) -> ExportJob:
    return change_export(runtime, who, job.id, JSON, Submission(**how))


def test_a_job_that_waits_takes_another_wish_and_another_time(runtime: Runtime) -> None:
    job = submit(runtime, start_at=TOMORROW, name="a", dialect="rebilly", external_id="mine", extra={"x": 1})
    later = at(runtime, NOW + timedelta(hours=1))
    changed = change(later, job, name="b", start_at=TOMORROW + timedelta(hours=1), extra={"x": 2})
    assert (changed.id, changed.external_id, changed.dialect) == (job.id, "mine", "rebilly")
    assert (changed.request, changed.name, changed.extra, changed.created_at) == (JSON, "b", {"x": 2}, NOW)
    assert (changed.due_at, changed.updated_at) == (TOMORROW + timedelta(hours=1), later.now())
    assert list_external_exports(runtime, READER, "rebilly")[0] == (changed,)


def test_a_changed_job_runs_once_at_its_new_time(runtime: Runtime) -> None:
    job = submit(runtime, start_at=TOMORROW)
    assert change(runtime, job).state is JobState.QUEUED
    assert turns(runtime, job) == [Turn(job.id, 0, "acme", 5, 86_400.0), Turn(job.id, 1, "acme", 5)]
    assert claim_run(runtime, job.id, 0) is None
    done = run(runtime, job)
    assert (done.state, done.artifact is not None and done.artifact.media_type) == (
        JobState.SUCCEEDED,
        "application/json",
    )


@pytest.mark.parametrize("how", ["running", "succeeded", "cancelled"])
def test_a_job_that_has_begun_or_ended_is_not_changed(runtime: Runtime, how: str) -> None:
    job = submit(runtime)
    if how == "running":
        claim(runtime, job)
    elif how == "succeeded":
        run(runtime, job)
    else:
        cancel_export(runtime, READER, job.id)
    before = find(runtime, job)
    with pytest.raises(Conflict):
        change(runtime, job)
    assert find(runtime, job) == before
    assert len(turns(runtime, job)) == 1


def test_a_change_is_proven_before_it_is_made(runtime: Runtime) -> None:
    job = submit(runtime, start_at=TOMORROW)
    with pytest.raises(UnknownField):
        change_export(runtime, READER, job.id, ExportRequest("numbers", fields=(FieldChoice("m"),)), Submission())
    assert find(runtime, job) == job


def test_whoever_changes_a_job_must_be_allowed_to_and_owns_it(runtime: Runtime) -> None:
    job = submit(runtime, start_at=TOMORROW)
    with pytest.raises(InsufficientScope):
        change(runtime, job, OTHER)
    with pytest.raises(NotFound):
        change(runtime, job, FOREIGN)
    assert change(runtime, job, CLERK).owner == CLERK


def test_a_job_that_recurs_starts_at_its_first_instant_that_is_not_in_the_past(runtime: Runtime) -> None:
    started = submit(runtime, recurrence=replace(DAILY, start=NOW - timedelta(days=9, hours=1)))
    assert (started.state, started.due_at) == (JobState.SCHEDULED, NOW + timedelta(hours=23))
    now = submit(runtime, recurrence=DAILY, share_running=True)
    assert (now.state, now.due_at) == (JobState.QUEUED, NOW)
    assert submit(runtime, recurrence=DAILY, share_running=True).id != now.id


@pytest.mark.parametrize("rule", ["FREQ=DAILY;UNTIL=20200101T000000Z", "FREQ=YEARLY;INTERVAL=5;BYMONTH=1", "nonsense"])
def test_a_rule_without_an_instant_in_a_year_is_refused(runtime: Runtime, rule: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        submit(runtime, recurrence=Recurrence(rule, NOW))
    assert caught.value.problems[0][0] == "/rrule"


def test_a_series_goes_on_until_the_one_that_waits_is_deleted(runtime: Runtime) -> None:
    first = run(runtime, submit(runtime, READER, JSON, recurrence=DAILY, dialect="rebilly"))
    second = run(at(runtime, TOMORROW), find(runtime, first, first.follower_id))
    third = find(runtime, second, second.follower_id)
    assert [job.due_at for job in (first, second, third)] == [NOW, TOMORROW, NOW + timedelta(days=2)]
    assert (third.state, third.request) == (JobState.SCHEDULED, JSON)
    delete_export(runtime, READER, third.id)
    found, total = list_external_exports(runtime, READER, "rebilly")
    assert ([job.state for job in found], total) == ([JobState.SUCCEEDED, JobState.SUCCEEDED], 2)


def test_cancelling_one_of_a_series_leaves_the_others(runtime: Runtime) -> None:
    job = submit(runtime, recurrence=DAILY)
    ended = cancel_export(runtime, READER, job.id)
    assert find(runtime, job, find(runtime, ended).follower_id).due_at == TOMORROW


@pytest.mark.parametrize("name", ["", " ", "a\nb", "a\0", "\ud800", "a\u2028"])
def test_a_name_that_nobody_could_read_is_refused(runtime: Runtime, name: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        submit(runtime, name=name)
    assert caught.value.problems[0][0] == "/name"
