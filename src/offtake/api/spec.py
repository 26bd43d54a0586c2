"""The OpenAPI document: every answer of every route, refusals included."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from offtake.web.problems import MEDIA_TYPE

TEXT = {"type": "string"}
PROBLEM: dict[str, Any] = {
    "title": "Problem",
    "description": "What went wrong, and the way out (RFC 9457).",
    "type": "object",
    "required": ["type", "title", "status", "detail", "code", "hint", "request_id"],
    "properties": {
        "type": {**TEXT, "format": "uri"},
        "title": TEXT,
        "status": {"type": "integer"},
        "detail": TEXT,
        "code": {**TEXT, "description": "One of docs/errors.md."},
        "hint": TEXT,
        "request_id": TEXT,
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "detail"],
                "properties": {"pointer": {**TEXT, "description": "JSON pointer into the body."}, "detail": TEXT},
            },
        },
        "matched": {"type": "integer"},
        "allowed": {"type": "integer"},
        "retry_after_s": {"type": "integer"},
    },
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Those refusals, and the ones any authenticated route may give, for a route's `responses`."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        status: {"description": HTTPStatus(status).phrase, "content": content}
        for status in sorted({401, 403, 429, 500, *statuses})
    }


def write_spec(app: FastAPI) -> dict[str, Any]:
    """The document of that application."""
    spec = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes, tags=app.openapi_tags
    )
    spec["components"]["schemas"]["Problem"] = PROBLEM
    return spec
