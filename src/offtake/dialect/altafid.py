"""Altafid's exports API, as https://docs.altafid.com/exports.html had it in November 2025, with the headers and filter
conditions of its conventions.html: one route that answers with a file or with JSON that says why there is none.

Where the page is silent:

- Any dataset is exported by the name that its alias for `altafid` gives it, not only the three the page names.
- Of the operators the page shows `equals` and `in`; docs/filters.md has the full list, whose other names are taken too.
  Text is compared in any case, a field's listed values too; `equals` and `in` of an array ask for its elements.
  One value may come in `values`, one of several in `value`; nothing is split at commas.
- A column without a `label` has the field's. A label in several languages is an object, `{"en": …, "es": …}`.
- `type` is followed: `DATE` makes of an instant its day in the timezone, `STRING` plain text of anything. What a field
  cannot be is refused, but never because of a mask. The id alone says whether a column is custom.
- `format`, `direction` and `type` in any case; without a `direction`, `ASC`. Keys nobody knows are ignored.
- The tenant and the roles are those of the credential. `x-tenant-uuid` may only repeat the tenant, by uuid or name;
  `x-user-type` may only narrow the role. `x-user-email` and `x-user-id` are taken and change nothing.
- Errors are shaped as Spring's, with a code. Invalid input of any kind is a 400.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from enum import StrEnum
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header
from pydantic import BeforeValidator, Field
from starlette.requests import Request
from starlette.responses import Response

from offtake.errors import Forbidden, InvalidFilter, OfftakeError, UnknownField
from offtake.model.access import Principal, require_role
from offtake.model.dataset import FieldType, Sort
from offtake.model.export import ExportRequest, FieldChoice
from offtake.model.filter import Filter
from offtake.model.ports import Stop
from offtake.service.downloads import Download, open_download
from offtake.service.names import dataset_called
from offtake.service.trail import current_trail
from offtake.service.wishes import parse_filter
from offtake.web.auth import Caller
from offtake.web.bodies import Label, LenientBody, Text, utc_text
from offtake.web.entrypoint import Entrypoint
from offtake.web.responses import stream_response
from offtake.web.site import site_of
from offtake.web.spec import XLSX, file_answer, refusals

ADMINS = frozenset({"SYSTEM_ADMIN", "TENANT_ADMIN", "PARTNER_ADMIN"})
STAFF = frozenset({"TENANT_STAFF", "PARTNER_STAFF"})
LONGEST_SCREEN = 100  # characters of it that the audit keeps

CSV = "text/csv;charset=UTF-8"
FILE = file_answer(CSV, XLSX)


class FileFormat(StrEnum):
    """What the file is."""

    CSV = "CSV"
    XLSX = "XLSX"


class Direction(StrEnum):
    """Which way a sort goes."""

    ASC = "ASC"
    DESC = "DESC"


class ColumnType(StrEnum):
    """As what a column's values are wanted."""

    STRING = "STRING"
    DATE = "DATE"
    DATE_TIME = "DATE_TIME"
    NUMBER = "NUMBER"
    BOOLEAN = "BOOLEAN"


TYPES = {
    ColumnType.STRING: FieldType.STRING,
    ColumnType.DATE: FieldType.DATE,
    ColumnType.DATE_TIME: FieldType.DATETIME,
    ColumnType.NUMBER: FieldType.NUMBER,
    ColumnType.BOOLEAN: FieldType.BOOLEAN,
}


def _raised(word: Any) -> Any:
    return word.upper() if isinstance(word, str) else word


AnyCase = BeforeValidator(_raised)


class ExportColumn(LenientBody):
    """One column of the file."""

    id: Text = Field(description="The field, or `custom:cf_UUID`.")
    label: Label = Field(None, description="Text, or texts by language, of which the locale chooses one.")
    custom: bool | None = Field(None, description="The id says as much.")
    type: Annotated[ColumnType, AnyCase] | None = None
    form_uuid: Text | None = Field(None, alias="formUuid", description="The form a custom field must belong to.")

    def to_choice(self) -> FieldChoice:
        """The field it stands for."""
        return FieldChoice(self.id, self.label, self.form_uuid or None, TYPES[self.type] if self.type else None)


class ExportSort(LenientBody):
    """The order of the rows; without it the newest first."""

    field: Text
    direction: Annotated[Direction, AnyCase] = Direction.ASC


class ViewState(LenientBody):
    """Which columns, and the rows in which order."""

    columns: Annotated[list[ExportColumn], Field(min_length=1, max_length=2000)]
    sort: ExportSort | None = None


class FilterCondition(LenientBody):
    """What a row must meet."""

    field: Text
    operator: Text = Field(description="Such as `equals`, `in`, `contains`, `between`, `isNull`.")
    value: Any = Field(None, description="Of operators that take one; text will do for every type.")
    values: list[Any] | None = Field(None, description="Of operators that take several.")

    def plain(self) -> dict[str, Any]:
        """The condition as filters are written natively. A null beside the other key counts as absent."""
        given: dict[str, Any] = {"field": self.field, "op": self.operator}
        if self.values is not None:
            given["values"] = self.values
        if self.value is not None or (self.values is None and "value" in self.model_fields_set):
            given["value"] = self.value
        return given


class TabularExportRequest(LenientBody):
    """Which file."""

    format: Annotated[FileFormat, AnyCase]
    view_state: ViewState = Field(alias="viewState")
    locale: Text | None = Field(None, description="BCP 47; `en` or none is ISO 8601.", examples=["es-CL"])
    timezone: Text | None = Field(None, description="IANA; UTC if absent.", examples=["America/Santiago"])
    filters: Annotated[list[FilterCondition], Field(max_length=300)] | None = None
    include_all_custom_fields: bool | None = Field(None, alias="includeAllCustomFields")
    screen: str | None = Field(None, alias="uiScreenName", description="For the audit.", examples=["CONTACTS_TABLE"])

    def to_filter(self) -> Filter | None:
        """What every row must meet. Raises InvalidFilter."""
        conditions = [each.plain() for each in self.filters or ()]
        return parse_filter({"and": conditions}, any_case=True) if conditions else None

    def to_request(self, dataset: str, name: str) -> ExportRequest:
        """The wish for that dataset, whose file is called by that name. Raises InvalidFilter."""
        sort = self.view_state.sort
        return ExportRequest(
            dataset,
            self.format.lower(),
            fields=tuple(column.to_choice() for column in self.view_state.columns),
            filter=self.to_filter(),
            sort=(Sort(sort.field, sort.direction is Direction.DESC),) if sort else None,
            locale=self.locale or None,
            timezone=self.timezone or None,
            filename=f"{name}_{{date}}",
            options={"header": "label"},
            include_all_custom_fields=bool(self.include_all_custom_fields),
            allow_empty=False,
        )


def admit_staff(
    caller: Caller,
    user_type: Annotated[str, Header(alias="x-user-type", description="May only narrow the key's role.")] = "",
    _tenant: Annotated[str | None, Header(alias="x-tenant-uuid", description="The key's own tenant.")] = None,
    _email: Annotated[str | None, Header(alias="x-user-email", description="Changes nothing.")] = None,
    _id: Annotated[str | None, Header(alias="x-user-id", description="Changes nothing.")] = None,
) -> Principal:
    """Who asks, in a role that may export. Raises what any credential may be refused for, and Forbidden."""
    require_role(caller, ADMINS | STAFF)
    acting = user_type.strip().upper()
    may_act = acting in caller.roles or (acting in STAFF and not caller.roles.isdisjoint(ADMINS))
    if acting and not (may_act and acting in ADMINS | STAFF):
        raise Forbidden("What x-user-type says may not export with this key.", hint="Leave it out for the key's role.")
    return caller


ROUTES = APIRouter(prefix="/api/exports", tags=["exports"])


@ROUTES.post(
    "/{entity}",
    response_class=Response,
    responses={200: FILE, **refusals(400, 401, 403, 404, 413, 415, 429, 500, 502, 503, 504)},
)
async def export_table(
    request: Request, entity: str, body: TabularExportRequest, caller: Annotated[Principal, Depends(admit_staff)]
) -> Response:
    """The file of `contacts`, `organisations`, `households` or any other dataset."""
    runtime = site_of(request).runtime
    if body.screen:
        current_trail().detail = "".join(char for char in body.screen if char.isprintable())[:LONGEST_SCREEN]
    wish = body.to_request(dataset_called(runtime, "altafid", entity, caller), entity)

    def open_table(stop: Stop, on_rows: Callable[[int], None]) -> Download:
        with conditions_named(body.filters or ()):
            file = open_download(runtime, caller, wish, stop=stop, on_rows=on_rows)
        return replace(file, media_type=CSV) if body.format is FileFormat.CSV else file

    return await stream_response(request, open_table)


@contextmanager
def conditions_named(filters: Sequence[FilterCondition]) -> Iterator[None]:
    """What is wrong with a condition, told with its field and operator as they were sent."""
    try:
        yield
    except (InvalidFilter, UnknownField) as error:
        pointer = error.problems[0][0] if error.problems else ""
        place = re.match(r"/filter/and/(\d+)", pointer)
        if place is None:
            raise
        sent = filters[int(place[1])]
        detail = f"{sent.field} {sent.operator}: {error.detail.removeprefix(f'{sent.field}: ')}"
        raise type(error)(detail, hint=error.hint, pointer=pointer) from error


CODES = {
    "UNAUTHENTICATED": "UNAUTHORIZED",
    "INSUFFICIENT_SCOPE": "FORBIDDEN",
    "UNKNOWN_FIELD": "INVALID_COLUMN",
}
# By where the request is wrong, if nothing else is known of it.
CODES_BY_PLACE = (
    (re.compile(r"viewState(\.columns)?"), "NO_COLUMNS"),
    (re.compile(r"viewState\.columns\[.*"), "INVALID_COLUMN"),
    (re.compile(r"filters.*"), "INVALID_FILTER"),
    (re.compile(r"format"), "INVALID_FORMAT"),
)
MESSAGES = {"NO_COLUMNS": "No columns were supplied: viewState.columns must hold at least one."}
# Our own words for places in the request, and the page's.
PLACES = (
    (r"/fields/(\d+)/as", r"/viewState/columns/\1/type"),
    (r"/fields", "/viewState/columns"),
    (r"/filter/and/(\d+)/op", r"/filters/\1/operator"),
    (r"/filter/and", "/filters"),
    (r"/sort/0", "/viewState/sort/field"),
)
TEXT = {"type": "string"}
ERROR_SCHEMA: dict[str, Any] = {
    "title": "Error",
    "description": "Why there is no file.",
    "type": "object",
    "required": ["timestamp", "status", "error", "code", "message", "path"],
    "properties": {
        "timestamp": {**TEXT, "format": "date-time"},
        "status": {"type": "integer"},
        "error": {**TEXT, "description": "The status in words."},
        "code": {**TEXT, "examples": ["NO_ROWS", "ROW_LIMIT_EXCEEDED", "INVALID_COLUMN", "NO_COLUMNS"]},
        "message": TEXT,
        "path": TEXT,
        "errors": {
            "description": "The places in the request that are wrong.",
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {"field": TEXT, "message": TEXT},
            },
        },
        "matched": {"type": "integer", "description": "So many rows match."},
        "allowed": {"type": "integer", "description": "So many may be exported."},
    },
}


def render_error(error: OfftakeError, request: Request) -> tuple[int, Mapping[str, Any]]:
    """Status and body."""
    status = 400 if error.status == 422 else error.status
    problems = [{"field": place_of(pointer), "message": detail} for pointer, detail in error.problems]
    code = code_of(error, [problem["field"] for problem in problems])
    body: dict[str, Any] = {
        "timestamp": utc_text(site_of(request).runtime.now(), "milliseconds"),
        "status": status,
        "error": HTTPStatus(status).phrase,
        "code": code,
        "message": MESSAGES.get(code) or f"{error.detail} {error.hint}".strip(),
        "path": request.scope["path"],
    }
    counts = {name: error.extra[name] for name in ("matched", "allowed") if name in error.extra}
    return status, body | counts | ({"errors": problems} if problems else {})


def code_of(error: OfftakeError, places: Sequence[str]) -> str:
    """The page's word for the error, or else our own."""
    if error.code == "INVALID_REQUEST":
        # A message that is not the code's own tells the first problem, so the code does too.
        found = (
            code
            for place, code in CODES_BY_PLACE
            if any(map(place.fullmatch, places if code in MESSAGES else places[:1]))
        )
        return next(found, error.code)
    return CODES.get(error.code, error.code)


def place_of(pointer: str) -> str:
    """`/filter/and/0/op` as `filters[0].operator`."""
    for ours, theirs in PLACES:
        pointer, changed = re.subn(f"^{ours}(?=/|$)", theirs, pointer)
        if changed:
            break
    parts = (part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:])
    return "".join(f"[{part}]" if part.isdecimal() else f".{part}" for part in parts).removeprefix(".")


ENTRYPOINT = Entrypoint(
    name="altafid",
    title="Altafid exports",
    description="Contacts, organisations and households as CSV and XLSX.",
    routers=(ROUTES,),
    claims=re.compile(r"/api/exports(/|$)"),
    render=render_error,
    error_schema=ERROR_SCHEMA,
    actions={"export_table": "dataset.download"},
)
