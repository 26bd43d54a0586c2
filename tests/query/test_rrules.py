"""Recurrence rules against two implementations we did not write, at the edges of calendars and clocks, and refused."""

# ruff: noqa: DTZ001  (rules are counted from local times, which have no zone yet)
import json
import time
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from pathlib import Path

import pytest
from dateutil import tz
from dateutil.rrule import rrulestr

from offtake.errors import InvalidRequest
from offtake.model.schedule import Timetable
from offtake.query.instants import instants_after
from offtake.query.rrules import parse_rule
from query.rulebook import Sample, some_rules

EVER = datetime.min.replace(tzinfo=UTC)
# What rrule-temporal (npm, 2.2.7; it counts with the Temporal API) gives for the rules of `rulebook` that count hours
# and minutes, which dateutil gets wrong where clocks change. One is left out: it runs once in an hour that is repeated.
CLOCK_RULES = json.loads((Path(__file__).parent / "clock_rules.json").read_text("utf-8"))


def expand(rule: str, zone: str, start: datetime, number: int, after: datetime = EVER) -> list[datetime]:
    """The first instants after that one."""
    return list(islice(instants_after(Timetable(rule, zone, start), after), number))


def shown(rule: str, zone: str, start: str, number: int = 4, after: datetime = EVER) -> list[str]:
    """The same, short."""
    return [f"{each:%m-%d %H:%M}" for each in expand(rule, zone, datetime.fromisoformat(start), number, after)]


def by_dateutil(sample: Sample, number: int) -> list[datetime]:
    """Its answer: local times, each put into the zone afterwards."""
    parts = sample.rule.split(";")
    until = next((part[6:] for part in parts if part.startswith("UNTIL")), None)
    last = datetime.max.replace(tzinfo=UTC) if until is None else datetime.fromisoformat(until)
    rule = rrulestr(";".join(part for part in parts if not part.startswith("UNTIL")), dtstart=sample.start)
    zone = tz.gettz(sample.zone)
    found: list[datetime] = []
    for local in rule.xafter(sample.start, inc=True):
        instant = tz.resolve_imaginary(local.replace(tzinfo=zone)).astimezone(UTC)
        if instant > last or len(found) == number:
            break
        if instant not in found:
            found.append(instant)
    return sorted(found)


def test_the_rules_of_the_calendar_are_those_of_dateutil() -> None:
    compared = 0
    for sample in some_rules(1000):
        ours = expand(sample.rule, sample.zone, sample.start, 8)
        # dateutil takes seconds to find that a rule names nothing: it looks until the year 9999.
        if ours and "HOURLY" not in sample.rule and "MINUTELY" not in sample.rule:
            assert ours == by_dateutil(sample, len(ours)), sample
            compared += 1
    assert compared > 650


@pytest.mark.parametrize("kind", ["HOURLY", "MINUTELY"])
def test_the_rules_of_the_clock_are_those_of_rrule_temporal(kind: str) -> None:
    known = [each for each in CLOCK_RULES if kind in each["rule"]]
    assert len(known) > 50
    for each in known:
        start = datetime.fromisoformat(each["start"])
        ours = expand(each["rule"], each["zone"], start, 8)
        assert [f"{instant:%Y-%m-%dT%H:%M}" for instant in ours] == each["instants"], each


def test_it_makes_no_difference_where_the_search_begins() -> None:
    for sample in some_rules(150):
        whole = expand(sample.rule, sample.zone, sample.start, 8)
        for number, instant in enumerate(whole):
            assert expand(sample.rule, sample.zone, sample.start, 8 - number - 1, instant) == whole[number + 1 :], (
                sample
            )


@pytest.mark.parametrize(
    ("zone", "start", "expected"),
    [
        # Skipped local times take the offset before the change, repeated ones their first pass.
        ("America/Santiago", "2026-09-05T00:30", ["09-05 04:30", "09-06 04:30", "09-07 03:30"]),
        ("America/Santiago", "2026-04-03T23:30", ["04-04 02:30", "04-05 02:30", "04-06 03:30"]),
        ("America/New_York", "2026-03-07T02:30", ["03-07 07:30", "03-08 07:30", "03-09 06:30"]),
        ("America/New_York", "2026-10-31T01:30", ["10-31 05:30", "11-01 05:30", "11-02 06:30"]),
        ("Australia/Lord_Howe", "2026-10-03T02:15", ["10-02 15:45", "10-03 15:45", "10-04 15:15"]),
        ("Australia/Lord_Howe", "2026-04-04T01:45", ["04-03 14:45", "04-04 14:45", "04-05 15:15"]),
    ],
)
def test_every_day_means_every_day_on_the_wall_clock(zone: str, start: str, expected: list[str]) -> None:
    assert shown("FREQ=DAILY", zone, start, 3) == expected


def test_an_hour_is_an_hour_when_clocks_change() -> None:
    found = expand("FREQ=HOURLY;INTERVAL=2", "America/New_York", datetime(2026, 10, 31, 20), 6)
    assert {later - earlier for earlier, later in pairwise(found)} == {timedelta(hours=2)}
    assert shown("FREQ=MINUTELY;INTERVAL=30", "Australia/Lord_Howe", "2026-04-05T01:00", 4) == [
        "04-04 14:00", "04-04 14:30", "04-04 15:00", "04-04 15:30"
    ]  # fmt: skip


def test_hours_are_limited_by_what_local_clocks_show() -> None:
    rule = "FREQ=HOURLY;BYHOUR=9,10;BYDAY=MO"
    assert shown(rule, "America/Santiago", "2026-08-31T00:00", 4) == [
        "08-31 13:00", "08-31 14:00", "09-07 12:00", "09-07 13:00"
    ]  # fmt: skip


def test_months_without_that_day_are_passed_over() -> None:
    assert shown("FREQ=MONTHLY", "UTC", "2026-01-31T09:00") == [
        "01-31 09:00",
        "03-31 09:00",
        "05-31 09:00",
        "07-31 09:00",
    ]
    assert shown("FREQ=MONTHLY;BYMONTHDAY=-1", "UTC", "2024-01-31T09:00", 2) == ["01-31 09:00", "02-29 09:00"]


def test_leap_days_come_when_they_come() -> None:
    years = [each.year for each in expand("FREQ=YEARLY", "UTC", datetime(2096, 2, 29, 9), 2)]
    assert years == [2096, 2104]


def test_a_position_picks_one_of_its_month() -> None:
    rule = "RRULE:FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;BYHOUR=18;BYMINUTE=0;COUNT=3"
    assert shown(rule, "UTC", "2026-01-01T00:00", 9) == ["01-30 18:00", "02-27 18:00", "03-31 18:00"]


@pytest.mark.parametrize(
    ("until", "last"),
    [("20260103", 3), ("20260103T090000", 3), ("20260103T085959", 2), ("20260103T120000Z", 3), ("20260103T115959Z", 2)],
)
def test_until_is_a_day_a_local_time_or_an_instant_and_included(until: str, last: int) -> None:
    assert len(expand(f"FREQ=DAILY;UNTIL={until}", "America/Santiago", datetime(2026, 1, 1, 9), 9)) == last


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=MINUTELY;BYMONTH=4;BYMONTHDAY=31",
        "FREQ=MINUTELY;INTERVAL=2;BYMINUTE=1",
        "FREQ=HOURLY;INTERVAL=24;BYHOUR=5",
        "FREQ=YEARLY;BYYEARDAY=366;BYWEEKNO=2;BYDAY=MO",
    ],
)
def test_a_rule_that_never_matches_is_found_out_soon(rule: str) -> None:
    began = time.thread_time()
    assert expand(rule, "UTC", datetime(2024, 1, 1), 1) == []
    assert time.thread_time() - began < 2


def test_years_of_minutes_are_not_walked() -> None:
    after = datetime(2089, 5, 6, 7, 8, tzinfo=UTC)
    began = time.thread_time()
    assert expand("FREQ=MINUTELY", "America/Santiago", datetime(1990, 1, 1), 1, after) == [after + timedelta(minutes=1)]
    assert time.thread_time() - began < 0.5


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("", "no part"),
        ("BYDAY=MO", "FREQ says"),
        ("FREQ=SECONDLY", "once a minute"),
        ("FREQ=FORTNIGHTLY", "FREQ says"),
        ("FREQ=DAILY;BYSECOND=0,30", "once a minute"),
        ("FREQ=DAILY;BYHUOR=9", "no part 'BYHUOR'"),
        ("FREQ=DAILY;BYHOUR=24", "0 to 23"),
        ("FREQ=DAILY;BYHOUR=", "BYHOUR"),
        ("FREQ=DAILY;BYHOUR=٣", "0 to 23"),
        ("FREQ=DAILY;INTERVAL=0", "1 to 10000"),
        ("FREQ=DAILY;COUNT=2;UNTIL=20260101", "do not go together"),
        ("FREQ=DAILY;UNTIL=20260231", "UNTIL takes"),
        ("FREQ=WEEKLY;BYDAY=1MO", "numbered BYDAY"),
        ("FREQ=WEEKLY;BYMONTHDAY=1", "BYMONTHDAY"),
        ("FREQ=MONTHLY;BYWEEKNO=1", "BYWEEKNO"),
        ("FREQ=DAILY;BYYEARDAY=1", "BYYEARDAY"),
        ("FREQ=DAILY;BYSETPOS=1", "another BY part"),
        ("FREQ=MONTHLY;BYDAY=0MO", "BYDAY takes"),
        ("FREQ=DAILY;FREQ=DAILY", "once"),
        ("FREQ=DAILY;BYMINUTE=" + ",".join(["0"] * 600), "characters"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_with_words(rule: str, told: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        parse_rule(rule)
    assert told in refusal.value.detail
    assert refusal.value.problems[0][0] == "/rrule"
