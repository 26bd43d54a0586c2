"""Arrow columns as the few kinds of values that row templates are rendered from."""

from dataclasses import dataclass
from enum import IntEnum

import pyarrow as pa
import pyarrow.compute as pc

from offtake.encode.template import (
    BooleanWriter,
    ColumnWriter,
    NumberWriter,
    PatternWriter,
    SerialWriter,
)

FINITE = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?$"


class Kind(IntEnum):
    """What a prepared column holds. The numbers are those of `kernel/rows.c`."""

    TEXT = 0
    INTEGER = 1
    DECIMAL = 2
    DOUBLE = 3  # as its shortest text, nan or ±inf
    DIGITS = 4  # a decimal without bound, as text
    BOOLEAN = 5
    DATE = 6
    INSTANT = 7
    TIME = 8


@dataclass(frozen=True)
class Prepared:
    """A column in the Arrow type of its kind: string, int64, decimal128, bool, date32, timestamp[us], time64[us]."""

    kind: Kind
    array: pa.Array


def prepare(array: pa.Array, writer: ColumnWriter) -> Prepared:
    """The column as one of the kinds; a TypeError says that this writer does not write this Arrow type."""
    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    if isinstance(array.type, pa.ExtensionType):
        array = array.storage
    match writer:
        case NumberWriter():
            return _number(array, writer)
        case BooleanWriter():
            return Prepared(Kind.BOOLEAN, array.cast(pa.bool_()))
        case PatternWriter() | SerialWriter():
            return _temporal(array)
    return Prepared(Kind.TEXT, valid_text(array))


def valid_text(array: pa.Array) -> pa.StringArray:
    """The strings, every byte that is not UTF-8 (a lone surrogate too) replaced by U+FFFD."""
    array = array.cast(pa.string())
    try:
        array.validate(full=True)
    except pa.ArrowInvalid:
        raw = array.cast(pa.binary()).to_pylist()
        array = pa.array([None if cell is None else cell.decode("utf-8", "replace") for cell in raw], pa.string())
    return array


def _number(array: pa.Array, writer: NumberWriter) -> Prepared:
    kind = array.type
    if pa.types.is_uint64(kind):
        return Prepared(Kind.DECIMAL, array.cast(pa.decimal128(20, 0)))
    if pa.types.is_integer(kind):
        return Prepared(Kind.INTEGER, array.cast(pa.int64()))
    if pa.types.is_decimal128(kind) and kind.scale >= 0:
        return Prepared(Kind.DECIMAL, array)
    if pa.types.is_floating(kind):
        if writer.nan is None:
            array = pc.if_else(pc.is_finite(array), array, None)
        return Prepared(Kind.DOUBLE, array.cast(pa.string()))
    array = valid_text(array)
    if writer.nan is None:
        array = pc.if_else(pc.match_substring_regex(array, FINITE), array, None)
    return Prepared(Kind.DIGITS, array)


def _temporal(array: pa.Array) -> Prepared:
    kind = array.type
    if pa.types.is_timestamp(kind):
        return Prepared(Kind.INSTANT, array.cast(pa.timestamp("us", kind.tz)))
    if pa.types.is_time(kind):
        return Prepared(Kind.TIME, array.cast(pa.time64("us")))
    return Prepared(Kind.DATE, array.cast(pa.date32()))
