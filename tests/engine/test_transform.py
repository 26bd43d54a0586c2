"""One array into rows, held against a plain loop."""

from collections.abc import Generator
from datetime import UTC, datetime

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from offtake.engine.transform import expand, first_rows
from offtake.model.dataset import Field, FieldType
from offtake.model.export import Column, Expansion
from offtake.model.ports import RowStream

ITEM = pa.struct([("sku", pa.string()), ("qty", pa.int64())])
ORDERS = pa.schema([("id", pa.int64()), ("items", pa.list_(ITEM))])
TAGS = pa.schema([("id", pa.int64()), ("tags", pa.list_(pa.string()))])


def column(name: str, type: FieldType = FieldType.STRING) -> Column:
    return Column(Field(name, type, name, name))


def part(name: str, *path: str) -> Column:
    return Column(Field(name, FieldType.STRING, "", name, path=path))


SKU_ID_QTY = Expansion("items", (part("items.sku", "sku"), column("id", FieldType.INTEGER), part("items.qty", "qty")))


def stream(schema: pa.Schema, rows: list[dict[str, object]], closed: list[bool] | None = None) -> RowStream:
    def batches() -> Generator[pa.RecordBatch, None, None]:
        try:
            yield pa.RecordBatch.from_pylist(rows, schema=schema)
        finally:
            if closed is not None:
                closed.append(True)

    columns = tuple(column(name) for name in schema.names)
    return RowStream(columns, schema, batches(), datetime(2026, 5, 1, tzinfo=UTC))


def expanded(rows: RowStream) -> list[dict[str, object]]:
    return [row for batch in rows for row in batch.to_pylist()]


ITEMS = st.none() | st.lists(
    st.fixed_dictionaries({"sku": st.none() | st.text(max_size=3), "qty": st.none() | st.integers(0, 9)}), max_size=4
)


@given(st.lists(ITEMS, max_size=6))
def test_every_item_is_a_row_and_an_empty_array_one_of_nulls(arrays: list[list[dict[str, object]] | None]) -> None:
    rows = [{"id": index, "items": items} for index, items in enumerate(arrays)]
    loop = [
        {"items.sku": item["sku"], "id": row["id"], "items.qty": item["qty"]}
        for row in rows
        for item in (row["items"] or [{"sku": None, "qty": None}])
    ]
    assert expanded(expand(stream(ORDERS, rows), SKU_ID_QTY)) == loop


def test_scalars_keep_the_arrays_name() -> None:
    rows = stream(TAGS, [{"id": 1, "tags": ["a", None]}, {"id": 2, "tags": []}])
    pairs = [
        (row["id"], row["tags"]) for row in expanded(expand(rows, Expansion("tags", (column("id"), part("tags")))))
    ]
    assert pairs == [(1, "a"), (1, None), (2, None)]


def test_a_batch_of_long_arrays_is_expanded_in_slices() -> None:
    rows = [{"id": n, "tags": [str(i) for i in range(8)]} for n in range(9)]
    result = expand(stream(TAGS, rows), Expansion("tags", (column("id"), part("tags"))), rows_at_once=10)
    sizes = [batch.num_rows for batch in result]
    assert sum(sizes) == 72
    assert max(sizes) == 10


def test_a_long_text_beside_a_long_array_is_not_repeated_all_at_once() -> None:
    schema = pa.schema([("text", pa.string()), ("tags", pa.list_(pa.string()))])
    rows = [{"text": "x" * 1_000_000, "tags": [str(n) for n in range(100)]}]
    result = expand(stream(schema, rows), Expansion("tags", (column("text"), part("tags"))))
    sizes = [(batch.num_rows, batch.nbytes) for batch in result]
    assert sum(rows for rows, _ in sizes) == 100
    assert max(size for _, size in sizes) < 20_000_000


def test_the_first_rows_end_the_read() -> None:
    closed: list[bool] = []
    rows = first_rows(stream(TAGS, [{"id": n, "tags": []} for n in range(9)], closed), 3)
    assert [row["id"] for row in expanded(rows)] == [0, 1, 2]
    assert closed == [True]


def test_closing_the_expanded_stream_closes_the_read() -> None:
    closed: list[bool] = []
    result = expand(stream(ORDERS, [{"id": 1, "items": None}], closed), SKU_ID_QTY)
    next(result.batches)
    result.close()
    assert closed == [True]


def test_a_part_of_a_part_is_found() -> None:
    schema = pa.schema([("items", pa.list_(pa.struct([("price", pa.struct([("a.mount", pa.int64())]))])))])
    rows = stream(schema, [{"items": [{"price": {"a.mount": 5}}, {"price": None}, None]}])
    result = expand(rows, Expansion("items", (part("items.price.a.mount", "price", "a.mount"),)))
    assert [row["items.price.a.mount"] for row in expanded(result)] == [5, None, None]
