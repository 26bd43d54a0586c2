"""Plan -> one SQLAlchemy Core select. Every value is bound; identifiers come from the configuration alone, quoted.

`dialect` is a SQLAlchemy dialect name or `duckdb` (compile that one with the base PostgreSQL dialect and paramstyle
`qmark`: parameters then carry no casts). `naive` names the fields (not columns) of type datetime whose columns have no
zone of their own; such a column holds the wall clock of `timezone`. MySQL and every database we have no words for are
read in a UTC session: there a column that is not in `naive` holds UTC. SQLite ignores both.

On SQLite the source registers these functions, deterministic, giving null for null and for what they cannot read:

- `offtake_fold(value)`: `str(value).casefold()`
- `offtake_instant(value)`: microseconds since 1970 in UTC, an integer, as the source itself reads the value
- `offtake_date(value)`: `YYYY-MM-DD`, as the source itself reads the value
- `offtake_time(value)`: `query.keys.time_key` of the time that the source reads
- `offtake_decimal(value)`: `query.keys.decimal_key(value)`
- `offtake_boolean(value)`: 1 or 0, as the source itself reads the value

and for reports those of `query.figures`. A plan with a report gives its groups instead of its rows; their date-times
are instants where a database has them, and UTC on MySQL and MariaDB, whatever `timezone` is.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from offtake.model.dataset import Dataset, Field, FieldType, Mask
from offtake.model.export import Column, Confinement, OrderKey, Plan
from offtake.query.figures import Figures, figures_of
from offtake.query.flavours import Expr, Flavour, bind, flavour_of
from offtake.query.grouped import matched_columns, select_groups, select_report
from offtake.query.inside import inside_of
from offtake.query.predicates import Reading, predicate, same_uuid

_NONE: frozenset[str] = frozenset()


def build_select(plan: Plan, dialect: str, *, timezone: str = "UTC", naive: frozenset[str] = _NONE) -> sa.Select[Any]:
    """The plan's rows: one column per `plan.columns`, in their order, labelled with the field's name.

    Read the columns by position: a database may shorten a long label (PostgreSQL: 63 bytes), and a value inside a
    column has a label of our own, since its name is the caller's.
    """
    reading = _reading(plan, dialect, timezone, naive)
    if plan.report is not None:
        figures = figures_of(dialect)
        groups = select_report(plan, plan.report, _matched(plan, reading, figures), figures, reading.flavour.nulls_last)
        return groups if plan.limit is None else _limited(groups, plan.limit)
    statement = _confined(
        sa.select(*(_shown(column, reading, number) for number, column in enumerate(plan.columns))), plan, reading
    )
    for key in plan.order:
        statement = statement.order_by(*_order(key, reading))
    return statement if plan.limit is None else _limited(statement, plan.limit)


def build_count(
    plan: Plan, dialect: str, at_most: int | None = None, *, timezone: str = "UTC", naive: frozenset[str] = _NONE
) -> sa.Select[Any]:
    """How many rows the plan matches, its `limit` aside; never more than `at_most`, and then no more rows are read."""
    reading = _reading(plan, dialect, timezone, naive)
    if plan.report is not None:
        figures = figures_of(dialect)
        groups = select_groups(plan.report, _matched(plan, reading, figures), figures, reading.flavour.nulls_last)
        return _counted(groups if at_most is None else _limited(groups, at_most))
    if at_most is None:
        return _confined(sa.select(sa.func.count()), plan, reading)
    rows = _confined(sa.select(sa.literal_column("1").label("matched")), plan, reading)
    return _counted(_limited(rows, at_most))


def typing_plans(plan: Plan) -> tuple[Plan | None, Plan | None]:
    """Two plans that give no rows, only the types of columns: the dataset's date-times after the plan's own columns,
    and a report's, which can be built only once it is known which of those are naive. None where there is no column.
    """
    probe = replace(plan, confinement=None, where=None, order=(), limit=0)
    instants = tuple(Column(field) for field in plan.dataset.fields if field.type is FieldType.DATETIME)
    columns = instants if plan.report else plan.columns + instants
    rows = replace(probe, columns=columns, report=None) if columns else None
    return rows, probe if plan.report else None


def _counted(rows: sa.Select[Any]) -> sa.Select[Any]:
    return sa.select(sa.func.count()).select_from(rows.subquery("matches"))


def _matched(plan: Plan, reading: Reading, figures: Figures) -> sa.Select[Any]:
    """What the plan's report reads of the rows that the plan lets through."""
    assert plan.report is not None
    return _confined(sa.select(*matched_columns(plan.report, figures, reading)), plan, reading)


def _limited(statement: sa.Select[Any], rows: int) -> sa.Select[Any]:
    """SQLAlchemy binds a plain number as 32 bits, but SQL Server wants one."""
    return statement.limit(rows if rows < 2**31 else bind(rows, sa.BigInteger()))


def _reading(plan: Plan, dialect: str, timezone: str, naive: frozenset[str]) -> Reading:
    dataset = plan.dataset
    names = {field.column for field in (*dataset.fields, *dataset.custom)}
    names |= set() if plan.report else {key.column for key in plan.order}
    names |= {wall.column for wall in _walls(plan)}
    table = _table(dataset, [sa.column(name) for name in sorted(names)])
    return Reading(dataset, table, flavour_of(dialect), inside_of(dialect), ZoneInfo(timezone), naive)


def _walls(plan: Plan) -> Iterator[Confinement]:
    """What confines the rows: to a tenant's, and to those of one schema."""
    if plan.confinement is not None:
        yield plan.confinement
    if plan.dataset.rows_of is not None:
        yield Confinement(*plan.dataset.rows_of)


def _table(dataset: Dataset, columns: list[sa.ColumnClause[Any]]) -> sa.FromClause:
    """The dataset's table or query, under an alias that keeps its columns apart from the labels of the result."""
    if dataset.sql:
        # A colon would start a parameter, and a comment on the last line would swallow the bracket.
        query = dataset.sql.strip().rstrip(";").replace(":", "\\:")
        return sa.text(f"{query}\n").columns(*columns).subquery("dataset")
    schema, _, name = dataset.table.rpartition(".")
    return sa.table(name, *columns, schema=schema or None).alias("dataset")


def _confined(statement: sa.Select[Any], plan: Plan, reading: Reading) -> sa.Select[Any]:
    """The statement over the rows that the plan lets through, and no others."""
    return statement.select_from(reading.table).where(*_conditions(plan, reading))


def _conditions(plan: Plan, reading: Reading) -> Iterator[Expr]:
    uuids = {field.column for field in plan.dataset.fields if field.type is FieldType.UUID and not field.path}
    for wall in _walls(plan):
        column = reading.table.c[wall.column]
        if wall.column in uuids:
            yield same_uuid(column, [wall.uuid or wall.tenant])
        else:
            yield reading.flavour.same_text(column, [wall.tenant, *([wall.uuid] if wall.uuid else [])])
    if plan.where is not None:
        yield predicate(plan.where, reading)


def _shown(column: Column, reading: Reading, number: int) -> sa.Label[Any]:
    """The column's values as this principal may see them."""
    value = reading.column(column.field)
    if column.mask is not None:
        value = _masked(value, column.mask, reading.flavour)
    return value.label(f"inside_{number}" if column.field.path else column.name)


def _masked(value: Expr, mask: Mask, flavour: Flavour) -> Expr:
    """Masked inside the database: the whole value never leaves it. Null stays null."""
    stars = sa.literal("****", sa.Text())
    if mask is not Mask.LAST4:
        return sa.case((value.is_not(None), stars), else_=sa.null())
    text = flavour.text(value)
    length = flavour.length(text)
    last4 = stars + sa.cast(sa.func.substr(text, length - sa.literal_column("3")), sa.Text())
    return sa.case((length > sa.literal_column("4"), last4), (value.is_not(None), stars), else_=sa.null())


def _order(key: OrderKey, reading: Reading) -> list[Any]:
    field = Field(key.column, key.type or FieldType.STRING, key.column, key.column, path=key.path)
    column = reading.column(field)
    value = reading.comparable(field) if key.type else column
    return reading.flavour.nulls_last(value.desc() if key.descending else value.asc(), column)
