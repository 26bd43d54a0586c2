"""Is it alive, can it work, how much has it done: for machines that watch."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from offtake.api.answers import HealthAnswer
from offtake.api.spec import problems
from offtake.service.access import authenticate
from offtake.service.health import Health, check_health
from offtake.web.auth import read_secret
from offtake.web.metrics import MEDIA_TYPE
from offtake.web.site import site_of

ROUTES = APIRouter(tags=["health"])


@ROUTES.get("/healthz", responses=problems())
async def get_healthz() -> HealthAnswer:
    """The process is alive. Asks nobody."""
    return HealthAnswer("alive")


@ROUTES.get("/readyz", response_model=HealthAnswer, responses={503: {"model": HealthAnswer}, **problems()})
def get_readyz(request: Request) -> Response:
    """The app database and a source answer; 503 otherwise. With a key: which parts do."""
    runtime = site_of(request).runtime
    secret = read_secret(request.headers)
    if secret is not None:
        authenticate(runtime, secret)
    health = check_health(runtime)
    answer: dict[str, object] = {"status": _status(health), "appdb": None, "sources": None}
    if secret is not None:
        answer["appdb"] = _word(health.appdb)
        answer["sources"] = {name: _word(works) for name, works in health.sources.items()}
    return JSONResponse(answer, 200 if health.is_ready else 503)


@ROUTES.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {MEDIA_TYPE: {"schema": {"type": "string"}}}}, **problems()},
)
def get_metrics(request: Request) -> Response:
    """Counters and timings in the Prometheus text format."""
    return Response(site_of(request).metrics.render(), media_type=MEDIA_TYPE)


def _status(health: Health) -> str:
    if not health.is_ready:
        return "not_ready"
    return "ready" if health.is_whole else "degraded"


def _word(works: bool) -> str:
    return "ok" if works else "failed"
