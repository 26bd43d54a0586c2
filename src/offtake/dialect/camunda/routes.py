"""The paths of the API, and who may ask."""

import re
from typing import Annotated

from fastapi import APIRouter, Body, Depends, Query, Security
from fastapi.security import APIKeyHeader, APIKeyQuery, HTTPBearer
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from offtake.dialect.camunda.bodies import (
    MOST_REPORTS,
    DefinitionAnswer,
    IdAnswer,
    ResultAnswer,
    ResultQuery,
)
from offtake.dialect.camunda.shapes import (
    ERROR_SCHEMA,
    RECORDS,
    definition_json,
    page_ends,
    render,
    result_json,
    unknown_report,
    write_json,
)
from offtake.errors import InvalidRequest, NotFound
from offtake.model.access import Principal
from offtake.model.ports import Chunks, Stop
from offtake.model.saved import Definition
from offtake.model.snapshot import Snapshot
from offtake.service import pages
from offtake.service.definitions import definition_result, delete_definition
from offtake.service.downloads import Download
from offtake.service.foreign import each_definition, find_foreign_definition
from offtake.service.runtime import Runtime
from offtake.service.trail import current_trail
from offtake.web.auth import admit_first
from offtake.web.bodies import Text
from offtake.web.entrypoint import Entrypoint
from offtake.web.responses import Opened, StreamedFile, bodiless, pull, run_stoppable
from offtake.web.site import site_of
from offtake.web.spec import refusals

NAME = "camunda"
KIND = "records"
HEADERS = {"Content-Type": "application/json", "Cache-Control": "private, no-store"}

# They only tell OpenAPI what to send; `secrets_sent` reads it.
BEARER = HTTPBearer(auto_error=False, scheme_name="bearer", description="A key: `ofk_…`")
BARE = APIKeyHeader(name="Authorization", auto_error=False, scheme_name="bare", description="A key, without `Bearer`")
QUERY = APIKeyQuery(name="access_token", auto_error=False, scheme_name="query", description="A key: `ofk_…`")
USUAL = refusals(400, 401, 403, 404, 429, 500)


def authenticate_request(
    request: Request,
    _bearer: Annotated[object, Security(BEARER)] = None,
    _bare: Annotated[object, Security(BARE)] = None,
    _query: Annotated[object, Security(QUERY)] = None,
) -> Principal:
    """Who asks: it is enough that one of the two places holds a good key."""
    return admit_first(request, secrets_sent(request))


Caller = Annotated[Principal, Depends(authenticate_request)]
ROUTES = APIRouter(prefix="/api/public", tags=["reports"])


def secrets_sent(request: Request) -> list[str]:
    """What stands in the header, with or without `Bearer`, then what stands in the query."""
    found = [re.sub(r"(?i)^bearer\s+", "", value.strip()) for value in request.headers.getlist("authorization")]
    found += request.query_params.getlist("access_token")
    return [secret for secret in dict.fromkeys(found) if secret]


@ROUTES.get(
    "/export/report/{report_id}/result/json",
    response_class=Response,
    responses={200: {"model": ResultAnswer}, **USUAL},
)
async def export_report_result(
    request: Request, report_id: str, caller: Caller, query: Annotated[ResultQuery, Query()]
) -> Response:
    """A report's result: a page of it if it is one of raw data, else all of it."""
    site, stop = site_of(request), Stop()

    def begin(stop: Stop) -> Opened | None:
        report = find_report(site.runtime, caller, report_id)
        if report.is_combined:
            raise InvalidRequest("Combined reports cannot be exported as Json")
        if getattr(request.state, "head", False):
            return None
        request.state.report = definition_json(report, collection_of(site.runtime, caller))
        chunks = evaluate(site.runtime, caller, report, query, stop)
        return Opened(Download("", HEADERS["Content-Type"], chunks), *pull(chunks), stage="read")

    opened = await run_stoppable(request, begin, stop)
    return bodiless(HEADERS) if opened is None else StreamedFile(site, opened, stop, HEADERS)


@ROUTES.get("/report", response_class=JSONResponse, responses={200: {"model": list[IdAnswer]}, **USUAL})
def get_report_ids(
    request: Request, caller: Caller, collection_id: Annotated[str, Query(alias="collectionId")] = ""
) -> Response:
    """The ids of all reports in a collection, which is the tenant."""
    runtime = site_of(request).runtime
    if not collection_id:
        raise InvalidRequest("Must specify a collection ID for this request.")
    if collection_id != caller.tenant and collection_id.lower() != collection_of(runtime, caller).lower():
        raise NotFound(f"There is no collection with id [{collection_id}].")
    return JSONResponse([{"id": report.id} for report in each_definition(runtime, caller)])


@ROUTES.delete("/report/{report_id}", status_code=204, responses=USUAL)
def delete_report(request: Request, report_id: str, caller: Caller) -> None:
    """Delete a report."""
    runtime = site_of(request).runtime
    delete_definition(runtime, caller, find_report(runtime, caller, report_id).id)


@ROUTES.post(
    "/export/report/definition/json",
    response_class=JSONResponse,
    responses={200: {"model": list[DefinitionAnswer]}, **USUAL, **refusals(413)},
)
def export_report_definitions(
    request: Request, caller: Caller, ids: Annotated[list[Text], Body(max_length=MOST_REPORTS)]
) -> Response:
    """The definitions of those reports."""
    runtime = site_of(request).runtime
    found = [find_report(runtime, caller, id_) for id_ in dict.fromkeys(ids)]
    return JSONResponse([definition_json(report, collection_of(runtime, caller)) for report in found])


def find_report(runtime: Runtime, caller: Principal, report_id: str) -> Definition:
    """The report of that id. Raises NotFound, in the product's words."""
    try:
        found = find_foreign_definition(runtime, caller, NAME, report_id)
    except NotFound as error:
        raise unknown_report(report_id) from error
    current_trail().thing = found.id
    return found


def collection_of(runtime: Runtime, caller: Principal) -> str:
    """The id of the caller's one collection."""
    return runtime.tenants[caller.tenant or ""].uuid


def evaluate(runtime: Runtime, caller: Principal, report: Definition, query: ResultQuery, stop: Stop) -> Chunks:
    """The answer's bytes."""
    if report.request.group_by or report.request.measures:
        current_trail().action = "definition.result"
        result = definition_result(runtime, caller, report.id, stop=stop)
        return in_one(write_json(result_json(report, result, query.limit)))
    snapshot, position = find_page(runtime, caller, report, query, stop)
    page = pages.read_page(runtime, snapshot, position)
    following = pages.seal_position(runtime, snapshot, position + page.size, kind=KIND)
    ends = page_ends(report.id, following, page.size, page.total)
    return pages.write_records(runtime, caller, page, RECORDS, *ends)


def find_page(
    runtime: Runtime, caller: Principal, report: Definition, query: ResultQuery, stop: Stop
) -> tuple[Snapshot, int]:
    """The snapshot and where the page begins: in a new one unless the query names one. The limit then says nothing."""
    if query.search_request_id:
        return pages.open_cursor(
            runtime,
            caller,
            report.id,
            query.search_request_id,
            keep_alive_s=query.pagination_timeout,
            kind=KIND,
        )
    snapshot = pages.open_snapshot(
        runtime,
        caller,
        report.id,
        page_size=query.limit,
        keep_alive_s=query.pagination_timeout,
        names_of=RECORDS.objects,
        stop=stop,
    )
    return snapshot, 0


def in_one(answer: bytes) -> Chunks:
    """A small answer as the stream it would be if it were large."""
    yield answer


ENTRYPOINT = Entrypoint(
    name=NAME,
    title="offtake: Camunda Optimize",
    description="Report results, as Camunda Optimize's public API gives them.",
    routers=(ROUTES,),
    claims=re.compile("/api/public(/|$)"),
    render=render,
    error_schema=ERROR_SCHEMA,
    actions={
        "export_report_result": "pages.read",
        "get_report_ids": "definition.list",
        "delete_report": "definition.delete",
        "export_report_definitions": "definition.read",
    },
)
