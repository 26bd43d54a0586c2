"""One array into rows, held against a plain loop."""

from collections.abc import Generator
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offtake.engine.transform import expand, first_rows, show_as
from offtake.model.dataset import Field, FieldType
from offtake.model.export import Column, Expansion, Reader
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


INSTANT = pa.timestamp("us", "UTC")


def shown(
    type: FieldType, wanted: FieldType, values: pa.Array, timezone: str | None = None, **field: object
) -> pa.Array:
    """The values of one column shown as another type, in two slices."""
    read = Column(Field("x", type, "x", "X", **field), shown_as=wanted)  # type: ignore[arg-type]
    schema = pa.schema([("x", values.type)])
    halves = (values[: len(values) // 2], values[len(values) // 2 :])
    batches = (pa.record_batch([half], schema=schema) for half in halves)
    rows = show_as(RowStream((read,), schema, batches, datetime(2026, 5, 1, tzinfo=UTC), Reader(timezone=timezone)))
    assert [column.type for column in rows.columns] == [wanted]
    return pa.concat_arrays([batch.column(0) for batch in rows])


@given(
    st.lists(st.none() | st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29)), max_size=8),  # noqa: DTZ001
    st.sampled_from(["UTC", "America/Santiago", "Asia/Kathmandu", "Pacific/Apia", "America/New_York"]),
)
def test_an_instant_shown_as_a_date_is_its_day_in_the_zone(instants: list[datetime | None], zone: str) -> None:
    aware = [each and each.replace(tzinfo=UTC) for each in instants]
    days = [each and each.astimezone(ZoneInfo(zone)).date() for each in aware]
    assert shown(FieldType.DATETIME, FieldType.DATE, pa.array(aware, INSTANT), zone).to_pylist() == days


def test_days_before_and_behind_the_years_of_four_digits_are_days_too() -> None:
    day, largest = 86_400_000_000, 2**63 - 1
    instants = [-719_163 * day, 2_932_897 * day + 5, largest, -largest, None, 0]
    numbers = shown(FieldType.DATETIME, FieldType.DATE, pa.array(instants, pa.int64()).view(INSTANT)).view(pa.int32())
    assert numbers.to_pylist() == [-719_163, 2_932_897, 2**31 - 1, -(2**31 - 1), None, 0]


@pytest.mark.parametrize(
    ("type", "value", "arrow", "text"),
    [
        (FieldType.INTEGER, -5, pa.int64(), "-5"),
        (FieldType.NUMBER, 1234.5, pa.float64(), "1234.5"),
        (FieldType.DECIMAL, Decimal("12.50"), pa.decimal128(9, 2), "12.50"),
        (FieldType.DECIMAL, "1e2", pa.string(), "1e2"),
        (FieldType.BOOLEAN, True, pa.bool_(), "true"),
        (FieldType.DATE, date(2026, 5, 31), pa.date32(), "2026-05-31"),
        (FieldType.DATETIME, datetime(2026, 5, 31, 2, 0, 1, tzinfo=UTC), INSTANT, "2026-05-30T22:00:01-04:00"),
        (FieldType.UUID, "6f1f7a52-1c0d-4e8b-9a53-2b7c9d40e611", pa.string(), "6f1f7a52-1c0d-4e8b-9a53-2b7c9d40e611"),
        (FieldType.JSON, '{"a": 1}', pa.string(), '{"a": 1}'),
    ],
)
def test_anything_shown_as_text_is_plain_text(type: FieldType, value: object, arrow: pa.DataType, text: str) -> None:
    values = pa.array([value, None], arrow)
    assert shown(type, FieldType.STRING, values, "America/Santiago").to_pylist() == [text, None]


def test_an_array_shown_as_text_is_json() -> None:
    values = pa.array([["a", 'b"'], None], pa.list_(pa.string()))
    assert shown(FieldType.LIST, FieldType.STRING, values, items=FieldType.STRING).to_pylist() == ['["a","b\\""]', None]


def test_a_part_of_an_item_can_be_shown_as_text() -> None:
    quantity = replace(
        part("items.qty", "qty"), field=replace(part("", "qty").field, name="items.qty", type=FieldType.INTEGER)
    )
    wanted = Expansion("items", (replace(quantity, shown_as=FieldType.STRING),))
    rows = [{"id": 1, "items": [{"sku": "a", "qty": 2}]}]
    assert expanded(show_as(expand(stream(ORDERS, rows), wanted))) == [{"items.qty": "2"}]


def test_closing_what_is_shown_closes_the_read() -> None:
    closed: list[bool] = []
    read = stream(TAGS, [{"id": 1, "tags": []}], closed)
    rows = show_as(replace(read, columns=tuple(replace(each, shown_as=FieldType.STRING) for each in read.columns)))
    next(rows.batches)
    rows.close()
    assert closed == [True]
