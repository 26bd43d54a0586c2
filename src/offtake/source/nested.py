"""Lists and structs: from JSON text, from Python values, and from PostgreSQL's array literals."""

import json
import re
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from offtake.source.arrow_types import unfit
from offtake.source.cells import cell_reader, integers_as, texts_to_arrow

_ELEMENT = re.compile(r'"((?:[^"\\]|\\.)*)"|([^,{}"]+)', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def json_to_arrow(texts: pa.Array, wanted: pa.DataType, name: str, zone: ZoneInfo) -> pa.Array:
    """JSON arrays or objects as lists or structs. SourceFailed naming the field if one is not of that shape."""
    try:
        values = [json.loads(text, parse_float=Decimal) if text else None for text in texts.to_pylist()]
    except ValueError:
        raise unfit(name, wanted) from None
    return values_to_arrow(values, wanted, name, zone)


def values_to_arrow(values: Sequence[Any], wanted: pa.DataType, name: str, zone: ZoneInfo) -> pa.Array:
    """Python values, nested or not, as the wanted type; absent keys are null, unknown ones left out."""
    try:
        return _array(values, wanted, zone)
    except (ValueError, TypeError, OverflowError, pa.ArrowException):
        raise unfit(name, wanted) from None


def _array(values: Sequence[Any], wanted: pa.DataType, zone: ZoneInfo) -> pa.Array:
    mask = pa.array([value is None for value in values], pa.bool_())
    if pa.types.is_list(wanted):
        offsets = [0]
        flat: list[Any] = []
        for value in values:
            if value is not None:
                if not isinstance(value, list | tuple):
                    raise ValueError("not a list")
                flat.extend(value)
            offsets.append(len(flat))
        items = _array(flat, wanted.value_type, zone)
        return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), items, type=wanted, mask=mask)
    if pa.types.is_struct(wanted):
        if not all(value is None or isinstance(value, dict) for value in values):
            raise ValueError("not a struct")
        rows = [value or {} for value in values]
        children = [_array([row.get(field.name) for row in rows], field.type, zone) for field in wanted]
        return pa.StructArray.from_arrays(children, fields=list(wanted), mask=mask)
    return integers_as([None if value is None else _scalar(value, wanted, zone) for value in values], wanted)


def _scalar(value: Any, wanted: pa.DataType, zone: ZoneInfo) -> Any:
    """One value, in the form `integers_as` takes."""
    if pa.types.is_string(wanted):
        return text_of(value)
    if isinstance(value, bool):
        return value if pa.types.is_boolean(wanted) else int(value)
    return cell_reader(wanted, zone)(text_of(value))


def text_of(value: Any) -> str:
    """A value as text: what it is in JSON, without the quotes; instants and dates as ISO 8601, bytes as hex."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case Decimal():
            return format(value, "f") if value.is_finite() else str(value)
        case bytes() | bytearray() | memoryview():
            return value.hex()
        case date() | datetime() | time():
            return value.isoformat()
        case timedelta():
            return _duration(value)
        case dict() | list() | tuple():
            return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_json_leaf)
        case _:
            return str(value)


def _duration(value: timedelta) -> str:
    """`[-]HH:MM:SS[.ffffff]`, as MySQL writes a TIME, whose hours may be more than a day's."""
    sign, value = ("-", -value) if value < timedelta(0) else ("", value)
    seconds = value.days * 86_400 + value.seconds
    fraction = f".{value.microseconds:06d}" if value.microseconds else ""
    return f"{sign}{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{fraction}"


def _json_leaf(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) and value.is_finite() else text_of(value)


def array_literals_to_arrow(texts: pa.Array, wanted: pa.DataType, name: str, zone: ZoneInfo) -> pa.Array:
    """PostgreSQL's one-dimensional array literals (§8.15.6 of its manual) as lists. SourceFailed if one has more."""
    bare = pc.utf8_slice_codeunits(texts, 1, -1)
    if pc.any(pc.match_substring_regex(texts, r'["\\\[]|^\{\{')).as_py():
        lists = pa.array([_elements(text, name, wanted) for text in texts.to_pylist()], pa.list_(pa.string()))
    else:
        lists = pc.split_pattern(bare, ",")
        # Splitting an empty text gives one empty text: `{}` has none.
        lists = pc.if_else(pc.equal(bare, ""), pa.scalar([], pa.list_(pa.string())), lists)
        flat = lists.flatten()
        flat = pc.if_else(pc.equal(flat, "NULL"), pa.scalar(None, pa.string()), flat)
        lists = pa.ListArray.from_arrays(_offsets(lists), flat, mask=pc.is_null(lists))
    items = texts_to_arrow(lists.flatten(), wanted.value_type, name, zone)
    return pa.ListArray.from_arrays(_offsets(lists), items, type=wanted, mask=pc.is_null(lists))


def _offsets(lists: pa.Array) -> pa.Array:
    """Offsets into `flatten()`, which leaves out what stands behind nulls and before a slice."""
    lengths = pc.fill_null(pc.list_value_length(lists), 0)
    return pa.concat_arrays([pa.array([0], pa.int32()), pc.cumulative_sum(lengths).cast(pa.int32())])


def _elements(text: str | None, name: str, wanted: pa.DataType) -> list[str | None] | None:
    if text is None:
        return None
    body = text[text.index("{") + 1 : -1]
    found: list[str | None] = []
    position = 0
    while position < len(body):
        match = _ELEMENT.match(body, position)
        if match is None:
            raise unfit(name, wanted)  # a brace: more than one dimension
        quoted, plain = match.groups()
        found.append(_ESCAPED.sub(r"\1", quoted) if quoted is not None else None if plain == "NULL" else plain)
        position = match.end() + 1
    return found
