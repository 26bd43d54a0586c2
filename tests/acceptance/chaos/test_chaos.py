"""Everything is killed again and again while rows change: every job still ends with one whole file of one moment."""

import hashlib
import itertools
import os
import random
import signal
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from acceptance.chaos.fleet import Fleet, Program, running, write_home
from acceptance.chaos.history import LOOK_S, History, states, watching
from acceptance.chaos.ledger import ROWS, SQL, changing, check_moment, make_ledger
from acceptance.chaos.readers import READERS, WISHES
from acceptance.processes import needs_proc
from offtake.app import build_runtime, close_runtime
from offtake.appdb.totals import read_totals
from offtake.model.job import JobState
from offtake.service.runtime import Runtime
from offtake.service.sweep import sweep
from offtake.settings import load_settings
from proxy import run_proxy
from servers import Postgres, run_postmaster, run_seaweed

JOBS = int(os.environ.get("CHAOS_JOBS", "60"))
SLOWEST_S = 120 + 10 * JOBS
PICKUP_S = 3.0
FINAL = [state for state in JobState if state.is_final]
WORKERS = 3

pytestmark = [pytest.mark.slow, needs_proc]


@contextmanager
def opened(home: Path) -> Iterator[Runtime]:
    """The parts of the service in this process too, to look at what it did."""
    runtime = build_runtime(load_settings(home / "worker.yaml"), with_jobs=True)
    try:
        yield runtime
    finally:
        close_runtime(runtime)


def submit_all(fleet: Fleet) -> dict[str, str]:
    """So many exports, in every format by turns; gives the kind of each by its id."""
    kinds = itertools.islice(itertools.cycle(WISHES), JOBS)
    made: dict[str, str] = {}
    for number, kind in enumerate(kinds):
        body = {"dataset": "ledger", **WISHES[kind]}
        answer = fleet.ask("POST", json=body, headers={"Idempotency-Key": f"job {number}"})
        assert answer.status_code == 202, answer.text
        made[answer.json()["id"]] = kind
    return made


def disturb(fleet: Fleet, history: History, troubles: list[Callable[[], object]]) -> None:
    """Until every job has ended, make one of the troubles at random, or a `Once` whose time has come.

    Between two, a few attempts have begun, and the last jobs are left in peace: else nothing would ever end.
    """
    until, few = time.monotonic() + SLOWEST_S, 1
    while (ended := history.count(*FINAL)) < JOBS:
        assert time.monotonic() < until, states(history)
        fleet.revive()
        if history.begun_since_trouble() < few or not history.count(JobState.QUEUED):
            time.sleep(LOOK_S)
            continue
        few = random.randint(1, 4)
        time.sleep(random.uniform(0, 1.5))
        due = [trouble for trouble in troubles if isinstance(trouble, Once) and trouble.is_due(ended)]
        history.note_trouble()
        (due or [random.choice([trouble for trouble in troubles if not isinstance(trouble, Once)])])[0]()


class Once:
    """A trouble that is made once, as soon as so many jobs have ended."""

    def __init__(self, after: int, make: Callable[[], object]) -> None:
        self._after, self._make = after, make
        self.was_made = False

    def is_due(self, ended: int) -> bool:
        """Whether it is time."""
        return ended >= self._after and not self.was_made

    def __call__(self) -> None:
        self.was_made = True
        self._make()


def kill_and_restart(history: History, programs: list[Program]) -> None:
    """kill -9 one of them, and start it again after a moment."""
    at_work = [program for program in programs if not program.has_ended and program.is_ready]
    program = random.choice(at_work or programs)
    history.note_kill()
    program.kill()
    time.sleep(random.uniform(0, 0.5))
    program.start()


def check_jobs(fleet: Fleet, made: dict[str, str]) -> int:
    """Fetch every file and see that it is whole and of one moment; gives the bytes of all."""
    size = 0
    for id_, kind in made.items():
        job: dict[str, Any] = fleet.ask("GET", f"/{id_}").json()
        assert (job["state"], job["rows"], job["percent"]) == ("succeeded", ROWS, 100.0), job
        data = fleet.ask("GET", f"/{id_}/download").content
        manifest = fleet.ask("GET", f"/{id_}/manifest").json()
        told = (manifest["rows"], manifest["bytes"], manifest["sha256"])
        assert told == (ROWS, len(data), hashlib.sha256(data).hexdigest())
        assert job["sha256"] == manifest["sha256"]
        check_moment(READERS[kind](data))
        size += len(data)
    return size


def check_counted(runtime: Runtime, size: int) -> None:
    """Each job was committed once, and none ended in another way."""
    totals = read_totals(runtime.appdb)
    assert {name: value for name, value in totals.items() if not name.startswith("seconds.")} == {
        "succeeded": JOBS,
        "rows": JOBS * ROWS,
        "bytes": size,
    }


def check_swept(runtime: Runtime) -> None:
    """After the sweep, the store has two files a job, and nothing half-written."""
    time.sleep(1.1)  # stores know when a file was written to the second
    swept = sweep(runtime, grace=timedelta(0))
    print(f"swept: {swept}")
    assert sum(1 for _ in runtime.store.list()) == 2 * JOBS
    assert not sweep(runtime, grace=timedelta(0))


def report(history: History) -> float:
    """Print what was measured; gives the median of the seconds from a kill until a lost job is begun again."""
    pickups = sorted(history.pickups_s())
    again = sum(attempt.number > 1 for attempt in history.attempts.values())
    others = len(history.troubles) - len(history.kills)
    print(f"\n{JOBS} jobs, {len(history.kills)} kills, {others} other troubles, {again} attempts more than jobs")
    assert pickups, "no job was taken over"
    median = statistics.median(pickups)
    print(f"from kill -9 to the next attempt: median {median:.2f} s, worst {pickups[-1]:.2f} s, of {len(pickups)}")
    return median


def test_a_server_on_sqlite_that_is_killed_again_and_again_finishes_every_job(
    postgres: Postgres, tmp_path: Path
) -> None:
    with postgres.database() as books:
        make_ledger(books)
        settings = {
            "sources": {"books": {"url": books}},
            "datasets": {"ledger": {"source": "books", "sql": SQL}},
            "jobs": {"concurrency": 3, "attempts": 10},
        }
        key = write_home(tmp_path, settings, workers=False)
        with (
            opened(tmp_path) as runtime,
            changing(books) as changes,
            watching(runtime.appdb) as history,
            running(Fleet(tmp_path, key, 0)) as fleet,
        ):
            made = submit_all(fleet)

            serve = fleet.serve
            troubles = [lambda: kill_and_restart(history, [serve]), serve.kill_child, serve.kill_nursery]
            disturb(fleet, history, troubles)
            assert changes[0] > 100
            check_counted(runtime, check_jobs(fleet, made))
            fleet.end()
            check_swept(runtime)
    report(history)


def test_workers_databases_and_stores_that_fail_at_any_moment_lose_no_job(tmp_path: Path) -> None:
    with run_postmaster("max_connections=300") as postmaster, run_seaweed() as seaweed, run_proxy(seaweed.port) as s3:
        server = postmaster.start()
        server.execute("CREATE DATABASE books", "CREATE DATABASE offtake")
        make_ledger(server.url("books"))
        settings = {
            "database": server.url("offtake"),
            "store": {
                "url": "s3://shop/chaos",
                "endpoint": f"http://127.0.0.1:{s3.port}",
                "region": "us-east-1",
                "access_key_id": seaweed.access_key_id,
                "secret_access_key": seaweed.secret_access_key,
                "allow_http": True,
            },
            "sources": {"books": {"url": server.url("books")}},
            "datasets": {"ledger": {"source": "books", "sql": SQL}},
            "jobs": {"concurrency": 1, "attempts": 10},
        }
        key = write_home(tmp_path, settings, workers=True)
        with (
            opened(tmp_path) as runtime,
            changing(server.url("books")) as changes,
            watching(runtime.appdb) as history,
            running(Fleet(tmp_path, key, WORKERS)) as fleet,
        ):
            made = submit_all(fleet)

            def kill_child() -> object:
                return random.choice(fleet.working).kill_child()

            def restart_database() -> None:
                postmaster.stop(signal.SIGQUIT)
                postmaster.start()

            once = [Once(JOBS // 4, restart_database), Once(JOBS // 2, lambda: s3.refuse_for(3))]
            disturb(fleet, history, [lambda: kill_and_restart(history, fleet.working), kill_child, *once])
            assert changes[0] > 100
            assert all(trouble.was_made for trouble in once)
            check_counted(runtime, check_jobs(fleet, made))
            fleet.end()
            check_swept(runtime)
            assert seaweed.unfinished() == []
    assert report(history) < PICKUP_S
