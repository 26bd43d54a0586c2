"""Dates divided as calendars and clocks do: the first day of a part, and when clocks in a zone change."""

from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

from offtake.model.export import DatePart

_EVER, _NEVER = datetime(1, 1, 1), datetime(9999, 12, 31)  # noqa: DTZ001  (readings of clocks)
_FIRST, _LAST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


def first_day(day: date, part: DatePart) -> date:
    """The first day of the year, quarter, month, week (ISO 8601) or day that holds the day."""
    match part:
        case DatePart.YEAR:
            return day.replace(month=1, day=1)
        case DatePart.QUARTER:
            return day.replace(month=day.month - (day.month - 1) % 3, day=1)
        case DatePart.MONTH:
            return day.replace(day=1)
        case DatePart.WEEK:
            return day - timedelta(days=day.weekday())
    return day


def first_moment(instant: datetime, zone: ZoneInfo) -> datetime:
    """When the hour began that clocks in the zone show; an hour that they show twice is two."""
    local = instant.astimezone(zone)
    return instant - timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)


# Offsets in seconds: the first one, and each later one with the reading from which on it holds.
Offsets = tuple[int, tuple[tuple[datetime, int], ...]]


@cache
def clock_changes(zone: str) -> Offsets:
    """The zone's offsets from 1900 to 2100, by the instants (UTC, naive) from which on they hold.

    For databases that know no zones, or know them only if somebody told them.
    """
    rules = ZoneInfo(zone)
    first = before = _offset(_FIRST, rules)
    changes = []
    at = _FIRST
    while at < _LAST:
        after = at + timedelta(days=1)
        if _offset(after, rules) != before:
            change = _change(at, after, before, rules)
            before = _offset(after, rules)
            changes.append((change.replace(tzinfo=None), before))
        at = after
    return first, tuple(changes)


def _offset(instant: datetime, rules: ZoneInfo) -> int:
    return round((instant.astimezone(rules).utcoffset() or timedelta()).total_seconds())


def _change(low: datetime, high: datetime, before: int, rules: ZoneInfo) -> datetime:
    """The first second in which the offset is no longer that of `low`."""
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=int((high - low).total_seconds()) // 2)
        low, high = (middle, high) if _offset(middle, rules) == before else (low, middle)
    return high


@cache
def clock_readings(zone: str) -> Offsets:
    """The same by what clocks in the zone read: of a reading that comes twice, the later; in a gap, as before it."""
    first, changes = clock_changes(zone)
    return first, tuple((at + timedelta(seconds=offset), offset) for at, offset in changes)


@cache
def clock_differences(from_zone: str, to_zone: str) -> Offsets:
    """What clocks in one zone are ahead of those in another, by what those others read."""
    first, readings = clock_readings(from_zone)
    there, changes = clock_changes(to_zone)
    starts = [_EVER, *(at for at, _ in readings)]
    ends = [*starts[1:], _NEVER]
    found: list[tuple[datetime, int]] = []
    for start, end, offset in zip(starts, ends, [first, *(offset for _, offset in readings)], strict=True):
        ahead = timedelta(seconds=offset)
        own = [(at + ahead, after) for at, after in changes]
        held = [after for at, after in own if at <= start]
        found.append((start, (held[-1] if held else there) - offset))
        found += [(at, after - offset) for at, after in own if start < at < end]
    return found[0][1], tuple(each for before, each in pairwise(found) if before[1] != each[1])
