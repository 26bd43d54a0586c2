"""Jobs of a foreign API: by its ids, and as a list in any order, under any condition, with their number."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa

from offtake.appdb.database import AppDb
from offtake.appdb.job_rows import read_job
from offtake.appdb.tables import JOBS
from offtake.model.dataset import Sort
from offtake.model.filter import And, Condition, Filter, Not, Operator, Or
from offtake.model.job import ExportJob, JobState

Expr = sa.ColumnElement[Any]
# What each of these calls the values of `state` and `dataset`; a value without a word stands for itself.
Words = Mapping[str, Mapping[str, str]]
NO_WORDS: Words = MappingProxyType({})
TEXTS = ("id", "name", "words", "state", "dataset", "format", "principal", "file")
INSTANTS = ("created_at", "updated_at", "due_at", "finished_at")
COLUMNS = (*TEXTS, *INSTANTS, "rows", "bytes")


def find_external_job(db: AppDb, tenant: str | None, dialect: str, external_id: str) -> ExportJob | None:
    """The dialect's job that clients know by that id: their own, or else the native one."""
    own = sa.and_(JOBS.c.id == external_id, JOBS.c.external_id.is_(None))
    where = sa.and_(JOBS.c.dialect == dialect, sa.or_(JOBS.c.external_id == external_id, own))
    mine = sa.true() if tenant is None else JOBS.c.tenant == tenant
    with db.read() as connection:
        row = connection.execute(sa.select(JOBS).where(mine, where)).first()
    return None if row is None else read_job(row)


def list_external_jobs(
    db: AppDb,
    now: datetime,
    tenant: str | None,
    dialect: str,
    *,
    where: Filter | None = None,
    sort: Sequence[Sort] = (),
    words: Words = NO_WORDS,
    offset: int = 0,
    limit: int = 50,
) -> tuple[tuple[ExportJob, ...], int]:
    """The dialect's jobs in that order, then the newest first, and how many there are in all.

    `where` and `sort` name `COLUMNS`; texts are compared without regard to case, NULLS LAST.
    """
    columns = _columns(now, words)
    found = sa.and_(JOBS.c.dialect == dialect, sa.true() if tenant is None else JOBS.c.tenant == tenant)
    if where is not None:
        found = sa.and_(found, _holds(where, columns))
    order = [_ordered(columns[key.field], key) for key in sort]
    query = sa.select(JOBS).where(found).order_by(*order, JOBS.c.id.desc()).limit(limit).offset(offset)
    with db.read() as connection:
        total = connection.execute(sa.select(sa.func.count()).select_from(JOBS).where(found)).scalar_one()
        return tuple(read_job(row) for row in connection.execute(query)), total


def _ordered(column: Expr, key: Sort) -> Expr:
    return (column.desc() if key.descending else column.asc()).nulls_last()


def _columns(now: datetime, words: Words) -> Mapping[str, Expr]:
    """What each name of `COLUMNS` means, its text folded."""
    due = sa.and_(JOBS.c.state == JobState.SCHEDULED, JOBS.c.due_at <= now)
    state = sa.case((due, JobState.QUEUED.value), else_=JOBS.c.state)
    return {
        "id": sa.func.lower(sa.func.coalesce(JOBS.c.external_id, JOBS.c.id)),
        "name": JOBS.c.sort_name,
        "words": JOBS.c.words,
        "state": _worded(state, words.get("state", {})),
        "dataset": _worded(JOBS.c.dataset, words.get("dataset", {})),
        "format": JOBS.c.format,
        "principal": JOBS.c.owner_id,
        "file": sa.case((JOBS.c.artifact.isnot(None), JOBS.c.id)),
        "created_at": JOBS.c.created_at,
        "updated_at": sa.func.coalesce(
            JOBS.c.finished_at, JOBS.c.beat_at, JOBS.c.started_at, JOBS.c.modified_at, JOBS.c.created_at
        ),
        "due_at": JOBS.c.due_at,
        "finished_at": JOBS.c.finished_at,
        "rows": JOBS.c.rows,
        "bytes": JOBS.c.bytes,
    }


def _worded(column: Expr, words: Mapping[str, str]) -> Expr:
    return sa.func.lower(sa.case(dict(words), value=column, else_=column) if words else column)


def _holds(tree: Filter, columns: Mapping[str, Expr]) -> Expr:
    """The condition in SQL, two-valued: over null it is false, and its negation true."""
    match tree:
        case And(items):
            return sa.and_(sa.true(), *(_holds(item, columns) for item in items))
        case Or(items):
            return sa.or_(sa.false(), *(_holds(item, columns) for item in items))
        case Not(item):
            return _negated(_holds(item, columns))
        case Condition(name, op, values):
            folded = [_folded(value) if isinstance(value, str) else value for value in values]
            if op in _NEGATIONS:
                return _negated(_COMPARISONS[_NEGATIONS[op]](columns[name], folded))
            return _COMPARISONS[op](columns[name], folded)


def _folded(text: str) -> str:
    return text.casefold().replace("\0", "\ufffd")  # PostgreSQL refuses NUL, which no text holds


def _negated(expression: Expr) -> Expr:
    return sa.case((expression, sa.literal_column("1")), else_=sa.literal_column("0")) == sa.literal_column("0")


def _between(column: Expr, bounds: Sequence[Any]) -> Expr:
    low, high = bounds
    sides = ([] if low is None else [column >= low]) + ([] if high is None else [column <= high])
    return sa.and_(sa.true(), *sides)


def _one_of(column: Expr, values: Sequence[Any]) -> Expr:
    return column.in_(values)


_COMPARISONS: Mapping[Operator, Callable[[Expr, Sequence[Any]], Expr]] = {
    Operator.EQ: _one_of,
    Operator.IN: _one_of,
    Operator.IEQ: _one_of,
    Operator.CONTAINS: lambda column, values: column.contains(values[0], autoescape=True),
    Operator.GT: lambda column, values: column > values[0],
    Operator.GTE: lambda column, values: column >= values[0],
    Operator.LT: lambda column, values: column < values[0],
    Operator.LTE: lambda column, values: column <= values[0],
    Operator.BETWEEN: _between,
    Operator.IS_NULL: lambda column, _: column.is_(None),
}
_NEGATIONS: Mapping[Operator, Operator] = {
    Operator.NE: Operator.EQ,
    Operator.INE: Operator.IEQ,
    Operator.NOT_IN: Operator.IN,
    Operator.NOT_CONTAINS: Operator.CONTAINS,
    Operator.NOT_BETWEEN: Operator.BETWEEN,
    Operator.IS_NOT_NULL: Operator.IS_NULL,
}
