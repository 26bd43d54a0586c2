"""Jobs that run beside the API in one `offtake serve`, on SQLite."""

import hashlib
import json
import os
import signal
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest

from jobs.shop import ROWS, Shop, Shops, children, end, is_gone, started_by
from offtake.model.job import JobState
from servers import free_port
from sites import wait_until

Served = tuple[Shop, "subprocess.Popen[str]"]


def test_a_job_runs_to_its_file(served: Served) -> None:
    shop, _ = served
    job = shop.wait(shop.submit())
    assert (job.state, job.rows, job.error) == (JobState.SUCCEEDED, ROWS, None)
    assert job.artifact is not None
    data = b"".join(shop.runtime.store.read(job.artifact.name))
    assert data.count(b"\n") == ROWS + 1
    assert hashlib.sha256(data).hexdigest() == job.artifact.sha256


def test_a_small_job_is_done_in_half_a_second(served: Served) -> None:
    shop, _ = served

    def took() -> float:
        began = time.monotonic()
        shop.wait(shop.submit())
        return time.monotonic() - began

    wait_until(lambda: took() < 0.5)  # the machine may be busy, but not all the time


def test_a_job_that_cannot_succeed_fails_at_once(served: Served) -> None:
    shop, _ = served
    job = shop.wait(shop.submit("wrong"))
    assert (job.state, job.error and job.error.code) == (JobState.FAILED, "SOURCE_FAILED")


def test_a_killed_child_is_tried_again(served: Served) -> None:
    shop, _ = served
    job_id = shop.submit("second")
    shop.wait(job_id, JobState.RUNNING)
    os.kill(shop.child_of(job_id), signal.SIGKILL)
    job = shop.wait(job_id)
    assert (job.state, job.attempt, job.failures) == (JobState.SUCCEEDED, 2, 1)


def test_a_greedy_job_fails_alone(served: Served) -> None:
    shop, _ = served
    greedy = shop.submit("greedy")
    shop.wait(greedy, JobState.RUNNING)
    neighbours = [shop.submit(), shop.submit("second")]
    assert [shop.wait(id_).state for id_ in neighbours] == [JobState.SUCCEEDED] * 2
    job = shop.wait(greedy)
    assert (job.state, job.attempt) == (JobState.FAILED, 2)
    assert job.error is not None
    assert job.error.detail == "The export needed more than 300 MB of memory."
    assert not [name for name in shop.files() if name.startswith(greedy)]


def test_a_cancelled_job_stops_at_once(served: Served) -> None:
    shop, _ = served
    job_id = shop.submit("slow")
    shop.wait(job_id, JobState.RUNNING)
    child = shop.child_of(job_id)
    shop.cancel(job_id)
    wait_until(lambda: is_gone(child))
    assert shop.look(job_id).state is JobState.CANCELLED


def test_a_cancelled_job_in_the_queue_never_runs_and_a_retried_one_does(served: Served) -> None:
    shop, _ = served
    job_id = shop.submit(start_at=datetime.now(UTC) + timedelta(hours=1))
    shop.cancel(job_id)
    shop.retry(job_id)
    job = shop.wait(job_id)
    assert (job.state, job.attempt, job.turn) == (JobState.SUCCEEDED, 1, 1)


def test_a_delayed_job_waits_for_its_time(served: Served) -> None:
    shop, _ = served
    due = datetime.now(UTC) + timedelta(seconds=2)
    job_id = shop.submit(start_at=due)
    assert shop.look(job_id).state is JobState.SCHEDULED
    job = shop.wait(job_id)
    assert job.started_at is not None
    assert timedelta() <= job.started_at - due < timedelta(seconds=15)


def test_the_log_is_json_lines(served: Served) -> None:
    shop, _ = served
    assert all(json.loads(line)["level"] for line in shop.log().splitlines())


def test_the_nursery_has_no_thread_that_a_fork_would_miss_and_no_file_of_ours_open(served: Served) -> None:
    shop, process = served
    nursery = next(pid for pid in started_by(process.pid) if started_by(pid))
    threads = {file.read_text().strip() for file in Path(f"/proc/{nursery}/task").glob("*/comm")}
    # The allocator of Arrow has one, and starts it anew in a child by itself (pthread_atfork).
    assert len(threads - {"jemalloc_bg_thd"}) == 1, threads
    opened = {os.readlink(file) for file in Path(f"/proc/{nursery}/fd").iterdir()}
    assert [name for name in opened if name.startswith(str(shop.home))] == [str(shop.home / "log")]


def test_a_job_that_loses_its_nursery_is_handed_on_and_has_not_failed(served: Served) -> None:
    shop, process = served
    job_id = shop.submit("second")
    shop.wait(job_id, JobState.RUNNING)
    for pid in started_by(process.pid):
        if started_by(pid):
            os.kill(pid, signal.SIGKILL)
    job = shop.wait(job_id)
    assert (job.state, job.attempt, job.failures) == (JobState.SUCCEEDED, 2, 0)


def test_serve_ends_with_its_children(served: Served) -> None:
    shop, process = served
    before = children(process)
    assert before
    assert end(process) == 0
    assert all(is_gone(pid) for pid in before)
    assert not list((shop.home / "offtake.db.workers").iterdir())


@pytest.mark.slow
def test_a_killed_serve_takes_its_children_along_and_the_next_one_takes_over(make_shop: Shops) -> None:
    shop = make_shop()
    process = shop.serve()
    job_id = shop.submit("second")
    shop.wait(job_id, JobState.RUNNING)
    below = children(process)
    process.kill()
    wait_until(lambda: all(is_gone(pid) for pid in below))
    shop.serve()
    job = shop.wait(job_id)
    assert (job.state, job.attempt, job.failures) == (JobState.SUCCEEDED, 2, 0)


@pytest.mark.slow
def test_a_jobs_rows_count_for_the_tenants_day(make_shop: Shops) -> None:
    shop = make_shop(limits={"rows_per_day": ROWS})
    port = free_port()
    shop.serve(port)
    assert shop.wait(shop.submit()).state is JobState.SUCCEEDED

    def ask() -> int:
        wish, headers = {"dataset": "orders", "format": "csv"}, {"x-api-key": shop.keys["acme"]}
        return httpx2.post(f"http://127.0.0.1:{port}/api/v1/exports", json=wish, headers=headers).status_code

    wait_until(lambda: ask() == 429)


@pytest.mark.slow
def test_a_job_finishes_while_serve_ends(make_shop: Shops) -> None:
    shop = make_shop(grace_s=20)
    process = shop.serve()
    job_id = shop.submit("second")
    shop.wait(job_id, JobState.RUNNING)
    assert end(process) == 0
    assert shop.look(job_id).state is JobState.SUCCEEDED


@pytest.mark.slow
def test_a_job_that_takes_longer_than_the_grace_is_handed_on(make_shop: Shops) -> None:
    shop = make_shop(grace_s=1)
    process = shop.serve()
    job_id = shop.submit("slow")
    shop.wait(job_id, JobState.RUNNING)
    assert end(process) == 0
    job = shop.look(job_id)
    assert (job.state, job.turn, job.failures) == (JobState.QUEUED, 1, 0)
    shop.serve()
    shop.wait(job_id, JobState.RUNNING)


@pytest.mark.slow
def test_serve_without_jobs_only_takes_them_in(make_shop: Shops) -> None:
    shop = make_shop(concurrency=0)
    process = shop.serve()
    job_id = shop.submit()
    time.sleep(1)
    assert shop.look(job_id).state is JobState.QUEUED
    assert not children(process)


def test_a_worker_wants_postgresql(make_shop: Shops) -> None:
    shop = make_shop()
    with pytest.raises(AssertionError, match="A worker needs the app database on PostgreSQL"):
        shop.start("worker")
