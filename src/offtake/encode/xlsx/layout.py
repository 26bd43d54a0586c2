"""What every sheet of a workbook has alike: header, columns and their widths, styles, and the template of its rows."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from offtake.encode.rows import (
    BooleanWriter,
    Cell,
    ColumnWriter,
    Escape,
    Fixed,
    Mode,
    NumberWriter,
    Other,
    RowTemplate,
    SerialWriter,
    TextWriter,
)
from offtake.encode.xlsx import formats
from offtake.encode.xlsx.names import CELL_CHARACTERS, column_letters, xml_text
from offtake.encode.xlsx.parts import HEADER_STYLE, MAIN, PROLOGUE

NARROWEST, WIDEST = 6, 60  # characters
BUTTON = 3  # the width of a header's filter button
TEXT = 't="inlineStr"><is><t>'
SPACED_TEXT = 't="inlineStr"><is><t xml:space="preserve">'
TEXT_END = b"</t></is></c>"


@dataclass(frozen=True)
class Look:
    """How a column's values become cells: their writer, and the number format (empty = Excel's general one)."""

    writer: ColumnWriter
    format: str = ""


@dataclass(frozen=True)
class Layout:
    """`headers` is empty for sheets without a header row; `styles` has every number format once."""

    headers: tuple[str, ...]
    widths: tuple[int, ...]
    formats: tuple[str, ...]
    template: RowTemplate

    @property
    def first_row(self) -> int:
        """The number of the first row of data."""
        return 2 if self.headers else 1


def plan_layout(headers: Sequence[str], looks: Sequence[Look], sample: Sequence[pa.RecordBatch]) -> Layout:
    """The layout for columns of these looks; the widths are judged by the sample."""
    codes = tuple(dict.fromkeys(look.format for look in looks if look.format))
    first_row = 2 if headers else 1
    cells = tuple(
        _cell(index, look.writer, codes.index(look.format) + HEADER_STYLE + 1 if look.format else 0)
        for index, look in enumerate(looks)
    )
    template = RowTemplate(cells, Fixed(b'<row r="', b'">'), Fixed(b"</row>"), first_number=first_row)
    widths = tuple(
        _width(look, headers[index] if headers else "", [batch.column(index) for batch in sample])
        for index, look in enumerate(looks)
    )
    return Layout(tuple(headers), widths, codes, template)


def _cell(index: int, writer: ColumnWriter, style: int) -> Cell:
    """A cell without value is no cell; text is always inline, so that nothing in it can be a formula."""
    start = f'<c r="{column_letters(index)}'.encode()
    as_text = Other(Fixed(start, f'" {SPACED_TEXT}'.encode()), Fixed(TEXT_END))
    if isinstance(writer, TextWriter):
        escape = Escape(Mode.XLSX, limit=CELL_CHARACTERS)
        return Cell(index, writer, Fixed(start, f'" {TEXT}'.encode()), Fixed(TEXT_END), escape=escape, other=as_text)
    kind = ' t="b"' if isinstance(writer, BooleanWriter) else ""
    prefix = f'"{_style(style)}{kind}><v>'.encode()
    other = as_text if isinstance(writer, NumberWriter | SerialWriter) else None
    return Cell(index, writer, Fixed(start, prefix), Fixed(b"</v></c>"), other=other)


def _style(style: int) -> str:
    return f' s="{style}"' if style else ""


def sheet_head(layout: Layout, selected: bool) -> bytes:
    """All before the first row of data."""
    frozen = (
        '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/><selection pane="bottomLeft"/>'
        if layout.headers
        else ""
    )
    active = ' tabSelected="1"' if selected else ""
    columns = "".join(
        f'<col min="{i}" max="{i}" width="{width}.7109375" customWidth="1"/>'
        for i, width in enumerate(layout.widths, 1)
    )
    return (
        f'{PROLOGUE}<worksheet xmlns="{MAIN}"><sheetViews><sheetView{active} workbookViewId="0">'
        f'{frozen}</sheetView></sheetViews><sheetFormatPr defaultRowHeight="15"/>'
        f"<cols>{columns}</cols><sheetData>{_header_row(layout)}"
    ).encode()


def _header_row(layout: Layout) -> str:
    cells = "".join(text_cell(index, 1, text, HEADER_STYLE) for index, text in enumerate(layout.headers))
    return f'<row r="1">{cells}</row>' if cells else ""


def sheet_tail(layout: Layout, last_row: int) -> bytes:
    """All after the last row: the auto-filter, and that digits in text are meant (else Excel marks each such cell)."""
    filtered = f'<autoFilter ref="{filter_range(layout, last_row)}"/>' if layout.headers else ""
    last_cell = f"{column_letters(len(layout.widths) - 1)}{max(last_row, 1)}"
    ignored = f'<ignoredErrors><ignoredError sqref="A1:{last_cell}" numberStoredAsText="1"/></ignoredErrors>'
    return f"</sheetData>{filtered}{ignored}</worksheet>".encode()


def filter_range(layout: Layout, last_row: int, *, absolute: bool = False) -> str:
    """The range of the auto-filter, header included; empty for sheets without a header."""
    if not layout.headers:
        return ""
    mark = "$" if absolute else ""
    return f"{mark}A{mark}1:{mark}{column_letters(len(layout.widths) - 1)}{mark}{last_row}"


def pair_sheet(lines: Sequence[tuple[str, str]]) -> bytes:
    """A sheet of its own with two columns of text, the first one bold."""
    rows = "".join(
        f'<row r="{i}">{text_cell(0, i, name, HEADER_STYLE)}{text_cell(1, i, text)}</row>'
        for i, (name, text) in enumerate(lines, 1)
    )
    return (
        f'{PROLOGUE}<worksheet xmlns="{MAIN}"><sheetViews><sheetView workbookViewId="0"/></sheetViews>'
        '<sheetFormatPr defaultRowHeight="15"/><cols><col min="1" max="1" width="16.7109375" customWidth="1"/>'
        f'<col min="2" max="2" width="{WIDEST}.7109375" customWidth="1"/></cols>'
        f"<sheetData>{rows}</sheetData></worksheet>"
    ).encode()


def text_cell(index: int, row: int, text: str, style: int = 0) -> str:
    """One cell of text."""
    return f'<c r="{column_letters(index)}{row}"{_style(style)} {SPACED_TEXT}{xml_text(text)}</t></is></c>'


def _width(look: Look, header: str, sample: Sequence[pa.Array]) -> int:
    """Characters that show the header with its button and the sampled values, within reason."""
    lengths = [_text_width(header) + BUTTON if header else 0]
    if isinstance(look.writer, SerialWriter):
        lengths.append(formats.shown_length(look.format))
    elif isinstance(look.writer, BooleanWriter):
        lengths.append(len("FALSE"))
    else:
        lengths += [_text_width(str(value)) for values in sample for value in values.to_pylist() if value is not None]
    return min(max(*lengths, NARROWEST), WIDEST)


def _text_width(text: str) -> int:
    """The widest line, in columns of a terminal; no longer than anybody asks."""
    lines = text[: 4 * WIDEST].splitlines() or [""]
    return max(sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line) for line in lines)
