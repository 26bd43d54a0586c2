"""SQLite: a file opened read-only by the standard library's driver, its declared types taken at their word."""

import re
import sqlite3
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from itertools import chain, islice
from pathlib import Path
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from offtake.errors import Cancelled, InvalidConfig, OfftakeError, SourceFailed, SourceTimeout
from offtake.model.dataset import Dataset, Field, FieldType
from offtake.model.export import Plan
from offtake.model.ports import RowStream, SourceSpec, Stop, Table
from offtake.query.keys import decimal_key, time_key
from offtake.query.sql import build_count, build_select
from offtake.source.arrow_types import arrow_type
from offtake.source.batches import make_batches
from offtake.source.liteaggregates import add_report_functions
from offtake.source.row_limit import check_row_limit
from offtake.source.rows_to_arrow import (
    RowColumn,
    boolean_value,
    clock_value,
    date_value,
    instant_value,
    rows_to_batch,
)

DIALECT = "sqlite"
_TABLES = """
SELECT name FROM sqlite_master
WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite^_%' ESCAPE '^' ORDER BY name
"""
_NOT_TEXT = re.compile(r"Could not decode to UTF-8 column '(.*?)' with text")  # and then the text, which stays out
_STEPS = 20_000  # of SQLite's virtual machine, between two looks at the clock

# Declared types are free text. The first word found in one decides, as SQLite decides affinity (datatype3.html §3.1).
_WORDS = (
    ("BOOL", FieldType.BOOLEAN),
    ("UUID", FieldType.UUID),
    ("GUID", FieldType.UUID),
    ("JSON", FieldType.JSON),
    ("TIMESTAMP", FieldType.DATETIME),
    ("DATETIME", FieldType.DATETIME),
    ("DATE", FieldType.DATE),
    ("TIME", FieldType.TIME),
    ("INT", FieldType.INTEGER),
    ("CHAR", FieldType.STRING),
    ("CLOB", FieldType.STRING),
    ("TEXT", FieldType.STRING),
    ("BLOB", FieldType.STRING),
    ("REAL", FieldType.NUMBER),
    ("FLOA", FieldType.NUMBER),
    ("DOUB", FieldType.NUMBER),
    ("DEC", FieldType.DECIMAL),
    ("NUM", FieldType.DECIMAL),
)


def kind_of(declared: str) -> FieldType:
    """The field type of a column declared so; text where the declaration says nothing."""
    return next((kind for word, kind in _WORDS if word in declared.upper()), FieldType.STRING)


def open_sqlite(spec: SourceSpec) -> "SqliteSource":
    """The source of a `sqlite:///path` URL; nothing is opened yet. InvalidConfig without a path."""
    path = sa.make_url(spec.url).database
    if not path or path == ":memory:":
        raise InvalidConfig(
            f"sources.{spec.name}: a SQLite source needs a file.", hint="Write sqlite:///path/to/file.db."
        )
    return SqliteSource(spec, Path(path))


class SqliteSource:
    """A SQLite file. Every use opens it anew: that costs a millisecond, and a replaced file is seen."""

    def __init__(self, spec: SourceSpec, path: Path) -> None:
        self._spec = spec
        self._path = path
        self._zone = ZoneInfo(spec.timezone)
        self._dialect = SQLiteDialect_pysqlite(paramstyle="named")

    @property
    def name(self) -> str:
        """The name offtake.yaml gives it."""
        return self._spec.name

    def read(self, plan: Plan, stop: Stop) -> RowStream:
        """Open one snapshot and give its rows; see `ports.Source.read`."""
        types = [
            RowColumn(c.name, c.type, arrow_type(c.type, c.field.items, c.field.fields), self._zone)
            for c in plan.columns
        ]
        schema = pa.schema([(column.name, column.wanted) for column in types])
        totals: list[int | None] = []
        batches = self._batches(plan, types, schema, stop, totals)
        next(batches)  # the limit is decided and the query sent
        return RowStream(plan.columns, schema, batches, datetime.now(UTC), plan.reader, total=totals[0])

    def count(self, plan: Plan, stop: Stop) -> int:
        """How many rows the plan matches, its `limit` aside."""
        with self._snapshot(stop) as connection:
            return self._count(connection, plan, None)

    def describe(self, dataset: Dataset) -> tuple[Field, ...]:
        """Every column of the dataset's table or query with the type we give it."""
        with self._snapshot(Stop()) as connection:
            if not dataset.sql:
                return self._table(connection, dataset.table).fields
            # A temporary view knows the declared types of what it selects; it lives in memory, beside the file.
            connection.execute(f"CREATE TEMP VIEW offtake_dataset AS {dataset.sql.strip().rstrip(';')}")
            return self._table(connection, "offtake_dataset").fields

    def tables(self) -> tuple[Table, ...]:
        """Every table and view of the file."""
        with self._snapshot(Stop()) as connection:
            names = connection.execute(_TABLES).fetchall()
            return tuple(self._table(connection, name) for (name,) in names)

    def ping(self) -> None:
        """Raise SourceFailed unless the file can be opened and is a SQLite database."""
        with self._snapshot(Stop()):
            pass

    def close(self) -> None:
        """Nothing stays open between two uses."""

    def _batches(
        self, plan: Plan, types: list[RowColumn], schema: pa.Schema, stop: Stop, totals: list[int | None]
    ) -> Generator[pa.RecordBatch, None, None]:
        """The rows, after one empty batch that is not for the consumer; `totals` gets their number, if it is known."""
        with self._snapshot(stop) as connection:
            totals.append(check_row_limit(plan, lambda at_most: self._count(connection, plan, at_most)))
            cursor = connection.execute(*self._sql(build_select(plan, DIALECT)))
            batches = make_batches(cursor.fetchmany, lambda rows: rows_to_batch(rows, types, schema))
            first = tuple(islice(batches, 1))
            yield rows_to_batch([], types, schema)
            for batch in chain(first, batches):
                yield batch
                stop.check()

    @contextmanager
    def _snapshot(self, stop: Stop) -> Iterator[sqlite3.Connection]:
        """A connection in a read transaction; the driver's errors inside are translated."""
        stop.check()
        deadline = time.monotonic() + self._spec.statement_timeout_s
        try:
            with closing(self._connect()) as connection:
                detach = stop.attach(connection.interrupt)
                try:
                    connection.set_progress_handler(lambda: stop.is_set or time.monotonic() > deadline, _STEPS)
                    connection.execute("BEGIN")
                    connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
                    yield connection
                finally:
                    detach()
        except sqlite3.Error as error:
            raise self._translate(error, stop, deadline) from error

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"file:{quote(str(self._path))}?mode=ro",
            uri=True,
            timeout=self._spec.connect_timeout_s,
            isolation_level=None,
            check_same_thread=False,
        )
        for name, function in self._functions().items():
            connection.create_function(name, 1, function, deterministic=True)
        add_report_functions(connection, self._zone)
        return connection

    def _functions(self) -> dict[str, Callable[[Any], Any]]:
        """What `query.sql` compares with: values as this source reads them, null for what it cannot read."""
        zone = self._zone
        return {
            "offtake_fold": _or_null(lambda value: str(value).casefold()),
            "offtake_instant": _or_null(lambda value: instant_value(value, zone)),
            "offtake_date": _or_null(lambda value: _iso_date(date_value(value, zone))),
            "offtake_time": _or_null(lambda value: time_key(_clock(clock_value(value)))),
            "offtake_decimal": decimal_key,
            "offtake_boolean": _or_null(lambda value: int(boolean_value(value))),
        }

    def _sql(self, statement: sa.Select[Any]) -> tuple[str, dict[str, Any]]:
        compiled = statement.compile(dialect=self._dialect, compile_kwargs={"render_postcompile": True})
        return str(compiled), compiled.params

    def _count(self, connection: sqlite3.Connection, plan: Plan, at_most: int | None) -> int:
        (matched,) = connection.execute(*self._sql(build_count(plan, DIALECT, at_most))).fetchone()
        return int(matched)

    def _table(self, connection: sqlite3.Connection, name: str) -> Table:
        """What the table's declaration says. Raises SourceFailed if there is no such table."""
        schema, _, table = name.rpartition(".")
        rows = connection.execute(
            "SELECT name, type, \"notnull\", pk FROM pragma_table_xinfo(?, nullif(?, '')) WHERE hidden <> 1",
            (table, schema),
        ).fetchall()
        if not rows:
            raise SourceFailed(f"The source {self.name} has no table {name}.", hint="Run `offtake check`.")
        fields = tuple(
            Field(column, kind_of(declared), column, column, nullable=not (required or key))
            for column, declared, required, key in rows
        )
        key = sorted((place, column) for column, _, _, place in rows if place)
        return Table(name, fields, tuple(column for _, column in key))

    def _translate(self, error: sqlite3.Error, stop: Stop, deadline: float) -> OfftakeError:
        """The driver's error as one of ours. Its message stays out: it may hold SQL."""
        if stop.is_set:
            return Cancelled("Stopped on request.")
        code = getattr(error, "sqlite_errorname", "")
        if code == "SQLITE_INTERRUPT" or time.monotonic() > deadline:
            return SourceTimeout(
                f"The source {self.name} did not finish within {self._spec.statement_timeout_s:g} s.",
                hint="Ask for less, or raise timeouts.statement_s.",
            )
        if code in ("SQLITE_CANTOPEN", "SQLITE_NOTADB"):
            return SourceFailed(
                f"The file of the source {self.name} cannot be opened as a SQLite database.",
                hint="Check the path in its url, and that we may read the file.",
            )
        if not_text := _NOT_TEXT.match(str(error)):
            return SourceFailed(
                f"{not_text[1]} holds text that is not UTF-8.",
                hint="Export its bytes: let the dataset's sql select CAST(column AS BLOB).",
            )
        return SourceFailed(
            f"The source {self.name} refused the query ({code or type(error).__name__}).",
            hint="Run `offtake check`: the dataset may not fit the database any more.",
        )


def _or_null(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def function(value: Any) -> Any:
        try:
            return None if value is None else read(value)
        except (ValueError, TypeError, OverflowError, ArithmeticError):
            return None

    return function


def _iso_date(days: int | None) -> str | None:
    return None if days is None else (date(1970, 1, 1) + timedelta(days=days)).isoformat()


def _clock(microseconds: int) -> Any:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)).time()
