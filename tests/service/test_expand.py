"""One array of every row made into rows, on four databases."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest

from offtake.errors import InvalidRequest, UnknownField
from offtake.model.dataset import Dataset, Sort
from offtake.model.export import ExportRequest, FieldChoice
from offtake.model.filter import Condition, Operator
from offtake.service.datasets import count_rows
from offtake.service.downloads import open_download
from offtake.service.previews import preview_rows
from offtake.service.runtime import Runtime
from servers import Postgres
from service.shaped import READER, exported, runtime_over

ITEMS = [
    (1, "a", 1, {"sum": 1.5}),
    (1, "b", None, None),
    (2, None, None, None),
    (3, None, None, None),
    (4, "c", 2, None),
    (5, None, None, None),
]


def rows(runtime: Runtime, *fields: str, **wish: Any) -> list[tuple[Any, ...]]:
    """The rows of an expanded export, each as a tuple."""
    return [tuple(row.values()) for row in exported(runtime, READER, *fields, **wish)]


def test_every_item_is_a_row_and_an_empty_array_is_one_of_nulls(runtime: Runtime) -> None:
    found = rows(runtime, "id", "items.sku", "items.qty", "items.price", expand="items")
    assert found == ITEMS


def test_all_parts_stand_where_the_array_stood_and_the_rest_repeats(runtime: Runtime) -> None:
    found = exported(runtime, expand="items")
    names = ["id", "info", "raw", "items.sku", "items.qty", "items.price", "labels", "veiled"]
    assert [list(row) for row in found] == [names] * 6
    assert found[0]["info"] == found[1]["info"]
    assert found[0]["labels"] == ["x", "y"]


def test_parts_may_come_in_any_order_under_any_label(runtime: Runtime) -> None:
    choices = (FieldChoice("items/qty", "How many"), FieldChoice("id"), FieldChoice("items.price/sum"))
    request = ExportRequest("orders", "csv", fields=choices, expand="items")
    with closing(open_download(runtime, READER, request).chunks) as chunks:
        lines = b"".join(chunks).decode().splitlines()
    assert lines[:3] == ["How many,id,items.price.sum", "1,1,1.5", ",1,"]


def test_the_arrays_own_name_means_all_its_parts(runtime: Runtime) -> None:
    assert rows(runtime, "id", "items", expand="items") == ITEMS


def test_an_array_nobody_chose_still_makes_the_rows(runtime: Runtime) -> None:
    assert rows(runtime, "id", expand="items") == [(row[0],) for row in ITEMS]


def test_scalars_are_rows_under_the_arrays_name(runtime: Runtime) -> None:
    assert rows(runtime, "labels", "id", expand="labels") == [
        ("x", 1),
        ("y", 1),
        (None, 2),
        (None, 3),
        (None, 4),
        ("z", 5),
    ]


def test_an_array_inside_a_column_is_expanded_too(runtime: Runtime) -> None:
    found = rows(runtime, "id", "info/tags", expand="info/tags")
    assert found == [(1, "vip"), (1, "Ünï"), (2, None), (3, None), (4, None), (5, None)]
    assert list(exported(runtime, expand="info.tags")[0])[-1] == "info.tags"


def test_limit_filter_and_order_are_of_the_rows_that_hold_the_arrays(runtime: Runtime) -> None:
    by_id = (Sort("id", descending=True),)
    assert rows(runtime, "id", expand="items", sort=by_id, limit=2) == [(5,), (4,)]
    only = Condition("id", Operator.EQ, (1,))
    assert rows(runtime, "items.sku", expand="items", filter=only) == [("a",), ("b",)]


def test_a_count_is_of_rows_and_a_preview_of_what_they_become(runtime: Runtime) -> None:
    request = ExportRequest("orders", "json", fields=(FieldChoice("id"), FieldChoice("items.sku")), expand="items")
    assert count_rows(runtime, READER, request).matched == 5
    preview = preview_rows(runtime, READER, request)
    assert [column.name for column in preview.columns] == ["id", "items.sku"]
    assert preview.rows == tuple(row[:2] for row in ITEMS)
    assert preview.total == 5


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("id", "id is of the type integer, not an array"),
        ("raw", "raw is of the type json, not an array"),
        ("raw.tags", "raw.tags is of the type string, not an array"),
        ("nobody", "no field 'nobody'"),
        ("items.sku", "part of the items"),
        ("veiled", "veiled is masked"),
        ("veiled.tags", "veiled.tags is masked"),
    ],
)
def test_what_is_no_array_cannot_be_expanded(runtime: Runtime, name: str, told: str) -> None:
    with pytest.raises(InvalidRequest, match=told) as caught:
        exported(runtime, READER, "id", expand=name)
    assert caught.value.problems[0][0] == "/expand"
    assert "items, labels" in caught.value.hint


@pytest.mark.parametrize("name", ["items.nobody", "items.sku.x", "items.price.nobody", "labels.x"])
def test_a_part_that_no_item_has_is_unknown(runtime: Runtime, name: str) -> None:
    with pytest.raises(UnknownField):
        exported(runtime, READER, name, expand=name.split(".")[0])


def test_parts_of_items_can_neither_be_filtered_nor_sorted_by(runtime: Runtime) -> None:
    with pytest.raises(UnknownField, match=r"items\.sku' is a part of the items of items"):
        rows(runtime, "id", expand="items", filter=Condition("items.sku", Operator.EQ, ("a",)))
    with pytest.raises(UnknownField, match=r"items\.qty' is a part of the items of items"):
        rows(runtime, "id", expand="items", sort=(Sort("items.qty"),))


def test_the_same_part_twice_is_refused(runtime: Runtime) -> None:
    with pytest.raises(InvalidRequest, match=r"items\.sku is asked for twice"):
        rows(runtime, "items", "items/sku", expand="items")


@pytest.mark.parametrize("format", ["csv", "json", "jsonapi", "xml", "xlsx", "parquet", "arrow", "pdf", "tsv"])
def test_every_format_takes_expanded_rows(runtime: Runtime, format: str) -> None:
    request = ExportRequest("orders", format, fields=(FieldChoice("id"), FieldChoice("items")), expand="items")
    with closing(open_download(runtime, READER, request).chunks) as chunks:
        written = b"".join(chunks)
    assert written
    if format == "json":
        assert [row["items.sku"] for row in json.loads(written)] == [row[1] for row in ITEMS]


def test_lists_of_the_database_itself_are_expanded(postgres: Postgres, tmp_path: Path) -> None:
    reflected = Dataset("orders", "db", table="orders", tenant_column="tenant", default_sort=(Sort("id"),))
    with duckdb.connect(str(tmp_path / "orders.duckdb")) as connection:
        connection.execute(
            "CREATE TABLE orders AS SELECT 1 AS id, 'acme' AS tenant, [{'sku': 'a', 'qty': 1}, {'sku': 'b', 'qty': 2}] "
            "AS items UNION ALL SELECT 2, 'acme', []"
        )
    with runtime_over(f"duckdb:///{tmp_path}/orders.duckdb", tmp_path, reflected) as runtime:
        found = exported(runtime, READER, "id", "items", expand="items")
        assert [tuple(row.values()) for row in found] == [(1, "a", 1), (1, "b", 2), (2, None, None)]
    with postgres.database() as url:
        with psycopg.connect(url, autocommit=True) as server:
            server.execute("CREATE TABLE orders (id int, tenant text, sizes int[])")
            server.execute("INSERT INTO orders VALUES (1, 'acme', '{1,NULL}'), (2, 'acme', '{}'), (3, 'acme', NULL)")
        with runtime_over(url, tmp_path, reflected) as runtime:
            found = exported(runtime, READER, "id", "sizes", expand="sizes")
    assert [tuple(row.values()) for row in found] == [(1, 1), (1, None), (2, None), (3, None)]
