"""CSV (RFC 4180) and TSV: the same rows, another delimiter."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import pyarrow as pa

from offtake.encode.compress import Deflate
from offtake.encode.headers import Header, header_of
from offtake.encode.locale import column_writer, decimal_mark
from offtake.encode.rows import (
    Cell,
    ColumnWriter,
    Escape,
    Fixed,
    Mode,
    NumberWriter,
    RowTemplate,
    escape_text,
    render_stream,
)
from offtake.encode.transcode import Encoding, transcode
from offtake.errors import InvalidFormat
from offtake.model.dataset import FieldType
from offtake.model.ports import Chunks, Format, RowStream

LINE_ENDS = {"lf": "\n", "crlf": "\r\n"}


@dataclass(frozen=True)
class CsvOptions:
    """Unset options follow the profile: `excel` means a BOM, CRLF, and `;` where the decimal mark is a comma.

    `null` is the text for null; empty text is always `""`, and text equal to `null` is quoted. `guard` puts `'` before
    text cells and headers that a spreadsheet would take for a formula. `decimal_mark` None = the locale's.
    `instant_style` is a `date_style` for instants alone.
    Raises InvalidFormat for a delimiter, mark or null text that would make the file unreadable.
    """

    header: Header = "auto"
    profile: Literal["plain", "excel"] = "plain"
    delimiter: str | None = None
    quoting: Literal["minimal", "all", "nonnumeric"] = "minimal"
    line_ending: Literal["lf", "crlf"] | None = None
    bom: bool | None = None
    encoding: Encoding = "utf-8"
    null: str = ""
    decimal_mark: Literal[".", ","] | None = None
    guard: bool = True
    date_style: str | None = None
    instant_style: str | None = None
    deflate: Deflate = "fast"

    def __post_init__(self) -> None:
        delimiter = self.delimiter
        if delimiter is not None and (len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n\0'):
            raise InvalidFormat(
                "The delimiter must be one ASCII character, and no quote or line end.",
                hint='Use "," or ";" or "|" or a tab.',
                pointer="/options/delimiter",
            )
        if set(self.null) & {delimiter or ",", '"', "\r", "\n", "\t"}:
            raise InvalidFormat(
                "The text for null may hold no delimiter, quote, tab or line end.",
                hint='Use "", "NULL" or "\\N".',
                pointer="/options/null",
            )


def encode_csv(stream: RowStream, options: CsvOptions) -> Chunks:
    """The header with the first rows, then some MB at most at a time."""
    options = _settled(options, stream)
    rows = render_stream(stream, row_template(stream, options), head=_head(stream, options))
    return transcode(rows, options.encoding, bool(options.bom))


def encode_tsv(stream: RowStream, options: CsvOptions) -> Chunks:
    """As CSV, with tabs."""
    return encode_csv(stream, replace(options, delimiter=options.delimiter or "\t"))


CSV = Format("csv", "text/csv; charset=utf-8", "csv", CsvOptions, encode_csv)
TSV = Format("tsv", "text/tab-separated-values; charset=utf-8", "tsv", CsvOptions, encode_tsv)


def row_template(stream: RowStream, options: CsvOptions) -> RowTemplate:
    """One line; a null is the options' text for it, without quotes."""
    delimiter = (options.delimiter or ",").encode()
    null = options.null.encode()
    cells = []
    for index, writer in enumerate(_writers(stream, options)):
        before = delimiter if index else b""
        cells.append(Cell(index, writer, Fixed(before), null=Fixed(before + null), escape=_escape(writer, options)))
    return RowTemplate(tuple(cells), suffix=Fixed(_line_end(options)))


def _settled(options: CsvOptions, stream: RowStream) -> CsvOptions:
    """The options with what the profile decides filled in."""
    excel = options.profile == "excel"
    mark = options.decimal_mark or decimal_mark(stream.reader.locale)
    return replace(
        options,
        delimiter=options.delimiter or (";" if excel and mark == "," else ","),
        line_ending=options.line_ending or ("crlf" if excel else "lf"),
        bom=excel if options.bom is None else options.bom,
    )


def _head(stream: RowStream, options: CsvOptions) -> bytes:
    if options.header == "none":
        return b""
    escape = _escape(None, options)
    names = (escape_text(header_of(column, options.header), escape) for column in stream.columns)
    return (options.delimiter or ",").join(names).encode("utf-8", "replace") + _line_end(options)


def _line_end(options: CsvOptions) -> bytes:
    return LINE_ENDS[options.line_ending or "lf"].encode()


def _escape(writer: ColumnWriter | None, options: CsvOptions) -> Escape:
    always = options.quoting == "all" or (options.quoting == "nonnumeric" and not isinstance(writer, NumberWriter))
    delimiter = (options.delimiter or ",").encode()
    return Escape(Mode.CSV, delimiter, always, options.null.encode(), options.guard)


def _writers(stream: RowStream, options: CsvOptions) -> Iterator[ColumnWriter]:
    for column, field in zip(stream.columns, stream.schema, strict=True):
        is_instant = column.type is FieldType.DATETIME
        style = (options.instant_style if is_instant else None) or options.date_style
        writer = column_writer(column, field.type, stream.reader, date_style=style)
        yield _marked(writer, field.type, options) if isinstance(writer, NumberWriter) else writer


def _marked(writer: NumberWriter, type: pa.DataType, options: CsvOptions) -> NumberWriter:
    """The writer with the decimal mark that was asked for; a grouping that would look like it is left out."""
    mark = options.decimal_mark
    if mark is None or pa.types.is_integer(type):
        return writer
    style = writer.style
    group = "" if style.group == mark else style.group
    return replace(writer, style=replace(style, decimal=mark, group=group))
