"""Values inside json columns: exported, filtered, sorted and masked like any other, on four databases."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from offtake.errors import InvalidFilter, InvalidRequest, SourceFailed, UnknownField
from offtake.model.dataset import Field, Sort
from offtake.model.dataset import FieldType as T
from offtake.model.filter import And, Condition, Filter, Not, Operator
from offtake.model.ports import SourceSpec
from offtake.service.runtime import Runtime
from offtake.source import open_source
from servers import Postgres
from service import shaped
from service.shaped import CLERK, HOSTILE, ORDERS, READER, exported, ids
from sites import make_runtime

MARIADB_CANNOT = ("--",)


def values(runtime: Runtime, field: str) -> list[Any]:
    """What the field holds in every order."""
    (name,) = {key for row in exported(runtime, READER, field) for key in row}
    return [row[name] for row in exported(runtime, READER, field)]


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("info/amount", [12.5, 9.0, None, None, None]),
        ("info.count", [3, 20, None, None, None]),
        ("info.price", [Decimal("12345678901234567890.10"), Decimal("9.5"), None, None, None]),
        ("info/address/country", ["DE", "CL", None, None, None]),
        ("info.address.zip", ["01234", None, None, None, None]),
        ("info.when", ["2026-05-01T10:00:00.500Z", "2026-05-01T08:00:00Z", None, None, None]),
        ("info.day", ["2026-05-01", "2026-04-30", None, None, None]),
        ("info.at", ["09:30:00", "23:00:00", None, None, None]),
        ("info.paid", [True, False, None, None, None]),
        ("info.tags", [["vip", "Ünï"], [], None, None, None]),
        ("info.sizes", [[1, 10], [], None, None, None]),
        ("raw.amount", ["12.5", "9", None, None, None]),
        ("raw/paid", ["true", "false", None, None, None]),
        ("raw.address.country", ["DE", "CL", None, None, None]),
        ("raw.nobody", [None] * 5),
    ],
)
def test_a_value_inside_a_column_comes_in_its_type(runtime: Runtime, field: str, expected: list[Any]) -> None:
    assert values(runtime, field) == expected


def test_a_struct_inside_a_struct_is_one_value(runtime: Runtime) -> None:
    assert values(runtime, "info.address")[:2] == [{"country": "DE", "zip": "01234"}, {"country": "CL", "zip": None}]


def test_its_name_is_written_with_dots(runtime: Runtime) -> None:
    assert list(exported(runtime, READER, "info/address/country", "id")[0]) == ["info.address.country", "id"]


@pytest.mark.parametrize("key", HOSTILE)
def test_a_key_stays_a_key_whatever_it_looks_like(runtime: Runtime, key: str) -> None:
    wish = {"filter": Condition(f"raw.{key}", Operator.EQ, (f"value of {HOSTILE.index(key)}",))}
    if type(runtime.sources["db"]).__name__ == "DatabaseSource" and key in MARIADB_CANNOT:
        with pytest.raises(InvalidRequest, match="no way to look for"):
            ids(runtime, **wish)
        return
    assert values(runtime, f"raw.{key}") == [f"value of {HOSTILE.index(key)}", None, None, None, None]
    assert ids(runtime, **wish) == [1]
    assert ids(runtime, sort=(Sort(f"raw.{key}"),)) == [1, 2, 3, 4, 5]


def test_a_key_no_text_can_hold_is_an_unknown_field(runtime: Runtime) -> None:
    for key in ("a\0b", "\ud800"):
        with pytest.raises(UnknownField):
            exported(runtime, READER, f"raw.{key}")


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        (Condition("info.amount", Operator.GTE, (9.5,)), [1]),
        (Condition("info.amount", Operator.EQ, (9,)), [2]),
        (Condition("info.count", Operator.LT, (20,)), [1]),
        (Condition("info.count", Operator.IN, (20, 4)), [2]),
        (Condition("info.price", Operator.EQ, ("12345678901234567890.1",)), [1]),
        (Condition("info.price", Operator.LT, ("12345678901234567890.11",)), [1, 2]),
        (Condition("info/currency", Operator.EQ, ("EUR",)), [1]),
        (Condition("info.currency", Operator.IEQ, ("USD",)), [2]),
        (Condition("info.currency", Operator.NE, ("EUR",)), [2, 3, 4, 5]),
        (Condition("info.currency", Operator.CONTAINS, ("S",)), [2]),
        (Condition("info.currency", Operator.IS_NULL), [3, 4, 5]),
        (Condition("info.address.country", Operator.STARTS_WITH, ("c",)), [2]),
        (Condition("info.when", Operator.LT, ("2026-05-01T09:00:00Z",)), [2]),
        (Condition("info.when", Operator.EQ, ("2026-05-01T08:00:00Z",)), [2]),
        (Condition("info.when", Operator.ON, ("2026-05-01",)), [1, 2]),
        (Condition("info.day", Operator.GTE, ("2026-05-01",)), [1]),
        (Condition("info.day", Operator.BETWEEN, ("2026-04-30", None)), [1, 2]),
        (Condition("info.at", Operator.GT, ("10:00",)), [2]),
        (Condition("info.paid", Operator.IS_TRUE), [1]),
        (Condition("info.paid", Operator.EQ, (False,)), [2]),
        (Not(Condition("info.paid", Operator.IS_TRUE)), [2, 3, 4, 5]),
        (Condition("info.tags", Operator.CONTAINS, ("VIP",)), [1]),
        (Condition("info.tags", Operator.CONTAINS_ANY, ("vip", "x")), [1]),
        (Condition("info.tags", Operator.IS_EMPTY), [2, 3, 4, 5]),
        (Condition("info.sizes", Operator.CONTAINS_ALL, (1, 10)), [1]),
        (Condition("raw.amount", Operator.EQ, ("9",)), [2]),
        (And((Condition("raw.address/zip", Operator.IS_NULL), Condition("raw.day", Operator.IS_NOT_NULL))), [2]),
    ],
)
def test_it_is_filtered_by_as_its_type_is(runtime: Runtime, tree: Filter, expected: list[int]) -> None:
    assert ids(runtime, filter=tree) == expected


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("info.count", [1, 2]),  # as text, 20 comes before 3
        ("info.amount", [2, 1]),
        ("info.price", [2, 1]),
        ("info.when", [2, 1]),
        ("info.day", [2, 1]),
        ("info.at", [1, 2]),
        ("info.paid", [2, 1]),
        ("raw.address.country", [2, 1]),
    ],
)
def test_it_is_sorted_by_as_its_type_is_with_nulls_last(runtime: Runtime, key: str, expected: list[int]) -> None:
    assert ids(runtime, sort=(Sort(key),)) == [*expected, 3, 4, 5]
    assert ids(runtime, sort=(Sort(key, descending=True),)) == [*reversed(expected), 3, 4, 5]


@pytest.mark.parametrize("type_", [T.NUMBER, T.DATE, T.DATETIME, T.TIME, T.BOOLEAN])
def test_text_of_another_type_is_null_in_a_filter_and_an_error_in_a_file(runtime: Runtime, type_: T) -> None:
    member = Field("currency", type_, "currency", "Currency")
    wrong = Field("wrong", T.STRUCT, "info", "Wrong", fields=(member,))
    mistaken = {**runtime.datasets, "orders": replace(ORDERS, fields=(*ORDERS.fields, wrong))}
    runtime = replace(runtime, datasets=mistaken)
    value = {T.NUMBER: 0, T.BOOLEAN: True, T.TIME: "00:00"}.get(type_, "2026-01-01")
    assert ids(runtime, filter=Condition("wrong.currency", Operator.EQ, (value,))) == []
    assert ids(runtime, sort=(Sort("wrong.currency"),)) == [1, 2, 3, 4, 5]
    with pytest.raises(SourceFailed, match=r"The field wrong\.currency holds a value that is not of its type"):
        exported(runtime, READER, "wrong.currency")


def test_what_lies_inside_a_masked_field_is_seen_through_its_mask(runtime: Runtime) -> None:
    (shown, *_) = exported(runtime, READER, "veiled.day", "veiled.currency", "veiled/address.country")
    assert shown == {"veiled.day": "****5-01", "veiled.currency": "****", "veiled.address.country": "****"}
    (whole, *_) = exported(runtime, CLERK, "veiled.day", "unseen.currency")
    assert whole == {"veiled.day": "2026-05-01", "unseen.currency": "EUR"}


def test_what_is_masked_can_neither_be_filtered_nor_sorted_by(runtime: Runtime) -> None:
    with pytest.raises(InvalidFilter, match=r"veiled\.day is masked"):
        ids(runtime, filter=Condition("veiled/day", Operator.EQ, ("2026-05-01",)))
    with pytest.raises(InvalidRequest, match=r"veiled\.day is masked"):
        ids(runtime, sort=(Sort("veiled.day"),))
    assert ids(runtime, q="01234") == []


def test_what_is_hidden_has_nothing_inside(runtime: Runtime) -> None:
    with pytest.raises(UnknownField, match=r"no field 'unseen\.day'"):
        exported(runtime, READER, "unseen.day")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("info.amuont", r"info has nothing inside called 'info\.amuont'"),
        ("info/", "no field 'info/'"),
        ("info..amount", "no field"),
        ("id.x", "id has nothing inside"),
        ("info.address.zip.x", "nothing inside"),
        ("items.sku", "part of the items of items"),
        ("raw." + ".".join("x" * 17), "no field"),
    ],
)
def test_a_path_that_leads_nowhere_says_so(runtime: Runtime, name: str, told: str) -> None:
    with pytest.raises(UnknownField, match=told):
        exported(runtime, READER, name)
    with pytest.raises(UnknownField, match=told):
        ids(runtime, filter=Condition(name, Operator.IS_NULL))


def test_a_misspelt_member_is_led_to_the_nearest(runtime: Runtime) -> None:
    with pytest.raises(UnknownField) as caught:
        exported(runtime, READER, "info.amuont")
    assert caught.value.hint.startswith("Did you mean info.amount?")


@pytest.mark.parametrize("json_type", ["json", "text"])
def test_postgres_looks_inside_any_column_that_holds_json(postgres: Postgres, tmp_path: Path, json_type: str) -> None:
    with (
        postgres.database() as url,
        shaped.runtime_over(shaped.fill_postgres(url, json_type), tmp_path) as runtime,
    ):
        assert values(runtime, "raw.amount") == ["12.5", "9", None, None, None]
        assert ids(runtime, filter=Condition("info.tags", Operator.CONTAINS, ("vip",))) == [1]
        assert ids(runtime, sort=(Sort("info.count", descending=True),)) == [2, 1, 3, 4, 5]


def test_duckdb_looks_inside_structs(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "orders.duckdb")) as connection:
        connection.execute(
            "CREATE TABLE orders AS SELECT 1 AS id, 'acme' AS tenant, "
            "{'price': 12345.6789::DECIMAL(38, 20), 'when': TIMESTAMPTZ '2026-05-01 10:00:00+02', 'tags': ['vip']} info"
        )
    with shaped.runtime_over(f"duckdb:///{tmp_path}/orders.duckdb", tmp_path) as runtime:
        (row,) = exported(runtime, READER, "info.price", "info.when", "info.tags")
        assert list(row.values()) == [Decimal("12345.6789"), "2026-05-01T08:00:00Z", ["vip"]]
        assert ids(runtime, filter=Condition("info.when", Operator.LTE, ("2026-05-01T08:00:00Z",))) == [1]


def test_wall_clocks_inside_json_are_those_of_the_source(tmp_path: Path) -> None:
    url = shaped.fill_sqlite(tmp_path / "orders.db")
    with closing(sqlite3.connect(tmp_path / "orders.db")) as connection, connection:
        connection.execute("""UPDATE orders SET info = '{"when": "2026-01-01T10:00:00"}' WHERE id = 1""")
    santiago = SourceSpec("db", url, timezone="America/Santiago")
    runtime = make_runtime(tmp_path, {"db": open_source(santiago)}, *shaped.DATASETS)
    assert values(runtime, "info.when")[0] == "2026-01-01T13:00:00Z"
    assert ids(runtime, filter=Condition("info.when", Operator.EQ, ("2026-01-01T13:00:00Z",))) == [1]
