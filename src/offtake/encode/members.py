"""Members of JSON objects: `"name":value`, one cell of a row template each."""

import json
from datetime import datetime

import pyarrow as pa

from offtake.encode.locale import column_writer
from offtake.encode.rows import Cell, Escape, Fixed, JsonWriter, Mode, NumberWriter, PatternWriter, json_writer
from offtake.model.export import Column, Reader


def member_cell(
    index: int, before: bytes, column: Column, type: pa.DataType, reader: Reader | None, date_style: str | None = None
) -> Cell:
    """The value of column `index` as JSON after `before`, its name and colon; null too.

    With a reader, numbers, dates and times are texts in the reader's language and zone.
    """
    writer, quoted = json_writer(type, column.type)
    if pa.types.is_nested(type):
        writer = JsonWriter(column.field)
    if reader is not None and isinstance(writer, NumberWriter | PatternWriter):
        writer, quoted = column_writer(column, type, reader, date_style=date_style), True
    escape = Escape(Mode.JSON) if quoted else Escape()
    quote = b'"' if quoted else b""
    return Cell(index, writer, Fixed(before + quote), Fixed(quote), Fixed(before + b"null"), escape)


def member_name(name: str) -> bytes:
    """`"name":`"""
    return dumps(name) + b":"


def dumps(value: object) -> bytes:
    """The value as JSON on one line, without spaces, in UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def instant_text(instant: datetime) -> str:
    """A UTC instant as RFC 3339, with `Z`."""
    return instant.isoformat().replace("+00:00", "Z")
