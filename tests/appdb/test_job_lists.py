"""Jobs of foreign APIs in the app database, on both kinds: found by their ids, listed under conditions, counted."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from appdb.job_machine import NOON, commit, make_job
from offtake.appdb import job_lists, jobs
from offtake.appdb.database import AppDb
from offtake.errors import Conflict
from offtake.model.dataset import Sort
from offtake.model.export import ExportRequest
from offtake.model.filter import And, Condition, Filter, Not, Operator, Or
from offtake.model.job import ExportJob, JobState, Recurrence

WORDS = {"state": {"queued": "QUEUED", "succeeded": "Completed"}, "dataset": {"numbers": "figures"}}


def insert(db: AppDb, name: str | None, dialect: str, **given: Any) -> ExportJob:
    job = make_job(name=name, dialect=dialect, **given)
    jobs.insert_job(db, job, lambda _: None)
    return job


def names(
    db: AppDb, dialect: str, where: Filter | None = None, *sort: Sort, tenant: str = "acme", **how: Any
) -> list[str | None]:
    found, _ = job_lists.list_external_jobs(
        db, NOON, tenant, dialect, where=where, sort=sort, **{"words": WORDS, "limit": 50, **how}
    )
    return [job.name for job in found]


@pytest.fixture(scope="module")
def three(db: AppDb) -> AppDb:
    """Jobs called Ärger, beta and null of the dialect `three`, made in that order; beta has succeeded."""
    insert(db, "Ärger", "three", external_id="My-Id", request=ExportRequest("numbers", schema="s-1"))
    beta = insert(db, "beta", "three", request=ExportRequest("other", format="json"))
    insert(db, None, "three", request=ExportRequest("numbers", format="xml"))
    insert(db, "elsewhere", "another")
    attempt = jobs.claim_job(db, beta.id, 0, NOON)
    assert attempt is not None
    commit(db, attempt)
    return db


def test_what_a_foreign_api_says_of_a_job_comes_back(db: AppDb) -> None:
    recurrence = Recurrence("FREQ=DAILY", datetime(2026, 1, 1, 9, tzinfo=UTC))
    job = insert(db, "Täglich", "back", external_id="d1", extra={"é": [1, None]}, recurrence=recurrence)
    assert job_lists.find_external_job(db, "acme", "back", "d1") == job
    assert (job.public_id, job.updated_at) == ("d1", NOON)


def test_a_job_is_found_by_the_clients_id_or_else_the_native_one_in_its_dialect_and_tenant_alone(db: AppDb) -> None:
    job, own = insert(db, "x", "ids"), insert(db, "y", "ids", external_id="mine")
    assert job_lists.find_external_job(db, "acme", "ids", job.id) == job
    assert job_lists.find_external_job(db, None, "ids", "mine") == own
    for tenant, dialect, id_ in (("acme", "ids", own.id), ("acme", "other", job.id), ("globex", "ids", job.id)):
        assert job_lists.find_external_job(db, tenant, dialect, id_) is None


def test_an_external_id_is_there_once_in_a_tenant_and_dialect(db: AppDb) -> None:
    insert(db, "x", "once", external_id="mine")
    queued: list[Any] = []
    with pytest.raises(Conflict):
        jobs.insert_job(db, make_job(dialect="once", external_id="mine"), queued.append)
    assert queued == []
    insert(db, "x", "once-more", external_id="mine")


def test_a_list_has_the_newest_first_and_says_how_many_there_are(three: AppDb) -> None:
    assert names(three, "three") == [None, "beta", "Ärger"]
    page = job_lists.list_external_jobs(three, NOON, "acme", "three", offset=1, limit=1)
    assert ([job.name for job in page[0]], page[1]) == (["beta"], 3)
    assert names(three, "three", tenant="globex") == []


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (Condition("name", Operator.IEQ, ("ÄRGER", "x")), ["Ärger"]),
        (Condition("name", Operator.INE, ("ärger",)), [None, "beta"]),
        (Condition("name", Operator.IS_NULL), [None]),
        (Condition("id", Operator.EQ, ("my-id",)), ["Ärger"]),
        (Condition("words", Operator.CONTAINS, ("ÄRG",)), ["Ärger"]),
        (Condition("words", Operator.CONTAINS, ("%",)), []),
        (Condition("words", Operator.CONTAINS, ("\0",)), []),
        (Condition("name", Operator.INE, ("beta\0",)), [None, "beta", "Ärger"]),
        (Condition("words", Operator.CONTAINS, ("S-1",)), ["Ärger"]),
        (Condition("state", Operator.EQ, ("completed",)), ["beta"]),
        (Condition("state", Operator.CONTAINS, ("ueue",)), [None, "Ärger"]),
        (Condition("dataset", Operator.IN, ("Figures",)), [None, "Ärger"]),
        (Condition("format", Operator.NOT_IN, ("xml", "json")), ["Ärger"]),
        (Condition("rows", Operator.BETWEEN, (1, None)), ["beta"]),
        (Condition("rows", Operator.NOT_BETWEEN, (None, 2)), ["beta"]),
        (Condition("created_at", Operator.GT, (NOON,)), []),
        (Condition("created_at", Operator.LTE, (NOON,)), [None, "beta", "Ärger"]),
        (Condition("finished_at", Operator.IS_NOT_NULL), ["beta"]),
        (Condition("file", Operator.IS_NULL), [None, "Ärger"]),
        (Not(Condition("name", Operator.IEQ, ("beta",))), [None, "Ärger"]),
        (And((Condition("rows", Operator.LT, (1,)), Condition("format", Operator.EQ, ("csv",)))), ["Ärger"]),
        (Or((Condition("rows", Operator.GTE, (3,)), Condition("format", Operator.EQ, ("csv",)))), ["beta", "Ärger"]),
        (Or(()), []),
    ],
)
def test_a_list_holds_what_meets_the_condition(three: AppDb, where: Filter, expected: list[str | None]) -> None:
    assert names(three, "three", where) == expected


def test_a_list_comes_in_the_order_of_several_keys_with_what_has_none_last(three: AppDb) -> None:
    assert names(three, "three", None, Sort("state"), Sort("format", descending=True)) == ["beta", None, "Ärger"]
    assert names(three, "three", None, Sort("name", descending=True))[2] is None
    assert names(three, "three", None, Sort("updated_at"), Sort("id"))[0] in (None, "beta", "Ärger")


def test_a_job_whose_time_has_come_is_listed_as_queued(db: AppDb) -> None:
    job = insert(db, "later", "due", state=JobState.SCHEDULED)
    is_queued = Condition("state", Operator.EQ, ("queued",))
    assert names(db, "due", is_queued) == ["later"]
    before = job_lists.list_external_jobs(db, NOON - timedelta(seconds=1), "acme", "due", where=is_queued)
    assert before == ((), 0)
    assert job.due_at == NOON


@pytest.mark.parametrize("column", job_lists.COLUMNS)
def test_every_column_can_order_a_list(three: AppDb, column: str) -> None:
    assert len(names(three, "three", None, Sort(column))) == 3
