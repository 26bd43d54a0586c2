"""XML files as lxml and expat read them, and the bytes themselves."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Generator
from dataclasses import replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from workbooks import stream_of

from offtake.encode import parse_options
from offtake.encode.xml import XML, XmlOptions, element_name, encode_xml
from offtake.errors import InvalidFormat
from offtake.model.dataset import FieldType
from offtake.model.export import Reader

NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
MIXED = pa.table(
    {
        "id": pa.array([7, None], pa.int64()),
        "name": pa.array(["Ana & <co> ]]>", ""]),
        "ok": pa.array([True, None]),
        "total": pa.array([Decimal("12.50"), Decimal("-0.01")], pa.decimal128(9, 2)),
        "rating": pa.array([0.1, float("-inf")]),
        "born": pa.array([date(2024, 2, 29), None]),
        "at": pa.array([datetime(2024, 6, 1, 16, 0, 0, 500_000, tzinfo=UTC), None], pa.timestamp("us", "UTC")),
        "tags": pa.array([["a", '"<'], None]),
    }
)


def written(table: pa.Table, options: XmlOptions | None = None, **wishes: Any) -> bytes:
    return b"".join(encode_xml(stream_of(table, **wishes), options or XmlOptions()))


def read(content: bytes) -> list[dict[str, str | None]]:
    """The rows as lxml and expat see them, who must agree; null where the element says so."""
    seen = [_rows(etree.fromstring(content, etree.XMLParser(huge_tree=True))), _rows(ET.fromstring(content))]
    assert seen[0] == seen[1]
    return seen[0]


def _rows(root: Any) -> list[dict[str, str | None]]:
    return [{cell.tag: None if cell.get(NIL) == "true" else cell.text or "" for cell in row} for row in root]


def one(values: list[Any], type: pa.DataType | None = None, **wishes: Any) -> list[str | None]:
    """A column written and read back."""
    return [row["x"] for row in read(written(pa.table({"x": pa.array(values, type)}), **wishes))]


def test_golden_file() -> None:
    assert written(MIXED, reader=Reader(timezone="America/Santiago")).decode() == (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<rows xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">\n'
        "<row><id>7</id><name>Ana &amp; &lt;co&gt; ]]&gt;</name><ok>true</ok><total>12.50</total><rating>0.1</rating>"
        "<born>2024-02-29</born><at>2024-06-01T12:00:00.500-04:00</at>"
        '<tags>["a","\\"&lt;"]</tags></row>\n'
        '<row><id xsi:nil="true"/><name></name><ok xsi:nil="true"/><total>-0.01</total><rating>-Infinity</rating>'
        '<born xsi:nil="true"/><at xsi:nil="true"/><tags xsi:nil="true"/></row>\n'
        "</rows>\n"
    )


def test_golden_file_with_other_names_and_empty_nulls() -> None:
    table = pa.table({"id": pa.array([1, None], pa.int64())})
    options = XmlOptions(root="Kontakte", row="größe", nulls="empty")
    assert written(table, options).decode() == (
        '<?xml version="1.0" encoding="UTF-8"?>\n<Kontakte>\n'
        "<größe><id>1</id></größe>\n<größe><id/></größe>\n</Kontakte>\n"
    )


def test_nulls_may_be_left_out() -> None:
    table = pa.table({"a": pa.array([None, ""]), "b": pa.array([None, 1], pa.int64())})
    assert read(written(table, XmlOptions(nulls="omit"))) == [{}, {"a": "", "b": "1"}]


def test_no_rows_are_a_root_without_elements() -> None:
    assert read(written(MIXED.slice(0, 0))) == []


def test_one_row_in_a_batch_of_its_own() -> None:
    assert written(MIXED, batch_rows=1) == written(MIXED)


def test_the_values_are_in_the_readers_language() -> None:
    reader = Reader("es-CL", "America/Santiago")
    assert one([Decimal("1234567.50")], pa.decimal128(12, 2), reader=reader) == ["1.234.567,50"]
    assert one([date(2026, 5, 31)], reader=reader) == ["31/05/2026"]


def test_infinities_and_nan_have_names() -> None:
    assert one([float("nan"), float("inf"), float("-inf"), 1e300]) == ["NaN", "Infinity", "-Infinity", "1e+300"]


def test_numbers_keep_every_digit() -> None:
    digits = ["99999999999999999999999999999999999999", "-0.00000000000000000000000000000000000001", "0.10"]
    assert one(digits, types={"x": FieldType.DECIMAL}) == digits
    assert one([2**63 - 1, -(2**63)], pa.int64()) == ["9223372036854775807", "-9223372036854775808"]


def test_times_and_structs_are_text() -> None:
    assert one([time(6, 30)], pa.time64("us")) == ["06:30:00"]
    assert one([{"a": None, "b": ["<"]}]) == ['{"a":null,"b":["<"]}']


@given(st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=20), max_size=5))
def test_every_text_is_read_back_but_what_xml_cannot_hold(values: list[str | None]) -> None:
    unheard = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
    assert one(values, pa.string()) == [None if text is None else unheard.sub("\ufffd", text) for text in values]


def test_line_ends_tabs_and_white_space_are_kept() -> None:
    texts = ["a\r\nb\rc\nd\te", "  ", "\n", "\r"]
    assert one(texts) == texts


def test_a_text_of_one_megabyte() -> None:
    text = "aé<" * 350_000
    assert one([text]) == [text]


def test_forty_columns_keep_their_order() -> None:
    table = pa.table({f"c{n}": pa.array([n, None], pa.int64()) for n in range(40)})
    rows = read(written(table))
    assert [list(row) for row in rows] == [[f"c{n}" for n in range(40)]] * 2
    assert list(rows[0].values()) == [str(n) for n in range(40)]


def test_elements_are_named_by_the_label_a_request_gave() -> None:
    table = pa.table({"a": [1], "b": [2]})
    wishes: dict[str, Any] = {"labels": {"b": "Größe (cm)"}}
    assert read(written(table, **wishes)) == [{"a": "1", "Größe__cm_": "2"}]
    assert read(written(table, XmlOptions(header="name"), **wishes)) == [{"a": "1", "b": "2"}]
    assert read(written(table, XmlOptions(header="label"), **wishes)) == [{"A": "1", "Größe__cm_": "2"}]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("First Name", "First_Name"),
        ("items.qty", "items.qty"),
        ("custom:cf_1", "custom_cf_1"),
        ("2nd", "_2nd"),
        ("-", "_-"),
        ("", "_"),
        ("名前", "名前"),
        ("عمر", "عمر"),
        ("हिन्दी", "हिन्दी"),
        ("😀 ok", "__ok"),
        ("a/><b", "a___b"),
        ("a\ud800\0", "a__"),
    ],
)
def test_a_label_becomes_a_valid_name(text: str, name: str) -> None:
    assert element_name(text) == name


@given(st.text())
def test_every_parser_takes_the_names_we_make(text: str) -> None:
    name = element_name(text)
    assert element_name(name) == name
    document = f"<{name}/>".encode()
    assert (etree.fromstring(document).tag, ET.fromstring(document).tag) == (name, name)


def test_equal_names_are_told_apart() -> None:
    table = pa.table({"a b": [1], "a_b": [2], "a/b": [3], "a_b_2": [4]})
    assert read(written(table)) == [{"a_b": "1", "a_b_2": "2", "a_b_3": "3", "a_b_2_2": "4"}]


@pytest.mark.parametrize("name", ["", "1st", "a b", "a:b", "a/><b", 'a x="1"', "!DOCTYPE a", "😀", "\ud800"])
def test_a_name_no_element_can_have_is_refused(name: str) -> None:
    with pytest.raises(InvalidFormat) as caught:
        parse_options(XML, {"row": name})
    assert caught.value.problems[0][0] == "/options/row"
    assert element_name(name) in caught.value.hint


def test_closing_the_file_early_ends_the_read() -> None:
    ended = []

    def batches() -> Generator[pa.RecordBatch, None, None]:
        try:
            while True:
                yield from MIXED.to_batches()
        finally:
            ended.append(True)

    chunks = encode_xml(replace(stream_of(MIXED), batches=batches()), XmlOptions())
    assert next(chunks).startswith(b"<?xml")
    chunks.close()
    assert ended
