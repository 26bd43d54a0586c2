"""Dates in the words people use -> instants: ISO 8601, or relative as in PHP (`first day of last month midnight`).

Days, weeks, months and years are counted on the calendar of the zone; hours and less are elapsed time. A local time
that the clocks skip takes the offset before the change, one they repeat its first pass (both as in PHP).
"""

from datetime import UTC, date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from offtake.errors import InvalidRange
from offtake.query.datewords import DateWords, read_words

_LONGEST = 200
_HINT = (
    "Write 2026-05-31, 2026-05-31T14:30:00Z, or words: yesterday, 3 days ago midnight, "
    "first day of last month midnight, monday, last sat of July 2026."
)


def resolve_date(text: str, now: datetime, timezone: str, end: bool = False) -> datetime:
    """The instant the words mean at `now` (aware) in the zone, in UTC.

    As the `end` of a range, a bare date (`2026-05-31`) means the end of that day, so that the range covers it.
    Raises InvalidRange for what is no date, or lies outside the years 1 to 9999.
    """
    if len(text) > _LONGEST:
        raise InvalidRange(f"A date has at most {_LONGEST} characters.", hint=_HINT)
    zone = ZoneInfo(timezone)
    try:
        return _absolute(text.strip(), zone, end) or _relative(text, now, zone, end)
    except OverflowError:
        raise InvalidRange(f"{text!r} lies outside the years 1 to 9999.", hint=_HINT) from None


def resolve_range(
    start: str | None, end: str | None, now: datetime, timezone: str, where: str = ""
) -> tuple[datetime | None, datetime | None]:
    """Both ends of a half-open range, in UTC; None is open. `where` is the JSON pointer to what holds `from` and `to`.

    Raises InvalidRange, pointing at the end that is no date, or if it ends before it starts.
    """
    found = _resolve(start, now, timezone, f"{where}/from"), _resolve(end, now, timezone, f"{where}/to", end=True)
    if found[0] is not None and found[1] is not None and found[1] < found[0]:
        raise InvalidRange(
            f"The range ends ({end}) before it starts ({start}).",
            hint="Swap its ends.",
            pointer=where or "/to",
        )
    return found


def _resolve(text: str | None, now: datetime, timezone: str, pointer: str, end: bool = False) -> datetime | None:
    try:
        return None if text is None else resolve_date(text, now, timezone, end)
    except InvalidRange as error:
        raise InvalidRange(error.detail, hint=error.hint, pointer=pointer) from None


def _absolute(text: str, zone: tzinfo, end: bool) -> datetime | None:
    """ISO 8601 as Python reads it, or None."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        try:
            instant = datetime.fromisoformat(text)
        except ValueError:
            return None
        return (instant if instant.tzinfo else instant.replace(tzinfo=zone)).astimezone(UTC)
    return _instant(day + timedelta(days=1) if end else day, 0, zone)


def _relative(text: str, now: datetime, default: tzinfo, end: bool) -> datetime:
    try:
        words = read_words(text)
    except ValueError as error:
        rest = str(error)
        where = f" at {rest[:40]!r}" if rest and rest != text.strip() else ""
        raise InvalidRange(f"{text!r} is no date that can be read{where}.", hint=_HINT) from None
    if not text.strip():
        raise InvalidRange("An empty text is no date.", hint=_HINT)
    zone = words.zone or default
    here = now.astimezone(zone)
    day = _moved(words, _start(words, here.date()))
    if end and words.day is not None and not (words.has_time or words.is_relative):
        day += timedelta(days=1)
    keeps_now = words.time_us is None and not words.has_date and day == here.date()
    # Nothing moved but the clock: in an hour that clocks repeat, now is the pass that it is.
    instant = now.astimezone(UTC) if keeps_now else _instant(day, _time_us(words, here), zone)
    return instant + timedelta(microseconds=words.moves["us"])


def _instant(day: date, time_us: int, zone: tzinfo) -> datetime:
    local = datetime(day.year, day.month, day.day) + timedelta(microseconds=time_us)  # noqa: DTZ001
    return local.replace(tzinfo=zone).astimezone(UTC)


def _time_us(words: DateWords, here: datetime) -> int:
    """The time of day in microseconds: as said, else midnight for a date, else the present one."""
    if words.time_us is not None:
        return words.time_us
    if words.has_date:
        return 0
    return ((here.hour * 60 + here.minute) * 60 + here.second) * 1_000_000 + here.microsecond


_Day = tuple[int, int, int]


def _start(words: DateWords, today: date) -> _Day:
    """The day the words start from, as year, month and day that need not be in the calendar yet."""
    return (
        words.year if words.year is not None else today.year,
        words.month if words.month is not None else today.month,
        words.day if words.day is not None else today.day,
    )


def _on_calendar(year: int, month: int, day: int) -> date:
    """The day those numbers mean if they run over: month 13 is January, day 0 the day before the first."""
    years, months = divmod(month - 1, 12)
    if not 1 <= year + years <= 9999:
        raise OverflowError
    return date(year + years, months + 1, 1) + timedelta(days=day - 1)


def _moved(words: DateWords, start: _Day) -> date:
    """PHP's order: the edges of the month, the day of the week, the moves, the edges again, and working days last."""
    year, month, day = start
    months = words.moves["months"]
    if words.in_month:
        month, day, months = month + months + (words.in_month == "last"), 1, 0
    base = _at_edge(words, year, month, day)
    base = _to_weekday(words, base)
    moved = _at_edge(words, base.year, base.month + months, base.day + words.moves["days"])
    return _over_weekdays(moved, words.moves["weekdays"]) if words.has_weekdays else moved


def _at_edge(words: DateWords, year: int, month: int, day: int) -> date:
    if not words.edge:
        return _on_calendar(year, month, day)
    return _on_calendar(year, month, 1) if words.edge == "first" else _on_calendar(year, month + 1, 0)


def _to_weekday(words: DateWords, day: date) -> date:
    if words.weekday is None:
        return day
    if words.counts == "week":
        return day - timedelta(days=day.weekday()) + timedelta(days=(words.weekday - 1) % 7)
    ahead = (words.weekday - day.isoweekday()) % 7
    if ahead == 0 and words.moves["days"] >= 0 and not words.counts:
        ahead = 7
    return day + timedelta(days=ahead)


def _over_weekdays(day: date, count: int) -> date:
    """So many working days (Monday to Friday) on or back; none at all moves off a weekend, to Monday."""
    step = timedelta(days=-1 if count < 0 else 1)
    weeks, left = divmod(max(abs(count), 1) - 1, 5)
    day += weeks * 7 * step
    if count == 0:
        return day if day.weekday() < 5 else _over_weekdays(day, 1)
    for _ in range(left + 1):
        day += step
        while day.weekday() >= 5:
            day += step
    return day
