"""A definition's result in pages that belong together, whatever happens to the data meanwhile."""

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from offtake.api.bodies_pages import PageAnswer, PagesQuery
from offtake.api.spec import problems
from offtake.model.access import Principal
from offtake.model.ports import Stop
from offtake.service import pages
from offtake.service.definitions import find_definition
from offtake.service.downloads import Download
from offtake.web.address import absolute_url
from offtake.web.auth import Caller
from offtake.web.responses import Opened, StreamedFile, bodiless, pull, run_stoppable
from offtake.web.site import site_of

JSON = "application/json"
PRIVATE = "private, no-store"
PAGE: dict[str, Any] = {
    "model": PageAnswer,
    "headers": {"Content-Location": {"description": "Where this very page is.", "schema": {"type": "string"}}},
}

ROUTES = APIRouter(prefix="/api/v1/definitions", tags=["definitions"])


@ROUTES.get(
    "/{definition_id}/pages",
    response_class=Response,
    responses={200: PAGE, **problems(409, 410, 502, 503, 504, 507)},
)
async def get_pages(
    request: Request, definition_id: str, caller: Caller, query: Annotated[PagesQuery, Query()]
) -> Response:
    """A page of its result. The first request reads all of it once; the others see what that one saw."""
    site, stop = site_of(request), Stop()
    if getattr(request.state, "head", False):
        await run_stoppable(request, lambda _: find_definition(site.runtime, caller, definition_id), stop)
        return bodiless({"Content-Type": JSON, "Cache-Control": PRIVATE})

    def begin(stop: Stop) -> tuple[Opened, str]:
        page = _find_page(request, caller, definition_id, query, stop)
        place = urlencode({"cursor": pages.seal_position(site.runtime, page.snapshot, page.position)})
        chunks = pages.write_page(site.runtime, caller, page)
        return Opened(Download("", JSON, chunks), *pull(chunks), stage="read"), absolute_url(
            request, f"{request.url.path}?{place}"
        )

    opened, place = await run_stoppable(request, begin, stop)
    return StreamedFile(site, opened, stop, {"Content-Type": JSON, "Cache-Control": PRIVATE, "Content-Location": place})


def _find_page(request: Request, caller: Principal, definition_id: str, query: PagesQuery, stop: Stop) -> pages.Page:
    runtime = site_of(request).runtime
    if query.cursor is not None:
        snapshot, position = pages.open_cursor(
            runtime, caller, definition_id, query.cursor, page_size=query.limit, keep_alive_s=query.keep_alive_s
        )
        return pages.read_page(runtime, snapshot, position)
    snapshot = pages.open_snapshot(
        runtime,
        caller,
        definition_id,
        page_size=query.limit or pages.USUAL_SIZE,
        keep_alive_s=query.keep_alive_s or pages.USUAL_KEEP_ALIVE_S,
        stop=stop,
    )
    return pages.read_page(runtime, snapshot, 0)
