"""How each database groups and measures: one record of small functions per SQL it speaks.

On SQLite the source registers these functions, which read values as the source itself does, raise for what it cannot
read and give null for null:

- `offtake_value(value, type)`: of equal values of that field type the same text or number, which the source can read
- `offtake_bucket(value, type, part, zone)`: the first day of the part as `YYYY-MM-DD`; of an hour, its first instant
- the aggregates `offtake_sum`, `offtake_min` and `offtake_max` of decimals as text, and `offtake_median` of numbers
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from offtake.errors import InvalidRequest
from offtake.model.dataset import Field, FieldType
from offtake.model.export import DatePart
from offtake.query.buckets import Offsets, clock_changes, clock_differences, clock_readings
from offtake.query.flavours import Expr, bind
from offtake.query.inside import SqlType
from offtake.query.predicates import Reading

Aggregate = Callable[[Expr, FieldType], Expr]


@dataclass(frozen=True)
class Figures:
    """One database's way of grouping.

    `value(field, reading)`: the field so that equal values are one group · `bucket(field, part, zone, reading)`: the
    first day of its part, or the first instant of its hour · `double(value)`: a number as a double · `median(value)`,
    None where it has to be found by numbering rows · `ordered(value, type)`: what a value is sorted by ·
    `text(value, type)`: a key as text, to stand beside other text · `shown(value, type)`: as it leaves the database.
    """

    value: Callable[[Field, Reading], Expr]
    bucket: Callable[[Field, DatePart, str, Reading], Expr]
    double: Callable[[Expr], Expr]
    sum: Aggregate
    least: Aggregate
    most: Aggregate
    median: Callable[[Expr], Expr] | None
    text: Aggregate
    ordered: Aggregate
    shown: Aggregate


def _as_is(value: Expr, _type: FieldType) -> Expr:
    return value


def _sum(value: Expr, _type: FieldType) -> Expr:
    return sa.func.sum(value)


def _whole_sum(value: Expr, type_: FieldType) -> Expr:
    """Databases add whole numbers up to larger ones; what no longer fits is an error."""
    total = sa.func.sum(value)
    return sa.cast(total, sa.BigInteger()) if type_ is FieldType.INTEGER else total


def _min(value: Expr, _type: FieldType) -> Expr:
    return sa.func.min(value)


def _max(value: Expr, _type: FieldType) -> Expr:
    return sa.func.max(value)


def _cast_double(value: Expr) -> Expr:
    return sa.cast(value, sa.Double())


def _words(value: Expr) -> Expr:
    """True and false as words."""
    return sa.case((value, sa.literal_column("'true'")), (value.is_not(None), sa.literal_column("'false'")))


def _text(value: Expr, type_: FieldType) -> Expr:
    return _words(value) if type_ is FieldType.BOOLEAN else sa.cast(value, sa.Text())


def _typed(field: Field, reading: Reading) -> Expr:
    """The field in its own type; of one inside a column, what its text can be read as."""
    if not field.path:
        return reading.column(field)
    value = reading.comparable(field)
    kind = {FieldType.INTEGER: "BIGINT", FieldType.NUMBER: "DOUBLE PRECISION"}.get(field.type)
    return sa.cast(value, SqlType(kind)) if kind else value


# PostgreSQL and DuckDB. Texts are grouped and sorted by their characters, whatever a column's collation.


def _pg_value(field: Field, reading: Reading) -> Expr:
    value = _typed(field, reading)
    match field.type:
        case FieldType.STRING:
            return sa.collate(sa.cast(value, sa.Text()), "C")
        case FieldType.DATETIME:
            return _instant(value, field, reading)
    return value


def _duck_value(field: Field, reading: Reading) -> Expr:
    value = _typed(field, reading)
    match field.type:
        case FieldType.STRING:
            return sa.cast(value, sa.Text())
        case FieldType.DATETIME:
            return _instant(value, field, reading)
    return value


def _instant(value: Expr, field: Field, reading: Reading) -> Expr:
    if not field.path and field.name in reading.naive:
        # DuckDB has wall clocks of three finenesses.
        return sa.func.timezone(bind(reading.zone.key, sa.Text()), sa.cast(value, SqlType("TIMESTAMP")))
    return value


def _pg_bucket(field: Field, part: DatePart, zone: str, reading: Reading) -> Expr:
    value = _typed(field, reading)
    name: Expr = sa.literal_column(f"'{part.value}'")
    if field.type is FieldType.DATE:
        return sa.cast(sa.func.date_trunc(name, sa.cast(value, SqlType("TIMESTAMP"))), sa.Date())
    instant = sa.cast(_instant(value, field, reading), SqlType("TIMESTAMP WITH TIME ZONE"))
    wall = sa.func.timezone(bind(zone, sa.Text()), instant)
    if part is DatePart.HOUR:
        return instant - (wall - sa.func.date_trunc(name, wall))
    return sa.cast(sa.func.date_trunc(name, wall), sa.Date())


def _pg_median(value: Expr) -> Expr:
    return sa.func.percentile_cont(sa.literal_column("0.5")).within_group(value)


def _pg_text(value: Expr, type_: FieldType) -> Expr:
    return sa.collate(_text(value, type_), "C")


# SQLite. Values of one type are written in many ways; the source's functions make them alike.


def _sqlite_value(field: Field, reading: Reading) -> Expr:
    column = reading.column(field)
    if field.type is FieldType.STRING:
        return sa.collate(column, "BINARY")
    if field.type is FieldType.UUID:
        return column
    return sa.func.offtake_value(column, bind(field.type.value))


def _sqlite_bucket(field: Field, part: DatePart, zone: str, reading: Reading) -> Expr:
    return sa.func.offtake_bucket(reading.column(field), bind(field.type.value), bind(part.value), bind(zone))


def _sqlite_double(value: Expr) -> Expr:
    return sa.cast(value, SqlType("REAL"))


def _sqlite_decimals(name: str, other: Aggregate) -> Aggregate:
    function: Any = getattr(sa.func, f"offtake_{name}")
    return lambda value, type_: function(value) if type_ is FieldType.DECIMAL else other(value, type_)


def _sqlite_ordered(value: Expr, type_: FieldType) -> Expr:
    return sa.func.offtake_decimal(value) if type_ is FieldType.DECIMAL else value


# MySQL and MariaDB. Only bytes are compared exactly. What they know of zones somebody must have loaded, so the
# changes of clocks are written into the query; instants are UTC.


def _my_value(field: Field, reading: Reading) -> Expr:
    value = reading.comparable(field) if field.path else reading.column(field)
    match field.type:
        case FieldType.STRING:
            return sa.cast(sa.cast(value, sa.Text()), sa.LargeBinary())
        case FieldType.DATETIME:
            return _my_instant(value, field, reading)
    return value


def _my_instant(value: Expr, field: Field, reading: Reading) -> Expr:
    if field.path or field.name not in reading.naive:
        return value
    return _moved(value, _negative(_offset_at(value, clock_readings(reading.zone.key))))


def _my_bucket(field: Field, part: DatePart, zone: str, reading: Reading) -> Expr:
    value = reading.comparable(field) if field.path else reading.column(field)
    if field.type is FieldType.DATE:
        return _my_first_day(value, part)
    if field.path and clock_changes(zone)[1]:  # the value would be taken out of its column for every change of clocks
        raise InvalidRequest(
            f"{field.name} lies inside a column, and MySQL cannot divide it in the zone {zone}.",
            hint="Group in UTC, or let the dataset's sql make a column of it.",
            pointer="/group_by",
        )
    is_naive = not field.path and field.name in reading.naive
    offsets = clock_differences(reading.zone.key, zone) if is_naive else clock_changes(zone)
    wall = _moved(value, _offset_at(value, offsets))
    if part is not DatePart.HOUR:
        return _my_first_day(wall, part)
    since = sa.func.minute(wall) * sa.literal_column("60") + sa.func.second(wall)
    begun = _moved(_my_instant(value, field, reading), _negative(since))
    return sa.cast(sa.func.date_format(begun, bind("%Y-%m-%d %H:%i:%s")), mysql.DATETIME(fsp=6))


def _offset_at(value: Expr, offsets: Offsets) -> Expr:
    first, changes = offsets
    if not changes:
        return sa.literal_column(str(first))
    held = [first, *(offset for _, offset in changes)]
    whens: list[tuple[Expr, Expr]] = [
        (value < sa.literal_column(f"'{at:%Y-%m-%d %H:%M:%S}'"), sa.literal_column(str(offset)))
        for (at, _), offset in zip(changes, held, strict=False)
    ]
    return sa.case(*whens, else_=sa.literal_column(str(held[-1])))


def _negative(seconds: Expr) -> Expr:
    return sa.literal_column("0") - seconds


def _moved(value: Expr, seconds: Expr) -> Expr:
    return sa.func.timestampadd(sa.literal_column("SECOND"), seconds, value)


def _my_first_day(value: Expr, part: DatePart) -> Expr:
    one: Expr = sa.literal_column("1")
    january: Expr = sa.func.makedate(sa.func.year(value), one)
    day: Expr = value
    match part:
        case DatePart.YEAR:
            day = january
        case DatePart.QUARTER:
            months = (sa.func.quarter(value) - one) * sa.literal_column("3")
            day = sa.func.timestampadd(sa.literal_column("MONTH"), months, january)
        case DatePart.MONTH:
            day = sa.func.date_format(value, bind("%Y-%m-01"))
        case DatePart.WEEK:
            day = sa.func.subdate(value, sa.func.weekday(value))
    return sa.cast(day, sa.Date())


def _my_double(value: Expr) -> Expr:
    return value.op("+")(sa.literal_column("0e0"))


def _my_text(value: Expr, type_: FieldType) -> Expr:
    if type_ is FieldType.STRING:
        return value
    text = _words(value) if type_ is FieldType.BOOLEAN else sa.cast(value, sa.Text())
    return sa.cast(text, sa.LargeBinary())


def _my_shown(value: Expr, type_: FieldType) -> Expr:
    return sa.func.convert(value.op("USING")(sa.literal_column("utf8mb4"))) if type_ is FieldType.STRING else value


# Any other database: the plainest words of SQL. None of them can divide a date in a zone.


def _plain_bucket(field: Field, part: DatePart, _zone: str, reading: Reading) -> Expr:
    raise InvalidRequest(
        f"The source {reading.dataset.source} is a database in which offtake cannot group by the {part.value} of "
        f"{field.name}.",
        hint="Group by the field itself, or let the dataset's sql make a column of its parts.",
        pointer="/group_by",
    )


def _plain_text(value: Expr, type_: FieldType) -> Expr:
    return value if type_ is FieldType.STRING else sa.cast(value, sa.String(100))


_PG = Figures(_pg_value, _pg_bucket, _cast_double, _whole_sum, _min, _max, _pg_median, _pg_text, _as_is, _as_is)
_DUCK = Figures(_duck_value, _pg_bucket, _cast_double, _whole_sum, _min, _max, sa.func.median, _text, _as_is, _as_is)
_SQLITE = Figures(
    _sqlite_value,
    _sqlite_bucket,
    _sqlite_double,
    _sqlite_decimals("sum", _sum),
    _sqlite_decimals("min", _min),
    _sqlite_decimals("max", _max),
    sa.func.offtake_median,
    _text,
    _sqlite_ordered,
    _as_is,
)
_MYSQL = Figures(_my_value, _my_bucket, _my_double, _sum, _min, _max, None, _my_text, _as_is, _my_shown)
_PLAIN = Figures(_typed, _plain_bucket, _cast_double, _sum, _min, _max, None, _plain_text, _as_is, _as_is)

_FIGURES = {"postgresql": _PG, "duckdb": _DUCK, "sqlite": _SQLITE, "mysql": _MYSQL, "mariadb": _MYSQL}


def figures_of(dialect: str) -> Figures:
    """The record for a SQLAlchemy dialect name; the plainest SQL for one we have no words for."""
    return _FIGURES.get(dialect, _PLAIN)
