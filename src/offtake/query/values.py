"""What a caller sent -> a value of the field's type. Text is read for every type, as many clients send nothing else."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from offtake.model.dataset import FieldType
from offtake.model.filter import Value

_INTEGER = re.compile(r"[+-]?[0-9]{1,30}")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")
_MOST_DIGITS = 38  # what every database we read keeps exactly

EXPECTED = MappingProxyType(
    {
        FieldType.STRING: "text",
        FieldType.INTEGER: "a whole number of at most 64 bits, such as 42",
        FieldType.NUMBER: "a number, such as 12.5",
        FieldType.DECIMAL: "a number of at most 38 digits, such as 12.50",
        FieldType.BOOLEAN: "true or false",
        FieldType.DATE: "a date, such as 2026-05-31",
        FieldType.DATETIME: "an instant, such as 2026-05-31T14:30:00Z, or a date, which means that whole day",
        FieldType.TIME: "a time of day, such as 14:30 or 14:30:00",
        FieldType.UUID: "a uuid, such as 6f1f7a52-3d0c-4c55-9a55-0f3c6f0a2b11",
    }
)


def read_value(type_: FieldType, value: object, zone: ZoneInfo) -> Value:
    """The value in the type's own Python type; for a datetime also a `date`, which stands for that whole day.

    Instants without an offset are local to the zone; they come out in UTC. ValueError for anything else.
    """
    return _READERS[type_](value, zone)


def _text(value: object, _zone: ZoneInfo) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise ValueError(value)
    value.encode()  # a lone surrogate is no text, and no database takes it
    return str(value)


def _integer(value: object, _zone: ZoneInfo) -> int:
    if isinstance(value, str) and not _INTEGER.fullmatch(value.strip()):
        raise ValueError(value)
    if isinstance(value, str) or (isinstance(value, float | Decimal) and value == int(value)):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not -(2**63) <= value < 2**63:
        raise ValueError(value)
    return value


def _number(value: object, _zone: ZoneInfo) -> float:
    if isinstance(value, str) and not _NUMBER.fullmatch(value.strip()):
        raise ValueError(value)
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise ValueError(value)
    number = float(value)
    if number - number != 0:  # infinity or NaN
        raise ValueError(value)
    return number


def _decimal(value: object, _zone: ZoneInfo) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise ValueError(value)
    if isinstance(value, str) and not _NUMBER.fullmatch(value.strip()):
        raise ValueError(value)
    number = Decimal(repr(value) if isinstance(value, float) else value)
    if not number.is_finite() or len(number.as_tuple().digits) > _MOST_DIGITS or abs(number.adjusted()) > _MOST_DIGITS:
        raise ValueError(value)
    return number


def _boolean(value: object, _zone: ZoneInfo) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    raise ValueError(value)


def _date(value: object, _zone: ZoneInfo) -> date:
    if isinstance(value, str):
        return date.fromisoformat(value.strip())
    if not isinstance(value, date) or isinstance(value, datetime):
        raise ValueError(value)
    return value


def _datetime(value: object, zone: ZoneInfo) -> date | datetime:
    if isinstance(value, str):
        value = _day_or_instant(value.strip())
    if not isinstance(value, datetime):
        return _date(value, zone)
    try:
        return (value if value.tzinfo else value.replace(tzinfo=zone)).astimezone(UTC)
    except OverflowError as error:
        raise ValueError(value) from error


def _day_or_instant(text: str) -> date | datetime:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return datetime.fromisoformat(text)


def _time(value: object, _zone: ZoneInfo) -> time:
    if isinstance(value, str):
        value = time.fromisoformat(value.strip())
    if not isinstance(value, time) or value.tzinfo is not None:
        raise ValueError(value)
    return value


def _uuid(value: object, _zone: ZoneInfo) -> str:
    if isinstance(value, UUID):
        return str(value)
    if not isinstance(value, str):
        raise ValueError(value)
    return str(UUID(value.strip()))


_READERS: dict[FieldType, Callable[[Any, ZoneInfo], Value]] = {
    FieldType.STRING: _text,
    FieldType.INTEGER: _integer,
    FieldType.NUMBER: _number,
    FieldType.DECIMAL: _decimal,
    FieldType.BOOLEAN: _boolean,
    FieldType.DATE: _date,
    FieldType.DATETIME: _datetime,
    FieldType.TIME: _time,
    FieldType.UUID: _uuid,
}


def day_start(day: date, zone: ZoneInfo) -> datetime:
    """The first instant of the day in the zone, in UTC; where midnight is skipped, the instant of the change."""
    try:
        return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)


def day_end(day: date, zone: ZoneInfo) -> datetime:
    """The first instant after the day in the zone, in UTC."""
    try:
        return day_start(day + timedelta(days=1), zone)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)
