"""Exports that run in the background: submit, list, watch, cancel, retry, fetch, hand on as a link, delete."""

from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Security
from starlette.requests import Request
from starlette.responses import Response

from offtake.api.answers import ExportAnswer, ExportList, LinkAnswer, export_answer, export_json
from offtake.api.bodies import ExportsQuery, LinkBody, NewExportBody
from offtake.api.spec import problems
from offtake.errors import Unavailable
from offtake.model.delivery import Delivery
from offtake.model.job import Artifact, ExportJob
from offtake.service import exports
from offtake.service.deliveries import deliveries_of
from offtake.service.links import Link, make_link
from offtake.service.lists import list_page
from offtake.service.signing import Signature
from offtake.web.address import absolute_url
from offtake.web.artifacts import send_artifact
from offtake.web.auth import API_KEY, BEARER, Caller, authenticate_request
from offtake.web.events import send_events
from offtake.web.links import find_linked
from offtake.web.responses import run_stoppable
from offtake.web.site import site_of
from offtake.web.spec import TEXT, fetch_answers

ACCEPTED: dict[str, Any] = {
    "description": "It is in the queue.",
    "headers": {
        "Location": {"description": "The export.", **TEXT},
        "Idempotency-Replayed": {"description": "`true` if this key had made it before.", **TEXT},
    },
}
FETCHED = {**fetch_answers("*/*"), **problems(400, 409, 410, 412, 416, 502, 503)}
STREAM: dict[str, Any] = {"description": "Server-sent events.", "content": {"text/event-stream": TEXT}}
FINISHED: dict[str, Any] = {"description": "`Last-Event-ID` was the last there will be."}

IdempotencyKey = Annotated[str | None, Header(description="Send the same again, and no second export is made.")]

ROUTES = APIRouter(prefix="/api/v1/exports", tags=["exports"])


@ROUTES.post("", status_code=202, responses={202: ACCEPTED, **problems(413, 415, 502, 503, 504)})
async def post_export(
    request: Request,
    response: Response,
    body: NewExportBody,
    caller: Caller,
    idempotency_key: IdempotencyKey = None,
) -> ExportAnswer:
    """Put an export into the queue. What is wrong with it is told now."""
    wish, how = body.to_request(body.dataset), body.to_submission(idempotency_key)
    runtime = site_of(request).runtime
    made = await run_stoppable(request, lambda _: exports.submit_export(runtime, caller, wish, how))
    return accept_export(request, response, made, idempotency_key)


def accept_export(
    request: Request, response: Response, made: exports.Submitted, idempotency_key: str | None
) -> ExportAnswer:
    """The export as it is shown to who submitted it, and where it is."""
    answer = _answer(request, made.job, ())
    response.headers["Location"] = answer.links["self"]
    if idempotency_key is not None and not made.is_new:
        response.headers["Idempotency-Replayed"] = "true"
    return answer


@ROUTES.get("", responses=problems(503))
def get_exports(request: Request, caller: Caller, query: Annotated[ExportsQuery, Query()]) -> ExportList:
    """Every export of the tenant, the newest first, a page at a time."""
    runtime = site_of(request).runtime
    wanted: dict[str, Any] = {"state": query.state, "dataset": query.dataset, "definition_id": query.definition_id}
    find = partial(exports.list_exports, runtime, caller, **wanted)
    page = list_page(runtime, ("exports", caller.tenant, *wanted.values()), query.cursor, query.limit, find)
    sent = deliveries_of(runtime, page.things)
    answers = tuple(_answer(request, job, sent.get(job.id, ())) for job in page.things)
    return ExportList(answers, page.next_cursor)


@ROUTES.get("/{export_id}", responses=problems(503))
def get_export(request: Request, export_id: str, caller: Caller) -> ExportAnswer:
    """How far it has come, and what became of it."""
    return _answer_whole(request, exports.find_export(site_of(request).runtime, caller, export_id))


@ROUTES.delete("/{export_id}", status_code=204, responses=problems(502, 503))
def delete_export(request: Request, export_id: str, caller: Caller) -> None:
    """Delete it and its file; one that has not ended is cancelled first."""
    exports.delete_export(site_of(request).runtime, caller, export_id)


@ROUTES.post("/{export_id}/cancel", responses=problems(409, 503))
def post_cancel(request: Request, export_id: str, caller: Caller) -> ExportAnswer:
    """End it, wherever it stands."""
    return _answer_whole(request, exports.cancel_export(site_of(request).runtime, caller, export_id))


@ROUTES.post("/{export_id}/retry", status_code=202, responses=problems(409, 503))
def post_retry(request: Request, export_id: str, caller: Caller) -> ExportAnswer:
    """Start one that failed or was cancelled over."""
    return _answer_whole(request, exports.retry_export(site_of(request).runtime, caller, export_id))


@ROUTES.get("/{export_id}/events", response_class=Response, responses={200: STREAM, 204: FINISHED, **problems(503)})
async def get_events(request: Request, export_id: str, caller: Caller) -> Response:
    """Its progress as server-sent events, until its state is final."""
    return await send_events(request, caller, export_id, lambda job: export_json(_answer_whole(request, job)))


def find_file(
    request: Request,
    export_id: str,
    expires: Annotated[str | None, Query(description="Of a signed link.")] = None,
    maker: Annotated[str | None, Query(description="Of a signed link.")] = None,
    key: Annotated[str | None, Query(description="Of a signed link.")] = None,
    signature: Annotated[str | None, Query(description="Of a signed link; no key is needed with it.")] = None,
    _bearer: Annotated[object, Security(BEARER)] = None,
    _key: Annotated[object, Security(API_KEY)] = None,
) -> Artifact:
    """The file, for whoever has a key or a link. Raises what each of them raises."""
    if signature is not None:
        return find_linked(request, Link(export_id, expires or "", maker or "", Signature(key or "", signature)))
    return exports.find_artifact(site_of(request).runtime, authenticate_request(request), export_id)[1]


@ROUTES.get("/{export_id}/download", response_class=Response, responses=FETCHED, openapi_extra={"security": [{}]})
async def get_download(request: Request, file: Annotated[Artifact, Depends(find_file)]) -> Response:
    """The finished file, whole or in ranges."""
    return await send_artifact(request, file)


@ROUTES.get("/{export_id}/manifest", responses=problems(409, 410, 502, 503))
def get_manifest(request: Request, export_id: str, caller: Caller) -> dict[str, Any]:
    """What is in the file: its columns, rows and SHA-256, and the filter as it was evaluated."""
    return dict(exports.read_manifest(site_of(request).runtime, caller, export_id))


@ROUTES.post("/{export_id}/links", status_code=201, responses=problems(409, 410, 413, 415, 503))
def post_link(request: Request, export_id: str, body: LinkBody, caller: Caller) -> LinkAnswer:
    """A link to the file that needs no key. Whoever may download it may make one."""
    link = make_link(site_of(request).runtime, caller, export_id, body.expires_in_s)
    return LinkAnswer(absolute_url(request, link.path), link.expires_at)


def _answer_whole(request: Request, job: ExportJob) -> ExportAnswer:
    found: Iterable[Delivery] | None = None
    with suppress(Unavailable):  # the job itself is known
        found = deliveries_of(site_of(request).runtime, [job]).get(job.id, ())
    return _answer(request, job, found)


def _answer(request: Request, job: ExportJob, deliveries: Iterable[Delivery] | None) -> ExportAnswer:
    return export_answer(job, site_of(request).runtime.now(), partial(absolute_url, request), deliveries)
