"""Every answer says how often its sender may still ask; who shows no valid credential is counted by address."""

import re
import time
from contextlib import suppress
from functools import partial

from anyio.to_thread import run_sync
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from offtake.errors import Unavailable
from offtake.model.access import Principal
from offtake.service.counters import Allowance
from offtake.web.address import client_network
from offtake.web.entrypoint import refuse
from offtake.web.site import Site, site_of

# For machines that watch, and for people who read how it works; but not to try out keys.
FREE = re.compile(r"/(healthz|readyz|metrics|docs(/[^/]*)?|openapi\.json|openapi/[^/]+)")
UNAUTHORISED, TOO_MANY = 401, 429


def count_request(request: Request, principal: Principal) -> None:
    """Count a request of somebody we know, once. Raises RateLimited."""
    _settle(request, site_of(request).runtime.counters.count_request(principal))


def count_stranger(request: Request) -> None:
    """Count a request that a link of ours lets in, before the work is done. Raises RateLimited."""
    _settle(request, site_of(request).runtime.counters.count_stranger(client_network(request.scope)))


def _settle(request: Request, allowance: Allowance | None) -> None:
    request.state.allowance = allowance
    if allowance is not None and allowance.refusal is not None:
        raise allowance.refusal


def metered(app: ASGIApp, site: Site) -> ASGIApp:
    """The application with its answers counted and marked; one that nobody may have any more becomes a 429."""

    async def metering(scope: Scope, receive: Receive, send: Send) -> None:
        await app(scope, receive, _Answer(site, scope, receive, send).send)

    return metering


class _Answer:
    """One answer on its way out."""

    def __init__(self, site: Site, scope: Scope, receive: Receive, send: Send) -> None:
        self._site, self._scope, self._receive, self._send = site, scope, receive, send
        self._is_replaced = False

    async def send(self, message: Message) -> None:
        """Pass a message on, unless another answer took its place."""
        if self._is_replaced:
            return
        if message["type"] == "http.response.start":
            if "allowance" not in self._scope["state"] and self._is_counted(message["status"]):
                await self._count()
            allowance: Allowance | None = self._scope["state"].get("allowance")
            if allowance is not None and allowance.refusal is not None and message["status"] != TOO_MANY:
                self._is_replaced = True
                refusal = refuse(self._site.entrypoints, Request(self._scope), allowance.refusal)
                await refusal(self._scope, self._receive, partial(self._send_marked, allowance))
                return
            await self._send_marked(allowance, message)
        else:
            await self._send(message)

    def _is_counted(self, status: int) -> bool:
        return status == UNAUTHORISED or not FREE.fullmatch(self._scope["path"])

    async def _count(self) -> None:
        counters = self._site.runtime.counters
        count = partial(counters.count_stranger, client_network(self._scope))
        with suppress(Unavailable):  # the answer itself is none the worse
            self._scope["state"]["allowance"] = await run_sync(count) if counters.is_shared else count()

    async def _send_marked(self, allowance: Allowance | None, message: Message) -> None:
        if message["type"] == "http.response.start":
            _mark(MutableHeaders(raw=message["headers"]), allowance, message["status"])
        await self._send(message)


def _mark(headers: MutableHeaders, allowance: Allowance | None, status: int) -> None:
    """Add every header that one of the APIs promises; epoch seconds, but for Retry-After (RFC 9110 §10.2.3)."""
    if allowance is not None:
        headers["X-RateLimit-Limit"] = str(allowance.limit)
        headers["X-RateLimit-Remaining"] = str(allowance.remaining)
        headers["X-RateLimit-Reset"] = str(allowance.reset_at)
    if status == TOO_MANY and "Retry-After" in headers:
        headers["X-RateLimit-Retry-After"] = str(int(time.time()) + int(headers["Retry-After"]))
        if allowance is not None:
            headers["Rate-Limit-Limit"] = str(allowance.limit)
