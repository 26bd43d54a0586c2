"""XLSX workbooks in one pass (ECMA-376): rows go into the archive as they come, as many sheets as they need.

What a sheet cannot say stays readable: numbers of more than 15 digits, dates before March 1900 or after 9999, NaN and
infinities are text. Text never is a formula. Clocks in the file are the snapshot's, so the same rows give the same
bytes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

import pyarrow as pa

from offtake.encode.compress import Deflate
from offtake.encode.headers import Header, header_of
from offtake.encode.rows import Tally, render_chunks
from offtake.encode.xlsx import parts
from offtake.encode.xlsx.layout import Layout, filter_range, pair_sheet, plan_layout, sheet_head, sheet_tail
from offtake.encode.xlsx.looks import plan_looks
from offtake.encode.xlsx.names import sheet_name
from offtake.encode.zip import LIMIT, PACKINGS, ZipStream
from offtake.errors import InvalidFormat
from offtake.model.ports import Chunks, Format, RowStream

COLUMNS = 16_384
SAMPLE_ROWS = 200
CELLS_AT_ONCE = 1 << 18
BYTES_AT_ONCE = 1 << 24
ABOUT = "About"


@dataclass(frozen=True)
class XlsxOptions:
    """`header`: the label a request gave or else the field's name (auto), the field's label, its name, or no header.

    `sheet_name` is bent to Excel's rules; empty = the dataset's. `about` adds a sheet that tells where the rows come
    from. `deflate` fast or small: a tenth less to send for several times the work. `date_style` short (in figures),
    medium, long, full or a CLDR pattern; None = ISO for readers without a language, else short.
    """

    header: Header = "auto"
    sheet_name: str = ""
    about: bool = False
    deflate: Deflate = "fast"
    date_style: str | None = None


@dataclass(frozen=True)
class Bounds:
    """Where a sheet ends and ZIP64 begins. Sheets end before 4 GiB of XML, which no reader wants in one part."""

    rows: int = 1_048_576
    sheet_bytes: int = 4_000_000_000
    zip64: int = LIMIT


class Feed:
    """The rows of a stream, in pieces of some 16 MB at most, so that no sheet grows far beyond its bound."""

    def __init__(self, batches: Iterator[pa.RecordBatch]) -> None:
        self.taken = 0
        self._batches = batches
        self._rest: pa.RecordBatch | None = None

    @property
    def is_empty(self) -> bool:
        """Whether no row is left; fetches the next batch to know."""
        while self._rest is None or not self._rest.num_rows:
            self._rest = next(self._batches, None)
            if self._rest is None:
                return True
        return False

    def take(self, most: int) -> pa.RecordBatch:
        """The next rows, at most so many and at least one."""
        assert not self.is_empty
        assert self._rest is not None
        piece = self._rest.slice(0, min(most, max(1, CELLS_AT_ONCE // self._rest.num_columns)))
        while piece.num_rows > 1 and piece.nbytes > BYTES_AT_ONCE:
            piece = piece.slice(0, piece.num_rows // 2)
        self._rest = self._rest.slice(piece.num_rows)
        self.taken += piece.num_rows
        return piece


@dataclass(frozen=True)
class Book:
    """A workbook being written: what it is made of, and the sheets that are finished."""

    stream: RowStream
    layout: Layout
    feed: Feed
    title: str
    bounds: Bounds
    sheets: list[parts.Sheet] = field(default_factory=list)

    @property
    def next_part(self) -> str:
        """Where the next sheet goes."""
        return f"xl/worksheets/sheet{len(self.sheets) + 1}.xml"


def encode_xlsx(stream: RowStream, options: XlsxOptions) -> Chunks:
    """The workbook's bytes. Raises InvalidFormat for what no sheet can hold, before any byte."""
    return write_book(stream, options, Bounds())


def write_book(stream: RowStream, options: XlsxOptions, bounds: Bounds) -> Chunks:
    """The same within other bounds than Excel's."""
    if len(stream.columns) > COLUMNS:
        raise InvalidFormat(
            f"A sheet has room for {COLUMNS:,} columns, not for {len(stream.columns):,}.",
            hint="Choose fewer fields, or another format.",
        )
    looks = plan_looks(stream.columns, stream.schema, stream.reader, options.date_style)
    sample = _first_batches(stream)
    headers = [header_of(column, options.header) for column in stream.columns] if options.header != "none" else []
    layout = plan_layout(headers, looks, _first_rows(sample))
    title = options.sheet_name or stream.about.title or stream.about.dataset or "Data"
    book = Book(stream, layout, Feed(chain(sample, stream.batches)), title, bounds)
    with ZipStream(stream.snapshot_at, PACKINGS[options.deflate], limit=bounds.zip64) as archive:
        yield _add(archive, _opening_parts(book))
        yield from _data_sheets(book, archive, {ABOUT.casefold()} if options.about else set())
        if options.about:
            lines = parts.about_lines(stream.about, stream.snapshot_at, stream.reader, book.feed.taken)
            yield archive.add(book.next_part, pair_sheet(lines))
            book.sheets.append(parts.Sheet(ABOUT))
        yield _add(archive, _closing_parts(book))
        yield archive.end()


def _data_sheets(book: Book, archive: ZipStream, taken: set[str]) -> Iterator[bytes]:
    """Sheet after sheet until no row is left; at least one."""
    while not book.sheets or not book.feed.is_empty:
        before = book.feed.taken
        yield from archive.stream(book.next_part, _sheet_xml(book))
        last_row = book.layout.first_row - 1 + book.feed.taken - before
        name = sheet_name(book.title, taken, len(book.sheets) + 1)
        book.sheets.append(parts.Sheet(name, filter_range(book.layout, last_row, absolute=True)))
        taken.add(name.casefold())


def _sheet_xml(book: Book) -> Iterator[bytes]:
    """One sheet: as many of the rows that are left as it may hold."""
    layout, feed, bounds = book.layout, book.feed, book.bounds
    yield sheet_head(layout, selected=not book.sheets)
    room = bounds.rows - layout.first_row + 1
    rows = size = 0
    while rows < room and size < bounds.sheet_bytes and not feed.is_empty:
        piece = feed.take(room - rows)
        tally = Tally()
        for xml in render_chunks(piece, layout.template, rows, tally):
            size += len(xml)
            yield xml
        book.stream.notes["cut"] += tally.cut
        rows += piece.num_rows
    yield sheet_tail(layout, layout.first_row - 1 + rows)


def _first_batches(stream: RowStream) -> list[pa.RecordBatch]:
    """As many batches as hold the sampled rows, so that widths do not depend on how the rows were cut."""
    held: list[pa.RecordBatch] = []
    while sum(batch.num_rows for batch in held) < SAMPLE_ROWS and (batch := next(stream.batches, None)) is not None:
        held.append(batch)
    return held


def _first_rows(batches: Sequence[pa.RecordBatch]) -> list[pa.RecordBatch]:
    rows: list[pa.RecordBatch] = []
    left = SAMPLE_ROWS
    for batch in batches:
        rows.append(batch.slice(0, left))
        left -= rows[-1].num_rows
    return rows


def _opening_parts(book: Book) -> dict[str, str]:
    """In the order in which file-type sniffers look."""
    return {
        "[Content_Types].xml": parts.CONTENT_TYPES,
        "_rels/.rels": parts.PACKAGE_RELATIONSHIPS,
        "xl/styles.xml": parts.styles_xml(book.layout.formats),
        "docProps/core.xml": parts.properties_xml(book.title, book.stream.snapshot_at),
        "docProps/app.xml": parts.APP,
    }


def _closing_parts(book: Book) -> dict[str, str]:
    """What names the sheets, once they are known."""
    return {
        "xl/workbook.xml": parts.workbook_xml(book.sheets),
        "xl/_rels/workbook.xml.rels": parts.workbook_relationships(book.sheets),
    }


def _add(archive: ZipStream, named: dict[str, str]) -> bytes:
    return b"".join(archive.add(name, text.encode()) for name, text in named.items())


XLSX = Format(
    "xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx", XlsxOptions, encode_xlsx
)
