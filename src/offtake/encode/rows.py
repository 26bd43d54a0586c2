"""Batches to bytes by a row template: the one loop behind every text format.

A format builds one `RowTemplate` per stream, of one `Cell` per column (or several), and calls `render` per batch:

    cells = (Cell(0, NumberWriter()), Cell(1, TextWriter(), prefix=Fixed(b",")))
    template = RowTemplate(cells, suffix=Fixed(b"\\n"))
    rows = 0
    for batch in stream:
        yield render(batch, template, rows)
        rows += batch.num_rows

The text of a value is made by the cell's writer, then escaped, then put between prefix and suffix.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial

import pyarrow as pa

from offtake.encode.iso import ISO_DATE, ISO_INSTANT, ISO_TIME, iso_writer
from offtake.encode.nested import json_writer, prepare_any, render_prepared, texts
from offtake.encode.oracle import escape_text
from offtake.encode.parallel import in_order
from offtake.encode.template import (
    BooleanWriter,
    Cell,
    ColumnWriter,
    Escape,
    Fixed,
    JsonWriter,
    Mode,
    NumberStyle,
    NumberWriter,
    Other,
    Part,
    Pattern,
    PatternWriter,
    RowTemplate,
    SerialWriter,
    Step,
    Tally,
    TextWriter,
)
from offtake.model.ports import Chunks, RowStream

__all__ = [
    "ISO_DATE",
    "ISO_INSTANT",
    "ISO_TIME",
    "BooleanWriter",
    "Cell",
    "ColumnWriter",
    "Escape",
    "Fixed",
    "JsonWriter",
    "Mode",
    "NumberStyle",
    "NumberWriter",
    "Other",
    "Part",
    "Pattern",
    "PatternWriter",
    "RowTemplate",
    "SerialWriter",
    "Step",
    "Tally",
    "TextWriter",
    "escape_text",
    "iso_writer",
    "json_writer",
    "render",
    "render_chunks",
    "render_stream",
    "texts",
]


def render(batch: pa.RecordBatch, template: RowTemplate, row: int = 0, tally: Tally | None = None) -> bytes:
    """All rows of the batch as bytes.

    `row` is how many rows came before this batch: it decides between `first` and `between` and the row numbers.
    `tally`, if given, counts what was guarded and cut. Raises TypeError if a writer does not fit its column's type.
    """
    return b"".join(render_chunks(batch, template, row, tally))


def render_chunks(
    batch: pa.RecordBatch, template: RowTemplate, row: int = 0, tally: Tally | None = None
) -> Iterator[bytes]:
    """The same in chunks that end at the end of a row, so that a batch of long rows needs little memory."""
    columns = [prepare_any(batch.column(cell.column), cell.writer) for cell in template.cells]
    tally = tally if tally is not None else Tally()
    for chunk, _ in render_prepared(columns, batch.num_rows, template, row, tally):
        yield chunk


def render_stream(
    stream: RowStream, template: RowTemplate, head: bytes = b"", tail: bytes | Callable[[int], bytes] = b""
) -> Chunks:
    """A whole file: head, every row, tail, which may be made of the number of rows.

    Batches are rendered in threads, two at a time on two cores. Nothing comes before the first batch; closing it
    closes the stream. What was guarded and cut is added to the stream's notes, batch by batch.
    """
    row, waiting = 0, head

    def jobs() -> Iterator[Callable[[], tuple[list[bytes], Tally]]]:
        nonlocal row
        for batch in stream:
            yield partial(_render_counted, batch, template, row)
            row += batch.num_rows

    with closing(stream), closing(in_order(jobs())) as results:
        for chunks, tally in results:
            for chunk in chunks:
                yield waiting + chunk
                waiting = b""
            stream.notes.update(guarded=tally.guarded, cut=tally.cut)
        if rest := waiting + (tail if isinstance(tail, bytes) else tail(row)):
            yield rest


def _render_counted(batch: pa.RecordBatch, template: RowTemplate, row: int) -> tuple[list[bytes], Tally]:
    tally = Tally()
    return list(render_chunks(batch, template, row, tally)), tally
