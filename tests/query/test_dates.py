"""Dates in words, against results known from PHP, and calendar arithmetic against Python's own."""

from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offtake.errors import InvalidRange
from offtake.query.dates import resolve_date, resolve_range

NOW = datetime(2026, 5, 13, 15, 30, 45, tzinfo=UTC)  # a Wednesday

KNOWN = {
    "now": "2026-05-13 15:30:45",
    "today": "2026-05-13 00:00:00",
    "midnight": "2026-05-13 00:00:00",
    "noon": "2026-05-13 12:00:00",
    "yesterday": "2026-05-12 00:00:00",
    "tomorrow": "2026-05-14 00:00:00",
    "yesterday noon": "2026-05-12 12:00:00",
    "yesterday 14:00": "2026-05-12 14:00:00",
    "tomorrow 11:00": "2026-05-14 11:00:00",
    "11:00 tomorrow": "2026-05-14 00:00:00",  # as the PHP manual warns: the later word resets the time
    "Yesterday 2:30 pm": "2026-05-12 14:30:00",
    "12am": "2026-05-13 00:00:00",
    "12pm": "2026-05-13 12:00:00",
    "back of 7pm": "2026-05-13 19:15:00",
    "back of 15": "2026-05-13 15:15:00",
    "front of 5am": "2026-05-13 04:45:00",
    "front of 23": "2026-05-13 22:45:00",
    "front of 0": "2026-05-12 23:45:00",
    "3 days ago midnight": "2026-05-10 00:00:00",
    "3 days ago": "2026-05-10 15:30:45",
    "+5 weeks": "2026-06-17 15:30:45",
    "-7 weekdays": "2026-05-04 15:30:45",
    "3 weekdays ago": "2026-05-08 15:30:45",
    "+1 week 2 days 4 hours 2 seconds": "2026-05-22 19:30:47",
    "1 fortnight ago": "2026-04-29 15:30:45",
    "+1500 ms": "2026-05-13 15:30:46.500000",
    "+3 µs": "2026-05-13 15:30:45.000003",
    "-90 min": "2026-05-13 14:00:45",
    "2 years ago": "2024-05-13 15:30:45",
    "last month": "2026-04-13 15:30:45",
    "next year": "2027-05-13 15:30:45",
    "this month": "2026-05-13 15:30:45",
    "eighth day": "2026-05-21 15:30:45",
    "previous day": "2026-05-12 15:30:45",
    "first day of last month": "2026-04-01 15:30:45",
    "first day of last month midnight": "2026-04-01 00:00:00",
    "first day of this month midnight": "2026-05-01 00:00:00",
    "midnight first day of next month": "2026-06-01 00:00:00",
    "last day of next month noon": "2026-06-30 12:00:00",
    "last day of feb": "2026-02-28 00:00:00",
    "first day of january 2008": "2008-01-01 00:00:00",
    "last day of february 2008": "2008-02-29 00:00:00",
    "monday": "2026-05-18 00:00:00",
    "wednesday": "2026-05-13 00:00:00",
    "next wednesday": "2026-05-20 00:00:00",
    "last wednesday": "2026-05-06 00:00:00",
    "this friday": "2026-05-15 00:00:00",
    "last monday": "2026-05-11 00:00:00",
    "sat": "2026-05-16 00:00:00",
    "next week": "2026-05-18 15:30:45",
    "monday next week": "2026-05-18 00:00:00",
    "sunday this week": "2026-05-17 00:00:00",
    "tuesday last week 13:00": "2026-05-05 13:00:00",
    "first sat of July 2008": "2008-07-05 00:00:00",
    "last sat of July 2008": "2008-07-26 00:00:00",
    "second monday of january 2027": "2027-01-11 00:00:00",
    "last friday of next month": "2026-06-26 00:00:00",
    # PHP's own test bug43452.phpt
    "Thursday Nov 2007": "2007-11-01 00:00:00",
    "1 Thursday Nov 2007": "2007-11-01 00:00:00",
    "2 Thursday Nov 2007": "2007-11-08 00:00:00",
    "3 Thursday Nov 2007": "2007-11-15 00:00:00",
    "+1 week Thursday Nov 2007": "2007-11-08 00:00:00",
    "+3 week Thursday Nov 2007": "2007-11-22 00:00:00",
    "first Thursday Nov 2007": "2007-11-08 00:00:00",
    "third Thursday Nov 2007": "2007-11-22 00:00:00",
    "2026-01-31 +1 month": "2026-03-03 00:00:00",
    "2026-03-31 -1 month": "2026-03-03 00:00:00",
    "2026-05-16 +1 weekday": "2026-05-18 00:00:00",
    "2026-05-16 0 weekdays": "2026-05-18 00:00:00",
    "2026-05-16 -5 weekdays": "2026-05-11 00:00:00",
    "30 June 2008": "2008-06-30 00:00:00",
    "30-Jun-2008": "2008-06-30 00:00:00",
    "June 30, 2008": "2008-06-30 00:00:00",
    "June 2008": "2008-06-01 00:00:00",
    "1 december": "2026-12-01 00:00:00",
    "7/4/2008": "2008-07-04 00:00:00",
    "30.6.2008": "2008-06-30 00:00:00",
    "2008/06/30": "2008-06-30 00:00:00",
    "2008-06": "2008-06-01 00:00:00",
    "2008-197": "2008-07-15 00:00:00",
    "2008-W28-3": "2008-07-09 00:00:00",
    "20080630T141516Z": "2008-06-30 14:15:16",
    "2018-01-21T15:15:15Z": "2018-01-21 15:15:15",
    "2018-01-21T15:15:15.25+02:00": "2018-01-21 13:15:15.250000",
    "2018-01-21 15:15": "2018-01-21 15:15:00",
    "2018-01-21 24:00": "2018-01-22 00:00:00",
    "2026-05-01 14:00 Europe/Paris": "2026-05-01 12:00:00",
    "today +02:00": "2026-05-12 22:00:00",
    "@86400": "1970-01-02 00:00:00",
}


@pytest.mark.parametrize(("text", "expected"), KNOWN.items())
def test_words_mean_what_php_says(text: str, expected: str) -> None:
    assert resolve_date(text, NOW, "UTC") == datetime.fromisoformat(expected).replace(tzinfo=UTC)


@pytest.mark.parametrize("text", KNOWN)
def test_case_and_blanks_do_not_matter(text: str) -> None:
    if "µ" not in text and "Europe" not in text:
        assert resolve_date(f"  {text.upper()} ", NOW, "UTC") == resolve_date(text, NOW, "UTC")


GARBAGE = ("", " ", "soon", "2008", "32 june 2008", "2026-13-01", "2026-02-30", "noon noon 3", "10:00 11:00", "13pm")
GARBAGE += (
    "fortnight ago",
    "2026-05-01 2026-05-02",
    "now-ish",
    "1 lightyear",
    "x" * 10_000,
    "14:00 Mars/Base",
    "'; --",
)


@pytest.mark.parametrize("text", GARBAGE)
def test_what_is_no_date_is_told_what_one_looks_like(text: str) -> None:
    with pytest.raises(InvalidRange) as caught:
        resolve_date(text, NOW, "UTC")
    assert "first day of last month" in caught.value.hint


@pytest.mark.parametrize("text", ["+9999999999999 years", "-3000 years", "@9999999999999", "+9999999999999 days"])
def test_years_that_do_not_exist_are_refused(text: str) -> None:
    with pytest.raises(InvalidRange, match="outside the years"):
        resolve_date(text, NOW, "UTC")


@given(st.text(alphabet=" abcdefghijklmnopqrstuvwxyz0123456789:+-./@TZ", max_size=30))
def test_any_text_is_a_date_or_refused(text: str) -> None:
    with suppress(InvalidRange):
        assert resolve_date(text, NOW, "America/Santiago").tzinfo is UTC


def test_a_bare_date_as_end_covers_that_day() -> None:
    assert resolve_date("2026-05-31", NOW, "UTC", end=True) == datetime(2026, 6, 1, tzinfo=UTC)
    assert resolve_date("31 May 2026", NOW, "UTC", end=True) == datetime(2026, 6, 1, tzinfo=UTC)
    assert resolve_date("2026-05-31T00:00", NOW, "UTC", end=True) == datetime(2026, 5, 31, tzinfo=UTC)
    assert resolve_date("today", NOW, "UTC", end=True) == datetime(2026, 5, 13, tzinfo=UTC)


def test_days_are_those_of_the_zone() -> None:
    late = datetime(2026, 5, 14, 2, tzinfo=UTC)  # still the 13th in Santiago
    assert resolve_date("today", late, "America/Santiago") == datetime(2026, 5, 13, 4, tzinfo=UTC)
    assert resolve_date("2026-05-13", late, "America/Santiago", end=True) == datetime(2026, 5, 14, 4, tzinfo=UTC)


def test_a_day_is_a_calendar_day_and_an_hour_is_elapsed_time() -> None:
    before = datetime(2026, 3, 28, 11, tzinfo=UTC)  # noon in Berlin, the day before clocks go forward
    assert resolve_date("+1 day", before, "Europe/Berlin") == before + timedelta(hours=23)
    assert resolve_date("+24 hours", before, "Europe/Berlin") == before + timedelta(hours=24)


def test_a_skipped_time_takes_the_offset_before_and_a_repeated_one_its_first_pass() -> None:
    assert resolve_date("2026-03-29 02:30", NOW, "Europe/Berlin") == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert resolve_date("2026-10-25 02:30", NOW, "Europe/Berlin") == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


instants = st.integers(315_532_800, 3_471_292_800).map(lambda second: datetime.fromtimestamp(second, UTC))
zones = st.sampled_from(["UTC", "Europe/Berlin", "America/Santiago", "Asia/Kathmandu", "Pacific/Apia"])


@given(now=instants, days=st.integers(-2000, 2000), zone=zones)
def test_days_move_the_calendar(now: datetime, days: int, zone: str) -> None:
    got = resolve_date(f"{days:+d} days midnight", now, zone)
    here = now.astimezone(ZoneInfo(zone))
    midnight = datetime.combine(here.date() + timedelta(days=days), datetime.min.time(), ZoneInfo(zone))
    assert got == midnight.astimezone(UTC)  # across zones Python calls no skipped time equal to anything


@given(now=instants, hours=st.integers(-9999, 9999), zone=zones)
def test_hours_move_the_clock(now: datetime, hours: int, zone: str) -> None:
    assert resolve_date(f"{hours:+d} hours", now, zone) == now + timedelta(hours=hours)


def test_now_is_now_in_an_hour_that_clocks_repeat() -> None:
    for now in (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)):
        assert resolve_date("now", now, "Europe/Berlin") == now


@given(now=instants, months=st.integers(-300, 300))
def test_the_first_of_any_month_is_found(now: datetime, months: int) -> None:
    got = resolve_date(f"first day of {months:+d} months midnight", now, "UTC")
    year, month = divmod(now.year * 12 + now.month - 1 + months, 12)
    assert got == datetime(year, month + 1, 1, tzinfo=UTC)
    assert resolve_date(f"last day of {months:+d} months noon", now, "UTC").date() == _last_day(got.date())


def _last_day(first: date) -> date:
    return (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)


@given(now=instants, count=st.integers(-60, 60).filter(bool))
def test_working_days_are_counted_one_by_one(now: datetime, count: int) -> None:
    day, left = now.date(), abs(count)
    while left:
        day += timedelta(days=1 if count > 0 else -1)
        left -= day.weekday() < 5
    assert resolve_date(f"{count} weekdays", now, "UTC").date() == day


@given(now=instants, number=st.integers(0, 6))
def test_a_weekday_is_the_next_one_today_included(now: datetime, number: int) -> None:
    name = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")[number]
    got = resolve_date(name, now, "UTC")
    assert got.weekday() == number
    assert 0 <= (got.date() - now.date()).days < 7
    assert 0 < (resolve_date(f"next {name}", now, "UTC").date() - now.date()).days <= 7
    assert -7 <= (resolve_date(f"last {name}", now, "UTC").date() - now.date()).days < 0


def test_a_range_that_ends_before_it_starts_is_told_as_it_was_sent() -> None:
    with pytest.raises(InvalidRange) as caught:
        resolve_range("2026-05-31", "2026-05-01", NOW, "UTC", "/date_range")
    assert caught.value.detail == "The range ends (2026-05-01) before it starts (2026-05-31)."
