"""What a share opens, sent over HTTP: every download from byte 0 is a use, looking and resuming are not."""

from functools import partial

import anyio
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response

from offtake.errors import NotFound, PreconditionFailed
from offtake.service.downloads import Envelope
from offtake.service.shares import (
    MARK,
    Shared,
    check_unused,
    download_shared,
    give_back_use,
    is_share_token,
    open_share,
    use_share,
)
from offtake.web.artifacts import etag_of, send_artifact
from offtake.web.ranges import parse_ranges
from offtake.web.rates import count_request
from offtake.web.responses import stream_response
from offtake.web.site import Site, site_of

NOTHING_SENT = (304, 416)


def check_tokens(site: Site, request: Request) -> None:
    """Raise NotFound if a share's token is shown for anything but its one right, which is GET /s/{token}.

    In no header does any token belong. In queries a dialect may want those with a mark of its own.
    """
    path: str = request.scope["path"]
    sent = {value.rpartition(" ")[2] for value in request.headers.values()}
    asked = {*path.split("/"), *request.query_params.values()}
    marks = [entrypoint.token_mark for entrypoint in site.entrypoints if entrypoint.token_mark]
    shown = {text for text in sent if is_share_token(text, *marks)}
    shown |= {text for text in asked if is_share_token(text, MARK)}
    if shown and not (request.method == "GET" and shown == {path.removeprefix("/s/")}):
        raise NotFound("A share opens nothing here.", hint="GET its own address, /s/…, or send a key.")


async def find_shared(request: Request, token: str, *, prefix: str = MARK) -> Shared:
    """What the token opens, with this request counted. Raises what `open_share` raises, RateLimited."""
    return await run_sync(partial(_find_shared, request, token, prefix))


async def send_shared(request: Request, shared: Shared, *, envelope: Envelope | None = None) -> Response:
    """The file, with the use counted; HEAD and the rest of a download that broke off cost none.

    `envelope` as in `open_download`, for a definition. Raises Expired or Revoked if there is no use left, and what
    fetching or running it raises; a use that brought no byte is given back.
    """
    site, send = site_of(request), partial(_send, request, shared, envelope)
    if getattr(request.state, "head", False):
        check_unused(site.runtime, shared.share)
        return _without_tag(await send())
    if _is_resumption(request, shared):
        return await send()
    with anyio.CancelScope(shield=True):  # whoever leaves now must not leave it unknown whether it was counted
        await run_sync(use_share, site.runtime, shared)
    is_used = False
    try:
        response = await send()
        is_used = response.status_code not in NOTHING_SENT
    finally:
        if not is_used:
            with anyio.CancelScope(shield=True):
                await run_sync(give_back_use, site.runtime, shared, limiter=site.exits)
    return response if is_used else _without_tag(response)


def _find_shared(request: Request, token: str, prefix: str) -> Shared:
    shared = open_share(site_of(request).runtime, token, prefix=prefix)
    request.state.principal = shared.principal
    count_request(request, shared.principal)
    return shared


async def _send(request: Request, shared: Shared, envelope: Envelope | None) -> Response:
    if shared.artifact is None:
        runtime = site_of(request).runtime
        return await stream_response(
            request,
            lambda stop, on_rows: download_shared(runtime, shared, stop=stop, on_rows=on_rows, envelope=envelope),
        )
    try:
        # The bucket would let whoever was redirected fetch it again.
        return await send_artifact(request, shared.artifact, may_redirect=shared.share.max_downloads is None)
    except PreconditionFailed as error:
        raise PreconditionFailed(error.detail, hint="Ask without If-Match.") from None


def _is_resumption(request: Request, shared: Shared) -> bool:
    """Whether it asks for later parts of the very file that somebody began to download."""
    artifact, headers = shared.artifact, request.headers
    if artifact is None or not shared.share.uses or headers.get("if-range") != etag_of(artifact):
        return False
    spans = parse_ranges(",".join(headers.getlist("range")), artifact.bytes)
    return bool(spans) and all(span.start > 0 for span in spans or ())


def _without_tag(response: Response) -> Response:
    """Without what names the bytes: who knows it may resume, and only who has used the share shall."""
    for name in ("ETag", "Repr-Digest"):
        if name in response.headers:
            del response.headers[name]
    return response
