"""The `datasets:` block: bodies to Dataset records, every name in them looked up."""

from collections.abc import Mapping

from offtake.model.dataset import DIALECTS, CustomFields, Dataset, Field, FieldType, Schemas, Sort
from offtake.settings.bodies import DatasetBody, FieldBody, FileBody, MemberBody
from offtake.settings.complaints import nearest
from offtake.settings.document import Document, Location


def build_datasets(document: Document, body: FileBody) -> Mapping[str, Dataset]:
    """Every dataset. Names are looked up in the file as written, so that one mistake is told once."""
    _check_aliases(document, body)
    return {name: _dataset(document, name, dataset) for name, dataset in body.datasets.items()}


def _dataset(document: Document, name: str, body: DatasetBody) -> Dataset:
    here: Location = ("datasets", name)
    _look_up(document, (*here, "source"), body.source, "source", document.names("sources"))
    _check_origin(document, here, name)
    fields = {key: _field(document, (*here, "fields", key), key, field) for key, field in body.fields.items()}
    _check_dates_and_order(document, here, body, fields)
    _check_references(document, here, body)
    return Dataset(
        name=name,
        source=body.source,
        label=body.label or name,
        description=body.description,
        table=body.table or "",
        sql=(body.sql or "").strip().rstrip(";"),
        fields=tuple(fields.values()),
        tenant_column=_column(fields, body.tenant_field or ""),
        scopes=frozenset(body.scopes),
        key=tuple(_column(fields, entry) for entry in body.key),
        date_field=body.date_field or "",
        default_sort=tuple(_sort(entry) for entry in body.default_sort),
        row_limit=body.row_limit,
        custom_fields=_custom_fields(body),
        schemas=_schemas(body, fields),
        aliases=dict(body.aliases),
    )


def _field(document: Document, here: Location, name: str, body: FieldBody) -> Field:
    if body.unless_scope and "mask" not in document.names(*here):
        document.complain((*here, "unless_scope"), "'unless_scope' does nothing without 'mask'")
    return Field(
        name=name,
        type=body.type,
        column=body.column or name,
        label=body.label or name,
        description=body.description,
        nullable=body.nullable,
        values=tuple(body.values),
        items=body.items,
        fields=_members(document, here, body),
        mask=body.mask,
        unless_scope=body.unless_scope or "",
    )


def _members(document: Document, here: Location, body: MemberBody) -> tuple[Field, ...]:
    """The members of a struct or of a list's structs; a problem if the type does not fit what is written."""
    written = document.names(*here)
    if body.type is FieldType.LIST and "items" not in written:
        document.complain(here, "a list needs 'items', the type of its elements")
    if body.type is not FieldType.LIST and body.items:
        document.complain((*here, "items"), "'items' is for lists only")
    if body.items is FieldType.LIST:
        document.complain((*here, "items"), "a list of lists is not supported; give it the type json")
    is_struct = FieldType.STRUCT in (body.type, body.items)
    if is_struct and "fields" not in written:
        document.complain(here, "a struct needs 'fields', its members")
    if body.fields and not is_struct:
        document.complain((*here, "fields"), "'fields' is for structs only")
    return tuple(_member(document, (*here, "fields", key), key, member) for key, member in body.fields.items())


def _member(document: Document, here: Location, name: str, body: MemberBody) -> Field:
    return Field(
        name=name,
        type=body.type,
        column=name,
        label=body.label or name,
        description=body.description,
        nullable=body.nullable,
        values=tuple(body.values),
        items=body.items,
        fields=_members(document, here, body),
    )


def _check_origin(document: Document, here: Location, name: str) -> None:
    written = document.names(*here)
    if "table" in written and "sql" in written:
        document.complain(here, f"dataset {name!r} has both 'table' and 'sql'; keep one of them")
    if "table" not in written and "sql" not in written:
        document.complain(here, f"dataset {name!r} needs 'table' or 'sql'")


def _check_dates_and_order(document: Document, here: Location, body: DatasetBody, fields: Mapping[str, Field]) -> None:
    """Without `fields:` the names are the table's columns, which only `offtake check` can see."""
    known = document.names(*here, "fields")
    if not known:
        return
    if body.date_field:
        _look_up(document, (*here, "date_field"), body.date_field, "field", known)
        field = fields.get(body.date_field)
        if field and field.type not in (FieldType.DATE, FieldType.DATETIME):
            document.complain(
                (*here, "date_field"), f"'date_field' expects a date or datetime, {field.name!r} is {field.type}"
            )
    for n, entry in enumerate(body.default_sort):
        _look_up(document, (*here, "default_sort", n), _sort(entry).field, "field", known)


def _check_references(document: Document, here: Location, body: DatasetBody) -> None:
    """What `custom_fields` and `schemas` name must be a dataset and fields of it."""
    if body.custom_fields:
        names = {key: getattr(body.custom_fields, key) for key in ("id", "label", "type", "group", "group_label")}
        _check_reference(document, (*here, "custom_fields"), "definitions", body.custom_fields.definitions, names)
    if body.schemas:
        names = {key: getattr(body.schemas, key) for key in ("id", "fields", "name")}
        _check_reference(document, (*here, "schemas"), "dataset", body.schemas.dataset, names)


def _check_reference(
    document: Document, here: Location, key: str, dataset: str, names: Mapping[str, str | None]
) -> None:
    _look_up(document, (*here, key), dataset, "dataset", document.names("datasets"))
    known = document.names("datasets", dataset, "fields")
    for entry, name in names.items():
        if name and known:
            _look_up(document, (*here, entry), name, "field", known)


def _check_aliases(document: Document, body: FileBody) -> None:
    """A dialect must know two datasets by two names. An alias may be another dataset's name: it then hides that one."""
    taken: dict[tuple[str, str], str] = {}
    for name, dataset in body.datasets.items():
        for dialect, alias in dataset.aliases.items():
            here = ("datasets", name, "aliases", dialect)
            _look_up(document, here, dialect, "dialect", DIALECTS)
            first = taken.setdefault((dialect, alias), name)
            if first != name:
                document.complain(here, f"{dialect} knows both {first!r} and {name!r} as {alias!r}")


def _look_up(document: Document, here: Location, word: str, kind: str, known: tuple[str, ...]) -> None:
    if word not in known:
        document.complain(here, f"unknown {kind} {word!r}{nearest(word, known) or _listed(known)}")


def _listed(known: tuple[str, ...]) -> str:
    return f"; known: {', '.join(known)}" if 0 < len(known) <= 12 else ""


def _column(fields: Mapping[str, Field], name: str) -> str:
    """The column of the field with that name; no such field = the name is a column's."""
    return fields[name].column if name in fields else name


def _sort(entry: str) -> Sort:
    return Sort(entry.removeprefix("-"), descending=entry.startswith("-"))


def _custom_fields(body: DatasetBody) -> CustomFields | None:
    return CustomFields(**body.custom_fields.model_dump(exclude_none=True)) if body.custom_fields else None


def _schemas(body: DatasetBody, fields: Mapping[str, Field]) -> Schemas | None:
    spec = body.schemas
    if spec is None:
        return None
    return Schemas(spec.dataset, spec.id, spec.fields, spec.column, _column(fields, spec.schema_), spec.name or "")
