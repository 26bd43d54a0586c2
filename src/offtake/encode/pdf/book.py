"""The book: pages of rows, written one by one, with what they share at the end."""

from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from offtake.encode.headers import header_of
from offtake.encode.locale import column_writer
from offtake.encode.pdf.embed import write_composite, write_simple
from offtake.encode.pdf.fonts import face
from offtake.encode.pdf.objects import HEAD, Objects, date_string, references, text_string
from offtake.encode.pdf.options import PdfOptions
from offtake.encode.pdf.pages import (
    DESCENT,
    FOOT,
    MARGIN,
    PADDING,
    SIMPLE,
    Ink,
    Line,
    Need,
    Sheet,
    choose_font,
    draw_line,
    escape,
    lay_out,
    line_of,
    lines_of,
)  # fmt: skip
from offtake.encode.rows import Cell, Fixed, RowTemplate, render
from offtake.errors import InvalidFormat
from offtake.model.dataset import FieldType
from offtake.model.ports import Chunks, RowStream

CELL_END, ROW_END = "\x1f", "\x1e"
SAMPLE = 500  # rows of the first batch that are measured for the widths
WIDEST = 30_000  # a column asks for no more than this, in thousandths: about sixty characters
GREY, BLACK = b"0.75 G 0.4 w\n", b"0 g\n"
LEADING_TITLE = 1.5
TEXTS = frozenset({FieldType.STRING, FieldType.UUID, FieldType.JSON, FieldType.LIST, FieldType.STRUCT})
NUMBERS = frozenset({FieldType.INTEGER, FieldType.NUMBER, FieldType.DECIMAL})


@dataclass
class _Book:
    """The document as it grows: object numbers that pages refer to, pages written so far, glyphs used."""

    sheet: Sheet
    objects: Objects = field(default_factory=Objects)
    ink: Ink = field(default_factory=Ink)
    pages: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tree, self.root, self.info = (self.objects.reserve() for _ in range(3))
        self.resources, self.header, self.total, self.font = (self.objects.reserve() for _ in range(4))


def write_book(stream: RowStream, options: PdfOptions) -> Chunks:
    """One chunk a page, then fonts and tables. Headers repeat; long cells wrap; nothing is left out."""
    rows = _cells(stream, options)
    sample = _take(rows)
    names = _headers(stream, options)
    sheet = _measure(stream, names, sample, options)
    book = _Book(sheet)
    header = _header(names, sheet)
    yield HEAD + _write_header(book, header)
    yield from _pages(book, stream, options, _chain(sample, rows), max((len(lines) for lines in header), default=0))
    yield from _end(book, stream, options)


def _cells(stream: RowStream, options: PdfOptions) -> Generator[list[list[str]], None, None]:
    """The text of every cell, a list of rows a batch, as the reader's language writes it."""
    pairs = zip(stream.columns, stream.schema, strict=True)
    writers = [column_writer(c, f.type, stream.reader, date_style=options.date_style) for c, f in pairs]
    end = Fixed(CELL_END.encode())
    cells = tuple(Cell(index, writer, suffix=end, null=end) for index, writer in enumerate(writers))
    template = RowTemplate(cells, suffix=Fixed(ROW_END.encode()))
    for batch in stream:
        text = render(_without_separators(batch), template).decode()
        yield [row.split(CELL_END)[:-1] for row in text.split(ROW_END)[:-1]]


def _without_separators(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The two control characters that separate cells here are shown as a box wherever else they stand."""
    arrays = [
        pc.replace_substring_regex(array, "[\x1e\x1f]", "\N{WHITE SQUARE}") if pa.types.is_string(array.type) else array
        for array in batch.columns
    ]
    return pa.record_batch(arrays, schema=batch.schema)


def _take(rows: Iterator[list[list[str]]]) -> list[list[str]]:
    return next(rows, [])


def _chain(first: list[list[str]], rest: Iterator[list[list[str]]]) -> Iterator[list[str]]:
    yield from first
    for batch in rest:
        yield from batch


def _headers(stream: RowStream, options: PdfOptions) -> list[str]:
    return [] if options.header == "none" else [header_of(column, options.header) for column in stream.columns]


def _measure(stream: RowStream, names: list[str], sample: list[list[str]], options: PdfOptions) -> Sheet:
    needs = []
    for index, column in enumerate(stream.columns):
        heads = names[index : index + 1]
        texts = [row[index] for row in sample[:SAMPLE]] + heads
        natural = _widest(part for text in texts for part in text[:200].splitlines())
        word = _widest(word for head in heads for word in head[:200].split())
        needs.append(Need(natural, word, column.type in NUMBERS, column.type not in TEXTS))
    return lay_out(needs, options.paper, options.orientation)


def _widest(texts: Iterable[str]) -> float:
    """The widest of the texts, with a little to spare, within what a column may ask for."""
    return min(max(max((line_of(text).width for text in texts), default=0.0) * 1.02, 2_000.0), WIDEST)


def _header(names: list[str], sheet: Sheet) -> list[tuple[Line, ...]]:
    """The lines of every header cell. Raises InvalidFormat if little of a page would be left for rows."""
    header = [_wrapped(name, sheet, index) for index, name in enumerate(names)]
    if header and _height(max(map(len, header)), sheet) > (sheet.height - 2 * MARGIN) / 2:
        raise InvalidFormat(
            "The header would take more than half of every page.",
            hint="Ask for fewer fields, shorter labels, or the option header=name.",
            pointer="/options/header",
        )
    return header


def _wrapped(text: str, sheet: Sheet, index: int) -> tuple[Line, ...]:
    return lines_of(text, (sheet.widths[index] - 2 * PADDING) * 1000 / sheet.size)


def _draw_row(cells: Sequence[tuple[Line, ...]], top: float, book: _Book, skip: int = 0, most: int = 0) -> bytes:
    """The lines of a row's cells from `skip` on, at most `most`, below `top`."""
    sheet, size, parts = book.sheet, book.sheet.size, []
    first = top - PADDING - size * (1 - DESCENT)
    for left, right, lines in zip(sheet.lefts, sheet.rights, cells, strict=True):
        y = first
        for line in lines[skip : skip + most] if most else lines:
            x = right - line.width * size / 1000 if right else left
            parts.append(draw_line(line, x, y, size, book.ink))
            y -= sheet.leading
    return b"".join(parts)


def _height(lines: int, sheet: Sheet) -> float:
    return lines * sheet.leading + 2 * PADDING - (sheet.leading - sheet.size)


def _write_header(book: _Book, header: list[tuple[Line, ...]]) -> bytes:
    """The header row as a drawing of its own, its top edge at y = 0: every page shows it, one object holds it."""
    sheet = book.sheet
    width = sum(sheet.widths)
    height = _height(max((len(lines) for lines in header), default=0), sheet) if header else 0.0
    content = b"0.93 g %.2f %.2f %.2f %.2f re f\n" % (MARGIN, -height, width, height)
    # Letters are drawn bolder by a stroke: the font has no second weight to embed.
    content += (
        b"0 g 0 G 0.25 w BT 2 Tr\n" + choose_font(sheet.size) + _draw_row(header, 0, book) + b"0 Tr ET\n"
        if header
        else b""
    )
    box = b"/Type/XObject/Subtype/Form/BBox[0 %.2f %.2f 1]/Resources %d 0 R" % (
        -height - 1,
        sheet.width,
        book.resources,
    )
    return book.objects.stream(book.header, content, box)


def _pages(
    book: _Book, stream: RowStream, options: PdfOptions, rows: Iterator[list[str]], header_lines: int
) -> Iterator[bytes]:
    """Fill pages with rows; a row that no page can hold goes on on the next."""
    sheet, parts, rules = book.sheet, [], []
    top, head = _begin_page(book, stream, options, header_lines)
    bottom = MARGIN + FOOT
    for row in rows:
        cells = [_wrapped(text, sheet, index) for index, text in enumerate(row)]
        lines, skip = max(len(cell) for cell in cells), 0
        while True:
            height = _height(lines - skip, sheet)
            whole_page = sheet.height - MARGIN - bottom - _height(header_lines, sheet)
            if top - height >= bottom:
                parts.append(_draw_row(cells, top, book, skip, lines - skip if skip else 0))
                top -= height
                rules.append(b"%.2f %.2f m %.2f %.2f l\n" % (MARGIN, top, MARGIN + sum(sheet.widths), top))
                break
            if height > whole_page:
                most = int((top - bottom - 2 * PADDING) / sheet.leading)
                if most > 0:
                    parts.append(_draw_row(cells, top, book, skip, most))
                    skip += most
            yield _write_page(book, head, parts, rules)
            parts, rules = [], []
            top, head = _begin_page(book, stream, options, header_lines)
    yield _write_page(book, head, parts, rules)


def _begin_page(book: _Book, stream: RowStream, options: PdfOptions, header_lines: int) -> tuple[float, bytes]:
    """Where the first row's top edge is, and what stands above it: the title on page one, the header on every page."""
    sheet, top, parts = book.sheet, book.sheet.height - MARGIN, []
    if not book.pages:
        title = options.title or stream.about.title or stream.about.dataset
        facts = [stream.snapshot_at.strftime("%Y-%m-%d %H:%M:%SZ"), stream.about.filter]
        room = (sheet.width - 2 * MARGIN) * 1000
        for text, size, most in ((title, 14.0, 3), (" · ".join(fact for fact in facts if fact), 7.0, 12)):
            for line in _first_lines(text, room / size, most):
                drawn = draw_line(line, MARGIN, top - size, size, book.ink)
                parts.append(b"BT 0 g " + choose_font(size) + drawn + b"ET\n")
                top -= size * LEADING_TITLE
        top -= PADDING
    if header_lines:
        parts.append(b"q 1 0 0 1 0 %.2f cm /H Do Q\n" % top)
        top -= _height(header_lines, sheet)
    return top, b"".join(parts)


def _first_lines(text: str, room: float, most: int) -> tuple[Line, ...]:
    """The text in lines, an ellipsis instead of all from line `most` on: a filter may list thousands of values."""
    lines = lines_of(text[: most * 1000], room) if text else ()
    return lines if len(lines) <= most else (*lines[: most - 1], line_of("…"))


def _write_page(book: _Book, head: bytes, parts: list[bytes], rules: list[bytes]) -> bytes:
    """One page object and its content."""
    sheet, objects = book.sheet, book.objects
    page, content = objects.reserve(), objects.reserve()
    book.pages.append(page)
    number = line_of(f"{len(book.pages)} / ").simple
    left = sheet.width / 2 - line_of(f"{len(book.pages)} / ").width * 7 / 1000
    foot = b"BT 0.3 g /F 7 Tf 1 0 0 1 %.2f %.2f Tm(%s)Tj ET q 1 0 0 1 %.2f %.2f cm /T Do Q\n" % (
        left, MARGIN, escape(number), sheet.width / 2, MARGIN,
    )  # fmt: skip
    body = (
        head
        + BLACK
        + b"BT\n"
        + choose_font(sheet.size)
        + b"".join(parts)
        + b"ET\n"
        + GREY
        + b"".join(rules)
        + b"S\n"
        + foot
    )
    record = b"<</Type/Page/Parent %d 0 R/Contents %d 0 R>>" % (book.tree, content)
    return objects.write(page, record) + objects.stream(content, body)


def _end(book: _Book, stream: RowStream, options: PdfOptions) -> Iterator[bytes]:
    """The number of pages, the fonts, the page tree, the document's facts and the cross-reference table."""
    objects, sheet = book.objects, book.sheet
    total = b"BT 0.3 g /F 7 Tf(%d)Tj ET" % len(book.pages)
    form = b"/Type/XObject/Subtype/Form/BBox[0 -3 60 10]/Resources %d 0 R" % book.resources
    yield objects.stream(book.total, total, form)
    yield from write_simple(objects, book.font, face(SIMPLE))
    fonts = b"/F %d 0 R" % book.font
    for found, name in book.ink.names.items():
        number = objects.reserve()
        fonts += b"%s %d 0 R" % (name, number)
        yield from write_composite(objects, number, found, book.ink.used[found])
    drawings = b"/H %d 0 R/T %d 0 R" % (book.header, book.total)
    yield objects.write(book.resources, b"<</Font<<%s>>/XObject<<%s>>>>" % (fonts, drawings))
    tree = b"<</Type/Pages/Kids%s/Count %d/MediaBox[0 0 %.2f %.2f]/Resources %d 0 R>>" % (
        references(book.pages), len(book.pages), sheet.width, sheet.height, book.resources,
    )  # fmt: skip
    yield objects.write(book.tree, tree)
    title = options.title or stream.about.title or stream.about.dataset
    facts = b"<</Title%s/Producer(offtake)/CreationDate%s>>" % (text_string(title), date_string(stream.snapshot_at))
    catalog = b"<</Type/Catalog/Pages %d 0 R/ViewerPreferences<</DisplayDocTitle true>>>>" % book.tree
    yield objects.write(book.info, facts) + objects.write(book.root, catalog) + objects.trailer(book.root, book.info)
