"""Recurrence rules (RFC 5545 §3.3.10) as text, read strictly: what we would not run is refused when it is written."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any

from offtake.errors import InvalidRequest
from offtake.query.nearest import did_you_mean

LONGEST_RULE = 1000
MOST_COUNT = MOST_INTERVAL = 10_000
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_HINT = "Write it as RFC 5545 has it, such as FREQ=WEEKLY;BYDAY=MO,FR;BYHOUR=9;BYMINUTE=0."
_DAY = re.compile(r"([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)")
_UNTIL = re.compile(r"(\d{8})(?:T(\d{6})(Z?))?")


class Frequency(StrEnum):
    """The period a rule is counted in, the longest first."""

    YEARLY = "YEARLY"
    MONTHLY = "MONTHLY"
    WEEKLY = "WEEKLY"
    DAILY = "DAILY"
    HOURLY = "HOURLY"
    MINUTELY = "MINUTELY"

    @property
    def is_of_the_clock(self) -> bool:
        """Whether it counts elapsed time rather than days of a calendar."""
        return self in (Frequency.HOURLY, Frequency.MINUTELY)


@dataclass(frozen=True)
class Rule:
    """A rule as it was written: what it leaves out is for the start to say.

    `days` are (nth, weekday): the nth of the month or year, 0 = every one; Monday is 0. `until` is a day, a local time
    or an instant.
    """

    frequency: Frequency
    interval: int = 1
    count: int | None = None
    until: date | datetime | None = None
    week_start: int = 0
    months: tuple[int, ...] = ()
    weeks: tuple[int, ...] = ()
    year_days: tuple[int, ...] = ()
    month_days: tuple[int, ...] = ()
    days: tuple[tuple[int, int], ...] = ()
    hours: tuple[int, ...] = ()
    minutes: tuple[int, ...] = ()
    seconds: tuple[int, ...] = ()
    positions: tuple[int, ...] = ()


# Each list of numbers: its name in `Rule`, its range, and whether it also counts from the end.
_LISTS: Mapping[str, tuple[str, int, int, bool]] = {
    "BYMONTH": ("months", 1, 12, False),
    "BYWEEKNO": ("weeks", 1, 53, True),
    "BYYEARDAY": ("year_days", 1, 366, True),
    "BYMONTHDAY": ("month_days", 1, 31, True),
    "BYHOUR": ("hours", 0, 23, False),
    "BYMINUTE": ("minutes", 0, 59, False),
    "BYSECOND": ("seconds", 0, 59, False),
    "BYSETPOS": ("positions", 1, 1440, True),
}
_WORDS = ("FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY", *_LISTS)


def parse_rule(text: str) -> Rule:
    """The rule, with or without `RRULE:` before it. Raises InvalidRequest."""
    parts = _split(text)
    found: dict[str, Any] = {"frequency": _frequency(parts.pop("FREQ", ""))}
    for name, value in parts.items():
        if name in _LISTS:
            attribute, low, high, from_end = _LISTS[name]
            found[attribute] = tuple(sorted({_number(name, each, low, high, from_end) for each in value.split(",")}))
        elif name == "BYDAY":
            found["days"] = tuple(_day(each) for each in value.split(","))
        elif name == "UNTIL":
            found["until"] = _until(value)
        elif name == "WKST":
            found["week_start"] = _week_start(value)
        else:
            most = MOST_COUNT if name == "COUNT" else MOST_INTERVAL
            found[name.lower()] = _number(name, value, 1, most, False)
    rule = Rule(**found)
    _check_together(rule)
    return rule


def _split(text: str) -> dict[str, str]:
    if len(text) > LONGEST_RULE:
        raise _wrong(f"A rule has at most {LONGEST_RULE} characters.")
    parts: dict[str, str] = {}
    for part in text.strip().upper().removeprefix("RRULE:").rstrip(";").split(";"):
        name, sign, value = part.partition("=")
        if name not in _WORDS:
            raise _wrong(f"A rule has no part {name[:40]!r}.", did_you_mean(name, _WORDS, "Known"))
        if not sign or not value or name in parts:
            raise _wrong(f"{name} stands there once, as {name}=….")
        parts[name] = value
    return parts


def _frequency(value: str) -> Frequency:
    if value == "SECONDLY":
        raise _wrong("A schedule runs at most once a minute.", "Use FREQ=MINUTELY.")
    try:
        return Frequency(value)
    except ValueError:
        raise _wrong("FREQ says how often.", f"It is one of {', '.join(Frequency)}.") from None


def _number(name: str, text: str, low: int, high: int, from_end: bool) -> int:
    number = int(text) if re.fullmatch(r"[+-]?[0-9]{1,5}", text) else None
    if number is None or not low <= (abs(number) if from_end else number) <= high:
        also = f" or -{high} to -{low}" if from_end else ""
        raise _wrong(f"{name} takes {low} to {high}{also}, not {text[:40]!r}.")
    return number


def _day(text: str) -> tuple[int, int]:
    found = _DAY.fullmatch(text)
    nth = int(found[1] or 0) if found else 0
    if found is None or abs(nth) > 53 or (found[1] and not nth):
        raise _wrong(f"BYDAY takes MO to SU, or 1MO, -1FR and so on, not {text[:40]!r}.")
    return nth, WEEKDAYS.index(found[2])


def _week_start(text: str) -> int:
    if text not in WEEKDAYS:
        raise _wrong(f"WKST takes MO to SU, not {text[:40]!r}.")
    return WEEKDAYS.index(text)


def _until(text: str) -> date | datetime:
    found = _UNTIL.fullmatch(text)
    try:
        if found is None:
            raise ValueError
        if found[2] is None:
            return datetime.strptime(found[1], "%Y%m%d").date()  # noqa: DTZ007  (a local day)
        local = datetime.strptime(found[1] + found[2], "%Y%m%d%H%M%S")  # noqa: DTZ007  (a local time)
    except ValueError:
        raise _wrong(f"UNTIL takes 20261231, 20261231T235959 or 20261231T235959Z, not {text[:40]!r}.") from None
    return local.replace(tzinfo=UTC) if found[3] else local


def _check_together(rule: Rule) -> None:
    """What RFC 5545 §3.3.10 forbids, and what would run more than once a minute."""
    frequency = rule.frequency
    with_nth = any(nth for nth, _ in rule.days)
    by_parts = (rule.months, rule.weeks, rule.year_days, rule.month_days, rule.days, rule.hours, rule.minutes)
    wrong = {
        "COUNT and UNTIL do not go together.": rule.count is not None and rule.until is not None,
        "BYWEEKNO goes only with FREQ=YEARLY.": bool(rule.weeks) and frequency is not Frequency.YEARLY,
        f"BYYEARDAY does not go with FREQ={frequency}.": bool(rule.year_days)
        and frequency in (Frequency.DAILY, Frequency.WEEKLY, Frequency.MONTHLY),
        "BYMONTHDAY does not go with FREQ=WEEKLY.": bool(rule.month_days) and frequency is Frequency.WEEKLY,
        "A numbered BYDAY goes only with FREQ=MONTHLY or YEARLY, without BYWEEKNO.": with_nth
        and (frequency not in (Frequency.MONTHLY, Frequency.YEARLY) or bool(rule.weeks)),
        "BYSETPOS goes only with another BY part.": bool(rule.positions) and not any((*by_parts, rule.seconds)),
        "BYSETPOS picks among at most 100 times a day.": bool(rule.positions)
        and len(rule.hours) * len(rule.minutes) > 100,
        "A schedule runs at most once a minute, so BYSECOND takes one value.": len(rule.seconds) > 1,
    }
    for detail, is_wrong in wrong.items():
        if is_wrong:
            raise _wrong(detail)


def _wrong(detail: str, hint: str = _HINT) -> InvalidRequest:
    return InvalidRequest(detail, hint=hint, pointer="/rrule")
