"""Pages of other origins that may call us from a browser (Fetch standard, CORS protocol)."""

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from offtake.model.cors import Cors

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
# What clients of ours and of the foreign APIs send.
SENT = (
    "Authorization",
    "X-Api-Key",
    "REB-APIKEY",
    "REB-API-CONSUMER",
    "X-Tenant-Uuid",
    "X-User-Email",
    "X-User-Id",
    "X-User-Type",
    "X-Request-Id",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "If-Modified-Since",
    "If-Unmodified-Since",
    "If-Range",
    "Range",
    "Last-Event-ID",
    "Cache-Control",
)
# What they may want to read; a few others every page may.
SHOWN = (
    "Accept-Ranges",
    "Allow",
    "Content-Disposition",
    "Content-Encoding",
    "Content-Location",
    "Content-Range",
    "ETag",
    "Idempotency-Replayed",
    "Link",
    "Location",
    "Pagination-Limit",
    "Pagination-Offset",
    "Pagination-Total",
    "Rate-Limit-Limit",
    "Repr-Digest",
    "Retry-After",
    "Server-Timing",
    "WWW-Authenticate",
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    "X-RateLimit-Retry-After",
    "X-Request-Id",
)


def open_to(app: ASGIApp, cors: Cors) -> ASGIApp:
    """The application, its answers readable for pages of those origins.

    Never with credentials of the browser's own: keys and tokens are sent by the page, so cookies have no part in it.
    """
    if not cors.origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=cors.origins,
        allow_methods=METHODS,
        allow_headers=SENT,
        expose_headers=SHOWN,
        max_age=cors.max_age_s,
    )
