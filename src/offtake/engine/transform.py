"""Batches to batches, between the read and the encoder: one array of every row turned into rows of its own."""

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from offtake.model.export import Column, Expansion
from offtake.model.ports import RowStream

ROWS_AT_ONCE = 16_384  # a batch whose arrays hold more items than this is expanded in slices


def expand(stream: RowStream, expansion: Expansion, rows_at_once: int = ROWS_AT_ONCE) -> RowStream:
    """The stream with one row an item of `expansion.array`; an empty or absent array is one row of nulls.

    All other columns repeat. Closing the result closes the stream.
    """
    schema = pa.schema([pa.field(c.name, _type(stream.schema, expansion, c)) for c in expansion.columns])

    def batches() -> Generator[pa.RecordBatch, None, None]:
        with closing(stream):
            for batch in stream:
                for part in _parts(batch, expansion.array, rows_at_once):
                    yield _expand_batch(part, expansion, schema)

    return replace(stream, columns=expansion.columns, schema=schema, batches=batches())


def _type(schema: pa.Schema, expansion: Expansion, column: Column) -> pa.DataType:
    if column.field.column:
        return schema.field(column.name).type
    type_ = schema.field(expansion.array).type.value_type
    for key in column.field.path:
        type_ = type_.field(key).type
    return type_


def _parts(batch: pa.RecordBatch, array: str, most: int) -> Iterator[pa.RecordBatch]:
    """The batch in slices whose arrays hold a bounded number of items, one row at least."""
    items = pc.sum(pc.list_value_length(batch.column(array))).as_py() or 0
    if items <= most or batch.num_rows <= 1:
        yield batch
        return
    half = batch.num_rows // 2
    yield from _parts(batch.slice(0, half), array, most)
    yield from _parts(batch.slice(half), array, most)


def _expand_batch(batch: pa.RecordBatch, expansion: Expansion, schema: pa.Schema) -> pa.RecordBatch:
    lists = batch.column(expansion.array)
    empty = pc.equal(pc.fill_null(pc.list_value_length(lists), 0), 0)
    filled = pc.if_else(empty, pa.scalar([None], lists.type), lists)
    parents, items = pc.list_parent_indices(filled), pc.list_flatten(filled)
    arrays = []
    for column in expansion.columns:
        if column.field.column:
            arrays.append(batch.column(column.name).take(parents))
        else:
            arrays.append(pc.struct_field(items, list(column.field.path)) if column.field.path else items)
    return pa.record_batch(arrays, schema=schema)
