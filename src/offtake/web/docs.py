"""The pages about our APIs: Swagger UI from the wheel, served by ourselves: it works offline, under a strict policy."""

from collections.abc import Mapping

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from swagger_ui_bundle import swagger_ui_path

from offtake.errors import NotFound
from offtake.web.entrypoint import Entrypoint
from offtake.web.site import site_of
from offtake.web.spec import write_spec

ASSETS: Mapping[str, str] = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "favicon-32x32.png": "image/png",
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
PAGE = """<!DOCTYPE html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <title>{title}: API</title>
    <link rel="stylesheet" href="{folder}swagger-ui.css">
    <link rel="icon" type="image/png" href="{folder}favicon-32x32.png">
  </head>
  <body data-spec="{spec}">
    <div id="page"></div>
    <script src="{folder}swagger-ui-bundle.js"></script>
    <script src="{folder}start.js"></script>
  </body>
</html>
"""
START = "SwaggerUIBundle({url: document.body.dataset.spec, dom_id: '#page', deepLinking: true, validatorUrl: null});\n"

ROUTES = APIRouter(include_in_schema=False)


@ROUTES.get("/openapi.json")
def get_spec(request: Request) -> Response:
    """The OpenAPI document of the native API."""
    return JSONResponse(write_spec(site_of(request).entrypoints[-1]))


@ROUTES.get("/openapi/{name}.json")
def get_spec_of(request: Request, name: str) -> Response:
    """The OpenAPI document of a dialect."""
    return JSONResponse(write_spec(_find(request, name)))


@ROUTES.get("/docs")
async def get_page(request: Request) -> Response:
    """The page that shows the native API."""
    return _page(site_of(request).entrypoints[-1], folder="docs/", spec="openapi.json")


@ROUTES.get("/docs/start.js")
async def get_start() -> Response:
    """What starts the page; inline it would need a hole in the policy."""
    return Response(START, media_type="text/javascript")


@ROUTES.get("/docs/{name}")
async def get_page_of(request: Request, name: str) -> Response:
    """The page that shows a dialect, or a file of Swagger UI."""
    if name in ASSETS:
        headers = {"Cache-Control": "public, max-age=86400"}
        return FileResponse(swagger_ui_path / name, media_type=ASSETS[name], headers=headers)
    return _page(_find(request, name), folder="", spec=f"../openapi/{name}.json")


def _find(request: Request, name: str) -> Entrypoint:
    dialects = {entrypoint.name: entrypoint for entrypoint in site_of(request).entrypoints[:-1]}
    if name not in dialects:
        pages = ", ".join(f"/docs/{known}" for known in dialects)
        raise NotFound("There is no such page.", hint=f"See /docs{', ' * bool(pages)}{pages}.")
    return dialects[name]


def _page(entrypoint: Entrypoint, *, folder: str, spec: str) -> Response:
    page = PAGE.format(title=entrypoint.title, folder=folder, spec=spec)
    return Response(page, media_type="text/html", headers={"Content-Security-Policy": POLICY})
