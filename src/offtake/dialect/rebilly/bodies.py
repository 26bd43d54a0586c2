"""What requests hold, and the wishes that they are."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from offtake.errors import InvalidRequest, NotFound
from offtake.model.access import Principal
from offtake.model.dataset import Sort
from offtake.model.export import DateRange, ExportRequest, FieldChoice
from offtake.model.job import Recurrence
from offtake.service.datasets import leaf_names
from offtake.service.exports import Submission
from offtake.service.names import dataset_called
from offtake.service.runtime import Runtime
from offtake.service.wishes import read_filter_text
from offtake.web.bodies import LenientBody, Text, utc_text

NAME = "rebilly"
PART_ROWS = 1_000_000
MOST_LISTED = 1000
DEFAULT_LIMIT = 100
CREATED = "createdTime"
YEARS = range(1970, 2201)
AN_INSTANT = "an instant, such as 2027-01-31T12:00:00Z"
ID = re.compile(r"[@~\-.\w]{1,50}", re.ASCII)


class FileFormat(StrEnum):
    """What the file is."""

    CSV = "csv"
    JSON = "json"
    JSON_API = "json-api"
    XML = "xml"
    PDF = "pdf"
    DETAILED_CSV = "detailed-csv"


NATIVE = {FileFormat.JSON_API: "jsonapi", FileFormat.DETAILED_CSV: "csv"}


def _unless_empty(value: Any) -> Any:
    """PHP writes an object that holds nothing as an empty array."""
    return None if value == [] else value


def _read_moment(value: Any) -> datetime | None:
    try:
        moment = None if value is None else datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError(f"Here stands {AN_INSTANT}") from None
    if moment is not None and moment.year not in YEARS:
        raise ValueError(f"The year is one of {YEARS[0]} to {YEARS[-1]}")
    return moment


Moment = Annotated[datetime | None, BeforeValidator(_read_moment, datetime | None)]
Nothing = Annotated[list[Any], Field(max_length=0)]
Name = Annotated[str, Field(max_length=200)]


class Arguments(LenientBody):
    """Which rows, in which order."""

    filter: Annotated[str | None, Field(max_length=10_000, examples=["status:active;country:US,CA"])] = None
    sort: Annotated[Text | None, Field(examples=["-createdTime"])] = None
    q: Annotated[Text | None, Field(description="Part of a text field.")] = None


class DateRangeBody(LenientBody):
    """From `start` on and before `end`: ISO 8601, or words such as `first day of last month midnight`."""

    start: Text | None = None
    end: Text | None = None
    field: Annotated[Text | None, Field(description="`createdTime` if absent.")] = None

    def to_range(self, default: str | None) -> DateRange | None:
        """The range; None for all time. Raises InvalidRequest if it has one side only."""
        if self.start is None and self.end is None:
            return None
        for name, side in (("start", self.start), ("end", self.end)):
            if not side:
                raise InvalidRequest(f"{name} is missing.", pointer=f"/dateRange/{name}")
        return DateRange(self.start, self.end, self.field or default)


class Recurring(LenientBody):
    """When it recurs."""

    instruction: Annotated[Text, Field(description="An RFC 5545 rule.", examples=["RRULE:FREQ=DAILY"])]
    start: Annotated[Moment, Field(description="Of the first; now if absent.")] = None

    def to_recurrence(self, now: datetime) -> Recurrence:
        """The rule and where it is counted from, to the second."""
        start = self.start or now
        start = start if start.tzinfo else start.replace(tzinfo=UTC)
        return Recurrence(self.instruction, start.astimezone(UTC).replace(microsecond=0))


class DataExportBody(LenientBody):
    """What to export, and how."""

    name: Annotated[str, Field(min_length=1, max_length=50)]
    format: FileFormat
    resource: Annotated[Text, Field(examples=["customers"])]
    arguments: Annotated[Arguments | None, BeforeValidator(_unless_empty, Arguments | Nothing | None)] = None
    email_notification: Annotated[list[Name] | None, Field(alias="emailNotification", max_length=50)] = None
    fields: Annotated[list[Name] | None, Field(max_length=2000, examples=[["id", "lifetimeRevenue/amount"]])] = None
    recurring: Annotated[Recurring | None, BeforeValidator(_unless_empty, Recurring | Nothing | None)] = None
    date_range: Annotated[
        DateRangeBody | None,
        BeforeValidator(_unless_empty, DateRangeBody | Nothing | None),
        Field(alias="dateRange"),
    ] = None

    def to_request(self, runtime: Runtime, caller: Principal) -> ExportRequest:
        """The wish. Raises InvalidRequest for a resource that does not exist, InvalidFilter."""
        try:
            dataset = dataset_called(runtime, NAME, self.resource, caller)
        except NotFound as error:
            raise InvalidRequest(
                f"There is no resource {self.resource!r}.", hint=error.hint, pointer="/resource"
            ) from None
        arguments, names = self.arguments or Arguments(), tuple(self.fields or ())
        if self.format is FileFormat.DETAILED_CSV:
            names = leaf_names(runtime, caller, dataset, names)
        return ExportRequest(
            dataset,
            NATIVE.get(self.format, self.format.value),
            fields=tuple(FieldChoice(name) for name in names) or None,
            filter=read_filter_text(arguments.filter) if arguments.filter else None,
            sort=read_sort(arguments.sort),
            q=arguments.q or "",
            date_range=self.date_range.to_range(date_field(runtime, dataset)) if self.date_range else None,
            filename=f"{self.name.translate(NO_BRACES)}_{{date}}",
            options={"type": self.resource} if self.format is FileFormat.JSON_API else {},
            part_rows=PART_ROWS,
            parts_if_needed=True,
        )

    def to_submission(self, external_id: str | None, now: datetime) -> Submission:
        """How it is to be run, with everything that answers echo."""
        to = list(self.email_notification or ())
        recurrence = self.recurring.to_recurrence(now) if self.recurring else None
        return Submission(
            deliveries=({"channel": "mail", "to": to},) if to else (),
            name=self.name,
            dialect=NAME,
            external_id=external_id,
            extra=self.echo(recurrence),
            recurrence=recurrence,
        )

    def echo(self, recurrence: Recurrence | None) -> Mapping[str, Any]:
        """What only the client's own words can say again."""
        arguments = self.arguments or Arguments()
        dates = self.date_range if self.date_range and self.date_range.start else None
        return {
            "resource": self.resource,
            "format": self.format.value,
            "arguments": arguments.model_dump(exclude_none=True),
            "emailNotification": list(self.email_notification or ()),
            "fields": list(self.fields or ()),
            "recurring": recurrence and {"instruction": recurrence.rrule, "start": utc_text(recurrence.start)},
            "dateRange": dates and {**dates.model_dump(exclude_none=True), "field": dates.field or CREATED},
        }


NO_BRACES = str.maketrans("{}", "()")


def date_field(runtime: Runtime, dataset: str) -> str | None:
    """Whose dates a range without a `field` means; None = the dataset's own."""
    found = runtime.datasets[dataset]
    return CREATED if not found.fields or found.find(CREATED) else None


def read_sort(text: str | None) -> tuple[Sort, ...] | None:
    """`-createdTime,id` as an order."""
    words = [word.strip() for word in (text or "").split(",")]
    return tuple(Sort(word.removeprefix("-"), word.startswith("-")) for word in words if word) or None


class ListQuery(LenientBody):
    """Which of the exports."""

    limit: Annotated[int, Field(ge=0, le=MOST_LISTED, description="0 means the default.")] = DEFAULT_LIMIT
    offset: Annotated[int, Field(ge=0, le=2**31)] = 0
    sort: Annotated[Text | None, Field(description="`-createdTime,name`; the newest first if absent.")] = None
    filter: Annotated[Text | None, Field(description="`status:completed;createdTime:2026-01-01..`")] = None
    criteria: Annotated[Text | None, Field(description="Another filter.")] = None
    q: Annotated[Text | None, Field(description="Part of the id or the name.")] = None
    expand: Annotated[Text | None, Field(description="`user`, `file`, or both with a comma.")] = None
