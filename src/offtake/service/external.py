"""Export jobs as foreign APIs know them: by their own ids, in lists with conditions, orders, offsets and totals."""

from collections.abc import Sequence
from dataclasses import replace

from offtake.appdb import job_lists as table
from offtake.errors import InvalidRequest, NotFound
from offtake.model.access import Principal, Scope, require
from offtake.model.dataset import Field, Sort
from offtake.model.export import Column
from offtake.model.filter import And, Condition, Filter, Not, Or
from offtake.model.job import ExportJob
from offtake.query.filters import check_filter
from offtake.query.nearest import did_you_mean
from offtake.service.runtime import Runtime
from offtake.service.trail import current_trail

Words = table.Words
NO_WORDS = table.NO_WORDS


def find_external_export(runtime: Runtime, principal: Principal, dialect: str, external_id: str) -> ExportJob:
    """The tenant's job that clients of the dialect know by that id: their own, or else the native one.

    Raises NotFound, InsufficientScope.
    """
    require(principal, Scope.REPORTS_READ)
    job = table.find_external_job(runtime.appdb, principal.tenant, dialect, external_id.replace("\0", ""))
    if job is None:
        raise NotFound("There is no such export.", hint="List the exports to see their ids.")
    trail = current_trail()
    trail.dataset, trail.thing = job.request.dataset, job.id
    return job


def list_external_exports(
    runtime: Runtime,
    principal: Principal,
    dialect: str,
    *,
    where: Filter | None = None,
    sort: Sequence[Sort] = (),
    words: Words = NO_WORDS,
    offset: int = 0,
    limit: int = 50,
) -> tuple[Sequence[ExportJob], int]:
    """The tenant's jobs of that dialect in that order, then the newest first, and how many match in all.

    `where` and `sort` name these of a job: id, name, words (id, name and schema, to search with CONTAINS), state,
    dataset, format, principal, file (its id once there is one), rows, bytes, created_at, updated_at, due_at,
    finished_at. `words` are what the dialect calls the values of state and dataset: `{"state": {"succeeded": …}}`.
    Texts are compared without regard to case. `where` is one of `check_export_filter`, or built with typed values.
    """
    require(principal, Scope.REPORTS_READ)
    return table.list_external_jobs(
        runtime.appdb,
        runtime.now(),
        principal.tenant,
        dialect,
        where=where,
        sort=sort,
        words=words,
        offset=offset,
        limit=limit,
    )


def check_export_filter(tree: Filter, fields: Sequence[Field]) -> Filter:
    """A filter over the dialect's fields -> one for `list_external_exports`, its values typed.

    Each field's `column` is what `list_external_exports` calls it. Raises UnknownField, InvalidFilter.
    """
    checked = check_filter(tree, [Column(field) for field in fields], dataset="An export")
    return _renamed(checked, {field.name: field.column for field in fields})


def read_export_sort(names: Sequence[Sort], fields: Sequence[Field]) -> tuple[Sort, ...]:
    """An order by the dialect's fields -> one for `list_external_exports`. Raises InvalidRequest for another field."""
    columns = {field.name: field.column for field in fields}
    for key in names:
        if key.field not in columns:
            hint = did_you_mean(key.field, sorted(columns), "Known")
            raise InvalidRequest(f"Exports cannot be sorted by {key.field[:80]!r}.", hint=hint, pointer="/sort")
    return tuple(replace(key, field=columns[key.field]) for key in names)


def _renamed(tree: Filter, columns: dict[str, str]) -> Filter:
    match tree:
        case And(items):
            return And(tuple(_renamed(item, columns) for item in items))
        case Or(items):
            return Or(tuple(_renamed(item, columns) for item in items))
        case Not(item):
            return Not(_renamed(item, columns))
        case Condition():
            return replace(tree, field=columns[tree.field])
