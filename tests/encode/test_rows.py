"""Row templates by example: what stands where, and how values become text. The kernel, where compiled, is what runs."""

from datetime import date, time
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from offtake.encode.rows import (
    ISO_DATE,
    ISO_INSTANT,
    Cell,
    ColumnWriter,
    Escape,
    Fixed,
    Mode,
    NumberStyle,
    NumberWriter,
    Other,
    Part,
    PatternWriter,
    RowTemplate,
    SerialWriter,
    Step,
    Tally,
    TextWriter,
    escape_text,
    render,
    texts,
)
from offtake.encode.zones import zone_table


def shown(values: list[Any], writer: ColumnWriter, type: pa.DataType | None = None, **cell: Any) -> list[str | None]:
    """Every value as a cell of its own."""
    written: list[str | None] = texts(pa.array(values, type), Cell(0, writer, **cell)).to_pylist()
    return written


def test_a_json_array_is_a_template() -> None:
    batch = pa.record_batch({"n": [1, 2]})
    template = RowTemplate((Cell(0, NumberWriter(), Fixed(b'"n":')),), Fixed(b"{"), Fixed(b"}"), b"[", b",")
    assert render(batch, template) + render(batch, template, row=2) == b'[{"n":1},{"n":2},{"n":1},{"n":2}'


def test_row_numbers_go_on_from_batch_to_batch() -> None:
    batch = pa.record_batch({"n": [7, None]})
    cell = Cell(0, NumberWriter(), Fixed(b'<c r="A', b'">'), Fixed(b"</c>"), null=Fixed(b'<c r="A', b'"/>'))
    template = RowTemplate((cell,), Fixed(b'<row r="', b'">'), Fixed(b"</row>"), first_number=2)
    assert render(batch, template) == b'<row r="2"><c r="A2">7</c></row><row r="3"><c r="A3"/></row>'
    assert render(batch, template, row=10).startswith(b'<row r="12"><c r="A12">')


def test_a_column_may_stand_twice_and_in_any_order() -> None:
    batch = pa.record_batch({"a": ["x"], "b": ["y"]})
    cells = (Cell(1, TextWriter()), Cell(0, TextWriter()), Cell(1, TextWriter()))
    assert render(batch, RowTemplate(cells)) == b"yxy"


def test_text_with_space_at_its_ends_takes_the_other_form() -> None:
    cell = {"prefix": Fixed(b"<t>"), "other": Other(Fixed(b'<t xml:space="preserve">'), Fixed(b"!"))}
    assert shown(["a", " a", "a\n", "", None], TextWriter(), **cell) == [
        "<t>a", '<t xml:space="preserve"> a!', '<t xml:space="preserve">a\n!', "<t>", None,
    ]  # fmt: skip


def test_numbers_a_double_would_change_take_the_other_form() -> None:
    exact = NumberWriter(exact_digits=15)
    cell = {"other": Other(Fixed(b"text:"))}
    assert shown([10**15 - 1, 10**15, -(10**15)], exact, **cell) == [
        "999999999999999",
        f"text:{10**15}",
        f"text:-{10**15}",
    ]
    money = pa.decimal128(20, 5)
    assert shown([Decimal("9999999999999.50000"), Decimal("99999999999999.12345")], exact, money, **cell) == [
        "9999999999999.50000", "text:99999999999999.12345",
    ]  # fmt: skip
    assert shown([0.1234567890123456, float("inf")], exact, **cell) == ["0.1234567890123456", "text:Infinity"]


@pytest.mark.parametrize(
    ("value", "style", "expected"),
    [
        ("1234567.5", NumberStyle(group=","), "1,234,567.5"),
        ("123456789", NumberStyle(group=",", secondary=2), "12,34,56,789"),
        ("-1234.5", NumberStyle(",", ".", negative=("(", ")")), "(1.234,5)"),
        ("1234.5", NumberStyle("٫", "٬", digits="٠١٢٣٤٥٦٧٨٩"), "١٬٢٣٤٫٥"),
        ("2.5", NumberStyle(max_fraction=0), "2"),
        ("3.5", NumberStyle(max_fraction=0), "4"),
        ("2.500000001", NumberStyle(max_fraction=0), "3"),
        ("999.995", NumberStyle(group=",", max_fraction=2, min_fraction=2), "1,000.00"),
        ("0.1", NumberStyle(min_fraction=2), "0.10"),
        ("1e21", NumberStyle(group=" "), "1 000 000 000 000 000 000 000"),
        ("1.5e-7", NumberStyle(","), "0,00000015"),
    ],
)
def test_digits_are_written_in_a_style(value: str, style: NumberStyle, expected: str) -> None:
    assert shown([value], NumberWriter(style)) == [expected]


def test_serial_numbers_count_days_since_1899_and_leave_out_what_excel_cannot_say() -> None:
    serial = SerialWriter(PatternWriter(ISO_DATE))
    days = [date(1900, 3, 1), date(2026, 5, 31), date(1900, 2, 28), date(9999, 12, 31)]
    assert shown(days, serial, other=Other(Fixed(b"text:"))) == ["61", "46173", "text:1900-02-28", "2958465"]
    assert shown([time(12), time(0)], SerialWriter(PatternWriter(ISO_DATE)), pa.time64("us")) == ["0.5", "0"]
    santiago = SerialWriter(PatternWriter(ISO_INSTANT), zone_table("America/Santiago"))
    assert shown([1_780_228_800_000_000], santiago, pa.timestamp("us", "UTC"))[0] == "46173.333333333333333"


def test_a_pattern_is_any_parts_in_any_order() -> None:
    pattern = (
        Step(Part.WEEKDAY, names=("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")),
        Step(Part.LITERAL, text=" "),
        Step(Part.HOUR_1_12),
        Step(Part.DAY_PERIOD, names=("am", "pm")),
        Step(Part.LITERAL, text=" "),
        Step(Part.YEAR_2, 2),
        Step(Part.OFFSET_NUMERIC),
    )
    writer = PatternWriter(pattern, zone_table("Asia/Kolkata"))
    assert shown([0, 1_780_228_800_000_000], writer, pa.timestamp("us", "UTC")) == [
        "Th 5am 70+05:30",
        "Su 5pm 26+05:30",
    ]


@pytest.mark.parametrize(
    ("mode", "text", "expected"),
    [
        (Mode.JSON, '"\\\b\f\n\r\t\0\x1f\x7f/é', '\\"\\\\\\b\\f\\n\\r\\t\\u0000\\u001f\x7f/é'),
        (Mode.XML, "<a> & \"b'\r\n\t\0\x1f\ufffe", "&lt;a&gt; &amp; \"b'&#13;\n\t\ufffd\ufffd\ufffd"),
        (Mode.XLSX, "<\r\n\t\0\uffff_x000D__x41_", "&lt;_x000D_\n\t_x0000__xFFFF__x005F_x000D__x41_"),
        (Mode.NONE, '<"\\', '<"\\'),
    ],
)
def test_text_is_escaped_for_where_it_stands(mode: Mode, text: str, expected: str) -> None:
    assert shown([text], TextWriter(), escape=Escape(mode)) == [expected]
    assert escape_text(text, Escape(mode)) == expected


def test_long_text_is_cut_between_characters_and_counted() -> None:
    tally = Tally()
    column = pa.array(["abcd", "abc", "ab😀", "a😀"])
    cut = texts(column, Cell(0, TextWriter(), escape=Escape(limit=3)), tally)
    assert cut.to_pylist() == ["abc", "abc", "ab", "a😀"]
    assert tally == Tally(cut=2)


def test_finished_text_is_escaped_so_that_a_decimal_comma_is_quoted() -> None:
    writer = NumberWriter(NumberStyle(decimal=","))
    assert shown([1.5, 2.0], writer, escape=Escape(Mode.CSV)) == ['"1,5"', "2"]


def test_a_row_longer_than_the_buffer_is_written_whole() -> None:
    batch = pa.record_batch({"t": ["a", "x" * 5_000_000, "b"]})
    assert (
        render(batch, RowTemplate((Cell(0, TextWriter()),), suffix=Fixed(b"\n")))
        == b"a\n" + b"x" * 5_000_000 + b"\nb\n"
    )


def test_columns_of_other_widths_are_taken_too() -> None:
    batch = pa.record_batch({
        "narrow": pa.array([-1], pa.int8()), "large": pa.array(["é"], pa.large_string()),
        "coded": pa.array(["x"]).dictionary_encode(), "unsigned": pa.array([2**64 - 1], pa.uint64()),
    })  # fmt: skip
    writers: list[ColumnWriter] = [NumberWriter(), TextWriter(), TextWriter(), NumberWriter()]
    cells = tuple(Cell(index, writer, Fixed(b" ")) for index, writer in enumerate(writers))
    assert render(batch, RowTemplate(cells)).decode() == f" -1 é x {2**64 - 1}"
