"""The words of a date: `first day of last month midnight` -> a `DateWords`, read left to right as PHP reads them.

The grammar is that of PHP's `strtotime` (manual, "Supported Date and Time Formats"), without the forms that guess: a
bare number is refused (PHP takes 2008 for 20:08), and so are abbreviated zones other than UTC, GMT and Z.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta, timezone, tzinfo
from typing import Literal
from zoneinfo import ZoneInfo, available_timezones

_DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_FIRST_TO_SIXTH = ("first", "second", "third", "fourth", "fifth", "sixth")
_ORDINALS = (*_FIRST_TO_SIXTH, "seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth")
_AMOUNTS = {word: number for number, word in enumerate(_ORDINALS, 1)} | {
    "next": 1,
    "last": -1,
    "previous": -1,
    "this": 0,
}

# Each unit as (what it moves, by how much).
_UNITS: dict[str, tuple[str, int]] = {
    **dict.fromkeys(("µs", "μs", "usec", "µsec", "microsecond"), ("us", 1)),
    **dict.fromkeys(("ms", "msec", "millisecond"), ("us", 1_000)),
    **dict.fromkeys(("sec", "second"), ("us", 1_000_000)),
    **dict.fromkeys(("min", "minute"), ("us", 60_000_000)),
    "hour": ("us", 3_600_000_000),
    "day": ("days", 1),
    "week": ("days", 7),
    **dict.fromkeys(("fortnight", "forthnight"), ("days", 14)),
    "month": ("months", 1),
    "year": ("months", 12),
    "weekday": ("weekdays", 1),
}


@dataclass
class DateWords:
    """What the words said so far. `year`, `month`, `day` None = today's; `time_us` None = the present time of day.

    `days`, `months`, `weekdays` and `us` are moves; `weekday` is 0 for Sunday, `counts` whether today may be that day
    ("week" = the day of this week, which starts on Monday); `edge` is the first or last day of the month.
    """

    year: int | None = None
    month: int | None = None
    day: int | None = None
    has_date: bool = False
    has_time: bool = False
    time_us: int | None = None
    zone: tzinfo | None = None
    moves: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("days", "months", "weekdays", "us"), 0))
    has_weekdays: bool = False
    weekday: int | None = None
    counts: bool | Literal["week"] = False
    in_month: Literal["", "first", "last"] = ""
    edge: Literal["", "first", "last"] = ""
    is_relative: bool = False

    def set_time(self, us: int) -> None:
        """A time of day; ValueError for a second one."""
        if self.has_time:
            raise ValueError("two times of day")
        self.has_time, self.time_us = True, us

    def set_date(self, year: int | None, month: int, day: int | None) -> None:
        """A calendar date; ValueError for a second one, or for one no calendar has."""
        if self.has_date:
            raise ValueError("two dates")
        if not 1 <= month <= 12 or (day is not None and not 1 <= day <= 31):
            raise ValueError("no such day")
        if year is not None and day is not None:
            date(year, month, day)
        self.has_date, self.year, self.month, self.day = True, year, month, day

    def forget_time(self) -> None:
        """Midnight, unless a time follows."""
        self.has_time, self.time_us, self.is_relative = False, 0, True

    def set_weekday(self, weekday: int, *, counts: bool) -> None:
        """That day of the week; a `this week` before it stays in force."""
        self.weekday, self.is_relative = weekday, True
        if self.counts != "week":
            self.counts = counts


def read_words(text: str) -> DateWords:
    """What the words say; ValueError holds the part that says nothing."""
    words = DateWords()
    rest = text.strip()
    while rest:
        found = [(match.end(), act, match) for pattern, act in _GRAMMAR if (match := pattern.match(rest))]
        if not found:
            raise ValueError(rest)
        end, act, match = max(found, key=lambda each: each[0])  # the longest; the first of equals
        try:
            act(words, match)
        except ValueError as error:
            raise ValueError(rest) from error
        rest = rest[end:].lstrip(" \t,")
    return words


def _yesterday(words: DateWords, _match: re.Match[str]) -> None:
    words.forget_time()
    words.moves["days"] = -1


def _tomorrow(words: DateWords, _match: re.Match[str]) -> None:
    words.forget_time()
    words.moves["days"] = 1


def _midnight(words: DateWords, _match: re.Match[str]) -> None:
    words.forget_time()


def _now(words: DateWords, _match: re.Match[str]) -> None:
    words.is_relative = True


def _noon(words: DateWords, _match: re.Match[str]) -> None:
    words.forget_time()
    words.set_time(_clock(12))


def _clock(hours: int, minutes: int = 0, seconds: int = 0, us: int = 0) -> int:
    return ((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + us


def _hour(match: re.Match[str]) -> int:
    hour = int(match["hour"])
    half = (match["half"] or "").lower()
    if half and not 1 <= hour <= 12:
        raise ValueError("no such hour")
    return hour if not half else hour % 12 + (12 if half == "p" else 0)


def _around(words: DateWords, match: re.Match[str]) -> None:
    words.forget_time()
    words.set_time(_clock(_hour(match), 15 if match["side"].lower() == "back" else -15))


def _time(words: DateWords, match: re.Match[str]) -> None:
    parts = match.groupdict()
    fraction = (parts.get("fraction") or "")[:6].ljust(6, "0")
    words.set_time(_clock(_hour(match), int(parts["minute"] or 0), int(parts.get("second") or 0), int(fraction)))


def _zone(words: DateWords, match: re.Match[str]) -> None:
    name = match[0]
    if words.zone is not None:
        raise ValueError("two zones")
    if name.upper() in ("Z", "UTC", "GMT"):
        words.zone = timezone.utc  # noqa: UP017  (a tzinfo like the offsets below)
    elif name[0] in "+-" and ":" not in name and not words.has_time:
        raise ValueError("an offset of nothing, or the year of 30-Jun-08")
    elif name[0] in "+-":
        digits = name[1:].replace(":", "").ljust(4, "0")
        offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
        words.zone = timezone(offset if name[0] == "+" else -offset)
    elif name in available_timezones():
        words.zone = ZoneInfo(name)
    else:
        raise ValueError("no such zone")


def _edge(words: DateWords, match: re.Match[str]) -> None:
    words.edge = "first" if match["edge"].lower() == "first" else "last"
    words.is_relative = True


def _weekday_number(name: str) -> int:
    return next(number for number, day in enumerate(_DAYS) if day[:3] == name[:3].lower())


def _weekday(words: DateWords, match: re.Match[str]) -> None:
    words.forget_time()
    words.set_weekday(_weekday_number(match["day"]), counts=True)


def _weekday_of(words: DateWords, match: re.Match[str]) -> None:
    amount = _AMOUNTS[match["amount"].lower()]
    words.in_month = "first" if amount > 0 else "last"
    words.forget_time()
    _move_to_weekday(words, amount, match["day"], counts=amount >= 0)


def _move_to_weekday(words: DateWords, amount: int, day: str, *, counts: bool) -> None:
    words.moves["days"] += 7 * (amount - 1 if amount > 0 else amount)
    words.counts = counts
    words.set_weekday(_weekday_number(day), counts=counts)


def _ordinal(words: DateWords, match: re.Match[str]) -> None:
    """`next month`, `last friday`: a named amount of a unit."""
    word = match["amount"].lower()
    _move(words, _AMOUNTS[word], match["unit"], counts=word == "this", keeps_time=False)


def _number(words: DateWords, match: re.Match[str]) -> None:
    """`+2 weeks`, `- 3 days`: a counted amount of a unit; every minus turns the sign."""
    sign = -1 if match["signs"].count("-") % 2 else 1
    _move(words, sign * int(match["number"]), match["unit"], counts=True, keeps_time=True)


def _move(words: DateWords, amount: int, unit: str, *, counts: bool, keeps_time: bool) -> None:
    words.is_relative = True
    name = unit.lower() if unit.lower() in _UNITS else unit.lower().removesuffix("s")
    if name not in _UNITS:
        if not keeps_time:
            words.forget_time()
        _move_to_weekday(words, amount, name, counts=counts)
        return
    kind, size = _UNITS[name]
    if kind == "weekdays":
        words.has_weekdays = True
        if not keeps_time:
            words.forget_time()
    words.moves[kind] += amount * size


def _week(words: DateWords, match: re.Match[str]) -> None:
    """`next week` alone is its Monday; a weekday beside it is that day of it."""
    words.moves["days"] += 7 * _AMOUNTS[match["amount"].lower()]
    words.counts, words.is_relative = "week", True
    words.weekday = 1 if words.weekday is None else words.weekday


def _ago(words: DateWords, _match: re.Match[str]) -> None:
    words.moves = {kind: -amount for kind, amount in words.moves.items()}


def _numeric_date(words: DateWords, match: re.Match[str]) -> None:
    words.set_date(int(match["year"]), int(match["month"]), int(match.groupdict().get("day") or 1))


def _ordinal_date(words: DateWords, match: re.Match[str]) -> None:
    day = date(int(match["year"]), 1, 1) + timedelta(days=int(match["day"]) - 1)
    words.set_date(day.year, day.month, day.day)


def _iso_week(words: DateWords, match: re.Match[str]) -> None:
    day = date.fromisocalendar(int(match["year"]), int(match["week"]), int(match["day"] or 1))
    words.set_date(day.year, day.month, day.day)


def _named_date(words: DateWords, match: re.Match[str]) -> None:
    parts = match.groupdict()
    year, day = parts.get("year"), parts.get("day")
    month = _MONTHS.index(match["month"][:3].lower()) + 1
    words.set_date(int(year) if year else None, month, int(day) if day else (1 if year else None))


def _timestamp(words: DateWords, match: re.Match[str]) -> None:
    words.set_date(1970, 1, 1)
    words.set_time(0)
    words.zone = timezone.utc  # noqa: UP017  (a tzinfo like the offsets above)
    words.moves["us"] += int(match["seconds"]) * 1_000_000
    words.is_relative = True


_DAY = r"(?P<day>0?[1-9]|[12][0-9]|3[01])(?:st|nd|rd|th)?(?![0-9])"
_YEAR = r"(?P<year>[0-9]{4})(?![0-9])"
_MONTH = r"(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)(?![a-z])"  # noqa: E501
_WEEKDAY = r"(?P<day>(?:sun|mon|tues|wednes|thurs|fri|satur)days?|sun|mon|tue|wed|thu|fri|sat)(?![a-z])"
_ANY_DAY = r"(?:sun|mon|tues|wednes|thurs|fri|satur)days?|sun|mon|tue|wed|thu|fri|sat"
_NAMED = "|".join(sorted((name for name in _UNITS if name not in ("ms", "µs", "μs")), key=len, reverse=True))
_UNIT = rf"(?P<unit>(?:{_NAMED})s?|ms|µs|μs|{_ANY_DAY})(?![a-z])"
_AMOUNT = rf"(?P<amount>{'|'.join(_AMOUNTS)})"
_HALF = r"\s*(?P<half>[ap])\.?m\.?(?![a-z])"

_Act = Callable[[DateWords, re.Match[str]], None]
_RULES: tuple[tuple[str, _Act], ...] = (
    (r"yesterday\b", _yesterday),
    (r"tomorrow\b", _tomorrow),
    (r"(today|midnight)\b", _midnight),
    (r"now\b", _now),
    (r"noon\b", _noon),
    (r"ago\b", _ago),
    (rf"(?P<side>back|front)\s+of\s+(?P<hour>[01]?[0-9]|2[0-4])(?![0-9:])(?:{_HALF})?", _around),
    (r"(?P<edge>first|last)\s+day\s+of\b", _edge),
    (rf"{_AMOUNT}\s+{_WEEKDAY}\s+of\b", _weekday_of),
    (r"(?P<amount>next|last|previous|this)\s+week\b", _week),
    (rf"{_AMOUNT}\s+{_UNIT}", _ordinal),
    (rf"(?P<signs>[+-]*)\s*(?P<number>[0-9]{{1,13}})\s*{_UNIT}", _number),
    (_WEEKDAY, _weekday),
    (r"@(?P<seconds>-?[0-9]{1,13})(?![0-9.])", _timestamp),
    (r"(?P<year>[0-9]{4})-(?P<month>[0-9]{1,2})-(?P<day>[0-9]{1,2})(?![0-9])", _numeric_date),
    (r"(?P<year>[0-9]{4})/(?P<month>[0-9]{1,2})/(?P<day>[0-9]{1,2})(?![0-9])", _numeric_date),
    (r"(?P<year>[0-9]{4})(?P<month>[0-9]{2})(?P<day>[0-9]{2})(?![0-9])", _numeric_date),
    (r"(?P<year>[0-9]{4})-(?P<month>[0-9]{1,2})(?![0-9-])", _numeric_date),
    (r"(?P<month>[0-9]{1,2})/(?P<day>[0-9]{1,2})/(?P<year>[0-9]{4})(?![0-9])", _numeric_date),
    (r"(?P<day>[0-9]{1,2})[.-](?P<month>[0-9]{1,2})[.-](?P<year>[0-9]{4})(?![0-9])", _numeric_date),
    (r"(?P<year>[0-9]{4})[.-]?(?P<day>[0-3][0-9]{2})(?![0-9])", _ordinal_date),
    (r"(?P<year>[0-9]{4})-?W(?P<week>[0-5][0-9])(?:-?(?P<day>[1-7]))?(?![0-9])", _iso_week),
    (rf"{_DAY}[ \t.-]*{_MONTH}[ \t.,-]*{_YEAR}(?!:)", _named_date),
    (rf"{_MONTH}[ \t.-]*{_DAY}[ \t.,-]+{_YEAR}(?!:)", _named_date),
    (rf"{_MONTH}[ \t.-]*{_YEAR}(?!:)", _named_date),
    (rf"{_YEAR}[ \t.-]*{_MONTH}", _named_date),
    (rf"{_MONTH}[ \t.-]*{_DAY}(?![:0-9])", _named_date),
    (rf"{_DAY}[ \t.-]*{_MONTH}", _named_date),
    (_MONTH, _named_date),
    (rf"(?P<hour>0?[1-9]|1[0-2])(?:[:.](?P<minute>[0-5][0-9]))?(?:[:.](?P<second>[0-5][0-9]))?{_HALF}", _time),
    (
        r"t?(?P<hour>[01]?[0-9]|2[0-4])[:.](?P<minute>[0-5]?[0-9])(?:[:.](?P<second>[0-5]?[0-9]))?"
        r"(?:[.,](?P<fraction>[0-9]+))?(?P<half>)(?![0-9])",
        _time,
    ),
    (r"(?:z|utc|gmt)(?![a-z/])", _zone),
    (r"[+-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?(?![0-9:])", _zone),
    (r"[a-z]+(?:[_/+-][a-z0-9]+)+(?![a-z0-9])", _zone),
)
_GRAMMAR = tuple((re.compile(pattern, re.IGNORECASE), act) for pattern, act in _RULES)
