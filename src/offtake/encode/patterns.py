"""CLDR date and time patterns (UTS 35, part 4) chosen for a column and compiled to the steps of a row template."""

import difflib
import re
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from typing import NoReturn
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import PATTERN_CHARS, DateTimeFormat, get_era_names, parse_pattern, tokenize_pattern

from offtake.encode.language import Language
from offtake.encode.template import Part, Pattern, Step
from offtake.encode.zones import FIRST_S, MICROSECONDS, ZoneTable
from offtake.errors import InvalidFormat
from offtake.model.dataset import FieldType

STYLES = ("short", "medium", "long", "full")
# Chile's short date in CLDR is 31-05-26; people there, and the API whose exports we match, write 31/05/2026.
SHORT_DATES = {"es_CL": "dd/MM/y"}
NUMBERS = {
    "y": Part.YEAR_OF_ERA,
    "u": Part.YEAR,
    "Q": Part.QUARTER,
    "q": Part.QUARTER,
    "M": Part.MONTH,
    "L": Part.MONTH,
    "d": Part.DAY,
    "D": Part.DAY_OF_YEAR,
    "H": Part.HOUR_0_23,
    "h": Part.HOUR_1_12,
    "K": Part.HOUR_0_11,
    "k": Part.HOUR_1_24,
    "m": Part.MINUTE,
    "s": Part.SECOND,
    "S": Part.FRACTION_FIXED,
}
ERA_WIDTHS = {4: "wide", 5: "narrow"}
ZONE_LETTERS = frozenset("zZvVxXO")
CLOCK_LETTERS = frozenset("HhKkmsSAabB") | ZONE_LETTERS
LONGEST_PATTERN = 200
LONGEST_NUMBER = 9
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# 2024-01-01 was a Monday. Day periods: the 24 hours, then midnight and noon, which have names of their own.
MONTHS = [datetime(2024, month, 1, tzinfo=UTC) for month in range(1, 13)]
WEEKDAYS = [datetime(2024, 1, day, tzinfo=UTC) for day in range(1, 8)]
HOURS = [datetime.combine(EPOCH, time(hour, 30), UTC) for hour in range(24)]
EXACT_HOURS = [datetime.combine(EPOCH, time(hour), UTC) for hour in (0, 12)]
NAMED = {
    "Q": (Part.QUARTER, MONTHS[::3]),
    "q": (Part.QUARTER, MONTHS[::3]),
    "M": (Part.MONTH, MONTHS),
    "L": (Part.MONTH, MONTHS),
    "E": (Part.WEEKDAY, WEEKDAYS),
    "e": (Part.WEEKDAY, WEEKDAYS),
    "c": (Part.WEEKDAY, WEEKDAYS),
    "a": (Part.DAY_PERIOD, HOURS[::12]),
    "B": (Part.DAY_PERIOD, HOURS + EXACT_HOURS),
}


def pattern_for(type: FieldType, locale: Locale, date_style: str) -> str:
    """The CLDR pattern for date, datetime or time in a style: short, medium, long, full or a pattern of one's own.

    Short dates are numeric with the whole year; the clock always has its seconds. A pattern of one's own that shows
    the clock is for instants alone (dates are short then); to any other the locale's clock is added for instants.
    Raises InvalidFormat for a pattern that is none: unknown letters, an open quote, a misspelt style.
    """
    style = date_style if date_style in STYLES else "short"
    # Short times stop at the minute: such a file could no longer be compared with its source.
    clock: str = locale.time_formats["medium" if style == "short" or type is FieldType.TIME else style].pattern
    day: str = _short_date(locale) if style == "short" else locale.date_formats[style].pattern
    if date_style not in STYLES:
        _check(date_style)
        shows_clock = any(letter in CLOCK_LETTERS for letter in _letters(date_style))
        if shows_clock and type is FieldType.DATETIME:
            return date_style
        day = day if shows_clock else date_style
    if type is FieldType.DATETIME:
        both: str = locale.datetime_formats[style]
        return both.replace("{0}", clock).replace("{1}", day)
    return clock if type is FieldType.TIME else day


def compile_pattern(pattern: str, language: Language, zone: ZoneTable) -> Pattern:
    """The steps of a CLDR pattern in this language; names and padding are Babel's. A fraction is cut, never rounded.

    `pattern` comes from `pattern_for`. Raises InvalidFormat for what cannot be followed, such as weeks.
    """
    steps = []
    for _, token in tokenize_pattern(pattern):
        if isinstance(token, str):
            steps.append(Step(Part.LITERAL, text=token))
        else:
            steps.append(_step(*token, language, zone) or _refuse(pattern))
    return tuple(steps)


def _short_date(locale: Locale) -> str:
    return SHORT_DATES.get(str(locale)) or re.sub("y+", "y", locale.date_formats["short"].pattern)


def _letters(pattern: str) -> Iterator[str]:
    """The letters of the pattern that stand for something."""
    return (token[0] for _, token in tokenize_pattern(pattern) if not isinstance(token, str))


def _check(pattern: str) -> None:
    bare = re.sub("'[^']*'", "", pattern)
    unknown = [letter for letter in bare if letter.isascii() and letter.isalpha() and letter not in PATTERN_CHARS]
    mistyped = difflib.get_close_matches(pattern.lower(), STYLES, cutoff=0.75)
    if unknown or mistyped or "'" in bare or not 0 < len(pattern) <= LONGEST_PATTERN:
        _refuse(pattern)
    try:
        parse_pattern(pattern)  # knows how often each letter may be repeated
    except ValueError:
        _refuse(pattern)


def _refuse(pattern: str) -> NoReturn:
    near = difflib.get_close_matches(pattern.lower(), STYLES, n=1)
    raise InvalidFormat(
        f"No date can be shown as {pattern[:LONGEST_PATTERN]!r}.",
        hint=f"Did you mean {near[0]}?" if near else f"Use {', '.join(STYLES)} or a CLDR pattern such as dd.MM.yyyy.",
        pointer="/options/date_style",
    )


def _step(letter: str, count: int, language: Language, zone: ZoneTable) -> Step | None:
    """One field of a pattern, or None if it cannot be followed."""
    if letter == "G":
        eras = get_era_names(ERA_WIDTHS.get(count, "abbreviated"), language.locale)  # type: ignore[arg-type]
        return Step(Part.ERA, names=(eras[0], eras[1]))
    if letter == "y" and count == 2:
        return Step(Part.YEAR_2, width=2)
    if letter in NUMBERS and (letter not in NAMED or count <= 2):
        longest = 6 if letter == "S" else LONGEST_NUMBER
        return Step(NUMBERS[letter], width=count) if count <= longest else None
    if letter in ZONE_LETTERS and (letter, count) != ("O", 1):  # Babel has no short offsets
        return _named(Part.ZONE, letter * count, _intervals(zone), language)
    if letter in NAMED:
        part, samples = NAMED[letter]
        try:
            return _named(part, letter * count, samples, language)
        except ValueError:  # Babel has no name for one of the day's periods
            return None
    return None


def _named(part: Part, field: str, samples: list[datetime], language: Language) -> Step:
    """What Babel writes for each sample, in the language's digits; intervals of a zone that are told alike once."""
    own_digits = str.maketrans("0123456789", language.digits)
    told: dict[tuple[object, ...], str] = {}
    names = []
    for sample in samples:
        key = (sample.utcoffset(), sample.dst(), sample.tzname()) if part is Part.ZONE else (sample,)
        if key not in told:
            told[key] = DateTimeFormat(sample, language.locale)[field].translate(own_digits)
        names.append(told[key])
    return Step(part, names=tuple(names))


def _intervals(zone: ZoneTable) -> list[datetime]:
    """One instant in each interval of the zone, in its local time."""
    zone_info = ZoneInfo(zone.name)
    starts_s = (max(start // MICROSECONDS, FIRST_S) for start in zone.starts_us)
    return [(EPOCH + timedelta(seconds=start)).astimezone(zone_info) for start in starts_s]
