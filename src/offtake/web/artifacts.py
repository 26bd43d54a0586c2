"""Finished files over HTTP: conditions, ranges, checksums (RFC 9110 §13 and §14, RFC 9530), or a way to the bucket."""

import base64
import secrets
from collections.abc import Sequence
from contextlib import closing

from anyio.to_thread import run_sync
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from offtake.errors import Expired, NotFound, PreconditionFailed, RangeNotSatisfiable, StoreFailed
from offtake.model.attachment import content_disposition
from offtake.model.job import Artifact
from offtake.model.ports import Chunks, Stop, Store
from offtake.service.downloads import Download
from offtake.web.conditions import is_known, is_wanted
from offtake.web.entrypoint import refuse
from offtake.web.ranges import parse_ranges
from offtake.web.responses import Opened, StreamedFile, pull, run_stoppable
from offtake.web.site import site_of

PRESIGNED_S = 300  # a fetch must begin within this time; it may take longer
# A cache of the reader's own may keep the file, and asks with its ETag whether it is still to be had.
CACHING = "private, no-cache"

# What a body is made of, in order: bytes as they are, or a span of the file.
Piece = bytes | range


async def send_artifact(request: Request, artifact: Artifact, *, may_redirect: bool = True) -> Response:
    """The file, or what GET or HEAD asked of it: parts of it, whether it is the known one, its headers.

    Unless it `may_redirect`, it sends the bytes itself, however the service is set up: what is counted must pass here.

    Raises PreconditionFailed, Expired if its bytes are gone, and StoreFailed as long as nothing was sent; later the
    connection is cut.
    """
    site, etag = site_of(request), etag_of(artifact)
    if not is_wanted(request.headers, etag):
        raise PreconditionFailed("The file is not the one in If-Match.", hint=f"It is {etag} by now.")
    if is_known(request.headers, etag):
        return Response(None, 304, {"ETag": etag, "Cache-Control": CACHING})
    if getattr(request.state, "head", False):
        return Response(None, 200, _headers(artifact) | {"Content-Length": str(artifact.bytes)})
    if may_redirect and site.runtime.redirect_downloads:
        url = await run_sync(site.runtime.store.presign, artifact.name, PRESIGNED_S)
        if url is not None:
            return RedirectResponse(url, 307)
    spans = _spans(request.headers, artifact)
    if spans == ():
        error = RangeNotSatisfiable(f"The file has {artifact.bytes} bytes.", hint="Ask for some of these.")
        return refuse(site.entrypoints, request, error, {"Content-Range": f"bytes */{artifact.bytes}"})
    status, pieces, headers = _lay_out(artifact, spans)
    headers = _headers(artifact) | headers | {"Content-Length": str(sum(len(piece) for piece in pieces))}
    download = Download(artifact.filename, artifact.media_type, _read(site.runtime.store, artifact, pieces))
    stop = Stop()
    opened = await run_stoppable(request, lambda _: Opened(download, *pull(download.chunks), stage="read"), stop)
    return StreamedFile(site, opened, stop, headers, status)


def etag_of(artifact: Artifact) -> str:
    """What stands for exactly these bytes (RFC 9110 §8.8.3)."""
    return f'"{artifact.sha256}"'


def _headers(artifact: Artifact) -> dict[str, str]:
    digest = base64.b64encode(bytes.fromhex(artifact.sha256)).decode()
    return {
        "Content-Type": artifact.media_type,
        "Content-Disposition": content_disposition(artifact.filename),
        "Cache-Control": CACHING,
        "Accept-Ranges": "bytes",
        "ETag": etag_of(artifact),
        "Repr-Digest": f"sha-256=:{digest}:",
    }


def _spans(headers: Headers, artifact: Artifact) -> tuple[range, ...] | None:
    """The parts to send; None is the whole file, none at all is nothing it has."""
    asked = headers.getlist("range")
    # A date never matches, for the file has none, nor does a weak tag (RFC 9110 §13.1.5).
    if not asked or headers.get("if-range", etag_of(artifact)) != etag_of(artifact):
        return None
    return parse_ranges(",".join(asked), artifact.bytes)


def _lay_out(artifact: Artifact, spans: tuple[range, ...] | None) -> tuple[int, list[Piece], dict[str, str]]:
    """The status, the pieces of the body, and the headers only this answer has."""
    if spans is None:
        return 200, [range(artifact.bytes)], {}
    if len(spans) == 1:
        return 206, [spans[0]], {"Content-Range": _content_range(spans[0], artifact)}
    boundary = secrets.token_hex(16)
    pieces: list[Piece] = []
    for span in spans:
        head = f"--{boundary}\r\nContent-Type: {artifact.media_type}\r\nContent-Range: {_content_range(span, artifact)}"
        pieces += [head.encode() + b"\r\n\r\n", span, b"\r\n"]
    pieces.append(f"--{boundary}--\r\n".encode())
    return 206, pieces, {"Content-Type": f"multipart/byteranges; boundary={boundary}"}


def _content_range(span: range, artifact: Artifact) -> str:
    return f"bytes {span.start}-{span.stop - 1}/{artifact.bytes}"


def _read(store: Store, artifact: Artifact, pieces: Sequence[Piece]) -> Chunks:
    for piece in pieces:
        if isinstance(piece, bytes):
            yield piece
        elif piece:
            yield from _read_span(store, artifact, piece)


def _read_span(store: Store, artifact: Artifact, span: range) -> Chunks:
    missing = len(span)
    try:
        with closing(store.read(artifact.name, span.start, span.stop)) as chunks:
            for chunk in chunks:
                missing -= len(chunk)
                yield chunk
    except NotFound as error:
        raise Expired("This file is no longer in the store.", hint="Ask for a new export.") from error
    if missing:
        raise StoreFailed("This file is not as long as it was written.", hint="Ask for a new export.")
