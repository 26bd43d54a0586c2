"""How a workbook is built: its sheets, header, styles, parts and bytes."""

import io
import re
import threading
import zipfile
from datetime import date
from typing import Any

import openpyxl
import pyarrow as pa
import pytest
from openxml_audit import OpenXmlValidator
from workbooks import SNAPSHOT, calamine_rows, openpyxl_rows, sheet_xml, stream_of, workbook

from offtake.encode.xlsx import XlsxOptions, encode_xlsx
from offtake.encode.xlsx.book import Bounds, write_book
from offtake.encode.zip import LIMIT
from offtake.errors import InvalidFormat, InvalidRequest
from offtake.model.export import Reader
from offtake.model.ports import About

WORDS = [
    "Santiago",
    "Valparaíso",
    "Concepción",
    "Antofagasta",
    "Temuco",
    "Iquique",
    "Rancagua",
    "Talca",
    "Arica",
    "Chillán",
    "Calama",
]
SANTIAGO = Reader(timezone="America/Santiago")


@pytest.mark.parametrize(("columns", "rows"), [(1, 0), (1, 1), (40, 0), (40, 3), (1, 3)])
def test_any_shape_has_its_header_and_every_cell(columns: int, rows: int) -> None:
    table = pa.table({f"c{i}": pa.array(range(rows), pa.int64()) for i in range(columns)})
    expected = [[f"c{i}" for i in range(columns)]] + [[row] * columns for row in range(rows)]
    content = workbook(table)
    assert openpyxl_rows(content) == expected
    assert calamine_rows(content) == expected


def test_no_batch_at_all_is_a_header() -> None:
    assert openpyxl_rows(workbook(pa.schema({"a": pa.int64()}).empty_table())) == [["a"]]


@pytest.mark.parametrize(
    ("header", "expected"), [("auto", "Mine"), ("label", "Mine"), ("name", "a"), ("none", None)], ids=str
)
def test_header_is_chosen(header: Any, expected: str | None) -> None:
    table = pa.table({"a": [1], "b": [2]})
    rows = openpyxl_rows(workbook(table, XlsxOptions(header=header), labels={"a": "Mine"}))
    assert rows[-1] == [1, 2]
    assert len(rows) == (2 if expected else 1)
    if expected:
        assert rows[0] == [expected, "B" if header == "label" else "b"]


def test_header_is_bold_frozen_and_filtered() -> None:
    sheet = openpyxl.load_workbook(io.BytesIO(workbook(pa.table({"a": [1, 2], "b": [3, 4]})))).worksheets[0]
    assert sheet["A1"].font.bold
    assert not sheet["A2"].font.bold
    assert (sheet.freeze_panes, sheet.auto_filter.ref) == ("A2", "A1:B3")


def test_widths_follow_the_first_rows() -> None:
    content = workbook(pa.table({"narrow": ["a"], "wide": ["漢字" * 10], "huge": ["x" * 5000]}))
    dimensions = openpyxl.load_workbook(io.BytesIO(content)).worksheets[0].column_dimensions
    assert [round(dimensions[letter].width) for letter in "ABC"] == [10, 41, 61]


@pytest.mark.parametrize(
    ("locale", "born", "at"),
    [
        (None, "yyyy\\-mm\\-dd", "yyyy\\-mm\\-dd hh:mm:ss"),
        ("es-CL", "dd\\/mm\\/yyyy", "dd\\/mm\\/yyyy\\, h:mm:ss\u202fAM/PM"),
        ("de", "dd\\.mm\\.yyyy", "dd\\.mm\\.yyyy\\, hh:mm:ss"),
    ],
)
def test_dates_have_the_locales_number_format(locale: str | None, born: str, at: str) -> None:
    table = pa.table({"born": [date(2026, 5, 31)], "at": pa.array([SNAPSHOT], pa.timestamp("us", "UTC"))})
    sheet = openpyxl.load_workbook(io.BytesIO(workbook(table, reader=Reader(locale)))).worksheets[0]
    assert sheet["A2"].number_format == born
    assert sheet["B2"].number_format.replace("\\\u202f", "\u202f").replace("\\ ", "\u202f") == at
    assert sheet["A2"].is_date
    assert sheet["B2"].is_date


def test_more_rows_than_a_sheet_holds_go_on_in_the_next() -> None:
    table = pa.table({"n": pa.array(range(25))})
    bounds = Bounds(rows=11)
    content = b"".join(write_book(stream_of(table, batch_rows=7), XlsxOptions(sheet_name="Rows"), bounds))
    book = openpyxl.load_workbook(io.BytesIO(content))
    assert book.sheetnames == ["Rows", "Rows 2", "Rows 3"]
    rows = [openpyxl_rows(content, sheet) for sheet in range(3)]
    assert [sheet[0] for sheet in rows] == [["n"]] * 3
    assert [row[0] for sheet in rows for row in sheet[1:]] == list(range(25))


def test_sheets_that_are_exactly_full_have_no_empty_one_behind() -> None:
    content = b"".join(write_book(stream_of(pa.table({"n": range(20)})), XlsxOptions(), Bounds(rows=11)))
    assert len(openpyxl.load_workbook(io.BytesIO(content)).sheetnames) == 2


def test_sheets_end_before_their_xml_is_too_large_for_a_reader() -> None:
    table = pa.table({"n": range(20)})
    content = b"".join(write_book(stream_of(table, batch_rows=5), XlsxOptions(), Bounds(sheet_bytes=1)))
    rows = [row for sheet in range(4) for row in openpyxl_rows(content, sheet)[1:]]
    assert rows == [[n] for n in range(20)]


def test_about_sheet_says_where_the_rows_come_from() -> None:
    about = About("Contacts of May", "contacts", "stage = 'Client'", "ana@example.com")
    content = workbook(
        pa.table({"a": [1, 2]}), XlsxOptions(about=True), reader=Reader("es-CL", "America/Santiago"), about=about
    )
    assert openpyxl.load_workbook(io.BytesIO(content)).sheetnames == ["Contacts of May", "About"]
    assert openpyxl_rows(content, 1) == [
        ["Title", "Contacts of May"],
        ["Dataset", "contacts"],
        ["Asked by", "ana@example.com"],
        ["Rows as of", "2026-11-21T09:00:01-03:00"],
        ["Filter", "stage = 'Client'"],
        ["Time zone", "America/Santiago"],
        ["Locale", "es-CL"],
        ["Rows", "2"],
    ]


def test_the_same_rows_give_the_same_bytes_however_they_are_cut() -> None:
    table = pa.table({"n": range(3000), "t": [f"row {n} é" for n in range(3000)], "d": [n / 7 for n in range(3000)]})
    whole = workbook(table)
    assert all(workbook(table, batch_rows=rows) == whole for rows in (1, 199, 1024))


def test_clocks_in_the_file_are_the_snapshots() -> None:
    archive = zipfile.ZipFile(io.BytesIO(workbook(pa.table({"a": [1]}))))
    assert {info.date_time for info in archive.infolist()} == {(2026, 11, 21, 12, 0, 0)}
    created = openpyxl.load_workbook(io.BytesIO(workbook(pa.table({"a": [1]})))).properties.created
    assert created == SNAPSHOT.replace(tzinfo=None)


def test_too_many_columns_fail_before_any_byte() -> None:
    table = pa.table({f"c{i}": pa.array([], pa.int64()) for i in range(16_385)})
    with pytest.raises(InvalidFormat, match="16,384"):
        next(encode_xlsx(stream_of(table), XlsxOptions()))


def test_an_unknown_zone_fails_before_any_byte() -> None:
    table = pa.table({"at": pa.array([SNAPSHOT], pa.timestamp("us", "UTC"))})
    with pytest.raises(InvalidRequest):
        next(encode_xlsx(stream_of(table, reader=Reader(timezone="Mars/Base")), XlsxOptions()))


def test_small_files_hold_the_same_and_are_smaller() -> None:
    table = pa.table(
        {"t": [f"{WORDS[n % 7]} {WORDS[n * 31 % 11]} {n * 7919 % 100_003} {WORDS[n % 5]}" for n in range(20_000)]}
    )
    fast, small = workbook(table), workbook(table, XlsxOptions(deflate="small"))
    assert sheet_xml(fast) == sheet_xml(small)
    assert len(small) < len(fast)


@pytest.mark.parametrize("deflate", ["fast", "small"])
def test_closing_early_leaves_no_thread(deflate: Any) -> None:
    table = pa.table({"t": ["x" * 1000 + str(n) for n in range(20_000)]})
    chunks = encode_xlsx(stream_of(table, batch_rows=1000), XlsxOptions(deflate=deflate))
    for _ in range(5):
        next(chunks)
    assert any(thread.name.startswith("deflate") for thread in threading.enumerate())
    chunks.close()
    assert not any(thread.name.startswith("deflate") for thread in threading.enumerate())


def test_a_read_that_breaks_off_raises_and_leaves_no_thread() -> None:
    stream = stream_of(pa.table({"n": range(1000)}))

    def broken() -> Any:
        yield pa.record_batch({"n": list(range(1000))})
        raise OSError("cable")

    chunks = encode_xlsx(type(stream)(stream.columns, stream.schema, broken(), SNAPSHOT), XlsxOptions())
    with pytest.raises(OSError, match="cable"):
        list(chunks)
    assert not any(thread.name.startswith("deflate") for thread in threading.enumerate())


def test_rows_are_read_as_chunks_are_taken() -> None:
    taken = []
    stream = stream_of(pa.table({"n": [0]}))

    def batches() -> Any:
        for number in range(200):
            taken.append(number)
            yield pa.record_batch({"n": ["x" * 100_000 + str(i) for i in range(10)]})

    schema = pa.schema({"n": pa.string()})
    chunks = encode_xlsx(type(stream)(stream.columns, schema, batches(), SNAPSHOT), XlsxOptions())
    sizes = [len(next(chunks)) for _ in range(4)]
    assert len(taken) < 60
    assert max(sizes) < 2_000_000
    chunks.close()


@pytest.mark.parametrize("zip64", [LIMIT, 100])
def test_the_schema_of_excel_allows_every_part(tmp_path: Any, zip64: int) -> None:
    table = pa.table(
        {
            "n": [1, 10**17],
            "t": ["=x & <y>", " \x01 "],
            "b": [True, None],
            "d": [date(2024, 1, 1), date(1066, 10, 14)],
            "f": [0.5, float("nan")],
        }
    )
    stream = stream_of(table, reader=Reader("ar", "Asia/Riyadh"), about=About(title='It\'s [a] "test"'))
    path = tmp_path / "book.xlsx"
    path.write_bytes(b"".join(write_book(stream, XlsxOptions(about=True), Bounds(rows=2, zip64=zip64))))
    found = OpenXmlValidator().validate(str(path)).errors
    # A theme is required by this checker alone (ECMA-376-1 §12.3.2 permits it); inline strings are meant.
    assert [e for e in found if "theme" not in e.description and "inline-string" not in e.description] == []


@pytest.mark.slow
def test_two_and_a_half_million_rows_are_three_sheets_with_every_row_once() -> None:
    stream = stream_of(pa.table({"n": pa.array(range(2_500_000))}), batch_rows=65_536)
    archive = zipfile.ZipFile(io.BytesIO(b"".join(encode_xlsx(stream, XlsxOptions()))))
    next_number = 0
    for sheet in (1, 2, 3):
        xml = archive.read(f"xl/worksheets/sheet{sheet}.xml")
        assert b'<is><t xml:space="preserve">n</t></is>' in xml[:2000]
        found = re.findall(rb'<row r="(\d+)"><c r="A(\d+)" s="2"><v>(\d+)</v></c></row>', xml)
        assert [int(row) for row, _, _ in found] == list(range(2, len(found) + 2))
        assert [int(n) for _, _, n in found] == list(range(next_number, next_number + len(found)))
        next_number += len(found)
    assert next_number == 2_500_000
    assert "xl/worksheets/sheet4.xml" not in archive.namelist()
