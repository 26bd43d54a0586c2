"""The paths of the API, and who may ask."""

import re
from dataclasses import replace
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from offtake.dialect.optimaite.bodies import (
    DIALECT,
    USUAL_LISTED,
    ConfigAnswer,
    ConfigBody,
    ConfigList,
    ListQuery,
    RowsAnswer,
    TokenAnswer,
    TokenBody,
)
from offtake.dialect.optimaite.shapes import (
    ERROR_SCHEMA,
    ID,
    TOKEN_MARK,
    ConfigNotFound,
    TokenInvalid,
    config_json,
    id_of,
    native_id,
    render,
    rows_meta,
)
from offtake.errors import InvalidRequest, NotFound
from offtake.model.access import Principal, Scope, require
from offtake.model.export import ExportRequest
from offtake.model.saved import Definition, Draft
from offtake.model.schedule import Timetable
from offtake.service import definitions, timed
from offtake.service.datasets import describe_dataset
from offtake.service.names import dataset_called
from offtake.service.runtime import Runtime
from offtake.service.shares import create_share
from offtake.service.trail import current_trail
from offtake.web.address import absolute_url
from offtake.web.auth import Caller
from offtake.web.bodies import utc_text
from offtake.web.entrypoint import Entrypoint
from offtake.web.responses import run_stoppable, stream_response
from offtake.web.shares import find_shared, send_shared
from offtake.web.site import site_of
from offtake.web.spec import XLSX, file_answer, refusals

PREFIX = "/api/v1/exports/configs"
PREVIEWED = 10
EVERY = 1_000_000
HOUR_S = 3600
FILE = {
    **file_answer("text/csv", XLSX),
    "model": RowsAnswer,
    "description": "The data in the configured format.",
}
USUAL = refusals(400, 401, 403, 404, 429, 500, 503)
WRITE = refusals(400, 401, 403, 404, 409, 413, 415, 429, 500, 502, 503, 504)
READ = refusals(400, 401, 403, 404, 409, 429, 500, 502, 503, 504)


def admit_writer(caller: Caller) -> Principal:
    """Who asks, if they may write. Raises what any credential may be refused for, InsufficientScope."""
    require(caller, Scope.REPORTS_WRITE)
    return caller


Writer = Annotated[Principal, Depends(admit_writer)]
ROUTES = APIRouter(prefix=PREFIX, tags=["exports"])


@ROUTES.get("", response_class=JSONResponse, responses={200: {"model": ConfigList}, **USUAL})
def list_configs(request: Request, caller: Caller, query: Annotated[ListQuery, Query()]) -> Response:
    """List all export configurations."""
    runtime, limit = site_of(request).runtime, query.limit
    if query.page is not None or limit is not None:
        limit = limit or USUAL_LISTED
    offset = ((query.page or 1) - 1) * (limit or 0)
    found, total = definitions.list_definitions(runtime, caller, dialect=DIALECT, offset=offset, limit=limit or EVERY)
    planned = timed.own_schedules(runtime, caller, found)
    data = [config_json(runtime, each, planned[each.id]) for each in found]
    return JSONResponse({"data": data, "meta": {"total": total}})


@ROUTES.post("", status_code=201, response_class=JSONResponse, responses={201: {"model": ConfigAnswer}, **WRITE})
async def create_config(request: Request, body: ConfigBody, caller: Writer) -> Response:
    """Create an export configuration."""
    runtime = site_of(request).runtime

    def create(_: object) -> dict[str, Any]:
        made = timed.create_timed(runtime, caller, *_read(runtime, caller, body))
        return _show(runtime, caller, made)

    made = await run_stoppable(request, create)
    location = absolute_url(request, f"{PREFIX}/{made['id']}")
    return JSONResponse(made, 201, {"Location": location})


@ROUTES.get("/{config_id}", response_class=JSONResponse, responses={200: {"model": ConfigAnswer}, **USUAL})
def get_config(request: Request, config_id: str, caller: Caller) -> Response:
    """Get an export configuration."""
    runtime = site_of(request).runtime
    return JSONResponse(_show(runtime, caller, _find(runtime, caller, config_id)))


@ROUTES.put("/{config_id}", response_class=JSONResponse, responses={200: {"model": ConfigAnswer}, **WRITE})
async def replace_config(request: Request, config_id: str, body: ConfigBody, caller: Writer) -> Response:
    """Update an export configuration: another takes its place."""
    runtime = site_of(request).runtime

    def replace_it(_: object) -> dict[str, Any]:
        found = _find(runtime, caller, config_id)
        done = timed.replace_timed(runtime, caller, found.id, *_read(runtime, caller, body))
        return _show(runtime, caller, done)

    return JSONResponse(await run_stoppable(request, replace_it))


@ROUTES.delete("/{config_id}", status_code=204, responses=USUAL)
def delete_config(request: Request, config_id: str, caller: Writer) -> None:
    """Delete an export configuration; its schedule and its tokens end."""
    runtime = site_of(request).runtime
    definitions.delete_definition(runtime, caller, _find(runtime, caller, config_id).id)


@ROUTES.get("/{config_id}/execute", response_class=Response, responses={200: FILE, **READ})
async def execute_config(request: Request, config_id: str, caller: Caller) -> Response:
    """Execute an export: its data in the configured format."""
    runtime = site_of(request).runtime
    found = await run_stoppable(request, lambda _: _find(runtime, caller, config_id))
    envelope = partial(rows_meta, found, runtime.now())
    return await stream_response(
        request,
        lambda stop, on_rows: definitions.open_definition(
            runtime, caller, found.id, stop=stop, on_rows=on_rows, envelope=envelope
        ),
    )


@ROUTES.get("/{config_id}/preview", response_class=JSONResponse, responses={200: {"model": RowsAnswer}, **READ})
async def preview_config(request: Request, config_id: str, caller: Caller) -> Response:
    """Preview export data: the first 10 rows, as JSON."""
    runtime = site_of(request).runtime

    def as_json(wish: ExportRequest) -> ExportRequest:
        return replace(wish, format="json", options={})

    found = await run_stoppable(request, lambda _: _find(runtime, caller, config_id))
    preview = await run_stoppable(
        request, lambda stop: definitions.preview_definition(runtime, caller, found.id, stop=stop, change=as_json)
    )
    names = [column.name for column in preview.columns]
    data = [dict(zip(names, row, strict=True)) for row in preview.rows[:PREVIEWED]]
    return JSONResponse({"meta": rows_meta(found, runtime.now(), len(data)), "data": data})


@ROUTES.post(
    "/{config_id}/generate-token",
    status_code=201,
    response_class=JSONResponse,
    responses={201: {"model": TokenAnswer}, **WRITE},
)
async def generate_token(request: Request, config_id: str, caller: Writer, body: TokenBody | None = None) -> Response:
    """Generate an external access token."""
    runtime, lasts_s = site_of(request).runtime, (body or TokenBody()).expires_in_hours * HOUR_S

    def make(_: object) -> dict[str, Any]:
        found = _find(runtime, caller, config_id)
        share, token = create_share(runtime, caller, definition_id=found.id, expires_in_s=lasts_s, prefix=TOKEN_MARK)
        return {"token": token, "expires_at": utc_text(share.expires_at or runtime.now())}

    return JSONResponse(await run_stoppable(request, make), 201)


@ROUTES.get("/{config_id}/retrieve", response_class=Response, responses={200: FILE, **READ, **refusals(410)})
async def retrieve_config(request: Request, config_id: str, token: str = "") -> Response:
    """Retrieve an export via token, without a key: its data as it is now, in the configured format."""
    try:
        shared = await find_shared(request, token, prefix=TOKEN_MARK)
    except NotFound as error:
        raise _unknown_token() from error
    if shared.definition is None or id_of(shared.definition) != config_id:
        raise _unknown_token()
    envelope = partial(rows_meta, shared.definition, site_of(request).runtime.now())
    return await send_shared(request, shared, envelope=envelope)


def _unknown_token() -> TokenInvalid:
    return TokenInvalid("This token opens nothing here.", hint="Ask whoever gave it, or generate another.")


def _find(runtime: Runtime, caller: Principal, config_id: str) -> Definition:
    """The configuration that its clients call so. Raises NotFound, InsufficientScope."""
    require(caller, Scope.REPORTS_READ)
    unknown = ConfigNotFound("There is no such export configuration.", hint="List them to see their ids.")
    if not ID.fullmatch(config_id):
        raise unknown
    try:
        native = native_id(config_id)
        found = (
            definitions.find_external(runtime, caller, DIALECT, config_id)
            if native is None
            else definitions.find_definition(runtime, caller, native)
        )
    except NotFound:
        raise unknown from None
    if found is None or found.draft.dialect != DIALECT or id_of(found) != config_id:
        raise unknown
    current_trail().thing = found.id
    return found


def _read(runtime: Runtime, caller: Principal, body: ConfigBody) -> tuple[Draft, Timetable | None]:
    """What the body asks to be saved. Raises InvalidRequest, InvalidFilter."""
    try:
        dataset = describe_dataset(runtime, caller, dataset_called(runtime, DIALECT, body.source, caller))
    except NotFound as error:
        raise InvalidRequest(f"There is no source {body.source[:80]!r}.", hint=error.hint, pointer="/source") from error
    return body.to_draft(dataset), None if body.schedule is None else body.schedule.to_timetable(runtime.now())


def _show(runtime: Runtime, caller: Principal, definition: Definition) -> dict[str, Any]:
    current_trail().thing = definition.id
    return config_json(runtime, definition, timed.own_schedule(runtime, caller, definition))


ENTRYPOINT = Entrypoint(
    name=DIALECT,
    title="Optimaite exports",
    description="Reusable export configurations, executed on demand, as JSON, CSV or XLSX.",
    routers=(ROUTES,),
    claims=re.compile(PREFIX + "(/|$)"),
    render=render,
    error_schema=ERROR_SCHEMA,
    token_mark=TOKEN_MARK,
    actions={
        "list_configs": "definition.list",
        "create_config": "definition.create",
        "get_config": "definition.read",
        "replace_config": "definition.update",
        "delete_config": "definition.delete",
        "execute_config": "definition.download",
        "preview_config": "definition.preview",
        "generate_token": "share.create",
        "retrieve_config": "share.use",
    },
)
