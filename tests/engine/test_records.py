"""Records: every object has every name, whatever its own are; what still runs has a duration."""

import json
from collections.abc import Generator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offtake.engine.records import CHARS_AT_ONCE, LONGEST_NAMES, NamesSeen, complete_records
from offtake.errors import InvalidRequest
from offtake.model.dataset import Field, FieldType
from offtake.model.export import Column
from offtake.model.ports import RowStream
from offtake.model.records import RecordStyle

NOW = datetime(2026, 5, 17, 12, 30, tzinfo=UTC)
STYLE = RecordStyle(objects=("variables",), running={"duration": ("start", "end")}, placeholder="<object>")
VARIABLES = pa.schema([("variables", pa.string())])
SPANS = pa.schema([("duration", pa.int64()), ("start", pa.timestamp("us", "UTC")), ("end", pa.timestamp("us", "UTC"))])
JSON_COLUMN = Column(Field("variables", FieldType.JSON, "variables", "Variables"))


def stream(schema: pa.Schema, *batches: Sequence[dict[str, Any]], closed: list[bool] | None = None) -> RowStream:
    def each() -> Generator[pa.RecordBatch, None, None]:
        try:
            for rows in batches:
                yield pa.RecordBatch.from_pylist(list(rows), schema=schema)
        finally:
            if closed is not None:
                closed.append(True)

    columns = tuple(replace(JSON_COLUMN, field=replace(JSON_COLUMN.field, name=name)) for name in schema.names)
    return RowStream(columns, schema, each(), NOW)


def completed(*texts: str | None, schema: pa.Schema = VARIABLES) -> list[Any]:
    rows = [{"variables": text} for text in texts]
    seen = NamesSeen(STYLE.objects, [JSON_COLUMN])
    for batch in stream(schema, rows):
        seen.add(batch)
    done = complete_records(stream(schema, rows), STYLE, seen.names)
    return [json.loads(text) for batch in done for text in batch.column("variables").to_pylist()]


@given(st.lists(st.none() | st.dictionaries(st.text(max_size=3), st.none() | st.text(max_size=3)), max_size=6))
def test_every_object_has_every_name_in_order(objects: list[dict[str, str | None] | None]) -> None:
    names = sorted({name for each in objects if each for name in each})
    found = completed(*(None if each is None else json.dumps(each) for each in objects))
    for given_, record in zip(objects, found, strict=True):
        assert list(record) == [name.encode("utf-8", "replace").decode() for name in names]
        assert list(record.values()) == [
            ((given_ or {}).get(name) or "").encode("utf-8", "replace").decode() for name in names
        ]


def test_values_are_text_with_their_digits_as_written() -> None:
    text = '{"a":12345678901234567890.10,"b":true,"c":[1,"x",null,false],"d":{"e":1},"f":[[1]],"g":1e400,"h":"é\\n"}'
    assert completed(text, "{}") == [
        {
            "a": "12345678901234567890.10",
            "b": "true",
            "c": "1, x, , false",
            "d": "<object>",
            "f": "<object>",
            "g": "1e400",
            "h": "é\n",
        },
        dict.fromkeys("abcdfgh", ""),
    ]


def test_what_is_no_object_stays_as_it_is() -> None:
    assert completed("[1,2]", '"x"', '{"a":"1"}', "3") == [[1, 2], "x", {"a": "1"}, 3]


def test_only_json_columns_are_objects() -> None:
    text = Column(replace(JSON_COLUMN.field, type=FieldType.STRING))
    assert NamesSeen(STYLE.objects, [text]).names == {}
    assert NamesSeen(STYLE.objects, [JSON_COLUMN]).names == {"variables": ()}


def test_too_many_names_are_refused() -> None:
    seen = NamesSeen(STYLE.objects, [JSON_COLUMN])
    seen.add(next(stream(VARIABLES, [{"variables": json.dumps({"n" * (LONGEST_NAMES - 1): 1})}]).batches))
    with pytest.raises(InvalidRequest, match="names"):
        seen.add(next(stream(VARIABLES, [{"variables": json.dumps({"two": 1})}]).batches))


def test_batches_of_records_with_many_names_are_cut_small() -> None:
    names = [f"{'n' * 100}{number:05}" for number in range(2000)]
    rows: list[dict[str, Any]] = [{"variables": "{}"} for _ in range(500)]
    done = complete_records(stream(VARIABLES, rows), STYLE, {"variables": names})
    sizes = [(batch.num_rows, batch.nbytes) for batch in done]
    assert sum(rows for rows, _ in sizes) == 500
    assert max(size for _, size in sizes) < 2 * CHARS_AT_ONCE


def test_what_still_runs_has_run_until_the_rows_were_read() -> None:
    start = NOW - timedelta(milliseconds=1500)
    rows: list[dict[str, Any]] = [
        {"duration": None, "start": start, "end": None},
        {"duration": None, "start": start, "end": start},
        {"duration": 7, "start": start, "end": None},
        {"duration": None, "start": None, "end": None},
    ]
    assert durations(SPANS, rows) == [1500, None, 7, None]
    assert durations(pa.schema(list(SPANS)[:2]), rows) == [1500, 1500, 7, None]
    assert durations(pa.schema(list(SPANS)[:1]), rows) == [None, None, 7, None]


@pytest.mark.parametrize("start", [2**63 - 1, -(2**63)])
def test_nobody_knows_how_long_something_runs_that_began_at_infinity(start: int) -> None:
    began = pa.array([start], pa.timestamp("us", "UTC"))
    batch = pa.record_batch([pa.nulls(1, pa.int64()), began, pa.nulls(1, began.type)], schema=SPANS)
    done = complete_records(replace(stream(SPANS), batches=(each for each in [batch])), STYLE, {})
    assert [each.column("duration").to_pylist() for each in done] == [[None]]


def test_closing_the_records_closes_the_rows() -> None:
    closed: list[bool] = []
    done = complete_records(stream(VARIABLES, [{"variables": "{}"}] * 3, closed=closed), STYLE, {"variables": ()})
    next(done.batches)
    done.close()
    assert closed == [True]


def durations(schema: pa.Schema, rows: list[dict[str, Any]]) -> list[int | None]:
    some = [{name: row[name] for name in schema.names} for row in rows]
    return [value for batch in complete_records(stream(schema, some), STYLE, {}) for value in batch[0].to_pylist()]
