"""What befalls a service that runs jobs: each ends in a clear error or in a later success, and leaves no half file."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from acceptance.chaos.fleet import Fleet, children_of, running, write_home
from acceptance.chaos.ledger import SQL, changing, check_moment, make_ledger
from acceptance.chaos.readers import READERS, WISHES
from acceptance.processes import needs_proc
from offtake.model.ports import StoreSpec
from offtake.store import open_store
from proxy import FaultProxy, run_proxy
from servers import Postgres, run_seaweed
from sites import wait_until

BIG = "SELECT n AS id, repeat(md5(n::text), 20) AS note FROM generate_series(1, 20000) n"  # 13 MB
HUGE = "SELECT repeat('x', 150000000) AS cell FROM generate_series(1, 3)"
DATASETS = {name: {"source": "books", "sql": sql} for name, sql in {"ledger": SQL, "big": BIG, "huge": HUGE}.items()}
pytestmark = [pytest.mark.slow, needs_proc]


@pytest.fixture
def books(postgres: Postgres) -> Iterator[str]:
    """A database with the ledger."""
    with postgres.database() as url:
        make_ledger(url)
        yield url


@contextmanager
def serving(
    home: Path, books: str, *, attempts: int = 3, environment: Mapping[str, str] | None = None, **settings: Any
) -> Iterator[Fleet]:
    """A service with those settings over that database, on SQLite, and nothing else."""
    jobs = {"concurrency": 2, "attempts": attempts, **settings.pop("jobs", {})}
    known = {"sources": {"books": {"url": books}}, "datasets": DATASETS, "jobs": jobs, **settings}
    key = write_home(home, known, workers=False)
    fleet = Fleet(home, key, 0)
    fleet.serve.environment = environment or {}
    with running(fleet):
        yield fleet


def submit(fleet: Fleet, dataset: str = "ledger", **wish: Any) -> str:
    """The id of a new export."""
    answer = fleet.ask("POST", json={"dataset": dataset, **wish})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def look_at(fleet: Fleet, id_: str) -> dict[str, Any]:
    """The export as it is."""
    found: dict[str, Any] = fleet.ask("GET", f"/{id_}").json()
    return found


def wait_for(fleet: Fleet, id_: str, *states: str, seconds: float = 60) -> dict[str, Any]:
    """The export once it is in one of the states."""
    until = time.monotonic() + seconds
    while (found := look_at(fleet, id_))["state"] not in states:
        assert time.monotonic() < until, found
        time.sleep(0.05)
    return found


def end(fleet: Fleet, id_: str, seconds: float = 60) -> dict[str, Any]:
    """The export once it has ended."""
    return wait_for(fleet, id_, "succeeded", "failed", "cancelled", seconds=seconds)


def check_file(fleet: Fleet, id_: str, kind: str = "csv") -> None:
    """The export's file is whole and of one moment."""
    check_moment(READERS[kind](fleet.ask("GET", f"/{id_}/download").content))


def files(folder: Path) -> list[Path]:
    """Every file below it, half-written ones too."""
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_full_disk_fails_the_job_and_stays_as_it_was(small_disk: Path, books: str, tmp_path: Path) -> None:
    with serving(tmp_path, books, attempts=2, store=str(small_disk)) as fleet:
        failed = end(fleet, submit(fleet, "big"))
        assert (failed["state"], failed["attempts"]) == ("failed", 2)
        assert failed["error"]["code"] == "STORE_FULL"
        assert failed["error"]["hint"]
        assert files(small_disk) == []
        fits = submit(fleet, "big", limit=1000)
        assert end(fleet, fits)["state"] == "succeeded"
        assert len(files(small_disk)) == 2


def test_a_disk_that_is_full_for_a_while_only_delays_the_job(small_disk: Path, books: str, tmp_path: Path) -> None:
    block = small_disk / "block"
    block.write_bytes(bytes(2_900_000))
    with serving(tmp_path, books, attempts=9, store=str(small_disk / "artifacts")) as fleet:
        id_ = submit(fleet, "big", limit=2000)
        wait_until(lambda: look_at(fleet, id_)["error"] is not None, 60)
        assert look_at(fleet, id_)["error"]["code"] == "STORE_FULL"
        block.unlink()
        done = end(fleet, id_)
    assert done["state"] == "succeeded"
    assert done["attempts"] > 1
    assert len(files(small_disk)) == 2


def test_wrong_credentials_of_the_bucket_fail_the_job_and_are_told_to_nobody(books: str, tmp_path: Path) -> None:
    wrong = "wr0ng-s3cret"
    with run_seaweed() as seaweed:
        store = {
            "url": "s3://shop/jobs",
            "endpoint": f"http://127.0.0.1:{seaweed.port}",
            "region": "us-east-1",
            "access_key_id": seaweed.access_key_id,
            "secret_access_key": wrong,
            "allow_http": True,
        }
        with serving(tmp_path, books, attempts=2, store=store) as fleet:
            failed = end(fleet, submit(fleet))
        assert (failed["state"], failed["error"]["code"]) == ("failed", "STORE_FAILED")
        assert "credentials" in failed["error"]["detail"]
        assert wrong not in str(failed) + (tmp_path / "serve.log").read_text()
        with serving(tmp_path, books, store=store | {"secret_access_key": seaweed.secret_access_key}) as fleet:
            answer = fleet.ask("POST", f"/{failed['id']}/retry")
            assert answer.status_code == 202, answer.text
            assert end(fleet, failed["id"])["state"] == "succeeded"
            check_file(fleet, failed["id"])
        assert seaweed.unfinished() == []


@contextmanager
def far_away(books: str) -> Iterator[tuple[str, FaultProxy]]:
    """The same database behind a line that may be cut."""
    port = psycopg.conninfo.conninfo_to_dict(books)["port"]
    with run_proxy(int(port)) as proxy:
        yield books.replace(f":{port}/", f":{proxy.port}/"), proxy


def test_a_source_that_is_gone_for_a_moment_only_delays_the_job(books: str, tmp_path: Path) -> None:
    with far_away(books) as (url, proxy), changing(books), serving(tmp_path, url, attempts=9) as fleet:
        ids = [submit(fleet, **WISHES[kind]) for kind in WISHES]
        wait_for(fleet, ids[0], "running")
        time.sleep(0.5)
        proxy.refuse_for(2.5)
        done = [end(fleet, id_) for id_ in ids]
        assert [job["state"] for job in done] == ["succeeded"] * len(ids)
        assert max(job["attempts"] for job in done) > 1
        for id_, kind in zip(ids, WISHES, strict=True):
            check_file(fleet, id_, kind)
    assert len(files(tmp_path / ".offtake/artifacts")) == 2 * len(ids)


def test_a_source_that_is_gone_for_30_seconds_fails_few_tries_and_outlasts_not_many(books: str, tmp_path: Path) -> None:
    with far_away(books) as (url, proxy), changing(books), serving(tmp_path, url, attempts=8) as fleet:
        id_ = submit(fleet)
        wait_for(fleet, id_, "running")
        proxy.refuse_for(30)
        done = end(fleet, id_, 120)
        assert done["state"] == "succeeded"
        check_file(fleet, id_)
        print(f"{done['attempts']} attempts")
    home = tmp_path / "few"
    home.mkdir()
    with far_away(books) as (url, proxy), serving(home, url) as fleet:
        id_ = submit(fleet)
        wait_for(fleet, id_, "running")
        proxy.refuse_for(30)
        failed = end(fleet, id_)
        assert (failed["state"], failed["attempts"], failed["error"]["code"]) == ("failed", 3, "SOURCE_FAILED")
        assert files(home / ".offtake/artifacts") == []
        time.sleep(30)
        fleet.ask("POST", f"/{id_}/retry")
        assert end(fleet, id_)["state"] == "succeeded"


def test_a_job_that_needs_too_much_memory_fails_alone(books: str, tmp_path: Path) -> None:
    with serving(tmp_path, books, attempts=2, jobs={"memory_mb": 350}) as fleet:
        poison, others = submit(fleet, "huge"), [submit(fleet, **WISHES[kind]) for kind in WISHES]
        failed = end(fleet, poison)
        assert (failed["state"], failed["attempts"]) == ("failed", 2)
        assert failed["error"]["code"] == "ATTEMPT_FAILED"
        assert "350 MB" in failed["error"]["detail"]
        for id_, kind in zip(others, WISHES, strict=True):
            done = end(fleet, id_)
            assert (done["state"], done["attempts"]) == ("succeeded", 1)
            check_file(fleet, id_, kind)
    artifacts = tmp_path / ".offtake/artifacts"
    open_store(StoreSpec(str(artifacts))).sweep_unfinished(datetime.now(UTC))  # a killed writer cannot do it itself
    assert len(files(artifacts)) == 2 * len(others)


def test_a_child_that_the_machine_killed_is_told_and_tried_again(books: str, tmp_path: Path) -> None:
    with serving(tmp_path, books) as fleet:
        id_ = submit(fleet)
        wait_for(fleet, id_, "running")
        time.sleep(0.3)
        assert fleet.serve.process is not None
        for child in children_of(fleet.serve.process.pid):
            os.kill(child, signal.SIGKILL)
        waiting = wait_for(fleet, id_, "queued")
        assert (waiting["error"]["code"], waiting["error"]["retryable"]) == ("ATTEMPT_FAILED", True)
        assert "SIGKILL" in waiting["error"]["detail"]
        done = end(fleet, id_)
        assert (done["state"], done["attempts"], done["error"]) == ("succeeded", 2, None)
        check_file(fleet, id_)


@pytest.fixture
def clock(tmp_path: Path) -> tuple[Path, Mapping[str, str]]:
    """A file that holds by how many seconds the clock is wrong, and the environment of a process for which it is."""
    compiler, library, file = shutil.which("cc"), tmp_path / "clock.so", tmp_path / "offset"
    if compiler is None:
        pytest.skip("No C compiler on this machine.")
    source = Path(__file__).with_name("clock.c")
    subprocess.run([compiler, "-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o", library, source], check=True)
    file.write_bytes(bytes(8))
    return file, {"LD_PRELOAD": str(library), "CLOCK_OFFSET": str(file)}


@pytest.mark.parametrize("hours", [1, -1])
def test_a_clock_that_jumps_changes_no_outcome(
    clock: tuple[Path, Mapping[str, str]], books: str, tmp_path: Path, hours: int
) -> None:
    file, environment = clock
    with serving(tmp_path, books, environment=environment) as fleet:
        ids = [submit(fleet) for _ in range(4)]
        wait_for(fleet, ids[0], "running")
        with file.open("r+b") as offset:
            offset.write((hours * 3600).to_bytes(8, "little", signed=True))
        ids += [submit(fleet), submit(fleet)]
        done = [end(fleet, id_) for id_ in ids]
        assert [(job["state"], job["attempts"]) for job in done] == [("succeeded", 1)] * len(done)
        for job in done:
            check_file(fleet, job["id"])
    made = [datetime.fromisoformat(job["created_at"]) for job in done]
    assert abs(made[-1] - made[0] - timedelta(hours=hours)) < timedelta(minutes=1)
    assert len(files(tmp_path / ".offtake/artifacts")) == 2 * len(done)
