"""What the SQL looks like where no result would show it: quoting, aliases, parameters, bare queries."""

from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import mssql, mysql, oracle, postgresql, sqlite
from sqlalchemy.dialects.postgresql.base import PGDialect

from offtake.model.dataset import Dataset, Field, FieldType
from offtake.model.export import Column, Confinement, OrderKey, Plan
from offtake.model.filter import And, Condition, Operator
from offtake.query.keys import decimal_key
from offtake.query.sql import build_count, build_select

DIALECTS: dict[str, Any] = {
    "postgresql": postgresql.dialect(),
    "sqlite": sqlite.dialect(),
    "duckdb": PGDialect(paramstyle="qmark"),
    "mysql": mysql.dialect(),
    "mssql": mssql.dialect(),
    "oracle": oracle.dialect(),
}
FIELDS = (
    Field("id", FieldType.STRING, "public_id", "Id"),
    Field('we"ird', FieldType.STRING, 'co"l umn', "Weird"),
    Field("at", FieldType.DATETIME, "at", "At"),
    Field("tags", FieldType.LIST, "tags", "Tags", items=FieldType.STRING),
)


def sql(dataset: Dataset, dialect: str = "postgresql", **parts: Any) -> tuple[str, dict[str, Any]]:
    plan = Plan(dataset, tuple(Column(field) for field in dataset.fields), **parts)
    made = build_select(plan, dialect).compile(dialect=DIALECTS[dialect])
    return str(made), dict(made.params)


TABLE = Dataset("things", "here", table="public.Things", fields=FIELDS)


def test_an_order_by_the_key_is_not_by_the_field_of_that_name() -> None:
    text, _ = sql(TABLE, order=(OrderKey("id"),))
    assert "ORDER BY dataset.id ASC NULLS LAST" in text
    assert "dataset.public_id AS id" in text


def test_names_are_quoted_where_they_need_it() -> None:
    text, _ = sql(TABLE)
    assert 'dataset."co""l umn" AS "we""ird"' in text
    assert 'FROM public."Things" AS dataset' in text


def test_a_configured_query_is_read_as_it_stands() -> None:
    query = "SELECT *, now()::date AS at, ':x' AS id, '100%' AS pct FROM t -- the end;"
    text, params = sql(Dataset("q", "here", sql=query + " ", fields=FIELDS[:1]))
    assert "now()::date AS at, ':x' AS id, '100%%' AS pct FROM t -- the end\n) AS dataset" in text
    assert params == {}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_no_value_is_ever_text_of_the_statement(dialect: str) -> None:
    conditions = [Condition("id", op, ("Robert'); DROP",)) for op in (Operator.EQ, Operator.IEQ, Operator.CONTAINS)]
    conditions += [Condition("id", Operator.STARTS_WITH, ("DROP",)), Condition("tags", Operator.CONTAINS, ("DROP",))]
    conditions += [Condition("id", Operator.IS_EMPTY), Condition("tags", Operator.IS_EMPTY)]
    instant = Condition("at", Operator.BETWEEN, (datetime(2026, 5, 1, tzinfo=UTC), None))
    text, params = sql(
        TABLE,
        dialect,
        where=And((*conditions, instant)),
        confinement=Confinement("tenant", "DROP"),
        order=(OrderKey("at", True, FieldType.DATETIME),),
        limit=10,
    )
    assert "DROP" not in text.upper()
    assert len(params) > 6


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_count_reads_no_more_rows_than_it_may(dialect: str) -> None:
    plan = Plan(TABLE, (Column(FIELDS[0]),), limit=3)
    probe = build_count(plan, dialect, 11).compile(dialect=DIALECTS[dialect])
    assert 11 in probe.params.values() or "11" in str(probe)
    exact = str(build_count(plan, dialect).compile(dialect=DIALECTS[dialect]))
    assert "count(*)" in exact.lower()
    assert "LIMIT" not in exact


def test_a_statement_can_be_compiled_more_than_once() -> None:
    plan = Plan(TABLE, (Column(FIELDS[0]),), where=Condition("id", Operator.EQ, ("x",)))
    statement = build_select(plan, "sqlite")
    assert isinstance(statement, sa.Select)
    assert str(statement.compile(dialect=sqlite.dialect())) == str(statement.compile(dialect=sqlite.dialect()))


numbers = st.decimals(allow_nan=False, allow_infinity=False)


@given(numbers, numbers)
def test_decimal_keys_sort_as_the_numbers_do(first: Any, second: Any) -> None:
    one, two = decimal_key(str(first)), decimal_key(str(second))
    assert one is not None
    assert two is not None
    assert (one < two, one == two) == (first < second, first == second)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "x", "", None, b"1"])
def test_what_is_no_number_has_no_key(value: Any) -> None:
    assert decimal_key(value) is None
