"""Every value in a workbook's cells, as readers we did not write see it."""

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from workbooks import calamine_rows, openpyxl_rows, sheet_xml, stream_of, workbook

from examples import examples
from offtake.encode.xlsx import XlsxOptions, encode_xlsx
from offtake.model.dataset import FieldType
from offtake.model.export import Reader

SANTIAGO = Reader(timezone="America/Santiago")


def one_column(values: list[Any], type: pa.DataType | None = None) -> pa.Table:
    return pa.table({"x": pa.array(values, type)})


def read_cells(table: pa.Table, **wishes: Any) -> list[Any]:
    """The first column under its header as both readers see it; they drop rows without any cell at the end."""
    content = workbook(table, **wishes)
    ours = [row[0] for row in openpyxl_rows(content)[1:]]
    theirs = [row[0] for row in calamine_rows(content)[1:]]
    for one, other in zip(ours, theirs, strict=True):
        assert (one if one is not None else "") == other or isinstance(one, datetime)
    return ours + [None] * (table.num_rows - len(ours))


def test_golden_sheet() -> None:
    table = pa.table(
        {
            "id": pa.array([7, None]),
            "name": pa.array(["Ana & <co>", " =1+1"]),
            "ok": pa.array([True, False]),
            "total": pa.array([Decimal("12.50"), None], pa.decimal128(9, 2)),
            "born": pa.array([date(2024, 2, 29), None]),
            "at": pa.array([datetime(2024, 6, 1, 16, 0, tzinfo=UTC), None], pa.timestamp("us", "UTC")),
        }
    )
    assert sheet_xml(workbook(table, reader=SANTIAGO)) == (
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
        '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetViews>'
        '<sheetView tabSelected="1" workbookViewId="0">'
        '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/><selection pane="bottomLeft"/>'
        '</sheetView></sheetViews><sheetFormatPr defaultRowHeight="15"/><cols>'
        '<col min="1" max="1" width="6.7109375" customWidth="1"/>'
        '<col min="2" max="2" width="10.7109375" customWidth="1"/>'
        '<col min="3" max="3" width="6.7109375" customWidth="1"/>'
        '<col min="4" max="4" width="8.7109375" customWidth="1"/>'
        '<col min="5" max="5" width="10.7109375" customWidth="1"/>'
        '<col min="6" max="6" width="19.7109375" customWidth="1"/>'
        '</cols><sheetData><row r="1">'
        '<c r="A1" s="1" t="inlineStr"><is><t xml:space="preserve">id</t></is></c>'
        '<c r="B1" s="1" t="inlineStr"><is><t xml:space="preserve">name</t></is></c>'
        '<c r="C1" s="1" t="inlineStr"><is><t xml:space="preserve">ok</t></is></c>'
        '<c r="D1" s="1" t="inlineStr"><is><t xml:space="preserve">total</t></is></c>'
        '<c r="E1" s="1" t="inlineStr"><is><t xml:space="preserve">born</t></is></c>'
        '<c r="F1" s="1" t="inlineStr"><is><t xml:space="preserve">at</t></is></c></row>'
        '<row r="2"><c r="A2" s="2"><v>7</v></c><c r="B2" t="inlineStr"><is><t>Ana &amp; &lt;co&gt;</t></is></c>'
        '<c r="C2" t="b"><v>1</v></c><c r="D2" s="3"><v>12.50</v></c><c r="E2" s="4"><v>45351</v></c>'
        '<c r="F2" s="5"><v>45444.5</v></c></row>'
        '<row r="3"><c r="B3" t="inlineStr"><is><t xml:space="preserve"> =1+1</t></is></c>'
        '<c r="C3" t="b"><v>0</v></c></row></sheetData><autoFilter ref="A1:F3"/>'
        '<ignoredErrors><ignoredError sqref="A1:F3" numberStoredAsText="1"/></ignoredErrors></worksheet>'
    )


def test_integers_of_more_than_15_digits_are_text() -> None:
    values = [0, -1, 999_999_999_999_999, -999_999_999_999_999, 1_000_000_000_000_000, 2**63 - 1, -(2**63), None]
    assert read_cells(one_column(values, pa.int64())) == [
        *values[:4],
        "1000000000000000",
        "9223372036854775807",
        "-9223372036854775808",
        None,
    ]


def test_decimals_a_double_would_change_are_text() -> None:
    values = ["12.50", "-0.07", "123456789012345.67", "9999999999999.99", "12345678901234567.00"]
    table = one_column([Decimal(value) for value in values], pa.decimal128(30, 2))
    assert read_cells(table) == [12.5, -0.07, "123456789012345.67", 9999999999999.99, "12345678901234567.00"]


def test_decimals_that_arrive_as_text_are_numbers_again() -> None:
    table = one_column(["1.50", "-3", "NaN", "12345678901234567890", None])
    assert read_cells(table, types={"x": FieldType.DECIMAL}) == [1.5, -3, "NaN", "12345678901234567890", None]


def test_doubles_keep_every_bit_and_what_is_no_number_is_text() -> None:
    numbers = [0.1, 0.1 + 0.2, 1e300, 5e-300, -1e20, 12345.678901234567]
    cells = read_cells(one_column([*numbers, float("nan"), float("inf"), float("-inf"), None]))
    assert cells == [*numbers, "NaN", "Infinity", "-Infinity", None]


def test_dates_without_a_serial_number_are_iso_text() -> None:
    days = [date(1900, 2, 28), date(1900, 3, 1), date(9999, 12, 31), date(1, 1, 1), None]
    cells = read_cells(one_column(days))
    assert cells == ["1900-02-28", datetime(1900, 3, 1), datetime(9999, 12, 31), "0001-01-01", None]  # noqa: DTZ001


def test_infinite_dates_and_instants_are_text() -> None:
    days = pa.array([2**31 - 1, -(2**31)], pa.int32()).cast(pa.date32())
    instants = pa.array([2**63 - 1, -(2**63)], pa.int64()).cast(pa.timestamp("us", "UTC"))
    for values in (days, instants):
        assert [row[0] for row in calamine_rows(workbook(pa.table({"x": values})))[1:]] == ["infinity", "-infinity"]


def test_instants_are_wall_clock_times_of_the_zone() -> None:
    instants = [
        datetime(2026, 4, 5, 2, 59, 59, tzinfo=UTC),  # an hour later Santiago's clocks go back
        datetime(2026, 4, 5, 4, 0, 0, tzinfo=UTC),
        datetime(2024, 6, 1, 12, 34, 56, 789_000, tzinfo=UTC),
        datetime(1899, 12, 31, 23, 0, tzinfo=UTC),
    ]
    cells = read_cells(one_column(instants, pa.timestamp("us", "UTC")), reader=SANTIAGO)
    assert cells[:3] == [
        datetime(2026, 4, 4, 23, 59, 59),  # noqa: DTZ001
        datetime(2026, 4, 5, 0, 0, 0),  # noqa: DTZ001
        datetime(2024, 6, 1, 8, 34, 56, 789_000),  # noqa: DTZ001
    ]
    assert cells[3] == "1899-12-31T18:17:00-04:43"


def test_times_are_fractions_of_a_day() -> None:
    values = [time(0, 0), time(6, 30), time(12, 0), time(23, 59, 59), time(23, 59, 59, 999_000)]
    assert read_cells(one_column(values, pa.time64("us"))) == values


def test_what_readers_would_round_to_a_day_that_is_not_there_is_iso_text() -> None:
    times = one_column([time(23, 59, 59, 999_499), time(23, 59, 59, 999_500), time.max])
    assert [row[0] for row in calamine_rows(workbook(times))[1:]] == [
        time(23, 59, 59, 999_000), "23:59:59.999500", "23:59:59.999999",
    ]  # fmt: skip
    last = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    instants = one_column([last.replace(microsecond=us) for us in (999_000, 999_999)], pa.timestamp("us", "UTC"))
    assert read_cells(instants)[1] == "9999-12-31T23:59:59.999999Z"
    assert read_cells(instants)[0] == datetime(9999, 12, 31, 23, 59, 59, 999_000)  # noqa: DTZ001


def test_text_is_never_a_formula_and_keeps_its_spaces() -> None:
    values = ["=1+1", "@x", "+1", "-2", " lead", "tail ", "\ttab", "line\nbreak\n", "007", "", "TRUE", "\u00a0x"]
    assert read_cells(one_column(values)) == values


def test_what_xml_cannot_hold_is_escaped() -> None:
    values = ["\x00\x01\x1f", "a\rb", "_x0041_", "_x005F_", "__x000d_", "]]>", "&amp;<>\"'"]
    assert read_cells(one_column(values)) == values
    content = workbook(one_column(["\ufffe\uffff"]))
    assert "<t>_xFFFE__xFFFF_</t>" in sheet_xml(content)  # calamine leaves these two as they are
    assert openpyxl_rows(content)[1] == ["\ufffe\uffff"]


def test_lists_and_structs_are_json_text() -> None:
    table = pa.table({"x": pa.array([["a", "b"], [], None]), "y": pa.array([{"k": 1}, {"k": None}, None])})
    assert openpyxl_rows(workbook(table))[1:3] == [
        ['["a","b"]', '{"k":1}'],
        ["[]", '{"k":null}'],
    ]


def test_a_megabyte_of_text_is_cut_and_counted() -> None:
    stream = stream_of(one_column(["x" * 1_000_000, "y" * 32_767, "z" * 32_766 + "😀"]))
    cells = [row[0] for row in openpyxl_rows(b"".join(encode_xlsx(stream, XlsxOptions())))[1:]]
    assert cells == ["x" * 32_767, "y" * 32_767, "z" * 32_766]
    assert stream.notes["cut"] == 2


CELLS = {
    "text": (
        pa.string(),
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufffe\uffff"), max_size=40),
    ),
    "int": (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "float": (pa.float64(), st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False)),
    "bool": (pa.bool_(), st.booleans()),
    "date": (pa.date32(), st.dates()),
}


def as_read(value: Any) -> Any:
    """What a spreadsheet holds of the value."""
    if isinstance(value, int) and abs(value) >= 10**15:
        return str(value)
    if isinstance(value, date) and value < date(1900, 3, 1):
        return value.isoformat()
    return "" if value is None else value


@examples(60)
@given(st.data())
def test_every_value_comes_back(data: st.DataObject) -> None:
    rows = data.draw(st.integers(1, 8))
    columns = {
        name: data.draw(st.lists(st.none() | values, min_size=rows, max_size=rows))
        for name, (_, values) in CELLS.items()
    }
    columns["text"][-1] = "end"  # readers drop rows that are empty at the end
    columns["bool"][-1] = True
    table = pa.table({name: pa.array(cells, CELLS[name][0]) for name, cells in columns.items()})
    read = calamine_rows(workbook(table))[1:]
    assert read == [[as_read(value) for value in row] for row in zip(*columns.values(), strict=True)]
