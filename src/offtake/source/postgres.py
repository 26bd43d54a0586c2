"""PostgreSQL: COPY (select) TO STDOUT in one read-only snapshot, read to Arrow."""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pyarrow as pa
import sqlalchemy as sa
from psycopg.pq import TransactionStatus
from sqlalchemy.pool import PoolProxiedConnection

from offtake.errors import Cancelled, InvalidRequest, OfftakeError, SourceFailed, SourceTimeout
from offtake.model.dataset import Dataset, Field
from offtake.model.export import Plan
from offtake.model.ports import RowStream, SourceSpec, Stop, Table
from offtake.query.sql import build_count, build_select, typing_plans
from offtake.source import binary
from offtake.source.copycsv import CopyFailed, start_copy
from offtake.source.pgcopy import Copy, binary_copy, csv_copy
from offtake.source.pgread import CopyReader, cancelled_by, driver_connection
from offtake.source.pgtypes import (
    CATALOGUE,
    PgType,
    cells,
    item_kind,
    read_catalogue,
    selected,
    wanted_type,
    with_bound,
)
from offtake.source.row_limit import check_row_limit

DIALECT = "postgresql"
FIRST_OWN_OID = 16_384  # below it are the types every PostgreSQL has

# Two exports of one table are to be alike though nobody asked for an order: no scan begins where another one is.
_BEGIN = """
BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;
SET LOCAL TimeZone = 'UTC';
SET LOCAL DateStyle = 'ISO, YMD';
SET LOCAL IntervalStyle = 'iso_8601';
SET LOCAL extra_float_digits = 1;
SET LOCAL synchronize_seqscans = off;
SET LOCAL statement_timeout = {timeout_ms};
SELECT now()
"""
_TABLES = """
SELECT n.nspname || '.' || c.relname,
       ARRAY(SELECT a.attname::text
             FROM pg_catalog.pg_index k, unnest(k.indkey::int2[]) WITH ORDINALITY AS part (number, place),
                  pg_catalog.pg_attribute a
             WHERE k.indrelid = c.oid AND k.indisprimary AND a.attrelid = c.oid AND a.attnum = part.number
             ORDER BY part.place)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'v', 'm', 'f', 'p') AND NOT c.relispartition
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(c.oid, 'SELECT')
ORDER BY 1
"""
_NOT_NULL = "SELECT attnum FROM pg_catalog.pg_attribute WHERE attrelid = %(table)s AND attnotnull"


def open_postgres(spec: SourceSpec) -> "PostgresSource":
    """The source of a `postgresql://` URL; nothing is connected yet."""
    return PostgresSource(spec, is_binary=binary.available())


class PostgresSource:
    """A PostgreSQL database behind a pool of connections, each in autocommit: every transaction is begun here."""

    def __init__(self, spec: SourceSpec, *, is_binary: bool) -> None:
        self._spec = spec
        self._is_binary = is_binary
        self._zone = ZoneInfo(spec.timezone)
        self._builtin: dict[int, PgType] = {}
        self._engine = sa.create_engine(
            sa.make_url(spec.url).set(drivername="postgresql+psycopg"),
            pool_size=spec.pool_size,
            max_overflow=0,
            pool_timeout=spec.pool_timeout_s,
            pool_pre_ping=True,
            pool_use_lifo=True,
            connect_args={
                "autocommit": True,
                "connect_timeout": max(1, round(spec.connect_timeout_s)),
                "prepare_threshold": None,
                "client_encoding": "utf8",
                "application_name": "offtake",
                "keepalives_idle": 30,
                "keepalives_interval": 10,
                "keepalives_count": 3,
                "cursor_factory": psycopg.ClientCursor,  # COPY takes no parameters from the server's side
            },
        )

    @property
    def name(self) -> str:
        """The name offtake.yaml gives it."""
        return self._spec.name

    def read(self, plan: Plan, stop: Stop) -> RowStream:
        """Open one snapshot and give its rows; see `ports.Source.read`."""
        stop.check()
        pooled = self._connect()
        with self._given_back_on_error(pooled, stop), cancelled_by(stop, driver_connection(pooled)):
            connection = driver_connection(pooled)
            snapshot_at = self._begin(connection)
            types, naive = self._types(connection, plan)
            total = check_row_limit(plan, lambda at_most: self._count(connection, plan, naive, at_most))
            schema = pa.schema([(pair[0].name, wanted_type(*pair)) for pair in zip(plan.columns, types, strict=True)])
            copy = self._copy(connection, plan, types, naive, schema)
            stop.check()
            query = f"COPY ({self._sql(connection, copy.statement)}) TO STDOUT (FORMAT {copy.format})"
            start_copy(connection.pgconn, query.encode())
        reader = CopyReader(pooled, stop, lambda error: self._translate(error, stop), copy.read)
        batches = _batches(reader, copy.parse, schema)
        next(batches)  # a generator that has not begun would not close the reader
        return RowStream(plan.columns, schema, batches, snapshot_at, plan.reader, total=total)

    def count(self, plan: Plan, stop: Stop) -> int:
        """How many rows the plan matches, its `limit` aside."""
        with self._transaction(stop) as connection:
            return self._count(connection, plan, self._types(connection, plan)[1], None)

    def describe(self, dataset: Dataset) -> tuple[Field, ...]:
        """Every column of the dataset's table or query with the type we give it."""
        with self._transaction(Stop()) as connection:
            if dataset.sql:
                return self._fields(connection, f"(\n{dataset.sql.strip().rstrip(';')}\n) AS dataset", is_table=False)
            return self._fields(connection, self._quoted(dataset.table), is_table=True)

    def tables(self) -> tuple[Table, ...]:
        """Every table and view we may read, with its schema."""
        with self._transaction(Stop()) as connection:
            found = connection.execute(_TABLES).fetchall()
            return tuple(
                Table(name, self._fields(connection, self._quoted(name), is_table=True), tuple(key))
                for name, key in found
            )

    def ping(self) -> None:
        """Raise SourceFailed unless the database answers."""
        with self._transaction(Stop()):
            pass

    def close(self) -> None:
        """Let every connection go."""
        self._engine.dispose()

    def _connect(self) -> PoolProxiedConnection:
        try:
            return self._engine.raw_connection()
        except sa.exc.TimeoutError as error:
            raise SourceTimeout(
                f"All {self._spec.pool_size} connections of the source {self.name} are busy.",
                hint="Try again later, or raise pool.size.",
            ) from error
        except (psycopg.Error, sa.exc.DBAPIError, OSError) as error:
            raise SourceFailed(
                f"The source {self.name} cannot be reached.",
                hint="Check that its server runs and that host, user, password and database in its url are right.",
            ) from error

    @contextmanager
    def _transaction(self, stop: Stop) -> Iterator[psycopg.Connection[Any]]:
        """A connection in a read-only snapshot; driver errors inside are translated."""
        stop.check()
        pooled = self._connect()
        connection = driver_connection(pooled)
        with self._given_back_on_error(pooled, stop):
            with cancelled_by(stop, connection):
                self._begin(connection)
                yield connection
            stop.check()
        pooled.close()

    @contextmanager
    def _given_back_on_error(self, pooled: PoolProxiedConnection, stop: Stop) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            status = driver_connection(pooled).info.transaction_status
            # A cancel on its way would hit whoever uses the connection next.
            if stop.is_set or status not in (TransactionStatus.INTRANS, TransactionStatus.INERROR):
                pooled.invalidate()
            pooled.close()
            if isinstance(error, psycopg.Error | CopyFailed):
                raise self._translate(error, stop) from error
            raise

    def _begin(self, connection: psycopg.Connection[Any]) -> datetime:
        """Begin the transaction; the instant it began."""
        cursor = connection.execute(_BEGIN.format(timeout_ms=max(1, round(self._spec.statement_timeout_s * 1000))))
        while cursor.nextset():
            pass
        (now,) = cursor.fetchone() or (datetime.now(UTC),)
        assert isinstance(now, datetime)
        return now.astimezone(UTC)

    def _types(self, connection: psycopg.Connection[Any], plan: Plan) -> tuple[list[PgType], frozenset[str]]:
        """The types of the plan's columns, and the names of the dataset's datetime fields that have no zone."""
        rows, report = typing_plans(plan)
        columns = rows.columns if rows else ()
        types = self._typed(connection, rows, frozenset()) if rows else []
        naive = frozenset(
            column.name for column, type_ in zip(columns, types, strict=True) if type_.is_naive and not column.mask
        )
        return self._typed(connection, report, naive) if report else types[: len(plan.columns)], naive

    def _typed(self, connection: psycopg.Connection[Any], plan: Plan, naive: frozenset[str]) -> list[PgType]:
        statement = build_select(plan, DIALECT, timezone=self._zone.key, naive=naive)
        return self._result_types(connection, connection.execute(self._sql(connection, statement)))

    def _result_types(self, connection: psycopg.Connection[Any], cursor: psycopg.Cursor[Any]) -> list[PgType]:
        result = cursor.pgresult
        assert result is not None
        oids = [result.ftype(index) for index in range(result.nfields)]
        known = self._builtin
        if missing := [oid for oid in oids if oid not in known]:
            catalogue = read_catalogue(connection.execute(CATALOGUE, {"oids": missing}).fetchall())
            self._builtin = self._builtin | {oid: type_ for oid, type_ in catalogue.items() if oid < FIRST_OWN_OID}
            known = known | catalogue
        return [with_bound(known[oid], result.fmod(index)) for index, oid in enumerate(oids)]

    def _count(
        self, connection: psycopg.Connection[Any], plan: Plan, naive: frozenset[str], at_most: int | None
    ) -> int:
        statement = build_count(plan, DIALECT, at_most, timezone=self._zone.key, naive=naive)
        (matched,) = connection.execute(self._sql(connection, statement)).fetchone() or (0,)
        return int(matched)

    def _copy(
        self,
        connection: psycopg.Connection[Any],
        plan: Plan,
        types: Sequence[PgType],
        naive: frozenset[str],
        schema: pa.Schema,
    ) -> Copy:
        """The COPY of the plan's rows, the quicker way that works here."""
        statement = self._select(plan, types, naive)
        columns = [cells(*pair, self._zone) for pair in zip(plan.columns, types, strict=True)]
        if not self._is_binary:
            return csv_copy(statement, columns, schema)
        described = connection.execute(self._sql(connection, statement.limit(0)))
        is_utf8 = connection.info.parameter_status("server_encoding") not in (None, "SQL_ASCII")
        return binary_copy(statement, self._result_types(connection, described), columns, schema, is_utf8=is_utf8)

    def _select(self, plan: Plan, types: Sequence[PgType], naive: frozenset[str]) -> sa.Select[Any]:
        statement = build_select(plan, DIALECT, timezone=self._zone.key, naive=naive)
        shown = []
        for label, column, type_ in zip(statement.selected_columns, plan.columns, types, strict=True):
            assert isinstance(label, sa.Label)
            shown.append(selected(label.element, type_, column.type, item_kind(column), self._zone.key))
        return statement.with_only_columns(*(value.label(f"c{index}") for index, value in enumerate(shown)))

    def _sql(self, connection: psycopg.Connection[Any], statement: sa.Select[Any]) -> str:
        """The statement as text, its values quoted by the driver."""
        compiled = statement.compile(dialect=self._engine.dialect, compile_kwargs={"render_postcompile": True})
        try:
            return psycopg.ClientCursor(connection).mogrify(str(compiled), compiled.params)
        except psycopg.DataError as error:
            raise InvalidRequest(
                "A text to search for holds the character NUL, which no text here can hold."
            ) from error

    def _quoted(self, table: str) -> str:
        quote = self._engine.dialect.identifier_preparer.quote_identifier
        schema, _, name = table.rpartition(".")
        return f"{quote(schema)}.{quote(name)}" if schema else quote(name)

    def _fields(self, connection: psycopg.Connection[Any], relation: str, *, is_table: bool) -> tuple[Field, ...]:
        """The columns of something that can stand behind FROM."""
        cursor = connection.execute(f"SELECT * FROM {relation} LIMIT 0".encode())  # noqa: S608  (quoted, or the configuration's own)
        types, result = self._result_types(connection, cursor), cursor.pgresult
        assert result is not None
        required: set[int] = set()
        if is_table and result.nfields:
            required = {number for (number,) in connection.execute(_NOT_NULL, {"table": result.ftable(0)})}
        names = [column.name for column in cursor.description or ()]
        return tuple(
            Field(
                name,
                type_.kind,
                name,
                name,
                nullable=result.ftablecol(index) not in required,
                values=type_.values,
                items=type_.items,
            )
            for index, (name, type_) in enumerate(zip(names, types, strict=True))
        )

    def _translate(self, error: Exception, stop: Stop) -> OfftakeError:
        """The driver's error as one of ours. Its message stays out: it may hold SQL and values."""
        if stop.is_set:
            return Cancelled("Stopped on request.")
        if isinstance(error, OfftakeError):
            return error
        sqlstate = (error.sqlstate if isinstance(error, CopyFailed | psycopg.Error) else None) or "08006"
        if sqlstate in ("57014", "25P04"):
            return SourceTimeout(
                f"The source {self.name} cancelled the query after at most {self._spec.statement_timeout_s:g} s.",
                hint="Ask for less, or raise timeouts.statement_s.",
            )
        if sqlstate.startswith(("08", "57P")):
            return SourceFailed(f"The connection to the source {self.name} broke.", hint="Try again.")
        hint = "Run `offtake check`: the dataset may not fit the database any more." if sqlstate[:2] == "42" else ""
        return SourceFailed(f"The source {self.name} refused the query ({_condition(sqlstate)}).", hint=hint)


def _condition(sqlstate: str) -> str:
    """The name of an error code (PostgreSQL, appendix A), or the code itself."""
    try:
        return psycopg.errors.lookup(sqlstate).__name__
    except KeyError:
        return sqlstate


def _batches(
    reader: CopyReader, parse: Callable[[Any], pa.RecordBatch], schema: pa.Schema
) -> Generator[pa.RecordBatch, None, None]:
    """The parsed blocks, after one empty batch that is not for the consumer."""
    with closing(reader):
        yield pa.RecordBatch.from_pylist([], schema=schema)
        for block in reader.blocks():
            yield parse(block)
