"""Values inside json and struct columns: how each database takes one out, and how it compares what it took.

A value leaves the database as text, which the source reads as the field's type: what does not fit is an error there,
as in any other column. Only in filters and orders does the database itself read that text; there, what does not fit
counts as null. Absent keys and JSON's null are null. Keys are bound values; where a database wants them inside a path,
one that would need escaping there is refused.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from offtake.errors import InvalidRequest
from offtake.model.dataset import Field, FieldType
from offtake.query.flavours import Expr, bind, flavour_of


@dataclass(frozen=True)
class Inside:
    """One database's way into a json or struct column.

    `text(column, field)`: the value as text · `elements(column, field)`: a list in the form that `Flavour.element` and
    `no_elements` take · `comparable(text, type, zone)`: the text in the form that `Flavour.bound` gives a value of the
    type; date-times without an offset are in the zone · `as_decimals`: numbers of all types are compared as decimals.
    """

    text: Callable[[Expr, Field], Expr]
    elements: Callable[[Expr, Field], Expr]
    comparable: Callable[[Expr, FieldType, ZoneInfo], Expr]
    as_decimals: bool = False

    def compared_as(self, type_: FieldType) -> FieldType:
        """The type that `Flavour.bound` is to give a value for a field of this type."""
        return FieldType.DECIMAL if self.as_decimals and type_ in _NUMBERS else type_


class SqlType(sa.types.UserDefinedType[Any]):
    """A type that SQLAlchemy only has to name."""

    cache_ok = True

    def __init__(self, name: str) -> None:
        self.name = name

    def get_col_spec(self, **_options: Any) -> str:
        """The type's name in SQL."""
        return self.name


_NUMBER = "^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]{1,3})?$"
_DAY = "[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_CLOCK = "([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]+)?)?"
_OFFSET = "([Zz]|[+-](0[0-9]|1[0-5]):[0-5][0-9])"
_DATE = f"^{_DAY}"
_TIME = f"^{_CLOCK}$"
_INSTANT = f"^{_DAY}([ Tt]{_CLOCK}{_OFFSET}?)?$"  # RFC 3339 §5.6, with the offset or the whole time left out
_HAS_OFFSET = f":[0-9.:]+{_OFFSET}$"
_TRUE, _FALSE = ("true", "t", "1"), ("false", "f", "0")
_NUMBERS = (FieldType.INTEGER, FieldType.NUMBER, FieldType.DECIMAL)


def _boolean(text: Expr, true: str, false: str) -> Expr:
    folded = sa.func.lower(text)
    return sa.case(
        (folded.in_([bind(word) for word in _TRUE]), sa.literal_column(true)),
        (folded.in_([bind(word) for word in _FALSE]), sa.literal_column(false)),
        else_=sa.null(),
    )


def _if(condition: Expr, value: Expr) -> Expr:
    return sa.case((condition, value), else_=sa.null())


# PostgreSQL. A day that its month does not have would fail in a cast; added to the first of the month it cannot.


def _pg_json(column: Expr) -> Expr:
    return sa.cast(column, SqlType("JSONB"))


def _pg_text(column: Expr, field: Field) -> Expr:
    return sa.func.jsonb_extract_path_text(_pg_json(column), *(bind(key, sa.Text()) for key in field.path))


def _pg_elements(column: Expr, field: Field) -> Expr:
    found = sa.func.jsonb_extract_path(_pg_json(column), *(bind(key, sa.Text()) for key in field.path))
    return sa.func.nullif(found, sa.cast(bind("null", sa.Text()), SqlType("JSONB")))


def _pg_matches(text: Expr, pattern: str) -> Expr:
    return text.bool_op("~")(bind(pattern, sa.Text()))


def _pg_comparable(text: Expr, type_: FieldType, zone: ZoneInfo) -> Expr:
    match type_:
        case FieldType.INTEGER | FieldType.NUMBER | FieldType.DECIMAL:
            return _if(_pg_matches(text, _NUMBER), sa.cast(text, SqlType("NUMERIC")))
        case FieldType.BOOLEAN:
            return _boolean(text, "true", "false")
        case FieldType.DATE:
            return _if(_pg_matches(text, _DATE), _pg_day(text))
        case FieldType.TIME:
            return _if(_pg_matches(text, _TIME), sa.cast(text, sa.Time()))
        case FieldType.DATETIME:
            return _if(_pg_matches(text, _INSTANT), _pg_instant(text, zone))
    return text


def _pg_day(text: Expr) -> Expr:
    year, month, day = (
        sa.cast(sa.func.substr(text, sa.literal_column(start), sa.literal_column(length)), sa.Integer())
        for start, length in (("1", "4"), ("6", "2"), ("9", "2"))
    )
    first = sa.func.make_date(sa.func.greatest(year, sa.literal_column("1")), month, sa.literal_column("1"))
    return sa.cast(first + (day - sa.literal_column("1")), sa.Date())


def _pg_instant(text: Expr, zone: ZoneInfo) -> Expr:
    day = sa.func.to_char(_pg_day(text), bind("YYYY-MM-DD", sa.Text()))
    written = sa.func.concat(day, sa.func.substr(text, sa.literal_column("11")))
    local = sa.func.timezone(bind(zone.key, sa.Text()), sa.cast(written, SqlType("TIMESTAMP")))
    return sa.case((_pg_matches(text, _HAS_OFFSET), sa.cast(written, SqlType("TIMESTAMPTZ"))), else_=local)


# SQLite. A path knows only keys of plain ASCII, and before 3.48 none that JSON writes with a backslash; `json_each`
# knows them all. `->` gives numbers digit by digit (SQLite's manual, json1 §4.10).

_PLAIN_KEY = re.compile(r"[A-Za-z0-9_ .-]+")


def _sqlite_text(column: Expr, field: Field) -> Expr:
    document: Expr = sa.func.nullif(column, sa.literal_column("''"))
    if all(_PLAIN_KEY.fullmatch(key) for key in field.path):
        path = bind(_path(field.path))
        kind = sa.func.json_type(document, path)
        return sa.case(
            (_is_word(kind, "text"), sa.func.json_extract(document, path)),
            (_is_word(kind, "null"), sa.null()),
            else_=document.op("->")(path),
        )
    for key in field.path[:-1]:
        document = _sqlite_member(document, key, lambda each: _if(_is_word(each.type, "object"), each.value))
    return _sqlite_member(document, field.path[-1], _sqlite_value)


def _is_word(expression: Expr, word: str) -> Expr:
    return expression == sa.literal_column(f"'{word}'")


def _sqlite_member(document: Expr, key: str, shown: Callable[[Any], Expr]) -> Expr:
    each = sa.func.json_each(document).table_valued("key", "value", "type")
    member = sa.select(shown(each.c)).where(each.c.key == bind(key))
    return member.limit(sa.literal_column("1")).scalar_subquery()


def _sqlite_value(each: Any) -> Expr:
    is_true, is_false = _is_word(each.type, "true"), _is_word(each.type, "false")
    return sa.case((is_true, sa.literal_column("'true'")), (is_false, sa.literal_column("'false'")), else_=each.value)


def _sqlite_comparable(text: Expr, type_: FieldType, _zone: ZoneInfo) -> Expr:
    return flavour_of("sqlite").comparable(text, FieldType.DECIMAL if type_ in _NUMBERS else type_)


# DuckDB. JSON Pointer (RFC 6901) has a way to write every key; a struct is read as the JSON it can be cast to.


def _duck_found(column: Expr, field: Field, function: str) -> Expr:
    pointer = "".join("/" + key.replace("~", "~0").replace("/", "~1") for key in field.path)
    return getattr(sa.func, function)(sa.cast(column, SqlType("JSON")), bind(pointer))  # type: ignore[no-any-return]


def _duck_text(column: Expr, field: Field) -> Expr:
    return _duck_found(column, field, "json_extract_string")


def _duck_elements(column: Expr, field: Field) -> Expr:
    kind = "DOUBLE[]" if field.items in _NUMBERS else "VARCHAR[]"
    return _try_cast(_duck_found(column, field, "json_extract"), kind)


def _try_cast(value: Expr, type_: str) -> Expr:
    """Null for what cannot be cast. SQLAlchemy's own is for SQL Server alone."""
    return sa.func.TRY_CAST(value.op("AS")(sa.literal_column(type_)))


_DUCK_TYPES = {
    FieldType.INTEGER: "DECIMAL(38, 15)",
    FieldType.DECIMAL: "DECIMAL(38, 15)",
    FieldType.NUMBER: "DOUBLE",
    FieldType.TIME: "TIME",
}


def _duck_comparable(text: Expr, type_: FieldType, zone: ZoneInfo) -> Expr:
    match type_:
        case FieldType.BOOLEAN:
            return _boolean(text, "true", "false")
        case FieldType.DATE:
            return _try_cast(sa.func.left(text, sa.literal_column("10")), "DATE")
        case FieldType.DATETIME:
            instant = _try_cast(text, "TIMESTAMPTZ")
            local = sa.func.timezone(bind(zone.key), _try_cast(text, "TIMESTAMP"))
            return sa.case((sa.func.regexp_matches(text, bind(_HAS_OFFSET)), instant), else_=local)
    return _try_cast(text, _DUCK_TYPES[type_]) if type_ in _DUCK_TYPES else text


# MySQL and MariaDB. JSON's null comes out as a value of its own; text without an offset is taken as UTC.


def _my_text(column: Expr, field: Field) -> Expr:
    found = _my_found(column, field)
    return _if(_my_is_value(found), sa.func.json_unquote(found))


def _my_elements(column: Expr, field: Field) -> Expr:
    found = _my_found(column, field)
    return _if(_my_is_value(found), found)


def _my_found(column: Expr, field: Field) -> Expr:
    """MariaDB compares keys as they are written, with or without escapes, and takes a leading `-` for a number's."""
    if any(key.startswith("-") for key in field.path):
        raise _unwritable(field)
    paths = dict.fromkeys(
        "$" + "".join(f".{json.dumps(key, ensure_ascii=is_ascii)}" for key in field.path) for is_ascii in (False, True)
    )
    return sa.func.coalesce(*(sa.func.json_extract(column, bind(path)) for path in paths))


def _my_is_value(found: Expr) -> Expr:
    return sa.func.json_type(found) != sa.literal_column("'NULL'")


def _my_matches(text: Expr, pattern: str) -> Expr:
    return text.bool_op("REGEXP")(bind(pattern))


def _my_comparable(text: Expr, type_: FieldType, _zone: ZoneInfo) -> Expr:
    match type_:
        case FieldType.INTEGER | FieldType.DECIMAL:
            return _if(_my_matches(text, _NUMBER), sa.cast(text, mysql.DECIMAL(65, 20)))
        case FieldType.NUMBER:
            return _if(_my_matches(text, _NUMBER), text.op("+")(sa.literal_column("0e0")))
        case FieldType.BOOLEAN:
            return _boolean(text, "1", "0")
        case FieldType.DATE:
            day = sa.func.left(text, sa.literal_column("10"))
            return _if(_my_matches(text, _DATE), sa.cast(day, sa.Date()))
        case FieldType.TIME:
            return _if(_my_matches(text, _TIME), sa.cast(text, mysql.TIME(fsp=6)))
        case FieldType.DATETIME:
            return _if(_my_matches(text, _INSTANT), _my_instant(text))
    return text


def _my_instant(text: Expr) -> Expr:
    clock = sa.func.regexp_substr(text, bind(f"^{_DAY}([ Tt]{_CLOCK})?"))
    wall = sa.cast(sa.func.replace(sa.func.upper(clock), bind("T"), bind(" ")), mysql.DATETIME(fsp=6))
    offset = sa.func.nullif(sa.func.regexp_substr(text, bind("[+-][0-9]{2}:[0-9]{2}$")), bind(""))
    plain = sa.func.replace(sa.func.coalesce(offset, bind("00:00")), bind("+"), bind(""))
    return sa.func.subtime(wall, plain)


# Any other database: SQL:2016 (ISO/IEC 9075-2 §6.27), whose paths are literals.


def _plain_text(column: Expr, field: Field) -> Expr:
    return sa.func.json_value(column, _literal_path(field))


def _plain_elements(column: Expr, field: Field) -> Expr:
    return sa.func.json_query(column, _literal_path(field))


_PLAIN_TYPES: dict[FieldType, sa.types.TypeEngine[Any]] = {
    FieldType.INTEGER: sa.Numeric(38, 10),
    FieldType.DECIMAL: sa.Numeric(38, 10),
    FieldType.NUMBER: sa.Double(),
    FieldType.DATE: sa.Date(),
    FieldType.TIME: sa.Time(),
    FieldType.DATETIME: sa.DateTime(),
}


def _plain_comparable(text: Expr, type_: FieldType, _zone: ZoneInfo) -> Expr:
    if type_ is FieldType.BOOLEAN:
        return _boolean(text, "1", "0")
    return sa.cast(text, _PLAIN_TYPES[type_]) if type_ in _PLAIN_TYPES else text


def _path(keys: tuple[str, ...]) -> str:
    return "$" + "".join(f'."{key}"' for key in keys)


def _literal_path(field: Field) -> Expr:
    if not all(_PLAIN_KEY.fullmatch(key) for key in field.path):
        raise _unwritable(field)
    return sa.literal_column(f"'{_path(field.path)}'")


def _unwritable(field: Field) -> InvalidRequest:
    return InvalidRequest(
        f"{field.name[:80]!r} holds a character that this database has no way to look for.",
        hint="Ask for the whole field instead.",
    )


_INSIDES = {
    "postgresql": Inside(_pg_text, _pg_elements, _pg_comparable),
    "sqlite": Inside(_sqlite_text, _sqlite_text, _sqlite_comparable, as_decimals=True),
    "duckdb": Inside(_duck_text, _duck_elements, _duck_comparable),
    "mysql": Inside(_my_text, _my_elements, _my_comparable),
    "mariadb": Inside(_my_text, _my_elements, _my_comparable),
}
_PLAIN = Inside(_plain_text, _plain_elements, _plain_comparable)


def inside_of(dialect: str) -> Inside:
    """The record for a SQLAlchemy dialect name; the standard's words for one we have none for."""
    return _INSIDES.get(dialect, _PLAIN)
