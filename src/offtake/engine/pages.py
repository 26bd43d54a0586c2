"""A result written once to the store, in small batches, and any of its rows read again without those before them."""

import json
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa

from offtake.encode.columnar import Sink
from offtake.encode.json import JsonOptions
from offtake.engine.export import open_rows
from offtake.engine.records import NamesSeen
from offtake.errors import Expired, NotFound, StoreFailed
from offtake.model.dataset import Field, FieldType
from offtake.model.export import Column, Plan, Reader
from offtake.model.ports import Chunks, RowStream, Source, Stop, Store
from offtake.model.snapshot import Spool
from offtake.source.batches import cut_batches

ROWS_AT_ONCE = 5000  # what a page costs at least, and the memory it takes
BYTES_AT_ONCE = 1 << 20
MOST_MARKS = 1024  # of a spool with more batches, every second, fourth, … is marked
MAGIC = 8  # bytes that an Arrow file begins with
TOLD = b"offtake"
UNREADABLE = (pa.ArrowException, OSError)  # what pyarrow raises for bytes that are none of its own


@dataclass
class Tally:
    """What a spool has come to so far; `marks` and, once it is whole, `names` as in `Spool`."""

    rows: int = 0
    bytes: int = 0
    end: int = 0
    marks: list[tuple[int, int]] = field(default_factory=list)
    snapshot_at: datetime | None = None
    names: Mapping[str, Sequence[str]] = field(default_factory=dict)
    _every: int = 1
    _batches: int = 0

    def mark(self) -> None:
        """A batch begins here."""
        if self._batches % self._every == 0:
            self.marks.append((self.rows, self.end))
        if len(self.marks) > MOST_MARKS:
            del self.marks[1::2]
            self._every *= 2
        self._batches += 1

    def spool(self, name: str) -> Spool:
        """The finished file."""
        assert self.snapshot_at is not None
        return Spool(name, tuple(self.marks), self.end, self.rows, self.bytes, self.snapshot_at, self.names)


def spool_chunks(
    source: Source,
    plan: Plan,
    options: JsonOptions,
    tally: Tally,
    *,
    page_size: int,
    stop: Stop,
    on_rows: Callable[[int], None] | None = None,
    names_of: Sequence[str] = (),
) -> Chunks:
    """The bytes of an Arrow file (zstd) of the plan's rows, which knows how the cells of its pages are written.

    The tally is filled on the way, with the names in those json columns too. Raises what `Source.read` raises, and
    InvalidRequest if there are too many names.
    """
    with open_rows(source, plan, stop, on_rows=on_rows) as rows:
        schema, sink = rows.schema.with_metadata({TOLD: _write_told(rows, options)}), Sink()
        seen = NamesSeen(names_of, rows.columns)
        tally.end = MAGIC + len(schema.serialize())
        tally.snapshot_at = rows.snapshot_at
        with pa.ipc.new_file(sink, schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
            for batch in cut_batches(rows, _batch_rows(page_size), BYTES_AT_ONCE):
                stop.check()
                tally.mark()
                seen.add(batch)
                writer.write_batch(pa.RecordBatch.from_arrays(batch.columns, schema=schema))
                yield from _counted(sink, tally)
                tally.end = tally.bytes
                tally.rows += batch.num_rows
        if not tally.rows:
            tally.mark()
        tally.names = seen.names
        yield from _counted(sink, tally)


def _counted(sink: Sink, tally: Tally) -> Chunks:
    for chunk in sink.take():
        tally.bytes += len(chunk)
        yield chunk


def _batch_rows(page_size: int) -> int:
    """About so many that pages, whatever their size, begin where batches begin; without pages, so many."""
    return max(1, ROWS_AT_ONCE // page_size) * page_size if page_size else ROWS_AT_ONCE


def read_rows(store: Store, spool: Spool, start: int, end: int) -> tuple[RowStream, JsonOptions]:
    """The rows from `start` up to, not including, `end`, and how their cells are written.

    Raises Expired if the file is gone, StoreFailed if it cannot be read; the batches, StoreFailed.
    """
    try:
        with closing(store.read(spool.name, MAGIC, spool.marks[0][1])) as chunks:
            schema = pa.ipc.read_schema(pa.py_buffer(b"".join(chunks)))
        told = json.loads(schema.metadata[TOLD])
    except NotFound as error:
        raise _gone() from error
    except UNREADABLE as error:
        raise _unreadable() from error
    columns = tuple(_read_column(column) for column in told["columns"])
    batches = _read_batches(store, spool, schema, start, min(end, spool.rows))
    reader = Reader(*told["reader"])
    return RowStream(columns, schema, batches, spool.snapshot_at, reader), JsonOptions(**told["options"])


def _read_batches(
    store: Store, spool: Spool, schema: pa.Schema, start: int, end: int
) -> Generator[pa.RecordBatch, None, None]:
    """Only what lies between the mark before the first row and the mark after the last is fetched."""
    if start >= end:
        return
    row, first_byte = spool.marks[bisect_right(spool.marks, start, key=_row) - 1]
    behind = bisect_left(spool.marks, end, key=_row)
    last_byte = spool.marks[behind][1] if behind < len(spool.marks) else spool.end
    try:
        with closing(store.read(spool.name, first_byte, last_byte)) as chunks:
            messages = pa.ipc.MessageReader.open_stream(pa.PythonFile(_Readable(chunks), "r"))
            while row < end:
                batch = pa.ipc.read_record_batch(messages.read_next_message(), schema)
                wanted = batch.slice(max(0, start - row), max(0, end - max(row, start)))
                row += batch.num_rows
                if wanted.num_rows:
                    yield wanted
    except NotFound as error:
        raise _gone() from error
    except (*UNREADABLE, StopIteration) as error:
        raise _unreadable() from error


def _row(mark: tuple[int, int]) -> int:
    return mark[0]


def _gone() -> Expired:
    return Expired("This snapshot is no longer in the store.", hint="Ask for the first page again.")


def _unreadable() -> StoreFailed:
    return StoreFailed("This snapshot is not as it was written.", hint="Ask for the first page again.")


class _Readable:
    """Chunks as the file that pyarrow reads messages from."""

    closed = False

    def __init__(self, chunks: Chunks) -> None:
        self._chunks = chunks
        self._rest = b""

    def read(self, size: int) -> bytes:
        """So many bytes; fewer only at the end."""
        parts, missing = [self._rest], size - len(self._rest)
        while missing > 0 and (chunk := next(self._chunks, None)) is not None:
            parts.append(chunk)
            missing -= len(chunk)
        data = b"".join(parts)
        self._rest = data[size:]
        return data[:size]

    def close(self) -> None:
        """The chunks are closed by whoever opened them."""


def _write_told(rows: RowStream, options: JsonOptions) -> bytes:
    told = {
        "columns": [_write_column(column) for column in rows.columns],
        "reader": [rows.reader.locale, rows.reader.timezone],
        "options": {"formatted": options.formatted, "date_style": options.date_style},
    }
    return json.dumps(told).encode()


def _write_column(column: Column) -> dict[str, Any]:
    """What an encoder must know. The mask has done its work: what is left of it is the type."""
    return _write_field(column.field) | {"type": column.type, "header": column.label}


def _write_field(field: Field) -> dict[str, Any]:
    fields = [_write_field(each) for each in field.fields]
    return {"name": field.name, "type": field.type, "label": field.label, "items": field.items, "fields": fields}


def _read_column(told: dict[str, Any]) -> Column:
    return Column(_read_field(told), told["header"])


def _read_field(told: dict[str, Any]) -> Field:
    return Field(
        name=told["name"],
        type=FieldType(told["type"]),
        column=told["name"],
        label=told["label"],
        items=None if told["items"] is None else FieldType(told["items"]),
        fields=tuple(_read_field(each) for each in told["fields"]),
    )
