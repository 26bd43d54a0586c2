"""Rows of Python values, as database drivers fetch them -> Arrow record batches."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from offtake.model.dataset import FieldType
from offtake.source.arrow_types import INSTANT, unfit
from offtake.source.cells import (
    DAY_US,
    boolean_cell,
    clock_cell,
    date_cell,
    decimal_cell,
    digits_cell,
    instant_cell,
    integers_as,
    local_to_instant,
)
from offtake.source.fit import fit_column
from offtake.source.nested import json_to_arrow, text_of, values_to_arrow

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  (wall clock arithmetic)
_JULIAN_END = 5_373_484.5  # SQLite: a REAL below is a Julian day, beyond it seconds since 1970
_MILLISECONDS_FROM = 100_000_000_000  # as seconds that would be the year 5138
_NO_DATE = "0000-00-00"  # MySQL's own word for it


@dataclass(frozen=True)
class RowColumn:
    """One column of the rows: its field's name and type, its Arrow type, the zone of its wall clocks."""

    name: str
    kind: FieldType
    wanted: pa.DataType
    zone: ZoneInfo


def rows_to_batch(rows: Sequence[Sequence[Any]], columns: Sequence[RowColumn], schema: pa.Schema) -> pa.RecordBatch:
    """The rows as one batch. SourceFailed naming the field whose value is not of its type."""
    values = zip(*rows, strict=True) if rows else ((),) * len(columns)
    arrays = [column_to_arrow(cells, column) for cells, column in zip(values, columns, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def column_to_arrow(values: Sequence[Any], column: RowColumn) -> pa.Array:
    """The values as the column's type: by Arrow as a whole where they are all of one kind, else one by one."""
    try:
        array = pa.array(values)
    except (pa.ArrowException, OverflowError, ValueError, TypeError):
        return _one_by_one(values, column)
    if _is_plain(array.type, column) and not _has_no_date(array, column):
        return fit_column(array, column.kind, column.wanted, column.name, column.zone)
    return _one_by_one(values, column)


def _is_plain(given: pa.DataType, column: RowColumn) -> bool:
    """Whether the values mean what their type says; numbers as dates or instants, bytes and the rest need a look."""
    types = pa.types
    if types.is_string(given):
        return column.kind not in (FieldType.LIST, FieldType.STRUCT)
    if types.is_null(given) or given == column.wanted:
        return True
    if types.is_integer(given):
        return column.kind not in (FieldType.DATE, FieldType.DATETIME, FieldType.TIME)
    if types.is_decimal(given):
        return column.kind in (FieldType.INTEGER, FieldType.NUMBER) or types.is_decimal(column.wanted)
    if types.is_floating(given):
        return column.kind in (FieldType.INTEGER, FieldType.DECIMAL) and not types.is_decimal(column.wanted)
    return bool(types.is_timestamp(given) and column.wanted == INSTANT)


def _has_no_date(array: pa.Array, column: RowColumn) -> bool:
    if column.kind not in (FieldType.DATE, FieldType.DATETIME) or not pa.types.is_string(array.type):
        return False
    return bool(pc.any(pc.starts_with(array, _NO_DATE)).as_py())


def _one_by_one(values: Sequence[Any], column: RowColumn) -> pa.Array:
    if column.kind in (FieldType.LIST, FieldType.STRUCT):
        if all(value is None or isinstance(value, str | bytes) for value in values):
            texts = [value.decode() if isinstance(value, bytes) else value for value in values]
            return json_to_arrow(pa.array(texts, pa.string()), column.wanted, column.name, column.zone)
        return values_to_arrow(values, column.wanted, column.name, column.zone)
    try:
        return integers_as([None if value is None else read_value(value, column) for value in values], column.wanted)
    except (ValueError, TypeError, OverflowError, ArithmeticError, pa.ArrowException):
        raise unfit(column.name, column.wanted) from None


def read_value(value: Any, column: RowColumn) -> Any:
    """One value that is not null, in the form `integers_as` takes; None for empty text that is no text, and no date."""
    if column.kind in (FieldType.STRING, FieldType.UUID, FieldType.JSON):
        return _text(value, column.kind)
    if value == "":
        return None
    match column.kind:
        case FieldType.DATETIME:
            return instant_value(value, column.zone)
        case FieldType.DATE:
            return date_value(value, column.zone)
        case FieldType.TIME:
            return clock_value(value)
        case _:
            return _number(value, column)


def _text(value: Any, kind: FieldType) -> str:
    if kind is FieldType.UUID and isinstance(value, bytes) and len(value) == 16:
        return str(UUID(bytes=value))
    if kind is FieldType.JSON and isinstance(value, bytes):
        return value.decode()
    return text_of(value)


def _number(value: Any, column: RowColumn) -> Any:
    if isinstance(value, bytes | bytearray):  # MySQL's BIT
        value = int.from_bytes(value, "big")
    match column.kind:
        case FieldType.NUMBER:
            return float(value)
        case FieldType.BOOLEAN:
            return boolean_value(value)
    number = decimal_cell(_digits(value))
    if column.kind is FieldType.INTEGER:
        if number != int(number):
            raise ValueError("not a whole number")
        return int(number)
    return digits_cell(str(number)) if pa.types.is_string(column.wanted) else number


def _digits(value: Any) -> str:
    if isinstance(value, float) and not value.is_integer():
        return repr(value)
    return text_of(int(value) if isinstance(value, bool | float) else value)


def boolean_value(value: Any) -> bool:
    """True or false; of numbers only 1 and 0 are. ValueError for all else."""
    if isinstance(value, int | float | Decimal):
        if value not in (0, 1):
            raise ValueError("neither 0 nor 1")
        return bool(value)
    return boolean_cell(text_of(value))


def instant_value(value: Any, zone: ZoneInfo) -> int | None:
    """Microseconds since 1970 UTC of a date-time, a text, or a number: seconds since 1970, milliseconds if it is so
    large, a Julian day if it is a small REAL (SQLite's three ways). ValueError for all else."""
    match value:
        case bool():
            raise ValueError("not an instant")
        case int():
            return value * 1_000 if abs(value) >= _MILLISECONDS_FROM else value * 1_000_000
        case float() if 0 <= value < _JULIAN_END:
            return round((value - 2_440_587.5) * DAY_US / 1000) * 1000  # a double holds a Julian day to some 40 µs
        case float():
            return round(value * 1_000_000)
        case datetime():
            offset = value.utcoffset()
            wall = (value.replace(tzinfo=None) - _EPOCH) // timedelta(microseconds=1)
            return local_to_instant(wall, zone) if offset is None else wall - offset // timedelta(microseconds=1)
        case date():
            return local_to_instant((value - _EPOCH.date()).days * DAY_US, zone)
        case str() if value.startswith(_NO_DATE):
            return None
        case str():
            return instant_cell(value, zone)
    raise ValueError("not an instant")


def date_value(value: Any, zone: ZoneInfo) -> int | None:
    """Days since 1970 of a date, a text, or whatever `instant_value` reads. ValueError for all else."""
    match value:
        case datetime():
            return (value.date() - _EPOCH.date()).days
        case date():
            return (value - _EPOCH.date()).days
        case str() if value.startswith(_NO_DATE):
            return None
        case str():
            return date_cell(value)
    instant = instant_value(value, zone)
    return None if instant is None else instant // DAY_US


def clock_value(value: Any) -> int:
    """Microseconds since midnight of a time, a duration within one day, or a text. ValueError for all else."""
    match value:
        case time():
            return ((value.hour * 60 + value.minute) * 60 + value.second) * 1_000_000 + value.microsecond
        case timedelta():
            clock = value // timedelta(microseconds=1)
            if not 0 <= clock < DAY_US:
                raise ValueError("not a time of day")
            return clock
        case str():
            return clock_cell(value)
    raise ValueError("not a time")
