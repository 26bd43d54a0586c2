"""A wish and its proof: what one caller asks for, and the plan that may be run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any

from offtake.model.dataset import Dataset, Field, FieldType, Mask, Sort
from offtake.model.filter import Filter

_NO_OPTIONS: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class FieldChoice:
    """A field the caller wants, under the label it wants (none = its own header).

    A `group` says which form a custom field must belong to.
    """

    field: str
    label: str | None = None
    group: str | None = None


@dataclass(frozen=True)
class DateRange:
    """`start ≤ x < end` as the caller wrote it: ISO 8601 or relative. No side = open; no field = the dataset's."""

    start: str | None = None
    end: str | None = None
    field: str | None = None


@dataclass(frozen=True)
class ExportRequest:
    """One caller's wish, in words of the service, not yet checked. Which entrypoint it came through is not in here.

    `fields` None = every visible field in dataset order; `filter` is a tree of `query.filters`, its values as sent.
    `expand` names an array field that becomes rows; `schema` is the id of one of the dataset's schemas.
    `include_all_custom_fields` appends every custom field unless `fields` names one. `part_rows` and `part_bytes` make
    the file a zip of numbered parts, each a whole file of at most so many rows, or that ends with the batch that takes
    it past so many bytes.
    """

    dataset: str
    format: str = "csv"
    fields: tuple[FieldChoice, ...] | None = None
    filter: Filter | None = None
    sort: tuple[Sort, ...] | None = None
    q: str = ""
    date_range: DateRange | None = None
    limit: int | None = None
    locale: str | None = None
    timezone: str | None = None
    filename: str | None = None
    options: Mapping[str, Any] = field(default_factory=lambda: _NO_OPTIONS)
    compression: str = "none"
    expand: str | None = None
    schema: str | None = None
    include_all_custom_fields: bool = False
    part_rows: int | None = None
    part_bytes: int | None = None


@dataclass(frozen=True)
class Column:
    """One column of the file: a field, the header it gets, and the mask this principal sees it through.

    A masked column is text whatever its field's type, so `type` is what encoders and sources must use.
    `label` is what the request gave, else None: formats then print the field's name (or its label where they say so).
    """

    field: Field
    label: str | None = None
    mask: Mask | None = None

    @property
    def name(self) -> str:
        """The field's name: the Arrow column's name, the JSON key."""
        return self.field.name

    @property
    def type(self) -> FieldType:
        """The type the values arrive in."""
        return FieldType.STRING if self.mask else self.field.type


@dataclass(frozen=True)
class Expansion:
    """One array turned into rows. `array` names the column that is read, a list of scalars or structs.

    `columns` are the file's, in order: columns that are read, by name, and parts of an item, whose fields have no
    column and a `path` that leads there from the item. An empty path is the item itself.
    """

    array: str
    columns: tuple[Column, ...]


@dataclass(frozen=True)
class Reader:
    """For whom the file is written: BCP 47 tag, IANA zone. None = ISO 8601, plain numbers, UTC."""

    locale: str | None = None
    timezone: str | None = None


@dataclass(frozen=True)
class Confinement:
    """The wall of a tenant: every row read has its name, or its uuid if one is given, in this column."""

    column: str
    tenant: str
    uuid: str = ""


@dataclass(frozen=True)
class OrderKey:
    """One key of a plan's order: a column of the database, NULLS LAST; `type` None if no field shows that column.

    With a `path`, the value that it leads to inside the column.
    """

    column: str
    descending: bool = False
    type: FieldType | None = None
    path: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """A request proven valid, with everything its principal may not see already taken out.

    Only `query.plan.plan_export` makes one. `confinement` None means the dataset has no tenant column or the caller may
    cross tenants (the command line's `--all-tenants`). `row_limit` 0 = none, or nothing that `limit` does not keep
    already; sources refuse a read beyond it before its first row. `limit` None = all rows. `order` ends with the
    dataset's key whenever it is not empty, and so is total.
    """

    dataset: Dataset
    columns: tuple[Column, ...]
    confinement: Confinement | None = None
    where: Filter | None = None
    order: tuple[OrderKey, ...] = ()
    limit: int | None = None
    row_limit: int = 0
    reader: Reader = Reader()
    expansion: Expansion | None = None
    planned_at: datetime | None = None
    asked_by: str = ""

    @property
    def file_columns(self) -> tuple[Column, ...]:
        """The columns of the file; `columns` are those that are read."""
        return self.expansion.columns if self.expansion else self.columns
