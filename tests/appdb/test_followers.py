"""A job that recurs and its follower, on both kinds of database: one transaction ends the one and makes the other."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from appdb.job_machine import BROKE, NOON, commit, make_artifact, make_job
from appdb.test_jobs_table import claim, find, insert, together
from offtake.appdb import jobs as table
from offtake.appdb.database import AppDb
from offtake.appdb.followers import next_instant
from offtake.errors import Unavailable
from offtake.model.job import ExportJob, JobState, Recurrence
from offtake.model.ports import Turn
from sites import ListedQueue

DAY = timedelta(days=1)
DAILY = Recurrence("RRULE:FREQ=DAILY", NOON)
LATE = NOON + timedelta(hours=1)
KEPT = {"name": "Daily", "dialect": "rebilly", "extra": {"a": 1}, "deliveries": ({"channel": "mail", "to": ["a@b.c"]},)}


class BrokenQueue(ListedQueue):
    """A queue that is gone in this moment."""

    def enqueue(self, connection: Any, turn: Turn) -> None:
        raise Unavailable("gone")


def end(db: AppDb, attempt: ExportJob, queue: ListedQueue | None, now: datetime = LATE) -> bool:
    """Commit that attempt."""
    artifact = make_artifact(attempt)
    return table.commit_job(db, attempt, artifact, rows=3, stages={}, now=now, expires_at=None, queue=queue)


def follower_of(db: AppDb, job: ExportJob) -> ExportJob | None:
    """The job that follows it."""
    id_ = find(db, job).follower_id
    return None if id_ is None else table.find_job(db, id_)


ENDS: dict[str, Callable[[AppDb, ExportJob, ListedQueue], Any]] = {
    "succeeded": end,
    "failed": lambda db, attempt, queue: table.fail_job(db, attempt, BROKE, LATE, None, queue),
    "cancelled": lambda db, attempt, queue: table.cancel_job(db, attempt.id, LATE, None, queue),
}


@pytest.mark.parametrize("how", ENDS)
def test_however_a_job_ends_its_follower_waits_for_the_next_instant_as_a_job_of_its_own(db: AppDb, how: str) -> None:
    job = insert(db, recurrence=DAILY, external_id=f"mine-{how}", priority=3, **KEPT)
    queue = ListedQueue()
    assert ENDS[how](db, claim(db, job), queue)
    follower = follower_of(db, job)
    assert follower is not None
    assert follower == replace(
        make_job(state=JobState.SCHEDULED, recurrence=DAILY, priority=3, **KEPT),
        id=follower.id,
        created_at=LATE,
        due_at=NOON + DAY,
        instant=NOON + DAY,
    )
    assert queue.turns == [Turn(follower.id, 0, "acme", 3, 23 * 3600.0)]


def test_instants_that_nobody_was_there_for_are_not_made_up_for(db: AppDb) -> None:
    job = insert(db, recurrence=DAILY)
    end(db, claim(db, job), ListedQueue(), now=NOON + 10.5 * DAY)
    follower = follower_of(db, job)
    assert follower is not None
    assert follower.due_at == NOON + 11 * DAY


def test_a_rule_that_is_over_has_no_follower(db: AppDb) -> None:
    queue = ListedQueue()
    job = insert(db, recurrence=replace(DAILY, rrule="FREQ=DAILY;COUNT=1"))
    end(db, claim(db, job), queue)
    assert (follower_of(db, job), queue.turns) == (None, [])


def test_a_rule_that_cannot_be_read_any_more_ends_the_series_and_the_job_ends(db: AppDb) -> None:
    job = insert(db, recurrence=replace(DAILY, rrule="FREQ=FORTNIGHTLY"))
    assert end(db, claim(db, job), ListedQueue())
    assert follower_of(db, job) is None


def test_a_job_that_ends_twice_is_followed_once(db: AppDb) -> None:
    queue = ListedQueue()
    job = insert(db, recurrence=DAILY)
    table.fail_job(db, claim(db, job), BROKE, NOON, None, queue)
    assert table.retry_job(db, find(db, job), 1, NOON, lambda _: None) is not None
    assert end(db, claim(db, job), queue)
    assert len(queue.turns) == 1


def test_of_ends_at_the_same_moment_one_makes_the_follower(db: AppDb) -> None:
    for _ in range(5):
        queue = ListedQueue()
        attempt = claim(db, insert(db, recurrence=DAILY))
        ends = [lambda a=attempt, how=how, q=queue: how(db, a, q) for how in ENDS.values()]
        together(*ends)
        assert len(queue.turns) == 1


def test_a_follower_that_cannot_be_put_into_the_queue_leaves_its_job_as_it_was(db: AppDb) -> None:
    attempt = claim(db, insert(db, recurrence=DAILY))
    with pytest.raises(Unavailable):
        end(db, attempt, BrokenQueue())
    assert find(db, attempt).state is JobState.RUNNING
    queue = ListedQueue()
    assert end(db, attempt, queue)
    assert len(queue.turns) == 1


def test_a_job_that_does_not_recur_or_whose_series_ends_has_no_follower(db: AppDb) -> None:
    once, last = insert(db), insert(db, recurrence=DAILY)
    assert end(db, claim(db, once), ListedQueue())
    assert commit(db, claim(db, last))
    assert (follower_of(db, once), follower_of(db, last)) == (None, None)


def test_the_first_instant_may_be_the_moment_itself() -> None:
    assert next_instant(DAILY, NOON) == NOON
    assert next_instant(DAILY, NOON + timedelta(microseconds=1)) == NOON + DAY
    assert next_instant(replace(DAILY, start=NOON + timedelta(microseconds=7)), NOON) == NOON
