"""Datasets made whole for one caller: fields by reflection, those a tenant added, and those of a schema.

Definitions and schemas are rows of datasets of their own. They are read anew for every request that needs them, through
a plan of the caller's tenant like any other; the caller needs no scope for them.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from typing import Any

from offtake.errors import InvalidFilter, InvalidRequest, NotFound, SourceFailed
from offtake.model.access import Principal
from offtake.model.dataset import Dataset, Field, FieldType, Sort
from offtake.model.export import ExportRequest, FieldChoice
from offtake.model.filter import And, Condition, Filter, Not, Operator, Or
from offtake.model.ports import Stop
from offtake.query.plan import plan_export
from offtake.service.runtime import Runtime

CUSTOM = "custom:cf_"
_TYPES = {type_.value: type_ for type_ in FieldType} | {
    "int": FieldType.INTEGER,
    "long": FieldType.INTEGER,
    "float": FieldType.NUMBER,
    "double": FieldType.NUMBER,
    "bool": FieldType.BOOLEAN,
    "date_time": FieldType.DATETIME,
    "timestamp": FieldType.DATETIME,
    "array": FieldType.LIST,
    "object": FieldType.STRUCT,
}
_NESTED = (FieldType.LIST, FieldType.STRUCT)


def resolve_dataset(
    runtime: Runtime, name: str, principal: Principal, *, schema: str | None = None, with_custom: bool = False
) -> Dataset:
    """The dataset with its fields: with those of the schema, if one is named, and with the custom ones, if wanted.

    Raises NotFound for a dataset or schema that is not there for this principal, InvalidRequest for a schema where none
    belongs, or what the sources raise.
    """
    dataset = reflect_dataset(runtime, name)
    if schema is not None:
        dataset = _with_schema(runtime, dataset, principal, schema)
    if with_custom and dataset.custom_fields is not None:
        dataset = replace(dataset, custom=_custom_fields(runtime, dataset, principal))
    return dataset


def reflect_dataset(runtime: Runtime, name: str) -> Dataset:
    """The dataset with its fields, asked of its source (once) where the settings give none. Raises NotFound."""
    dataset = runtime.datasets.get(name)
    if dataset is None:
        raise NotFound(f"There is no dataset {name!r}.", hint="List the datasets to see their names.")
    if dataset.fields:
        return dataset
    if name not in runtime.resolved:
        runtime.resolved[name] = replace(dataset, fields=runtime.sources[dataset.source].describe(dataset))
    return runtime.resolved[name]


def needs_custom_fields(request: ExportRequest) -> bool:
    """Whether the request can touch a custom field: it names one, wants them all, or searches every text."""
    if request.include_all_custom_fields or request.q.strip():
        return True
    names = [choice.field for choice in request.fields or ()]
    names += [sort.field for sort in request.sort or ()]
    names += [grouping.field for grouping in request.group_by]
    names += [measure.field or "" for measure in request.measures]
    names += [request.date_range.field or ""] if request.date_range else []
    return any(str(name).startswith(CUSTOM) for name in (*names, *_filtered(request.filter)))


def _filtered(tree: Filter | None) -> Iterator[str]:
    """The names of the fields a filter names; it is not checked yet, and may be deep."""
    waiting: list[Any] = [tree]
    while waiting:
        match waiting.pop():
            case And(items) | Or(items):
                waiting.extend(items)
            case Not(item):
                waiting.append(item)
            case Condition(field):
                yield field


def _custom_fields(runtime: Runtime, dataset: Dataset, principal: Principal) -> tuple[Field, ...]:
    """Form by form in the definitions' order; of equal labels, each with its form's name behind it."""
    spec = dataset.custom_fields
    assert spec is not None
    named = [name for name in (spec.id, spec.label, spec.type, spec.group, spec.group_label) if name]
    order = tuple(Sort(name) for name in (spec.group, spec.label, spec.id) if name)
    rows = [row for row in _read_rows(runtime, spec.definitions, principal, named, order=order) if row[spec.id]]
    labels = Counter(row[spec.label] for row in rows)
    fields: dict[str, Field] = {}
    for row in rows:
        key, group = str(row[spec.id]), str(row.get(spec.group) or "")
        shown = str(row.get(spec.group_label) or group)
        label = str(row[spec.label] or key)
        label = f"{label} ({shown})" if labels[row[spec.label]] > 1 and shown else label
        field = replace(_defined(key, row[spec.type], label), name=CUSTOM + key, group=group, group_label=shown)
        fields.setdefault(field.name, _inside(dataset, spec.column, key, field))
    groups = list(dict.fromkeys(field.group for field in fields.values()))
    return tuple(sorted(fields.values(), key=lambda field: groups.index(field.group)))


def _with_schema(runtime: Runtime, dataset: Dataset, principal: Principal, schema: str) -> Dataset:
    spec = dataset.schemas
    if spec is None:
        raise InvalidRequest(f"{dataset.name} has no schemas.", hint="Leave the schema out.", pointer="/schema")
    wanted = Condition(spec.id, Operator.EQ, (schema,))
    try:
        named = [name for name in (spec.id, spec.fields, spec.name) if name]
        rows = _read_rows(runtime, spec.dataset, principal, named, wanted)
    except InvalidFilter:  # not even the shape of an id
        rows = []
    if not rows:
        raise NotFound(f"There is no schema {schema[:80]!r}.", hint=f"Export {spec.dataset} to see which there are.")
    own = {field.name for field in dataset.fields}
    added = []
    for field in _schema_fields(rows[0][spec.fields], spec.dataset):
        name = f"{spec.column}.{field.name}" if field.name in own else field.name
        added.append(_inside(dataset, spec.column, field.name, replace(field, name=name)))
    return replace(
        dataset,
        fields=(*dataset.fields, *added),
        rows_of=(spec.schema, str(rows[0][spec.id])),
        schema_name=str(rows[0].get(spec.name) or ""),
    )


def _inside(dataset: Dataset, column: str, key: str, field: Field) -> Field:
    """The field as a value in that column, under the mask that the column's own field has."""
    whole = next((each for each in dataset.fields if each.column == column and not each.path), None)
    mask, scope = (whole.mask, whole.unless_scope) if whole else (None, "")
    return replace(field, column=column, path=(key,), mask=mask, unless_scope=scope)


def _schema_fields(written: Any, dataset: str) -> tuple[Field, ...]:
    """`[{"key", "type", "label"}, …]` as fields; an array has `items` (a type, or what has `fields`)."""
    try:
        return _members(json.loads(written) if isinstance(written, str) else written)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise SourceFailed(
            f"The fields of a schema in {dataset} cannot be read.",
            hint='They are a list in JSON: [{"key": "total", "type": "number", "label": "Total"}].',
        ) from None


def _members(entries: Any) -> tuple[Field, ...]:
    """The fields of a list of entries, or of none; of equal keys the last. TypeError for anything but a list."""
    if entries is not None and not isinstance(entries, list):
        raise TypeError(entries)
    fields = (_member(entry) for entry in entries or ())
    return tuple({field.name: field for field in fields if field.name}.values())


def _member(entry: Mapping[str, Any]) -> Field:
    key = str(entry["key"])
    field = _defined(key, entry.get("type"), str(entry.get("label") or key))
    if field.type is FieldType.LIST:
        return _list_of(field, entry.get("items"))
    if _TYPES.get(_plain(entry.get("type"))) is FieldType.STRUCT and (members := _members(entry.get("fields"))):
        return replace(field, type=FieldType.STRUCT, fields=members)
    return field


def _list_of(field: Field, items: Any) -> Field:
    described: Mapping[str, Any] = items or {}
    if isinstance(items, list | str):
        described = {"fields" if isinstance(items, list) else "type": items}
    if members := _members(described.get("fields")):
        return replace(field, items=FieldType.STRUCT, fields=members)
    kind = _TYPES.get(_plain(described.get("type")), FieldType.STRING)
    return replace(field, items=FieldType.JSON if kind in _NESTED else kind)


def _defined(key: str, type_: Any, label: str) -> Field:
    """A field of the type that somebody wrote down; text shows whatever is there, so unknown words mean text."""
    kind = _TYPES.get(_plain(type_), FieldType.STRING)
    if kind is FieldType.STRUCT:
        kind = FieldType.JSON
    return Field(key, kind, key, label, items=FieldType.STRING if kind is FieldType.LIST else None)


def _plain(type_: Any) -> str:
    return str(type_ or "").strip().lower().replace("-", "_")


def _read_rows(
    runtime: Runtime,
    name: str,
    principal: Principal,
    fields: Iterable[str],
    wanted: Filter | None = None,
    order: tuple[Sort, ...] = (),
) -> list[dict[str, Any]]:
    """The rows of the caller's tenant, by the names of their fields; in `order` if the dataset has none of its own."""
    dataset = reflect_dataset(runtime, name)
    choices = tuple(FieldChoice(field) for field in dict.fromkeys(fields))
    request = ExportRequest(name, fields=choices, filter=wanted, sort=() if dataset.default_sort else order)
    ours = replace(principal, scopes=principal.scopes | dataset.scopes)
    plan = replace(plan_export(dataset, request, ours, runtime.now()), row_limit=0)
    rows: list[dict[str, Any]] = []
    with closing(runtime.sources[dataset.source].read(plan, Stop())) as stream:
        for batch in stream:
            rows.extend(batch.to_pylist())
    return rows
