"""A timetable -> the instants it names, from any moment on, without walking there from its start.

Days and longer are counted on the calendar of the zone, in local wall time: a time the clocks skip takes the offset
before the change, one they repeat its first pass. Hours and minutes are elapsed time, limited by what local clocks
show (`BYHOUR`, `BYDAY`, …). A rule that names nothing for 40 years has ended: no search takes more than a moment.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import product
from zoneinfo import ZoneInfo

from offtake.model.schedule import Timetable
from offtake.query.rrules import Frequency, Rule, parse_rule

QUIET_YEARS = 40  # 29 February comes on a Monday every 28 years, and once in 40
MOST_STEPS = 100_000  # of hours or minutes that do not fit, one after the other
LAST_YEAR = 9000
_DAY = timedelta(days=1)


def instants_after(timetable: Timetable, after: datetime) -> Iterator[datetime]:
    """The instants (UTC) later than that one, in order. Raises InvalidRequest for a rule that cannot be read."""
    zone = ZoneInfo(timetable.timezone)
    rule = _filled(parse_rule(timetable.rrule), timetable.start)
    first, last = _instant(timetable.start, zone), _last(rule, timetable, zone)
    # Only a rule that counts its instants has to be followed from the first of them.
    begin = first if rule.count else max(first, after)
    walk = _walk_clock if rule.frequency.is_of_the_clock else _walk_calendar
    number = 0
    for instant in walk(rule, timetable.start, zone, begin):
        if instant < first:
            continue
        number += 1
        if instant > last or (rule.count and number > rule.count):
            return
        if instant > after:
            yield instant


def _last(rule: Rule, timetable: Timetable, zone: ZoneInfo) -> datetime:
    until = rule.until
    if until is not None and not isinstance(until, datetime):
        until = datetime.combine(until, time.max)
    ends = [_instant(each, zone) for each in (until, timetable.end) if each is not None]
    return min(ends, default=datetime.max.replace(tzinfo=UTC))


def _instant(local: datetime, zone: ZoneInfo) -> datetime:
    return (local if local.tzinfo else local.replace(tzinfo=zone)).astimezone(UTC)


def _filled(rule: Rule, start: datetime) -> Rule:
    """The rule with what it leaves to the start (RFC 5545 §3.3.10, "derived from DTSTART")."""
    frequency = rule.frequency
    if not rule.seconds:
        rule = replace(rule, seconds=(start.second,))
    if frequency.is_of_the_clock:
        return rule
    rule = replace(rule, hours=rule.hours or (start.hour,), minutes=rule.minutes or (start.minute,))
    if rule.year_days or rule.month_days or rule.days:
        return rule
    if rule.weeks or frequency is Frequency.WEEKLY:
        return replace(rule, days=((0, start.weekday()),))
    if frequency is Frequency.DAILY:
        return rule
    months = rule.months or ((start.month,) if frequency is Frequency.YEARLY else ())
    return replace(rule, months=months, month_days=(start.day,))


def _walk_calendar(rule: Rule, start: datetime, zone: ZoneInfo, begin: datetime) -> Iterator[datetime]:
    """Period by period from the one before that moment; the first may hold earlier instants."""
    number = max(0, _period_of(rule, start, begin.astimezone(zone).date()) - 1)
    times = [time(*parts) for parts in product(rule.hours, rule.minutes, rule.seconds)]
    quiet_since = begin.year
    while True:
        first, end = _period(rule, start, number)
        if end.year > min(quiet_since + QUIET_YEARS, LAST_YEAR):
            return
        days = [day for day in map(date.fromordinal, range(first.toordinal(), end.toordinal())) if _fits(rule, day)]
        for moments in _moments(rule, days, times):
            quiet_since = first.year
            # Two local times can be one instant: that of a time the clocks skip is that of a later one.
            yield from sorted({_instant(moment, zone) for moment in moments})
        number += 1


def _moments(rule: Rule, days: list[date], times: list[time]) -> Iterator[list[datetime]]:
    """The local times of one period in order, some at a time."""
    by_day = ([datetime.combine(day, each) for each in times] for day in days)
    if not rule.positions:
        yield from by_day
    elif chosen := _chosen(rule, [moment for moments in by_day for moment in moments]):
        yield chosen


def _period(rule: Rule, start: datetime, number: int) -> tuple[date, date]:
    """The first day of the period of that number, counted from the start's own, and the day after its last."""
    moved = number * rule.interval
    match rule.frequency:
        case Frequency.YEARLY:
            return _month(start.year + moved, 0), _month(start.year + moved + 1, 0)
        case Frequency.MONTHLY:
            return _month(start.year, start.month - 1 + moved), _month(start.year, start.month + moved)
        case Frequency.WEEKLY:
            first = _week_of(rule, start.date()) + 7 * moved * _DAY
            return first, first + 7 * _DAY
        case _:
            first = start.date() + moved * _DAY
            return first, first + _DAY


def _month(year: int, months: int) -> date:
    """The first day of the month that many after January of the year."""
    return date(min(year + months // 12, LAST_YEAR + 1), months % 12 + 1, 1)


def _period_of(rule: Rule, start: datetime, day: date) -> int:
    match rule.frequency:
        case Frequency.YEARLY:
            passed = day.year - start.year
        case Frequency.MONTHLY:
            passed = (day.year - start.year) * 12 + day.month - start.month
        case Frequency.WEEKLY:
            passed = (day - _week_of(rule, start.date())).days // 7
        case _:
            passed = (day - start.date()).days
    return passed // rule.interval


def _week_of(rule: Rule, day: date) -> date:
    """The first day of its week."""
    return day - ((day.weekday() - rule.week_start) % 7) * _DAY


def _chosen(rule: Rule, found: list[datetime]) -> list[datetime]:
    """Those that BYSETPOS picks out of one period."""
    if not rule.positions:
        return found
    places = {position - 1 if position > 0 else len(found) + position for position in rule.positions}
    return [found[place] for place in sorted(places) if 0 <= place < len(found)]


def _fits(rule: Rule, day: date) -> bool:
    """Whether every part of the rule that speaks of days lets this one through."""
    if rule.months and day.month not in rule.months:
        return False
    if rule.month_days and not _is_among(day.day, _month_length(day), rule.month_days):
        return False
    if rule.days and not any(day.weekday() == weekday and _is_nth(rule, day, nth) for nth, weekday in rule.days):
        return False
    if rule.year_days and not _is_among(_day_of_year(day), _year_length(day.year), rule.year_days):
        return False
    return not rule.weeks or _is_among(*_week_number(rule, day), rule.weeks)


def _is_among(number: int, total: int, wanted: tuple[int, ...]) -> bool:
    """Whether it is named, from the beginning or (negative) from the end."""
    return number in wanted or number - total - 1 in wanted


def _is_nth(rule: Rule, day: date, nth: int) -> bool:
    """Whether it is the nth such weekday of its month, or of its year if the rule is yearly and names no months."""
    of_year = rule.frequency is Frequency.YEARLY and not rule.months
    number, length = (_day_of_year(day), _year_length(day.year)) if of_year else (day.day, _month_length(day))
    return nth in (0, (number - 1) // 7 + 1, -((length - number) // 7 + 1))


def _week_number(rule: Rule, day: date) -> tuple[int, int]:
    """The number of its week and how many weeks that week's year has (ISO 8601, with weeks that begin on WKST)."""
    middle = _week_of(rule, day) + 3 * _DAY
    last = _week_of(rule, date(middle.year, 12, 28)) + 3 * _DAY
    return (_day_of_year(middle) - 1) // 7 + 1, (_day_of_year(last) - 1) // 7 + 1


def _day_of_year(day: date) -> int:
    return day.toordinal() - date(day.year, 1, 1).toordinal() + 1


def _year_length(year: int) -> int:
    return date(year + 1, 1, 1).toordinal() - date(year, 1, 1).toordinal()


def _month_length(day: date) -> int:
    return (_month(day.year, day.month) - _DAY).day


def _walk_clock(rule: Rule, start: datetime, zone: ZoneInfo, begin: datetime) -> Iterator[datetime]:
    """Step by step from the one before that moment; days and hours that do not fit are passed over at once."""
    step = timedelta(hours=rule.interval) if rule.frequency is Frequency.HOURLY else timedelta(minutes=rule.interval)
    origin = _instant(start, zone)
    number = max(0, (begin - origin) // step - 1)
    quiet_since, steps, before = begin.year, 0, datetime.min.replace(tzinfo=UTC)
    while steps < MOST_STEPS:
        moment = origin + number * step
        if moment.year > min(quiet_since + QUIET_YEARS, LAST_YEAR):
            return
        local = moment.astimezone(zone)
        if not _fits(rule, local.date()):
            midnight = _instant(datetime.combine(local.date() + _DAY, time.min), zone)
            number = max(number + 1, -((origin - midnight) // step))
            continue
        steps += 1
        found = [instant for instant in _chosen(rule, _in_hour(rule, moment, local)) if instant > before]
        if found:
            quiet_since, steps, before = moment.year, 0, found[-1]
        yield from found
        number += 1


def _in_hour(rule: Rule, moment: datetime, local: datetime) -> list[datetime]:
    """What the rule names within the step that falls on that moment."""
    if rule.hours and local.hour not in rule.hours:
        return []
    moment += timedelta(seconds=rule.seconds[0] - moment.second)
    if not rule.minutes:
        return [moment]
    if rule.frequency is Frequency.MINUTELY:
        return [moment] if local.minute in rule.minutes else []
    return [moment + timedelta(minutes=minute - local.minute) for minute in rule.minutes]
