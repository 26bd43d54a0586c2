"""One table of sales in every database, full of nulls and of instants at which clocks change, for reports to group."""

import random
import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import psycopg
import sqlalchemy as sa

from offtake.model.dataset import Dataset, Field, FieldType, Mask
from offtake.model.ports import Source, SourceSpec
from offtake.source import open_source

T = FieldType
WALL_ZONE = "America/Santiago"
KINDS = {
    "id": T.INTEGER,
    "tenant": T.STRING,
    "stage": T.STRING,
    "units": T.INTEGER,
    "ratio": T.NUMBER,
    "amount": T.DECIMAL,
    "paid": T.BOOLEAN,
    "day": T.DATE,
    "moment": T.DATETIME,
    "wall": T.DATETIME,
    "clock": T.TIME,
    "tax": T.STRING,
}
SALES = Dataset(
    "sales",
    "db",
    table="sales",
    key=("id",),
    tenant_column="tenant",
    fields=tuple(
        Field(name, kind, name, name.title(), mask=Mask.LAST4 if name == "tax" else None, unless_scope="pii:read")
        for name, kind in KINDS.items()
    ),
)
_TYPES = {
    "postgresql": "int, text, text, bigint, float8, numeric(14, 2), boolean, date, timestamptz, timestamp, time, text",
    "duckdb": "int, text, text, bigint, double, decimal(14, 2), boolean, date, timestamptz, timestamp, time, text",
    "sqlite": "int, text, text COLLATE NOCASE, bigint, real, decimal(14, 2), boolean, date, timestamp, datetime, "
    "time, text",
    "mysql": "int, varchar(20), varchar(20), bigint, double, decimal(14, 2), boolean, date, timestamp(6) NULL, "
    "datetime(6), time(6), varchar(20)",
}


def _changes() -> list[datetime]:
    """Around changes of clocks in Santiago and on Lord Howe, and edges of years, weeks and days."""
    edges = [
        datetime(2024, 4, 7, 3, tzinfo=UTC),  # Santiago goes back an hour
        datetime(2024, 9, 8, 4, tzinfo=UTC),  # and forth again
        datetime(2024, 4, 6, 15, tzinfo=UTC),  # Lord Howe goes back half an hour
        datetime(2024, 10, 5, 15, 30, tzinfo=UTC),
        datetime(2024, 1, 1, tzinfo=UTC),
        datetime(2020, 12, 31, 18, 30, tzinfo=UTC),  # a new year in Kolkata, in a week of the old one
        datetime(1969, 12, 31, 23, 59, tzinfo=UTC),
    ]
    steps = [timedelta(minutes=minutes) for minutes in (-61, -45, -30, -1, 0, 1, 29, 30, 31, 59, 60, 90)]
    return [edge + step for edge in edges for step in steps]


def sales() -> list[dict[str, Any]]:
    """The same rows at every call; a fifth of the values are null."""
    dice, moments = random.Random(11), _changes()
    pools: dict[str, tuple[Any, ...] | list[Any]] = {
        "stage": ("won", "Won", "lost", "", " lost", "ñandú", "Zoë", "other"),
        "units": (0, 1, 2, 3, 7, -5, 2**40),
        "ratio": (0.0, 0.1, 0.25, -3.5, 1e6),
        "amount": tuple(map(Decimal, ("0.10", "0.1", "10.25", "-3", "999999999999.99", "0"))),
        "paid": (True, False),
        "day": (date(2024, 2, 29), date(2024, 12, 30), date(2024, 12, 31), date(2021, 1, 3), date(1969, 7, 20)),
        "moment": moments,
        "wall": [at for at in moments if not _is_repeated(at)],
        "clock": (time(0), time(9, 30), time(23, 59, 59)),
        "tax": ("12345", "123"),
    }
    return [
        {"id": number, "tenant": "globex" if number % 4 == 0 else "acme"}
        | {name: None if dice.random() < 0.2 else dice.choice(pool) for name, pool in pools.items()}
        for number in range(300)
    ]


def _is_repeated(at: datetime) -> bool:
    """Whether a clock without a zone cannot say it in Santiago."""
    return datetime(2024, 4, 7, 2, tzinfo=UTC) <= at < datetime(2024, 4, 7, 4, tzinfo=UTC)


def _stored(row: dict[str, Any], kind: str) -> tuple[Any, ...]:
    values = dict(row)
    if row["wall"] is not None:
        values["wall"] = row["wall"].astimezone(ZoneInfo(WALL_ZONE)).replace(tzinfo=None)
    if kind == "sqlite":
        for name in ("amount", "day", "clock", "moment", "wall"):
            values[name] = None if values[name] is None else str(values[name])
    elif kind == "mysql" and row["moment"] is not None:
        values["moment"] = max(row["moment"], datetime(1970, 1, 2, tzinfo=UTC)).replace(tzinfo=None)
    return tuple(values[name] for name in KINDS)


def _table(kind: str) -> str:
    types = _TYPES[kind].replace("(14, 2)", "(14;2)").split(", ")
    columns = (f"{name} {type_.replace(';', ', ')}" for name, type_ in zip(KINDS, types, strict=True))
    return f"CREATE TABLE sales ({', '.join(columns)})"


def fill(kind: str, url: str) -> Source:
    """The table in that database, and a source that reads it; wall clocks are Santiago's."""
    rows, marks = [_stored(row, kind) for row in sales()], ", ".join(["%s"] * len(KINDS))
    insert = f"INSERT INTO sales VALUES ({marks})"
    match kind:
        case "postgresql":
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(_table(kind).encode())
                connection.cursor().executemany(insert.encode(), rows)
        case "mysql":
            engine = sa.create_engine(url)
            with engine.begin() as mariadb:
                mariadb.exec_driver_sql("SET time_zone = '+00:00'")
                mariadb.exec_driver_sql("DROP TABLE IF EXISTS sales")
                mariadb.exec_driver_sql(_table(kind) + " CHARACTER SET utf8mb4")
                mariadb.exec_driver_sql(insert, rows)
            engine.dispose()
        case "duckdb":
            with duckdb.connect(url.removeprefix("duckdb:///")) as duck:
                duck.execute(_table(kind))
                duck.executemany(insert.replace("%s", "?"), rows)
        case _:
            with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as lite, lite:
                lite.execute(_table(kind))
                lite.executemany(insert.replace("%s", "?"), rows)
    return open_source(SourceSpec("db", url, timezone=WALL_ZONE))
