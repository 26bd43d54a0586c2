"""Batches to batches, between the read and the encoder: an array's items as rows of their own, columns shown as another
type, the first rows alone."""

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from offtake.encode.nested import json_texts
from offtake.encode.rows import ISO_DATE, Cell, PatternWriter, iso_writer, texts
from offtake.encode.zones import ZoneTable, zone_table
from offtake.model.dataset import FieldType
from offtake.model.export import Column, Expansion
from offtake.model.ports import RowStream

ROWS_AT_ONCE = 16_384
BYTES_AT_ONCE = 16 << 20  # what repeats may be long: a text of 1 MB beside an array of 10,000 items would be 10 GB


def expand(stream: RowStream, expansion: Expansion, rows_at_once: int = ROWS_AT_ONCE) -> RowStream:
    """The stream with one row an item of `expansion.array`; an empty or absent array is one row of nulls.

    All other columns repeat. Closing the result closes the stream.
    """
    schema = pa.schema([pa.field(c.name, _type(stream.schema, expansion, c)) for c in expansion.columns])

    def batches() -> Generator[pa.RecordBatch, None, None]:
        with closing(stream):
            for batch in stream:
                yield from _expand_batch(batch, expansion, schema, rows_at_once)

    return replace(stream, columns=expansion.columns, schema=schema, batches=batches(), total=None)


def show_as(stream: RowStream) -> RowStream:
    """The stream with every column in the type it is to be shown as. Closing the result closes the stream."""
    columns = tuple(column.shown for column in stream.columns)
    if columns == stream.columns:
        return stream
    schema = pa.schema(
        [
            field if column.shown_as is None else pa.field(field.name, _ARROW[column.shown_as])
            for column, field in zip(stream.columns, stream.schema, strict=True)
        ]
    )

    def batches() -> Generator[pa.RecordBatch, None, None]:
        with closing(stream):
            for batch in stream:
                pairs = zip(stream.columns, batch.columns, strict=True)
                yield pa.record_batch([_shown(*pair, stream.reader.timezone) for pair in pairs], schema=schema)

    return replace(stream, columns=columns, schema=schema, batches=batches())


_ARROW = {FieldType.STRING: pa.string(), FieldType.DATE: pa.date32()}
_DAY_US = 86_400_000_000
# Years of four digits in every zone: a day after the first, a day before the last.
_FIRST_US, _END_US = -62_135_510_400_000_000, 253_402_214_400_000_000
_INFINITE_US, _INFINITE_DAY = 2**63 - 1, 2**31 - 1


def _shown(column: Column, values: pa.Array, timezone: str | None) -> pa.Array:
    match column.shown_as:
        case None:
            return values
        case FieldType.DATE:
            return _days(values, zone_table(timezone))
        case _ if pa.types.is_nested(values.type):
            return json_texts(values, column.field)
    return texts(values, Cell(0, iso_writer(values.type, timezone, column.type)))


def _days(instants: pa.TimestampArray, zone: ZoneTable) -> pa.Date32Array:
    """The day of each instant on the clocks of the zone; ±infinity stays that."""
    numbers = instants.view(pa.int64())
    has_four_digits = pc.and_(pc.greater(numbers, _FIRST_US), pc.less(numbers, _END_US))
    if pc.all(has_four_digits, skip_nulls=True).as_py():
        return texts(instants, Cell(0, PatternWriter(ISO_DATE, zone))).cast(pa.date32())
    days = [None if number is None else _day(number, zone) for number in numbers.to_pylist()]
    return pa.array(days, pa.int32()).view(pa.date32())


def _day(instant_us: int, zone: ZoneTable) -> int:
    if abs(instant_us) >= _INFINITE_US:
        return _INFINITE_DAY if instant_us > 0 else -_INFINITE_DAY
    return (instant_us + zone.offset_at(instant_us)) // _DAY_US


def first_rows(stream: RowStream, rows: int) -> RowStream:
    """The stream, ended after so many rows. Closing the result closes the stream."""

    def batches() -> Generator[pa.RecordBatch, None, None]:
        left = rows
        with closing(stream):
            for batch in stream:
                yield batch.slice(0, left)
                left -= batch.num_rows
                if left <= 0:
                    return

    return replace(stream, batches=batches(), total=None)


def _type(schema: pa.Schema, expansion: Expansion, column: Column) -> pa.DataType:
    if column.field.column:
        return schema.field(column.name).type
    type_ = schema.field(expansion.array).type.value_type
    for key in column.field.path:
        type_ = type_.field(key).type
    return type_


def _expand_batch(
    batch: pa.RecordBatch, expansion: Expansion, schema: pa.Schema, rows_at_once: int
) -> Iterator[pa.RecordBatch]:
    lists = batch.column(expansion.array)
    empty = pc.equal(pc.fill_null(pc.list_value_length(lists), 0), 0)
    filled = pc.if_else(empty, pa.scalar([None], lists.type), lists)
    parents, items = pc.list_parent_indices(filled), pc.list_flatten(filled)
    repeated = [batch.column(column.name) for column in expansion.columns if column.field.column]
    step = max(1, min(rows_at_once, BYTES_AT_ONCE // (1 + sum(map(_longest, repeated)))))
    for start in range(0, len(parents), step):
        some, theirs = items.slice(start, step), parents.slice(start, step)
        arrays = [_column(column, batch, some, theirs) for column in expansion.columns]
        yield pa.record_batch(arrays, schema=schema)


def _column(column: Column, batch: pa.RecordBatch, items: pa.Array, parents: pa.Array) -> pa.Array:
    if column.field.column:
        return batch.column(column.name).take(parents)
    return pc.struct_field(items, list(column.field.path)) if column.field.path else items


def _longest(values: pa.Array) -> int:
    """About how many bytes the longest value has; of nested ones, the average."""
    if pa.types.is_string(values.type):
        return pc.max(pc.binary_length(values)).as_py() or 0
    return int(values.nbytes) // max(1, len(values))
