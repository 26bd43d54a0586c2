"""Export jobs in the app database, on both kinds: every move is one conditional update, and only legal ones happen."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from appdb.job_machine import BROKE, NOON, OWNER, JobMachine, commit, make_job
from offtake.appdb import jobs as table
from offtake.appdb.database import AppDb
from offtake.appdb.totals import read_totals
from offtake.errors import Conflict
from offtake.model.dataset import Sort
from offtake.model.export import DateRange, ExportRequest, FieldChoice
from offtake.model.filter import And, Condition, Not, Operator
from offtake.model.job import ExportJob, JobError, JobState, Progress


def insert(db: AppDb, **given: Any) -> ExportJob:
    """A new job in the table."""
    job = make_job(**given)
    table.insert_job(db, job, lambda _: None)
    return job


def claim(db: AppDb, job: ExportJob) -> ExportJob:
    """Its next attempt."""
    now = table.find_job(db, job.id)
    assert now is not None
    attempt = table.claim_job(db, job.id, now.turn, NOON)
    assert attempt is not None
    return attempt


def find(db: AppDb, job: ExportJob) -> ExportJob:
    """The job as it is."""
    found = table.find_job(db, job.id)
    assert found is not None
    return found


def test_whatever_workers_and_people_do_every_move_is_legal_and_one_attempt_commits(db: AppDb) -> None:
    run_state_machine_as_test(
        lambda: JobMachine(db), settings=settings(max_examples=30, stateful_step_count=25, deadline=None)
    )


def together(*calls: Callable[[], Any]) -> list[Any]:
    """What the calls give, each from a thread of its own, let go at the same moment."""
    gate = threading.Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        gate.wait(60)
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def test_of_commits_at_the_same_moment_one_wins(db: AppDb) -> None:
    before = read_totals(db).get("succeeded", 0)
    for _ in range(5):
        attempt = claim(db, insert(db))
        assert sorted(together(*[lambda a=attempt: commit(db, a)] * 6)) == [False] * 5 + [True]
    assert read_totals(db)["succeeded"] == before + 5


def test_a_job_is_committed_or_cancelled_never_both(db: AppDb) -> None:
    for _ in range(10):
        attempt = claim(db, insert(db))
        done, cancelled = together(
            lambda a=attempt: commit(db, a), lambda a=attempt: table.cancel_job(db, a.id, NOON, None)
        )
        assert done is (cancelled is None)
        assert find(db, attempt).state is (JobState.SUCCEEDED if done else JobState.CANCELLED)


def test_of_two_retries_at_the_same_moment_one_is_put_into_the_queue(db: AppDb) -> None:
    job = insert(db)
    failed = claim(db, job)
    table.fail_job(db, failed, BROKE, NOON, None)
    turns: list[int] = []
    seen = find(db, job)
    retried = together(*[lambda: table.retry_job(db, seen, 1, NOON, lambda _: turns.append(1))] * 4)
    assert sum(job is not None for job in retried) == len(turns) == 1


def test_every_claim_gives_another_attempt(db: AppDb) -> None:
    job = insert(db)
    claims = together(*[lambda: table.claim_job(db, job.id, 0, NOON)] * 6)
    assert sorted(claimed.attempt for claimed in claims) == [1, 2, 3, 4, 5, 6]


def test_a_former_attempt_can_do_nothing_any_more(db: AppDb) -> None:
    job = insert(db)
    former, latter = claim(db, job), claim(db, job)
    before = find(db, job)
    assert not table.beat_job(db, former, Progress(7), NOON)
    assert not commit(db, former)
    assert not table.repeat_job(db, former, BROKE, lambda _: pytest.fail("enqueued"))
    assert not table.fail_job(db, former, BROKE, NOON, None)
    assert find(db, job) == before
    assert commit(db, latter)


def test_a_turn_of_before_a_retry_begins_nothing(db: AppDb) -> None:
    job = insert(db)
    table.cancel_job(db, job.id, NOON, None)
    table.retry_job(db, find(db, job), 1, NOON, lambda _: None)
    assert table.claim_job(db, job.id, 0, NOON) is None
    assert table.claim_job(db, job.id, 1, NOON) is not None


def test_what_cannot_be_put_into_the_queue_is_not_in_the_table_either(db: AppDb) -> None:
    job = make_job()

    def enqueue(connection: sa.Connection) -> None:
        connection.execute(sa.text("INSERT INTO totals (name, value) VALUES ('a turn', 1)"))
        raise KeyError

    with pytest.raises(KeyError):
        table.insert_job(db, job, enqueue)
    assert table.find_job(db, job.id) is None
    assert "a turn" not in read_totals(db)


def test_a_failure_that_cannot_be_put_into_the_queue_again_changed_nothing(db: AppDb) -> None:
    attempt = claim(db, insert(db))

    def enqueue(_: sa.Connection) -> None:
        raise KeyError

    with pytest.raises(KeyError):
        table.repeat_job(db, attempt, BROKE, enqueue)
    assert find(db, attempt) == attempt


def test_a_job_that_cannot_be_inserted_is_not_put_into_the_queue(db: AppDb) -> None:
    job = insert(db)
    with pytest.raises(Conflict):
        table.insert_job(db, job, lambda _: pytest.fail("enqueued"))


def test_a_job_comes_back_as_it_went_in(db: AppDb) -> None:
    request = ExportRequest(
        "numbers",
        "xlsx",
        fields=(FieldChoice("n", "Größe 数"), FieldChoice("text", group="g")),
        filter=And((Condition("n", Operator.GT, (3,)), Not(Condition("text", Operator.CONTAINS, ("'; --",))))),
        sort=(Sort("n", True),),
        q="needle",
        date_range=DateRange("first day of last month", "today"),
        limit=5,
        options={"deflate": "small"},
        part_rows=10,
    )
    job = insert(db, request=request, needs=frozenset({"a", "b"}), priority=3, definition_id="d")
    assert table.find_job(db, job.id) == job
    assert table.find_jobs(db, [job.id, "no such job"]) == {job.id: job}


def test_a_failed_attempt_is_remembered_until_one_succeeds(db: AppDb) -> None:
    job = insert(db)
    table.repeat_job(db, claim(db, job), BROKE, lambda _: None)
    waiting = find(db, job)
    assert (waiting.state, waiting.failures, waiting.turn, waiting.error) == (JobState.QUEUED, 1, 1, BROKE)
    attempt = claim(db, job)
    assert (attempt.attempt, attempt.error) == (2, BROKE)
    commit(db, attempt)
    assert find(db, job).error is None


def test_a_retry_begins_with_nothing_done(db: AppDb) -> None:
    job = insert(db)
    attempt = claim(db, job)
    table.beat_job(db, attempt, Progress(50, 500, 100), NOON)
    table.fail_job(db, attempt, BROKE, NOON, NOON)
    later = NOON + timedelta(hours=1)
    retried = table.retry_job(db, find(db, job), 1, later, lambda _: None)
    done = {"state": JobState.QUEUED, "attempt": 1, "turn": 1, "due_at": later, "revision": 4}
    assert retried == replace(job, **done)


def test_totals_add_up_what_ended(db: AppDb) -> None:
    before = read_totals(db)
    for _ in range(2):
        commit(db, claim(db, insert(db)))
    table.fail_job(db, claim(db, insert(db)), BROKE, NOON, None)
    table.cancel_job(db, insert(db).id, NOON, None)
    added = {name: value - before.get(name, 0) for name, value in read_totals(db).items()}
    assert {name: value for name, value in added.items() if value} == {
        "succeeded": 2,
        "rows": 6,
        "bytes": 20,
        "seconds.read": 1.0,
        "failed": 1,
        "cancelled": 1,
    }


def test_a_scheduled_job_whose_time_has_come_is_listed_as_queued(db: AppDb) -> None:
    job = insert(db, state=JobState.SCHEDULED, definition_id="listed")
    for now, shown in ((NOON - timedelta(seconds=1), JobState.SCHEDULED), (NOON, JobState.QUEUED)):
        listed = {state: table.list_jobs(db, now, state=state, definition_id="listed") for state in JobState}
        assert {state for state, jobs in listed.items() if jobs} == {shown} == {job.state_at(now)}


def test_jobs_are_listed_page_by_page_with_the_newest_first(db: AppDb) -> None:
    made = [insert(db, definition_id="paged") for _ in range(5)]
    pages: list[ExportJob] = []
    while page := table.list_jobs(
        db, NOON, definition_id="paged", before=pages[-1].id if pages else None, limit=2, tenant="acme"
    ):
        pages += page
    assert pages == made[::-1]
    assert table.list_jobs(db, NOON, definition_id="paged", tenant="globex") == ()


def test_work_that_nobody_does_is_found(db: AppDb) -> None:
    minute = timedelta(minutes=1)
    silent, waiting, lively = insert(db), insert(db), insert(db)
    attempt = claim(db, silent)
    table.beat_job(db, claim(db, lively), Progress(), NOON + 3 * minute)
    mine = {silent.id, waiting.id, lively.id}
    stuck = [job for job in table.stuck_jobs(db, NOON + minute, NOON + minute) if job.id in mine]
    assert stuck == [attempt, waiting]
    assert table.oldest_waiting(db, NOON) == NOON
    for job in (silent, waiting, lively):
        table.cancel_job(db, job.id, NOON, None)


def test_an_artifact_that_had_its_time_is_found_until_it_is_forgotten(db: AppDb) -> None:
    attempt = claim(db, insert(db))
    commit(db, attempt)
    week = NOON + timedelta(days=7)
    assert attempt.id not in {job.id for job in table.expired_jobs(db, week - timedelta(seconds=1))}
    assert attempt.id in {job.id for job in table.expired_jobs(db, week)}
    table.forget_artifact(db, attempt.id)
    assert attempt.id not in {job.id for job in table.expired_jobs(db, week)}
    assert (find(db, attempt).state, find(db, attempt).artifact) == (JobState.SUCCEEDED, None)


def test_only_a_job_that_is_due_and_has_not_ended_is_shared(db: AppDb) -> None:
    request = ExportRequest("numbers", q="shared")
    later = NOON + timedelta(hours=1)
    assert table.find_alike(db, OWNER.id, request, NOON) is None
    job = insert(db, request=request)
    table.insert_job(db, replace(make_job(request), due_at=later), lambda _: None)
    assert table.find_alike(db, OWNER.id, request, NOON) == job
    assert table.find_alike(db, "another", request, NOON) is None
    assert table.find_alike(db, OWNER.id, replace(request, limit=1), NOON) is None
    table.cancel_job(db, job.id, NOON, None)
    assert table.find_alike(db, OWNER.id, request, NOON) is None
    assert table.find_alike(db, OWNER.id, request, later) is not None


def test_an_error_keeps_its_words_in_every_script(db: AppDb) -> None:
    attempt = claim(db, insert(db))
    told = JobError("SOURCE_FAILED", "Zażółć 😀 \"'\\", "数\n", False)
    table.fail_job(db, attempt, told, NOON, None)
    assert find(db, attempt).error == told
