"""Every API of ours as one application."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from anyio.to_thread import run_sync
from fastapi import FastAPI

from offtake.web import docs
from offtake.web.problems import install_problems
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
    server.include_router(docs.ROUTES)
    return server
