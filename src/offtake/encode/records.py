"""Rows as JSON objects with instants such as 2021-12-02T17:21:49.330+0200: three decimals, no colon in the offset."""

from dataclasses import replace

import pyarrow as pa

from offtake.encode.iso import ISO_DATE, minute_zone
from offtake.encode.json import JsonOptions, json_cells
from offtake.encode.rows import Cell, Fixed, Part, Pattern, PatternWriter, RowTemplate, Step, render_stream
from offtake.model.ports import Chunks, RowStream

MILLISECONDS: Pattern = (
    *ISO_DATE, Step(Part.LITERAL, text="T"), Step(Part.HOUR_0_23, 2), Step(Part.LITERAL, text=":"),
    Step(Part.MINUTE, 2), Step(Part.LITERAL, text=":"), Step(Part.SECOND, 2), Step(Part.LITERAL, text="."),
    Step(Part.FRACTION_FIXED, 3), Step(Part.OFFSET_PLAIN),
)  # fmt: skip


def encode_records(stream: RowStream, head: bytes, tail: bytes) -> Chunks:
    """The objects with commas between them, after any head and before any tail; instants in the reader's zone."""
    cells = tuple(
        _in_zone(cell, stream.reader.timezone) if pa.types.is_timestamp(field.type) else cell
        for cell, field in zip(json_cells(stream, JsonOptions()), stream.schema, strict=True)
    )
    template = RowTemplate(cells, Fixed(b"{"), Fixed(b"}"), first=b"\n", between=b",\n")
    return render_stream(stream, template, head, tail)


def _in_zone(cell: Cell, timezone: str | None) -> Cell:
    return replace(cell, writer=PatternWriter(MILLISECONDS, minute_zone(timezone)))
