"""Arrow -> Arrow: what a driver or DuckDB hands over, as the type the field promises. Never rounds, never cuts."""

from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from offtake.model.dataset import FieldType
from offtake.source.arrow_types import CLOCK, INSTANT, unfit
from offtake.source.cells import digits_to_arrow, naive_to_instants, texts_to_arrow
from offtake.source.nested import json_to_arrow, values_to_arrow

_WALL = pa.timestamp("us")


def fit_column(array: pa.Array, kind: FieldType, wanted: pa.DataType, name: str, zone: ZoneInfo) -> pa.Array:
    """The array as the wanted type; a decimal without bound as its digits. SourceFailed naming the field."""
    if kind is FieldType.DECIMAL and pa.types.is_string(wanted):
        # Arrow writes the shortest digits that give a double back.
        is_double = pa.types.is_floating(array.type)
        return digits_to_arrow(array.cast(wanted) if is_double else fit(array, wanted, name, zone), name)
    return fit(array, wanted, name, zone)


def fit(array: pa.Array, wanted: pa.DataType, name: str, zone: ZoneInfo) -> pa.Array:
    """The array as the wanted type; wall clocks are in `zone`. SourceFailed naming the field if a value is not."""
    given = array.type
    if given == wanted:
        return array
    if pa.types.is_null(given):
        return pa.nulls(len(array), wanted)
    if pa.types.is_string(given):
        if pa.types.is_nested(wanted):
            return json_to_arrow(array, wanted, name, zone)
        return texts_to_arrow(array, wanted, name, zone)
    if pa.types.is_nested(given) and given.id == wanted.id:
        return _fit_nested(array, wanted, name, zone)
    try:
        return _fit_scalars(array, wanted, zone)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return _fit_values(array, wanted, name, zone)


def _fit_nested(array: pa.Array, wanted: pa.DataType, name: str, zone: ZoneInfo) -> pa.Array:
    is_null = pc.is_null(array)
    if pa.types.is_list(wanted):
        lengths = pc.fill_null(pc.list_value_length(array), 0).cast(pa.int32())
        offsets = pa.concat_arrays([pa.array([0], pa.int32()), pc.cumulative_sum(lengths)])
        items = fit(array.flatten(), wanted.value_type, name, zone)
        return pa.ListArray.from_arrays(offsets, items, type=wanted, mask=is_null)
    given = {field.name for field in array.type}
    children = [
        fit(array.field(field.name), field.type, name, zone)
        if field.name in given
        else pa.nulls(len(array), field.type)
        for field in wanted
    ]
    return pa.StructArray.from_arrays(children, fields=list(wanted), mask=is_null)


def _fit_scalars(array: pa.Array, wanted: pa.DataType, zone: ZoneInfo) -> pa.Array:
    """Casts that lose nothing; raises ArrowInvalid or ArrowNotImplementedError for everything else."""
    given = array.type
    if pa.types.is_dictionary(given):
        return array.cast(given.value_type).cast(wanted)
    if pa.types.is_timestamp(given):
        return _fit_timestamps(array, wanted, zone)
    if wanted == INSTANT and pa.types.is_date32(given):
        return naive_to_instants(array.cast(_WALL), zone)
    if pa.types.is_boolean(wanted) and not _only_bits(array):
        raise pa.ArrowInvalid("a number that is neither 0 nor 1")
    if _is_exact(given, wanted):
        return array.cast(wanted)
    raise pa.ArrowNotImplementedError("value by value")


def _fit_timestamps(array: pa.Array, wanted: pa.DataType, zone: ZoneInfo) -> pa.Array:
    walls = array.cast(pa.timestamp("us", array.type.tz))
    if array.type.tz is not None:
        if wanted == INSTANT:
            return walls.cast(INSTANT)
        walls = pc.local_timestamp(walls.cast(pa.timestamp("us", zone.key)))
    if wanted == INSTANT:
        return naive_to_instants(walls, zone)
    if wanted in (CLOCK, pa.date32()):
        return walls.cast(wanted, safe=wanted == CLOCK)
    raise pa.ArrowNotImplementedError("value by value")


def _only_bits(array: pa.Array) -> bool:
    is_bit = pc.is_in(array.drop_null(), pa.array([0, 1]).cast(array.type))
    return pc.all(is_bit).as_py() is not False


def _is_exact(given: pa.DataType, wanted: pa.DataType) -> bool:
    """Whether Arrow's safe cast between the two types keeps every value or raises."""
    types = pa.types
    is_number = types.is_integer(wanted) or types.is_floating(wanted)
    if types.is_integer(given) or types.is_boolean(given):
        return bool(is_number or types.is_decimal(wanted) or types.is_boolean(wanted) or types.is_string(wanted))
    if types.is_decimal(given):
        return bool(is_number or types.is_decimal(wanted) or types.is_string(wanted))
    if types.is_floating(given):
        return bool(is_number)
    return bool((types.is_time(given) and wanted == CLOCK) or (types.is_date(given) and types.is_string(wanted)))


def _fit_values(array: pa.Array, wanted: pa.DataType, name: str, zone: ZoneInfo) -> pa.Array:
    try:
        return values_to_arrow(array.to_pylist(), wanted, name, zone)
    except OverflowError:  # infinite dates have no Python value
        raise unfit(name, wanted) from None
