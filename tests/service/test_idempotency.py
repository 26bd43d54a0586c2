"""Idempotency keys: the same key and body is the same job, for a day."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from offtake.errors import IdempotencyMismatch
from offtake.model.export import ExportRequest
from offtake.service.exports import Submission, Submitted, cancel_export, delete_export, list_exports, submit_export
from offtake.service.runtime import Runtime
from service.at_work import OTHER, READER, WISH, at, run, submit, turns
from sites import NOW, FakeSource, few, make_runtime

DAY = timedelta(hours=24)


@pytest.fixture(params=["sqlite", "postgresql"])
def runtime(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Runtime]:
    """A service over three rows, on each app database."""
    if request.param == "sqlite":
        made = make_runtime(tmp_path, {"fake": FakeSource(few)})
        yield made
        made.appdb.close()
        return
    with request.getfixturevalue("postgres").app_database() as url:
        made = make_runtime(tmp_path, {"fake": FakeSource(few)}, database=url)
        yield made
        made.appdb.close()


def test_the_same_key_and_body_is_the_same_job(runtime: Runtime) -> None:
    first = submit_export(runtime, READER, WISH, Submission(idempotency_key="k"))
    again = submit_export(runtime, READER, WISH, Submission(idempotency_key="k"))
    assert (first.is_new, again.is_new) == (True, False)
    assert again.job == first.job
    assert len(turns(runtime, first.job)) == len(list_exports(runtime, READER)) == 1


def test_a_request_sent_again_is_answered_with_the_job_as_it_is_now(runtime: Runtime) -> None:
    done = run(runtime, submit(runtime, idempotency_key="k"))
    assert submit(runtime, idempotency_key="k") == done


@pytest.mark.parametrize(
    ("request_", "how"),
    [
        (replace(WISH, limit=1), {}),
        (replace(WISH, format="json"), {}),
        (WISH, {"priority": 1}),
        (WISH, {"start_at": NOW + DAY}),
        (WISH, {"share_running": True}),
    ],
)
def test_the_same_key_with_another_body_is_refused(
    runtime: Runtime, request_: ExportRequest, how: dict[str, Any]
) -> None:
    submit(runtime, idempotency_key="k")
    with pytest.raises(IdempotencyMismatch):
        submit(runtime, request=request_, idempotency_key="k", **how)
    assert len(list_exports(runtime, READER)) == 1


def test_a_key_is_its_principals_own(runtime: Runtime) -> None:
    assert submit(runtime, READER, idempotency_key="k").id != submit(runtime, OTHER, idempotency_key="k").id


def test_a_key_is_kept_for_a_day(runtime: Runtime) -> None:
    job = submit(runtime, idempotency_key="k")
    assert submit(at(runtime, NOW + DAY - timedelta(seconds=1)), idempotency_key="k").id == job.id
    assert submit(at(runtime, NOW + DAY), idempotency_key="k").id != job.id


def submit_together(runtime: Runtime) -> list[Submitted]:
    """What eight requests with one key get, all sent at the same moment."""
    how = Submission(idempotency_key="k")
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(lambda _: submit_export(runtime, READER, WISH, how), range(8), timeout=30))


def test_of_requests_at_the_same_moment_one_makes_the_job(runtime: Runtime) -> None:
    made = submit_together(runtime)
    assert sum(submitted.is_new for submitted in made) == 1
    assert len({submitted.job.id for submitted in made}) == len(list_exports(runtime, READER)) == 1


def test_of_requests_at_the_moment_a_key_is_free_again_one_makes_the_next_job(runtime: Runtime) -> None:
    first = submit(runtime, idempotency_key="k")
    made = submit_together(at(runtime, NOW + DAY))
    assert sum(submitted.is_new for submitted in made) == 1
    assert len({submitted.job.id for submitted in made} - {first.id}) == 1
    assert len(list_exports(runtime, READER)) == 2


def test_the_key_of_a_deleted_job_is_free_again(runtime: Runtime) -> None:
    job = submit(runtime, idempotency_key="k")
    delete_export(runtime, READER, job.id)
    assert submit(runtime, idempotency_key="k").id != job.id


def test_a_job_that_could_not_be_put_into_the_queue_takes_no_key(runtime: Runtime) -> None:
    class FullQueue:
        def enqueue(self, connection: Any, turn: Any) -> None:
            raise OSError

        def ping(self) -> None: ...

    with pytest.raises(OSError):  # noqa: PT011 - it is that one
        submit(replace(runtime, queue=FullQueue()), idempotency_key="k")
    assert list_exports(runtime, READER) == ()
    assert submit_export(runtime, READER, WISH, Submission(idempotency_key="k")).is_new


def test_who_asks_for_a_running_job_of_the_same_gets_it(runtime: Runtime) -> None:
    first = submit(runtime)
    assert submit(runtime).id != first.id
    assert submit(runtime, share_running=True) == first
    assert submit(runtime, OTHER, share_running=True).id != first.id
    assert submit(runtime, request=replace(WISH, limit=1), share_running=True).id != first.id


def test_a_job_that_has_ended_or_is_for_later_is_not_shared(runtime: Runtime) -> None:
    later, ended = submit(runtime, start_at=NOW + DAY), submit(runtime)
    cancel_export(runtime, READER, ended.id)
    new = submit(runtime, share_running=True)
    assert new.id not in (later.id, ended.id)
    assert submit(runtime, share_running=True, start_at=NOW + DAY + DAY).id == later.id


def test_a_key_stands_for_the_shared_job_even_when_that_has_ended(runtime: Runtime) -> None:
    job = submit(runtime)
    shared = Submission(share_running=True, idempotency_key="k")
    assert submit_export(runtime, READER, WISH, shared).job == job
    done = run(runtime, job)
    assert submit_export(runtime, READER, WISH, shared).job == done
