"""The sockets, on one page. Concrete parts plug in from `source/`, `encode/`, `store/` and `jobs/`; nobody else defines
a protocol."""

import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Protocol

import pyarrow as pa

from offtake.errors import Cancelled
from offtake.model.dataset import Dataset, Field
from offtake.model.export import Column, Plan, Reader


@dataclass(frozen=True)
class About:
    """What a file may say of itself to people: an About sheet, a PDF's first page. Empty = unknown."""

    title: str = ""
    dataset: str = ""
    filter: str = ""  # as evaluated, in the words of the filter language
    asked_by: str = ""


_ABOUT = About()

# Some bytes of one file, in order. Whoever holds a Chunks closes it; closing it closes the read behind it.
Chunks = Generator[bytes, None, None]


class Stop:
    """Tells a running read to stop, from any thread: set it, and what waits on the database is cancelled there."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._actions: list[Callable[[], None]] = []
        self._is_set = False

    @property
    def is_set(self) -> bool:
        """Whether somebody asked to stop."""
        return self._is_set

    def set(self) -> None:
        """Ask to stop. The first call runs every action that is attached; later calls do nothing."""
        with self._lock:
            if self._is_set:
                return
            self._is_set = True
            actions, self._actions = self._actions, []
        for action in actions:
            action()

    def attach(self, action: Callable[[], None]) -> Callable[[], None]:
        """Run the action when asked to stop (at once, if that was before); gives what detaches it."""
        with self._lock:
            already = self._is_set
            if not already:
                self._actions.append(action)
        if already:
            action()

        def detach() -> None:
            with self._lock:
                if action in self._actions:
                    self._actions.remove(action)

        return detach

    def check(self) -> None:
        """Raise Cancelled if somebody asked to stop."""
        if self._is_set:
            raise Cancelled("Stopped on request.")


@dataclass(frozen=True)
class RowStream:
    """Arrow record batches of one snapshot, in order, read once.

    `schema` has one Arrow field a column, named `column.name`, in the order of `columns`, typed so:
    string, uuid, json → string · integer → int64 · number → float64 · boolean → bool · date → date32 ·
    datetime → timestamp[us, UTC] · time → time64[us] · list → list<of these> · struct → struct<of these> ·
    decimal → decimal128(p, s), or string where the database sets no bound (the digits, or NaN / Infinity / -Infinity).
    Binary arrives as lower-case hex text. Instants of ±infinity are the largest and smallest int64 (as in PostgreSQL
    and DuckDB), dates the largest and smallest int32. json is the text as the database writes it.

    `total` is how many rows there are in all, where the plan asked for it (`counted`) and nothing changed it since.
    `notes` counts what an encoder did to values ("guarded", "cut"), for the manifest.
    `batches` is a generator: closing it ends the read and gives the connection back. One thread at a time iterates or
    closes it; the `Stop` given to `Source.read` interrupts it from any other.
    """

    columns: tuple[Column, ...]
    schema: pa.Schema
    batches: Generator[pa.RecordBatch, None, None]
    snapshot_at: datetime
    reader: Reader = Reader()
    about: About = _ABOUT
    notes: Counter[str] = field(default_factory=Counter)
    total: int | None = None

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return self.batches

    def close(self) -> None:
        """End the read, finished or not."""
        self.batches.close()


@dataclass(frozen=True)
class FileSet:
    """Files that DuckDB reads as one table: a path or glob; `null_text` is the text a CSV writes for null."""

    path: str
    null_text: str = ""


_NO_FILES: Mapping[str, FileSet] = MappingProxyType({})


@dataclass(frozen=True)
class SourceSpec:
    """One entry of `sources:` with the limits that hold for it. `timezone` types columns that have none."""

    name: str
    url: str = field(repr=False)  # it may hold a password
    files: Mapping[str, FileSet] = field(default_factory=lambda: _NO_FILES)
    timezone: str = "UTC"
    connect_timeout_s: float = 5.0
    statement_timeout_s: float = 3600.0
    pool_size: int = 10
    pool_timeout_s: float = 10.0


@dataclass(frozen=True)
class Table:
    """A table or view as the database describes it: for `offtake init` and `offtake check`."""

    name: str  # with its schema where the database has them
    fields: tuple[Field, ...]
    key: tuple[str, ...] = ()


class Source(Protocol):
    """A configured database we may read.

    Errors at connect, execute and every fetch are raised as SourceFailed or SourceTimeout; RowLimitExceeded comes from
    `read`, before any row, with the exact `matched` and `allowed`. Reading is confined to a read-only transaction.
    """

    @property
    def name(self) -> str:
        """The name offtake.yaml gives it."""
        ...

    def read(self, plan: Plan, stop: Stop) -> RowStream:
        """Open one snapshot and give its rows; the query is sent, and the row limit decided, before this returns."""
        ...

    def count(self, plan: Plan, stop: Stop) -> int:
        """How many rows the plan matches, its `limit` aside."""
        ...

    def describe(self, dataset: Dataset) -> tuple[Field, ...]:
        """The columns of the dataset's table or query with the types we give them."""
        ...

    def tables(self) -> tuple[Table, ...]:
        """Every table and view the source shows."""
        ...

    def ping(self) -> None:
        """Raise SourceFailed unless the source answers."""
        ...

    def close(self) -> None:
        """Let every connection go."""
        ...


@dataclass(frozen=True)
class Format:
    """An output format: its record in `encode.FORMATS`.

    `options` is a frozen dataclass whose fields are the options a request may give. `encode` yields nothing before it
    was given its first batch. A machine format stays raw whatever the reader's locale.
    """

    name: str
    media_type: str
    extension: str
    options: type
    encode: Callable[[RowStream, Any], Chunks]
    machine: bool = False


@dataclass(frozen=True)
class StoreSpec:
    """Where artifacts lie: a folder's path or the URL of a bucket (`s3://bucket/prefix`, `gs://…`, `az://…`).

    Credentials left empty come from where the cloud's own tools look for them. `redirect` lets downloads be fetched
    from the bucket itself, by presigned URLs.
    """

    url: str
    endpoint: str = ""
    region: str = ""
    access_key_id: str = ""
    secret_access_key: str = field(default="", repr=False)
    allow_http: bool = False
    redirect: bool = False


@dataclass(frozen=True)
class StoredFile:
    """A file as the store lists it."""

    name: str
    bytes: int
    modified_at: datetime


class Store(Protocol):
    """Where artifacts lie: a local folder or a bucket. Names are `/`-separated and made by us.

    Every failure is raised as StoreFailed (retryable), StoreFull or, for a name that is not there, NotFound.
    """

    def write(self, name: str, chunks: Iterable[bytes], *, filename: str = "", media_type: str = "") -> int:
        """Stream the chunks into a new file and give its bytes. It is durable, and visible whole, once this returns.

        An exception leaves nothing under that name; the chunks' own comes out as it is. Memory does not grow with the
        file. A bucket hands the file out as an attachment called `filename` and of that type (see `presign`).
        """
        ...

    def write_once(self, name: str, data: bytes) -> None:
        """Write a small file that must not exist yet. Raises Conflict if it does."""
        ...

    def read(self, name: str, start: int = 0, end: int | None = None) -> Chunks:
        """The bytes from `start` up to, not including, `end` (None = the file's end), streamed.

        The file is opened before this returns, so NotFound comes from here. Past its end there is nothing to give.
        """
        ...

    def delete(self, names: Iterable[str]) -> None:
        """Delete files; one that is not there is no failure."""
        ...

    def list(self, prefix: str = "") -> Iterator[StoredFile]:
        """Every file below the prefix (a folder's path, ending in `/`), in no order, streamed."""
        ...

    def presign(self, name: str, seconds: int) -> str | None:
        """A URL that fetches the file from the store itself for so many seconds; None where it has none."""
        ...

    def sweep_unfinished(self, before: datetime) -> int:
        """Remove what writers that died before that instant left half-written; gives how many. Never seen by `list`."""
        ...

    def ping(self) -> None:
        """Raise StoreFailed unless the store answers and lets us in."""
        ...


@dataclass(frozen=True)
class Turn:
    """A job's place in the queue: one turn runs it once. `delay_s` holds it back; low `priority` goes first."""

    job_id: str
    number: int
    tenant: str
    priority: int = 0
    delay_s: float = 0


class Queue(Protocol):
    """Where jobs wait for a worker."""

    def enqueue(self, connection: Any, turn: Turn) -> None:
        """Put a turn into the queue within the app database's open transaction: both commit or neither does."""
        ...

    def ping(self) -> None:
        """Raise an OfftakeError unless the queue answers."""
        ...
