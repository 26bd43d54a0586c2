"""Values of PostgreSQL that CSV or Arrow has no plain way for, one by one."""

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, date, datetime, time
from decimal import Decimal
from math import isnan
from typing import Any

import psycopg
import pyarrow as pa
import pytest

from offtake.errors import SourceFailed
from offtake.model.dataset import Dataset, Field, FieldType
from offtake.model.export import Column, Plan
from offtake.model.ports import SourceSpec, Stop
from offtake.source.copycsv import BLOCK_BYTES
from servers import Postgres
from source.ways import WAYS, open_by

T = FieldType
Read = Callable[..., pa.ChunkedArray]
Ask = Callable[[str], list[Any]]


@pytest.fixture(scope="module")
def url(postgres: Postgres) -> Iterator[str]:
    with postgres.database() as url:
        yield url


@pytest.fixture(params=WAYS)
def read(url: str, request: pytest.FixtureRequest) -> Read:
    """Reads the one column `v` of a query as a field of some type."""

    def read_one(
        sql: str, kind: T, items: T | None = None, fields: tuple[Field, ...] = (), zone: str = "UTC"
    ) -> pa.ChunkedArray:
        dataset = Dataset("d", "db", sql=sql, fields=(Field("v", kind, "v", "v", items=items, fields=fields),))
        with closing(open_by(request.param, SourceSpec("db", url, timezone=zone))) as source:
            stream = source.read(Plan(dataset, (Column(dataset.fields[0]),)), Stop())
            table = pa.Table.from_batches(list(stream), stream.schema)
        table.validate(full=True)
        return table.column("v")

    return read_one


@pytest.fixture
def ask(url: str) -> Ask:
    """Asks PostgreSQL itself for one column."""

    def ask_server(query: str) -> list[Any]:
        with psycopg.connect(url, options="-c TimeZone=UTC") as connection:
            return [value for (value,) in connection.execute(query.encode())]

    return ask_server


def values(*literals: str) -> str:
    """A query whose column `v` has these values in order."""
    return f"SELECT v FROM (VALUES {', '.join(f'({number}, {text})' for number, text in enumerate(literals))}) t (n, v)"


def test_infinite_instants_are_the_ends_of_int64(read: Read) -> None:
    got = read(values("timestamptz 'infinity'", "'-infinity'", "'2024-01-01 00:00:00+00'", "NULL"), T.DATETIME)
    assert got.cast(pa.int64()).to_pylist() == [2**63 - 1, -(2**63), 1704067200000000, None]


def test_infinite_dates_are_the_ends_of_int32(read: Read) -> None:
    got = read(values("date 'infinity'", "'-infinity'", "'2024-01-01'"), T.DATE)
    assert got.combine_chunks().view(pa.int32()).to_pylist() == [2**31 - 1, -(2**31), 19723]


def test_dates_before_christ_and_after_9999_keep_their_day(read: Read, ask: Ask) -> None:
    query = values("date '0044-03-15 BC'", "'0001-12-31 BC'", "'10000-01-01'", "'5874897-12-31'", "'4714-11-24 BC'")
    days = read(query, T.DATE).combine_chunks().view(pa.int32()).to_pylist()
    assert days == ask(f"SELECT v - date '1970-01-01' FROM ({query}) t")


def test_instants_before_christ_and_after_9999_keep_their_microsecond(read: Read, ask: Ask) -> None:
    query = values("timestamptz '0044-03-15 01:02:03.000004+00 BC'", "'12345-06-07 08:09:10.5+00'")
    got = read(query, T.DATETIME).cast(pa.int64()).to_pylist()
    assert got == ask(f"SELECT (extract(epoch FROM v) * 1000000)::int8 FROM ({query}) t")


def test_a_time_of_24_00_is_an_error_that_names_the_field_and_the_way_out(read: Read) -> None:
    with pytest.raises(SourceFailed) as failed:
        read(values("time '24:00'", "time '12:00'"), T.TIME)
    assert "field v" in failed.value.detail
    assert "string" in failed.value.hint
    assert read(values("time '24:00'"), T.STRING).to_pylist() == ["24:00:00"]


def test_nan_does_not_fit_a_bounded_numeric_but_does_fit_a_number(read: Read) -> None:
    query = "SELECT v::numeric(10, 2) AS v FROM (VALUES ('NaN'), ('1.50')) t (v)"
    with pytest.raises(SourceFailed, match="field v"):
        read(query, T.DECIMAL)
    got = read(query, T.NUMBER).to_pylist()
    assert isnan(got[0])
    assert got[1] == 1.5


def test_an_unbounded_numeric_is_its_digits(read: Read) -> None:
    digits = ["123456789012345678901234567890123456789.000000001", "NaN", "Infinity", "-Infinity", "0.10", None]
    literals = ["NULL" if text is None else f"numeric '{text}'" for text in digits]
    assert read(values(*literals), T.DECIMAL).to_pylist() == digits


@pytest.mark.parametrize(
    ("declared", "arrow"),
    [("numeric(38, 10)", pa.decimal128(38, 10)), ("numeric(39, 0)", pa.string()), ("numeric(3, -2)", pa.decimal128(5))],
)
def test_a_bounded_numeric_has_its_bound(read: Read, declared: str, arrow: pa.DataType) -> None:
    got = read(f"SELECT 1200::{declared} AS v" if "39" not in declared else "SELECT 7::numeric(39, 0) AS v", T.DECIMAL)
    assert got.type == arrow


def test_doubles_arrive_to_the_last_bit(read: Read) -> None:
    got = read(values("float8 '0.1'", "'-Infinity'", "'5e-324'", "'1.7976931348623157e308'"), T.NUMBER)
    assert got.to_pylist() == [0.1, float("-inf"), 5e-324, 1.7976931348623157e308]


def test_null_and_empty_text_stay_different(read: Read) -> None:
    assert read(values("text ''", "NULL", "'NULL'", r"'\.'", r"'\N'"), T.STRING).to_pylist() == [
        "",
        None,
        "NULL",
        r"\.",
        r"\N",
    ]


def test_a_cell_larger_than_a_block_arrives_once_and_whole(read: Read) -> None:
    size = 5 * BLOCK_BYTES
    got = read(
        f"SELECT CASE i WHEN 7 THEN repeat(E'\"\\n', {size}) ELSE i::text END AS v FROM generate_series(1, 20) i",
        T.STRING,
    )
    texts = got.to_pylist()
    assert texts[6] == '"\n' * size
    assert [text for text in texts if len(text) < 3] == [str(i) for i in range(1, 21) if i != 7]


def test_many_blocks_give_every_row_once_in_order(read: Read) -> None:
    got = read("SELECT i AS v FROM generate_series(1, 600000) i", T.INTEGER)
    assert got.num_chunks > 1
    assert got.to_pylist() == list(range(1, 600_001))


def test_one_odd_value_late_in_a_long_read_changes_nothing_before_it(read: Read) -> None:
    got = read(
        "SELECT CASE WHEN i = 300000 THEN 'infinity' ELSE timestamptz '2024-01-01Z' + i * interval '1 s' END AS v"
        " FROM generate_series(1, 400000) i",
        T.DATETIME,
    ).cast(pa.int64())
    expected = [1704067200000000 + i * 1_000_000 for i in range(1, 400_001)]
    expected[299_999] = 2**63 - 1
    assert got.to_pylist() == expected


@pytest.mark.parametrize("zone", ["America/New_York", "America/Santiago", "Europe/Berlin", "Asia/Kolkata"])
def test_wall_clocks_are_placed_as_postgresql_places_them(read: Read, ask: Ask, zone: str) -> None:
    # Plain times, some in a gap of spring, some that autumn has twice, some in years that datetime does not have.
    walls = ["2024-01-01 12:00", "2024-03-10 02:30", "2024-11-03 01:30", "2024-03-31 02:30", "2024-10-27 02:30"]
    walls += ["2024-04-06 23:30", "2024-09-08 00:30", "9999-12-31 23:00", "20000-07-01 12:00", "1850-01-01 00:00"]
    literals = [f"timestamp '{wall}'" for wall in [*walls, "0044-03-15 00:00 BC"]]
    instant = f"(extract(epoch FROM v AT TIME ZONE '{zone}') * 1000000)::int8"
    expected = ask(f"SELECT {instant} FROM ({values(*literals)}) t")
    assert read(values(*literals), T.DATETIME, zone=zone).cast(pa.int64()).to_pylist() == expected
    inside = read(f"SELECT ARRAY[{', '.join(literals)}] AS v", T.LIST, T.DATETIME, zone=zone)
    assert inside.combine_chunks().flatten().cast(pa.int64()).to_pylist() == expected
    usual = read(f"SELECT ARRAY[{', '.join(literals[:1] + literals[2:3])}] AS v", T.LIST, T.DATETIME, zone=zone)
    assert usual.combine_chunks().flatten().cast(pa.int64()).to_pylist() == [expected[0], expected[2]]


def test_parts_of_instants_are_those_of_the_sources_zone(read: Read) -> None:
    query = values("timestamptz '2024-01-01 03:00+00'")
    assert read(query, T.DATE, zone="America/New_York").to_pylist() == [date(2023, 12, 31)]
    assert read(query, T.TIME, zone="America/New_York").to_pylist() == [time(22)]


@pytest.mark.parametrize(
    ("sql", "items", "expected"),
    [
        ("SELECT '{1,NULL,-3}'::int[] AS v", T.INTEGER, [1, None, -3]),
        ("SELECT '{}'::int[] AS v", T.INTEGER, []),
        ("SELECT ARRAY['a', '', NULL, 'NULL', 'x,y', E'q\"\\\\', '{b}', 'é 日', E'\\n'] AS v", T.STRING, None),
        ("SELECT '{1.50,2}'::numeric(5,2)[] AS v", T.DECIMAL, ["1.50", "2.00"]),
        ("SELECT '{t,f}'::bool[] AS v", T.BOOLEAN, [True, False]),
        ("SELECT '{2024-02-29}'::date[] AS v", T.DATE, [date(2024, 2, 29)]),
        ("SELECT '[5:6]={7,8}'::int[] AS v", T.INTEGER, [7, 8]),
        ("SELECT ARRAY['\\xdead'::bytea] AS v", T.STRING, ["dead"]),
        ("SELECT '[1, 2.0, null]'::jsonb AS v", T.INTEGER, [1, 2, None]),
        ('SELECT \'["a", {"b": 1}, true, null]\'::jsonb AS v', T.STRING, ["a", '{"b":1}', "true", None]),
    ],
)
def test_arrays_are_lists(read: Read, sql: str, items: T, expected: list[Any] | None) -> None:
    if expected is None:
        expected = ["a", "", None, "NULL", "x,y", 'q"\\', "{b}", "é 日", "\n"]
    assert read(sql, T.LIST, items).to_pylist() == [expected]


def test_arrays_of_instants_hold_instants(read: Read) -> None:
    got = read("SELECT '{2024-01-01 00:00+00,infinity,NULL}'::timestamptz[] AS v", T.LIST, T.DATETIME)
    assert got.combine_chunks().flatten().cast(pa.int64()).to_pylist() == [1704067200000000, 2**63 - 1, None]


def test_null_arrays_among_others_keep_the_others_in_place(read: Read) -> None:
    got = read(values("'{1,2}'::int[]", "NULL", "'{}'", "'{3}'"), T.LIST, T.INTEGER)
    assert got.to_pylist() == [[1, 2], None, [], [3]]


def test_arrays_of_more_than_one_dimension_are_for_json(read: Read) -> None:
    for query in ("SELECT '{{1,2},{3,4}}'::int[] AS v", "SELECT '{{a b,c}}'::text[] AS v"):
        with pytest.raises(SourceFailed, match="field v"):
            read(query, T.LIST, T.STRING)
    assert read("SELECT '{{1,2},{3,4}}'::int[] AS v", T.JSON).to_pylist() == ["[[1,2],[3,4]]"]


def test_structs_come_from_rows_and_from_json(read: Read) -> None:
    parts = (Field("a", T.INTEGER, "a", "a"), Field("b", T.DATETIME, "b", "b"))
    moment = datetime(2024, 1, 1, tzinfo=UTC)
    rows = "SELECT (SELECT r FROM (SELECT 1 AS a, timestamptz '2024-01-01Z' AS b) r) AS v"
    assert read(rows.replace("SELECT r FROM", "SELECT to_json(r) FROM"), T.STRUCT, None, parts).to_pylist() == [
        {"a": 1, "b": moment}
    ]
    documents = """SELECT '[{"a": 1, "b": "2024-01-01T00:00:00Z", "c": 5}, {"b": null}, null]'::jsonb AS v"""
    assert read(documents, T.LIST, T.STRUCT, parts).to_pylist() == [
        [{"a": 1, "b": moment}, {"a": None, "b": None}, None]
    ]


def test_what_has_no_type_of_ours_is_its_text(read: Read) -> None:
    for literal, text in (
        ("interval '1 year 2 days 3.5 s'", "P1Y2DT3.5S"),
        ("inet '10.0.0.1/8'", "10.0.0.1/8"),
        (r"'\xDEADbeef'::bytea", "deadbeef"),
        ("true", "true"),
        ("int4range(1, 5)", "[1,5)"),
        ("'{\"a\":  1}'::json", '{"a":  1}'),
    ):
        assert read(f"SELECT {literal} AS v", T.STRING).to_pylist() == [text]


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("12", T.INTEGER, 12),
        ("12.0", T.INTEGER, 12),
        ("1e2", T.NUMBER, 100.0),
        ("007.50", T.DECIMAL, "7.50"),
        ("yes", T.BOOLEAN, True),
        ("2024-01-02", T.DATE, date(2024, 1, 2)),
        ("2024-01-02T03:04:05+01:00", T.DATETIME, datetime(2024, 1, 2, 2, 4, 5, tzinfo=UTC)),
        ("2024-01-02 03:04", T.DATETIME, datetime(2024, 1, 2, 3, 4, tzinfo=UTC)),
        ("3:04", T.TIME, time(3, 4)),
        ("", T.INTEGER, None),
    ],
)
def test_text_is_read_as_the_type_its_field_declares(read: Read, text: str, kind: T, value: Any) -> None:
    assert read(values(f"text '{text}'"), kind).to_pylist() == [value]


@pytest.mark.parametrize(
    "kind", [T.INTEGER, T.NUMBER, T.DECIMAL, T.BOOLEAN, T.DATE, T.DATETIME, T.TIME, T.LIST, T.STRUCT]
)
def test_text_of_another_kind_is_an_error_that_keeps_the_value_to_itself(read: Read, kind: T) -> None:
    parts = (Field("a", T.INTEGER, "a", "a"),) if kind is T.STRUCT else ()
    with pytest.raises(SourceFailed) as failed:
        read(values("text 'hush'"), kind, T.INTEGER if kind is T.LIST else None, parts)
    assert "field v" in failed.value.detail
    assert "hush" not in failed.value.detail + failed.value.hint


def test_decimals_of_whole_numbers_are_exact(read: Read) -> None:
    assert read(values("int8 '9223372036854775807'"), T.DECIMAL).to_pylist() == [Decimal(2**63 - 1)]
