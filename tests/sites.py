"""A whole service for tests: sources we can hold still, a runtime, a real uvicorn on a free port."""

import io
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
import uvicorn
from starlette.types import ASGIApp

from offtake.app import create_app
from offtake.appdb.database import open_appdb
from offtake.encode import FORMATS
from offtake.errors import SourceFailed
from offtake.model.access import Secret, Tenant
from offtake.model.cors import NO_CORS, Cors
from offtake.model.dataset import Dataset, Field, FieldType
from offtake.model.delivery import WebhookRules
from offtake.model.export import Plan
from offtake.model.job import JobLimits
from offtake.model.limits import Limits
from offtake.model.ports import RowStream, Source, Stop, StoreSpec, Table, Turn
from offtake.notify import open_outbox
from offtake.service.access import create_key, local_principal
from offtake.service.counters import Counters
from offtake.service.runtime import Runtime
from offtake.store import open_store
from offtake.web.logs import open_log

ACME = Tenant("acme", "6f1f7a52-0000-4000-8000-000000000001")
GLOBEX = Tenant("globex", "6f1f7a52-0000-4000-8000-000000000002")
NOW = datetime(2026, 5, 17, 12, 30, tzinfo=UTC)
NUMBERS = Dataset(
    "numbers",
    "fake",
    label="Numbers",
    fields=(Field("n", FieldType.INTEGER, "n", "N"), Field("text", FieldType.STRING, "text", "Text")),
    table="numbers",
)

Batches = Callable[[Stop], Generator[pa.RecordBatch, None, None]]


def batch(first: int, rows: int, text: str = "x" * 100) -> pa.RecordBatch:
    """Rows of `numbers`, counted on from `first`."""
    return pa.record_batch(
        {"n": pa.array(range(first, first + rows), pa.int64()), "text": pa.array([text] * rows, pa.string())}
    )


@dataclass
class FakeSource:
    """Gives the batches it is told to; `closed` is set once a read is over, `last_read` when it began."""

    batches: Batches
    name: str = "fake"
    matched: int = 0
    described: tuple[Field, ...] = NUMBERS.fields
    is_up: bool = True
    closed: threading.Event = field(default_factory=threading.Event)
    reads: int = 0

    def read(self, plan: Plan, stop: Stop) -> RowStream:
        self.reads += 1
        self.closed.clear()
        schema = batch(0, 0).schema
        names = [column.name for column in plan.columns]
        fields = pa.schema([schema.field(name) for name in names])
        return RowStream(plan.columns, fields, self._watched(stop, names), NOW, plan.reader)

    def _watched(self, stop: Stop, names: list[str]) -> Generator[pa.RecordBatch, None, None]:
        try:
            for each in self.batches(stop):
                yield each.select(names)
        finally:
            self.closed.set()

    def count(self, plan: Plan, stop: Stop) -> int:
        return self.matched

    def describe(self, dataset: Dataset) -> tuple[Field, ...]:
        self.ping()
        return self.described

    def tables(self) -> tuple[Table, ...]:
        return ()

    def ping(self) -> None:
        if not self.is_up:
            raise SourceFailed("fake does not answer.", hint="Start it.")

    def close(self) -> None:
        return None


def endless(stop: Stop) -> Generator[pa.RecordBatch, None, None]:
    """Rows without end, until somebody asks to stop."""
    first = 0
    while True:
        stop.check()
        yield batch(first, 1000)
        first += 1000


def silent(stop: Stop) -> Generator[pa.RecordBatch, None, None]:
    """A database that thinks for a minute, but can be interrupted, before its first row."""
    interrupted = threading.Event()
    detach = stop.attach(interrupted.set)
    interrupted.wait(60)
    detach()
    stop.check()
    yield batch(0, 1)


def few(_: Stop) -> Generator[pa.RecordBatch, None, None]:
    """Three rows."""
    yield batch(0, 3, "row")


def failing_after(rows: int) -> Batches:
    """So many rows, then the database dies."""

    def batches(stop: Stop) -> Generator[pa.RecordBatch, None, None]:
        for first in range(0, rows, 1000):
            yield batch(first, min(1000, rows - first))
        raise SourceFailed("The database broke off: s3cret-driver-text.", hint="Try again.")

    return batches


@dataclass
class ListedQueue:
    """A queue that only remembers what was put into it; as soon as the transaction that did so commits, or not."""

    turns: list[Turn] = field(default_factory=list)

    def enqueue(self, connection: Any, turn: Turn) -> None:
        self.turns.append(turn)

    def ping(self) -> None:
        return None


def make_runtime(
    home: Path,
    sources: Mapping[str, Source],
    *datasets: Dataset,
    limits: Limits | None = None,
    database: str = "",
    roles: Mapping[str, frozenset[str]] | None = None,
    now: Callable[[], datetime] = lambda: NOW,
    job_limits: JobLimits | None = None,
) -> Runtime:
    """A runtime over those sources; its app database is a new file in `home` unless a URL is given.

    Artifacts lie in `home/artifacts`. Turns are only listed, in `queue.turns`: tests say when a job runs.
    """
    limits = limits or Limits()
    return Runtime(
        datasets={dataset.name: dataset for dataset in datasets or (NUMBERS,)},
        sources=sources,
        formats=FORMATS,
        tenants={"acme": ACME, "globex": GLOBEX},
        roles=roles or {"analyst": frozenset({"reports:read"})},
        limits=limits,
        counters=Counters(limits),
        appdb=open_appdb(database or new_appdb(home)),
        now=now,
        store=open_store(StoreSpec(str(home / "artifacts"))),
        queue=ListedQueue(),
        outbox=open_outbox(None, WebhookRules(), {}),
        job_limits=job_limits or JobLimits(),
        secrets=(Secret("k1", b"a secret that only tests know....."),),
    )


def new_appdb(home: Path) -> str:
    """The URL of an app database in the folder; if there was none, it has its tables and nothing in them."""
    path = home / "offtake.db"
    if not path.exists():
        path.write_bytes(_empty_appdb())
    return f"sqlite:///{path}"


@cache
def _empty_appdb() -> bytes:
    """Made once: the tables take longer than all that most tests do with them."""
    with tempfile.TemporaryDirectory() as folder:
        open_appdb(f"sqlite:///{folder}/offtake.db").close()
        return Path(folder, "offtake.db").read_bytes()


def make_key(runtime: Runtime, *scopes: str, tenant: str = "acme") -> str:
    """The secret of a new key; without scopes it may read reports."""
    chosen = scopes or ("reports:read",)
    return create_key(runtime, local_principal(runtime, None), tenant=tenant, scopes=chosen)[1]


def bearer(secret: str) -> dict[str, str]:
    """The header that carries a key."""
    return {"Authorization": f"Bearer {secret}"}


@contextmanager
def asking(runtime: Runtime) -> Iterator[list[str]]:
    """Every statement that is sent to the app database while the block runs."""
    sent: list[str] = []

    def note(*given: Any) -> None:
        sent.append(given[2])

    sa.event.listen(runtime.appdb.engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        sa.event.remove(runtime.appdb.engine, "before_cursor_execute", note)


@dataclass(frozen=True)
class Site:
    """A served application and what it logged."""

    url: str
    port: int
    log: io.StringIO

    def connect(self) -> socket.socket:
        """A raw connection to it."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)


@contextmanager
def serve(runtime: Runtime, *, cors: Cors = NO_CORS) -> Iterator[Site]:
    """The runtime's HTTP service on a free port for as long as the block runs."""
    log = io.StringIO()
    with serve_app(create_app(runtime, open_log(log), cors=cors)) as port:
        try:
            yield Site(f"http://127.0.0.1:{port}", port, log)
        finally:
            runtime.ending.set()


@contextmanager
def serve_app(app: ASGIApp) -> Iterator[int]:
    """Any application under uvicorn; gives its port."""
    # A socket that does not name its protocol gets no TCP_NODELAY from asyncio: 40 ms an answer.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, http="h11", log_level="critical", access_log=False, timeout_graceful_shutdown=3)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        wait_until(lambda: server.started)
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(60)


def wait_until(is_so: Callable[[], bool], seconds: float = 60) -> float:
    """Wait for it and give the seconds it took; fails when it does not come about, on a busy machine either."""
    began = time.monotonic()
    while not is_so():
        if time.monotonic() - began > seconds:
            raise AssertionError(f"Not so after {seconds} s.")
        time.sleep(0.002)
    return time.monotonic() - began
