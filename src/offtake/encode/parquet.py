"""Parquet: typed columns in row groups, zstd-packed."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from offtake.encode.columnar import Sink, finite_batch, labelled_schema
from offtake.model.ports import Chunks, Format, RowStream

# A row group is held in memory until it has about so much.
GROUP_ROWS = 128 * 1024
GROUP_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True)
class ParquetOptions:
    """Nothing to choose."""


def encode_parquet(stream: RowStream, _options: ParquetOptions) -> Chunks:
    """One chunk a row group, and the footer with the last one."""
    schema, sink = labelled_schema(stream), Sink()
    with closing(stream), pq.ParquetWriter(sink, schema, compression="zstd") as writer:
        for group in _groups(stream, schema):
            table = pa.Table.from_batches(group, schema)
            writer.write_table(table, row_group_size=max(table.num_rows, 1))
            yield sink.take()
    yield sink.take()


PARQUET = Format("parquet", "application/vnd.apache.parquet", "parquet", ParquetOptions, encode_parquet, machine=True)


def _groups(stream: RowStream, schema: pa.Schema) -> Iterator[list[pa.RecordBatch]]:
    group: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in stream:
        group.append(finite_batch(batch, schema))
        rows, size = rows + batch.num_rows, size + batch.nbytes
        if rows >= GROUP_ROWS or size >= GROUP_BYTES:
            yield group
            group, rows, size = [], 0, 0
    if group:
        yield group
