"""Jobs run by `offtake worker` processes that share an app database on PostgreSQL."""

import json
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import psycopg
import pytest

import offtake
from jobs.shop import ROWS, Shop, Shops, children, end, is_gone, open_shop
from offtake.model.job import ExportJob, JobState
from servers import Postgres, run_postmaster
from sites import wait_until

NAP = "SELECT 1 AS n FROM pg_sleep({s})"
NAPS = {"nap": {"source": "pg", "sql": NAP.format(s=1)}, "sleep": {"source": "pg", "sql": NAP.format(s=600)}}
Working = tuple[Shop, "subprocess.Popen[str]"]


@pytest.fixture(scope="module")
def working(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> Iterator[Working]:
    """A shop with one worker that runs one job at a time."""
    folder = tmp_path_factory.mktemp("working") / "shop"
    with postgres.database() as url, open_shop(folder, database=url, datasets=NAPS, concurrency=1) as shop:
        yield shop, shop.start("worker")


def test_a_job_runs_to_its_file(working: Working) -> None:
    shop, _ = working
    job = shop.wait(shop.submit())
    assert (job.state, job.rows, job.error) == (JobState.SUCCEEDED, ROWS, None)


def test_a_cancelled_job_ends_its_query_at_once(working: Working) -> None:
    shop, _ = working
    job_id = shop.submit("sleep")
    wait_until(lambda: asleep(shop) == 1)
    child = shop.child_of(job_id)
    shop.cancel(job_id)
    wait_until(lambda: is_gone(child) and asleep(shop) == 0)


def asleep(shop: Shop) -> int:
    """How many queries of ours sleep in PostgreSQL."""
    sleeping = "SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
    return run_sql(shop, sleeping)


def run_sql(shop: Shop, statement: str) -> int:
    """How many rows it gave or changed in the shop's own database."""
    url = shop.runtime.appdb.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url) as connection:
        return connection.execute(statement.encode()).rowcount


@pytest.mark.slow
def test_low_priorities_go_first(working: Working) -> None:
    shop, _ = working
    first = shop.submit("nap")
    shop.wait(first, JobState.RUNNING)
    ids = [shop.submit(priority=priority) for priority in (9, 5, 1)]
    jobs = [shop.wait(id_) for id_ in ids]
    assert [job.priority for job in sorted(jobs, key=started)] == [1, 5, 9]


def started(job: ExportJob) -> float:
    """When its last attempt began."""
    assert job.started_at is not None
    return job.started_at.timestamp()


def finished(job: ExportJob) -> float:
    """When it ended."""
    assert job.finished_at is not None
    return job.finished_at.timestamp()


@pytest.mark.slow
def test_a_tenant_with_many_jobs_does_not_hold_the_others_up(working: Working) -> None:
    shop, _ = working
    first = shop.submit("nap")
    shop.wait(first, JobState.RUNNING)
    many = [shop.submit(limit=n) for n in range(1, 17)]
    lone = shop.submit(tenant="globex")
    ends = [finished(shop.wait(id_, seconds=60)) for id_ in many]
    assert finished(shop.wait(lone)) < ends[-1]


@pytest.mark.slow
def test_a_worker_that_was_taken_for_dead_ends_with_its_children(make_shop: Shops, postgres: Postgres) -> None:
    with postgres.database() as url, psycopg.connect(url, autocommit=True) as heir:
        worker = make_shop(database=url, concurrency=1).start("worker")
        below = children(worker)
        session = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = %s"
        (pid,) = heir.execute(session, ["offtake locks"]).fetchone() or (0,)
        lock = "SELECT classid::bigint << 32 | objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND pid = %s"
        (key,) = heir.execute(lock, [pid]).fetchone() or (0,)
        threading.Timer(0.5, postgres.execute, [f"SELECT pg_terminate_backend({pid})"]).start()
        heir.execute("SELECT pg_advisory_lock(%s::bigint)", [key])  # first in the line when it comes free
        assert worker.wait(60) == 75
        wait_until(lambda: all(is_gone(child) for child in below))


def test_a_worker_ends_with_its_children(working: Working) -> None:
    _, process = working
    before = children(process)
    assert before
    assert end(process) == 0
    assert all(is_gone(pid) for pid in before)


@pytest.mark.slow
def test_a_tenant_runs_no_more_jobs_at_once_than_it_may(make_shop: Shops, postgres: Postgres) -> None:
    with postgres.database() as url:
        shop = make_shop(database=url, datasets=NAPS, concurrency=3, per_tenant=1)
        ours = [shop.submit("nap", limit=n) for n in range(1, 4)]
        theirs = shop.submit("nap", tenant="globex")
        shop.start("worker")
        jobs = sorted((shop.wait(id_, seconds=60) for id_ in ours), key=started)
        assert all(finished(one) <= started(next_one) for one, next_one in pairwise(jobs))
        assert started(shop.wait(theirs)) < finished(jobs[-1])
        end(shop.processes[0])


@pytest.mark.slow
def test_the_turns_of_a_killed_worker_are_taken_over(make_shop: Shops, postgres: Postgres) -> None:
    with postgres.database() as url:
        shop = make_shop(database=url, datasets=NAPS | {"nap": {"source": "pg", "sql": NAP.format(s=4)}}, concurrency=1)
        victim, ids, waits = shop.start("worker"), [], []
        time.sleep(5)  # a server that has just been started is given time to hear from everybody
        for _ in range(3):
            heir = shop.start("worker")
            job_id = shop.submit("nap")
            shop.wait(job_id, JobState.RUNNING)
            dead = victim if shop.child_of(job_id) in children(victim) else heir
            victim = heir if dead is victim else victim
            dead.kill()
            waits.append(wait_until(lambda id_=job_id: shop.look(id_).attempt == 2))  # type: ignore[misc]
            ids.append(job_id)
        jobs = [shop.wait(id_) for id_ in ids]
        assert [(job.state, job.failures) for job in jobs] == [(JobState.SUCCEEDED, 0)] * 3
        assert sorted(waits)[1] < 20, waits


@pytest.mark.slow
def test_a_restart_of_postgresql_costs_no_job(make_shop: Shops) -> None:
    with run_postmaster() as postmaster:
        shop = make_shop(database=postmaster.start().url(), datasets=NAPS, concurrency=2)
        workers = [shop.start("worker") for _ in range(2)]
        ids = [shop.submit() for _ in range(4)] + [shop.submit("second", limit=n) for n in range(1, 6)]
        postmaster.stop(signal.SIGQUIT)
        time.sleep(2)
        postmaster.start()
        jobs = [shop.wait(id_, seconds=90) for id_ in ids]
        assert [job.state for job in jobs] == [JobState.SUCCEEDED] * 9
        assert all(worker.poll() is None for worker in workers)


@pytest.mark.slow
def test_many_workers_do_not_slow_each_other_down(make_shop: Shops, postgres: Postgres) -> None:
    with postgres.database() as url:
        shop = make_shop(database=url, concurrency=2, per_tenant=3)
        for _ in range(3):
            shop.start("worker")
        ids = [shop.submit(limit=n, tenant=tenant) for n in range(1, 41) for tenant in ("acme", "globex")]
        for id_ in ids:
            assert shop.wait(id_, seconds=120).state is JobState.SUCCEEDED

        def took() -> float:
            began = time.monotonic()
            shop.wait(shop.submit())
            return time.monotonic() - began

        wait_until(lambda: took() < 2)
        assert '"queue"' not in shop.log()


@pytest.mark.slow
def test_a_worker_of_a_newer_version_takes_over_jobs_of_an_older(
    make_shop: Shops, postgres: Postgres, tmp_path: Path
) -> None:
    newer = tmp_path / "newer"
    shutil.copytree(Path(offtake.__file__).parent, newer / "offtake", ignore=shutil.ignore_patterns("__pycache__"))
    (newer / "offtake" / "__init__.py").write_text('"""Newer."""\n\n__version__ = "99.0"\n')
    turns = newer / "offtake" / "jobs" / "turns.py"
    turns.write_text(turns.read_text().replace("attempt began", "newer attempt began"))
    with postgres.database() as url:
        long = {"long": {"source": "pg", "sql": NAP.format(s="(SELECT max(s) FROM patience)")}}
        shop = make_shop(database=url, datasets=long, concurrency=1)
        run_sql(shop, "CREATE TABLE patience AS SELECT 600 AS s")
        old = shop.start("worker")
        ids = [shop.submit("long"), shop.submit()]
        shop.wait(ids[0], JobState.RUNNING)
        shop.start("worker", environ={"PYTHONPATH": str(newer)})
        run_sql(shop, "UPDATE patience SET s = 0")
        old.kill()
        jobs = [shop.wait(id_, seconds=60) for id_ in ids]
    assert [(job.state, job.attempt) for job in jobs] == [(JobState.SUCCEEDED, 2), (JobState.SUCCEEDED, 1)]
    lines = [json.loads(line) for line in shop.log().splitlines()]
    assert [line["job"] for line in lines if line["event"] == "newer attempt began"].count(ids[0]) == 1
