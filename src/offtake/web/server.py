"""Every API of ours as one application."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from anyio.to_thread import run_sync
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from offtake.web import docs
from offtake.web.entrypoint import Entrypoint
from offtake.web.problems import allowed_methods, install_problems
from offtake.web.site import Site


def build_server(site: Site, on_shutdown: Callable[[], None]) -> FastAPI:
    """The routes of the site's entrypoints, in their order, and the pages about them; `on_shutdown` runs once the last
    request is answered.

    The routes lie flat side by side: mounted applications would hide each other where one's paths begin like another's.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await run_sync(on_shutdown)

    server = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False, lifespan=lifespan)
    server.state.site = site
    routers = [router for entrypoint in site.entrypoints for router in entrypoint.routers] + [docs.ROUTES]
    install_problems(server, [route for router in routers for route in router.routes])
    for entrypoint in site.entrypoints:
        for router in entrypoint.routers:
            server.include_router(router, dependencies=entrypoint.dependencies)
        if entrypoint is not site.entrypoints[-1]:
            server.router.routes.append(_NoRoute(site, entrypoint))
    server.include_router(docs.ROUTES)
    return server


class _NoRoute(BaseRoute):
    """What the routes of an API leave of the paths that it claims: those of another, which may look alike, never
    answer there."""

    def __init__(self, site: Site, entrypoint: Entrypoint) -> None:
        self._site, self._entrypoint = site, entrypoint
        self._routes = [route for router in entrypoint.routers for route in router.routes]

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Every path of its API."""
        is_own = scope["type"] == "http" and self._entrypoint.claims.match(scope["path"])  # no API before it did
        return (Match.FULL if is_own else Match.NONE), {}

    async def handle(self, scope: Scope, _receive: Receive, _send: Send) -> None:
        """Raise what the framework does without it: 405 where the path has other methods, else 404."""
        raise HTTPException(405 if allowed_methods(self._site.entrypoints, self._routes, scope["path"]) else 404)
