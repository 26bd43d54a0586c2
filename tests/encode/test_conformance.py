"""What every format in FORMATS does alike. A format that is added is tested here the moment it is in the table."""

import csv
import io
import json
from collections.abc import Callable, Generator
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from pypdf import PdfReader
from python_calamine import CalamineWorkbook
from workbooks import stream_of

from offtake.encode import FORMATS, parse_options
from offtake.errors import InvalidFormat, SourceFailed
from offtake.model.dataset import FieldType
from offtake.model.ports import Chunks, Format, RowStream

each_format = pytest.mark.parametrize("format", FORMATS.values(), ids=FORMATS)
ROWS = pa.table(
    {
        "id": pa.array([1, 2, 9_007_199_254_740_993, None], pa.int64()),
        "text": pa.array(["é中😀 א", 'a,b;"c"\n\td & <e>', "", None]),
        "total": pa.array(
            [Decimal("12345678901234567890.10"), Decimal("-0.05"), Decimal(0), None], pa.decimal128(38, 2)
        ),
        "json": pa.array(['{"a": 1}', "[]", None, "1"]),
    }
)
TYPES = {"json": FieldType.JSON}
NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"

Rows = list[dict[str, str | None]]


def delimited(data: bytes, delimiter: str) -> Rows:
    """csv and tsv as Python reads them; its reader makes no difference between null and empty."""
    return [
        {name: value or None for name, value in row.items()}
        for row in csv.DictReader(io.StringIO(data.decode(), newline=""), delimiter=delimiter)
    ]


def objects(rows: list[dict[str, Any]]) -> Rows:
    return [{name: None if value is None else value for name, value in row.items()} for row in rows]


def sheet(data: bytes) -> Rows:
    head, *rows = CalamineWorkbook.from_filelike(io.BytesIO(data)).get_sheet_by_index(0).to_python()
    return [dict(zip(head, row, strict=True)) for row in rows]


def elements(data: bytes) -> Rows:
    return [{cell.tag: None if cell.get(NIL) else cell.text for cell in row} for row in etree.fromstring(data)]


def pdf_text(data: bytes) -> str:
    return "".join(page.extract_text() for page in PdfReader(io.BytesIO(data)).pages)


READERS: dict[str, Callable[[bytes], Rows]] = {
    "csv": lambda data: delimited(data, ","),
    "tsv": lambda data: delimited(data, "\t"),
    "json": lambda data: objects(orjson.loads(data)),
    "ndjson": lambda data: objects([orjson.loads(line) for line in data.splitlines()]),
    "jsonapi": lambda data: objects([row["attributes"] for row in orjson.loads(data)["data"]]),
    "xlsx": sheet,
    "xml": elements,
    "parquet": lambda data: pq.read_table(io.BytesIO(data)).to_pylist(),
    "arrow": lambda data: pa.ipc.open_file(io.BytesIO(data)).read_all().to_pylist(),
}


def written(format: Format, table: pa.Table = ROWS, **wishes: Any) -> bytes:
    stream = stream_of(
        table, types={name: kind for name, kind in TYPES.items() if name in table.column_names}, **wishes
    )
    return b"".join(format.encode(stream, format.options()))


@each_format
def test_unicode_and_quotes_come_back(format: Format) -> None:
    data = written(format)
    if format.name == "pdf":
        assert "é中😀" in pdf_text(data)
    elif format.name in READERS:
        assert [row["text"] for row in READERS[format.name](data)[:2]] == ROWS["text"].to_pylist()[:2]


@each_format
def test_wide_numbers_keep_every_digit(format: Format) -> None:
    data = written(format, ROWS.select(["text", "id", "total"]).slice(0, 3))
    if format.name in ("json", "ndjson", "jsonapi"):
        assert b"9007199254740993" in data
        assert b"12345678901234567890.10" in data
    elif format.name in READERS:
        rows = READERS[format.name](data)
        assert str(rows[2]["id"]) == "9007199254740993"
        assert str(rows[0]["total"]) == "12345678901234567890.10"


@each_format
def test_two_batches_equal_one(format: Format) -> None:
    one, two = written(format), written(format, batch_rows=2)
    if format.name in ("parquet", "arrow"):  # they show how the rows came
        assert READERS[format.name](one) == READERS[format.name](two)
    elif format.name == "pdf":  # its first batch decides the widths, and so where text wraps
        assert sorted("".join(pdf_text(one).split())) == sorted("".join(pdf_text(two).split()))
    else:
        assert one == two


@each_format
def test_the_same_rows_give_the_same_bytes(format: Format) -> None:
    assert written(format) == written(format)


@each_format
def test_no_rows_are_a_whole_file(format: Format) -> None:
    data = written(format, ROWS.slice(0, 0))
    if format.name == "pdf":
        assert len(PdfReader(io.BytesIO(data)).pages) == 1
    elif format.name in READERS:
        assert READERS[format.name](data) == []


@each_format
def test_nothing_comes_before_the_first_batch_is_there(format: Format) -> None:
    def refused() -> Generator[pa.RecordBatch, None, None]:
        raise SourceFailed("The database went away.")
        yield

    chunks = format.encode(replace(stream_of(ROWS), batches=refused()), format.options())
    with pytest.raises(SourceFailed):
        next(chunks)


@each_format
def test_a_failure_in_the_middle_is_raised_and_nothing_follows(format: Format) -> None:
    def broken() -> Generator[pa.RecordBatch, None, None]:
        yield from stream_of(ROWS).batches
        raise SourceFailed("The database went away.")

    chunks = format.encode(replace(stream_of(ROWS), batches=broken()), format.options())
    with pytest.raises(SourceFailed):
        list(chunks)
    assert next(chunks, None) is None


@each_format
def test_closing_early_closes_the_read(format: Format) -> None:
    closed: list[bool] = []

    def endless() -> Generator[pa.RecordBatch, None, None]:
        try:
            while True:
                yield pa.record_batch({"id": pa.array(range(5000), pa.int64()), "text": ["x" * 50] * 5000})
        finally:
            closed.append(True)

    table = ROWS.select(["id", "text"])
    chunks = format.encode(replace(stream_of(table), batches=endless()), format.options())
    next(chunks)
    chunks.close()
    assert closed == [True]


@each_format
def test_an_unknown_option_is_refused_with_the_nearest(format: Format) -> None:
    known = [field.name for field in fields(format.options)]
    wrong = f"{known[0]}x" if known else "anything"
    with pytest.raises(InvalidFormat) as caught:
        parse_options(format, {wrong: 1})
    assert known[0] in caught.value.hint if known else "no options" in caught.value.hint


@each_format
def test_format_says_what_it_is(format: Format) -> None:
    assert "/" in format.media_type
    assert format.extension.isalnum()
    assert format.options() == parse_options(format, {})


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn"])), max_size=5))
def test_text_formats_agree_on_text(texts: list[str]) -> None:
    table = pa.table({"id": pa.array(range(len(texts)), pa.int64()), "text": pa.array(texts, pa.string())})
    for name in ("json", "ndjson", "jsonapi"):
        assert [row["text"] for row in READERS[name](written(FORMATS[name], table))] == texts
    assert [row["text"] or "" for row in elements(written(FORMATS["xml"], table))] == texts


def test_a_new_format_is_one_function_one_record_and_its_options_are_checked() -> None:
    @dataclass(frozen=True)
    class CountOptions:
        unit: str = "rows"
        twice: bool = False

    def encode_count(stream: RowStream, options: CountOptions) -> Chunks:
        rows = sum(batch.num_rows for batch in stream)
        yield json.dumps({options.unit: rows * (2 if options.twice else 1)}).encode()

    count = Format("count", "application/json", "json", CountOptions, encode_count)
    options = parse_options(count, {"unit": "lines", "twice": "true"})
    assert b"".join(count.encode(stream_of(ROWS), options)) == b'{"lines": 8}'
    with pytest.raises(InvalidFormat, match="unit"):
        parse_options(count, {"unit": 3})
