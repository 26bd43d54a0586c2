"""How each database says the same thing: one record of small functions per SQL it speaks.

Folding is what the database itself calls lower case, except on SQLite, whose lower() knows only ASCII.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from offtake.model.dataset import FieldType
from offtake.model.filter import Value
from offtake.query.keys import decimal_key, instant_key, time_key

Expr = sa.ColumnElement[Any]


class Match(Enum):
    """Which part of a text has to be the searched one, as a LIKE pattern."""

    PART = "%{}%"
    START = "{}%"
    END = "%{}"


@dataclass(frozen=True)
class Flavour:
    """One database's way of saying things.

    `text(column)`: the column as text · `length(text)` in characters · `same_text(column, values)`: exactly one of the
    texts · `same_folded` and `like_text(column, value, match)` fold case · `comparable(column, type)` gives the column
    the form that `bound(value, type, zone)` gives a value; the zone is that of a naive column · `element(column,
    value)`: one element of the list is the value, text case-folded · `no_elements(column)`: the list is empty.
    """

    text: Callable[[Expr], Expr]
    length: Callable[[Expr], Expr]
    same_text: Callable[[Expr, Sequence[str]], Expr]
    same_folded: Callable[[Expr, Sequence[str]], Expr]
    like_text: Callable[[Expr, str, Match], Expr]
    comparable: Callable[[Expr, FieldType], Expr]
    bound: Callable[[Value, FieldType, ZoneInfo | None], Expr]
    element: Callable[[Expr, Value], Expr]
    no_elements: Callable[[Expr], Expr]
    has_nulls_last: bool = True

    def nulls_last(self, directed: Any, value: Expr) -> list[Any]:
        """A direction to order by, with the rows in which the value is null behind all others."""
        if self.has_nulls_last:
            return [directed.nulls_last()]
        return [sa.case((value.is_(None), sa.literal_column("1")), else_=sa.literal_column("0")), directed]


def bind(value: Any, type_: sa.types.TypeEngine[Any] | None = None) -> Expr:
    """A bound parameter; without a type, the database takes the type of what it is compared with."""
    return sa.bindparam(None, value, type_=type_ or sa.types.NullType(), unique=True)


def one_of(left: Expr, values: Sequence[Expr]) -> Expr:
    """`left` equals one of the values."""
    return left == values[0] if len(values) == 1 else left.in_(values)


_TYPES: dict[FieldType, sa.types.TypeEngine[Any]] = {
    FieldType.STRING: sa.Text(),
    FieldType.INTEGER: sa.BigInteger(),
    FieldType.NUMBER: sa.Double(),
    FieldType.DECIMAL: sa.Numeric(),
    FieldType.BOOLEAN: sa.Boolean(),
    FieldType.DATE: sa.Date(),
    FieldType.TIME: sa.Time(),
}


def _as_is(column: Expr, _type: FieldType) -> Expr:
    return column


def _bound(value: Value, type_: FieldType, naive_in: ZoneInfo | None) -> Expr:
    """A value in the driver's own type; where the column is naive, the wall clock of its zone."""
    if isinstance(value, datetime):
        if naive_in is None:
            return bind(value, sa.DateTime(timezone=True))
        return bind(wall_clock(value, naive_in), sa.DateTime())
    return bind(value, _TYPES.get(type_))


def wall_clock(instant: datetime, zone: ZoneInfo) -> datetime:
    """What a clock in the zone shows, clamped to the years that exist."""
    try:
        return instant.astimezone(zone).replace(tzinfo=None)
    except OverflowError:
        return instant.replace(tzinfo=None)


def _always_naive(value: Value, type_: FieldType, naive_in: ZoneInfo | None) -> Expr:
    """For databases whose sessions run in UTC and whose drivers drop offsets."""
    return _bound(value, type_, naive_in or ZoneInfo("UTC"))


def _escaped(value: str) -> str:
    for character in "/%_":
        value = value.replace(character, f"/{character}")
    return value


def _pattern(value: str, match: Match) -> str:
    return match.value.format(_escaped(value))


def _as_text(column: Expr) -> Expr:
    return sa.cast(column, sa.Text())


def _json_text(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


# PostgreSQL. Casting to text costs an index nothing (text and varchar share it) and lets enums be compared.


def _pg_same_text(column: Expr, values: Sequence[str]) -> Expr:
    return one_of(_as_text(column), [bind(value, sa.Text()) for value in values])


def _pg_same_folded(column: Expr, values: Sequence[str]) -> Expr:
    return one_of(sa.func.lower(_as_text(column)), [sa.func.lower(bind(value, sa.Text())) for value in values])


def _pg_like_text(column: Expr, value: str, match: Match) -> Expr:
    return _as_text(column).ilike(bind(_pattern(value, match), sa.Text()), escape="/")


def _pg_array(column: Expr) -> Expr:
    """An array, json or jsonb column as a jsonb array; anything else as an empty one."""
    json = sa.func.to_jsonb(column)
    return sa.case((sa.func.jsonb_typeof(json) == "array", json), else_=sa.cast(bind("[]", sa.Text()), _JSONB()))


class _JSONB(sa.types.UserDefinedType[Any]):
    """Only its name, so that a cast says it; SQLAlchemy's own would encode the value."""

    cache_ok = True

    def get_col_spec(self, **_options: Any) -> str:
        return "JSONB"


def _pg_element(column: Expr, value: Value) -> Expr:
    each = sa.func.jsonb_array_elements_text(_pg_array(column)).table_valued("value", name="element")
    return sa.exists(sa.select(sa.literal_column("1")).select_from(each).where(_element_is(each.c.value, value)))


def _element_is(element: Expr, value: Value) -> Expr:
    """An element, given as text, is the value."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return sa.func.lower(element) == sa.func.lower(bind(_json_text(value), sa.Text()))
    return sa.cast(element, sa.Numeric()) == bind(Decimal(str(value)), sa.Numeric())


def _pg_no_elements(column: Expr) -> Expr:
    json = sa.func.to_jsonb(column)
    return sa.case((sa.func.jsonb_typeof(json) == "array", sa.func.jsonb_array_length(json) == 0), else_=sa.false())


# SQLite. The functions offtake_… are registered by the source; see `query.sql`.


def _sqlite_same_text(column: Expr, values: Sequence[str]) -> Expr:
    return one_of(sa.collate(column, "BINARY"), [bind(value, sa.Text()) for value in values])


def _sqlite_same_folded(column: Expr, values: Sequence[str]) -> Expr:
    return one_of(sa.func.offtake_fold(column), [bind(value.casefold()) for value in values])


def _sqlite_like_text(column: Expr, value: str, match: Match) -> Expr:
    folded, wanted = sa.func.offtake_fold(column), value.casefold()
    if match is Match.PART or not wanted:
        return sa.func.instr(folded, bind(wanted)) > sa.literal_column("0")
    start = 1 if match is Match.START else -len(wanted)
    return sa.func.substr(folded, bind(start), bind(len(wanted))) == bind(wanted)


_SQLITE_FORMS: dict[FieldType, Callable[[Expr], Expr]] = {
    FieldType.DATETIME: lambda column: sa.func.offtake_instant(column),
    FieldType.DATE: lambda column: sa.func.offtake_date(column),
    FieldType.TIME: lambda column: sa.func.offtake_time(column),
    FieldType.DECIMAL: lambda column: sa.func.offtake_decimal(column),
    FieldType.BOOLEAN: lambda column: sa.func.offtake_boolean(column),
}


def _sqlite_comparable(column: Expr, type_: FieldType) -> Expr:
    form = _SQLITE_FORMS.get(type_)
    return form(column) if form else column


def _sqlite_bound(value: Value, type_: FieldType, _naive_in: ZoneInfo | None) -> Expr:
    match value:
        case datetime():
            return bind(instant_key(value))
        case date():
            return bind(value.isoformat())
        case time():
            return bind(time_key(value))
        case bool():
            return bind(int(value))
        case _ if type_ is FieldType.DECIMAL:
            return bind(decimal_key(value))
        case _:
            return bind(value)


def _sqlite_array(column: Expr) -> Expr:
    is_array = sa.case((sa.func.json_valid(column) == 1, sa.func.json_type(column)), else_=None) == "array"
    return sa.case((is_array, column), else_=sa.literal_column("'[]'"))


def _sqlite_element(column: Expr, value: Value) -> Expr:
    each = sa.func.json_each(_sqlite_array(column)).table_valued("value", name="element")
    if isinstance(value, str | date):
        found = sa.func.offtake_fold(each.c.value) == bind(str(value).casefold())
    else:
        found = each.c.value == bind(float(value) if isinstance(value, Decimal) else value)
    return sa.exists(sa.select(sa.literal_column("1")).select_from(each).where(found))


def _sqlite_no_elements(column: Expr) -> Expr:
    return sa.func.json_array_length(sa.case((sa.func.json_valid(column) == 1, column), else_=None)) == 0


# DuckDB. Its lower() is Unicode. Lists are lists.


def _duck_like_text(column: Expr, value: str, match: Match) -> Expr:
    folded, wanted = sa.func.lower(_as_text(column)), sa.func.lower(bind(value, sa.Text()))
    name = {Match.PART: "contains", Match.START: "starts_with", Match.END: "ends_with"}[match]
    return getattr(sa.func, name)(folded, wanted)  # type: ignore[no-any-return]


def _duck_element(column: Expr, value: Value) -> Expr:
    each = sa.func.unnest(column).table_valued("value", name="element").render_derived()
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        found = _element_is(_as_text(each.c.value), value)
    else:
        found = each.c.value == bind(value)
    return sa.exists(sa.select(sa.literal_column("1")).select_from(each).where(found))


def _duck_no_elements(column: Expr) -> Expr:
    return sa.func.len(column) == 0


# MySQL and MariaDB. LIKE does not pad with blanks as `=` does; a binary collation makes it exact. Lists are JSON.


def _my_text(column: Expr) -> Expr:
    return sa.cast(column, sa.Text())


def _my_exact(column: Expr) -> Expr:
    return sa.collate(_my_text(column), "utf8mb4_bin")


def _my_same_text(column: Expr, values: Sequence[str]) -> Expr:
    exact = (_my_exact(column).like(bind(_escaped(value)), escape="/") for value in values)
    # The plain comparison alone may take in more (case, accents, blanks); it is there for the index.
    return sa.and_(one_of(column, [bind(value) for value in values]), sa.or_(*exact))


def _my_same_folded(column: Expr, values: Sequence[str]) -> Expr:
    folded = sa.func.lower(_my_exact(column))
    return sa.or_(*(folded.like(sa.func.lower(bind(_escaped(value))), escape="/") for value in values))


def _my_like_text(column: Expr, value: str, match: Match) -> Expr:
    pattern = sa.func.lower(bind(_pattern(value, match)))
    return sa.func.lower(_my_exact(column)).like(pattern, escape="/")


def _my_element(column: Expr, value: Value) -> Expr:
    if isinstance(value, str | date):
        wanted = sa.func.lower(sa.func.json_quote(bind(str(value))))
        return sa.func.json_contains(sa.func.lower(_my_text(column)), wanted) == 1
    return sa.func.json_contains(column, bind(_json_text(value))) == 1


def _my_no_elements(column: Expr) -> Expr:
    return sa.func.json_length(column) == 0


# Any other database SQLAlchemy knows: the plainest words of SQL-92.


def _plain_text(column: Expr) -> Expr:
    return sa.cast(column, sa.String(4000))


def _plain_same_text(column: Expr, values: Sequence[str]) -> Expr:
    return one_of(column, [bind(value) for value in values])


def _plain_same_folded(column: Expr, values: Sequence[str]) -> Expr:
    return one_of(sa.func.lower(column), [sa.func.lower(bind(value)) for value in values])


def _plain_like_text(column: Expr, value: str, match: Match) -> Expr:
    return sa.func.lower(column).like(sa.func.lower(bind(_pattern(value, match))), escape="/")


def _plain_element(column: Expr, value: Value) -> Expr:
    return _plain_text(column).like(
        bind(_pattern(f'"{value}"' if isinstance(value, str) else _json_text(value), Match.PART)), escape="/"
    )


def _plain_no_elements(column: Expr) -> Expr:
    return _plain_text(column) == bind("[]")


_POSTGRES = Flavour(
    _as_text,
    sa.func.length,
    _pg_same_text,
    _pg_same_folded,
    _pg_like_text,
    _as_is,
    _bound,
    _pg_element,
    _pg_no_elements,
)
_DUCKDB = Flavour(
    _as_text,
    sa.func.length,
    _pg_same_text,
    _pg_same_folded,
    _duck_like_text,
    _as_is,
    _bound,
    _duck_element,
    _duck_no_elements,
)
_SQLITE = Flavour(
    _as_text,
    sa.func.length,
    _sqlite_same_text,
    _sqlite_same_folded,
    _sqlite_like_text,
    _sqlite_comparable,
    _sqlite_bound,
    _sqlite_element,
    _sqlite_no_elements,
)
_MYSQL = Flavour(
    _my_text,
    sa.func.char_length,
    _my_same_text,
    _my_same_folded,
    _my_like_text,
    _as_is,
    _always_naive,
    _my_element,
    _my_no_elements,
    has_nulls_last=False,
)
_PLAIN = Flavour(
    _plain_text,
    sa.func.length,
    _plain_same_text,
    _plain_same_folded,
    _plain_like_text,
    _as_is,
    _always_naive,
    _plain_element,
    _plain_no_elements,
    has_nulls_last=False,
)

_FLAVOURS = {"postgresql": _POSTGRES, "duckdb": _DUCKDB, "sqlite": _SQLITE, "mysql": _MYSQL, "mariadb": _MYSQL}


def flavour_of(dialect: str) -> Flavour:
    """The record for a SQLAlchemy dialect name; the plainest SQL for one we have no words for."""
    return _FLAVOURS.get(dialect, _PLAIN)
