"""Records: the JSON of the JSON format, but for the instants."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from workbooks import stream_of

from offtake.encode.records import encode_records
from offtake.model.export import Reader


def records(table: pa.Table, timezone: str | None = None) -> bytes:
    stream = stream_of(table, reader=Reader("es-CL", timezone))
    return b"".join(encode_records(stream, b"[", b"\n]"))


def test_records_are_raw_json_with_nulls_written() -> None:
    table = pa.table({"id": [1, None], "name": ['a "b"', None], "at": pa.array([0, None], pa.timestamp("us", "UTC"))})
    assert records(table) == (
        b'[\n{"id":1,"name":"a \\"b\\"","at":"1970-01-01T00:00:00.000+0000"},\n{"id":null,"name":null,"at":null}\n]'
    )


def test_instants_are_in_the_readers_zone_cut_to_milliseconds() -> None:
    instant = datetime(2021, 12, 2, 15, 21, 49, 330_999, UTC)
    table = pa.table({"at": pa.array([instant, instant.replace(month=7)], pa.timestamp("us", "UTC"))})
    assert [row["at"] for row in json.loads(records(table, "Europe/Helsinki"))] == [
        "2021-12-02T17:21:49.330+0200",
        "2021-07-02T18:21:49.330+0300",
    ]
    assert b"-03:" not in records(table, "America/Santiago")
    assert b"2021-12-02T12:21:49.330-0300" in records(table, "America/Santiago")


@given(st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=st.just(UTC)))  # noqa: DTZ001 - hypothesis adds it
def test_an_instant_can_be_read_back_to_the_millisecond(instant: datetime) -> None:
    table = pa.table({"at": pa.array([instant], pa.timestamp("us", "UTC"))})
    (row,) = json.loads(records(table, "Asia/Kolkata"))
    read = datetime.strptime(row["at"], "%Y-%m-%dT%H:%M:%S.%f%z")
    assert read == instant - timedelta(microseconds=instant.microsecond % 1000)
    assert instant.year < 1950 or read.tzinfo == timezone(timedelta(hours=5, minutes=30))
