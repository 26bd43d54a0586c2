"""DuckDB's types: which of ours each is, and the SQL that makes a column ready for Arrow."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from duckdb.sqltypes import DuckDBPyType

from offtake.model.dataset import Field, FieldType
from offtake.model.export import Column
from offtake.source.arrow_types import arrow_type

Expr = sa.ColumnElement[Any]

_KINDS: Mapping[str, FieldType] = {
    "boolean": FieldType.BOOLEAN,
    "tinyint": FieldType.INTEGER,
    "smallint": FieldType.INTEGER,
    "integer": FieldType.INTEGER,
    "bigint": FieldType.INTEGER,
    "utinyint": FieldType.INTEGER,
    "usmallint": FieldType.INTEGER,
    "uinteger": FieldType.INTEGER,
    "ubigint": FieldType.DECIMAL,
    "hugeint": FieldType.DECIMAL,
    "uhugeint": FieldType.DECIMAL,
    "bignum": FieldType.DECIMAL,
    "decimal": FieldType.DECIMAL,
    "float": FieldType.NUMBER,
    "double": FieldType.NUMBER,
    "date": FieldType.DATE,
    "time": FieldType.TIME,
    "time_ns": FieldType.TIME,
    "timestamp": FieldType.DATETIME,
    "timestamp_s": FieldType.DATETIME,
    "timestamp_ms": FieldType.DATETIME,
    "timestamp_ns": FieldType.DATETIME,
    "timestamp with time zone": FieldType.DATETIME,
    "uuid": FieldType.UUID,
    "list": FieldType.LIST,
    "array": FieldType.LIST,
    "struct": FieldType.STRUCT,
    "map": FieldType.JSON,
    "union": FieldType.JSON,
}
_WHOLE = {"tinyint": 3, "utinyint": 3, "smallint": 5, "usmallint": 5, "integer": 10, "uinteger": 10, "bigint": 19}
_NAIVE = frozenset(("timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns"))
_AS_IS = frozenset(_KINDS) - {"hugeint", "uhugeint", "bignum", "uuid", "map", "union"} | {"null"}


class _SqlType(sa.types.UserDefinedType[Any]):
    """A type that SQLAlchemy only has to name."""

    cache_ok = True

    def __init__(self, name: str) -> None:
        self.name = name

    def get_col_spec(self, **_options: Any) -> str:
        return self.name


def kind_of(type_: DuckDBPyType) -> FieldType:
    """Ours for one of DuckDB's; text for the rest (intervals, blobs, enums, bits)."""
    return FieldType.JSON if str(type_) == "JSON" else _KINDS.get(type_.id, FieldType.STRING)


def is_naive(type_: DuckDBPyType) -> bool:
    """Whether it is a wall clock without a zone."""
    return type_.id in _NAIVE


def field_of(name: str, type_: DuckDBPyType) -> Field:
    """The field that a column of this type is, structs and lists with all they hold."""
    kind, item = kind_of(type_), _item(type_)
    fields: tuple[Field, ...] = ()
    holder = item if item is not None and item.id == "struct" else type_
    if holder.id == "struct":
        fields = tuple(field_of(key, child) for key, child in _members(holder))
    labels = dict(type_.children)["values"] if type_.id == "enum" else ()
    values = tuple(labels) if isinstance(labels, list) else ()
    items = None if item is None else kind_of(item)
    if items is FieldType.LIST:  # lists of lists have no field type: their inner lists arrive as JSON
        items = FieldType.JSON
    return Field(name, kind, name, name, values=values, items=items, fields=fields)


def _members(type_: DuckDBPyType) -> list[tuple[str, DuckDBPyType]]:
    """The named types inside a struct or list."""
    return [(name, child) for name, child in type_.children if isinstance(child, DuckDBPyType)]


def _item(type_: DuckDBPyType) -> DuckDBPyType | None:
    return _members(type_)[0][1] if type_.id in ("list", "array") else None


def wanted_type(column: Column, type_: DuckDBPyType) -> pa.DataType:
    """The Arrow type the column's values arrive in."""
    bound = None
    if type_.id == "decimal":
        sizes = dict(type_.children)
        bound = (int(str(sizes["precision"])), int(str(sizes["scale"])))
    elif type_.id == "ubigint" or type_.id in _WHOLE:
        bound = (_WHOLE.get(type_.id, 20), 0)
    return arrow_type(column.type, column.field.items, column.field.fields, bound)


def selected(value: Expr, type_: DuckDBPyType, wanted: FieldType) -> Expr:
    """The SQL that hands the column over as something Arrow keeps whole."""
    if type_.id == "blob":
        return sa.func.lower(sa.func.hex(value))
    if type_.id in ("map", "union") or (wanted is FieldType.JSON and type_.id in ("struct", "list", "array")):
        return sa.cast(sa.func.to_json(value), _SqlType("VARCHAR"))
    if wanted in (FieldType.STRING, FieldType.UUID, FieldType.JSON):
        return sa.cast(value, _SqlType("VARCHAR"))
    plain = _plain(type_)
    return value if plain == str(type_) else sa.cast(value, _SqlType(plain))


def _plain(type_: DuckDBPyType) -> str:
    """The nearest type, as SQL, that Arrow has: text for those it does not have."""
    if type_.id == "struct":
        inner = ", ".join(f"{_quoted(name)} {_plain(child)}" for name, child in _members(type_))
        return f"STRUCT({inner})"
    item = _item(type_)
    if item is not None:
        return f"{'JSON' if _item(item) is not None else _plain(item)}[]"
    return str(type_) if type_.id in _AS_IS else "VARCHAR"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
