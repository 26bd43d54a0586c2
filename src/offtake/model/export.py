"""A wish and its proof: what one caller asks for, and the plan that may be run."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from offtake.model.dataset import Dataset, Field, FieldType, Mask, Sort
from offtake.model.filter import Filter

_NO_OPTIONS: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class FieldChoice:
    """A field the caller wants, under the label it wants (none = its own header), or labels by BCP 47 tag.

    A `group` says which form a custom field must belong to; `shown_as`, as what its values are wanted.
    """

    field: str
    label: str | Mapping[str, str] | None = None
    group: str | None = None
    shown_as: FieldType | None = None


@dataclass(frozen=True)
class DateRange:
    """`start ≤ x < end` as the caller wrote it: ISO 8601 or relative. No side = open; no field = the dataset's.

    An `inclusive` one has its end too: `start ≤ x ≤ end`.
    """

    start: str | None = None
    end: str | None = None
    field: str | None = None
    inclusive: bool = False


class DatePart(StrEnum):
    """What of a date makes rows alike. Weeks are those of ISO 8601, which begin on Monday."""

    YEAR = "year"
    QUARTER = "quarter"
    MONTH = "month"
    WEEK = "week"
    DAY = "day"
    HOUR = "hour"


@dataclass(frozen=True)
class Grouping:
    """All rows that are alike in this field, or in this part of its date, become one row of a report."""

    field: str
    part: DatePart | None = None
    label: str | None = None


class MeasureFn(StrEnum):
    """What a report says of the rows that became one. Nulls count for nothing."""

    COUNT = "count"
    COUNT_DISTINCT = "count_distinct"
    SUM = "sum"
    AVG = "avg"
    MIN = "min"
    MAX = "max"
    MEDIAN = "median"
    SHARE = "share"  # of the sum (without a field: of the rows) of all groups together, from 0 to 1


@dataclass(frozen=True)
class Measure:
    """One number of a report; `count` and `share` without a field count rows."""

    fn: MeasureFn
    field: str | None = None
    label: str | None = None


@dataclass(frozen=True)
class ExportRequest:
    """One caller's wish, in words of the service, not yet checked. Which entrypoint it came through is not in here.

    `fields` None = every visible field in dataset order; `filter` is a tree of `query.filters`, its values as sent.
    `expand` names an array field that becomes rows; `schema` is the id of one of the dataset's schemas.
    `include_all_custom_fields` appends every custom field unless `fields` names one. `part_rows` and `part_bytes` make
    the file a zip of numbered parts, each a whole file of at most so many rows, or that ends with the batch that takes
    it past so many bytes; `parts_if_needed` leaves it as it is if one part of `part_rows` holds all. With `group_by` or
    `measures` the file is a report: a row for each group, counted if no measure is named; all groups whose key of the
    first grouping is not among the `top` are one group, called "other".
    Unless `allow_empty`, no rows at all are an error instead of a file without any.
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
    parts_if_needed: bool = False
    group_by: tuple[Grouping, ...] = ()
    measures: tuple[Measure, ...] = ()
    top: int | None = None
    allow_empty: bool = True


@dataclass(frozen=True)
class Column:
    """One column of the file: a field, the header it gets, and the mask this principal sees it through.

    A masked column is text whatever its field's type, so `type` is what encoders and sources must use.
    `label` is what the request gave, else None: formats then print the field's name (or its label where they say so).
    `shown_as` is the type that the engine makes of the values between the two; None = they stay as they are.
    """

    field: Field
    label: str | None = None
    mask: Mask | None = None
    shown_as: FieldType | None = None

    @property
    def name(self) -> str:
        """The field's name: the Arrow column's name, the JSON key."""
        return self.field.name

    @property
    def type(self) -> FieldType:
        """The type the values arrive in."""
        return FieldType.STRING if self.mask else self.field.type

    @property
    def shown(self) -> "Column":
        """The column as the file has it."""
        if self.shown_as is None:
            return self
        return Column(replace(self.field, type=self.shown_as, items=None, fields=()), self.label, self.mask)


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
class ReportKey:
    """A grouping, proven: the field that is read, and the column its keys have in the report."""

    column: Column
    field: Field
    part: DatePart | None = None


@dataclass(frozen=True)
class ReportMeasure:
    """A measure, proven: the field that is read, and the column its numbers have in the report."""

    column: Column
    fn: MeasureFn
    field: Field | None = None


@dataclass(frozen=True)
class Report:
    """The groups that a plan's rows become. Dates are divided as clocks and calendars in the zone do.

    Its plan's `columns` are those of the keys, then those of the measures; its plan's `order` names them, and its
    `limit` and `row_limit` count groups.
    """

    keys: tuple[ReportKey, ...]
    measures: tuple[ReportMeasure, ...]
    timezone: str
    top: int | None = None


@dataclass(frozen=True)
class Plan:
    """A request proven valid, with everything its principal may not see already taken out.

    Only `query.plan.plan_export` makes one. `confinement` None means the dataset has no tenant column or the caller may
    cross tenants (the command line's `--all-tenants`). `row_limit` 0 = none, or nothing that `limit` does not keep
    already; sources refuse a read beyond it before its first row. `limit` None = all rows. A `counted` one is read with
    its number of rows told first, which costs a count. `order` ends with the
    dataset's key whenever it is not empty, and so is total.
    """

    dataset: Dataset
    columns: tuple[Column, ...]
    confinement: Confinement | None = None
    where: Filter | None = None
    order: tuple[OrderKey, ...] = ()
    limit: int | None = None
    row_limit: int = 0
    counted: bool = False
    reader: Reader = Reader()
    expansion: Expansion | None = None
    planned_at: datetime | None = None
    asked_by: str = ""
    report: Report | None = None
    allow_empty: bool = True

    @property
    def file_columns(self) -> tuple[Column, ...]:
        """The columns of the file; `columns` are those that are read."""
        return tuple(column.shown for column in (self.expansion.columns if self.expansion else self.columns))
