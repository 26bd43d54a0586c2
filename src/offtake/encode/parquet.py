"""Parquet: typed columns in row groups, zstd-packed."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from offtake.encode.columnar import Sink, finite_batch, labelled_schema
from offtake.model.ports import Chunks, Format, RowStream

# A row group is held in memory until it has about so much. Larger ones make files no smaller.
GROUP_ROWS = 32 * 1024
GROUP_BYTES = 16 * 1024 * 1024
# A column with more distinct values gains nothing from a dictionary: Arrow's own limit of 1 MB costs 30 MB of memory
# while a column of ids is written, and files that are a seventh larger.
DICTIONARY_BYTES = 128 * 1024


@dataclass(frozen=True)
class ParquetOptions:
    """Nothing to choose."""


def encode_parquet(stream: RowStream, _options: ParquetOptions) -> Chunks:
    """The pages of a row group once it is whole; the footer last."""
    schema, sink = labelled_schema(stream), Sink()
    with (
        closing(stream),
        pq.ParquetWriter(sink, schema, compression="zstd", dictionary_pagesize_limit=DICTIONARY_BYTES) as writer,
    ):
        for group in _groups(stream, schema):
            writer.write_table(group, row_group_size=max(group.num_rows, 1))
            del group  # else it would be held while the next one grows
            pa.default_memory_pool().release_unused()
            yield from sink.take()
    yield from sink.take()


PARQUET = Format("parquet", "application/vnd.apache.parquet", "parquet", ParquetOptions, encode_parquet, machine=True)


def _groups(stream: RowStream, schema: pa.Schema) -> Iterator[pa.Table]:
    """The batches gathered into tables, none of which is held here once it was given away."""
    group: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in stream:
        group.append(finite_batch(batch, schema))
        rows, size = rows + batch.num_rows, size + batch.nbytes
        if rows >= GROUP_ROWS or size >= GROUP_BYTES:
            yield _emptied(group, schema)
            rows = size = 0
    if group:
        yield _emptied(group, schema)


def _emptied(group: list[pa.RecordBatch], schema: pa.Schema) -> pa.Table:
    table = pa.Table.from_batches(group, schema)
    group.clear()
    return table
