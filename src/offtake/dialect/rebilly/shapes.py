"""How exports, files and errors look."""

from collections.abc import Callable, Collection, Mapping
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema
from starlette.requests import Request

from offtake.errors import OfftakeError, RowLimitExceeded
from offtake.model.access import Principal
from offtake.model.dataset import Field as Column
from offtake.model.dataset import FieldType
from offtake.model.delivery import Event
from offtake.model.job import Artifact, ExportJob, JobState
from offtake.service.links import Link, link_to, offered_file
from offtake.service.runtime import Runtime
from offtake.web.bodies import utc_text

LINK_S = 3600
STATES: Mapping[str, str] = {
    JobState.SCHEDULED: "pending",
    JobState.QUEUED: "queued",
    JobState.RUNNING: "processing",
    JobState.SUCCEEDED: "completed",
    JobState.FAILED: "failed",
    JobState.CANCELLED: "failed",
}
TOO_MANY_ROWS, NO_MORE_TRIES = "record-limit-exceeded", "max-retries-reached"

# What the list can be filtered and sorted by: the name here, and what it is called below.
COLUMNS = (
    *(
        Column(name, FieldType.STRING, column, name)
        for name, column in {
            "id": "id",
            "name": "name",
            "resource": "dataset",
            "userId": "principal",
            "fileId": "file",
        }.items()
    ),
    Column("status", FieldType.STRING, "state", "status", values=tuple(dict.fromkeys(STATES.values()))),
    *(
        Column(name, FieldType.DATETIME, column, name)
        for name, column in {
            "createdTime": "created_at",
            "updatedTime": "updated_at",
            "scheduledTime": "due_at",
        }.items()
    ),
    Column("recordCount", FieldType.INTEGER, "rows", "recordCount"),
)


class Answer(BaseModel):
    """What the service says; keys that are not set are left out."""

    model_config = ConfigDict(populate_by_name=True)


class LinkAnswer(Answer):
    """Where something related is."""

    rel: Annotated[str, Field(examples=["self", "user", "download", "signedLink"])]
    href: str


class ArgumentsAnswer(Answer):
    """As they were sent."""

    filter: str = ""
    sort: str = ""
    q: str = ""


class RecurringAnswer(Answer):
    """As it was sent, with its start."""

    instruction: str
    start: str


class DateRangeAnswer(Answer):
    """As it was sent, with its field."""

    start: str
    end: str
    field: str


class FileAnswer(Answer):
    """A finished file."""

    id: str
    name: str
    extension: str
    description: str
    source_type: Annotated[str | None, Field(alias="sourceType")]
    tags: list[str]
    mime: str
    size: int
    created_time: Annotated[str, Field(alias="createdTime", json_schema_extra={"format": "date-time"})]
    updated_time: Annotated[str, Field(alias="updatedTime", json_schema_extra={"format": "date-time"})]
    is_public: Annotated[bool, Field(alias="isPublic")]
    links: Annotated[list[LinkAnswer], Field(alias="_links")]


class UserAnswer(Answer):
    """Somebody who asked for exports: a key, or the holder of tokens."""

    id: str
    links: Annotated[list[LinkAnswer], Field(alias="_links")]


class EmbeddedAnswer(Answer):
    """What `expand` asked for."""

    user: UserAnswer | SkipJsonSchema[None] = None
    file: Annotated[FileAnswer | None, Field(description="Null as long as there is none.")] = None


class DataExport(Answer):
    """An export."""

    id: str
    name: str
    resource: str
    format: str
    arguments: ArgumentsAnswer
    email_notification: Annotated[list[str], Field(alias="emailNotification")]
    fields: list[str]
    recurring: RecurringAnswer | None
    date_range: Annotated[DateRangeAnswer | None, Field(alias="dateRange")]
    user_id: Annotated[str, Field(alias="userId")]
    file_id: Annotated[str | None, Field(alias="fileId")]
    record_count: Annotated[int, Field(alias="recordCount")]
    scheduled_time: Annotated[str, Field(alias="scheduledTime", json_schema_extra={"format": "date-time"})]
    created_time: Annotated[str, Field(alias="createdTime", json_schema_extra={"format": "date-time"})]
    updated_time: Annotated[str, Field(alias="updatedTime", json_schema_extra={"format": "date-time"})]
    status: Annotated[str, Field(examples=["pending", "queued", "processing", "completed", "failed"])]
    failure_reason: Annotated[str | None, Field(alias="failureReason", examples=[TOO_MANY_ROWS, NO_MORE_TRIES])]
    links: Annotated[list[LinkAnswer], Field(alias="_links", min_length=1, max_length=4)]
    embedded: Annotated[EmbeddedAnswer, Field(alias="_embedded")] = EmbeddedAnswer()


class Places:
    """Where things are, as whoever asks reaches them. `base` ends before the prefix, which may hold `{org}`."""

    def __init__(self, base: str, prefix: str, organization: str | None) -> None:
        named = f"/organizations/{quote(organization, safe='')}" if organization else ""
        below = base + prefix.replace("/organizations/{org}", named)
        self._exports, self._users, self._files = f"{below}/data-exports", f"{below}/users", f"{base}{named}/files"

    def export(self, job: ExportJob) -> str:
        """The export."""
        return f"{self._exports}/{quote(job.public_id)}"

    def user(self, id_: str) -> str:
        """Who asked for it."""
        return f"{self._users}/{quote(id_, safe='')}"

    def file(self, job: ExportJob) -> str:
        """Its file."""
        return f"{self._files}/{job.id}"

    def download(self, job: ExportJob, link: Link | None = None) -> str:
        """The bytes of its file; with a link, for whoever holds it."""
        url = f"{self.file(job)}/download"
        return url if link is None else f"{url}?{link.query}"


def state_of(runtime: Runtime, job: ExportJob) -> str:
    """The job's status in the words of this API."""
    return STATES[job.state_at(runtime.now())]


def failure_of(job: ExportJob) -> str | None:
    """Why there is no file, if it failed."""
    if job.state is not JobState.FAILED:
        return None
    return TOO_MANY_ROWS if job.error is not None and job.error.code == RowLimitExceeded.code else NO_MORE_TRIES


def export_answer(
    runtime: Runtime, caller: Principal | None, job: ExportJob, places: Places, expand: Collection[str] = ()
) -> DataExport:
    """The export as it is shown; to nobody in particular (None) without what leads to its file."""
    file = None if caller is None else offered_file(runtime, caller, job)
    said: dict[str, Any] = dict(job.extra)
    answer: dict[str, Any] = {
        "id": job.public_id,
        "name": job.name or "",
        **{key: said.get(key) for key in ("resource", "format", "arguments", "emailNotification", "fields")},
        **{key: said.get(key) for key in ("recurring", "dateRange")},
        "userId": job.owner.id,
        "fileId": None if job.artifact is None else job.id,
        "recordCount": job.rows,
        "scheduledTime": utc_text(job.as_of),
        "createdTime": utc_text(job.created_at),
        "updatedTime": utc_text(job.updated_at),
        "status": state_of(runtime, job),
        "failureReason": failure_of(job),
        "_links": _links(runtime, caller, job, places, file),
    }
    known: Mapping[str, Callable[[], Any]] = {
        "user": lambda: user_json(job.owner.id, places),
        "file": lambda: file and caller and file_json(runtime, caller, job, file, places),
    }
    asked = {name: known[name]() for name in known if name in expand}
    return DataExport.model_validate(answer | ({"_embedded": asked} if asked else {}))


def _links(
    runtime: Runtime, caller: Principal | None, job: ExportJob, places: Places, file: Artifact | None
) -> list[dict[str, str]]:
    links = {"self": places.export(job), "user": places.user(job.owner.id)}
    if file is not None and caller is not None:
        links["download"] = places.download(job)
        links["signedLink"] = places.download(job, link_to(runtime, caller, job, LINK_S))
    return [{"rel": rel, "href": href} for rel, href in links.items()]


def user_json(id_: str, places: Places) -> dict[str, Any]:
    """Whoever asked, as it is shown: nobody knows more of a key."""
    return {"id": id_, "_links": [{"rel": "self", "href": places.user(id_)}]}


def file_json(runtime: Runtime, caller: Principal, job: ExportJob, file: Artifact, places: Places) -> dict[str, Any]:
    """The file as it is shown."""
    links = {
        "self": places.file(job),
        "download": places.download(job),
        "signedLink": places.download(job, link_to(runtime, caller, job, LINK_S)),
    }
    made = utc_text(job.updated_at)
    return {
        "id": job.id,
        "name": file.filename,
        "extension": file.filename.rpartition(".")[2],
        "description": job.name or "",
        "sourceType": None,
        "tags": [],
        "mime": file.media_type.partition(";")[0],
        "size": file.bytes,
        "createdTime": made,
        "updatedTime": made,
        "isPublic": False,
        "_links": [{"rel": rel, "href": href} for rel, href in links.items()],
    }


def webhook_json(runtime: Runtime, job: ExportJob, event: Event) -> dict[str, Any]:
    """What a webhook is told when an export has ended, however it stands since then: nothing that opens its file.

    Whoever made the webhook need not be one who may read it.
    """
    places = Places(runtime.public_url or "", "/experimental/organizations/{org}", job.tenant)
    export = export_answer(runtime, None, job, places)
    status = "completed" if event is Event.EXPORT_SUCCEEDED else "failed"
    links = {"dataExport": places.export(job), **({"download": places.download(job)} if export.file_id else {})}
    return {
        "eventType": f"data-export-{status}",
        "dataExportId": export.id,
        "fileId": export.file_id,
        "recordCount": export.record_count,
        "status": status,
        "failureReason": export.failure_reason,
        "_embedded": {"dataExport": export.model_dump(by_alias=True, exclude_unset=True)},
        "_links": [{"rel": rel, "href": href} for rel, href in links.items()],
    }


TITLES = {
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    410: "Gone",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    422: "Unprocessable Entity",
    429: "Rate Limit Exceeded",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
# Our words for places in a body, and the API's; those of a list's query are the same in both.
PLACES = {
    "/deliveries/0/to": "emailNotification",
    "/deliveries/0": "emailNotification",
    "/deliveries": "emailNotification",
    "/date_range/from": "dateRange.start",
    "/date_range/to": "dateRange.end",
    "/date_range": "dateRange",
    "/rrule": "recurring.instruction",
    "/dataset": "resource",
}
ARGUMENTS = {"/filter": "arguments.filter", "/sort": "arguments.sort", "/q": "arguments.q"}
TEXT = {"type": "string"}
ERROR_SCHEMA: Mapping[str, Any] = {
    "title": "Error",
    "description": "What went wrong (RFC 9457).",
    "type": "object",
    "required": ["type", "title", "status", "detail", "error"],
    "properties": {
        "type": TEXT,
        "title": TEXT,
        "status": {"type": "integer"},
        "detail": TEXT,
        "error": {**TEXT, "description": "The detail, where older clients look for it."},
        "invalidFields": {
            "description": "Of a 422.",
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {"field": TEXT, "message": TEXT},
            },
        },
        "matchedRecords": {"type": "integer"},
        "maxRecords": {"type": "integer"},
    },
}


def render(error: OfftakeError, request: Request) -> tuple[int, Mapping[str, Any]]:
    """Status and body."""
    if isinstance(error, RowLimitExceeded) and "matched" in error.extra:
        matched, allowed = error.extra["matched"], error.extra["allowed"]
        detail = f"{matched} records match; at most {allowed} can be exported"
        counts = {"matchedRecords": matched, "maxRecords": allowed}
        return 422, _problem(422, detail, "data-export-limit-exceeded", "Data export limit exceeded") | counts
    hint = error.hint.replace("x-api-key", "REB-APIKEY")
    body = _problem(error.status, f"{error.detail} {hint}".strip())
    if error.status == 422:
        places = PLACES | (ARGUMENTS if request.method in ("POST", "PUT") else {})
        body["invalidFields"] = [
            {"field": place_of(pointer, places), "message": message} for pointer, message in error.problems
        ]
    return error.status, body


def _problem(status: int, detail: str, type_: str = "about:blank", title: str = "") -> dict[str, Any]:
    title = title or TITLES.get(status, "Error")
    return {"type": type_, "title": title, "status": status, "detail": detail, "error": detail}


def place_of(pointer: str, places: Mapping[str, str]) -> str:
    """`/fields/0` as `fields.0`, our words for a place as the API's."""
    ours = next((ours for ours in places if pointer == ours or pointer.startswith(f"{ours}/")), None)
    if ours in ARGUMENTS:
        return places[ours]
    rest = pointer if ours is None else pointer[len(ours) :]
    parts = [part.replace("~1", "/").replace("~0", "~") for part in rest.split("/") if part]
    return ".".join([places[ours], *parts] if ours else parts)
