"""SQLite keeps any value in any column: what is read as what, and what is refused."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import pytest

from offtake.errors import SourceFailed
from offtake.model.dataset import Dataset, Field, FieldType
from offtake.model.export import Column, Plan
from offtake.model.filter import Condition, Operator
from offtake.model.ports import SourceSpec, Stop
from offtake.source import open_source
from offtake.source.sqlite import kind_of
from source.samples import reading

T = FieldType
Read = Callable[..., list[Any]]
NOON = datetime(2024, 1, 2, 12, 0, tzinfo=UTC)


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Stores values in one column and reads it back as a field of some type."""

    def read_back(kind: T, *values: Any, where: Condition | None = None, items: T | None = None) -> list[Any]:
        path = tmp_path / "any.db"
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("DROP TABLE IF EXISTS any_table")
            connection.execute("CREATE TABLE any_table (v)")
            connection.executemany("INSERT INTO any_table VALUES (?)", [(value,) for value in values])
        field = Field("v", kind, "v", "v", items=items)
        dataset = Dataset("d", "db", table="any_table", fields=(field,))
        spec = SourceSpec("db", f"sqlite:///{path}", timezone="America/New_York")
        plan = Plan(dataset, (Column(field),), where=where)
        with closing(open_source(spec)) as source, reading(source, plan, Stop()) as stream:
            return [value for batch in stream for value in batch.column(0).to_pylist()]

    return read_back


@pytest.mark.parametrize(
    ("stored", "instant"),
    [
        ("2024-01-02T12:00:00Z", NOON),
        ("2024-01-02 13:00:00+01:00", NOON),
        ("2024-01-02 07:00:00", NOON),
        ("2024-01-02 07:00", NOON),
        (1704196800, NOON),
        (1704196800.5, NOON.replace(microsecond=500_000)),
        (1704196800000, NOON),
        (2460312.0, NOON),
        ("", None),
    ],
)
def test_instants_are_text_seconds_milliseconds_or_julian_days(read: Read, stored: Any, instant: datetime) -> None:
    assert read(T.DATETIME, stored, None) == [instant, None]
    # Beside a value of another kind the column is read cell by cell: the same must come out.
    assert read(T.DATETIME, "2024-01-02T12:00:00Z", stored, 1704196800) == [NOON, instant, NOON]


@pytest.mark.parametrize("stored", ["2024-01-02", "2024-01-02 23:00:00", 1704196800, 2460312.0])
def test_dates_are_text_or_numbers(read: Read, stored: Any) -> None:
    assert read(T.DATE, stored) == [date(2024, 1, 2)]


def test_times_are_text(read: Read) -> None:
    assert read(T.TIME, "12:30", "12:30:15.25", None) == [time(12, 30), time(12, 30, 15, 250_000), None]


@pytest.mark.parametrize(
    ("stored", "value"), [(1, True), (0, False), ("true", True), ("F", False), (1.0, True), ("", None)]
)
def test_booleans_are_numbers_or_words(read: Read, stored: Any, value: bool | None) -> None:
    assert read(T.BOOLEAN, stored, None, "yes", 0) == [value, None, True, False]


def test_decimals_are_the_digits_of_text_integers_and_reals(read: Read) -> None:
    assert read(T.DECIMAL, "12345678901234567890.10", 7, 0.1, 12.0, 1e21, "NaN", None, "") == [
        "12345678901234567890.10",
        "7",
        "0.1",
        "12",
        "1000000000000000000000",
        "NaN",
        None,
        None,
    ]
    assert read(T.DECIMAL, 0.1, 12.0, 1e16, -3.25) == ["0.1", "12", "10000000000000000", "-3.25"]


def test_numbers_in_a_text_column_become_their_text(read: Read) -> None:
    assert read(T.STRING, "a", 1, 2.5, b"\xca\xfe", None) == ["a", "1", "2.5", "cafe", None]
    assert read(T.STRING, b"ok", b"\xff") == ["6f6b", "ff"]


@pytest.mark.parametrize("stored", [b"caf\xe9", b"lone \xed\xa0\xbd surrogate", b"\xff"])
def test_text_that_is_no_utf_8_names_the_field_and_its_bytes_can_be_had(tmp_path: Path, stored: bytes) -> None:
    path = tmp_path / "latin.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE t (v TEXT)")
        connection.execute("INSERT INTO t VALUES (CAST(? AS TEXT))", (stored,))
    field = Field("note", T.STRING, "v", "Note")
    with closing(open_source(SourceSpec("db", f"sqlite:///{path}"))) as source:
        plan = Plan(Dataset("d", "db", table="t", fields=(field,)), (Column(field),))
        with pytest.raises(SourceFailed, match=r"^note holds text that is not UTF-8") as caught:
            source.read(plan, Stop())
        assert "caf" not in caught.value.detail + caught.value.hint
        plan = Plan(Dataset("d", "db", sql="SELECT CAST(v AS BLOB) AS v FROM t", fields=(field,)), (Column(field),))
        with reading(source, plan, Stop()) as stream:
            assert [value for batch in stream for value in batch.column(0).to_pylist()] == [stored.hex()]


def test_uuids_are_text_or_sixteen_bytes(read: Read) -> None:
    text = "019760a0-0001-7000-8000-000000000001"
    assert read(T.UUID, text, bytes.fromhex(text.replace("-", ""))) == [text, text]


def test_lists_are_json(read: Read) -> None:
    assert read(T.LIST, "[1, null]", None, "[]", items=T.INTEGER) == [[1, None], None, []]


@pytest.mark.parametrize(
    ("kind", "stored"),
    [
        (T.INTEGER, "many"),
        (T.INTEGER, 1.5),
        (T.NUMBER, "hush"),
        (T.DECIMAL, "hush"),
        (T.BOOLEAN, 2),
        (T.DATE, "tomorrow"),
        (T.DATETIME, "2024-13-01"),
        (T.TIME, "25:00"),
        (T.LIST, "{}"),
    ],
)
def test_a_value_of_another_kind_names_the_field_not_the_value(read: Read, kind: T, stored: Any) -> None:
    for values in ((stored,), (None, stored, 1, "x")):
        with pytest.raises(SourceFailed) as failed:
            read(kind, *values)
        assert "field v" in failed.value.detail
        assert str(stored) not in failed.value.detail + failed.value.hint


@pytest.mark.parametrize(
    ("kind", "stored", "wanted"),
    [
        (T.DATETIME, "2024-01-02 07:00", NOON),
        (T.DATETIME, 1704196800, NOON),
        (T.DATE, "2024-01-02 23:00:00", date(2024, 1, 2)),
        (T.TIME, "12:30", time(12, 30)),
        (T.BOOLEAN, "yes", True),
    ],
)
def test_filters_compare_what_is_read(read: Read, kind: T, stored: Any, wanted: Any) -> None:
    assert read(kind, stored, None, where=Condition("v", Operator.EQ, (wanted,))) == [wanted]


def test_text_search_folds_every_script(read: Read) -> None:
    assert read(T.STRING, "STRASSE Żółć", "x", where=Condition("v", Operator.CONTAINS, ("żÓŁć",))) == ["STRASSE Żółć"]


@pytest.mark.parametrize(
    ("declared", "kind"),
    [
        ("BIGINT", T.INTEGER),
        ("varchar(20)", T.STRING),
        ("DECIMAL(10,2)", T.DECIMAL),
        ("double precision", T.NUMBER),
        ("timestamp with time zone", T.DATETIME),
        ("DATE", T.DATE),
        ("time", T.TIME),
        ("bool", T.BOOLEAN),
        ("", T.STRING),
    ],
)
def test_declared_types_are_taken_at_their_word(declared: str, kind: T) -> None:
    assert kind_of(declared) is kind


def test_a_query_keeps_the_types_its_columns_were_declared_with(tmp_path: Path) -> None:
    path = tmp_path / "typed.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE t (at timestamp, total decimal(10, 2))")
    with closing(open_source(SourceSpec("db", f"sqlite:///{path}"))) as source:
        fields = source.describe(Dataset("q", "db", sql="SELECT at, total, 1 AS one FROM t;"))
    assert [(field.name, field.type) for field in fields] == [
        ("at", T.DATETIME),
        ("total", T.DECIMAL),
        ("one", T.STRING),
    ]


def test_writers_are_not_blocked_for_good(tmp_path: Path) -> None:
    path = tmp_path / "busy.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA journal_mode = wal")
        connection.execute("CREATE TABLE t (v integer)")
        connection.executemany("INSERT INTO t VALUES (?)", [(number,) for number in range(20_000)])
    field = Field("v", T.INTEGER, "v", "v")
    plan = Plan(Dataset("d", "db", table="t", fields=(field,)), (Column(field),))
    with closing(open_source(SourceSpec("db", f"sqlite:///{path}"))) as source, reading(source, plan, Stop()) as stream:
        first = next(iter(stream)).num_rows
        with closing(sqlite3.connect(path, timeout=1)) as writer, writer:
            writer.execute("DELETE FROM t")
        assert first + sum(batch.num_rows for batch in stream) == 20_000
