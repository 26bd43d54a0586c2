"""JSON and NDJSON: the bytes themselves, and as orjson, the json module and DuckDB read them."""

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from workbooks import SNAPSHOT, stream_of

from offtake.encode import parse_options
from offtake.encode.json import JSON, NDJSON, enveloped
from offtake.encode.nested import json_line, json_texts
from offtake.errors import SourceFailed
from offtake.model.dataset import Field, FieldType
from offtake.model.export import Reader

CHILE = Reader("es-CL", "America/Santiago")
ROWS = pa.table(
    {
        "id": pa.array([2**63 - 1, None], pa.int64()),
        "name": pa.array(['a "b" \\ \n\x01é😀\u2028', ""]),
        "total": pa.array([Decimal("12345678901234567890.10"), Decimal("-0.05")], pa.decimal128(38, 2)),
        "rate": pa.array([0.1, float("nan")]),
        "ok": pa.array([True, None]),
        "day": pa.array([date(2026, 5, 31), None]),
        "at": pa.array([1_780_228_800_123_456, None], pa.timestamp("us", "UTC")),
        "tags": pa.array([["x", None], []]),
        "place": pa.array([{"lat": 1.5, "at": None}, None], pa.struct({"lat": pa.float64(), "at": pa.date32()})),
    }
)


def ndjson(table: pa.Table, options: dict[str, Any] | None = None, **wishes: Any) -> bytes:
    return b"".join(NDJSON.encode(stream_of(table, **wishes), parse_options(NDJSON, options or {})))


def array(table: pa.Table, options: dict[str, Any] | None = None, **wishes: Any) -> bytes:
    return b"".join(JSON.encode(stream_of(table, **wishes), parse_options(JSON, options or {})))


def column(values: list[Any], type: pa.DataType, kind: FieldType) -> list[str]:
    """What stands behind `"v":` in each line."""
    lines = ndjson(pa.table({"v": pa.array(values, type)}), types={"v": kind}).decode().splitlines()
    return [line.removeprefix('{"v":').removesuffix("}") for line in lines]


def test_golden_lines() -> None:
    assert ndjson(ROWS).decode() == (
        '{"id":9223372036854775807,"name":"a \\"b\\" \\\\ \\n\\u0001é😀\u2028",'
        '"total":12345678901234567890.10,"rate":0.1,"ok":true,"day":"2026-05-31","at":"2026-05-31T12:00:00.123456Z","tags":["x",null],'
        '"place":{"lat":1.5,"at":null}}\n'
        '{"id":null,"name":"","total":-0.05,"rate":null,"ok":null,"day":null,"at":null,"tags":[],"place":null}\n'
    )


def test_the_reader_s_language_and_zone_change_nothing() -> None:
    assert ndjson(ROWS, reader=CHILE) == ndjson(ROWS)
    assert array(ROWS, reader=CHILE) == array(ROWS)


def test_formatted_values_are_text_in_the_reader_s_language() -> None:
    table = ROWS.select(["id", "total", "ok", "day", "name"]).slice(1)
    line = json.loads(ndjson(table, {"formatted": True}, reader=CHILE))
    assert line == {"id": None, "total": "-0,05", "ok": None, "day": None, "name": ""}


def test_an_array_holds_one_object_a_line() -> None:
    assert array(pa.table({"n": [1, 2]})).decode() == '[\n{"n":1},\n{"n":2}\n]\n'
    assert json.loads(array(pa.table({"n": pa.array([], pa.int64())}))) == []


def test_meta_tells_the_columns_and_the_snapshot_beside_the_data() -> None:
    read = json.loads(array(pa.table({"n": [1]}), {"meta": "true"}, labels={"n": "Number"}))
    assert read["data"] == [{"n": 1}]
    assert read["meta"]["columns"] == [{"name": "n", "label": "Number", "type": "integer"}]
    assert read["meta"]["snapshot_at"] == SNAPSHOT.isoformat().replace("+00:00", "Z")


@pytest.mark.parametrize(
    ("total", "text"), [(2, '{"meta":{"n":2},"data":[%s]}'), (None, '{"data":[%s],"meta":{"n":2}}')]
)
def test_what_a_file_says_of_itself_comes_first_if_its_rows_were_counted(total: int | None, text: str) -> None:
    stream = replace(stream_of(pa.table({"n": [1, 2]})), total=total)
    told = enveloped(lambda rows: {"n": rows})
    assert b"".join(told.encode(stream, told.options())).decode() == text % '\n{"n":1},\n{"n":2}\n' + "\n"


def test_a_file_with_other_rows_than_it_announced_never_ends() -> None:
    told = enveloped(lambda rows: {"n": rows})
    chunks = told.encode(replace(stream_of(pa.table({"n": [1, 2]})), total=3), told.options())
    read: list[bytes] = []
    with pytest.raises(SourceFailed, match="changed"):
        read.extend(chunks)
    assert read[-1].endswith(b'{"n":2}')


def test_decimals_without_bound_are_json_numbers_or_null() -> None:
    digits = ["1" * 60 + ".5", "NaN", "-Infinity", "1E+3", ".5", "007", None]
    assert column(digits, pa.string(), FieldType.DECIMAL) == [digits[0], "null", "null", "1E+3", "0.5", "7", "null"]


def test_infinite_dates_are_words() -> None:
    days = pa.array([2**31 - 1, -(2**31)], pa.int32()).view(pa.date32())
    assert ndjson(pa.table({"d": days})).decode() == '{"d":"infinity"}\n{"d":"-infinity"}\n'


def test_json_columns_are_passed_on_with_their_digits_on_one_line() -> None:
    given = ['{"a":\n 1.50,\r\n "b": 1e400}', "[]", "null", "NaN", "{oops", '"x"', None, "[" * 100_000]
    read = column(given, pa.string(), FieldType.JSON)
    assert read[:7] == ['{"a":  1.50,   "b": 1e400}', "[]", "null", '"NaN"', '"{oops"', '"x"', "null"]
    assert json.loads(read[7]) == given[7]


def test_a_name_twice_or_with_quotes_is_still_json() -> None:
    assert json.loads(ndjson(pa.table({'a"b\n': [1]}))) == {'a"b\n': 1}


NESTED = st.recursive(
    st.none() | st.booleans() | st.text(st.characters(codec="utf-8"), max_size=6),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=6,
)


@given(
    st.lists(st.none() | st.lists(st.none() | st.lists(st.none() | st.text(st.characters(codec="utf-8"))))), st.data()
)
def test_nested_lists_are_read_back_from_any_slice(rows: list[Any], data: st.DataObject) -> None:
    values = pa.array(rows, pa.list_(pa.list_(pa.string())))
    start = data.draw(st.integers(0, len(rows)))
    texts = json_texts(values.slice(start)).to_pylist()
    assert [None if text is None else json.loads(text) for text in texts] == rows[start:]


STRUCTS = st.none() | st.fixed_dictionaries(
    {
        "a": st.none() | st.integers(-(2**63), 2**63 - 1),
        "b": st.none() | st.lists(st.none() | st.booleans(), max_size=3),
    }
)


@given(st.lists(STRUCTS), st.data())
def test_structs_are_read_back_from_any_slice(rows: list[Any], data: st.DataObject) -> None:
    values = pa.array(rows, pa.struct({"a": pa.int64(), "b": pa.list_(pa.bool_())}))
    start = data.draw(st.integers(0, len(rows)))
    texts = json_texts(values.slice(start)).to_pylist()
    assert [None if text is None else json.loads(text) for text in texts] == rows[start:]


def test_decimals_and_json_inside_lists_and_structs_are_no_strings() -> None:
    digits, document = Field("k", FieldType.DECIMAL, "k", "K"), Field("j", FieldType.JSON, "j", "J")
    inside = [("k", pa.string()), ("j", pa.string()), ("t", pa.string())]
    objects = pa.array([[{"k": "1.50", "j": '{"a": 2}', "t": "3"}, None], None], pa.list_(pa.struct(inside)))
    of_objects = Field("o", FieldType.LIST, "o", "O", fields=(digits, document))
    assert json_texts(objects, of_objects).to_pylist() == ['[{"k":1.50,"j":{"a": 2},"t":"3"},null]', None]
    lists = pa.array([["[1]", None, "[2,3]"]])
    assert (
        json_texts(lists, Field("l", FieldType.LIST, "l", "L", items=FieldType.JSON))[0].as_py() == "[[1],null,[2,3]]"
    )
    numbers = pa.array([["12345678901234567890.10", "NaN"]])
    of_numbers = Field("n", FieldType.LIST, "n", "N", items=FieldType.DECIMAL)
    assert json_texts(numbers, of_numbers)[0].as_py() == "[12345678901234567890.10,null]"


@given(st.text(), NESTED)
def test_any_text_becomes_one_line_of_json(text: str, value: Any) -> None:
    assert json.loads(json_line(json.dumps(value, indent=1))) == value
    line = json_line(text)
    assert "\n" not in line
    json.loads(line)


@given(st.lists(st.text(st.characters(codec="utf-8"))))
def test_orjson_reads_back_every_text(texts: list[str]) -> None:
    table = pa.table({"t": pa.array(texts, pa.string())})
    assert [orjson.loads(line)["t"] for line in ndjson(table).split(b"\n")[:-1]] == texts
    assert [row["t"] for row in orjson.loads(array(table))] == texts


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False)))
def test_doubles_keep_every_bit(numbers: list[float]) -> None:
    read = [orjson.loads(line)["v"] for line in ndjson(pa.table({"v": pa.array(numbers, pa.float64())})).splitlines()]
    assert [float(number) for number in read] == numbers


@pytest.mark.parametrize("format", [JSON, NDJSON], ids=lambda format: format.name)
def test_duckdb_reads_the_values_back(format: Any, tmp_path: Path) -> None:
    table = ROWS.select(["id", "name", "ok", "day", "tags"])
    path = tmp_path / "rows"
    path.write_bytes(b"".join(format.encode(stream_of(table), format.options())))
    types = "{id: 'BIGINT', name: 'VARCHAR', ok: 'BOOLEAN', day: 'DATE', tags: 'VARCHAR[]'}"
    kind = "array" if format is JSON else "newline_delimited"
    with duckdb.connect() as database:
        query = f"SELECT * FROM read_json('{path}', columns={types}, format='{kind}')"
        assert database.execute(query).to_arrow_table().to_pylist() == table.to_pylist()
