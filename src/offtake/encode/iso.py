"""The column writers of a reader without a language: ISO 8601, RFC 3339 and plain numbers."""

from array import array
from dataclasses import replace
from functools import lru_cache

import pyarrow as pa

from offtake.encode.template import (
    BooleanWriter,
    ColumnWriter,
    NumberWriter,
    Part,
    Pattern,
    PatternWriter,
    Step,
    TextWriter,
)
from offtake.encode.zones import MICROSECONDS, ZoneTable, zone_table
from offtake.model.dataset import FieldType

MINUTE_US = 60 * MICROSECONDS


def _literal(text: str) -> Step:
    return Step(Part.LITERAL, text=text)


ISO_DATE: Pattern = (
    Step(Part.YEAR, 4), _literal("-"), Step(Part.MONTH, 2), _literal("-"), Step(Part.DAY, 2),
)  # fmt: skip
ISO_TIME: Pattern = (
    Step(Part.HOUR_0_23, 2), _literal(":"), Step(Part.MINUTE, 2), _literal(":"), Step(Part.SECOND, 2),
    Step(Part.FRACTION, text="."),
)  # fmt: skip
ISO_INSTANT: Pattern = (*ISO_DATE, _literal("T"), *ISO_TIME, Step(Part.OFFSET))


def iso_writer(type: pa.DataType, timezone: str | None = None, field_type: FieldType | None = None) -> ColumnWriter:
    """How values of this Arrow type look to a reader without a language, instants in `timezone` (None = UTC).

    `field_type` tells decimals that arrive as strings from text. Raises InvalidRequest for a zone nobody knows.
    """
    if pa.types.is_boolean(type):
        return BooleanWriter()
    if pa.types.is_date(type):
        return PatternWriter(ISO_DATE)
    if pa.types.is_timestamp(type):
        return PatternWriter(ISO_INSTANT, minute_zone(timezone))
    if pa.types.is_time(type):
        return PatternWriter(ISO_TIME)
    is_number = pa.types.is_integer(type) or pa.types.is_floating(type) or pa.types.is_decimal(type)
    return NumberWriter() if is_number or field_type is FieldType.DECIMAL else TextWriter()


@lru_cache(maxsize=32)
def minute_zone(timezone: str | None) -> ZoneTable:
    """The zone with offsets rounded to whole minutes, as RFC 3339 §5.8 does for local mean times before 1900 or so.

    The local time moves with the offset, so that the two still name the exact instant.
    """
    table = zone_table(timezone)
    rounded = (round(offset / MINUTE_US) * MINUTE_US for offset in table.offsets_us)
    return replace(table, offsets_us=array("q", rounded))
