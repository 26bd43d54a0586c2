"""The two ways PostgreSQL is read: in binary where that was compiled, else as CSV. What holds of one holds of both."""

from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from offtake.errors import SourceFailed
from offtake.model.dataset import Dataset
from offtake.model.export import Column, Plan
from offtake.model.ports import SourceSpec, Stop
from offtake.source import binary
from offtake.source.postgres import PostgresSource

WAYS = ("binary", "csv")


def open_by(way: str, spec: SourceSpec) -> PostgresSource:
    """The database, read that way."""
    if way == "binary" and not binary.available():
        pytest.skip("The binary reader was not compiled: there was no C compiler at install.")
    return PostgresSource(spec, is_binary=way == "binary")


@dataclass(frozen=True)
class Refused:
    """A read that failed, as its caller was told."""

    detail: str
    hint: str


def read_whole(source: PostgresSource, sql: str, *columns: Column) -> pa.Table | Refused:
    """Every row of the query, checked to be well formed; or what the caller is told."""
    dataset = Dataset("d", "db", sql=sql, fields=tuple(column.field for column in columns))
    try:
        stream = source.read(Plan(dataset, columns), Stop())
        table = pa.Table.from_batches(list(stream), stream.schema)
    except SourceFailed as error:
        return Refused(error.detail, error.hint)
    table.validate(full=True)
    return table


def comparable(found: pa.Table | Refused) -> Any:
    """What two equal reads have in common: types and values, to the sign of a zero."""
    if isinstance(found, Refused):
        return found
    table = found.combine_chunks()
    return found.schema, table.num_rows, [_comparable_column(column) for column in table.columns]


def _comparable_column(column: pa.ChunkedArray) -> Any:
    array = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    if pa.types.is_list(array.type):
        return pc.list_value_length(array).to_pylist(), _comparable_column(pa.chunked_array([array.flatten()]))
    if pa.types.is_struct(array.type):
        parts = [_comparable_column(pa.chunked_array([array.field(part.name)])) for part in array.type]
        return array.is_valid().to_pylist(), parts
    if pa.types.is_floating(array.type):
        return repr(array.to_pylist())
    if pa.types.is_date32(array.type):
        return array.view(pa.int32()).to_pylist()
    if pa.types.is_timestamp(array.type) or pa.types.is_time64(array.type):
        return array.view(pa.int64()).to_pylist()
    return array.to_pylist()
