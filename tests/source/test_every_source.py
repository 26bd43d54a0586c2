"""What every source promises, asked of each of them in turn on one logical table."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from offtake.errors import Cancelled, InvalidConfig, RowLimitExceeded, SourceFailed, SourceTimeout
from offtake.model.dataset import Dataset, Field, FieldType
from offtake.model.export import Confinement
from offtake.model.filter import Condition, Operator
from offtake.model.ports import Source, SourceSpec, Stop
from offtake.source import SOURCES, open_source
from servers import Postgres, free_port
from source.samples import (
    DATASET,
    KINDS,
    ROWS,
    Sample,
    fill_duckdb,
    fill_mariadb,
    fill_postgres,
    fill_sqlite,
    plan_of,
    reading,
    rows_of,
)

# A query that gives rows fast and never ends within a test, and one that works long before its first row.
ENDLESS = {
    "postgresql": "SELECT i AS id, md5(i::text) AS label FROM (SELECT generate_series(1, 100000000) AS i) n",
    "duckdb": "SELECT i AS id, md5(i::varchar) AS label FROM range(1000000000) t(i)",
    "sqlite": "WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n) SELECT id, hex(id) AS label FROM n",
    "mysql": "SELECT seq AS id, md5(seq) AS label FROM seq_1_to_1000000000",
}
SLOW = {
    "postgresql": "SELECT 1 AS id, pg_sleep(60)::text AS label",
    "duckdb": "SELECT count(*) AS id, '' AS label FROM range(100000000000) t(i) WHERE hash(i) = 1",
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) AS id, 1 AS label FROM n",
    "mysql": "SELECT 1 AS id, concat(sleep(60), '') AS label",
}
LONG_ROWS = {
    "postgresql": "SELECT i AS id, repeat('x', 10000) AS label FROM generate_series(1, 3000) n (i)",
    "duckdb": "SELECT i AS id, repeat('x', 10000) AS label FROM range(1, 3001) t(i)",
    "sqlite": "WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n LIMIT 3000) "
    "SELECT id, replace(hex(zeroblob(5000)), '0', 'x') AS label FROM n",
    "mysql": "SELECT seq AS id, repeat('x', 10000) AS label FROM seq_1_to_3000",
}
DOWN = {
    "postgresql": "postgresql://reader:hush@127.0.0.1:{port}/crm",
    "duckdb": "duckdb:///{folder}/none.duckdb",
    "sqlite": "sqlite:///{folder}/none.db",
    "mysql": "mysql+pymysql://reader:hush@127.0.0.1:{port}/crm",
}


@pytest.fixture(scope="session", params=["postgresql", "postgresql as CSV", "duckdb", "sqlite", "mysql"])
def sample(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sample]:
    """The sample table in each kind of database."""
    if request.param.startswith("postgresql"):
        postgres: Postgres = request.getfixturevalue("postgres")
        with postgres.database() as url:
            yield fill_postgres(url, "csv" if "CSV" in request.param else "binary")
    elif request.param == "mysql":
        yield fill_mariadb(request.getfixturevalue("mariadb_url"))
    else:
        path = tmp_path_factory.mktemp("sample") / "sample.db"
        yield fill_duckdb(path) if request.param == "duckdb" else fill_sqlite(path)


@pytest.fixture
def source(sample: Sample) -> Iterator[Source]:
    with closing(sample.open(sample.spec())) as opened:
        yield opened


def long_dataset(sql: str) -> Dataset:
    fields = (Field("id", FieldType.INTEGER, "id", "id"), Field("label", FieldType.STRING, "label", "label"))
    return Dataset("long", "db", sql=sql, fields=fields)


def test_every_type_null_empty_and_extreme_arrives_whole(source: Source) -> None:
    with reading(source, plan_of(), Stop()) as stream:
        assert rows_of(stream) == ROWS


def test_the_schema_is_what_row_streams_promise(source: Source) -> None:
    with reading(source, plan_of(), Stop()) as stream:
        types = {field.name: str(field.type) for field in stream.schema}
    assert types.pop("amount") in ("decimal128(20, 2)", "decimal128(21, 2)", "string")
    assert types == {
        "id": "int64",
        "label": "string",
        "whole": "int64",
        "ratio": "double",
        "flag": "bool",
        "day": "date32[day]",
        "moment": "timestamp[us, tz=UTC]",
        "wall": "timestamp[us, tz=UTC]",
        "clock": "time64[us]",
        "code": "string",
        "doc": "string",
        "blank": "string",
    }


def test_no_rows_still_have_a_schema(source: Source) -> None:
    plan = plan_of(where=Condition("id", Operator.EQ, (99,)))
    with reading(source, plan, Stop()) as stream:
        assert stream.schema.names == list(KINDS)
        assert sum(batch.num_rows for batch in stream) == 0


def test_a_column_that_is_all_null_keeps_its_rows(source: Source) -> None:
    with reading(source, plan_of(DATASET, "blank"), Stop()) as stream:
        assert rows_of(stream) == [{"blank": None}] * 4


def test_long_rows_come_a_few_megabytes_at_a_time(source: Source, sample: Sample) -> None:
    plan = plan_of(long_dataset(LONG_ROWS[sample.kind]), "id", "label")
    with reading(source, plan, Stop()) as stream:
        sizes = [(batch.num_rows, batch.nbytes) for batch in stream]
    assert sum(rows for rows, _ in sizes) == 3000
    assert max(size for _, size in sizes) < 12_000_000


def test_limit_and_descending_order_hold(source: Source) -> None:
    plan = plan_of(DATASET, "id", limit=2)
    plan = replace(plan, order=(replace(plan.order[0], descending=True),))
    with reading(source, plan, Stop()) as stream:
        assert rows_of(stream) == [{"id": 4}, {"id": 3}]


@pytest.mark.parametrize("name", [name for name in KINDS if name not in ("ratio", "doc", "blank")])
def test_a_filter_finds_the_very_value_that_was_read(source: Source, name: str) -> None:
    plan = plan_of(DATASET, "id", where=Condition(name, Operator.EQ, (ROWS[0][name],)))
    with reading(source, plan, Stop()) as stream:
        assert rows_of(stream) == [{"id": 1}]


def test_a_confined_plan_reads_only_its_tenant(source: Source) -> None:
    plan = replace(plan_of(DATASET, "id"), confinement=Confinement("label", "NULL"))
    with reading(source, plan, Stop()) as stream:
        assert rows_of(stream) == [{"id": 4}]


def test_too_many_rows_are_refused_with_both_numbers(source: Source) -> None:
    with pytest.raises(RowLimitExceeded) as refused:
        source.read(plan_of(row_limit=3), Stop())
    assert refused.value.extra == {"matched": 4, "allowed": 3}
    with reading(source, plan_of(row_limit=4), Stop()) as stream:
        assert len(rows_of(stream)) == 4
    with reading(source, plan_of(row_limit=3, limit=2), Stop()) as stream:
        assert len(rows_of(stream)) == 2


def test_a_counted_read_tells_its_number_of_rows_first(source: Source) -> None:
    totals = {}
    for wishes in ({}, {"counted": True}, {"counted": True, "limit": 2}, {"counted": True, "row_limit": 4}):
        with reading(source, plan_of(**wishes), Stop()) as stream:
            totals[str(wishes)] = stream.total
            rows = sum(batch.num_rows for batch in stream)
            assert stream.total in (None, rows)
    assert list(totals.values()) == [None, 4, 2, 4]
    with pytest.raises(RowLimitExceeded):
        source.read(plan_of(row_limit=3, counted=True), Stop())


def test_count_leaves_the_limit_aside(source: Source) -> None:
    assert source.count(plan_of(limit=1), Stop()) == 4
    assert source.count(plan_of(where=Condition("label", Operator.EQ, ("",))), Stop()) == 1


def test_describe_gives_types_that_read_the_same_rows(source: Source, sample: Sample) -> None:
    fields = source.describe(replace(DATASET, fields=()))
    kinds = {field.name: field.type for field in fields}
    if sample.kind == "mysql":  # there JSON is only another word for text
        kinds["doc"] = FieldType.JSON
    if sample.kind == "mysql":
        kinds["code"] = FieldType.UUID if kinds["code"] is FieldType.STRING else kinds["code"]
    assert kinds == KINDS
    with reading(source, plan_of(replace(DATASET, fields=fields)), Stop()) as stream:
        assert rows_of(stream) == ROWS


def test_describe_reads_a_query_too(source: Source) -> None:
    described = source.describe(Dataset("q", "db", sql="SELECT id, label FROM sample -- all of them"))
    assert [(field.name, field.type) for field in described] == [("id", FieldType.INTEGER), ("label", FieldType.STRING)]


def test_a_table_that_is_not_there_cannot_be_described(source: Source) -> None:
    with pytest.raises(SourceFailed):
        source.describe(Dataset("none", "db", table="no_such_table"))


def test_tables_lists_the_table_with_its_key(source: Source) -> None:
    (table,) = (table for table in source.tables() if table.name in ("sample", "public.sample"))
    assert table.key == ("id",)
    assert [field.name for field in table.fields] == list(KINDS)


def test_a_query_of_the_configuration_is_a_dataset(source: Source) -> None:
    dataset = replace(DATASET, table="", sql="SELECT * FROM sample WHERE label LIKE '%o%:%' OR id < 3 -- 100%")
    with reading(source, plan_of(dataset, "id"), Stop()) as stream:
        assert rows_of(stream) == [{"id": 1}, {"id": 2}]


def test_stopping_wakes_a_read_that_waits_on_the_database(sample: Sample, source: Source) -> None:
    stop = Stop()
    timer = threading.Timer(0.3, stop.set)
    timer.start()
    begun = time.monotonic()
    with (
        pytest.raises(Cancelled),
        reading(source, plan_of(long_dataset(SLOW[sample.kind]), order=False), stop) as stream,
    ):
        next(iter(stream))
    assert time.monotonic() - begun < 30
    source.ping()


def test_a_read_left_in_the_middle_frees_the_source_at_once(sample: Sample) -> None:
    with closing(sample.open(sample.spec(pool_size=1))) as source:
        for _ in range(3):
            with reading(source, plan_of(long_dataset(ENDLESS[sample.kind]), order=False), Stop()) as stream:
                assert next(iter(stream)).num_rows > 0
                left = time.monotonic()
            assert time.monotonic() - left < 30
        source.ping()


def test_stopping_before_a_read_begins_is_heeded_at_once(sample: Sample, source: Source) -> None:
    stop = Stop()
    stop.set()
    plan = plan_of(long_dataset(SLOW[sample.kind]), order=False)
    for use in (source.read, source.count):
        with pytest.raises(Cancelled):
            use(plan, stop)


def test_stopping_a_read_in_the_middle_ends_it(sample: Sample, source: Source) -> None:
    stop = Stop()
    plan = plan_of(long_dataset(ENDLESS[sample.kind]), order=False)
    with reading(source, plan, stop) as stream:
        next(iter(stream))
        stop.set()
        with pytest.raises(Cancelled):
            list(islice(stream, 1000))


def test_a_query_that_takes_too_long_is_a_timeout(sample: Sample) -> None:
    with closing(sample.open(sample.spec(statement_timeout_s=1))) as source:
        plan = plan_of(long_dataset(SLOW[sample.kind]), order=False)
        begun = time.monotonic()
        with pytest.raises(SourceTimeout), reading(source, plan, Stop()) as stream:
            next(iter(stream))
        assert time.monotonic() - begun < 30


def test_a_query_that_is_wrong_says_so_without_showing_itself(source: Source) -> None:
    dataset = long_dataset("SELECT secret_column AS id, 'secret value' AS label FROM sample")
    with pytest.raises(SourceFailed) as failed, reading(source, plan_of(dataset, order=False), Stop()) as stream:
        next(iter(stream))
    assert "secret" not in failed.value.detail + failed.value.hint


def test_nothing_can_be_written(sample: Sample, source: Source) -> None:
    statements = {
        "postgresql": "WITH gone AS (DELETE FROM sample RETURNING *) SELECT id, label FROM gone",
        "mysql": "SELECT id, label FROM sample FOR UPDATE",
    }
    if sample.kind in statements:
        dataset = long_dataset(statements[sample.kind])
        with pytest.raises(SourceFailed), reading(source, plan_of(dataset, order=False), Stop()) as stream:
            list(stream)
    assert source.count(plan_of(), Stop()) == 4


@pytest.mark.parametrize("kind", list(DOWN))
def test_a_source_that_is_down_fails_quickly_and_opening_it_does_not(kind: str, tmp_path: Path) -> None:
    url = DOWN[kind].format(port=free_port(), folder=tmp_path)
    with closing(open_source(SourceSpec("down", url))) as source:
        begun = time.monotonic()
        for use in (source.ping, lambda: source.read(plan_of(), Stop()), lambda: source.count(plan_of(), Stop())):
            with pytest.raises(SourceFailed) as failed:
                use()
            assert "hush" not in failed.value.detail + failed.value.hint
        assert time.monotonic() - begun < 30


def test_an_unknown_scheme_names_the_known_ones() -> None:
    with pytest.raises(InvalidConfig) as refused:
        open_source(SourceSpec("db", "postgresq://host/db"))
    assert "Did you mean postgresql://" in refused.value.hint
    assert all(scheme in refused.value.hint for scheme in SOURCES)


def test_a_driver_that_is_not_installed_is_named() -> None:
    with pytest.raises(InvalidConfig) as refused:
        open_source(SourceSpec("db", "oracle+oracledb://u:hush@host/db"))
    assert "oracledb is not installed" in refused.value.detail
    assert "hush" not in refused.value.detail + refused.value.hint


def test_two_reads_at_once_do_not_disturb_each_other(source: Source) -> None:
    with reading(source, plan_of(DATASET, "id"), Stop()) as first, reading(source, plan_of(), Stop()) as second:
        assert rows_of(second) == ROWS
        assert source.count(plan_of(), Stop()) == 4
        assert len(rows_of(first)) == 4
