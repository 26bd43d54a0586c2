"""What can be exported: datasets and their fields."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType

DEEPEST = 16  # keys on the way to a value inside a json or struct column


class FieldType(StrEnum):
    """The type of a field as clients see it. The Arrow type that carries each is fixed in `ports.RowStream`."""

    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    DECIMAL = "decimal"
    BOOLEAN = "boolean"
    DATE = "date"
    DATETIME = "datetime"
    TIME = "time"
    UUID = "uuid"
    JSON = "json"
    LIST = "list"
    STRUCT = "struct"


class Mask(StrEnum):
    """What remains of a value for a principal without the field's `unless_scope`."""

    LAST4 = "last4"  # `****` and the last four characters; shorter values only `****`
    REDACT = "redact"  # `****`
    HIDE = "hide"  # the field does not exist for them


@dataclass(frozen=True)
class Field:
    """One named, typed column. `column` is its name in the database; `items` is the element type of a list.

    With a `path` the field is a value inside that json or struct column: one key after the other, from outside in.
    """

    name: str
    type: FieldType
    column: str
    label: str
    description: str = ""
    nullable: bool = True
    values: tuple[str, ...] = ()  # the only values a filter may name, if any are listed
    items: FieldType | None = None
    fields: tuple["Field", ...] = ()  # of a struct, or of a list's structs
    mask: Mask | None = None
    unless_scope: str = ""
    path: tuple[str, ...] = ()
    group: str = ""  # of a custom field: the form it belongs to, by its id
    group_label: str = ""


@dataclass(frozen=True)
class Sort:
    """One key of an order. NULLS LAST in both directions."""

    field: str
    descending: bool = False


@dataclass(frozen=True)
class CustomFields:
    """Fields that are rows of another dataset: `definitions` says which exist, `column` (json) holds the values by id.

    `id`, `label`, `type`, `group` (the form's id) and `group_label` (its name) are fields of the definitions.
    """

    column: str
    definitions: str
    id: str
    label: str
    type: str
    group: str = ""
    group_label: str = ""


@dataclass(frozen=True)
class Schemas:
    """Whole field lists that are rows of another dataset; `column` (json) holds each row's values.

    `id`, `fields` and `name` are fields of that dataset, the last perhaps none; `schema` is the column here that says
    which schema a row is of.
    """

    dataset: str
    id: str
    fields: str
    column: str
    schema: str = "schema_id"
    name: str = ""


# The foreign APIs that we speak.
DIALECTS = ("optimaite", "exelensia", "camunda", "altafid", "rebilly")
_NO_ALIASES: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Dataset:
    """One table, view or saved query of a source, as configured.

    Exactly one of `table` and `sql` is set. `tenant_column` and `key` are column names; `date_field` is a field name.
    An empty `fields` means every column of the table, typed by reflection (`service.resolve_dataset` fills it in).
    `custom` holds the fields one tenant added, shown only if asked for; rows without `rows_of`'s value in its column
    are not part of the dataset, and `schema_name` is what they are called. All are filled in for one request.
    """

    name: str
    source: str
    label: str = ""
    description: str = ""
    table: str = ""
    sql: str = ""
    fields: tuple[Field, ...] = ()
    tenant_column: str = ""
    scopes: frozenset[str] = frozenset()
    key: tuple[str, ...] = ()
    date_field: str = ""
    default_sort: tuple[Sort, ...] = ()
    row_limit: int = 0
    custom_fields: CustomFields | None = None
    schemas: Schemas | None = None
    aliases: Mapping[str, str] = field(default_factory=lambda: _NO_ALIASES)
    custom: tuple[Field, ...] = ()
    rows_of: tuple[str, str] | None = None
    schema_name: str = ""

    def find(self, name: str) -> Field | None:
        """The field of that name, or the one inside a json or struct field that it leads to; None if there is none."""
        known = {f.name: f for f in (*self.custom, *self.fields)}
        if name in known:
            return known[name]
        led = follow(name, known)
        return None if led is None else inside(known[led[0]], led[1])


def follow(name: str, known: Collection[str]) -> tuple[str, tuple[str, ...]] | None:
    """`lifetimeRevenue/amount` as the known name it begins with and the keys that follow; None if it begins with none.

    Keys are divided by `/` or `.`; of two known names the longer one counts.
    """
    divisions = [at for at, character in enumerate(name) if character in "/."]
    for at in reversed(divisions):
        keys = tuple(re.split("[/.]", name[at + 1 :]))
        if name[:at] in known and all(keys) and len(keys) <= DEEPEST:
            return name[:at], keys
    return None


def inside(field: Field, keys: tuple[str, ...]) -> Field | None:
    """The field that the keys lead to inside a json or struct field, named with dots; None if they lead nowhere.

    A struct's members are typed; a key nobody declared, in a json field, is text. What is in a list leads nowhere.
    """
    inner = field
    for key in keys:
        if inner.type is FieldType.JSON:
            inner = Field(keys[-1], FieldType.STRING, "", keys[-1])
            break
        members = inner.fields if inner.type is FieldType.STRUCT else ()
        found = next((member for member in members if member.name == key), None)
        if found is None:
            return None
        inner = found
    return replace(
        inner,
        name=".".join((field.name, *keys)),
        column=field.column,
        label=f"{field.label or field.name}: {inner.label or inner.name}",
        path=(*field.path, *keys),
        mask=field.mask,
        unless_scope=field.unless_scope,
    )
