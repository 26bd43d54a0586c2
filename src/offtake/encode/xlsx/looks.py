"""Which column becomes which kind of cell: numbers, dates and booleans as such, all else as text."""

from collections.abc import Sequence

import pyarrow as pa

from offtake.encode.language import is_plain
from offtake.encode.locale import pattern_text
from offtake.encode.rows import (
    BooleanWriter,
    NumberWriter,
    PatternWriter,
    SerialWriter,
    TextWriter,
    iso_writer,
)
from offtake.encode.xlsx import formats
from offtake.encode.xlsx.layout import Look
from offtake.encode.zones import zone_table
from offtake.model.dataset import FieldType
from offtake.model.export import Column, Reader

EXACT_DIGITS = 15  # as many as Excel keeps of a number
LARGEST_SCALE = 15
ISO = {
    FieldType.DATE: formats.ISO_DATE,
    FieldType.DATETIME: formats.ISO_DATETIME,
    FieldType.TIME: formats.ISO_TIME,
}


def plan_looks(
    columns: Sequence[Column], schema: pa.Schema, reader: Reader, date_style: str | None = None
) -> tuple[Look, ...]:
    """The look of every column for this reader. Raises InvalidRequest for a locale or time zone nobody knows."""
    return tuple(_look(column, schema.field(index).type, reader, date_style) for index, column in enumerate(columns))


def _look(column: Column, type: pa.DataType, reader: Reader, date_style: str | None) -> Look:
    if pa.types.is_boolean(type):
        return Look(BooleanWriter("1", "0"))
    if pa.types.is_integer(type):
        return Look(NumberWriter(exact_digits=EXACT_DIGITS), formats.INTEGER)
    if pa.types.is_floating(type):
        return Look(NumberWriter(exact_digits=EXACT_DIGITS))
    if pa.types.is_decimal(type) or column.type is FieldType.DECIMAL:
        return Look(NumberWriter(exact_digits=EXACT_DIGITS), _decimal_format(type, reader))
    if pa.types.is_temporal(type):
        return _dated(type, reader, date_style)
    return Look(TextWriter(column.field))


def _decimal_format(type: pa.DataType, reader: Reader) -> str:
    """As many places as the type has, so that 12.50 is shown so; thousands apart for readers with a language."""
    if not pa.types.is_decimal(type) or not 0 <= type.scale <= LARGEST_SCALE:
        return ""
    return formats.decimal_format(type.scale, grouped=not is_plain(reader.locale))


def _dated(type: pa.DataType, reader: Reader, date_style: str | None) -> Look:
    """Dates and times as the reader's language shows them; what has no serial number is ISO text."""
    kind = _kind(type)
    otherwise = iso_writer(type, reader.timezone)
    assert isinstance(otherwise, PatternWriter)
    writer = SerialWriter(otherwise, zone_table(reader.timezone))
    pattern = pattern_text(reader, kind, date_style)
    return Look(writer, formats.date_format(pattern, reader.locale or "") if pattern else ISO[kind])


def _kind(type: pa.DataType) -> FieldType:
    if pa.types.is_timestamp(type):
        return FieldType.DATETIME
    return FieldType.TIME if pa.types.is_time(type) else FieldType.DATE
