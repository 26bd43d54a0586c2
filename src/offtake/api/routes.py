"""The native API as one FastAPI application."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from anyio.to_thread import run_sync
from fastapi import FastAPI

from offtake import __version__
from offtake.api import (
    audit,
    bodies,
    bodies_pages,
    bodies_saved,
    bodies_schedules,
    bodies_shares,
    bodies_webhooks,
    datasets,
    definitions,
    docs,
    exports,
    health,
    keys,
    pages,
    schedules,
    shares,
    webhooks,
)
from offtake.api.spec import write_spec
from offtake.web.problems import install_problems
from offtake.web.site import Site


def build_api(site: Site, on_shutdown: Callable[[], None]) -> FastAPI:
    """Every route with its problem documents; `on_shutdown` runs once the last request is answered."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await run_sync(on_shutdown)

    api = FastAPI(
        title="offtake",
        version=__version__,
        description="Data export: from your databases to files people can trust.",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    api.state.site = site
    api.openapi = lambda: _spec(api)  # type: ignore[method-assign]
    routers = (
        datasets.ROUTES,
        exports.ROUTES,
        definitions.ROUTES,
        pages.ROUTES,
        schedules.ROUTES,
        shares.ROUTES,
        webhooks.ROUTES,
        keys.ROUTES,
        audit.ROUTES,
        health.ROUTES,
        docs.ROUTES,
    )
    words = bodies.WORDS | bodies_saved.WORDS | bodies_pages.WORDS | bodies_schedules.WORDS | bodies_shares.WORDS
    words |= bodies_webhooks.WORDS | audit.WORDS
    install_problems(api, words, [route for router in routers for route in router.routes])
    for router in routers:
        api.include_router(router)
    return api


def _spec(api: FastAPI) -> dict[str, object]:
    if api.openapi_schema is None:
        api.openapi_schema = write_spec(api)
    return api.openapi_schema
