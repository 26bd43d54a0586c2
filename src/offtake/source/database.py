"""Any other database SQLAlchemy has a dialect for: a server-side cursor, rows to Arrow."""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from offtake.errors import Cancelled, InvalidConfig, OfftakeError, SourceFailed, SourceTimeout
from offtake.model.dataset import Dataset, Field, FieldType
from offtake.model.export import Column, Plan
from offtake.model.ports import RowStream, SourceSpec, Stop, Table
from offtake.query.sql import build_count, build_select, typing_plans
from offtake.source import mysql
from offtake.source.arrow_types import arrow_type
from offtake.source.batches import make_batches
from offtake.source.row_limit import check_row_limit
from offtake.source.rows_to_arrow import RowColumn, rows_to_batch

_UTC = ZoneInfo("UTC")
_DRIVERS = {"mysql": "mysql+pymysql", "mariadb": "mariadb+pymysql"}
_EXTRAS = {"pymysql": "mysql"}
_SNAPSHOTS = ("REPEATABLE READ", "SERIALIZABLE")
_KINDS: tuple[tuple[type[sa.types.TypeEngine[Any]], FieldType], ...] = (
    (sa.Boolean, FieldType.BOOLEAN),
    (sa.Integer, FieldType.INTEGER),
    (sa.Float, FieldType.NUMBER),
    (sa.Numeric, FieldType.DECIMAL),
    (sa.DateTime, FieldType.DATETIME),
    (sa.Date, FieldType.DATE),
    (sa.Time, FieldType.TIME),
    (sa.Uuid, FieldType.UUID),
    (sa.JSON, FieldType.JSON),
    (sa.ARRAY, FieldType.LIST),
)


def open_database(spec: SourceSpec) -> "DatabaseSource":
    """The source of a SQLAlchemy URL; nothing is connected yet. InvalidConfig if dialect or driver is missing."""
    try:
        url = sa.make_url(spec.url)
        url = url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))
        engine = sa.create_engine(
            url,
            pool_size=spec.pool_size,
            max_overflow=0,
            pool_timeout=spec.pool_timeout_s,
            pool_pre_ping=True,
            connect_args=mysql.connect_arguments(url.get_driver_name(), spec),
        )
    except ModuleNotFoundError as error:
        missing = error.name or "its driver"
        extra = _EXTRAS.get(missing)
        command = f"pip install 'offtake[{extra}]'" if extra else f"pip install {missing}"
        raise InvalidConfig(f"sources.{spec.name}: {missing} is not installed.", hint=f"Run {command}.") from error
    except (sa.exc.ArgumentError, TypeError) as error:
        raise InvalidConfig(
            f"sources.{spec.name}: its url cannot be used.", hint="Write it as SQLAlchemy does: dialect+driver://…"
        ) from error
    return DatabaseSource(spec, engine)


class DatabaseSource:
    """A database behind a pool of connections, read in a snapshot where the database has them."""

    def __init__(self, spec: SourceSpec, engine: sa.Engine) -> None:
        self._spec = spec
        self._engine = engine
        self._zone = ZoneInfo(spec.timezone)
        self._is_mysql = engine.dialect.name in mysql.NAMES
        self._side = sa.create_engine(
            engine.url, poolclass=NullPool, connect_args=mysql.connect_arguments(engine.driver, spec)
        )

    @property
    def name(self) -> str:
        """The name offtake.yaml gives it."""
        return self._spec.name

    def read(self, plan: Plan, stop: Stop) -> RowStream:
        """Open one snapshot and give its rows; see `ports.Source.read`."""
        opened: list[tuple[pa.Schema, datetime, int | None]] = []
        batches = self._batches(plan, stop, opened)
        next(batches)  # the limit is decided and the query sent
        schema, snapshot_at, total = opened[0]
        return RowStream(plan.columns, schema, batches, snapshot_at, plan.reader, total=total)

    def count(self, plan: Plan, stop: Stop) -> int:
        """How many rows the plan matches, its `limit` aside."""
        with self._snapshot(stop) as (connection, _cancel):
            return self._count(connection, plan, self._types(connection, plan)[1], None)

    def describe(self, dataset: Dataset) -> tuple[Field, ...]:
        """Every column of the dataset's table or query with the type we give it."""
        with self._snapshot(Stop()) as (connection, _cancel):
            if not dataset.sql:
                return self._reflected(sa.inspect(connection), dataset.table)
            query = dataset.sql.strip().rstrip(";").replace(":", "\\:")
            rows = sa.text(f"SELECT * FROM (\n{query}\n) dataset WHERE 1 = 0")  # noqa: S608  (the configuration's own)
            with connection.execute(rows) as result:
                return tuple(self._described(column) for column in _description(result))

    def tables(self) -> tuple[Table, ...]:
        """Every table and view of the schema the connection starts in."""
        with self._snapshot(Stop()) as (connection, _cancel):
            inspector = sa.inspect(connection)
            return tuple(
                Table(
                    name,
                    self._reflected(inspector, name),
                    tuple(inspector.get_pk_constraint(name)["constrained_columns"]),
                )
                for name in sorted((*inspector.get_table_names(), *inspector.get_view_names()))
            )

    def ping(self) -> None:
        """Raise SourceFailed unless the database answers."""
        with self._snapshot(Stop()):
            pass

    def close(self) -> None:
        """Let every connection go."""
        self._engine.dispose()

    def _batches(
        self, plan: Plan, stop: Stop, opened: list[tuple[pa.Schema, datetime, int | None]]
    ) -> Generator[pa.RecordBatch, None, None]:
        """The rows, after one empty batch that is not for the consumer; `opened` gets what is told before."""
        with self._snapshot(stop) as (connection, cancel):
            snapshot_at = datetime.now(UTC)
            types, naive = self._types(connection, plan)
            total = check_row_limit(plan, lambda at_most: self._count(connection, plan, naive, at_most))
            schema = pa.schema([(column.name, column.wanted) for column in types])
            opened.append((schema, snapshot_at, total))
            stop.check()
            streaming = connection.execution_options(stream_results=True)
            result = streaming.execute(_numbered(self._build(plan, naive)))
            try:
                yield rows_to_batch([], types, schema)
                for batch in make_batches(result.fetchmany, lambda rows: rows_to_batch(rows, types, schema)):
                    yield batch
                    stop.check()
            except BaseException:
                # Drivers read a result to its end before they close it: end it first.
                cancel()
                with suppress(sa.exc.SQLAlchemyError):
                    result.close()
                connection.invalidate()
                raise

    @contextmanager
    def _snapshot(self, stop: Stop) -> Iterator[tuple[sa.Connection, Callable[[], None]]]:
        """A connection in a read-only transaction, and what cancels its query; errors inside are translated."""
        stop.check()
        with self._connect() as connection:
            try:
                number = self._begin(connection)

                def cancel() -> None:
                    self._cancel(connection, number)

                detach = stop.attach(cancel)
                try:
                    yield connection, cancel
                finally:
                    detach()
                    if stop.is_set:
                        connection.invalidate()
            except sa.exc.SQLAlchemyError as error:
                raise self._translate(error, stop) from error

    def _connect(self) -> sa.Connection:
        try:
            return self._engine.connect()
        except sa.exc.TimeoutError as error:
            raise SourceTimeout(
                f"All {self._spec.pool_size} connections of the source {self.name} are busy.",
                hint="Try again later, or raise pool.size.",
            ) from error
        except (sa.exc.SQLAlchemyError, OSError) as error:
            raise SourceFailed(
                f"The source {self.name} cannot be reached.",
                hint="Check that its server runs and that host, user, password and database in its url are right.",
            ) from error

    def _begin(self, connection: sa.Connection) -> int:
        """Begin the snapshot; the number MySQL knows the connection by."""
        if self._is_mysql:
            return mysql.begin(connection, self._spec)
        known = connection.dialect.get_isolation_level_values(connection.connection.dbapi_connection)  # type: ignore[arg-type]
        level = next((level for level in _SNAPSHOTS if level in known), None)
        if level is not None:
            connection.execution_options(isolation_level=level)
        return 0

    def _cancel(self, connection: sa.Connection, number: int) -> None:
        """Ask the database to end what the connection runs; without a way to, the next batch ends it."""
        with suppress(sa.exc.SQLAlchemyError):
            if self._is_mysql:
                with self._side.connect() as side:
                    side.exec_driver_sql(f"KILL QUERY {number}")
            else:
                cancel = getattr(connection.connection.driver_connection, "cancel", None)
                if cancel is not None:
                    cancel()

    def _types(self, connection: sa.Connection, plan: Plan) -> tuple[list[RowColumn], frozenset[str]]:
        """How each column is read, and the names of the dataset's datetime fields that have no zone."""
        if not self._is_mysql:
            naive = frozenset(field.name for field in plan.dataset.fields if field.type is FieldType.DATETIME)
            return [self._column(column, None, self._zone) for column in plan.columns], naive
        rows, report = typing_plans(plan)
        described = self._described_by(connection, rows, frozenset()) if rows else []
        columns = rows.columns if rows else ()
        naive = frozenset(c.name for c, given in zip(columns, described, strict=True) if mysql.is_naive(given))
        if report:
            described = self._described_by(connection, report, naive)
            return [self._column(*each, _UTC) for each in zip(plan.columns, described, strict=True)], naive
        zones = (self._zone if mysql.is_naive(given) else _UTC for given in described)
        types = [self._column(*each) for each in zip(plan.columns, described, zones, strict=False)]
        return types, naive

    def _described_by(self, connection: sa.Connection, plan: Plan, naive: frozenset[str]) -> list[Sequence[Any]]:
        with connection.execute(_numbered(self._build(plan, naive))) as result:
            return _description(result)

    def _column(self, column: Column, given: Sequence[Any] | None, zone: ZoneInfo) -> RowColumn:
        bound = mysql.bound(given) if given is not None else None
        wanted = arrow_type(column.type, column.field.items, column.field.fields, bound)
        return RowColumn(column.name, column.type, wanted, zone)

    def _build(self, plan: Plan, naive: frozenset[str]) -> sa.Select[Any]:
        return build_select(plan, self._engine.dialect.name, timezone=self._zone.key, naive=naive)

    def _count(self, connection: sa.Connection, plan: Plan, naive: frozenset[str], at_most: int | None) -> int:
        dialect = self._engine.dialect.name
        statement = build_count(plan, dialect, at_most, timezone=self._zone.key, naive=naive)
        return int(connection.execute(statement).scalar_one())

    def _reflected(self, inspector: sa.Inspector, table: str) -> tuple[Field, ...]:
        schema, _, name = table.rpartition(".")
        return tuple(
            _field(column["name"], _kind_of(column["type"]), column["nullable"], column["type"])
            for column in inspector.get_columns(name, schema or None)
        )

    def _described(self, column: Sequence[Any]) -> Field:
        kind = mysql.kind_of_result(column) if self._is_mysql else FieldType.STRING
        return _field(str(column[0]), kind, nullable=True)

    def _translate(self, error: Exception, stop: Stop) -> OfftakeError:
        """The driver's error as one of ours. Its message stays out: it may hold SQL and values."""
        if stop.is_set:
            return Cancelled("Stopped on request.")
        if isinstance(error, sa.exc.NoSuchTableError):
            return SourceFailed(f"The source {self.name} has no such table.", hint="Run `offtake check`.")
        cause = error.orig if isinstance(error, sa.exc.DBAPIError) else None
        number = cause.args[0] if cause is not None and cause.args else None
        if self._is_mysql and number in mysql.TIMED_OUT:
            return SourceTimeout(
                f"The source {self.name} cancelled the query after at most {self._spec.statement_timeout_s:g} s.",
                hint="Ask for less, or raise timeouts.statement_s.",
            )
        if (isinstance(error, sa.exc.DBAPIError) and error.connection_invalidated) or (
            self._is_mysql and number in mysql.CONNECTION_LOST
        ):
            return SourceFailed(f"The connection to the source {self.name} broke.", hint="Try again.")
        name = type(cause or error).__name__ + (f" {number}" if isinstance(number, int) else "")
        return SourceFailed(
            f"The source {self.name} refused the query ({name}).",
            hint="Run `offtake check`: the dataset may not fit the database any more.",
        )


def _field(name: str, kind: FieldType, nullable: bool, type_: sa.types.TypeEngine[Any] | None = None) -> Field:
    values = tuple(type_.enums) if isinstance(type_, sa.Enum) else ()
    items = _kind_of(type_.item_type) if isinstance(type_, sa.ARRAY) else None
    return Field(name, kind, name, name, nullable=nullable, values=values, items=items)


def _kind_of(type_: sa.types.TypeEngine[Any]) -> FieldType:
    special = mysql.kind_of_type(type_)
    if special is not None:
        return special
    return next((kind for class_, kind in _KINDS if isinstance(type_, class_)), FieldType.STRING)


def _description(result: sa.CursorResult[Any]) -> list[Sequence[Any]]:
    """The driver's description of a result's columns (PEP 249)."""
    assert result.cursor is not None
    return list(result.cursor.description or ())


def _numbered(statement: sa.Select[Any]) -> sa.Select[Any]:
    """The same select with names that no two columns share."""
    elements = (label.element for label in statement.selected_columns if isinstance(label, sa.Label))
    return statement.with_only_columns(*(element.label(f"c{index}") for index, element in enumerate(elements)))
