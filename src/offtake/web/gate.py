"""The outermost layer: request ids, security headers, body limit, stray tokens, access log, audit; bugs end here."""

import re
import time
import uuid
from collections.abc import Callable
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from offtake.errors import OfftakeError, TooLarge
from offtake.model.cors import NO_CORS, Cors
from offtake.service.trail import following
from offtake.web.audit import Seen, write_audit
from offtake.web.cors import open_to
from offtake.web.entrypoint import refuse
from offtake.web.logs import where
from offtake.web.rates import metered
from offtake.web.shares import check_tokens
from offtake.web.site import Site

SANE_REQUEST_ID = re.compile(r"[A-Za-z0-9._~+/=-]{1,128}")
# Anybody may make a method up, and a meter for each would fill the memory.
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}


def guard(app: ASGIApp, site: Site, cors: Cors = NO_CORS) -> ASGIApp:
    """The application behind the gate. Whatever is answered, refusals of the gate too, other origins may read."""
    inside = open_to(metered(_checked(app, site), site), cors)

    async def gate(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            # Whoever tells an error at the gate finds the site as routes do, through the application.
            await _Visit({**scope, "app": app}, site).run(inside, receive, send)
        else:
            await app(scope, receive, send)

    return gate


def _checked(app: ASGIApp, site: Site) -> ASGIApp:
    """The application without requests whose body is too large, or that show a token where it opens nothing."""
    limit = site.runtime.limits.body_bytes

    async def check(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        try:
            check_tokens(site, request)
            if limit and _announced(scope) > limit:
                raise _too_large(limit)
        except OfftakeError as error:
            await refuse(site.entrypoints, request, error)(scope, receive, send)
        else:
            await app(scope, _limited(receive, limit) if limit else receive, send)

    return check


class _Visit:
    """One request on its way through."""

    def __init__(self, scope: Scope, site: Site) -> None:
        self.site = site
        self.began = time.perf_counter()
        self.status = 0
        self.sent = 0
        self.method: str = scope["method"]
        asked = Headers(scope=scope).get("x-request-id", "")
        self.request_id = asked if SANE_REQUEST_ID.fullmatch(asked) else uuid.uuid4().hex
        # HEAD runs the route of GET; h11 and h2 leave the body out themselves (RFC 9110 §9.3.2).
        head = self.method == "HEAD"
        self.state: dict[str, Any] = {**scope.get("state", {}), "request_id": self.request_id, "head": head}
        self.scope: Scope = {**scope, "state": self.state, "method": "GET" if head else self.method}

    async def run(self, app: ASGIApp, receive: Receive, send: Send) -> None:
        """Pass the request on; never raises, for what a server prints about an exception may quote a row."""
        with following() as trail:
            try:
                await app(self.scope, receive, self._counted(send))
            except Exception as error:
                self.state["failure"] = error
            finally:
                self._write_down()
                seen = Seen(self.method, self._route, self.status, self.sent, self.request_id, self.scope)
                await write_audit(self.site, trail, seen)

    @property
    def _route(self) -> str:
        return str(getattr(self.scope.get("route"), "path", "none"))

    def _counted(self, send: Send) -> Send:
        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.status = message["status"]
                self._add_headers(MutableHeaders(raw=message["headers"]))
            elif message["type"] == "http.response.body":
                self.sent += len(message.get("body", b""))
            await send(message)

        return counted

    def _add_headers(self, headers: MutableHeaders) -> None:
        headers["X-Request-Id"] = self.request_id
        for name, value in SECURITY_HEADERS.items():
            headers.setdefault(name, value)

    def _write_down(self) -> None:
        route = self._route
        principal, failure = self.state.get("principal"), self.state.get("failure")
        method = self.method if self.method in METHODS else "other"
        self.site.metrics.requests.labels(method, route, str(self.status)).inc()
        line = {
            "request_id": self.request_id,
            "method": self.method,
            "route": route,
            "status": self.status,
            "bytes": self.sent,
            "duration_ms": round((time.perf_counter() - self.began) * 1e3, 1),
            "key": principal.id if principal else None,
        }
        if isinstance(failure, OfftakeError):
            line["cut"] = failure.code
        elif failure is not None:
            self.site.log.error("bug", request_id=self.request_id, type=type(failure).__name__, at=where(failure))
        self.site.log.info("request", **line)


def _announced(scope: Scope) -> int:
    length = Headers(scope=scope).get("content-length", "")
    return int(length) if length.isdecimal() else 0


def _limited(receive: Receive, limit: int) -> Callable[[], Any]:
    """The body without an announced length, read no further than the limit."""
    size = 0

    async def limited() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > limit:
            raise _too_large(limit)
        return message

    return limited


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The body is larger than {limit} bytes.", hint="Send a smaller body.")
