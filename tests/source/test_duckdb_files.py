"""Files as tables, DuckDB's own types, and what its queries may not reach."""

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from offtake.errors import InvalidConfig, SourceFailed
from offtake.model.dataset import Dataset, Field, FieldType
from offtake.model.export import Column, Plan
from offtake.model.ports import FileSet, SourceSpec, Stop
from offtake.source import open_source
from source.samples import reading

T = FieldType


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """A folder with one table in every kind of file, cut into two files."""
    with duckdb.connect() as connection:
        for part in (1, 2):
            query = f"SELECT {part} AS id, 'n{part}' AS name, TIMESTAMP '2024-01-0{part} 12:00:00' AS at"
            connection.execute(f"COPY ({query}) TO '{tmp_path}/part{part}.parquet'")
            connection.execute(f"COPY ({query}) TO '{tmp_path}/part{part}.csv' (header)")
            connection.execute(f"COPY ({query}) TO '{tmp_path}/part{part}.csv.gz' (header)")
            connection.execute(f"COPY ({query}) TO '{tmp_path}/part{part}.ndjson' (FORMAT json)")
    return tmp_path


def read_all(spec: SourceSpec, table: str) -> list[dict[str, Any]]:
    with closing(open_source(spec)) as source:
        fields = source.describe(Dataset("d", "lake", table=table))
        plan = Plan(Dataset("d", "lake", table=table, fields=fields), tuple(Column(field) for field in fields))
        with reading(source, plan, Stop()) as stream:
            return [row for batch in stream for row in batch.to_pylist()]


@pytest.mark.parametrize("ending", ["parquet", "csv", "csv.gz", "ndjson"])
def test_a_glob_of_files_is_one_table(lake: Path, ending: str) -> None:
    spec = SourceSpec("lake", "duckdb://", {"t": FileSet(f"{lake}/part*.{ending}")}, timezone="America/New_York")
    rows = sorted(read_all(spec, "t"), key=lambda row: row["id"])
    assert rows == [
        {"id": part, "name": f"n{part}", "at": datetime(2024, 1, part, 17, 0, tzinfo=UTC)} for part in (1, 2)
    ]


def test_null_text_is_null_unless_it_is_quoted(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('n,s\n1,"NA"\nNA,NA\n3,""\n,\n')
    spec = SourceSpec("lake", "duckdb://", {"t": FileSet(f"{tmp_path}/t.csv", "NA")})
    assert read_all(spec, "t") == [
        {"n": 1, "s": "NA"},
        {"n": None, "s": None},
        {"n": 3, "s": ""},
        {"n": None, "s": None},
    ]


def test_files_of_one_table_may_be_missing_while_another_is_read(lake: Path) -> None:
    files = {"t": FileSet(f"{lake}/part1.csv"), "gone": FileSet(f"{lake}/hush/*.csv")}
    with closing(open_source(SourceSpec("lake", "duckdb://", files))) as source:
        assert len(source.describe(Dataset("d", "lake", table="t"))) == 3
        for use in (source.ping, source.tables, lambda: source.describe(Dataset("d", "lake", table="gone"))):
            with pytest.raises(SourceFailed, match="files of gone") as failed:
                use()
            assert "hush" not in failed.value.detail + failed.value.hint


def test_tables_lists_every_set_of_files(lake: Path) -> None:
    files = {name: FileSet(f"{lake}/part1.{name}") for name in ("csv", "parquet")}
    with closing(open_source(SourceSpec("lake", "duckdb://", files))) as source:
        assert [table.name for table in source.tables()] == ["csv", "parquet"]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT content AS v FROM read_text('{outside}')",
        "SELECT * AS v FROM '{outside}'",
        "SELECT v FROM read_csv('{outside}', names = ['v'])",
    ],
)
def test_no_query_reaches_other_files(lake: Path, tmp_path_factory: pytest.TempPathFactory, sql: str) -> None:
    outside = tmp_path_factory.mktemp("outside") / "secret.csv"
    outside.write_text("hush\n")
    spec = SourceSpec("lake", "duckdb://", {"t": FileSet(f"{lake}/part*.csv")})
    field = Field("v", T.STRING, "v", "v")
    dataset = Dataset("d", "lake", sql=sql.format(outside=outside), fields=(field,))
    with closing(open_source(spec)) as source, pytest.raises(SourceFailed) as failed:
        source.read(Plan(dataset, (Column(field),)), Stop())
    assert str(outside) not in failed.value.detail + failed.value.hint


def test_a_database_and_files_are_two_sources(lake: Path) -> None:
    with pytest.raises(InvalidConfig, match="not both"):
        open_source(SourceSpec("lake", "duckdb:///x.duckdb", {"t": FileSet("t.csv")}))


def test_an_unknown_ending_names_the_known_ones() -> None:
    with pytest.raises(InvalidConfig) as refused:
        open_source(SourceSpec("lake", "duckdb://", {"t": FileSet("t.xlsx")}))
    assert ".parquet" in refused.value.hint


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Any]:
    """Reads one expression, as its own type or as another."""

    def read_one(expression: str, kind: T | None = None, zone: str = "UTC") -> Any:
        with closing(open_source(SourceSpec("db", "duckdb://", timezone=zone))) as source:
            sql = f"SELECT {expression} AS v"
            (field,) = source.describe(Dataset("d", "db", sql=sql))
            if kind is not None:
                field = Field("v", kind, "v", "v")
            plan = Plan(Dataset("d", "db", sql=sql, fields=(field,)), (Column(field),))
            with reading(source, plan, Stop()) as stream:
                (batch,) = stream
        batch.validate(full=True)
        column = batch.column(0)
        if pa.types.is_timestamp(column.type):
            return column.cast(pa.int64()).to_pylist()[0]
        return (column.view(pa.int32()) if pa.types.is_date32(column.type) else column).to_pylist()[0]

    return read_one


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("170141183460469231731687303715884105727::hugeint", "170141183460469231731687303715884105727"),
        ("18446744073709551615::ubigint", Decimal(2**64 - 1)),
        ("1.50::decimal(10, 2)", Decimal("1.50")),
        ("'b'::enum('a', 'b')", "b"),
        ("'\\xCA\\xFE'::blob", "cafe"),
        ("interval '1 month 2 days'", "1 month 2 days"),
        ("{'a': 1, 'b': [1.5::decimal(3, 1)]}", {"a": 1, "b": ["1.5"]}),
        ("[{'at': timestamp '2024-01-01 00:00:00'}, NULL]", [{"at": datetime(2024, 1, 1, tzinfo=UTC)}, None]),
        ("[1, NULL]", [1, None]),
        ("array_value(1, 2)", [1, 2]),
        ("[[1], [2, 3]]", ["[1]", "[2,3]"]),
        ("map {'k': 1}", '{"k":1}'),
        ("'{\"a\": 1}'::json", '{"a": 1}'),
        ("uuid '019760a0-0001-7000-8000-000000000001'", "019760a0-0001-7000-8000-000000000001"),
        ("time '12:30:00.5'", time(12, 30, 0, 500_000)),
        ("1.5::float", 1.5),
        ("timestamp_ns '2024-01-01 00:00:00'", 1704067200000000),
        ("timestamptz 'infinity'", 2**63 - 1),
        ("timestamptz '-infinity'", -(2**63)),
        ("date 'infinity'", 2**31 - 1),
        ("date '-infinity'", -(2**31)),
        ("timestamp '-infinity'", -(2**63)),
        ("NULL", None),
    ],
)
def test_every_type_of_duckdb_has_one_of_ours(read: Callable[..., Any], expression: str, value: Any) -> None:
    assert read(expression) == value


@pytest.mark.parametrize(
    ("expression", "kind", "value"),
    [
        ("12.0::double", T.INTEGER, 12),
        ("'12'", T.INTEGER, 12),
        ("0.1::double", T.DECIMAL, "0.1"),
        ("true", T.STRING, "true"),
        ("1", T.BOOLEAN, True),
        ("timestamptz '2024-01-01 00:00:00+00'", T.DATE, (date(2023, 12, 31) - date(1970, 1, 1)).days),
        ("date '2024-01-01'", T.DATETIME, 1704085200000000),
        ("[1, 2]", T.JSON, "[1,2]"),
    ],
)
def test_a_column_is_read_as_the_type_its_field_declares(
    read: Callable[..., Any], expression: str, kind: T, value: Any
) -> None:
    assert read(expression, kind, "America/New_York") == value


@pytest.mark.parametrize(("expression", "kind"), [("1.5::double", T.INTEGER), ("'x'", T.NUMBER), ("2", T.BOOLEAN)])
def test_a_value_that_does_not_fit_is_never_rounded(read: Callable[..., Any], expression: str, kind: T) -> None:
    with pytest.raises(SourceFailed, match="field v"):
        read(expression, kind)
