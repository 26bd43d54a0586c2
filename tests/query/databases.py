"""Runs a plan's select on a real database, the way the sources do."""

import sqlite3
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from typing import Any

import duckdb
import psycopg
import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.dialects.postgresql.base import PGDialect

from offtake.model.export import Plan
from offtake.query.keys import decimal_key, instant_key, time_key
from offtake.query.sql import build_count, build_select
from query import rows

Read = Callable[[Plan], list[tuple[Any, ...]]]
NAIVE = frozenset({"localAt"})


def compiled(statement: sa.Select[Any], dialect: Any) -> Any:
    """The statement in that database's SQL, with its parameters."""
    return statement.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})


def _in_order(made: Any) -> list[Any]:
    values = made.params  # built anew at every look
    return [values[name] for name in made.positiontup]


def _instant(value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, int):
        return value * 1_000_000
    read = datetime.fromisoformat(value)
    return instant_key(read if read.tzinfo else read.replace(tzinfo=UTC))


def open_sqlite() -> tuple[Read, Callable[[Plan, int | None], int]]:
    """An SQLite database in memory with the people and the functions `query.sql` asks a source for."""
    connection = sqlite3.connect(":memory:")
    functions: dict[str, Callable[[Any], Any]] = {
        "offtake_fold": lambda value: None if value is None else str(value).casefold(),
        "offtake_instant": _instant,
        "offtake_date": lambda value: None if value is None else date.fromisoformat(value).isoformat(),
        "offtake_time": lambda value: None if value is None else time_key(time.fromisoformat(value)),
        "offtake_decimal": lambda value: None if value is None else decimal_key(value),
        "offtake_boolean": lambda value: value,
    }
    for name, function in functions.items():
        connection.create_function(name, 1, function, deterministic=True)
    connection.execute(rows.SQLITE_TABLE)
    marks = ", ".join("?" * (len(rows.FIELDS) + 1))
    connection.executemany(f"INSERT INTO people VALUES ({marks})", rows.sqlite_rows())

    def run(statement: sa.Select[Any]) -> list[tuple[Any, ...]]:
        made = compiled(statement, sqlite.dialect())
        return connection.execute(str(made), _in_order(made)).fetchall()

    return (
        lambda plan: run(build_select(plan, "sqlite", naive=NAIVE)),
        lambda plan, at_most: run(build_count(plan, "sqlite", at_most, naive=NAIVE))[0][0],
    )


def open_postgres(url: str) -> Read:
    """The people in a real PostgreSQL; values are bound on the client, as for COPY."""
    connection = psycopg.connect(url, autocommit=True, cursor_factory=psycopg.ClientCursor)
    connection.execute("SET TIME ZONE 'UTC'")
    connection.execute(rows.POSTGRES_TABLE)
    marks = ", ".join(["%s"] * (len(rows.FIELDS) + 1))
    connection.cursor().executemany(f"INSERT INTO people VALUES ({marks})", list(rows.native_rows()))

    def read(plan: Plan) -> list[tuple[Any, ...]]:
        made = compiled(build_select(plan, "postgresql", timezone=rows.ZONE, naive=NAIVE), postgresql.dialect())
        return connection.execute(str(made), made.params).fetchall()

    return read


def open_duckdb() -> Read:
    """The people in a DuckDB in memory."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(rows.DUCKDB_TABLE)
    marks = ", ".join("?" * (len(rows.FIELDS) + 1))
    connection.executemany(f"INSERT INTO people VALUES ({marks})", list(rows.native_rows()))

    def read(plan: Plan) -> list[tuple[Any, ...]]:
        statement = build_select(plan, "duckdb", timezone=rows.ZONE, naive=NAIVE)
        made = compiled(statement, PGDialect(paramstyle="qmark"))
        return connection.execute(str(made), _in_order(made)).fetchall()

    return read


def open_mariadb(url: str) -> Read:
    """The people in a real MariaDB."""
    engine = sa.create_engine(sa.make_url(url).set(drivername="mysql+pymysql"))
    connection = engine.raw_connection()
    cursor = connection.cursor()
    cursor.execute("SET time_zone = '+00:00'")
    cursor.execute(rows.MARIADB_TABLE)
    marks = ", ".join(["%s"] * (len(rows.FIELDS) + 1))
    cursor.executemany(f"INSERT INTO people VALUES ({marks})", list(rows.mariadb_rows()))
    connection.commit()

    def read(plan: Plan) -> list[tuple[Any, ...]]:
        made = compiled(build_select(plan, "mysql", timezone=rows.ZONE, naive=NAIVE), mysql.dialect())
        cursor = connection.cursor()
        cursor.execute(str(made), _in_order(made))
        return list(cursor.fetchall())

    return read
