"""PDF, read back by pypdf: text, pages, fonts. Its looks were judged by eye; what an eye saw is asserted here."""

import io
import re
from collections.abc import Generator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from pypdf import PdfReader

from offtake.encode.pdf import PDF, PdfOptions
from offtake.encode.pdf.fonts import MISSING, face_of
from offtake.encode.pdf.pages import MARGIN, lines_of
from offtake.errors import InvalidFormat
from offtake.model.dataset import Field, FieldType
from offtake.model.export import Column, Reader
from offtake.model.ports import About, RowStream

SNAPSHOT = datetime(2026, 5, 1, 12, tzinfo=UTC)
SCRIPTS = ["Anna Müller", "Владимир", "Γιώργος", "山田 太郎", "김민준", "สวัสดี", "שלום עולם", "محمد", "हिन्दी", "ქართული"]


def stream(columns: dict[str, tuple[FieldType, pa.Array]], reader: Reader | None = None) -> RowStream:
    schema = pa.schema([(name, array.type) for name, (_, array) in columns.items()])

    def batches() -> Generator[pa.RecordBatch, None, None]:
        yield pa.record_batch([array for _, array in columns.values()], schema=schema)

    described = tuple(Column(Field(name, type, name, name.title())) for name, (type, _) in columns.items())
    about = About(title="All contacts", dataset="contacts", filter="stage:Lead")
    return RowStream(described, schema, batches(), SNAPSHOT, reader or Reader(), about)


def texts(*values: str | None) -> RowStream:
    return stream({"text": (FieldType.STRING, pa.array(values, pa.string()))})


def encode(rows: RowStream, options: PdfOptions | None = None) -> bytes:
    return b"".join(PDF.encode(rows, options or PdfOptions()))


def read(data: bytes) -> PdfReader:
    return PdfReader(io.BytesIO(data), strict=True)


def page_texts(data: bytes) -> list[str]:
    return [page.extract_text() for page in read(data).pages]


@pytest.mark.parametrize("text", SCRIPTS)
def test_every_script_has_glyphs_and_its_text_extracts(text: str) -> None:
    assert all(face_of(character) is not None for character in text)
    assert text.split()[0] in page_texts(encode(texts(text)))[0]


def test_every_page_repeats_the_header_and_says_which_of_how_many_it_is() -> None:
    pages = page_texts(encode(texts(*(f"row {number}" for number in range(200)))))
    assert len(pages) > 2
    assert all("Text" in page for page in pages)
    assert all(f"{number} / {len(pages)}" in " ".join(page.split()) for number, page in enumerate(pages, 1))


def test_no_row_is_lost_between_pages() -> None:
    lines = "\n".join(page_texts(encode(texts(*(f"row-{number}-" for number in range(500)))))).split()
    assert [line for line in lines if line.startswith("row-")] == [f"row-{number}-" for number in range(500)]


def test_page_one_says_what_it_is_about() -> None:
    first = page_texts(encode(texts("x")))[0]
    assert "All contacts" in first
    assert "stage:Lead" in first
    assert "2026-05-01 12:00:00Z" in first


def test_properties_are_the_titles_and_the_snapshots() -> None:
    facts = read(encode(texts("x"), PdfOptions(title="Für die Buchhaltung"))).metadata
    assert facts is not None
    assert facts.title == "Für die Buchhaltung"
    assert facts.creation_date == SNAPSHOT


@pytest.mark.parametrize("rows", [SCRIPTS[:3], pytest.param(SCRIPTS, marks=pytest.mark.slow)], ids=["some", "all"])
def test_equal_rows_give_equal_bytes(rows: Sequence[str]) -> None:
    assert encode(texts(*rows)) == encode(texts(*rows))


def test_narrow_tables_are_upright_and_wide_ones_lie_on_their_side() -> None:
    narrow = read(encode(texts("x"))).pages[0].mediabox
    wide_columns = {f"c{n}": (FieldType.STRING, pa.array(["some longer text here"])) for n in range(9)}
    wide = read(encode(stream(wide_columns))).pages[0].mediabox
    assert narrow.width < narrow.height
    assert wide.width > wide.height


def test_forty_columns_leave_nothing_out() -> None:
    forty = {f"c{n}": (FieldType.INTEGER, pa.array([n * 1000 + 7])) for n in range(40)}
    shown = "".join("".join(page_texts(encode(stream(forty)))).split())
    assert all(str(n * 1000 + 7) in shown for n in range(40))


def test_more_columns_than_a_page_has_room_for_are_refused_before_any_byte() -> None:
    def wide(count: int) -> RowStream:
        return stream({f"c{n}": (FieldType.INTEGER, pa.array([n])) for n in range(count)})

    assert "63" in page_texts(encode(wide(64)))[0]
    with pytest.raises(InvalidFormat, match="64 columns at most, and this file has 65"):
        next(PDF.encode(wide(65), PdfOptions()))
    assert "92" in page_texts(encode(wide(93), PdfOptions(paper="a3")))[0]


def test_a_header_that_leaves_no_room_for_rows_is_refused_before_any_byte() -> None:
    labelled = texts("x")
    labelled = replace(labelled, columns=(replace(labelled.columns[0], label="word " * 20_000),))
    with pytest.raises(InvalidFormat, match="half of every page"):
        next(PDF.encode(labelled, PdfOptions()))
    assert "x" in page_texts(encode(texts("x"), PdfOptions(header="name")))[0]


def test_words_of_a_header_are_not_broken_while_text_can_wrap() -> None:
    long = "abcdefghij" * 9
    columns = {f"Organisation{n}": (FieldType.STRING, pa.array([long])) for n in range(14)}
    lines = page_texts(encode(stream(columns), PdfOptions(header="name")))[0].split()
    assert {f"Organisation{n}" for n in range(14)} <= set(lines)


def test_a_long_title_and_filter_leave_room_for_rows() -> None:
    rows = texts("a row")
    about = replace(rows.about, filter="id:" + ",".join(map(str, range(100_000))))
    pages = page_texts(encode(replace(rows, about=about), PdfOptions(title="A title " * 1000)))
    assert len(pages) == 1
    assert all(text in pages[0] for text in ("A title", "…", "2026-05-01", "id:0,1,2", "a row"))


def test_a_cell_taller_than_a_page_goes_on_on_the_next() -> None:
    story = "".join(chr(97 + n * n % 26) for n in range(20_000))
    pages = page_texts(encode(texts(story)))
    lines = [line for page in pages for line in page.splitlines() if re.fullmatch("[a-z]{20,}", line)]
    assert len(pages) > 3
    assert story.startswith("".join(lines))
    assert len("".join(lines)) > len(story) - 60  # the last line may be shorter than the pattern wants


def test_zero_rows_are_a_page_with_a_header() -> None:
    empty = stream({"text": (FieldType.STRING, pa.array([], pa.string()))})
    assert "Text" in page_texts(encode(empty))[0]


def test_numbers_and_dates_are_written_for_the_reader() -> None:
    columns = {
        "amount": (FieldType.DECIMAL, pa.array([Decimal("1234567.00")], pa.decimal128(12, 2))),
        "day": (FieldType.DATE, pa.array([date(2026, 5, 31)])),
    }
    shown = page_texts(encode(stream(columns, Reader("es-CL", "America/Santiago"))))[0]
    assert "1.234.567,00" in shown
    assert "31/05/2026" in shown


def test_control_characters_show_as_a_box_and_break_nothing() -> None:
    shown = page_texts(encode(texts("a\x00b\x1e\x1fc", "next")))[0]
    assert f"a{MISSING}b{MISSING}{MISSING}c" in shown
    assert "next" in shown


def test_parentheses_and_backslashes_are_escaped() -> None:
    assert "a (b) \\ c)(" in page_texts(encode(texts("a (b) \\ c)(")))[0]


def test_lines_fit_the_room_they_are_given() -> None:
    lines = lines_of("the quick brown fox " * 20, 20_000)
    assert len(lines) > 5
    assert all(line.width <= 20_000 for line in lines)
    assert MARGIN > 0


def test_header_none_draws_no_header() -> None:
    assert "Text" not in page_texts(encode(texts("x"), PdfOptions(header="none")))[0]
