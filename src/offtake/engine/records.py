"""Rows as records: objects with the names of all of them, and how long what still runs has been running."""

import json
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from offtake.errors import InvalidRequest
from offtake.model.dataset import FieldType
from offtake.model.export import Column
from offtake.model.ports import RowStream
from offtake.model.records import RecordStyle

# Characters that the names of one column's objects may have together: every record has them all.
LONGEST_NAMES = 1 << 18
CHARS_AT_ONCE = 1 << 20
FAR_US = 1 << 62
Names = Mapping[str, Sequence[str]]

# Digits stay as they are written: a text never goes through a float.
_parse = partial(json.loads, parse_float=str, parse_int=str, parse_constant=str)
_quote = json.JSONEncoder(ensure_ascii=False).encode


class NamesSeen:
    """The names that occur in the objects of those wanted columns that hold json, gathered batch by batch."""

    def __init__(self, wanted: Sequence[str], columns: Sequence[Column]) -> None:
        found = [column.name for column in columns if column.name in wanted and column.type is FieldType.JSON]
        self._seen: dict[str, set[str]] = {name: set() for name in found}

    def add(self, batch: pa.RecordBatch) -> None:
        """Those of another batch. Raises InvalidRequest if there are too many."""
        for column, seen in self._seen.items():
            before = len(seen)
            for text in batch.column(column).drop_null().to_pylist():
                seen.update(_object(text) or ())
            if len(seen) > before and sum(map(len, seen)) > LONGEST_NAMES:
                raise InvalidRequest(
                    f"The objects of {column} have names of more than {LONGEST_NAMES:,} characters in all.",
                    hint=f"Leave {column} out, or narrow the filter.",
                )

    @property
    def names(self) -> Names:
        """The names by column, each list in order."""
        return {column: tuple(sorted(seen)) for column, seen in self._seen.items()}


def complete_records(stream: RowStream, style: RecordStyle, names: Names) -> RowStream:
    """The stream with its objects completed and its running times measured. Closing the result closes the stream."""

    def batches() -> Generator[pa.RecordBatch, None, None]:
        with closing(stream):
            for batch in stream:
                step = _rows_at_once(batch, names)
                for start in range(0, batch.num_rows, step):
                    yield _complete(batch.slice(start, step), stream.snapshot_at, style, names)

    return replace(stream, batches=batches())


def _rows_at_once(batch: pa.RecordBatch, names: Names) -> int:
    """Few names or many, a batch of completed records is about as large."""
    added = sum(len(name) + 6 for each in names.values() for name in each)
    usual: int = batch.nbytes // max(1, batch.num_rows)
    return max(1, CHARS_AT_ONCE // (1 + added + usual))


def _complete(batch: pa.RecordBatch, now: datetime, style: RecordStyle, names: Names) -> pa.RecordBatch:
    arrays = dict(zip(batch.schema.names, batch.columns, strict=True))
    for column, known in names.items():
        arrays[column] = _completed(arrays[column], known, style)
    for column, (start, end) in style.running.items():
        if column in arrays and start in arrays and pa.types.is_timestamp(arrays[start].type):
            arrays[column] = _running(arrays[column], arrays[start], arrays.get(end), now)
    return pa.RecordBatch.from_arrays(list(arrays.values()), schema=batch.schema)


def _completed(values: pa.Array, names: Sequence[str], style: RecordStyle) -> pa.Array:
    """Every object with all names; what is no object stays as it is."""
    starts = [(name, f"{_quote(name)}:") for name in names]

    def line(text: str | None) -> bytes:
        found = {} if text is None else _object(text)
        if found is None:
            return str(text).encode()
        members = (start + _quote(_flat(found.get(name), style)) for name, start in starts)
        return f"{{{','.join(members)}}}".encode("utf-8", "replace")

    return pa.array([line(text) for text in values.to_pylist()], pa.binary()).cast(pa.string())


def _object(text: str) -> dict[str, Any] | None:
    """The object; None if the text is something else."""
    try:
        found = _parse(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _flat(value: Any, style: RecordStyle) -> str:
    match value:
        case str():
            return value
        case None:
            return style.blank
        case bool():
            return "true" if value else "false"
        case list() if not any(isinstance(item, dict | list) for item in value):
            return ", ".join(_flat(item, style) for item in value)
    return style.placeholder


def _running(elapsed: pa.Array, start: pa.Array, end: pa.Array | None, now: datetime) -> pa.Array:
    """Milliseconds from the start until now where there is neither a number of them nor an end."""
    open_ended = elapsed.is_null() if end is None else pc.and_(elapsed.is_null(), end.is_null())
    began = start.cast(pa.timestamp("us", "UTC")).cast(pa.int64())
    # ±infinity are the largest and the smallest: nobody knows how long ago that was.
    known = pc.and_(open_ended, pc.and_(pc.less(began, FAR_US), pc.greater(began, -FAR_US)))
    now_us = pa.scalar(now).cast(pa.timestamp("us", "UTC")).cast(pa.int64())
    since = pc.divide(pc.subtract(now_us, pc.if_else(known, began, None)), 1000)
    return pc.if_else(known, since.cast(elapsed.type), elapsed)
