"""Text -> Arrow, for columns whose text Arrow cannot always read itself: vectorised first, cell by cell where it must.

A value that the type cannot hold is an error, never a changed value. Empty text in a column of another type is null.
"""

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from offtake.source.arrow_types import CLOCK, INSTANT, unfit

INSTANT_MAX, INSTANT_MIN = 2**63 - 1, -(2**63)
DATE_MAX, DATE_MIN = 2**31 - 1, -(2**31)
DAY_US = 86_400_000_000
_CYCLE_US = 146_097 * DAY_US  # 400 years, after which days and weekdays repeat
_YEAR_2000 = 10_957 * DAY_US

_DATE = r"(?P<year>\d{4,7})-(?P<month>\d\d?)-(?P<day>\d\d?)"
_TIME = r"(?P<hour>\d\d?):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:\.(?P<fraction>\d{1,6})\d*)?)?"
_ZONE = r"(?: ?(?P<zone>[Zz]|[+-]\d\d(?::?\d\d(?::?\d\d)?)?))?"
_INSTANT = re.compile(rf"{_DATE}(?:[ T]{_TIME}{_ZONE})?(?P<bc> BC)?", re.ASCII)
_CLOCK = re.compile(_TIME, re.ASCII)
_TRUE = frozenset(("t", "true", "1", "yes", "y", "on"))
_FALSE = frozenset(("f", "false", "0", "no", "n", "off"))
_INFINITE = {"infinity": 1, "-infinity": -1}
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  (wall clock arithmetic)


def days_from_civil(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01 in the proleptic Gregorian calendar, year 0 = 1 BC (Howard Hinnant's algorithm)."""
    if not (1 <= month <= 12 and 1 <= day <= _month_days(year, month)):
        raise ValueError("no such day")
    year -= month <= 2
    era, year_of_era = divmod(year, 400)
    day_of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146_097 + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year - 719_468


def _month_days(year: int, month: int) -> int:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31


def local_to_instant(wall_us: int, zone: ZoneInfo) -> int:
    """Microseconds UTC of a wall clock reading, both counted from 1970.

    As PostgreSQL decides: of two possible instants the later one; in a gap, the offset before it.
    """
    if zone.key == "UTC":
        return wall_us
    # Years that `datetime` does not have are read in one it has, whole cycles of the calendar away.
    cycles = (wall_us - _YEAR_2000) // _CYCLE_US
    cycles = cycles - 18 if cycles > 18 else min(cycles + 4, 0)
    wall = (_EPOCH + timedelta(microseconds=wall_us - cycles * _CYCLE_US)).replace(tzinfo=zone)
    offsets = (wall.replace(fold=fold).utcoffset() or timedelta() for fold in (0, 1))
    return wall_us - min(offsets) // timedelta(microseconds=1)


def instant_cell(text: str, zone: ZoneInfo) -> int:
    """Microseconds since 1970 UTC; text without an offset is in `zone`. ValueError if it is no instant."""
    if text.lower() in _INFINITE:
        return INSTANT_MAX if _INFINITE[text.lower()] > 0 else INSTANT_MIN
    match = _INSTANT.fullmatch(text)
    if match is None:
        raise ValueError("not an instant")
    wall = _days(match) * DAY_US + (_time_of_day(match) if match["hour"] else 0)
    instant = wall - _offset_us(match["zone"]) if match["zone"] else local_to_instant(wall, zone)
    if not INSTANT_MIN < instant < INSTANT_MAX:
        raise ValueError("beyond int64")
    return instant


def date_cell(text: str) -> int:
    """Days since 1970; of an instant, the day it is written with. ValueError if it is no date."""
    if text.lower() in _INFINITE:
        return DATE_MAX if _INFINITE[text.lower()] > 0 else DATE_MIN
    match = _INSTANT.fullmatch(text)
    if match is None:
        raise ValueError("not a date")
    if match["hour"]:
        _time_of_day(match)
    return _days(match)


def clock_cell(text: str) -> int:
    """Microseconds since midnight. ValueError if it is no time; `24:00` is none that a day has."""
    match = _CLOCK.fullmatch(text)
    if match is None:
        raise ValueError("not a time")
    return _time_of_day(match)


def _days(match: re.Match[str]) -> int:
    year = int(match["year"])
    return days_from_civil(1 - year if match["bc"] else year, int(match["month"]), int(match["day"]))


def _time_of_day(match: re.Match[str]) -> int:
    hour, minute, second = int(match["hour"]), int(match["minute"]), int(match["second"] or 0)
    if hour > 23 or minute > 59 or second > 59:
        raise ValueError("no such time")
    return ((hour * 60 + minute) * 60 + second) * 1_000_000 + int((match["fraction"] or "").ljust(6, "0"))


def _offset_us(zone: str) -> int:
    if zone in "Zz":
        return 0
    digits = zone[1:].replace(":", "").ljust(6, "0")
    seconds = int(digits[:2]) * 3600 + int(digits[2:4]) * 60 + int(digits[4:])
    return (-seconds if zone[0] == "-" else seconds) * 1_000_000


def boolean_cell(text: str) -> bool:
    """True or false as databases write them. ValueError if it is neither."""
    folded = text.strip().lower()
    if folded in _TRUE or folded in _FALSE:
        return folded in _TRUE
    raise ValueError("not a boolean")


def integer_cell(text: str) -> int:
    """A whole number, also written `12.0` or `1e3`. ValueError if it is none or beyond int64."""
    number = decimal_cell(text)
    if not number.is_finite() or number.adjusted() > 20 or number != int(number):
        raise ValueError("not a whole number")
    return int(number)


def decimal_cell(text: str) -> Decimal:
    """A number with all its digits. ValueError if it is none."""
    try:
        return Decimal(text.strip())
    except InvalidOperation:
        raise ValueError("not a number") from None


def digits_cell(text: str) -> str:
    """The digits of a decimal without bound, or NaN, Infinity, -Infinity. ValueError if it is no number."""
    number = decimal_cell(text)
    if number.is_nan():
        return "NaN"
    return format(number, "f") if number.is_finite() else ("Infinity" if number > 0 else "-Infinity")


def cell_reader(wanted: pa.DataType, zone: ZoneInfo) -> Callable[[str], Any]:
    """What reads one cell of text as a value for an array of this type (dates and instants as integers)."""
    if wanted == INSTANT:
        return partial(instant_cell, zone=zone)
    if pa.types.is_decimal(wanted):
        return decimal_cell
    readers: dict[pa.DataType, Callable[[str], Any]] = {
        pa.int64(): integer_cell,
        pa.float64(): float,
        pa.bool_(): boolean_cell,
        pa.date32(): date_cell,
        CLOCK: clock_cell,
    }
    return readers[wanted]


def texts_to_arrow(texts: pa.Array, wanted: pa.DataType, name: str, zone: ZoneInfo) -> pa.Array:
    """The texts as the wanted type. SourceFailed naming the field if one of them cannot be."""
    if pa.types.is_string(wanted):
        return texts
    for attempt in (pc.cast, _naive(zone), _infinities):
        with suppress(pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError):
            return attempt(texts, wanted)
    read = cell_reader(wanted, zone)
    try:
        values = [read(text) if text else None for text in texts.to_pylist()]
        return integers_as(values, wanted)
    except (ValueError, OverflowError, pa.ArrowException):
        raise unfit(name, wanted) from None


def digits_to_arrow(texts: pa.Array, name: str) -> pa.Array:
    """Texts that are decimals without bound, as `digits_cell` writes them. SourceFailed if one is no number."""
    if pc.all(pc.match_substring_regex(texts, r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?$")).as_py() in (True, None):
        return texts
    try:
        return pa.array([digits_cell(text) if text else None for text in texts.to_pylist()], pa.string())
    except ValueError:
        raise unfit(name, pa.decimal128(38)) from None


def integers_as(values: list[Any], wanted: pa.DataType) -> pa.Array:
    """An array of the wanted type, whose dates, times and instants are given as integers."""
    if wanted in (INSTANT, CLOCK):
        return pa.array(values, pa.int64()).view(wanted)
    if wanted == pa.date32():
        return pa.array(values, pa.int32()).view(wanted)
    return pa.array(values, wanted)


def naive_to_instants(walls: pa.Array, zone: ZoneInfo) -> pa.Array:
    """Wall clock readings (timestamp[us]) in the zone as instants; ±infinity stays. See `local_to_instant`."""
    if zone.key == "UTC":
        return walls.view(INSTANT)
    try:
        # The later of two readings, as local_to_instant; a reading in a gap raises.
        located = pc.assume_timezone(walls, zone.key, ambiguous="latest", nonexistent="raise")
        if not pc.any(pc.is_in(walls.view(pa.int64()), pa.array([INSTANT_MAX, INSTANT_MIN]))).as_py():
            return located.cast(INSTANT)
    except pa.ArrowInvalid:
        pass
    moved = (
        wall if wall in (None, INSTANT_MAX, INSTANT_MIN) else local_to_instant(wall, zone)
        for wall in walls.view(pa.int64()).to_pylist()
    )
    return pa.array(moved, pa.int64()).view(INSTANT)


def _naive(zone: ZoneInfo) -> Callable[[pa.Array, pa.DataType], pa.Array]:
    def read(texts: pa.Array, wanted: pa.DataType) -> pa.Array:
        if wanted != INSTANT:
            raise ValueError("only instants have a wall clock")
        return naive_to_instants(pc.cast(texts, pa.timestamp("us")), zone)

    return read


def _infinities(texts: pa.Array, wanted: pa.DataType) -> pa.Array:
    """Dates or instants of which some are infinite and the others plain."""
    if wanted not in (INSTANT, pa.date32()):
        raise ValueError("only dates and instants are infinite")
    is_instant = wanted == INSTANT
    integer = pa.int64() if is_instant else pa.int32()
    late, early = pc.equal(texts, "infinity"), pc.equal(texts, "-infinity")
    finite = pc.if_else(pc.or_(late, early), pa.scalar(None, pa.string()), texts)
    days = pc.cast(finite, wanted).view(integer)
    days = pc.if_else(late, pa.scalar(INSTANT_MAX if is_instant else DATE_MAX, integer), days)
    return pc.if_else(early, pa.scalar(INSTANT_MIN if is_instant else DATE_MIN, integer), days).view(wanted)


def utc_now() -> datetime:
    """The present instant, for sources whose snapshots carry none."""
    return datetime.now(UTC)
