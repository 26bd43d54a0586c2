"""What requests may hold. The only pydantic of the native API; each body turns itself into plain data."""

from typing import Annotated, Any

from pydantic import AwareDatetime, ConfigDict, Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from offtake.errors import InvalidRequest
from offtake.model.dataset import FieldType, Sort
from offtake.model.export import DatePart, DateRange, ExportRequest, FieldChoice, Grouping, Measure, MeasureFn
from offtake.model.job import JobState
from offtake.service.exports import ORDINARY, PRIORITIES, Submission
from offtake.service.links import LONGEST_S
from offtake.service.signing import LONGEST_CURSOR
from offtake.service.wishes import parse_filter, read_grouping, read_measure
from offtake.web.bodies import LONGEST_TEXT, Label, StrictBody, Text

FAR_FUTURE = 9000  # years beyond it overflow when a zone is applied

MOST_IN_A_PAGE = 200

Instant = Annotated[AwareDatetime, Field(strict=False)]


class Body(StrictBody):
    """Values of a neighbouring type are errors too."""

    model_config = ConfigDict(strict=True)


class FieldBody(Body):
    """A field, or a field under a label of the caller's choice. A bare text is a field's name."""

    field: Text
    label: Label = Field(None, description="Text, or texts by language, of which the locale chooses one.")
    group: Text | None = Field(None, description="Of a custom field: the id of the form it must belong to.")
    shown_as: Annotated[FieldType, Field(strict=False)] | None = Field(
        None, alias="as", description="As what its values are wanted: an instant's day as `date`, anything as `string`."
    )

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        if not isinstance(value, str | dict):
            raise ValueError("A field is its name, or an object with its name as `field` and a `label`")
        return {"field": value} if isinstance(value, str) else value

    def to_choice(self) -> FieldChoice:
        """The choice it stands for."""
        return FieldChoice(self.field, self.label, self.group, self.shown_as)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"anyOf": [{"type": "string", "maxLength": LONGEST_TEXT}, handler.resolve_ref_schema(handler(schema))]}


class _TextOrBody(Body):
    """An object, or a text that says the same in short."""

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"anyOf": [{"type": "string", "maxLength": LONGEST_TEXT}, handler.resolve_ref_schema(handler(schema))]}


class GroupingBody(_TextOrBody):
    """Rows alike in this field, or in this part of its date, become one. A bare text is `field` or `field:part`."""

    field: Text
    part: Annotated[DatePart, Field(strict=False)] | None = None
    label: Text | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        return vars(read_grouping(value)) if isinstance(value, str) else value


class MeasureBody(_TextOrBody):
    """What is said of the rows that became one. A bare text is `fn` or `fn:field`."""

    fn: Annotated[MeasureFn, Field(strict=False)]
    field: Text | None = None
    label: Text | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        return vars(read_measure(value)) if isinstance(value, str) else value


class DateRangeBody(Body):
    """`from` ≤ x < `to`, in ISO 8601 or relative; a bare date as `to` covers that day."""

    start: Text | None = Field(None, alias="from")
    end: Text | None = Field(None, alias="to")
    field: Text | None = None
    inclusive: bool = Field(False, description="`to` itself is in the range.")


class ExportBody(Body):
    """What to export and how."""

    dataset: Text | None = Field(None, description="If given, the name in the path.")
    format: Text = "csv"
    fields: Annotated[list[FieldBody], Field(min_length=1, max_length=2000)] | None = None
    filter: dict[str, Any] | None = Field(
        None,
        description="A condition `{field, op, value | values}`, or `{and: […]}`, `{or: […]}`, `{not: …}`.",
        examples=[{"field": "status", "op": "eq", "value": "paid"}],
    )
    sort: list[Text] | None = Field(None, description="Field names; a leading `-` sorts descending. Nulls last.")
    q: Text = Field("", description="Text to look for in every text field.")
    date_range: DateRangeBody | None = None
    limit: Annotated[int, Field(ge=1, le=2**53)] | None = None
    locale: Text | None = Field(None, description="BCP 47, such as `es-CL`.")
    timezone: Text | None = Field(None, description="IANA, such as `America/Santiago`.")
    filename: Text | None = Field(
        None, description="What to call the file; `{dataset}`, `{date}`, `{datetime}` and `{format}` are filled in."
    )
    expand: Text | None = Field(None, description="An array field whose items become rows.")
    schema_: Text | None = Field(None, alias="schema", description="The id of the dataset's schema to export.")
    include_all_custom_fields: bool = Field(False, description="Append every custom field unless one is listed.")
    options: dict[str, Any] = Field({}, description="Options of the format.")
    compression: Text = Field("none", description="`none`, `gzip` or `zstd`.")
    part_rows: Annotated[int, Field(ge=1, le=2**53)] | None = Field(
        None, description="Make a zip of numbered files of at most so many rows."
    )
    part_bytes: Annotated[int, Field(ge=1, le=2**53)] | None = Field(
        None, description="Make a zip of numbered files, each ended by the rows that take it past so many bytes."
    )
    parts_if_needed: bool = Field(False, description="No zip if one file of `part_rows` rows holds all.")
    group_by: Annotated[list[GroupingBody], Field(max_length=100)] = Field([], description="What to group rows by.")
    measures: Annotated[list[MeasureBody], Field(max_length=100)] = Field([], description="What to say of each group.")
    top: int | None = Field(None, description="Keep so many keys of the first grouping; the rest becomes `other`.")
    allow_empty: bool = Field(True, description="`false` makes no rows an error instead of a file without any.")

    def to_request(self, dataset: str) -> ExportRequest:
        """The wish for that dataset. Raises InvalidRequest, InvalidFilter."""
        if self.dataset not in (None, dataset):
            raise InvalidRequest(
                "The body names another dataset than the path.", hint="Leave it out.", pointer="/dataset"
            )
        dates = self.date_range
        return ExportRequest(
            dataset=dataset,
            format=self.format,
            fields=None if self.fields is None else tuple(f.to_choice() for f in self.fields),
            filter=None if self.filter is None else parse_filter(self.filter),
            sort=None if self.sort is None else parse_sort(self.sort),
            q=self.q,
            date_range=None if dates is None else DateRange(dates.start, dates.end, dates.field, dates.inclusive),
            limit=self.limit,
            locale=self.locale,
            timezone=self.timezone,
            filename=self.filename,
            options=self.options,
            compression=self.compression,
            part_rows=self.part_rows,
            part_bytes=self.part_bytes,
            parts_if_needed=self.parts_if_needed,
            expand=self.expand,
            schema=self.schema_,
            include_all_custom_fields=self.include_all_custom_fields,
            group_by=tuple(Grouping(each.field, each.part, each.label) for each in self.group_by),
            measures=tuple(Measure(each.fn, each.field, each.label) for each in self.measures),
            top=self.top,
            allow_empty=self.allow_empty,
        )


StartAt = Annotated[Instant | None, Field(description="Not before this instant, at most a year from now.")]
Priority = Annotated[int, Field(ge=PRIORITIES[0], le=PRIORITIES[-1], description="1 goes first, 9 last.")]
ShareRunning = Annotated[bool, Field(description="Give this key's own export that does the same, if one is going on.")]


class DeliveryBody(Body):
    """Where the finished file goes: by mail, with `to`, `subject`, `attach`; into a store, with `target` and `name`."""

    channel: Text = Field(description="`mail` or `store`.")
    to: list[Text] = Field([], description="Mail addresses.")
    subject: Text = Field("{filename}", description="Of the mail; `{dataset}`, `{date}` and others are filled in.")
    attach: bool = Field(False, description="Attach the file if it is not too large. A link goes with it anyway.")
    target: Text | None = Field(None, description="A target that the settings name.")
    name: Text = Field("{filename}", description="Of the copy; placeholders as in `subject`, `/` for folders.")


Deliveries = Annotated[list[DeliveryBody], Field(max_length=10, description="Where the finished file goes.")]


def plain_deliveries(bodies: list[DeliveryBody]) -> tuple[dict[str, Any], ...]:
    """The deliveries as they were written; `service.recipients` checks them."""
    return tuple(body.model_dump(exclude_unset=True) for body in bodies)


class NewExportBody(ExportBody):
    """An export to run in the background."""

    dataset: Text
    start_at: StartAt = None
    priority: Priority = ORDINARY
    share_running: ShareRunning = False
    deliveries: Deliveries = Field([])

    def to_submission(self, idempotency_key: str | None) -> Submission:
        """How it is to be run."""
        return Submission(
            self.start_at,
            self.priority,
            idempotency_key,
            self.share_running,
            deliveries=plain_deliveries(self.deliveries),
        )


class Parameters(StrictBody):
    """A query string. A parameter without a value counts as absent, an unknown one is an error."""

    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, given: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in given.items() if value != ""}


PageLimit = Annotated[int, Field(ge=1, le=MOST_IN_A_PAGE)]
Cursor = Annotated[str | None, Field(max_length=LONGEST_CURSOR, description="`next_cursor` of the page before.")]


class PageQuery(Parameters):
    """Which page of a list."""

    limit: PageLimit = 50
    cursor: Cursor = None


class ExportsQuery(PageQuery):
    """Which exports to list."""

    state: JobState | None = None
    dataset: Text | None = None
    definition_id: Text | None = Field(None, description="Those that ran this definition.")


class LinkBody(Body):
    """How long a link shall last, in seconds."""

    expires_in_s: Annotated[int, Field(ge=1, le=LONGEST_S)]


class KeyBody(Body):
    """A key to make. Without a tenant it is the caller's own."""

    tenant: Text | None = None
    scopes: list[Text] = Field([])
    roles: list[Text] = Field([])
    expires_at: Instant | None = None

    @model_validator(mode="after")
    def _is_near(self) -> "KeyBody":
        if self.expires_at is not None and self.expires_at.year > FAR_FUTURE:
            raise ValueError("expires_at is too far away; leave it out for a key that does not expire")
        return self


def parse_sort(words: list[str]) -> tuple[Sort, ...]:
    """`-createdAt` is descending, `createdAt` and `+createdAt` ascending."""
    return tuple(Sort(word[1:] if word[:1] in "+-" else word, descending=word[:1] == "-") for word in words)
