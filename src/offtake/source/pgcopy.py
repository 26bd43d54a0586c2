"""How one COPY is sent and read: in binary where `source.binary` is compiled, else as CSV. Both give equal arrays."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from psycopg import pq

from offtake.source.arrow_types import CLOCK, INSTANT
from offtake.source.binary import Kind, Slot, copy_arrays
from offtake.source.copycsv import Cells, CsvParser, copy_blocks
from offtake.source.pgtypes import PgType

# Types whose binary form is read as it is, if the field wants this Arrow type; any other is sent as text.
_DIRECT: dict[str, tuple[Kind, pa.DataType]] = {
    "bool": (Kind.BOOLEAN, pa.bool_()),
    "int2": (Kind.INT2, pa.int64()),
    "int4": (Kind.INT4, pa.int64()),
    "int8": (Kind.INT8, pa.int64()),
    "oid": (Kind.OID, pa.int64()),
    "float8": (Kind.DOUBLE, pa.float64()),
    "date": (Kind.DATE, pa.date32()),
    "time": (Kind.TIME, CLOCK),
    "timestamptz": (Kind.INSTANT, INSTANT),
    "uuid": (Kind.UUID, pa.string()),
    "text": (Kind.TEXT, pa.string()),
    "varchar": (Kind.TEXT, pa.string()),
    "bpchar": (Kind.TEXT, pa.string()),
    "name": (Kind.TEXT, pa.string()),
    "json": (Kind.TEXT, pa.string()),
}


@dataclass(frozen=True)
class Copy:
    """One COPY: its select, its format's name, what reads its messages and what makes a batch of each piece read."""

    statement: sa.Select[Any]
    format: str
    read: Callable[[pq.abc.PGconn], Generator[Any, None, None]]
    parse: Callable[[Any], pa.RecordBatch]


def csv_copy(statement: sa.Select[Any], columns: Sequence[Cells], schema: pa.Schema) -> Copy:
    """The COPY as CSV, for machines without the compiled reader."""
    return Copy(statement, "csv", copy_blocks, CsvParser(columns, schema).parse)


def binary_copy(
    statement: sa.Select[Any], types: Sequence[PgType], columns: Sequence[Cells], schema: pa.Schema, *, is_utf8: bool
) -> Copy:
    """The COPY in binary. `types` are those of the statement's own result, which its casts may have changed."""
    slots, values, from_text = [], [], []
    for value, type_, cells, field in zip(statement.selected_columns, types, columns, schema, strict=True):
        kind = _kind(type_, cells)
        if kind is None:
            slots.append(Slot(field.name, Kind.TEXT, pa.string()))
            values.append(_as_text(value, type_))
        else:
            slots.append(Slot(field.name, kind, cells.parsed))
            values.append(value)
        from_text.append(cells.from_text if kind is None or cells.is_text else None)

    def parse(arrays: list[pa.Array]) -> pa.RecordBatch:
        made = [read(array) if read else array for read, array in zip(from_text, arrays, strict=True)]
        return pa.RecordBatch.from_arrays(made, schema=schema)

    return Copy(
        statement.with_only_columns(*values, maintain_column_froms=True),
        "binary",
        lambda connection: copy_arrays(connection, slots, is_utf8=is_utf8),
        parse,
    )


def _kind(type_: PgType, cells: Cells) -> Kind | None:
    """How the type is read without going through text; None if it must."""
    if type_.name == "numeric":
        fits = pa.types.is_decimal128(cells.parsed) and type_.bound == (cells.parsed.precision, cells.parsed.scale)
        return Kind.NUMERIC if fits and cells.parsed.scale >= 0 else None
    if type_.values and cells.parsed == pa.string():  # an enum sends its label
        return Kind.TEXT
    kind, wanted = _DIRECT.get(type_.name, (None, None))
    return kind if cells.parsed == wanted else None


def _as_text(value: sa.ColumnElement[Any], type_: PgType) -> sa.ColumnElement[Any]:
    """The value as its type's output function writes it, as in CSV: a cast says other things (inet, bool, char)."""
    element = value.element if isinstance(value, sa.Label) else value
    if type_.name in _DIRECT and type_.name in ("text", "varchar", "bpchar", "name", "json"):
        return value
    return sa.case((element.is_distinct_from(sa.null()), sa.func.concat(element)), else_=sa.null()).label(value.name)
