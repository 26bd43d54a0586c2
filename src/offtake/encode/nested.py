"""Whole columns as text: one value at a time for its own sake, lists and structs as one line of JSON."""

import json
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate, islice

import pyarrow as pa
import pyarrow.compute as pc

from offtake.encode import kernel, oracle
from offtake.encode.columns import Kind, Prepared, prepare, valid_text
from offtake.encode.iso import iso_writer
from offtake.encode.template import (
    Cell,
    ColumnWriter,
    Escape,
    Fixed,
    JsonWriter,
    Mode,
    NumberWriter,
    RowTemplate,
    Tally,
    TextWriter,
)
from offtake.model.dataset import Field, FieldType

ROWS_PER_CHUNK = 8192
QUOTE = Fixed(b'"')


def render_prepared(
    columns: Sequence[Prepared], rows: int, template: RowTemplate, row: int, tally: Tally
) -> Iterator[tuple[bytes, "array[int]"]]:
    """Chunks of whole rows, each with the positions in it where they end: by the kernel, or else in plain Python."""
    library = kernel.load()
    if library is not None:
        yield from kernel.render_chunks(library, columns, rows, template, row, tally)
        return
    written = oracle.render_rows(columns, rows, template, row, tally)
    while some := list(islice(written, ROWS_PER_CHUNK)):
        yield b"".join(some), array("q", accumulate(map(len, some)))


def prepare_any(values: pa.Array, writer: ColumnWriter) -> Prepared:
    """As `columns.prepare`; lists, structs and JSON text become text first."""
    if pa.types.is_nested(values.type):
        field = writer.field if isinstance(writer, TextWriter | JsonWriter) else None
        return Prepared(Kind.TEXT, json_texts(values, field))
    if isinstance(writer, JsonWriter):
        lines = [None if text is None else json_line(text) for text in valid_text(values).to_pylist()]
        return Prepared(Kind.TEXT, pa.array(lines, pa.string()))
    return prepare(values, writer)


def texts(values: pa.Array, cell: Cell, tally: Tally | None = None) -> pa.StringArray:
    """What the cell makes of every value, prefix and suffix included; null stays null."""
    offsets, chunks, size = array("i", [0]), [], 0
    prepared = prepare_any(values, cell.writer)
    template = RowTemplate((replace(cell, column=0, null=Fixed()),))
    for chunk, ends in render_prepared([prepared], len(values), template, 0, tally if tally is not None else Tally()):
        offsets.extend(array("i", (size + end for end in ends)))
        chunks.append(chunk)
        size += len(chunk)
    valid = pc.is_valid(prepared.array)
    data = [valid.buffers()[1], pa.py_buffer(offsets), pa.py_buffer(b"".join(chunks))]
    return pa.Array.from_buffers(pa.string(), len(values), data)


def json_writer(type: pa.DataType, field_type: FieldType | None = None) -> tuple[ColumnWriter, bool]:
    """How values of this Arrow type become JSON, and whether that stands in quotes. NaN and ±infinity are null."""
    if pa.types.is_nested(type) or field_type is FieldType.JSON:
        return JsonWriter(), False
    match iso_writer(type, None, field_type):
        case NumberWriter():
            return NumberWriter(nan=None), False
        case writer:
            return writer, not pa.types.is_boolean(type)


def json_texts(values: pa.Array, field: Field | None = None) -> pa.StringArray:
    """Every value as JSON on one line; null stays null. Objects keep the order of the struct's fields."""
    if pa.types.is_struct(values.type):
        return _objects(values, {} if field is None else {inner.name: inner for inner in field.fields})
    if pa.types.is_nested(values.type):
        return _arrays(values, field)
    writer, quoted = json_writer(values.type, None if field is None else field.type)
    around = QUOTE if quoted else Fixed()
    return texts(values, Cell(0, writer, around, around, escape=Escape(Mode.JSON) if quoted else Escape()))


def _objects(values: pa.StructArray, fields: Mapping[str, Field]) -> pa.StringArray:
    pieces: list[object] = []
    for index, field in enumerate(values.type):
        comma = "," if index else "{"
        pieces += [
            pa.scalar(f"{comma}{json.dumps(field.name, ensure_ascii=False)}:"),
            json_texts(pc.struct_field(values, index), fields.get(field.name)),
        ]
    pieces = pieces or [pa.scalar("{")]
    text = pc.binary_join_element_wise(*pieces, pa.scalar("}"), "", null_handling="replace", null_replacement="null")
    return pc.if_else(values.is_valid(), text, None)


def _arrays(values: pa.Array, field: Field | None) -> pa.StringArray:
    if not pa.types.is_list(values.type):
        values = values.cast(pa.list_(values.type.value_type))
    first, last = values.offsets[0].as_py(), values.offsets[-1].as_py()
    item = None if field is None else replace(field, type=field.items or FieldType.STRUCT, items=None)
    items = json_texts(values.values.slice(first, last - first), item).fill_null("null")
    joined = pc.binary_join(pa.ListArray.from_arrays(pc.subtract(values.offsets, first), items), ",")
    text = pc.binary_join_element_wise(pa.scalar("["), joined, pa.scalar("]"), "")
    return pc.if_else(values.is_valid(), text, None)


def json_line(text: str) -> str:
    """The JSON text on one line, its digits untouched; text that is no JSON as a JSON string."""
    try:
        json.loads(text, parse_float=str, parse_int=str, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return json.dumps(text, ensure_ascii=False)
    # JSON strings hold no raw line ends (RFC 8259 §7), so these are only space between tokens.
    return text.replace("\n", " ").replace("\r", " ")


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
