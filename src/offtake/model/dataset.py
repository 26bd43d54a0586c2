"""What can be exported: datasets and their fields."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType


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
    """One named, typed column. `column` is its name in the database; `items` is the element type of a list."""

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


@dataclass(frozen=True)
class Sort:
    """One key of an order. NULLS LAST in both directions."""

    field: str
    descending: bool = False


@dataclass(frozen=True)
class CustomFields:
    """Fields that are rows of another dataset: `definitions` says which exist, `column` (json) holds the values."""

    column: str
    definitions: str
    id: str
    label: str
    type: str
    group: str = ""


@dataclass(frozen=True)
class Schemas:
    """Whole field lists that are rows of another dataset; `column` (json) holds each row's values."""

    dataset: str
    id: str
    fields: str
    column: str


_NO_ALIASES: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Dataset:
    """One table, view or saved query of a source, as configured.

    Exactly one of `table` and `sql` is set. `tenant_column` and `key` are column names; `date_field` is a field name.
    An empty `fields` means every column of the table, typed by reflection (`service.resolve_dataset` fills it in).
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

    def find(self, name: str) -> Field | None:
        """The field of that name, or None."""
        return next((f for f in self.fields if f.name == name), None)
