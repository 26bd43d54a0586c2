"""The paths of the API."""

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from offtake.dialect.exelensia.bodies import NAME, ExportsQuery, NewExport, split_names
from offtake.dialect.exelensia.shapes import (
    ERROR_SCHEMA,
    STATUSES,
    ExportAnswer,
    ExportList,
    MessageAnswer,
    MetaAnswer,
    UrlAnswer,
    export_answer,
    render,
    schema_answer,
)
from offtake.errors import Conflict, NotFound, NotReady
from offtake.model.access import Principal
from offtake.model.job import ExportJob
from offtake.service.exports import delete_export, find_artifact, submit_export
from offtake.service.external import find_external_export, list_external_exports
from offtake.service.links import Link, link_to
from offtake.service.runtime import Runtime
from offtake.service.schemas import find_schema
from offtake.service.signing import Signature
from offtake.web.address import absolute_url
from offtake.web.artifacts import send_artifact
from offtake.web.auth import Caller
from offtake.web.entrypoint import Entrypoint
from offtake.web.links import find_linked
from offtake.web.responses import run_stoppable
from offtake.web.site import site_of
from offtake.web.spec import fetch_answers, refusals

LINK_S = 900
SEPARATOR = "~"  # neither ids of secrets nor signatures hold one
USUAL = refusals(400, 401, 403, 429, 500)
BODIES = refusals(404, 413, 415)
FETCHED = {**fetch_answers("text/csv"), **refusals(403, 410, 412, 416, 429, 500)}
Asked = Annotated[str, Query(description="Of the URL that was given.")]

ROUTES = APIRouter(prefix="/v1/exports", tags=["exports"])


@ROUTES.post("", status_code=201, responses={**USUAL, **BODIES})
async def create_export(request: Request, body: NewExport, caller: Caller) -> ExportAnswer:
    """Queue an export of all results of a schema that were created in a range of time."""
    runtime = site_of(request).runtime

    def submit(_: Any) -> ExportJob:
        schema = find_schema(runtime, caller, body.schema_id)
        return submit_export(runtime, caller, body.to_request(schema), body.to_submission(schema)).job

    return export_answer(await run_stoppable(request, submit))


@ROUTES.get("", responses=USUAL)
def get_exports(request: Request, caller: Caller, query: Annotated[ExportsQuery, Query()]) -> ExportList:
    """The exports of the team, a page at a time."""
    fields = split_names(query.fields, ExportAnswer.model_fields, "fields")
    included = split_names(query.include, {"schema": None}, "include")
    jobs, total = list_external_exports(
        site_of(request).runtime,
        caller,
        NAME,
        where=query.to_filter(STATUSES),
        sort=query.to_sort(),
        words={"state": STATUSES},
        offset=query.offset,
        limit=query.limit,
    )
    shown = []
    for job in jobs:
        answer = export_answer(job).model_dump()
        chosen = {name: value for name, value in answer.items() if not fields or name in fields}
        shown.append(chosen | ({"schema": schema_answer(job)} if included else {}))
    pages = math.ceil(total / query.limit)
    return ExportList(data=shown, meta=MetaAnswer(page=query.page, limit=query.limit, total=total, totalPages=pages))


@ROUTES.get("/{export_id}", responses={**USUAL, **refusals(404)})
def get_export(request: Request, export_id: str, caller: Caller) -> ExportAnswer:
    """How far it has come."""
    return export_answer(find_own(site_of(request).runtime, caller, export_id))


@ROUTES.delete("/{export_id}", responses={**USUAL, **refusals(404)})
def remove_export(request: Request, export_id: str, caller: Caller) -> MessageAnswer:
    """Delete it and its file; one that has not ended is cancelled first."""
    runtime = site_of(request).runtime
    delete_export(runtime, caller, find_own(runtime, caller, export_id).id)
    return MessageAnswer(message="Export deleted successfully")


@ROUTES.get("/{export_id}/download", responses={**USUAL, **refusals(404, 409, 410)})
def get_download_url(request: Request, export_id: str, caller: Caller) -> UrlAnswer:
    """A URL of the finished file that needs no key and lives for a quarter of an hour; a new one each time."""
    runtime = site_of(request).runtime
    job = find_own(runtime, caller, export_id)
    with telling_progress():
        job, artifact = find_artifact(runtime, caller, job.id)
    link = link_to(runtime, caller, job, LINK_S)
    token = SEPARATOR.join((link.signature.key, link.signature.value, link.maker))
    query = urlencode({"token": token, "expires": link.expires})
    return UrlAnswer(url=absolute_url(request, f"/v1/exports/{job.id}/files/{quote(artifact.filename)}?{query}"))


@ROUTES.get("/{export_id}/files/{filename}", response_class=Response, responses=FETCHED)
async def get_file(request: Request, export_id: str, filename: str, token: Asked = "", expires: Asked = "") -> Response:  # noqa: ARG001
    """The file that a URL leads to, whole or in ranges; its name is only for people."""
    key, value, maker = (*token.split(SEPARATOR, 2), "", "")[:3]
    link = Link(export_id, expires, maker, Signature(key, value))
    artifact = await run_stoppable(request, lambda _: find_linked(request, link))
    return await send_artifact(request, artifact)


def find_own(runtime: Runtime, caller: Principal, export_id: str) -> ExportJob:
    """The team's export of that id, in any case. Raises NotFound in the words of the page."""
    try:
        return find_external_export(runtime, caller, NAME, export_id.lower())
    except NotFound as error:
        raise NotFound("Export not found", hint=error.hint) from error


@contextmanager
def telling_progress() -> Iterator[None]:
    """The page has one answer for an export without a file."""
    try:
        yield
    except (NotReady, Conflict) as error:
        raise Conflict("Export is not yet completed", hint=error.detail) from error


ENTRYPOINT = Entrypoint(
    name=NAME,
    title="offtake: Exelensia",
    description="Asynchronous CSV exports of extraction results, as Exelensia's Exports API gives them.",
    routers=(ROUTES,),
    claims=re.compile("/v1/exports(/|$)"),
    render=render,
    error_schema=ERROR_SCHEMA,
    actions={
        "create_export": "export.submit",
        "get_exports": "export.list",
        "get_export": "export.read",
        "remove_export": "export.delete",
        "get_download_url": "link.create",
        "get_file": "export.download",
    },
)
