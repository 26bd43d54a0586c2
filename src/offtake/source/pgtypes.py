"""PostgreSQL's types: which of ours each is, and how a column of one is read as a field of another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from offtake.model.dataset import FieldType
from offtake.model.export import Column
from offtake.source.arrow_types import arrow_type
from offtake.source.cells import digits_to_arrow, texts_to_arrow
from offtake.source.copycsv import Cells
from offtake.source.nested import array_literals_to_arrow, json_to_arrow

Expr = sa.ColumnElement[Any]


@dataclass(frozen=True)
class PgType:
    """One column's type: its name in pg_type, ours, the bound of a numeric, an array's elements, an enum's labels.

    A type that is not PostgreSQL's own has its schema in front of its name.
    """

    name: str
    kind: FieldType
    bound: tuple[int, int] | None = None
    items: FieldType | None = None
    values: tuple[str, ...] = ()

    @property
    def is_naive(self) -> bool:
        """A wall clock without a zone."""
        return self.name == "timestamp"


_KINDS: Mapping[str, FieldType] = {
    "bool": FieldType.BOOLEAN,
    "int2": FieldType.INTEGER,
    "int4": FieldType.INTEGER,
    "int8": FieldType.INTEGER,
    "oid": FieldType.INTEGER,
    "float4": FieldType.NUMBER,
    "float8": FieldType.NUMBER,
    "numeric": FieldType.DECIMAL,
    "date": FieldType.DATE,
    "timestamp": FieldType.DATETIME,
    "timestamptz": FieldType.DATETIME,
    "time": FieldType.TIME,
    "uuid": FieldType.UUID,
    "json": FieldType.JSON,
    "jsonb": FieldType.JSON,
}
_COMPOSITE, _COMPOSITES = "composite", "_composite"
_WHOLE = {"int2": (5, 0), "int4": (10, 0), "int8": (19, 0), "oid": (10, 0)}

# Every pg_type a result may have, and its elements'. A domain arrives as its base type. A type somebody made
# may be called like one of PostgreSQL's own; its schema tells them apart.
CATALOGUE = """
SELECT t.oid::int8,
       CASE t.typnamespace WHEN 'pg_catalog'::regnamespace THEN '' ELSE t.typnamespace::regnamespace::text || '.' END
       || t.typname, t.typtype::text, t.typelem::int8,
       EXISTS (SELECT 1 FROM pg_catalog.pg_type e WHERE e.oid = t.typelem AND e.typarray = t.oid),
       ARRAY(SELECT e.enumlabel::text FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder)
FROM pg_catalog.pg_type t
WHERE t.oid = ANY (%(oids)s) OR t.oid IN (SELECT a.typelem FROM pg_catalog.pg_type a WHERE a.oid = ANY (%(oids)s))
"""


def read_catalogue(rows: Sequence[tuple[Any, ...]]) -> dict[int, PgType]:
    """The answer to CATALOGUE, by OID; numeric without its bound, which belongs to the column."""
    plain = {oid: _plain_type(name, typtype, labels) for oid, name, typtype, _, _, labels in rows}
    arrays = {oid: _array_type(name, plain[element]) for oid, name, _, element, is_array, _ in rows if is_array}
    return plain | arrays


def _plain_type(name: str, typtype: str, labels: Sequence[str]) -> PgType:
    if typtype == "c":
        return PgType(_COMPOSITE, FieldType.JSON)
    return PgType(name, _KINDS.get(name, FieldType.STRING), values=tuple(labels))


def _array_type(name: str, element: PgType) -> PgType:
    return PgType(_COMPOSITES if element.name == _COMPOSITE else name, FieldType.LIST, items=element.kind)


def with_bound(type_: PgType, modifier: int) -> PgType:
    """The type with the precision and scale that a numeric's type modifier holds (numeric.c: numeric_typmod_scale)."""
    if type_.name != "numeric" or modifier < 4:
        return type_
    scale = (modifier - 4) & 0x7FF
    return replace(type_, bound=((modifier - 4) >> 16 & 0xFFFF, scale - 0x800 if scale >= 0x400 else scale))


def selected(value: Expr, type_: PgType, wanted: FieldType, items: FieldType | None, zone: str) -> Expr:
    """The SQL that makes a column ready for the CSV of a field of the wanted type."""
    if type_.name == "bytea":
        return sa.func.encode(value, "hex")
    if type_.name == _COMPOSITE and wanted in (FieldType.JSON, FieldType.STRUCT):
        return sa.cast(sa.func.to_json(value), sa.Text())
    match wanted:
        case FieldType.STRING if type_.name == "bool":
            return sa.cast(value, sa.Text())
        case FieldType.JSON if type_.kind is FieldType.LIST:
            return sa.cast(sa.func.to_json(value), sa.Text())
        case FieldType.LIST if type_.kind is FieldType.LIST and _needs_json(type_, items):
            return sa.cast(sa.func.to_json(value), sa.Text())
        case FieldType.DATETIME if type_.name in ("timestamp", "date"):
            return sa.func.timezone(zone, sa.cast(value, sa.DateTime()))
        case FieldType.DATE | FieldType.TIME if type_.name == "timestamptz":
            return _cast_part(sa.func.timezone(zone, value), wanted)
        case FieldType.DATE | FieldType.TIME if type_.name in ("timestamp", "timetz"):
            return _cast_part(value, wanted)
    return value


def _cast_part(value: Expr, wanted: FieldType) -> Expr:
    return sa.cast(value, sa.Date() if wanted is FieldType.DATE else sa.Time())


def _needs_json(type_: PgType, items: FieldType | None) -> bool:
    """Arrays of structs, and arrays whose text is not written with commas (box)."""
    return items is FieldType.STRUCT or type_.name in ("_box", _COMPOSITES)


def item_kind(column: Column) -> FieldType | None:
    """What a list's elements are declared as; None for a column that is no list."""
    if column.type is not FieldType.LIST:
        return None
    return column.field.items or (FieldType.STRUCT if column.field.fields else FieldType.STRING)


def cells(column: Column, type_: PgType, zone: ZoneInfo) -> Cells:
    """How the CSV of a selected column becomes the Arrow array of its field."""
    wanted = wanted_type(column, type_)
    name, kind, text = column.name, column.type, pa.string()
    if kind is FieldType.LIST and type_.kind is FieldType.LIST and not _needs_json(type_, item_kind(column)):
        return Cells(text, lambda texts: _array(texts, wanted, name, zone, type_.name == "_bytea"), is_text=True)
    if kind in (FieldType.LIST, FieldType.STRUCT):
        return Cells(text, lambda texts: json_to_arrow(texts, wanted, name, zone), is_text=True)
    if kind is FieldType.DECIMAL and pa.types.is_string(wanted) and type_.kind is not FieldType.DECIMAL:
        return Cells(text, lambda texts: digits_to_arrow(texts, name), is_text=True)
    # Arrow's CSV parser ignores blanks around what somebody wrote; nothing else that reads text does.
    is_text = pa.types.is_string(wanted) or type_.kind in (FieldType.STRING, FieldType.JSON)
    return Cells(text if is_text else wanted, lambda texts: texts_to_arrow(texts, wanted, name, zone), is_text=is_text)


def wanted_type(column: Column, type_: PgType) -> pa.DataType:
    """The Arrow type the column's values arrive in."""
    bound = _WHOLE.get(type_.name, type_.bound)
    return arrow_type(column.type, column.field.items, column.field.fields, bound)


def _array(texts: pa.Array, wanted: pa.DataType, name: str, zone: ZoneInfo, is_binary: bool) -> pa.Array:
    if is_binary:
        texts = pc.replace_substring(texts, "\\\\x", "")
    return array_literals_to_arrow(texts, wanted, name, zone)
