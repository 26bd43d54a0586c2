"""What SQLite lacks for reports: values made alike, parts of dates in a zone, exact sums and medians.

`query.figures` says what each function gives. What is not of its field's type is an error, as it is in an export.
"""

import sqlite3
from array import array
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa

from offtake.model.dataset import FieldType
from offtake.model.export import DatePart
from offtake.query.buckets import first_day, first_moment
from offtake.query.keys import time_key
from offtake.source.arrow_types import arrow_type
from offtake.source.cells import DATE_MAX, DATE_MIN, INSTANT_MAX, INSTANT_MIN
from offtake.source.rows_to_arrow import RowColumn, read_value

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INFINITE = {INSTANT_MAX: "infinity", INSTANT_MIN: "-infinity", DATE_MAX: "infinity", DATE_MIN: "-infinity"}
_EXACT = Context(prec=1000)


def add_report_functions(connection: sqlite3.Connection, zone: ZoneInfo) -> None:
    """Register them; wall clocks without an offset are read in the zone."""
    columns = {
        kind.value: RowColumn("", kind, arrow_type(kind) if kind is not FieldType.DECIMAL else pa.string(), zone)
        for kind in FieldType
        if kind not in (FieldType.LIST, FieldType.STRUCT)
    }

    def value(given: Any, kind: str) -> Any:
        read = None if given is None else read_value(given, columns[kind])
        return None if read is None else _WRITTEN[columns[kind].kind](read)

    def bucket(given: Any, kind: str, part: str, where: str) -> Any:
        read = None if given is None else read_value(given, columns[kind])
        if read is None or read in _INFINITE:
            return None if read is None else _INFINITE[read]
        if kind == FieldType.DATE:
            return first_day(_day(read), DatePart(part)).isoformat()
        instant = _instant(read)
        if part == DatePart.HOUR:
            return _stamp(first_moment(instant, ZoneInfo(where)))
        return first_day(instant.astimezone(ZoneInfo(where)).date(), DatePart(part)).isoformat()

    connection.create_function("offtake_value", 2, value, deterministic=True)
    connection.create_function("offtake_bucket", 4, bucket, deterministic=True)
    aggregates: dict[str, Callable[[], Any]] = {"sum": _Sum, "min": _Min, "max": _Max, "median": _Median}
    for name, aggregate in aggregates.items():
        connection.create_aggregate(f"offtake_{name}", 1, aggregate)


def _day(days: int) -> date:
    return date(1970, 1, 1) + timedelta(days=days)


def _instant(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)


def _stamp(instant: datetime) -> str:
    """As text that sorts as instants do."""
    return f"{instant.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def _digits(number: Decimal) -> str:
    """Without the zeros that make equal numbers look different."""
    text = format(number, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


_WRITTEN: dict[FieldType, Callable[[Any], Any]] = {
    FieldType.INTEGER: int,
    FieldType.NUMBER: float,
    FieldType.DECIMAL: lambda digits: _digits(Decimal(digits)),
    FieldType.BOOLEAN: int,
    FieldType.DATE: lambda days: _INFINITE.get(days) or _day(days).isoformat(),
    FieldType.DATETIME: lambda instant: _INFINITE.get(instant) or _stamp(_instant(instant)),
    FieldType.TIME: lambda clock: time_key(_instant(clock).time()),
}


class _Sum:
    """The exact sum of decimals, as text."""

    def __init__(self) -> None:
        self._total: Decimal | None = None

    def step(self, value: str | None) -> None:
        if value is not None:
            self._total = _EXACT.add(self._total or Decimal(), Decimal(value))

    def finalize(self) -> str | None:
        return None if self._total is None else _digits(self._total)


class _Min:
    """The smallest of decimals, as text."""

    def __init__(self) -> None:
        self._found: Decimal | None = None

    def step(self, value: str | None) -> None:
        if value is not None:
            number = Decimal(value)
            self._found = number if self._found is None else self._chosen(self._found, number)

    def finalize(self) -> str | None:
        return None if self._found is None else _digits(self._found)

    def _chosen(self, first: Decimal, second: Decimal) -> Decimal:
        return min(first, second)


class _Max(_Min):
    """The largest of decimals, as text."""

    def _chosen(self, first: Decimal, second: Decimal) -> Decimal:
        return max(first, second)


class _Median:
    """The number in the middle, or halfway between the two that are. It holds 8 bytes a value until then."""

    def __init__(self) -> None:
        self._values = array("d")

    def step(self, value: float | None) -> None:
        if value is not None:
            self._values.append(value)

    def finalize(self) -> float | None:
        if not self._values:
            return None
        ordered = sorted(self._values)
        middle = len(ordered) // 2
        return (
            ordered[middle] if len(ordered) % 2 else ordered[middle - 1] + (ordered[middle] - ordered[middle - 1]) / 2
        )
