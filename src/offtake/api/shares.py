"""Shares: make them of definitions and exports, list, revoke; and what their tokens open, without a key."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from offtake.api.answers_shares import NewShareAnswer, ShareList, new_share_answer, share_answer
from offtake.api.bodies import PageQuery
from offtake.api.bodies_shares import ShareBody
from offtake.api.datasets import FILE
from offtake.api.spec import problems
from offtake.errors import OfftakeError
from offtake.model.access import Principal
from offtake.model.share import Share
from offtake.service import shares
from offtake.service.lists import list_page
from offtake.web.address import absolute_url
from offtake.web.auth import Caller
from offtake.web.responses import run_stoppable
from offtake.web.sharepage import prefers_page, refusal_page, share_page
from offtake.web.shares import find_shared, send_shared
from offtake.web.site import site_of
from offtake.web.spec import TEXT, fetch_answers

PUBLIC = {"Vary": "Accept", "X-Robots-Tag": "noindex, nofollow"}
HTML: dict[str, Any] = {"text/html": TEXT}
OPENED: dict[int | str, dict[str, Any]] = {
    **fetch_answers("*/*"),
    200: {
        **FILE,
        "description": "The file; for people, a page that leads to it.",
        "content": {**FILE["content"], **HTML},
    },
    **{
        status: {**refusal, "content": {**refusal["content"], **HTML}}
        for status, refusal in problems(400, 409, 410, 412, 416, 502, 503, 504).items()
        if status not in (401, 403)
    },
}
Listed = Annotated[PageQuery, Query()]

ROUTES = APIRouter(tags=["shares"])


@ROUTES.post(
    "/api/v1/definitions/{definition_id}/shares",
    status_code=201,
    responses=problems(409, 413, 415, 502, 503, 504),
)
async def post_definition_share(
    request: Request, definition_id: str, body: ShareBody, caller: Caller
) -> NewShareAnswer:
    """Share the definition: whoever has the token gets its rows as they are then, masked fields masked."""
    return await _create(request, caller, body, definition_id=definition_id)


@ROUTES.post("/api/v1/exports/{export_id}/shares", status_code=201, responses=problems(409, 410, 413, 415, 503))
async def post_export_share(request: Request, export_id: str, body: ShareBody, caller: Caller) -> NewShareAnswer:
    """Share the finished file. One that shows what shares only show masked is refused."""
    return await _create(request, caller, body, job_id=export_id)


@ROUTES.get("/api/v1/definitions/{definition_id}/shares", responses=problems(503))
def get_definition_shares(request: Request, definition_id: str, caller: Caller, query: Listed) -> ShareList:
    """The shares of the definition, ended ones too, without tokens."""
    return _list(request, caller, query, definition_id=definition_id)


@ROUTES.get("/api/v1/exports/{export_id}/shares", responses=problems(503))
def get_export_shares(request: Request, export_id: str, caller: Caller, query: Listed) -> ShareList:
    """The shares of the export, ended ones too, without tokens."""
    return _list(request, caller, query, job_id=export_id)


@ROUTES.get("/api/v1/shares", responses=problems(503))
def get_shares(request: Request, caller: Caller, query: Listed) -> ShareList:
    """Every share of the tenant, ended ones too, without tokens."""
    return _list(request, caller, query)


@ROUTES.delete("/api/v1/shares/{share_id}", status_code=204, responses=problems(503))
def delete_share(request: Request, share_id: str, caller: Caller) -> None:
    """Revoke a share at once. Downloads that have begun go on."""
    shares.revoke_share(site_of(request).runtime, caller, share_id)


@ROUTES.get("/s/{token}", response_class=Response, responses=OPENED)
async def get_shared(
    request: Request,
    token: str,
    download: Annotated[bool, Query(description="`1`: the file, whoever asks.")] = False,
) -> Response:
    """What is shared: the file for machines, a page that leads to it for people (`Accept: text/html`). Needs no key."""
    is_person = prefers_page(request.headers)
    try:
        response = await _open(request, token, as_page=is_person and not download)
    except OfftakeError as error:
        if not is_person:
            raise
        response = refusal_page(error)
    response.headers.update(PUBLIC)
    return response


async def _open(request: Request, token: str, *, as_page: bool) -> Response:
    shared = await find_shared(request, token)
    if not as_page:
        return await send_shared(request, shared)
    shares.check_unused(site_of(request).runtime, shared.share)
    return share_page(shared)


async def _create(request: Request, caller: Principal, body: ShareBody, **thing: str) -> NewShareAnswer:
    runtime = site_of(request).runtime
    make = partial(
        shares.create_share, runtime, caller, expires_in_s=body.expires_in_s, max_downloads=body.max_downloads, **thing
    )
    share, token = await run_stoppable(request, lambda _: make())
    return new_share_answer(share, token, absolute_url(request, f"/s/{token}"), runtime.now())


def _list(request: Request, caller: Principal, query: PageQuery, **thing: str) -> ShareList:
    runtime = site_of(request).runtime
    question = ("shares", caller.tenant, *thing, *thing.values())

    def find(*, before: str | None, limit: int) -> Sequence[Share]:
        return shares.list_shares(runtime, caller, before=before, limit=limit, **thing)

    page = list_page(runtime, question, query.cursor, query.limit, find)
    return ShareList(tuple(share_answer(share, runtime.now()) for share in page.things), page.next_cursor)
