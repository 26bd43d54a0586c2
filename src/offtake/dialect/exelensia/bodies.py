"""What requests hold, and the wishes that they are."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from offtake.errors import InvalidRequest
from offtake.model.dataset import Sort
from offtake.model.export import DateRange, ExportRequest, FieldChoice
from offtake.model.filter import And, Condition, Filter, Operator, Or
from offtake.service.exports import Submission
from offtake.service.schemas import SchemaView
from offtake.web.bodies import StrictBody, Text, utc_text

NAME = "exelensia"
# What a list can be sorted by, and what these are called below.
SORTABLE = {"id": "id", "status": "state", "createdAt": "created_at", "updatedAt": "updated_at"}
IN_FILES = "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'"
SUCCESS = "SUCCESS"
# As exactly as instants are shown; what was created within the last one shown is within the range.
MOMENT = timedelta(milliseconds=1)
LATEST = datetime.max.replace(tzinfo=UTC) - MOMENT


def read_instant(text: str, *, is_end: bool = False) -> datetime:
    """ISO 8601 as an instant, in UTC unless it says so; a bare date is its first moment, or its last. ValueError."""
    at = datetime.fromisoformat(text)
    at = (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    at = at.replace(microsecond=at.microsecond // 1000 * 1000)
    return at + (timedelta(days=1) - MOMENT) if is_end and _is_day(text) else at


def read_end(text: str) -> datetime:
    """The first moment that an inclusive end leaves out, or the last of all time. Raises ValueError, OverflowError."""
    return min(read_instant(text, is_end=True), LATEST) + MOMENT


def _is_day(text: str) -> bool:
    try:
        return bool(date.fromisoformat(text))
    except ValueError:
        return False


def _check_instant(text: str, where: ValidationInfo) -> str:
    try:
        read_end(text)
    except (ValueError, OverflowError):
        way = "such as 2024-01-31 or 2024-01-31T12:00:00.000Z"
        detail = f"{where.field_name}: {text[:40]!r} is no date in ISO 8601, {way}"
        raise ValueError(detail) from None
    return text


def _check_uuid(text: str, where: ValidationInfo) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        raise ValueError(f"{where.field_name}: {text[:40]!r} is no UUID") from None


Instant = Annotated[str, Field(max_length=40, examples=["2024-01-01T00:00:00.000Z"]), AfterValidator(_check_instant)]


class NewExport(StrictBody):
    """All results of one schema that were created in a range of time, both ends included."""

    schema_id: Annotated[str, Field(max_length=40, description="A UUID."), AfterValidator(_check_uuid)]
    start_date: Instant
    end_date: Instant
    expand_array: Annotated[Text | None, Field(description="The key of an array that becomes rows.")] = None

    def to_request(self, schema: SchemaView) -> ExportRequest:
        """The wish. Raises InvalidRequest for an array the schema does not have, or an end before the start."""
        if read_instant(self.end_date, is_end=True) < read_instant(self.start_date):
            raise InvalidRequest("end_date is before start_date.", pointer="/end_date")
        expand = None if self.expand_array is None else schema.array(self.expand_array).name
        created = schema.dataset.date_field
        return ExportRequest(
            dataset=schema.dataset.name,
            schema=schema.id,
            fields=tuple(_choices(schema, expand)),
            filter=Condition("status", Operator.EQ, (SUCCESS,)) if schema.dataset.find("status") else None,
            sort=(Sort(created),) if created else None,
            date_range=DateRange(read_instant(self.start_date).isoformat(), read_end(self.end_date).isoformat()),
            expand=expand,
            options={"instant_style": IN_FILES},
        )

    def to_submission(self, schema: SchemaView) -> Submission:
        """How it is to be run, with what the answers echo."""
        echo = self.model_dump() | {
            "start_date": write_instant(read_instant(self.start_date)),
            "end_date": write_instant(read_instant(self.end_date, is_end=True)),
        }
        return Submission(name=schema.name or None, dialect=NAME, extra=echo)


def _choices(schema: SchemaView, expand: str | None) -> Iterator[FieldChoice]:
    """What every result has, then the fields of the schema under their keys; the parts of an item have their own."""
    dataset = schema.dataset
    names = {field.column: field.name for field in dataset.fields if not field.path}
    own = {
        "result_id": names.get(dataset.key[0]) if dataset.key else None,
        "file_id": "file_id" if dataset.find("file_id") else None,
        "created_at": dataset.date_field,
    }
    for header, name in own.items():
        if name is not None:
            yield FieldChoice(name, header)
    for field in schema.fields:
        yield FieldChoice(field.name, None if field.name == expand else field.path[0])


def write_instant(at: datetime) -> str:
    """In UTC with three decimals, as every instant of the API."""
    return utc_text(at, "milliseconds")


class ExportsQuery(StrictBody):
    """Which exports, in which order, and what of them."""

    page: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    limit: Annotated[int, Field(ge=1, le=100)] = 20
    sort_by: Literal["id", "status", "createdAt", "updatedAt"] = "createdAt"
    sort_order: Literal["asc", "desc"] = "desc"
    search: Annotated[Text, Field(description="Part of an id, a schema's id or name, or a status.")] = ""
    created_after: Instant | None = None
    created_before: Instant | None = None
    fields: Annotated[Text | None, Field(description="Names of fields, with commas between.")] = None
    include: Annotated[Text | None, Field(description="`schema`.")] = None

    @model_validator(mode="before")
    @classmethod
    def _drop_empty(cls, sent: Any) -> Any:
        """A parameter without a value counts as absent."""
        return {name: text for name, text in sent.items() if text != ""} if isinstance(sent, Mapping) else sent

    @property
    def offset(self) -> int:
        """How many come before the page."""
        return (self.page - 1) * self.limit

    def to_sort(self) -> tuple[Sort, ...]:
        """In the words of the list."""
        return (Sort(SORTABLE[self.sort_by], descending=self.sort_order == "desc"),)

    def to_filter(self, statuses: Mapping[str, str]) -> Filter | None:
        """What an export must meet; `statuses` are the words for the states."""
        found: list[Filter] = []
        if self.search:
            named: list[Filter] = [Condition("words", Operator.CONTAINS, (self.search,))]
            states = [state for state, word in statuses.items() if self.search.casefold() in word.casefold()]
            named += [Condition("state", Operator.IN, tuple(statuses[state] for state in states))] if states else []
            found.append(Or(tuple(named)))
        if self.created_after is not None:
            found.append(Condition("created_at", Operator.GTE, (read_instant(self.created_after),)))
        if self.created_before is not None:
            found.append(Condition("created_at", Operator.LT, (read_end(self.created_before),)))
        return And(tuple(found)) if found else None


def split_names(text: str | None, known: Mapping[str, object], what: str) -> frozenset[str] | None:
    """Names with commas between. None if nothing was sent; raises InvalidRequest for one that is not known."""
    if text is None:
        return None
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in known:
            hint = f"Known: {', '.join(known)}."
            raise InvalidRequest(f"{what} has no {name[:40]!r}.", hint=hint, pointer=f"/{what}")
    return frozenset(names)
