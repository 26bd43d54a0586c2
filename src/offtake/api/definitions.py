"""Saved definitions: keep them, change them without overwriting anybody, run, preview and download them."""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from offtake.api.answers import ExportAnswer, PreviewAnswer, preview_answer
from offtake.api.answers_saved import (
    DefinitionAnswer,
    DefinitionList,
    ResultAnswer,
    body_json,
    definition_json,
    list_json,
)
from offtake.api.bodies_saved import DefinitionBody, DefinitionsQuery, RunBody, patch_body
from offtake.api.datasets import FILE
from offtake.api.exports import ACCEPTED, IdempotencyKey, accept_export
from offtake.api.spec import problems
from offtake.model.access import Principal
from offtake.model.saved import Definition, Draft
from offtake.service import definitions
from offtake.web.address import absolute_url
from offtake.web.auth import Caller
from offtake.web.conditions import is_known, version_tag, wanted_version
from offtake.web.responses import run_stoppable, stream_response
from offtake.web.site import site_of
from offtake.web.spec import TEXT

MERGE_PATCH = "application/merge-patch+json"
ETAG: dict[str, Any] = {"ETag": {"description": "Its version, for If-Match.", **TEXT}}
SHOWN: dict[int | str, dict[str, Any]] = {200: {"model": DefinitionAnswer, "headers": ETAG}}
MADE: dict[int | str, dict[str, Any]] = {
    201: {"model": DefinitionAnswer, "headers": {**ETAG, "Location": {"description": "The definition.", **TEXT}}}
}
IF_MATCH: dict[str, Any] = {
    "parameters": [
        {
            "name": "If-Match",
            "in": "header",
            "schema": {"type": "string"},
            "description": "The ETag that was seen; without it, the last to write wins.",
        }
    ]
}
WRITE_PROBLEMS = problems(400, 412, 413, 415, 502, 503, 504)

ROUTES = APIRouter(prefix="/api/v1/definitions", tags=["definitions"])


@ROUTES.post("", status_code=201, response_class=JSONResponse, responses={**MADE, **WRITE_PROBLEMS})
async def post_definition(request: Request, body: DefinitionBody, caller: Caller) -> Response:
    """Save one. What is wrong with it is told now, as if it were run."""
    runtime, draft = site_of(request).runtime, body.to_draft()
    made = await run_stoppable(request, lambda _: definitions.create_definition(runtime, caller, draft))
    answer = _show(request, made, ())
    answer.status_code = 201
    answer.headers["Location"] = absolute_url(request, f"/api/v1/definitions/{made.id}")
    return answer


@ROUTES.get("", response_class=JSONResponse, responses={200: {"model": DefinitionList}, **problems(503)})
def get_definitions(request: Request, caller: Caller, query: Annotated[DefinitionsQuery, Query()]) -> Response:
    """The tenant's definitions, a page at a time, and how many there are."""
    page = definitions.page_definitions(
        site_of(request).runtime,
        caller,
        q=query.q,
        sort=query.order,
        cursor=query.cursor,
        number=query.page or 1,
        limit=query.limit,
    )
    return JSONResponse(list_json(page, partial(absolute_url, request)))


@ROUTES.get(
    "/{definition_id}",
    response_class=JSONResponse,
    responses={**SHOWN, 304: {"description": "Not changed.", "headers": ETAG}, **problems(503)},
)
def get_definition(request: Request, definition_id: str, caller: Caller) -> Response:
    """One definition, and what keeps it from being run if its dataset changed."""
    runtime = site_of(request).runtime
    found = definitions.find_definition(runtime, caller, definition_id)
    if is_known(request.headers, version_tag(found.version)):
        return Response(None, 304, {"ETag": version_tag(found.version)})
    return _show(request, found, definitions.problems_of(runtime, caller, found))


@ROUTES.put(
    "/{definition_id}", response_class=JSONResponse, responses={**SHOWN, **WRITE_PROBLEMS}, openapi_extra=IF_MATCH
)
async def put_definition(request: Request, definition_id: str, body: DefinitionBody, caller: Caller) -> Response:
    """Put another in its place."""
    return await _change(request, caller, definition_id, lambda found: body.to_draft(found.draft))


@ROUTES.patch(
    "/{definition_id}", response_class=JSONResponse, responses={**SHOWN, **WRITE_PROBLEMS}, openapi_extra=IF_MATCH
)
async def patch_definition(
    request: Request, definition_id: str, patch: Annotated[dict[str, Any], Body(media_type=MERGE_PATCH)], caller: Caller
) -> Response:
    """Change some of it by a JSON merge patch (RFC 7396) over its body: `null` sets a key back to its default."""
    return await _change(
        request, caller, definition_id, lambda found: patch_body(body_json(found), patch).to_draft(found.draft)
    )


@ROUTES.delete("/{definition_id}", status_code=204, responses=problems(400, 412, 503), openapi_extra=IF_MATCH)
def delete_definition(request: Request, definition_id: str, caller: Caller) -> None:
    """Forget it. Its schedules and shares end; exports that it made stay."""
    runtime = site_of(request).runtime
    definitions.delete_definition(runtime, caller, definition_id, is_seen=wanted_version(request.headers))


@ROUTES.post(
    "/{definition_id}/run",
    status_code=202,
    responses={202: ACCEPTED, **problems(409, 413, 415, 502, 503, 504)},
)
async def post_run(
    request: Request,
    response: Response,
    definition_id: str,
    caller: Caller,
    body: RunBody | None = None,
    idempotency_key: IdempotencyKey = None,
) -> ExportAnswer:
    """Put an export of it into the queue, with the rights of this key."""
    how = body or RunBody()
    runtime, submission = site_of(request).runtime, how.to_submission(idempotency_key)
    made = await run_stoppable(
        request,
        lambda _: definitions.run_definition(runtime, caller, definition_id, submission, change=how.to_change()),
    )
    return accept_export(request, response, made, idempotency_key)


@ROUTES.get("/{definition_id}/preview", responses=problems(409, 502, 503, 504))
async def get_preview(request: Request, definition_id: str, caller: Caller) -> PreviewAnswer:
    """The first rows as the file will hold them, and how many it would have."""
    runtime = site_of(request).runtime
    preview = await run_stoppable(
        request, lambda stop: definitions.preview_definition(runtime, caller, definition_id, stop=stop)
    )
    return preview_answer(preview)


@ROUTES.get("/{definition_id}/result", responses=problems(409, 502, 503, 504))
async def get_result(request: Request, definition_id: str, caller: Caller) -> ResultAnswer:
    """What its report says, for whoever draws it."""
    runtime = site_of(request).runtime
    found = await run_stoppable(
        request, lambda stop: definitions.definition_result(runtime, caller, definition_id, stop=stop)
    )
    return ResultAnswer(found)


@ROUTES.get(
    "/{definition_id}/download",
    response_class=Response,
    responses={200: FILE, **problems(409, 502, 503, 504)},
)
async def get_download(request: Request, definition_id: str, caller: Caller) -> Response:
    """Stream its file now."""
    runtime = site_of(request).runtime
    return await stream_response(
        request,
        lambda stop, on_rows: definitions.open_definition(runtime, caller, definition_id, stop=stop, on_rows=on_rows),
    )


async def _change(
    request: Request, caller: Principal, definition_id: str, edit: Callable[[Definition], Draft]
) -> Response:
    runtime, is_seen = site_of(request).runtime, wanted_version(request.headers)
    done = await run_stoppable(
        request, lambda _: definitions.change_definition(runtime, caller, definition_id, edit, is_seen=is_seen)
    )
    return _show(request, done, ())


def _show(request: Request, definition: Definition, found: tuple[tuple[str, str], ...] | None) -> Response:
    body = definition_json(definition, found, partial(absolute_url, request))
    return JSONResponse(body, headers={"ETag": version_tag(definition.version)})
