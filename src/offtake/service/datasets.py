"""Which datasets a principal sees, what is in them, a first look and a count."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

from offtake.errors import NotFound, SourceFailed, SourceTimeout
from offtake.model.access import Principal, Scope, require
from offtake.model.dataset import Dataset, FieldType
from offtake.model.export import Column, ExportRequest, Plan
from offtake.model.filter import Operator
from offtake.model.ports import Source, Stop
from offtake.query.columns import view_of
from offtake.query.nearest import did_you_mean
from offtake.query.operators import operators_for
from offtake.query.plan import plan_export
from offtake.service.access import LOCAL
from offtake.service.resolve import needs_custom_fields, resolve_dataset
from offtake.service.runtime import Runtime
from offtake.service.trail import current_trail


@dataclass(frozen=True)
class FieldView:
    """A field as one principal sees it: masked it is text, and no operator works on it."""

    name: str
    label: str
    type: FieldType
    nullable: bool
    operators: tuple[Operator, ...]
    description: str = ""
    values: tuple[str, ...] = ()
    masked: bool = False


@dataclass(frozen=True)
class CustomFieldView(FieldView):
    """A field that the principal's tenant added, and the form it belongs to."""

    group: str = ""
    group_label: str = ""


@dataclass(frozen=True)
class DatasetView:
    """A dataset as one principal sees it. `row_limit` None = none; `custom_fields` are exported only if asked for."""

    name: str
    label: str
    description: str
    fields: tuple[FieldView, ...]
    formats: tuple[str, ...]
    date_field: str | None
    key: tuple[str, ...]
    row_limit: int | None
    custom_fields: tuple[CustomFieldView, ...] = ()


@dataclass(frozen=True)
class RowCount:
    """How many rows match, and how many one export may hold (None = any number)."""

    matched: int
    allowed: int | None


def find_dataset(
    runtime: Runtime, principal: Principal, name: str, *, schema: str | None = None, with_custom: bool = False
) -> Dataset:
    """The resolved dataset, if this principal may read it. Raises InsufficientScope; NotFound with the nearest name."""
    require(principal, Scope.REPORTS_READ)
    if name not in runtime.datasets:
        visible = [dataset.name for dataset in _visible(runtime, principal)]
        raise NotFound(f"There is no dataset {name!r}.", hint=did_you_mean(name, visible, "Datasets"))
    require(principal, *sorted(runtime.datasets[name].scopes))
    return resolve_dataset(runtime, name, principal, schema=schema, with_custom=with_custom)


def plan_request(runtime: Runtime, principal: Principal, request: ExportRequest) -> tuple[Source, Plan]:
    """The request proven valid for this principal, and the source that runs it."""
    with_custom = needs_custom_fields(request)
    dataset = find_dataset(runtime, principal, request.dataset, schema=request.schema, with_custom=with_custom)
    plan = plan_export(dataset, request, principal, runtime.now())
    current_trail().note_plan(plan)
    return runtime.sources[dataset.source], plan


def list_datasets(runtime: Runtime, principal: Principal) -> tuple[DatasetView, ...]:
    """Every dataset this principal may read, in the order of the settings.

    One whose source does not answer is listed without fields rather than hiding all the others.
    """
    require(principal, Scope.REPORTS_READ)
    visible = _visible(runtime, principal)
    return tuple(_view(runtime, principal, _described(runtime, principal, dataset)) for dataset in visible)


def describe_dataset(runtime: Runtime, principal: Principal, name: str) -> DatasetView:
    """One dataset: fields, operators, formats. Raises InsufficientScope, NotFound, SourceFailed."""
    return _view(runtime, principal, find_dataset(runtime, principal, name, with_custom=True))


def leaf_names(runtime: Runtime, principal: Principal, name: str, chosen: Sequence[str] = ()) -> tuple[str, ...]:
    """The chosen fields, or all the principal sees, custom ones too, with the members of structs instead of these.

    Raises InsufficientScope, NotFound, SourceFailed.
    """
    dataset = find_dataset(runtime, principal, name, with_custom=True)
    view = view_of(dataset, principal)
    columns = {column.name: column for column in (*view.shown, *view.custom)}
    return tuple(leaf for each in chosen or columns for leaf in _leaves(each, columns.get(each)))


def _leaves(name: str, column: Column | None) -> Iterator[str]:
    if column is None or column.type is not FieldType.STRUCT:
        yield name
        return
    for member in column.field.fields:
        inner = Column(replace(member, name=f"{name}.{member.name}"))
        yield from _leaves(inner.name, inner)


def count_rows(runtime: Runtime, principal: Principal, request: ExportRequest, *, stop: Stop | None = None) -> RowCount:
    """How many rows the request matches (its limit aside) and how many an export of it may hold."""
    source, plan = plan_request(runtime, principal, request)
    with read_slot(runtime, principal):
        return RowCount(source.count(plan, stop or Stop()), plan.dataset.row_limit or None)


def read_slot(runtime: Runtime, principal: Principal) -> AbstractContextManager[None]:
    """Room for one read; the command line needs none."""
    return nullcontext() if principal.id == LOCAL else runtime.counters.slot(principal)


def _visible(runtime: Runtime, principal: Principal) -> list[Dataset]:
    return [dataset for dataset in runtime.datasets.values() if dataset.scopes <= principal.scopes]


def _described(runtime: Runtime, principal: Principal, dataset: Dataset) -> Dataset:
    try:
        return resolve_dataset(runtime, dataset.name, principal, with_custom=True)
    except (SourceFailed, SourceTimeout):
        return dataset


def _view(runtime: Runtime, principal: Principal, dataset: Dataset) -> DatasetView:
    view = view_of(dataset, principal)
    columns = view.shown
    names = {column.field.column: column.name for column in reversed(columns)}
    return DatasetView(
        name=dataset.name,
        label=dataset.label or dataset.name,
        description=dataset.description,
        fields=tuple(_field_view(column) for column in columns),
        formats=tuple(runtime.formats),
        date_field=dataset.date_field if dataset.date_field in names.values() else None,
        key=tuple(names[column] for column in dataset.key if column in names),
        row_limit=dataset.row_limit or None,
        custom_fields=tuple(
            CustomFieldView(**vars(_field_view(column)), group=column.field.group, group_label=column.field.group_label)
            for column in view.custom
        ),
    )


def _field_view(column: Column) -> FieldView:
    field, is_masked = column.field, column.mask is not None
    return FieldView(
        name=field.name,
        label=field.label or field.name,
        type=column.type,
        nullable=field.nullable,
        operators=() if is_masked else tuple(operators_for(field)),
        description=field.description,
        values=() if is_masked else field.values,
        masked=is_masked,
    )
