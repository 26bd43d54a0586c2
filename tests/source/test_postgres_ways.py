"""PostgreSQL in binary gives what PostgreSQL as CSV gives: equal values of every type, or the same refusal."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from examples import examples
from offtake.model.dataset import Field, FieldType, Mask
from offtake.model.export import Column
from offtake.model.ports import SourceSpec
from offtake.source.postgres import PostgresSource
from servers import Postgres
from source.pgvalues import CREATED, VALUES, literal, rows_of_one
from source.ways import WAYS, Refused, comparable, open_by, read_whole

T = FieldType
PARTS = (Field("a", T.INTEGER, "a", "a"), Field("b", T.STRING, "b", "b"))
SHAPES = {T.LIST: [{"items": items} for items in (T.STRING, T.INTEGER, T.DATETIME)], T.STRUCT: [{"fields": PARTS}]}
MAX_ROWS = 16_384  # of a batch, in copy.c
Ways = tuple[PostgresSource, PostgresSource]


@pytest.fixture(scope="module")
def url(postgres: Postgres) -> Iterator[str]:
    with postgres.database() as url:
        postgres.execute(*CREATED, database=url.rsplit("/", 1)[1])
        yield url


@pytest.fixture(scope="module")
def ways(url: str) -> Iterator[Ways]:
    """The database in binary and as CSV; its wall clocks are Santiago's."""
    with ExitStack() as stack:
        spec = SourceSpec("db", url, timezone="America/Santiago")
        one, other = (stack.enter_context(closing(open_by(way, spec))) for way in WAYS)
        yield one, other


def both(ways: Ways, sql: str, *columns: Column) -> pa.Table | Refused:
    """What the binary way gives, which is what the CSV way gives."""
    found, expected = (read_whole(source, sql, *columns) for source in ways)
    assert comparable(found) == comparable(expected)
    return found


def column(kind: FieldType, name: str = "v", **more: object) -> Column:
    return Column(Field(name, kind, name, name, **more))  # type: ignore[arg-type]


def columns_of(kind: FieldType) -> list[Column]:
    """Every shape of a field of that type."""
    return [column(kind, **shape) for shape in SHAPES.get(kind, [{}])]


@pytest.mark.parametrize("type_", VALUES)
def test_every_value_of_a_type_is_the_same_both_ways(ways: Ways, type_: str) -> None:
    kind, texts = VALUES[type_]
    for text in texts:
        for shown in (*columns_of(kind), column(T.STRING)):
            both(ways, rows_of_one(type_, (text,)), shown)
    found = both(ways, rows_of_one(type_, (*texts, None)), column(T.STRING))
    assert isinstance(found, pa.Table)
    assert found.column("v")[-1].as_py() is None
    assert all(value.is_valid for value in found.column("v")[:-1])


@pytest.mark.parametrize("type_", VALUES)
def test_a_type_is_read_as_every_other_the_same_both_ways(ways: Ways, type_: str) -> None:
    _, texts = VALUES[type_]
    for kind in T:
        for shown in columns_of(kind):
            both(ways, rows_of_one(type_, (None, *texts, None)), shown)


@pytest.mark.parametrize("type_", VALUES)
def test_nulls_alone_and_no_rows_are_the_same_both_ways(ways: Ways, type_: str) -> None:
    kind, texts = VALUES[type_]
    for shown in columns_of(kind):
        both(ways, rows_of_one(type_, (None, None)), shown)
        both(ways, f"SELECT * FROM ({rows_of_one(type_, texts)}) q WHERE false", shown)


def test_masks_are_the_same_both_ways(ways: Ways) -> None:
    for type_, (kind, texts) in VALUES.items():
        for mask in (Mask.LAST4, Mask.REDACT):
            if kind is not T.LIST:
                both(ways, rows_of_one(type_, (*texts, None)), Column(column(kind).field, mask=mask))


@pytest.mark.parametrize("type_", ["json", "jsonb"])
def test_values_inside_json_are_the_same_both_ways(ways: Ways, type_: str) -> None:
    documents = ('{"a": 12, "b": {"c": "2024-02-29"}}', '{"a": null}', "{}", "[]", '{"a": "x", "b": {"c": ""}}', None)
    for kind in T:
        for path in (("a",), ("b", "c"), ("b",)):
            for shown in columns_of(kind):
                inside = Column(replace(shown.field, path=path))
                both(ways, rows_of_one(type_, documents), inside)
                both(ways, rows_of_one(type_, documents[:1]), inside)


@pytest.mark.parametrize("rows", [1, MAX_ROWS - 1, MAX_ROWS, MAX_ROWS + 1, 100_000])
def test_rows_on_both_sides_of_a_batchs_end_are_the_same_both_ways(ways: Ways, rows: int) -> None:
    found = both(
        ways,
        f"""SELECT i, CASE WHEN i % 3 > 0 THEN i % 2 = 0 END AS flag, rtrim(i::text, '0369') AS text,
            nullif(i % 5, 0)::numeric(20, 6) / 7 AS digits, nullif(i, {rows})::numeric(12, 3) AS amount,
            date '2000-01-01' + i AS day, nullif(i % 11, 0)::float8 / 7 AS ratio,
            CASE WHEN i > 90000 THEN gen_random_uuid() IS NULL END AS late
            FROM generate_series(1, {rows}) i""",
        *(column(T.INTEGER, "i"), column(T.BOOLEAN, "flag"), column(T.STRING, "text"), column(T.DECIMAL, "digits")),
        *(column(T.DECIMAL, "amount"), column(T.DATE, "day"), column(T.NUMBER, "ratio"), column(T.BOOLEAN, "late")),
    )
    assert isinstance(found, pa.Table)
    assert found.num_rows == rows


@pytest.mark.parametrize("megabytes", [1, 20])
def test_large_cells_are_the_same_both_ways(ways: Ways, megabytes: int) -> None:
    sql = f"""SELECT CASE WHEN i % 2 = 0 THEN repeat('é"' || chr(10) || i, {megabytes} * 200000) END AS text,
              repeat('ab', {megabytes} * 100000)::bytea AS bytes FROM generate_series(1, 5) i"""
    found = both(ways, sql, column(T.STRING, "text"), column(T.STRING, "bytes"))
    assert isinstance(found, pa.Table)
    assert found.column("text").null_count == 3


def test_three_hundred_columns_are_the_same_both_ways(ways: Ways) -> None:
    types = [name for name, (kind, _) in VALUES.items() if kind is not T.LIST] * 8
    chosen = [(f"v{number}", name, VALUES[name]) for number, name in enumerate(types[:300])]
    texts = [f"{literal(name, text)} AS v{number}" for number, (_, name, (_, (text, *_))) in enumerate(chosen)]
    nulls = [f"{literal(name, None)} AS v{number}" for number, (_, name, _) in enumerate(chosen)]
    rows = f"(SELECT {', '.join(texts)}) UNION ALL (SELECT {', '.join(nulls)})"
    strings = both(ways, rows, *(column(T.STRING, name) for name, _, _ in chosen))
    assert isinstance(strings, pa.Table)
    plain = [(name, kind) for name, type_, (kind, _) in chosen if "numeric(" not in type_]
    assert isinstance(both(ways, rows, *(column(kind, name) for name, kind in plain)), pa.Table)


def test_numerics_of_every_precision_and_scale_are_the_same_both_ways(ways: Ways) -> None:
    for precision in (1, 3, 4, 5, 8, 9, 16, 17, 19, 20, 37, 38, 39):
        for scale in {0, 1, 2, 3, 4, 5, precision // 2, precision - 1, precision}:
            type_ = f"numeric({precision},{scale})"
            digits = ["9" * precision, "1", "1".ljust(precision, "0"), "0"]
            texts = tuple(f"{sign}{number}e-{scale}" for number in digits for sign in ("", "-"))
            assert isinstance(both(ways, rows_of_one(type_, (*texts, None)), column(T.DECIMAL)), pa.Table)


@pytest.mark.parametrize(
    ("encoding", "sent", "is_read"),
    [
        ("LATIN1", "convert_from('\\xe9ff', 'LATIN1')", True),
        ("SQL_ASCII", "'é'::text", True),
        ("SQL_ASCII", "convert_from('\\xe9', 'SQL_ASCII')", False),
    ],
)
def test_databases_in_other_encodings_are_the_same_both_ways(
    postgres: Postgres, encoding: str, sent: str, is_read: bool
) -> None:
    name = f"odd_{encoding.lower()}"
    postgres.execute(f"CREATE DATABASE {name} ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
    try:
        with ExitStack() as stack:
            spec = SourceSpec("db", postgres.url(name))
            one, other = (stack.enter_context(closing(open_by(way, spec))) for way in WAYS)
            for kind in (T.STRING, T.LIST, T.INTEGER):
                for value in (sent, f"ARRAY[{sent}]", f"json_build_object('a', {sent})"):
                    found = both((one, other), f"SELECT {value} AS v", columns_of(kind)[0])
                    assert isinstance(found, pa.Table) is is_read or kind is not T.STRING
    finally:
        postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")


@examples(60)
@given(st.lists(st.none() | st.text(st.characters(codec="utf-8", exclude_characters="\0")), max_size=20))
def test_any_texts_are_the_same_both_ways(ways: Ways, texts: list[str | None]) -> None:
    found = both(ways, rows_of_one("text", (None, *texts)), column(T.STRING))
    assert isinstance(found, pa.Table)
    assert found.column("v").to_pylist() == [None, *texts]


@examples(40)
@example("\t0")
@example("2024-01-01 ")
@given(
    st.text(st.sampled_from(" \t\n0159.-+:eExTZtfnaiy/\"'"), max_size=12)
    | st.from_regex(r"[ ]?[+-]?(0x)?[0-9]{1,5}(\.[0-9]{0,3})?(e[0-9])?[ ]?", fullmatch=True)
    | st.from_regex(r"[ ]?20[0-9]{2}-[01][0-9]-[0-3][0-9]([ T][0-9:]{2,8}(Z|\+00)?)?[ ]?", fullmatch=True)
    | st.sampled_from(
        [" true", "TRUE", "NULL", "nan", "-Infinity", "infinity", "12:00", " 12:00 ", "1,000", "[]", "{}"]
    )
)
def test_texts_read_as_other_types_are_the_same_both_ways(ways: Ways, text: str) -> None:
    for kind in set(T) - {T.STRING, T.UUID, T.JSON}:
        both(ways, rows_of_one("text", (text, None)), columns_of(kind)[0])


@examples(60)
@given(
    st.lists(
        st.tuples(
            st.none() | st.integers(-(2**63), 2**63 - 1),
            st.none() | st.floats(),
            st.none() | st.decimals(-(10**12), 10**12, places=7, allow_nan=False),
            st.none() | st.datetimes(),
            st.none() | st.times(),
            st.none() | st.uuids(),
        ),
        max_size=20,
    )
)
def test_any_values_are_the_same_both_ways(ways: Ways, rows: list[tuple[object, ...]]) -> None:
    names = {"int8": T.INTEGER, "float8": T.NUMBER, "numeric(20,7)": T.DECIMAL, "timestamp": T.DATETIME}
    names |= {"time": T.TIME, "uuid": T.UUID}
    texts = [[None if value is None else str(value) for value in row] for row in rows]
    literals = [map(literal, names, row) for row in [[None] * len(names), *texts]]
    values = ", ".join(f"({', '.join(row)})" for row in literals)
    sql = f"SELECT * FROM (VALUES {values}) t ({', '.join(f'v{number}' for number in range(len(names)))})"
    found = both(ways, sql, *(column(kind, f"v{number}") for number, kind in enumerate(names.values())))
    assert isinstance(found, pa.Table)
    assert found.column("v0").to_pylist() == [None, *(row[0] for row in rows)]
