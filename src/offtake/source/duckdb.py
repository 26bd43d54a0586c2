"""DuckDB: a database file, or Parquet, CSV and JSON files as tables; streamed as Arrow."""

import re
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa
from duckdb.sqltypes import DuckDBPyType
from sqlalchemy.dialects.postgresql.base import PGDialect

from offtake.errors import Cancelled, InvalidConfig, OfftakeError, SourceFailed, SourceTimeout
from offtake.model.dataset import Dataset, Field
from offtake.model.export import Column, Plan
from offtake.model.ports import FileSet, RowStream, SourceSpec, Stop, Table
from offtake.query.sql import build_count, build_select, typing_plans
from offtake.source.arrow_types import INSTANT
from offtake.source.batches import BATCH_BYTES, cut_batches
from offtake.source.cells import DATE_MIN, INSTANT_MIN
from offtake.source.csv_sniffs import CsvFiles, literal, quoted
from offtake.source.ducktypes import field_of, is_naive, selected, wanted_type
from offtake.source.fit import fit_column
from offtake.source.row_limit import check_row_limit

DIALECT = "duckdb"
MOST_ROWS = 16_384
ROWS_AT_ONCE = 1024  # that DuckDB gives, however long they are; fewer take longer
SNIFFED_ROWS = 200_000  # of a CSV, to guess its types; the default of 20,480 misses too much
_READERS = {
    ".parquet": "read_parquet({path}, union_by_name = true)",
    ".pq": "read_parquet({path}, union_by_name = true)",
    ".json": "read_json({path}, union_by_name = true)",
    ".ndjson": "read_json({path}, format = 'newline_delimited', union_by_name = true)",
    ".jsonl": "read_json({path}, format = 'newline_delimited', union_by_name = true)",
}
_CSV = (".csv", ".tsv", ".txt")
_TABLES = """
SELECT t.schema_name, t.name, coalesce(c.constraint_column_names, []) FROM (
    SELECT database_name, schema_name, table_name AS name FROM duckdb_tables() WHERE NOT internal
    UNION ALL SELECT database_name, schema_name, view_name FROM duckdb_views() WHERE NOT internal
) t LEFT JOIN duckdb_constraints() c ON c.database_name = t.database_name AND c.schema_name = t.schema_name
    AND c.table_name = t.name AND c.constraint_type = 'PRIMARY KEY'
WHERE t.database_name = current_database() ORDER BY 1, 2
"""


def open_duckdb(spec: SourceSpec) -> "DuckdbSource":
    """The source of a `duckdb://` URL; nothing is opened yet. InvalidConfig for a file we cannot tell the kind of."""
    path = sa.make_url(spec.url).database
    if path in ("", ":memory:"):
        path = None
    if path and spec.files:
        raise InvalidConfig(
            f"sources.{spec.name}: give either a DuckDB file or `files:`, not both.", hint="Make two sources of it."
        )
    files = {name: _files(spec.name, name, file_set) for name, file_set in spec.files.items()}
    return DuckdbSource(spec, path, files)


def _files(source: str, name: str, files: FileSet) -> str | CsvFiles:
    """The relation that reads a set of files; a CSV's is known when its files have been looked at."""
    ending = Path(re.sub(r"\.(gz|zst)$", "", files.path.lower())).suffix
    path = str(Path(files.path).absolute())
    if ending in _CSV:
        nulls = ", ".join(literal(text) for text in dict.fromkeys((files.null_text, "")))
        return CsvFiles(path, f"nullstr = [{nulls}], allow_quoted_nulls = false, sample_size = {SNIFFED_ROWS}")
    reader = _READERS.get(ending)
    if reader is None:
        raise InvalidConfig(
            f"sources.{source}.files.{name}: unknown kind of file.",
            hint=f"Known endings: {', '.join((*_READERS, *_CSV))}.",
        )
    return reader.format(path=literal(path))


class DuckdbSource:
    """A DuckDB file or a set of files. Every use opens it anew, so files may be replaced between two exports."""

    def __init__(self, spec: SourceSpec, path: str | None, files: dict[str, str | CsvFiles]) -> None:
        self._spec = spec
        self._path = path
        self._files = files
        self._zone = ZoneInfo(spec.timezone)
        self._dialect: sa.Dialect = PGDialect(paramstyle="qmark")  # type: ignore[no-untyped-call]

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
        with self._snapshot(plan.dataset, stop) as connection:
            return self._count(connection, plan, self._types(connection, plan)[1], None)

    def describe(self, dataset: Dataset) -> tuple[Field, ...]:
        """Every column of the dataset's table or query with the type we give it."""
        with self._snapshot(dataset, Stop()) as connection:
            if dataset.sql:
                return _fields(connection, f"(\n{dataset.sql.strip().rstrip(';')}\n) AS dataset")
            schema, _, table = dataset.table.rpartition(".")
            return _fields(connection, ".".join(quoted(part) for part in (schema, table) if part))

    def tables(self) -> tuple[Table, ...]:
        """Every table and view, those of the schema `main` without its name."""
        with self._snapshot(None, Stop()) as connection:
            found = connection.execute(_TABLES).fetchall()
            return tuple(
                Table(
                    name if schema == "main" else f"{schema}.{name}",
                    _fields(connection, f"{quoted(schema)}.{quoted(name)}"),
                    tuple(key),
                )
                for schema, name, key in found
            )

    def ping(self) -> None:
        """Raise SourceFailed unless the database, or every set of files, can be opened."""
        with self._snapshot(None, Stop()):
            pass

    def close(self) -> None:
        """Nothing stays open between two uses."""

    def _batches(
        self, plan: Plan, stop: Stop, opened: list[tuple[pa.Schema, datetime, int | None]]
    ) -> Generator[pa.RecordBatch, None, None]:
        """The rows, after one empty batch that is not for the consumer; `opened` gets what is told before."""
        with self._snapshot(plan.dataset, stop) as connection:
            ((now,),) = connection.execute("SELECT epoch_us(now())").fetchall()
            types, naive = self._types(connection, plan)
            total = check_row_limit(plan, lambda at_most: self._count(connection, plan, naive, at_most))
            schema = pa.schema([(c.name, wanted_type(c, type_)) for c, type_ in zip(plan.columns, types, strict=True)])
            opened.append((schema, datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=now), total))
            query, parameters = self._sql(self._select(plan, types, naive))
            stop.check()
            # A relation streams; a cursor's result would be made whole first.
            reader = connection.sql(query, params=parameters).to_arrow_reader(ROWS_AT_ONCE)
            yield pa.RecordBatch.from_pylist([], schema=schema)
            for batch in cut_batches(reader, MOST_ROWS, BATCH_BYTES):
                yield self._fitted(batch, plan.columns, schema)
                stop.check()

    def _fitted(self, batch: pa.RecordBatch, columns: Sequence[Column], schema: pa.Schema) -> pa.RecordBatch:
        arrays = []
        for array, column, field in zip(batch.columns, columns, schema, strict=True):
            fitted = fit_column(array, column.type, field.type, column.name, self._zone)
            arrays.append(_lowest_is_infinite(fitted))
        return pa.RecordBatch.from_arrays(arrays, schema=schema)

    @contextmanager
    def _snapshot(self, dataset: Dataset | None, stop: Stop) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection in a transaction, with the views the dataset needs (None: all, and each must open)."""
        stop.check()
        late = threading.Event()
        try:
            with self._connect(dataset) as connection:

                def end() -> None:
                    late.set()
                    connection.interrupt()

                timer = threading.Timer(self._spec.statement_timeout_s, end)
                timer.daemon = True
                timer.start()
                detach = stop.attach(connection.interrupt)
                try:
                    connection.execute("BEGIN TRANSACTION")
                    yield connection
                finally:
                    detach()
                    timer.cancel()
        except (duckdb.Error, OSError, pa.ArrowException) as error:
            raise self._translate(error, stop, late.is_set()) from error

    @contextmanager
    def _connect(self, dataset: Dataset | None) -> Iterator[duckdb.DuckDBPyConnection]:
        # A file is attached to a database in memory of its own: connections to one file would share their settings.
        with duckdb.connect() as connection:
            for setting in ("autoinstall_known_extensions = false", "autoload_known_extensions = false"):
                connection.execute(f"SET {setting}")
            connection.execute("SET TimeZone = 'UTC'")
            if self._path is not None:
                connection.execute(f"ATTACH {literal(self._path)} AS offtake_source (READ_ONLY)")
                connection.execute("USE offtake_source")
            self._make_views(connection, dataset)
            # From here on no query reaches any other file, whatever it says.
            folders = sorted({str(_fixed_folder(files.path)) for files in self._spec.files.values()})
            connection.execute(f"SET allowed_directories = [{', '.join(literal(f + '/') for f in folders)}]")
            connection.execute("SET enable_external_access = false")
            connection.execute("SET lock_configuration = true")
            yield connection

    def _make_views(self, connection: duckdb.DuckDBPyConnection, dataset: Dataset | None) -> None:
        """Files another dataset needs may be missing; a query that does need them then says so."""
        needed = {dataset.table} if dataset is not None and dataset.table else set(self._files)
        for name in sorted(needed & set(self._files)):
            try:
                files = self._files[name]
                relation = files.sniffed(connection).relation if isinstance(files, CsvFiles) else files
                connection.execute(f"CREATE VIEW {quoted(name)} AS SELECT * FROM {relation}")  # noqa: S608  (quoted)
            except (duckdb.Error, OSError) as error:
                if dataset is None or dataset.table:
                    raise SourceFailed(
                        f"The files of {name} in the source {self.name} cannot be read.",
                        hint="Check their path, and that they are what their ending says.",
                    ) from error

    def _types(
        self, connection: duckdb.DuckDBPyConnection, plan: Plan
    ) -> tuple[Sequence[DuckDBPyType], frozenset[str]]:
        """The types of the plan's columns, and the names of the dataset's datetime fields that have no zone."""
        rows, report = typing_plans(plan)
        columns = rows.columns if rows else ()
        types = self._typed(connection, rows, frozenset()) if rows else []
        naive = frozenset(
            column.name for column, type_ in zip(columns, types, strict=True) if is_naive(type_) and not column.mask
        )
        return self._typed(connection, report, naive) if report else types[: len(plan.columns)], naive

    def _typed(
        self, connection: duckdb.DuckDBPyConnection, plan: Plan, naive: frozenset[str]
    ) -> Sequence[DuckDBPyType]:
        query, parameters = self._sql(_numbered(build_select(plan, DIALECT, timezone=self._zone.key, naive=naive)))
        return connection.sql(query, params=parameters).types

    def _select(self, plan: Plan, types: Sequence[DuckDBPyType], naive: frozenset[str]) -> sa.Select[Any]:
        statement = build_select(plan, DIALECT, timezone=self._zone.key, naive=naive)
        shown = [
            selected(label.element, type_, column.type)
            for label, column, type_ in zip(statement.selected_columns, plan.columns, types, strict=True)
            if isinstance(label, sa.Label)
        ]
        return statement.with_only_columns(*(value.label(f"c{index}") for index, value in enumerate(shown)))

    def _count(
        self, connection: duckdb.DuckDBPyConnection, plan: Plan, naive: frozenset[str], at_most: int | None
    ) -> int:
        statement = build_count(plan, DIALECT, at_most, timezone=self._zone.key, naive=naive)
        ((matched,),) = connection.execute(*self._sql(statement)).fetchall()
        return int(matched)

    def _sql(self, statement: sa.Select[Any]) -> tuple[str, list[Any]]:
        compiled = statement.compile(dialect=self._dialect, compile_kwargs={"render_postcompile": True})
        values = compiled.params  # built anew at every look
        return str(compiled), [values[name] for name in compiled.positiontup or ()]

    def _translate(self, error: Exception, stop: Stop, is_late: bool) -> OfftakeError:
        """DuckDB's error as one of ours. Its message stays out: it holds SQL, values and file names."""
        if stop.is_set:
            return Cancelled("Stopped on request.")
        if is_late:
            return SourceTimeout(
                f"The source {self.name} did not finish within {self._spec.statement_timeout_s:g} s.",
                hint="Ask for less, or raise timeouts.statement_s.",
            )
        if isinstance(error, duckdb.IOException | OSError):
            return SourceFailed(
                f"The source {self.name} cannot be opened or read.", hint="Check its files, and that we may read them."
            )
        return SourceFailed(
            f"The source {self.name} refused the query ({type(error).__name__}).",
            hint="Run `offtake check`: the dataset may not fit its tables or files any more.",
        )


def _fields(connection: duckdb.DuckDBPyConnection, relation: str) -> tuple[Field, ...]:
    """The columns of something that can stand behind FROM."""
    rows = connection.sql(f"SELECT * FROM {relation} LIMIT 0")  # noqa: S608  (quoted, or the configuration's own)
    return tuple(field_of(name, type_) for name, type_ in zip(rows.columns, rows.types, strict=True))


def _numbered(statement: sa.Select[Any]) -> sa.Select[Any]:
    """The same select with names that no two columns share."""
    elements = (label.element for label in statement.selected_columns if isinstance(label, sa.Label))
    return statement.with_only_columns(*(element.label(f"c{index}") for index, element in enumerate(elements)))


def _lowest_is_infinite(array: pa.Array) -> pa.Array:
    """DuckDB's -infinity is one more than the smallest integer; ours is the smallest, as PostgreSQL's."""
    for wanted, integer, lowest in ((INSTANT, pa.int64(), INSTANT_MIN), (pa.date32(), pa.int32(), DATE_MIN)):
        if array.type == wanted:
            numbers = array.view(integer)
            is_lowest = pc.equal(numbers, pa.scalar(lowest + 1, integer))
            if pc.any(is_lowest).as_py():
                return pc.if_else(is_lowest, pa.scalar(lowest, integer), numbers).view(wanted)
    return array


def _fixed_folder(path: str) -> Path:
    """The deepest folder that holds every file of a path or glob."""
    whole = Path(path).absolute()
    wild = [index for index, part in enumerate(whole.parts) if re.search(r"[*?\[{]", part)]
    return Path(*whole.parts[: wild[0]]) if wild else whole.parent
