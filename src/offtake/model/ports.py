"""The sockets, on one page. Concrete parts plug in from `source/` and `encode/`; nobody else defines a protocol."""

import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping
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
