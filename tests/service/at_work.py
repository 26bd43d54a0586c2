"""Jobs run by hand: a principal that asks, a worker that takes the turn, a store and a source that can be watched."""

from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import pyarrow as pa

from offtake.appdb import jobs as table
from offtake.model.access import Principal
from offtake.model.export import ExportRequest, Plan
from offtake.model.job import ExportJob
from offtake.model.ports import Chunks, RowStream, Stop, Store, StoredFile, Turn
from offtake.service.exports import Submission, submit_export
from offtake.service.runs import claim_run, run_attempt
from offtake.service.runtime import Runtime
from sites import Batches, FakeSource, batch, few

READER = Principal("reader", "acme", frozenset({"reports:read"}))
OTHER = Principal("other", "acme", frozenset({"reports:read"}))
CLERK = Principal("clerk", "acme", frozenset({"reports:read", "reports:write", "pii:read"}))
FOREIGN = Principal("foreign", "globex", frozenset({"reports:read", "reports:write"}))
WISH = ExportRequest("numbers")


def submit(runtime: Runtime, who: Principal = READER, request: ExportRequest = WISH, **how: Any) -> ExportJob:
    """A job in the queue."""
    return submit_export(runtime, who, request, Submission(**how)).job


def turns(runtime: Runtime, job: ExportJob) -> list[Turn]:
    """The job's turns in the queue, the latest last."""
    queue: Any = runtime.queue
    return [turn for turn in queue.turns if turn.job_id == job.id]


def claim(runtime: Runtime, job: ExportJob) -> ExportJob:
    """The job's latest turn, taken by a worker."""
    attempt = claim_run(runtime, job.id, turns(runtime, job)[-1].number)
    assert attempt is not None
    return attempt


def run(runtime: Runtime, job: ExportJob, stop: Stop | None = None) -> ExportJob:
    """The job as it is after its latest turn was run."""
    run_attempt(runtime, claim(runtime, job), stop or Stop())
    return find(runtime, job)


def find(runtime: Runtime, job: ExportJob, id_: str | None = None) -> ExportJob:
    """The job as it is, or the one of that id."""
    found = table.find_job(runtime.appdb, id_ or job.id)
    assert found is not None
    return found


def left(runtime: Runtime, job: ExportJob) -> list[str]:
    """What the job has in the store."""
    return sorted(file.name for file in runtime.store.list(f"{job.id}/"))


def content(runtime: Runtime, job: ExportJob) -> bytes:
    """The bytes of the job's file."""
    assert job.artifact is not None
    return b"".join(runtime.store.read(job.artifact.name))


def at(runtime: Runtime, moment: datetime) -> Runtime:
    """The same service at another time."""
    return replace(runtime, now=lambda: moment)


@dataclass
class NotedSource(FakeSource):
    """Remembers the plans that were read."""

    batches: Batches = few
    plans: list[Plan] = field(default_factory=list)

    def read(self, plan: Plan, stop: Stop) -> RowStream:
        self.plans.append(plan)
        return super().read(plan, stop)


@dataclass
class WatchedSource(FakeSource):
    """Three batches of rows; `tick` is told when its fields are asked for and before each batch."""

    batches: Batches = few
    tick: Callable[[str], None] = lambda _: None

    def describe(self, dataset: Any) -> Any:
        self.tick("planning")
        return super().describe(dataset)

    def _watched(self, stop: Stop, names: list[str]) -> Generator[pa.RecordBatch, None, None]:
        for first in (0, 4000, 8000):
            self.tick("reading")
            stop.check()
            yield batch(first, 4000).select(names)
        self.tick("read")
        self.closed.set()


@dataclass
class WatchedStore:
    """A store that tells `tick` what it is about to do, which may raise."""

    store: Store
    tick: Callable[[str], None]

    def write(self, name: str, chunks: Iterable[bytes], **meta: Any) -> int:
        self.tick("opening")
        size = self.store.write(name, self._watch(chunks), **meta)
        self.tick("stored")
        return size

    def _watch(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self.tick("storing")
            yield chunk
        self.tick("encoded")

    def write_once(self, name: str, data: bytes) -> None:
        self.tick("describing")
        self.store.write_once(name, data)
        self.tick("described")

    def delete(self, names: Iterable[str]) -> None:
        self.tick("deleting")
        self.store.delete(names)

    def read(self, name: str, start: int = 0, end: int | None = None) -> Chunks:
        return self.store.read(name, start, end)

    def list(self, prefix: str = "") -> Iterator[StoredFile]:
        return self.store.list(prefix)
