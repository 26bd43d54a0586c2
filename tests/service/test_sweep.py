"""The sweep deletes what had its time and never a file that a job names or still writes."""

import threading
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import uuid_utils

from offtake.appdb import jobs as table
from offtake.appdb.idempotency import KEPT
from offtake.errors import NotFound, StoreFailed
from offtake.jobs.sweeper import sweep_forever, sweep_once
from offtake.model.export import ExportRequest
from offtake.model.job import ExportJob, JobState, Retention
from offtake.model.ports import Stop, StoredFile
from offtake.service.access import local_principal
from offtake.service.exports import Submission, submit_export
from offtake.service.runs import claim_run, run_attempt
from offtake.service.runtime import Runtime
from offtake.service.sweep import Swept, sweep
from offtake.store import open_store
from servers import Postgres, Seaweed
from sites import FakeSource, few, make_runtime

NONE = timedelta(0)
REQUEST = ExportRequest("numbers", format="csv")


@dataclass
class Clock:
    """The time, and how far the test has turned it."""

    ahead: timedelta = field(default_factory=timedelta)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@pytest.fixture
def clock() -> Clock:
    """Right at first. Files carry the machine's time, so it is only ever turned forward."""
    return Clock(timedelta(seconds=1))


@pytest.fixture
def runtime(tmp_path: Path, clock: Clock) -> Iterator[Runtime]:
    """A runtime whose artifacts live for seven days."""
    runtime = make_runtime(tmp_path, {"fake": FakeSource(few)}, now=clock)
    yield runtime
    runtime.appdb.close()


def submitted(runtime: Runtime, how: Submission | None = None) -> ExportJob:
    return submit_export(runtime, local_principal(runtime, "acme"), REQUEST, how).job


def claimed(runtime: Runtime) -> ExportJob:
    """A job in its first attempt."""
    job = claim_run(runtime, submitted(runtime).id, 0)
    assert job is not None
    return job


def finished(runtime: Runtime) -> ExportJob:
    """A job with its file."""
    job = claimed(runtime)
    assert run_attempt(runtime, job, Stop())
    return found(runtime, job)


def found(runtime: Runtime, job: ExportJob) -> ExportJob:
    now = table.find_job(runtime.appdb, job.id)
    assert now is not None
    return now


def names(runtime: Runtime) -> set[str]:
    """What lies in the store."""
    return {file.name for file in runtime.store.list()}


def piece(runtime: Runtime, job_id: str, attempt: int) -> str:
    """A file as that attempt of that job leaves it."""
    name = f"{job_id}/{attempt}-00ff00ff00ff00ff"
    runtime.store.write(name, iter([b"half a truth"]))
    return name


def test_an_expired_file_goes_and_its_job_stays(runtime: Runtime, clock: Clock) -> None:
    job = finished(runtime)
    assert sweep(runtime, grace=NONE) == Swept()
    assert len(names(runtime)) == 2
    clock.ahead += timedelta(days=7)
    assert sweep(runtime, grace=NONE) == Swept(expired=1)
    after = found(runtime, job)
    assert (names(runtime), after.state, after.rows, after.artifact) == (set(), JobState.SUCCEEDED, 3, None)
    assert sweep(runtime, grace=NONE) == Swept()


def test_a_file_without_an_end_is_kept(runtime: Runtime, clock: Clock) -> None:
    for_ever = replace(runtime, retention=Retention(days=0, audit_days=0))
    finished(for_ever)
    clock.ahead += timedelta(days=400)
    assert sweep(for_ever, grace=NONE) == Swept()
    assert len(names(runtime)) == 2


def test_losers_go_and_what_a_job_names_or_writes_stays(runtime: Runtime) -> None:
    done, running, queued, cancelled = finished(runtime), claimed(runtime), submitted(runtime), claimed(runtime)
    table.cancel_job(runtime.appdb, cancelled.id, runtime.now(), None)
    kept = names(runtime) | {piece(runtime, running.id, running.attempt)}
    losers = [
        piece(runtime, done.id, done.attempt),
        piece(runtime, running.id, 0),
        piece(runtime, queued.id, 1),
        piece(runtime, cancelled.id, cancelled.attempt),
        piece(runtime, str(uuid_utils.uuid7()), 1),
    ]
    runtime.store.write_once(f"{losers[0]}.manifest.json", b"{}")
    assert sweep(runtime, grace=NONE).orphans == 6
    assert names(runtime) == kept


def test_an_orphan_is_left_alone_while_it_is_young(runtime: Runtime, clock: Clock) -> None:
    orphan = piece(runtime, str(uuid_utils.uuid7()), 1)
    assert sweep(runtime, grace=timedelta(hours=1)) == Swept()
    assert names(runtime) == {orphan}
    clock.ahead += timedelta(hours=1)
    assert sweep(runtime, grace=timedelta(hours=1)) == Swept(orphans=1)


def test_files_that_are_not_named_like_ours_stay(runtime: Runtime) -> None:
    others = {"README.md", "backup/2026.tar", f"{uuid_utils.uuid7()}/notes.txt", f"{uuid_utils.uuid7()}/1-0f.part"}
    for name in others:
        runtime.store.write(name, iter([b"somebody else's"]))
    assert sweep(runtime, grace=NONE) == Swept()
    assert names(runtime) == others


@dataclass
class Hooked:
    """A store where something happens between the listing of a file and what the sweep does next."""

    inner: Any
    on_listed: Callable[[], object]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def list(self, prefix: str = "") -> Iterator[StoredFile]:
        yield from self.inner.list(prefix)
        self.on_listed()


def test_a_commit_after_the_listing_loses_nothing(runtime: Runtime) -> None:
    job = claimed(runtime)
    piece(runtime, job.id, 0)
    store = Hooked(runtime.store, lambda: None)
    watched = replace(runtime, store=store)
    # The file is listed while its attempt still runs, and the commit comes before the row is asked.
    store.on_listed = lambda: run_attempt(runtime, job, Stop())
    assert sweep(watched, grace=NONE).orphans == 1
    artifact = found(runtime, job).artifact
    assert artifact is not None
    assert names(runtime) == {artifact.name, artifact.manifest_name}


@dataclass
class Finished:
    """A store whose writers are known to live."""

    inner: Any

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def sweep_unfinished(self, before: datetime) -> int:
        return 0


@pytest.mark.slow
def test_sweeps_and_commits_at_once_lose_nothing_and_leave_nothing(runtime: Runtime) -> None:
    over = threading.Event()
    listed: Any = Finished(runtime.store)
    ruthless = replace(runtime, store=listed)

    def sweep_on() -> None:
        while not over.is_set():
            sweep(ruthless, grace=-timedelta(seconds=5))  # even what is written this moment is old enough

    with ThreadPoolExecutor(3) as pool:
        sweeps = [pool.submit(sweep_on) for _ in range(3)]
        try:
            done = []
            for _ in range(25):
                job = claimed(runtime)
                piece(runtime, job.id, 0)
                assert run_attempt(runtime, job, Stop())
                done.append(found(runtime, job))
        finally:
            over.set()
        for each in sweeps:
            each.result()
    sweep(runtime, grace=NONE)
    artifacts = [job.artifact for job in done if job.artifact is not None]
    assert len(artifacts) == 25
    assert names(runtime) == {name for each in artifacts for name in (each.name, each.manifest_name)}


def test_the_same_holds_on_postgresql_and_s3(
    tmp_path: Path, clock: Clock, postgres: Postgres, seaweed: Seaweed
) -> None:
    with postgres.app_database() as url:
        runtime = make_runtime(tmp_path, {"fake": FakeSource(few)}, now=clock, database=url)
        runtime = replace(runtime, store=open_store(seaweed.spec("swept")))
        kept, loser = finished(runtime), piece(runtime, str(uuid_utils.uuid7()), 1)
        clock.ahead += timedelta(minutes=1)
        assert loser in names(runtime)
        assert sweep(runtime, grace=NONE) == Swept(orphans=1)
        assert {name.partition("/")[0] for name in names(runtime)} == {kept.id}
        clock.ahead += timedelta(days=7)
        assert sweep(runtime, grace=NONE) == Swept(expired=1)
        assert names(runtime) == set()
        clock.ahead += timedelta(days=84)
        assert sweep(runtime, grace=NONE) == Swept(rows=1)
        runtime.appdb.close()


def test_rows_of_jobs_long_over_go_once_their_file_is_gone(runtime: Runtime, clock: Clock) -> None:
    expired, waiting = finished(runtime), submitted(runtime)
    lasting = finished(replace(runtime, retention=Retention(days=0)))
    clock.ahead += timedelta(days=89)
    assert sweep(runtime, grace=NONE) == Swept(expired=1)
    clock.ahead += timedelta(days=2)
    assert sweep(runtime, grace=NONE) == Swept(rows=1)
    left = table.find_jobs(runtime.appdb, [expired.id, waiting.id, lasting.id])
    assert set(left) == {waiting.id, lasting.id}


def test_idempotency_keys_are_forgotten_after_a_day(runtime: Runtime, clock: Clock) -> None:
    how = Submission(idempotency_key="k")
    first = submitted(runtime, how)
    clock.ahead += KEPT - timedelta(seconds=30)
    sweep(runtime, grace=NONE)
    assert submitted(runtime, how).id == first.id
    clock.ahead += timedelta(minutes=1)
    sweep(runtime, grace=NONE)
    assert submitted(runtime, how).id != first.id


@pytest.mark.slow
def test_memory_does_not_grow_with_the_store(runtime: Runtime) -> None:
    @dataclass
    class Full:
        files: int
        deleted: int = 0

        def list(self, prefix: str = "") -> Iterator[StoredFile]:
            for n in range(self.files):
                yield StoredFile(f"00000000-0000-7000-8000-{n:012}/1-0f", 1, datetime(2026, 1, 1, tzinfo=UTC))

        def delete(self, names: Any) -> None:
            self.deleted += len(names)

        def sweep_unfinished(self, before: datetime) -> int:
            return 0

    peaks = []
    for files in (20_000, 40_000):  # fewer, and the garbage collector has not run once
        store: Any = Full(files)
        tracemalloc.start()
        assert sweep(replace(runtime, store=store), grace=NONE).orphans == files == store.deleted
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.5


class Lines:
    """A log that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, dict[str, Any]]] = []

    def __getattr__(self, level: str) -> Callable[..., None]:
        return lambda event, **fields: self.lines.append((level, event, fields))


def test_a_round_tells_what_went_and_survives_a_store_that_is_gone(runtime: Runtime) -> None:
    log = Lines()
    sweep_once(runtime, log, whole_store=True)
    assert log.lines == []

    def fail() -> None:
        raise StoreFailed("The store does not answer.", hint="Start it.")

    store: Any = Hooked(runtime.store, fail)
    sweep_once(replace(runtime, store=store), log, whole_store=True)
    store.on_listed = lambda: 1 / 0
    sweep_once(replace(runtime, store=store), log, whole_store=True)
    assert log.lines == [
        ("warning", "sweep failed", {"code": "STORE_FAILED", "detail": "The store does not answer."}),
        ("error", "sweep failed", {"bug": "ZeroDivisionError"}),
    ]


def test_the_loop_ends_when_it_is_told_to(runtime: Runtime) -> None:
    stopping = threading.Event()
    thread = threading.Thread(target=sweep_forever, args=(runtime, stopping, Lines()))
    thread.start()
    stopping.set()
    thread.join(60)
    assert not thread.is_alive()


def test_a_deleted_file_is_not_found(runtime: Runtime, clock: Clock) -> None:
    job = finished(runtime)
    clock.ahead += timedelta(days=8)
    sweep(runtime, grace=NONE)
    assert job.artifact is not None
    with pytest.raises(NotFound):
        b"".join(runtime.store.read(job.artifact.name))
