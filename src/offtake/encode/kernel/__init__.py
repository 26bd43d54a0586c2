"""The compiled row kernel behind `rows.render`: `rows.c` called through ctypes, which lets go of the GIL meanwhile.

The build hook (`hatch_build.py`) compiles it next to this file. Where it could not, `available()` is False and rows are
rendered by the plain Python of `oracle.py`: the same bytes, many times slower.
"""

import ctypes
from array import array
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate
from pathlib import Path

import pyarrow as pa

from offtake.encode.columns import Kind, Prepared
from offtake.encode.template import (
    BooleanWriter,
    Cell,
    ColumnWriter,
    Fixed,
    Mode,
    NumberStyle,
    NumberWriter,
    Part,
    PatternWriter,
    RowTemplate,
    SerialWriter,
    Step,
    Tally,
)
from offtake.encode.zones import ZoneTable

LIBRARY = Path(__file__).with_name("librows.so")
CHUNK_BYTES = 1 << 20
# What an escape mode may have to change, beside control characters and the delimiter of csv.
SPECIAL = {Mode.CSV: '"', Mode.JSON: '"\\', Mode.XML: "&<>\ufffe\uffff", Mode.XLSX: "&<>_\ufffe\uffff"}
_LONG, _POINTER = ctypes.c_int64, ctypes.c_void_p


class _Bytes(ctypes.Structure):
    _fields_ = (("text", ctypes.c_char_p), ("size", _LONG))


class _Fixed(ctypes.Structure):
    _fields_ = (("before", _Bytes), ("after", _Bytes), ("numbered", _LONG))


class _Step(ctypes.Structure):
    _fields_ = (("part", _LONG), ("width", _LONG), ("names", _LONG), ("text", _Bytes), ("ends", _POINTER))


class _Zone(ctypes.Structure):
    _fields_ = (("starts", _POINTER), ("offsets", _POINTER), ("size", _LONG))


def _fields(kind: type, names: str) -> tuple[tuple[str, type], ...]:
    return tuple((name, kind) for name in names.split())


class _Cell(ctypes.Structure):
    _fields_ = (
        *_fields(_LONG, "kind offset scale"),
        *_fields(_POINTER, "valid data offsets"),
        *_fields(_Fixed, "prefix suffix null other_prefix other_suffix"),
        *_fields(_LONG, "has_other mode always guard limit delimiter"),
        *_fields(_Bytes, "csv_null"),
        *_fields(_LONG, "plain primary secondary min_fraction max_fraction exact_digits digit_size"),
        *_fields(_Bytes, "digits decimal group negative_prefix negative_suffix nan infinity true_text false_text"),
        *_fields(_LONG, "serial step_count"),
        *_fields(_POINTER, "steps"),
        *_fields(_Zone, "zone serial_zone"),
    )


class _Template(ctypes.Structure):
    _fields_ = (
        ("cells", ctypes.POINTER(_Cell)),
        *_fields(_LONG, "count first_number"),
        *_fields(_Fixed, "prefix suffix"),
        *_fields(_Bytes, "first between"),
    )


class _Result(ctypes.Structure):
    _fields_ = _fields(_LONG, "rows written needed guarded cut")


LAYOUT = (
    ctypes.sizeof(_Cell) << 32 | ctypes.sizeof(_Template) << 16 | ctypes.sizeof(_Step) << 8 | ctypes.sizeof(_Result)
)


@lru_cache(maxsize=8)
def load(path: Path = LIBRARY) -> ctypes.CDLL | None:
    """The compiled kernel, or None if there is none at the path, or one of another version or machine."""
    try:
        library = ctypes.CDLL(str(path))
        library.offtake_layout.restype = _LONG
        return library if library.offtake_layout() == LAYOUT else None
    except (OSError, AttributeError):
        return None


def available() -> bool:
    """Whether the kernel was compiled for this machine and this version."""
    return load() is not None


def render_chunks(
    library: ctypes.CDLL,
    columns: Sequence[Prepared],
    rows: int,
    template: RowTemplate,
    row: int,
    tally: Tally,
    chunk_bytes: int = CHUNK_BYTES,
) -> Iterator[tuple[bytes, "array[int]"]]:
    """Chunks of at most `chunk_bytes` if a row fits, each with the positions in it where its rows end."""
    alive: list[object] = []  # what the structs point into
    compiled = _template(columns, template, alive)
    result, ends, buffer, done = _Result(), (_LONG * rows)(), ctypes.create_string_buffer(chunk_bytes), 0
    while done < rows:
        library.offtake_render(
            ctypes.byref(compiled), _LONG(done), _LONG(rows), _LONG(row), buffer, _LONG(len(buffer)), ends,
            ctypes.byref(result),
        )  # fmt: skip
        if result.rows == 0:
            buffer = ctypes.create_string_buffer(result.needed)
            continue
        done += result.rows
        tally.guarded += result.guarded
        tally.cut += result.cut
        yield ctypes.string_at(buffer, result.written), array("q", bytes(ends)[: 8 * result.rows])


def _bytes(text: str | bytes) -> _Bytes:
    raw = text.encode() if isinstance(text, str) else text
    return _Bytes(raw, len(raw))


def _fixed(fixed: Fixed) -> _Fixed:
    return _Fixed(_bytes(fixed.before), _bytes(fixed.after or b""), fixed.after is not None)


def _template(columns: Sequence[Prepared], template: RowTemplate, alive: list[object]) -> _Template:
    cells = (_Cell * len(template.cells))(
        *(_cell(cell, column, alive) for cell, column in zip(template.cells, columns, strict=True))
    )
    return _Template(
        cells,
        len(cells),
        template.first_number,
        _fixed(template.prefix),
        _fixed(template.suffix),
        _bytes(template.first),
        _bytes(template.between),
    )


def _cell(cell: Cell, column: Prepared, alive: list[object]) -> _Cell:
    compiled = _Cell(kind=column.kind, prefix=_fixed(cell.prefix), suffix=_fixed(cell.suffix), null=_fixed(cell.null))
    if cell.other is not None:
        compiled.has_other = 1
        compiled.other_prefix, compiled.other_suffix = _fixed(cell.other.prefix), _fixed(cell.other.suffix)
    escape = cell.escape
    compiled.mode = _needed_mode(cell, column.kind)
    compiled.always, compiled.guard, compiled.limit = escape.always, escape.guard, escape.limit
    compiled.delimiter, compiled.csv_null = escape.delimiter[0], _bytes(escape.null)
    _point_at(compiled, column.array, alive)
    _write_by(compiled, cell.writer, alive)
    return compiled


def _point_at(compiled: _Cell, values: pa.Array, alive: list[object]) -> None:
    """Arrow's own buffers (Arrow columnar format, physical layout); nothing is copied."""
    buffers = values.buffers()
    alive.append(buffers)
    compiled.offset = values.offset
    compiled.valid = buffers[0].address if buffers[0] is not None and values.null_count else None
    compiled.data = buffers[-1].address if buffers[-1] is not None else None
    if len(buffers) == 3:
        compiled.offsets = buffers[1].address
    if pa.types.is_decimal(values.type):
        compiled.scale = values.type.scale


def _write_by(compiled: _Cell, writer: ColumnWriter, alive: list[object]) -> None:
    match writer:
        case NumberWriter(style=style):
            _style(compiled, style)
            compiled.nan, compiled.infinity = _bytes(writer.nan or ""), _bytes(writer.infinity)
            compiled.exact_digits = writer.exact_digits
        case BooleanWriter():
            compiled.true_text, compiled.false_text = _bytes(writer.true), _bytes(writer.false)
        case PatternWriter():
            _pattern(compiled, writer, alive)
        case SerialWriter():
            compiled.serial = 1
            _pattern(compiled, writer.otherwise, alive)
            compiled.serial_zone = _zone(writer.zone, alive)


def _style(compiled: _Cell, style: NumberStyle) -> None:
    compiled.plain = style == NumberStyle()
    compiled.primary, compiled.secondary = max(1, style.primary), max(1, style.secondary)
    compiled.min_fraction = style.min_fraction
    compiled.max_fraction = -1 if style.max_fraction is None else style.max_fraction
    compiled.decimal, compiled.group = _bytes(style.decimal), _bytes(style.group)
    compiled.negative_prefix, compiled.negative_suffix = (_bytes(text) for text in style.negative)
    _digits(compiled, style.digits)


def _digits(compiled: _Cell, digits: str) -> None:
    sizes = {len(digit.encode()) for digit in digits}
    if len(digits) != 10 or len(sizes) != 1:
        raise ValueError("digits are ten characters of one UTF-8 length")
    compiled.digits, compiled.digit_size = _bytes(digits), sizes.pop()


def _pattern(compiled: _Cell, writer: PatternWriter, alive: list[object]) -> None:
    steps = (_Step * len(writer.pattern))(*(_step(step, alive) for step in writer.pattern))
    alive.append(steps)
    compiled.steps, compiled.step_count = ctypes.addressof(steps), len(steps)
    compiled.infinity = _bytes(writer.infinity)
    compiled.zone = _zone(writer.zone, alive)
    _digits(compiled, writer.digits)


def _step(step: Step, alive: list[object]) -> _Step:
    names = [name.encode() for name in step.names]
    ends = array("q", accumulate(len(name) for name in names))
    alive.append(ends)
    text = b"".join(names) if names else step.text.encode()
    width = max(map(len, names)) if names else step.width
    return _Step(step.part, width, len(names), _bytes(text), ends.buffer_info()[0])


def _zone(zone: ZoneTable, alive: list[object]) -> _Zone:
    alive.append(zone)
    return _Zone(zone.starts_us.buffer_info()[0], zone.offsets_us.buffer_info()[0], len(zone.starts_us))


def _needed_mode(cell: Cell, kind: Kind) -> Mode:
    """No escaping for typed values whose text cannot hold anything to escape, as is usual: it saves a copy of each."""
    escape = cell.escape
    if kind in (Kind.TEXT, Kind.DIGITS) or escape.always or escape.mode is Mode.NONE:
        return escape.mode
    texts = _texts(cell.writer)
    letters = {*"0123456789+-:.eZ", *"".join(texts)}
    special = {*SPECIAL[escape.mode]}
    if escape.mode is Mode.CSV:
        special.update(escape.delimiter.decode())
        if "" in texts or (escape.null and letters.issuperset(escape.null.decode())):
            return escape.mode
    return escape.mode if letters & special or min(letters) < " " else Mode.NONE


def _texts(writer: ColumnWriter) -> tuple[str, ...]:
    """All letters the writer may write, beside those of plain numbers; "" among them if a value may become empty."""
    match writer:
        case NumberWriter(style=style):
            letters = style.digits + style.decimal + style.group + "".join(style.negative)
            return letters, "NaN" if writer.nan is None else writer.nan, writer.infinity
        case BooleanWriter():
            return writer.true, writer.false
        case PatternWriter():
            letters = writer.digits + "".join(text for step in writer.pattern for text in (step.text, *step.names))
            certain = any(step.part not in (Part.LITERAL, Part.FRACTION) and not step.names for step in writer.pattern)
            return (letters, writer.infinity) if certain else (letters, writer.infinity, "")
        case SerialWriter():
            return _texts(writer.otherwise)
    return ("",)
