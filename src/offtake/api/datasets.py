"""Datasets: list, describe, download, preview, count."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from offtake.api.answers import DatasetList, PreviewAnswer, preview_answer
from offtake.api.bodies import ExportBody
from offtake.api.queries import parse_query, query_parameters
from offtake.api.spec import problems
from offtake.model.access import Principal
from offtake.model.export import ExportRequest
from offtake.service.datasets import DatasetView, RowCount, count_rows, describe_dataset, list_datasets
from offtake.service.downloads import open_download
from offtake.service.previews import preview_rows
from offtake.web.auth import Caller
from offtake.web.responses import run_stoppable, stream_response
from offtake.web.site import site_of
from offtake.web.spec import file_answer

READ_PROBLEMS = problems(502, 504)
BODY_PROBLEMS = problems(413, 415, 502, 504)
FILE = file_answer("*/*")

ROUTES = APIRouter(prefix="/api/v1/datasets", tags=["datasets"])


@ROUTES.get("", responses=problems())
def get_datasets(request: Request, caller: Caller) -> DatasetList:
    """Every dataset this key may read: fields, types, operators, formats."""
    return DatasetList(list_datasets(site_of(request).runtime, caller))


@ROUTES.get("/{name}", responses=problems(502, 504))
def get_dataset(request: Request, name: str, caller: Caller) -> DatasetView:
    """One dataset: fields, types, operators, formats."""
    return describe_dataset(site_of(request).runtime, caller, name)


@ROUTES.get(
    "/{name}/download",
    response_class=Response,
    responses={200: FILE, **READ_PROBLEMS},
    openapi_extra={"parameters": query_parameters()},
    description="Stream one file now. Options of the format are parameters too: `options.header=none`.",
)
async def get_download(request: Request, name: str, caller: Caller) -> Response:
    """Stream the file the query string asks for."""
    return await _stream(request, caller, parse_query(name, request.query_params))


@ROUTES.post("/{name}/download", response_class=Response, responses={200: FILE, **BODY_PROBLEMS})
async def post_download(request: Request, name: str, body: ExportBody, caller: Caller) -> Response:
    """Stream one file now."""
    return await _stream(request, caller, body.to_request(name))


@ROUTES.post("/{name}/preview", responses=BODY_PROBLEMS)
async def post_preview(request: Request, name: str, body: ExportBody, caller: Caller) -> PreviewAnswer:
    """The first rows as the file will hold them, and how many it would have."""
    wish = body.to_request(name)
    preview = await run_stoppable(request, lambda stop: preview_rows(site_of(request).runtime, caller, wish, stop=stop))
    return preview_answer(preview)


@ROUTES.post("/{name}/count", responses=BODY_PROBLEMS)
async def post_count(request: Request, name: str, body: ExportBody, caller: Caller) -> RowCount:
    """How many rows match, and how many one export may hold."""
    wish = body.to_request(name)
    return await run_stoppable(request, lambda stop: count_rows(site_of(request).runtime, caller, wish, stop=stop))


async def _stream(request: Request, caller: Principal, wish: ExportRequest) -> Response:
    runtime = site_of(request).runtime
    return await stream_response(
        request, lambda stop, on_rows: open_download(runtime, caller, wish, stop=stop, on_rows=on_rows)
    )
