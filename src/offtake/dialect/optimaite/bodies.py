"""What requests hold and what answers look like; a configuration's body as the draft of a definition."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, Field

from offtake.errors import InvalidFilter, InvalidRequest
from offtake.model.export import DateRange, ExportRequest, FieldChoice
from offtake.model.filter import And, Filter
from offtake.model.saved import Draft
from offtake.model.schedule import Timetable
from offtake.service.datasets import DatasetView, FieldView
from offtake.service.definitions import LONGEST_DESCRIPTION, LONGEST_NAME
from offtake.service.schedules import LONGEST_RULE, read_timetable
from offtake.service.wishes import match_any, which_rows
from offtake.web.bodies import LabelText, LenientBody, Text

DIALECT = "optimaite"
LONGEST_TOKEN_H, USUAL_TOKEN_H = 8760, 24
MOST_LISTED, USUAL_LISTED, MOST_PAGES = 1000, 50, 1_000_000
MOST_COLUMNS = 2000
RANGE = ("date_from", "date_to")
DAY = "date"
NATIVE = "native"
A_TIME = "2026-06-01T08:00:00"


class FileFormat(StrEnum):
    """What the file is."""

    JSON = "json"
    CSV = "csv"
    XLSX = "xlsx"


class ColumnBody(LenientBody):
    """A field, and what stands over it."""

    field: Text
    label: LabelText | None = Field(None, description="If absent, the field's own.")


class ScheduleBody(LenientBody):
    """When it runs by itself."""

    rrule: Annotated[str, Field(max_length=LONGEST_RULE)] = Field(description="RFC 5545", examples=["FREQ=DAILY"])
    timezone: Text | None = Field(None, description="IANA; UTC if absent.")
    start: Text | None = Field(
        None,
        description="Local to the zone, or with an offset; if absent, this minute.",
        examples=[A_TIME],
    )

    def to_timetable(self, now: datetime) -> Timetable:
        """The timetable. Raises InvalidRequest for a start that cannot be read and for an unknown zone."""
        try:
            start = datetime.fromisoformat(self.start) if self.start else now.replace(second=0, microsecond=0)
        except ValueError:
            raise InvalidRequest("start is no time.", hint=f"Write it like {A_TIME}.", pointer="/schedule") from None
        return read_timetable(self.rrule, self.timezone or "UTC", start)


class ConfigBody(LenientBody):
    """What to export and how, under a name."""

    name: Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]
    description: Annotated[str, Field(max_length=LONGEST_DESCRIPTION)] | None = None
    source: Text = Field(examples=["invoices"])
    format: FileFormat = FileFormat.JSON
    filters: dict[str, Any] | None = Field(None, examples=[{"date_from": "2026-05-01", "date_to": "2026-05-31"}])
    columns: Annotated[list[ColumnBody], Field(max_length=MOST_COLUMNS)] | None = Field(
        None, description="None at all are all fields."
    )
    schedule: ScheduleBody | None = None

    def to_draft(self, dataset: DatasetView) -> Draft:
        """What is to be saved. Raises InvalidFilter."""
        filters = self.filters or {}
        request = ExportRequest(
            dataset.name,
            self.format.value,
            fields=tuple(FieldChoice(each.field, each.label or None) for each in self.columns or ()) or None,
            filter=read_filters(filters, dataset),
            date_range=read_dates(filters),
            filename=self.name.translate({ord("{"): "(", ord("}"): ")"}) + "_{date}",
            options={} if self.format is FileFormat.JSON else {"header": "label"},
        )
        extra: dict[str, Any] = {"filters": filters, "read_as": which_rows(request)}
        if self.schedule is not None:
            extra["start"] = self.schedule.start
        return Draft(self.name, request, self.description or "", dialect=DIALECT, extra=extra)


class TokenBody(LenientBody):
    """How long a token shall open the configuration."""

    expires_in_hours: Annotated[int, Field(ge=1, le=LONGEST_TOKEN_H, strict=True)] = USUAL_TOKEN_H


class ListQuery(LenientBody):
    """Which part of the list; without either, all of it."""

    page: Annotated[int, Field(ge=1, le=MOST_PAGES)] | None = None
    limit: Annotated[int, Field(ge=1, le=MOST_LISTED)] | None = None


class ColumnAnswer(BaseModel):
    """A field, and what stands over it; null = its own label."""

    field: str
    label: str | None


class ScheduleAnswer(BaseModel):
    """When it runs by itself."""

    rrule: str
    timezone: str
    start: str


class ConfigAnswer(BaseModel):
    """An export configuration."""

    id: str = Field(examples=["exp_01ABCDEFG"])
    name: str
    description: str
    source: str
    format: str
    filters: dict[str, Any]
    columns: list[ColumnAnswer] = Field(description="Empty = all fields.")
    schedule: ScheduleAnswer | None
    last_executed_at: datetime | None
    created_at: datetime


class ListMeta(BaseModel):
    """How many there are."""

    total: int


class ConfigList(BaseModel):
    """Export configurations, the newest first."""

    data: list[ConfigAnswer]
    meta: ListMeta


class RowsMeta(BaseModel):
    """Of what, when, how many."""

    config_id: str
    executed_at: datetime
    row_count: int


class RowsAnswer(BaseModel):
    """The rows, each with the configuration's fields."""

    meta: RowsMeta
    data: list[dict[str, Any]]


class TokenAnswer(BaseModel):
    """A token, which is shown this once."""

    token: str = Field(examples=["exp_tok_abc123def456"])
    expires_at: datetime


def read_filters(filters: Mapping[str, Any], dataset: DatasetView) -> Filter | None:
    """Every key but those of dates, all of which must hold. Raises InvalidFilter."""
    found = []
    for key, value in filters.items():
        if key in (*RANGE, DAY):
            continue
        fields = [field for field in dataset.fields if field.name in (key, f"{key}_id", f"{key}_name")]
        if not fields:
            raise InvalidFilter(
                f"{dataset.name} has no filter {key[:80]!r}.", hint=_ways_out(key, dataset), pointer=f"/filters/{key}"
            )
        if value is not None:
            found.append(_match(key, fields, value if isinstance(value, list) else [value]))
    return And(tuple(found)) if found else None


def _match(key: str, fields: Sequence[FieldView], values: Sequence[Any]) -> Filter:
    try:
        return match_any(fields, values, f"/filters/{key}")
    except InvalidFilter as error:
        raise InvalidFilter(f"{key}: {error.detail}", hint=error.hint, pointer=f"/filters/{key}") from error


def _ways_out(key: str, dataset: DatasetView) -> str:
    if key == NATIVE:
        return "These were written natively: write them anew, or change them there."
    return f"Filters: {', '.join([*RANGE, *(field.name for field in dataset.fields if field.operators)])}."


def read_dates(filters: Mapping[str, Any]) -> DateRange | None:
    """`date_from` and `date_to`, both inclusive; `date` is one day. Raises InvalidFilter."""
    given = {key: filters.get(key) for key in (*RANGE, DAY)}
    for key, value in given.items():
        if value is not None and not (isinstance(value, str) and value.strip()):
            raise InvalidFilter(f"{key} is no date.", hint="Write it like 2026-05-31.", pointer=f"/filters/{key}")
    start, end, day = given.values()
    if day is not None and (start, end) != (None, None):
        raise InvalidFilter("date is one day.", hint="Write date_from and date_to.", pointer=f"/filters/{DAY}")
    if (start, end, day) == (None, None, None):
        return None
    return DateRange(day or start, day or end, inclusive=True)
