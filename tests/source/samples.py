"""One logical table in every database: all types, nulls, empty texts, other scripts, extremes."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pyarrow as pa
import sqlalchemy as sa

from offtake.model.dataset import Dataset, Field, FieldType
from offtake.model.export import Column, OrderKey, Plan
from offtake.model.filter import Filter
from offtake.model.ports import RowStream, Source, SourceSpec
from offtake.source import open_source
from source.ways import open_by

T = FieldType
KINDS = {
    "id": T.INTEGER,
    "label": T.STRING,
    "whole": T.INTEGER,
    "ratio": T.NUMBER,
    "amount": T.DECIMAL,
    "flag": T.BOOLEAN,
    "day": T.DATE,
    "moment": T.DATETIME,
    "wall": T.DATETIME,
    "clock": T.TIME,
    "code": T.UUID,
    "doc": T.JSON,
    "blank": T.STRING,
}
DATASET = Dataset(
    "sample", "db", table="sample", key=("id",), fields=tuple(Field(n, k, n, n) for n, k in KINDS.items())
)
UUID = "019760a0-0001-7000-8000-000000000001"

# What a reader has to see; `wall` is a clock in Santiago (UTC-3 in January, UTC-4 in July).
ROWS: list[dict[str, Any]] = [
    {
        "id": 1,
        "label": 'Zoë, "quoted"\nnext line 日本 🚀 \\N \\.',
        "whole": 2**63 - 1,
        "ratio": 0.1,
        "amount": Decimal("12345678901.25"),
        "flag": True,
        "day": date(2024, 2, 29),
        "moment": datetime(2024, 1, 2, 3, 4, 5, 123456, UTC),
        "wall": datetime(2024, 1, 15, 15, 0, tzinfo=UTC),
        "clock": time(23, 59, 59),
        "code": UUID,
        "doc": '{"a": [1, null]}',
        "blank": None,
    },
    {
        "id": 2,
        "label": "",
        "whole": -(2**63) + 1,
        "ratio": -1e300,
        "amount": Decimal("-0.01"),
        "flag": False,
        "day": date(1000, 1, 1),
        "moment": datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC),
        "wall": datetime(2024, 7, 15, 16, 0, tzinfo=UTC),
        "clock": time(0, 0),
        "code": UUID.replace("0001", "0002"),
        "doc": "[]",
        "blank": None,
    },
    {name: 3 if name == "id" else None for name in KINDS},
    {name: {"id": 4, "label": "NULL", "whole": 0, "amount": Decimal(0)}.get(name) for name in KINDS},
]
_WALLS = {1: "2024-01-15 12:00:00", 2: "2024-07-15 12:00:00"}
_DDL = {
    "postgresql": """CREATE TABLE sample (id int PRIMARY KEY,
        label text, whole bigint, ratio float8, amount numeric(20, 2),
        flag boolean, day date, moment timestamptz, wall timestamp, clock time, code uuid, doc json, blank text)""",
    "duckdb": """CREATE TABLE sample (id int PRIMARY KEY,
        label text, whole bigint, ratio double, amount decimal(20, 2),
        flag boolean, day date, moment timestamptz, wall timestamp, clock time, code uuid, doc json, blank text)""",
    "sqlite": """CREATE TABLE sample (id integer PRIMARY KEY,
        label text, whole bigint, ratio real, amount decimal(20, 2),
        flag boolean, day date, moment timestamp, wall timestamp, clock time, code uuid, doc json, blank text)""",
    "mysql": """CREATE TABLE sample (id int PRIMARY KEY,
        label text, whole bigint, ratio double, amount decimal(20, 2),
        flag boolean, day date, moment timestamp(6) NULL, wall datetime, clock time, code uuid, doc json, blank text)
        CHARACTER SET utf8mb4""",
}


@dataclass(frozen=True)
class Sample:
    """A database that holds the table: where it is, and how it is opened."""

    kind: str
    url: str
    open: Callable[[SourceSpec], Source] = open_source

    def spec(self, **limits: Any) -> SourceSpec:
        """A source on it; the wall clocks in it are Santiago's."""
        return SourceSpec("db", self.url, timezone="America/Santiago", **limits)


def _stored(row: dict[str, Any], kind: str) -> list[Any]:
    """The row as its database wants it given."""
    values = dict(row)
    values["wall"] = _WALLS.get(row["id"])
    if kind == "sqlite":
        values["amount"] = None if row["amount"] is None else str(row["amount"])
        for name in ("day", "clock"):
            values[name] = None if row[name] is None else row[name].isoformat()
        values["moment"] = None if row["moment"] is None else row["moment"].isoformat()
    elif row["moment"] is not None:
        offset = "" if kind == "mysql" else "+00"
        values["moment"] = row["moment"].strftime("%Y-%m-%d %H:%M:%S.%f") + offset
    return [values[name] for name in KINDS]


def fill_postgres(url: str, way: str = "binary") -> Sample:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_DDL["postgresql"].encode())
        for row in ROWS:
            connection.execute(
                f"INSERT INTO sample VALUES ({', '.join(['%s'] * len(KINDS))})".encode(), _stored(row, "postgresql")
            )
    return Sample("postgresql", url, partial(open_by, way))


def fill_duckdb(path: Path) -> Sample:
    with duckdb.connect(str(path)) as connection:
        connection.execute(_DDL["duckdb"])
        for row in ROWS:
            connection.execute(f"INSERT INTO sample VALUES ({', '.join('?' * len(KINDS))})", _stored(row, "duckdb"))
    return Sample("duckdb", f"duckdb:///{path}")


def fill_sqlite(path: Path) -> Sample:
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(_DDL["sqlite"])
        for row in ROWS:
            connection.execute(f"INSERT INTO sample VALUES ({', '.join('?' * len(KINDS))})", _stored(row, "sqlite"))
    connection.close()
    return Sample("sqlite", f"sqlite:///{path}")


def fill_mariadb(url: str) -> Sample:
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("SET time_zone = '+00:00'")
        connection.exec_driver_sql("DROP TABLE IF EXISTS sample")
        connection.exec_driver_sql(_DDL["mysql"])
        for row in ROWS:
            statement = f"INSERT INTO sample VALUES ({', '.join(['%s'] * len(KINDS))})"
            connection.exec_driver_sql(statement, tuple(_stored(row, "mysql")))
    engine.dispose()
    return Sample("mysql", url)


def plan_of(
    dataset: Dataset = DATASET, *names: str, where: Filter | None = None, order: bool = True, **limits: Any
) -> Plan:
    """A plan of some of the dataset's fields (none named = all), ordered by `id` unless told not to."""
    fields = [field for field in dataset.fields if not names or field.name in names]
    keys = (OrderKey("id", type=T.INTEGER),) if order else ()
    return Plan(dataset, tuple(Column(field) for field in fields), where=where, order=keys, **limits)


def rows_of(stream: RowStream) -> list[dict[str, Any]]:
    """Every row; decimals as numbers whatever carries them."""
    rows = pa.Table.from_batches(list(stream), stream.schema).to_pylist()
    for row in rows:
        if isinstance(row.get("amount"), str):
            row["amount"] = Decimal(row["amount"])
    return rows


@contextmanager
def reading(source: Any, plan: Plan, stop: Any) -> Iterator[RowStream]:
    """The stream of a plan, closed afterwards."""
    stream = source.read(plan, stop)
    try:
        yield stream
    finally:
        stream.close()
