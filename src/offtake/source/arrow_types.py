"""Which Arrow type carries which field: the table of `ports.RowStream`, once for all sources."""

from collections.abc import Sequence

import pyarrow as pa

from offtake.errors import SourceFailed
from offtake.model.dataset import Field, FieldType

INSTANT = pa.timestamp("us", "UTC")
CLOCK = pa.time64("us")
DIGITS = 38  # of decimal128

_SIMPLE: dict[FieldType, pa.DataType] = {
    FieldType.STRING: pa.string(),
    FieldType.UUID: pa.string(),
    FieldType.JSON: pa.string(),
    FieldType.INTEGER: pa.int64(),
    FieldType.NUMBER: pa.float64(),
    FieldType.DECIMAL: pa.string(),
    FieldType.BOOLEAN: pa.bool_(),
    FieldType.DATE: pa.date32(),
    FieldType.DATETIME: INSTANT,
    FieldType.TIME: CLOCK,
}


def arrow_type(
    kind: FieldType, items: FieldType | None = None, fields: Sequence[Field] = (), bound: tuple[int, int] | None = None
) -> pa.DataType:
    """The type of a field's values; `bound` is the precision and scale the database sets for a decimal, if it does."""
    if kind is FieldType.LIST:
        return pa.list_(arrow_type(items or (FieldType.STRUCT if fields else FieldType.STRING), None, fields))
    if kind is FieldType.STRUCT:
        return pa.struct([(field.name, arrow_type(field.type, field.items, field.fields)) for field in fields])
    if kind is FieldType.DECIMAL and bound is not None:
        return decimal_type(*bound)
    return _SIMPLE[kind]


def decimal_type(precision: int, scale: int) -> pa.DataType:
    """decimal128 for a bounded decimal; text if it has more digits than that can hold."""
    if scale < 0:
        precision, scale = precision - scale, 0
    precision = max(precision, scale)
    return pa.decimal128(precision, scale) if precision <= DIGITS else pa.string()


def unfit(name: str, wanted: pa.DataType) -> SourceFailed:
    """The error for a value that its field's type cannot hold. It names the field, never the value."""
    return SourceFailed(
        f"The field {name} holds a value that is not of its type ({wanted}).",
        hint=f"Declare {name} as string (or as the type its values have) to export it as it is.",
    )
