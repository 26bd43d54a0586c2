"""A plan's report -> one SQLAlchemy select over the select of its rows, in steps that every database takes.

`matched`: the keys and numbers of each row · `folded`: with all keys but the top ones called other · `counted`: each
row's place among its group's, where a median needs it · `grouped`: a row a group. Keys are `k0`, `k1`, …, measures
`m0`, `m1`, …, what they measure `a0`, `a1`, ….
"""

from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa

from offtake.model.dataset import FieldType
from offtake.model.export import MeasureFn, Plan, Report, ReportKey, ReportMeasure
from offtake.query.figures import Figures
from offtake.query.flavours import Expr
from offtake.query.groups import OTHER
from offtake.query.predicates import Reading

# What puts nulls last: the direction, and the value that may be null.
Nulls = Callable[[Expr, Expr], list[Any]]

_DOUBLES = (MeasureFn.AVG, MeasureFn.MEDIAN)
_ONE: Expr = sa.literal_column("1")
_TWO: Expr = sa.literal_column("2")


def matched_columns(report: Report, figures: Figures, reading: Reading) -> list[sa.Label[Any]]:
    """What a report reads of each row."""
    keys = [_key(key, report.timezone, figures, reading).label(f"k{at}") for at, key in enumerate(report.keys)]
    numbers = [_number(each, figures, reading).label(f"a{at}") for at, each in enumerate(report.measures) if each.field]
    return [*keys, *numbers] or [_ONE.label("one")]


def _key(key: ReportKey, zone: str, figures: Figures, reading: Reading) -> Expr:
    if key.part is None:
        return figures.value(key.field, reading)
    return figures.bucket(key.field, key.part, zone, reading)


def _number(measure: ReportMeasure, figures: Figures, reading: Reading) -> Expr:
    assert measure.field is not None
    if measure.fn is MeasureFn.COUNT:
        return sa.case((reading.column(measure.field).is_not(None), _ONE))
    value = figures.value(measure.field, reading)
    return figures.double(value) if measure.fn in _DOUBLES else value


def select_report(
    plan: Plan, report: Report, matched: sa.Select[Any], figures: Figures, nulls: Nulls
) -> sa.Select[Any]:
    """The report's rows, in the plan's order: one column per `plan.columns`, labelled with the field's name.

    `matched` gives `matched_columns` of the rows that the plan lets through.
    """
    rows = _rows(report, matched, figures, nulls)
    groups = _grouped(report.keys, list(enumerate(report.measures)), rows, figures).subquery("grouped")
    columns = [(f"k{at}", key.column) for at, key in enumerate(report.keys)]
    columns += [(f"m{at}", each.column) for at, each in enumerate(report.measures)]
    values: dict[str, Expr] = {column.name: groups.c[name] for name, column in columns}
    for at, each in enumerate(report.measures):
        if each.fn is MeasureFn.SHARE:
            share = groups.c[f"m{at}"]
            total = sa.func.nullif(sa.func.sum(share).over(), sa.literal_column("0"))
            values[each.column.name] = share.op("/")(total)  # SQLAlchemy's own division casts to numeric
    shown = [figures.shown(values[column.name], column.type).label(column.name) for _, column in columns]
    statement = sa.select(*shown).select_from(groups)
    if plan.order and "o" in groups.c:
        statement = statement.order_by(groups.c.o)
    for key in plan.order:
        assert key.type is not None
        directed = figures.ordered(values[key.column], key.type)
        statement = statement.order_by(
            *nulls(directed.desc() if key.descending else directed.asc(), values[key.column])
        )
    return statement


def select_groups(report: Report, matched: sa.Select[Any], figures: Figures, nulls: Nulls) -> sa.Select[Any]:
    """A row a group, to be counted. Without keys there is one, even of no rows."""
    if not report.keys:
        return sa.select(_ONE.label("one"))
    return _grouped(report.keys, [], _rows(report, matched, figures, nulls), figures)


def _grouped(
    keys: Sequence[ReportKey], measures: Sequence[tuple[int, ReportMeasure]], rows: sa.FromClause, figures: Figures
) -> sa.Select[Any]:
    """A row for each different combination of keys, with its measures, each under its number."""
    names = [f"k{at}" for at in range(len(keys))] + (["o"] if "o" in rows.c else [])
    if figures.median is None:
        rows = _counted(names, [at for at, each in measures if each.fn is MeasureFn.MEDIAN], rows)
    by = [rows.c[name] for name in names]
    numbers = [_measured(at, each, rows, figures).label(f"m{at}") for at, each in measures]
    return sa.select(*by, *numbers).select_from(rows).group_by(*by)


def _measured(at: int, measure: ReportMeasure, rows: sa.FromClause, figures: Figures) -> Expr:
    if measure.field is None:
        rows_alike = sa.func.count()
        return figures.double(rows_alike) if measure.fn is MeasureFn.SHARE else rows_alike
    value, type_ = rows.c[f"a{at}"], measure.field.type
    match measure.fn:
        case MeasureFn.COUNT:
            return sa.func.count(value)
        case MeasureFn.COUNT_DISTINCT:
            return sa.func.count(value.distinct())
        case MeasureFn.SUM:
            return figures.sum(value, type_)
        case MeasureFn.SHARE:
            return figures.double(figures.sum(value, type_))
        case MeasureFn.AVG:
            return figures.double(sa.func.avg(value))
        case MeasureFn.MIN:
            return figures.least(value, type_)
        case MeasureFn.MAX:
            return figures.most(value, type_)
        case MeasureFn.MEDIAN:
            return _middle(at, value, rows) if figures.median is None else figures.median(value)


def _counted(names: Sequence[str], medians: Sequence[int], rows: sa.FromClause) -> sa.FromClause:
    """Each row with its place (`r0`, …) among the values (`n0`, …) of its group, for every median."""
    if not medians:
        return rows
    group = [rows.c[name] for name in names] or None
    places = []
    for at in medians:
        value = rows.c[f"a{at}"]
        order = [sa.case((value.is_(None), _ONE), else_=sa.literal_column("0")), value]
        places.append(sa.func.row_number().over(partition_by=group, order_by=order).label(f"r{at}"))
        places.append(sa.func.count(value).over(partition_by=group).label(f"n{at}"))
    return sa.select(*rows.c, *places).select_from(rows).subquery("counted")


def _middle(at: int, value: Expr, rows: sa.FromClause) -> Expr:
    """The value in the middle, or halfway between the two that are."""
    twice, count = rows.c[f"r{at}"] * _TWO, rows.c[f"n{at}"]
    is_middle = sa.and_(value.is_not(None), twice >= count, twice <= count + _TWO)
    return sa.func.avg(sa.case((is_middle, value)))


def _rows(report: Report, matched: sa.Select[Any], figures: Figures, nulls: Nulls) -> sa.FromClause:
    if report.top is None:
        return matched.subquery("matched")
    return _folded(report, matched.cte("matched"), figures, nulls)


def _folded(report: Report, rows: sa.FromClause, figures: Figures, nulls: Nulls) -> sa.FromClause:
    """The rows with a first key that says other if it is not a top one; `o` is then 1."""
    first, measure = report.keys[0], report.measures[0]
    groups = _grouped([first], [(0, measure)], rows, figures).subquery("ranked")
    rank, key = groups.c.m0, groups.c.k0
    ranked = figures.ordered(rank, measure.column.type).desc()
    order = [*nulls(ranked, rank), *nulls(key.asc(), key)]
    top = sa.select(key).order_by(*order).limit(report.top).cte("top_keys")
    named = sa.select(top.c.k0).where(top.c.k0.is_not(None))
    unnamed = sa.exists(sa.select(_ONE).select_from(top).where(top.c.k0.is_(None)))
    is_top = sa.or_(rows.c.k0.in_(named), sa.and_(rows.c.k0.is_(None), unnamed))
    type_ = first.field.type if first.part is None else FieldType.DATE
    other = figures.text(sa.literal_column(f"'{OTHER}'"), FieldType.STRING)
    folded = [
        sa.case((is_top, figures.text(rows.c.k0, type_)), else_=other).label("k0"),
        sa.case((is_top, sa.literal_column("0")), else_=_ONE).label("o"),
        *(column for column in rows.c if column.name != "k0"),
    ]
    return sa.select(*folded).select_from(rows).subquery("folded")
