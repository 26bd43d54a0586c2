"""Is it alive, can it work, how much has it done: for machines that watch."""

from anyio.to_thread import run_sync
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from offtake.api.answers import HealthAnswer
from offtake.api.spec import problems
from offtake.service.access import authenticate
from offtake.service.health import Health
from offtake.web.auth import read_secret
from offtake.web.metrics import MEDIA_TYPE
from offtake.web.site import Site, site_of

ROUTES = APIRouter(tags=["health"])


@ROUTES.get("/healthz", responses=problems())
async def get_healthz() -> HealthAnswer:
    """The process is alive. Asks nobody."""
    return HealthAnswer("alive")


@ROUTES.get("/readyz", response_model=HealthAnswer, responses={503: {"model": HealthAnswer}, **problems()})
async def get_readyz(request: Request) -> Response:
    """App database, store, queue and a source answer; 503 otherwise. With a key: which parts do."""
    site = site_of(request)
    return await run_sync(_tell_health, site, read_secret(request.headers), limiter=site.probes)


def _tell_health(site: Site, secret: str | None) -> Response:
    if secret is not None:
        authenticate(site.runtime, secret)
    health = site.health.look()
    parts: dict[str, object] = {"appdb": None, "store": None, "queue": None, "sources": None}
    if secret is not None:
        parts = {name: _word(getattr(health, name)) for name in ("appdb", "store", "queue")}
        parts["sources"] = {name: _word(works) for name, works in health.sources.items()}
    return JSONResponse({"status": _status(health), **parts}, 200 if health.is_ready else 503)


@ROUTES.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {MEDIA_TYPE: {"schema": {"type": "string"}}}}, **problems()},
)
async def get_metrics(request: Request) -> Response:
    """Counters and timings in the Prometheus text format."""
    site = site_of(request)
    numbers = await run_sync(site.numbers.look, limiter=site.probes)
    return Response(site.metrics.render(numbers), media_type=MEDIA_TYPE)


def _status(health: Health) -> str:
    if not health.is_ready:
        return "not_ready"
    return "ready" if health.is_whole else "degraded"


def _word(works: bool | None) -> str | None:
    return None if works is None else "ok" if works else "failed"
