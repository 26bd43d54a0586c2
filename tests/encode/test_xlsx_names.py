"""Names in workbooks: whatever a title is, Excel takes the sheet's name."""

import io
import re

import openpyxl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook
from workbooks import stream_of

from examples import examples
from offtake.encode.xlsx import XlsxOptions
from offtake.encode.xlsx.book import Bounds, write_book
from offtake.encode.xlsx.formats import date_format, decimal_format
from offtake.encode.xlsx.names import column_letters, sheet_name

HOSTILE = st.text(
    st.one_of(st.sampled_from("[]:*?/\\' \t\n\x00\x7f😀\ufffeHhistory"), st.characters()), max_size=40
) | st.sampled_from(["", " ", "''", "History", "HISTORY", "history 2", "About", "'", "a" * 31, "😀" * 20, "\ud800"])


def assert_excel_takes(name: str) -> None:
    assert 1 <= len(name.encode("utf-16-le")) // 2 <= 31
    assert not re.search(r"[\[\]:*?/\\\x00-\x1f]", name)
    assert not name.startswith("'")
    assert not name.endswith("'")
    assert name.strip() == name
    assert name.casefold() != "history"


@examples(2000)
@given(HOSTILE)
def test_any_title_becomes_a_name_excel_takes(title: str) -> None:
    taken: set[str] = {"about"}
    for ordinal in (1, 2, 3, 1000):
        name = sheet_name(title, taken, ordinal)
        assert_excel_takes(name)
        assert name.casefold() not in taken
        taken.add(name.casefold())


@examples(40)
@given(HOSTILE)
def test_readers_find_every_sheet_under_its_name(title: str) -> None:
    table = pa.table({"n": range(6)})
    options = XlsxOptions(sheet_name=title, about=True)
    content = b"".join(write_book(stream_of(table), options, Bounds(rows=3, zip64=1000)))
    names = openpyxl.load_workbook(io.BytesIO(content)).sheetnames
    assert len({name.casefold() for name in names}) == 4
    assert names[-1] == "About"
    assert CalamineWorkbook.from_filelike(io.BytesIO(content)).sheet_names == names


@pytest.mark.parametrize(
    ("title", "ordinal", "expected"),
    [
        ("Contacts", 1, "Contacts"),
        ("Contacts", 2, "Contacts 2"),
        ("Q1/Q2: [draft]?", 1, "Q1_Q2_ _draft__"),
        ("'quoted'", 1, "quoted"),
        ("", 1, "Data"),
        ("History", 1, "History 2"),
        ("x" * 40, 10, "x" * 28 + " 10"),
    ],
)
def test_names_stay_near_the_title(title: str, ordinal: int, expected: str) -> None:
    assert sheet_name(title, (), ordinal) == expected


def test_columns_are_lettered() -> None:
    indexes = (0, 25, 26, 51, 52, 701, 702, 16_383)
    assert [column_letters(index) for index in indexes] == ["A", "Z", "AA", "AZ", "BA", "ZZ", "AAA", "XFD"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("dd/MM/y", "dd\\/mm\\/yyyy"),
        ("y. MM. dd.", "yyyy\\. mm\\. dd\\."),
        ("d.MM.yy 'г'.", "d\\.mm\\.yyyy \\г\\."),
        ("h:mm:ss a", "h:mm:ss AM/PM"),
        ("HH 'o''clock' mm", "hh \\o\\'\\c\\l\\o\\c\\k mm"),
        ("d MMM y", "[$-es-CL]d mmm yyyy"),
        ("EEEE, d MMMM y HH:mm:ss zzzz", "[$-es-CL]dddd\\, d mmmm yyyy hh:mm:ss"),
    ],
)
def test_cldr_patterns_become_number_formats(pattern: str, expected: str) -> None:
    assert date_format(pattern, "es_CL") == expected


def test_decimals_show_every_place() -> None:
    formats = [decimal_format(0, False), decimal_format(2, False), decimal_format(3, True)]
    assert formats == ["0", "0.00", "#,##0.000"]
