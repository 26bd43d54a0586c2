"""Zones as tables: the same offset as zoneinfo at every instant, and names that cannot be used refused kindly."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offtake.encode.zones import ZoneTable, zone_table
from offtake.errors import InvalidRequest

ZONES = [
    "UTC",
    "America/Santiago",
    "America/Mexico_City",
    "America/New_York",
    "America/Los_Angeles",
    "America/St_Johns",
    "America/Sao_Paulo",
    "America/Nuuk",
    "America/Caracas",
    "America/Havana",
    "Europe/London",
    "Europe/Dublin",
    "Europe/Berlin",
    "Europe/Madrid",
    "Europe/Moscow",
    "Europe/Lisbon",
    "Europe/Istanbul",
    "Africa/Casablanca",
    "Africa/Cairo",
    "Africa/Monrovia",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Asia/Tehran",
    "Asia/Gaza",
    "Asia/Tokyo",
    "Asia/Manila",
    "Australia/Lord_Howe",
    "Australia/Sydney",
    "Pacific/Apia",
    "Pacific/Chatham",
    "Antarctica/Troll",
    "Etc/GMT+5",
]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
INSTANTS = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=st.just(UTC))  # noqa: DTZ001


def microseconds(instant: datetime) -> int:
    return (instant - EPOCH) // timedelta(microseconds=1)


def offset_of(table: ZoneTable, instant: datetime) -> timedelta:
    return timedelta(microseconds=table.offset_at(microseconds(instant)))


@pytest.mark.parametrize("name", ZONES)
@settings(max_examples=20, deadline=None)
@given(instants=st.lists(INSTANTS, min_size=10, max_size=10))
def test_offsets_equal_zoneinfo_in_years_1_to_9999(name: str, instants: list[datetime]) -> None:
    table, zone = zone_table(name), ZoneInfo(name)
    for instant in instants:
        assert offset_of(table, instant) == instant.astimezone(zone).utcoffset(), instant


@pytest.mark.parametrize("name", ZONES)
def test_offsets_change_at_the_very_microsecond(name: str) -> None:
    table, zone = zone_table(name), ZoneInfo(name)
    for start_us in (*table.starts_us[1:120], *table.starts_us[120::531], *table.starts_us[1:][-4:]):
        for instant in (EPOCH + timedelta(microseconds=start_us), EPOCH + timedelta(microseconds=start_us - 1)):
            assert offset_of(table, instant) == instant.astimezone(zone).utcoffset(), instant


def test_local_mean_time_keeps_its_seconds() -> None:
    assert zone_table("America/Santiago").offset_at(microseconds(datetime(1850, 1, 1, tzinfo=UTC))) == -16_965_000_000


def test_no_zone_is_utc() -> None:
    assert list(zone_table(None).offsets_us) == [0]


def test_the_same_zone_is_read_once() -> None:
    assert zone_table("Europe/Berlin") is zone_table("Europe/Berlin")


@pytest.mark.parametrize("name", ["Mars/Base", "../../etc/passwd", "/etc/passwd", "Europe", "UTC\0", "a" * 300])
def test_unknown_zone_is_refused(name: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        zone_table(name)
    assert refusal.value.problems[0][0] == "/timezone"


def test_refusal_names_the_nearest_zone() -> None:
    with pytest.raises(InvalidRequest) as refusal:
        zone_table("America/Santigo")
    assert "America/Santiago" in refusal.value.hint
