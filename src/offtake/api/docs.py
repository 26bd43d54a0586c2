"""The pages about the API: Swagger UI from the wheel, served by ourselves: it works offline, under a strict policy."""

from collections.abc import Mapping

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from swagger_ui_bundle import swagger_ui_path

from offtake.errors import NotFound

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
    <title>offtake: API</title>
    <link rel="stylesheet" href="docs/swagger-ui.css">
    <link rel="icon" type="image/png" href="docs/favicon-32x32.png">
  </head>
  <body>
    <div id="page"></div>
    <script src="docs/swagger-ui-bundle.js"></script>
    <script src="docs/start.js"></script>
  </body>
</html>
"""
START = 'SwaggerUIBundle({url: "openapi.json", dom_id: "#page", deepLinking: true, validatorUrl: null});\n'

ROUTES = APIRouter(include_in_schema=False)


@ROUTES.get("/openapi.json")
async def get_spec(request: Request) -> Response:
    """The OpenAPI document."""
    return JSONResponse(request.app.openapi())


@ROUTES.get("/docs")
async def get_page() -> Response:
    """The page that shows it."""
    return Response(PAGE, media_type="text/html", headers={"Content-Security-Policy": POLICY})


@ROUTES.get("/docs/start.js")
async def get_start() -> Response:
    """What starts the page; inline it would need a hole in the policy."""
    return Response(START, media_type="text/javascript")


@ROUTES.get("/docs/{name}")
async def get_asset(name: str) -> Response:
    """A file of Swagger UI."""
    if name not in ASSETS:
        raise NotFound("There is no such page.", hint="See /docs.")
    headers = {"Cache-Control": "public, max-age=86400"}
    return FileResponse(swagger_ui_path / name, media_type=ASSETS[name], headers=headers)
