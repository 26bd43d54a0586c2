"""What only MariaDB and MySQL have, read from a real server."""

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from offtake.errors import SourceFailed
from offtake.model.dataset import Dataset, Field, FieldType
from offtake.model.export import Column, Plan
from offtake.model.ports import SourceSpec, Stop
from offtake.source import open_source
from source.samples import reading

T = FieldType
Read = Callable[..., list[Any]]


@pytest.fixture
def server(mariadb_url: str) -> Iterator[sa.Connection]:
    engine = sa.create_engine(mariadb_url)
    with engine.connect() as connection:
        connection.exec_driver_sql("SET time_zone = '+00:00', sql_mode = ''")
        yield connection
        connection.exec_driver_sql("DROP TABLE IF EXISTS odd")
    engine.dispose()


@pytest.fixture
def read(server: sa.Connection, mariadb_url: str) -> Read:
    """Stores values in a column declared so, and reads it back as its own type or as another."""

    def read_back(declared: str, *values: Any, kind: T | None = None) -> list[Any]:
        server.exec_driver_sql("DROP TABLE IF EXISTS odd")
        server.exec_driver_sql(f"CREATE TABLE odd (v {declared} NULL)")
        for value in values:
            server.exec_driver_sql("INSERT INTO odd VALUES (%s)", (value,))
        server.commit()
        with closing(open_source(SourceSpec("db", mariadb_url, timezone="America/New_York"))) as source:
            (field,) = source.describe(Dataset("d", "db", table="odd"))
            if kind is not None:
                field = Field("v", kind, "v", "v")
            with reading(
                source, Plan(Dataset("d", "db", table="odd", fields=(field,)), (Column(field),)), Stop()
            ) as stream:
                return [value for batch in stream for value in batch.column(0).to_pylist()]

    return read_back


@pytest.mark.parametrize(
    ("declared", "stored", "value"),
    [
        ("bigint unsigned", 2**64 - 1, "18446744073709551615"),
        ("tinyint(1)", 1, True),
        ("tinyint(4)", 7, 7),
        ("bit(1)", 1, True),
        ("bit(9)", 257, "0101"),
        ("decimal(37, 10)", "1.5", Decimal("1.5000000000")),
        ("decimal(50, 2)", "1.5", "1.50"),
        ("decimal(10, 2) unsigned", "99999999.99", Decimal("99999999.99")),
        ("year", 2024, 2024),
        ("enum('a', 'b')", "b", "b"),
        ("set('a', 'b')", "a,b", "a,b"),
        ("varbinary(4)", b"\xca\xfe", "cafe"),
        ("float", 0.5, 0.5),
        ("datetime", "2024-01-01 12:00:00", datetime(2024, 1, 1, 17, tzinfo=UTC)),
        ("timestamp", "2024-01-01 12:00:00", datetime(2024, 1, 1, 12, tzinfo=UTC)),
        ("datetime(6)", "2024-07-01 12:00:00.25", datetime(2024, 7, 1, 16, 0, 0, 250_000, UTC)),
        ("date", "0000-00-00", None),
        ("datetime", "0000-00-00 00:00:00", None),
        ("longtext", "", ""),
    ],
)
def test_types_of_its_own(read: Read, declared: str, stored: Any, value: Any) -> None:
    assert read(declared, stored, None) == [value, None]


def test_a_zero_date_among_others_is_null(read: Read) -> None:
    assert read("datetime", "2024-01-01 12:00:00", "0000-00-00 00:00:00") == [
        datetime(2024, 1, 1, 17, tzinfo=UTC),
        None,
    ]


def test_a_time_beyond_a_day_is_for_text(read: Read) -> None:
    with pytest.raises(SourceFailed, match="field v"):
        read("time", "36:00:00")
    assert read("time", "36:00:00", "-01:30:00", kind=T.STRING) == ["36:00:00", "-01:30:00"]


def test_large_results_stream(server: sa.Connection, mariadb_url: str) -> None:
    field = Field("seq", T.INTEGER, "seq", "seq")
    plan = Plan(Dataset("d", "db", sql="SELECT seq FROM seq_1_to_50000", fields=(field,)), (Column(field),))
    with closing(open_source(SourceSpec("db", mariadb_url))) as source, reading(source, plan, Stop()) as stream:
        sizes = [batch.num_rows for batch in stream]
    assert sum(sizes) == 50_000
    assert max(sizes) <= 8192


def test_a_read_that_is_left_ends_on_the_server(server: sa.Connection, mariadb_url: str) -> None:
    field = Field("seq", T.INTEGER, "seq", "seq")
    plan = Plan(Dataset("d", "db", sql="SELECT seq FROM seq_1_to_1000000000", fields=(field,)), (Column(field),))
    with closing(open_source(SourceSpec("db", mariadb_url))) as source:
        with reading(source, plan, Stop()) as stream:
            next(iter(stream))
        running = (
            "SELECT count(*) FROM information_schema.processlist"
            " WHERE info LIKE '%%seq_1_to_1000000000%%' AND id <> connection_id()"
        )
        assert server.exec_driver_sql(running).scalar_one() == 0
