"""JSON:API documents held to the rules of the specification, and the bytes themselves."""

import json
import time
from collections.abc import Generator
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from workbooks import stream_of

from offtake.encode import parse_options
from offtake.encode.jsonapi import JSONAPI, JsonApiOptions, encode_jsonapi
from offtake.errors import InvalidFormat
from offtake.model.export import Reader
from offtake.model.ports import About

# §7 of the specification as far as a document without `included` and `errors` goes.
MEMBER = "^[a-zA-Z0-9\u0080-\U0010ffff]([a-zA-Z0-9\u0080-\U0010ffff _-]*[a-zA-Z0-9\u0080-\U0010ffff])?$"
IDENTIFIER = {
    "type": "object",
    "required": ["type", "id"],
    "properties": {"type": {"type": "string", "pattern": MEMBER}, "id": {"type": "string"}},
    "additionalProperties": False,
}
FIELDS = {"type": "object", "propertyNames": {"pattern": MEMBER, "not": {"enum": ["id", "type"]}}}
RELATIONSHIP = {
    "type": "object",
    "required": ["data"],
    "properties": {"data": {"anyOf": [IDENTIFIER, {"type": "null"}]}},
    "additionalProperties": False,
}
RESOURCE = {
    "type": "object",
    "required": ["type", "id"],
    "properties": {
        **IDENTIFIER["properties"],  # type: ignore[dict-item]
        "attributes": FIELDS,
        "relationships": FIELDS | {"additionalProperties": RELATIONSHIP},
    },
    "additionalProperties": False,
}
DOCUMENT = {
    "type": "object",
    "required": ["data"],
    "properties": {
        "jsonapi": {"const": {"version": "1.1"}},
        "data": {"type": "array", "items": RESOURCE},
        "meta": {"type": "object", "propertyNames": {"pattern": MEMBER}},
        "links": {"type": "object", "properties": {"self": {"type": "string"}}, "additionalProperties": False},
    },
    "additionalProperties": False,
}
CONTACTS = pa.table(
    {
        "id": pa.array([7, 8], pa.int64()),
        "name": pa.array(['Ana "\n', None]),
        "total": pa.array([Decimal("12.50"), None], pa.decimal128(9, 2)),
        "born": pa.array([date(2024, 2, 29), None]),
        "at": pa.array([datetime(2024, 6, 1, 16, 0, tzinfo=UTC), None], pa.timestamp("us", "UTC")),
        "tags": pa.array([["a", None], None]),
        "customerId": pa.array([5, None], pa.int64()),
        "owner_id": pa.array(["x&y", None]),
    }
)
RELATED = {"customerId": "customers", "owner_id": "users"}


def written(table: pa.Table, options: JsonApiOptions | None = None, **wishes: Any) -> bytes:
    return b"".join(encode_jsonapi(stream_of(table, **wishes), options or JsonApiOptions()))


def document(table: pa.Table, options: JsonApiOptions | None = None, **wishes: Any) -> dict[str, Any]:
    """The document, once it keeps the rules: those of the schema, and those that a schema cannot say."""
    found: dict[str, Any] = json.loads(written(table, options, **wishes), parse_float=Decimal)
    Draft202012Validator(DOCUMENT).validate(json.loads(written(table, options, **wishes)))
    pairs = [(resource["type"], resource["id"]) for resource in found["data"]]
    assert len(set(pairs)) == len(pairs)
    for resource in found["data"]:
        assert not resource.get("attributes", {}).keys() & resource.get("relationships", {}).keys()
    return found


def attributes(table: pa.Table, options: JsonApiOptions | None = None, **wishes: Any) -> list[dict[str, Any]]:
    return [resource["attributes"] for resource in document(table, options, **wishes)["data"]]


def test_golden_file() -> None:
    options = JsonApiOptions(relationships=RELATED, self_link="https://crm.example.com/contacts?page=1")
    about = About("Contacts", "contacts")
    assert document(CONTACTS, options, about=about)
    assert written(CONTACTS, options, about=about).decode() == (
        '{"jsonapi":{"version":"1.1"},"data":[\n'
        '{"type":"contacts","id":"7","attributes":{"name":"Ana \\"\\n","total":12.50,"born":"2024-02-29",'
        '"at":"2024-06-01T16:00:00Z","tags":["a",null]},"relationships":{'
        '"customer":{"data":{"type":"customers","id":"5"}},"owner":{"data":{"type":"users","id":"x&y"}}}},\n'
        '{"type":"contacts","id":"8","attributes":{"name":null,"total":null,"born":null,"at":null,"tags":null},'
        '"relationships":{"customer":{"data":null},"owner":{"data":null}}}\n'
        '],"meta":{"rows":2,"snapshot_at":"2026-11-21T12:00:01Z","dataset":"contacts"},'
        '"links":{"self":"https://crm.example.com/contacts?page=1"}}\n'
    )


def test_no_rows_are_an_empty_array() -> None:
    found = document(CONTACTS.slice(0, 0), JsonApiOptions(relationships=RELATED))
    assert (found["data"], found["meta"]["rows"]) == ([], 0)


def test_rows_in_batches_of_their_own() -> None:
    table = pa.concat_tables([CONTACTS, CONTACTS])
    for options in (JsonApiOptions(), JsonApiOptions(id="")):
        assert written(table, options, batch_rows=1) == written(table, options)


def test_without_a_key_the_row_number_is_the_id() -> None:
    table = pa.table({"name": ["a", "b", "c"]})
    assert [resource["id"] for resource in document(table)["data"]] == ["1", "2", "3"]


def test_an_empty_id_option_numbers_the_rows_and_keeps_the_column() -> None:
    found = document(pa.table({"id": [5, 5]}), JsonApiOptions(id=""))["data"]
    assert [(resource["id"], resource["attributes"]) for resource in found] == [("1", {"id_2": 5}), ("2", {"id_2": 5})]


def test_any_column_may_be_the_id_and_is_then_no_attribute() -> None:
    at = pa.array([datetime(2024, 6, 1, tzinfo=UTC)], pa.timestamp("us", "UTC"))
    table = pa.table({"at": at, "ok": [True]})
    reader = Reader("es-CL", "America/Santiago")
    found = document(table, JsonApiOptions(id="at", formatted=True), reader=reader)["data"]
    assert found == [{"type": "rows", "id": "2024-06-01T00:00:00Z", "attributes": {"ok": True}}]


def test_a_null_id_is_told_apart_by_the_rows_number() -> None:
    found = document(pa.table({"id": pa.array([2, None, 3], pa.int64())}))["data"]
    assert [resource["id"] for resource in found] == ["2", "row-2", "3"]


def test_a_file_of_ids_alone_has_empty_attributes() -> None:
    assert document(pa.table({"id": ["a"]}))["data"] == [{"type": "rows", "id": "a", "attributes": {}}]


def test_the_type_is_the_datasets_name_made_a_member_name() -> None:
    table = pa.table({"id": [1]})
    assert document(table, about=About(dataset="billing/invoices."))["data"][0]["type"] == "billing_invoices"
    assert document(table, JsonApiOptions(type="legal cases"))["data"][0]["type"] == "legal cases"


def test_names_become_member_names_and_stay_unique() -> None:
    names = ["type", "a.b", "a_b", "_rev", "$", "größe", "first name", "custom:cf_1"]
    table = pa.table({name: [index] for index, name in enumerate(names)})
    assert list(attributes(table)[0]) == [
        "type_2",
        "a_b",
        "a_b_2",
        "rev",
        "field",
        "größe",
        "first name",
        "custom_cf_1",
    ]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=8, unique=True))
def test_whatever_columns_are_called_the_document_keeps_the_rules(names: list[str]) -> None:
    table = pa.table({name: [index] for index, name in enumerate(names)})
    found = document(table, JsonApiOptions(id="", relationships={names[0]: "others"}))["data"][0]
    assert list(found["attributes"].values()) == list(range(1, len(names)))
    assert [link["data"]["id"] for link in found["relationships"].values()] == ["0"]


def test_a_relationship_keeps_its_whole_name_where_the_short_one_is_taken() -> None:
    table = pa.table({"customer": ["Ann"], "customerId": [1], "Id": [2], "paid": [3]})
    options = JsonApiOptions(relationships={"customerId": "customers", "Id": "things", "paid": "payments"})
    found = document(table, options)["data"][0]
    assert found["attributes"] == {"customer": "Ann"}
    assert list(found["relationships"]) == ["customerId", "Id", "paid"]


def test_values_are_raw_whatever_the_readers_language() -> None:
    table = pa.table({"n": pa.array([Decimal("1234.50")], pa.decimal128(9, 2)), "d": [date(2026, 5, 31)]})
    reader = Reader("es-CL", "America/Santiago")
    assert attributes(table, reader=reader) == [{"n": Decimal("1234.50"), "d": "2026-05-31"}]
    formatted = JsonApiOptions(formatted=True)
    assert attributes(table, formatted, reader=reader) == [{"n": "1.234,50", "d": "31/05/2026"}]


def test_nan_and_infinities_are_null_and_decimals_exact() -> None:
    assert [row["x"] for row in attributes(pa.table({"x": [float("nan"), float("inf"), 0.1]}))] == [
        None,
        None,
        Decimal("0.1"),
    ]
    exact = Decimal("-1234567890123456789012345678.0123456789")
    assert attributes(pa.table({"x": pa.array([exact], pa.decimal128(38, 10))})) == [{"x": exact}]


@given(st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=20), max_size=5))
def test_every_text_is_read_back(values: list[str | None]) -> None:
    table = pa.table({"x": pa.array(values, pa.string())})
    assert [row["x"] for row in attributes(table)] == values
    ids = [resource["id"] for resource in json.loads(written(table, JsonApiOptions(id="x")))["data"]]
    assert ids == [f"row-{number}" if text is None else text for number, text in enumerate(values, 1)]


def test_forty_columns_keep_their_order() -> None:
    table = pa.table({f"c{n}": pa.array([n, None], pa.int64()) for n in range(40)})
    assert attributes(table) == [{f"c{n}": n for n in range(40)}, {f"c{n}": None for n in range(40)}]


def test_ten_thousand_columns_take_no_minute() -> None:
    table = pa.table({f"c{n}": [n] for n in range(10_000)})
    began = time.process_time()
    assert len(attributes(table)[0]) == 10_000
    assert time.process_time() - began < 30  # it was 100 when every column asked the schema for all types


@pytest.mark.parametrize(
    ("options", "pointer"),
    [
        ({"type": "a/b"}, "/options/type"),
        ({"type": ""}, "/options/type"),
        ({"relationships": {"customerId": "_customers"}}, "/options/relationships/customerId"),
        ({"relationships": {"customerId": 5}}, "/options/relationships"),
        ({"relationships": "customerId"}, "/options/relationships"),
        ({"self_link": "https://example.com/a b"}, "/options/self_link"),
    ],
)
def test_what_json_api_does_not_allow_is_refused(options: dict[str, Any], pointer: str) -> None:
    with pytest.raises(InvalidFormat) as caught:
        parse_options(JSONAPI, options)
    assert caught.value.problems[0][0] == pointer
    assert caught.value.hint


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        (JsonApiOptions(id="nmae"), "name"),
        (JsonApiOptions(relationships={"customerid": "customers"}), "customerId"),
        (JsonApiOptions(relationships={"tags": "tags"}), "texts or numbers"),
    ],
)
def test_an_option_that_names_no_fitting_column_is_refused_before_any_byte(options: JsonApiOptions, hint: str) -> None:
    with pytest.raises(InvalidFormat) as caught:
        encode_jsonapi(stream_of(CONTACTS), options)
    assert hint in caught.value.hint


def test_relationships_may_be_given_as_text() -> None:
    given = parse_options(JSONAPI, {"relationships": "customerId:customers, custom:cf_1:users"})
    assert given.relationships == {"customerId": "customers", "custom:cf_1": "users"}
    assert parse_options(JSONAPI, {"relationships": ""}).relationships == {}


def test_closing_the_file_early_ends_the_read() -> None:
    ended = []

    def batches() -> Generator[pa.RecordBatch, None, None]:
        try:
            while True:
                yield from CONTACTS.to_batches()
        finally:
            ended.append(True)

    chunks = encode_jsonapi(replace(stream_of(CONTACTS), batches=batches()), JsonApiOptions(id=""))
    assert next(chunks).startswith(b'{"jsonapi"')
    chunks.close()
    assert ended
