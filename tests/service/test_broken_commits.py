"""A connection that breaks while a job is being settled: what PostgreSQL did counts, not what the worker heard."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from offtake.appdb.totals import read_totals
from offtake.errors import SourceFailed
from offtake.model.job import JobLimits, JobState
from offtake.model.ports import Stop
from offtake.service.runs import run_attempt
from offtake.service.runtime import Runtime
from servers import Postgres
from service.at_work import WatchedStore, claim, find, left, submit, turns
from sites import FakeSource, failing_after, few, make_runtime

FIND = "SELECT pid FROM pg_stat_activity WHERE datname = '{}' AND wait_event = 'SyncRep'"


@pytest.fixture
def url(postgres: Postgres) -> Iterator[str]:
    """A database whose commits wait for a replica, once there should be one: no other database's do."""
    with postgres.app_database() as url:
        name = sa.make_url(url).database
        postgres.execute(f"ALTER DATABASE {name} SET synchronous_commit = on")
        yield url


@contextmanager
def cut_after_commit(postgres: Postgres, url: str) -> Iterator[list[int]]:
    """The next transaction that writes is durable, but the connection breaks before its COMMIT is answered."""
    name, over = sa.make_url(url).database, threading.Event()
    cut: list[int] = []

    def watch() -> None:
        with psycopg.connect(postgres.url(), autocommit=True) as connection:
            while not over.wait(0.01):
                for (pid,) in connection.execute(FIND.format(name).encode()).fetchall():
                    postgres.execute("ALTER SYSTEM RESET synchronous_standby_names", "SELECT pg_reload_conf()")
                    connection.execute("SELECT pg_terminate_backend(%s)", (pid,))
                    cut.append(pid)

    watcher = threading.Thread(target=watch)
    try:
        postgres.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'", "SELECT pg_reload_conf()")
        watcher.start()
        yield cut
    finally:
        over.set()
        watcher.join()
        postgres.execute("ALTER SYSTEM RESET synchronous_standby_names", "SELECT pg_reload_conf()")


def test_a_commit_that_was_never_answered_is_counted_once(postgres: Postgres, url: str, tmp_path: Path) -> None:
    runtime = make_runtime(tmp_path, {"fake": FakeSource(few)}, database=url)
    job = submit(runtime)
    attempt = claim(runtime, job)
    with cut_after_commit(postgres, url) as cut:
        assert run_attempt(runtime, attempt, Stop())
    assert cut, "no connection was cut"
    done = find(runtime, job)
    assert done.artifact is not None
    assert (done.state, done.revision) == (JobState.SUCCEEDED, 2)
    assert left(runtime, job) == [done.artifact.name, done.artifact.manifest_name]
    assert {name: read_totals(runtime.appdb)[name] for name in ("succeeded", "rows")} == {"succeeded": 1, "rows": 3}
    runtime.appdb.close()


def test_a_failure_whose_telling_was_never_answered_is_told_once(postgres: Postgres, url: str, tmp_path: Path) -> None:
    for attempts, state in ((3, JobState.QUEUED), (1, JobState.FAILED)):
        limits = JobLimits(attempts=attempts)
        runtime = make_runtime(tmp_path, {"fake": FakeSource(failing_after(0))}, database=url, job_limits=limits)
        job = submit(runtime)
        attempt = claim(runtime, job)
        with cut_after_commit(postgres, url) as cut:
            run_attempt(runtime, attempt, Stop())
        assert cut, "no connection was cut"
        told = find(runtime, job)
        assert (told.state, told.failures, told.revision) == (state, 1, 2)
        assert read_totals(runtime.appdb).get("failed", 0) == (state is JobState.FAILED)
        assert len(turns(runtime, job)) == 1 + (state is JobState.QUEUED)
        runtime.appdb.close()


def cut_before_commit(runtime: Runtime, url: str, times: int) -> Callable[[], int]:
    """The next so many commits find their connection broken; gives how many did."""
    done = 0

    def cut(connection: sa.Connection) -> None:
        nonlocal done
        if done < times:
            done += 1
            pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
            with psycopg.connect(url, autocommit=True) as other:
                other.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))

    sa.event.listen(runtime.appdb.engine, "commit", cut)
    return lambda: done


def test_a_commit_that_never_happened_is_made_again(url: str, tmp_path: Path) -> None:
    runtime = make_runtime(tmp_path, {"fake": FakeSource(few)}, database=url)
    job = submit(runtime)
    attempt = claim(runtime, job)
    cuts = cut_before_commit(runtime, url, 2)
    assert run_attempt(runtime, attempt, Stop())
    assert cuts() == 2
    assert find(runtime, job).state is JobState.SUCCEEDED
    assert read_totals(runtime.appdb)["succeeded"] == 1
    runtime.appdb.close()


def test_a_worker_that_is_stopped_in_the_middle_of_a_commit_leaves_its_file(url: str, tmp_path: Path) -> None:
    runtime = make_runtime(tmp_path, {"fake": FakeSource(few)}, database=url)
    job = submit(runtime)
    attempt = claim(runtime, job)
    ended = []

    class Ended(BaseException):
        """As KeyboardInterrupt and SystemExit are: nobody's to catch."""

    def end(connection: sa.Connection) -> None:
        if not ended:
            ended.append(connection.exec_driver_sql("COMMIT"))
            raise Ended

    sa.event.listen(runtime.appdb.engine, "commit", end)
    with pytest.raises(Ended):
        run_attempt(runtime, attempt, Stop())
    done = find(runtime, job)
    assert done.artifact is not None
    assert left(runtime, job) == [done.artifact.name, done.artifact.manifest_name]
    runtime.appdb.close()


def test_a_database_that_is_gone_for_a_while_costs_no_attempt(postgres: Postgres, url: str, tmp_path: Path) -> None:
    runtime = make_runtime(tmp_path, {"fake": FakeSource(few)}, database=url)
    job = submit(runtime)
    attempt = claim(runtime, job)
    name = sa.make_url(url).database
    back = threading.Timer(1.5, postgres.execute, [f"ALTER DATABASE {name} ALLOW_CONNECTIONS true"])

    def go(what: str) -> None:
        if what == "described":
            closing = f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{name}'"
            postgres.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false", closing)
            back.start()

    assert run_attempt(replace(runtime, store=WatchedStore(runtime.store, go)), attempt, Stop())
    done = find(runtime, job)
    assert (done.state, done.attempt, done.failures) == (JobState.SUCCEEDED, 1, 0)
    runtime.appdb.close()


def test_a_source_that_fails_while_the_database_is_gone_is_told_when_it_is_back(
    postgres: Postgres, url: str, tmp_path: Path
) -> None:
    name = sa.make_url(url).database
    back = threading.Timer(1.5, postgres.execute, [f"ALTER DATABASE {name} ALLOW_CONNECTIONS true"])

    def fail(_: Stop) -> Iterator[None]:
        closing = f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{name}'"
        postgres.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false", closing)
        back.start()
        raise SourceFailed("Gone as well.")
        yield

    runtime = make_runtime(tmp_path, {"fake": FakeSource(fail)}, database=url)
    job = submit(runtime)
    run_attempt(runtime, claim(runtime, job), Stop())
    told = find(runtime, job)
    assert (told.state, told.failures) == (JobState.QUEUED, 1)
    runtime.appdb.close()
