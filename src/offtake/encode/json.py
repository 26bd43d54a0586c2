"""JSON (RFC 8259) and NDJSON: one object a row, keys in column order, every value in its own JSON type."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from offtake.encode.compress import Deflate
from offtake.encode.headers import header_of
from offtake.encode.members import dumps, instant_text, member_cell, member_name
from offtake.encode.rows import Cell, Fixed, RowTemplate, render_stream
from offtake.errors import SourceFailed
from offtake.model.ports import Chunks, Format, RowStream


@dataclass(frozen=True)
class NdjsonOptions:
    """`formatted` writes numbers, dates and times as text in the reader's language and zone instead of raw."""

    formatted: bool = False
    date_style: str | None = None
    deflate: Deflate = "fast"


@dataclass(frozen=True)
class JsonOptions:
    """As NDJSON; `meta` puts the rows under `data`, beside `meta` with the columns and the snapshot's time."""

    meta: bool = False
    formatted: bool = False
    date_style: str | None = None
    deflate: Deflate = "fast"


def encode_ndjson(stream: RowStream, options: NdjsonOptions) -> Chunks:
    """One object a line, each line ended by LF."""
    cells = json_cells(stream, options)
    return render_stream(stream, RowTemplate(cells, Fixed(b"{"), Fixed(b"}\n")))


def encode_json(stream: RowStream, options: JsonOptions) -> Chunks:
    """An array of objects, one a line; or, with `meta`, an object that holds it."""
    head, tail = b"[", b"\n]\n"
    if options.meta:
        head, tail = b'{"meta":' + dumps(_meta(stream)) + b',"data":[', b"\n]}\n"
    return encode_objects(stream, options, head, tail)


def enveloped(meta: Callable[[int], Mapping[str, Any]]) -> Format:
    """JSON as an object whose `data` is the rows, beside `meta`, which is made of their number."""
    return replace(JSON, encode=partial(_encode_enveloped, meta=meta))


def _encode_enveloped(stream: RowStream, options: JsonOptions, *, meta: Callable[[int], Mapping[str, Any]]) -> Chunks:
    """`meta` comes first where the number is known before the rows are, else last.

    Raises SourceFailed at the end if there were more or fewer rows than their number.
    """
    total = stream.total

    def end(rows: int) -> bytes:
        if total is None:
            return b'\n],"meta":' + dumps(meta(rows)) + b"}\n"
        if rows != total:
            raise SourceFailed("The rows changed while they were read.", hint="Try again.")
        return b"\n]}\n"

    head = b"{" if total is None else b'{"meta":' + dumps(meta(total)) + b","
    return encode_objects(stream, options, head + b'"data":[', end)


def encode_objects(
    stream: RowStream, options: JsonOptions, head: bytes, tail: bytes | Callable[[int], bytes]
) -> Chunks:
    """The same objects, with commas between them, after any head and before any tail."""
    cells = json_cells(stream, options)
    template = RowTemplate(cells, Fixed(b"{"), Fixed(b"}"), first=b"\n", between=b",\n")
    return render_stream(stream, template, head, tail)


JSON = Format("json", "application/json", "json", JsonOptions, encode_json, machine=True)
NDJSON = Format("ndjson", "application/x-ndjson", "ndjson", NdjsonOptions, encode_ndjson, machine=True)


def json_cells(stream: RowStream, options: NdjsonOptions | JsonOptions) -> tuple[Cell, ...]:
    """`"name":value` for every column, with a comma before all but the first."""
    reader = stream.reader if options.formatted else None
    return tuple(
        member_cell(
            index, (b"," if index else b"") + member_name(column.name), column, field.type, reader, options.date_style
        )
        for index, (column, field) in enumerate(zip(stream.columns, stream.schema, strict=True))
    )


def _meta(stream: RowStream) -> dict[str, object]:
    columns = [
        {"name": column.name, "label": header_of(column, "label"), "type": str(column.type)}
        for column in stream.columns
    ]
    return {"columns": columns, "snapshot_at": instant_text(stream.snapshot_at)}
