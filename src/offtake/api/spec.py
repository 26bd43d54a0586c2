"""What the native API's OpenAPI document says of its refusals."""

from typing import Any

from offtake.web.problems import MEDIA_TYPE
from offtake.web.spec import refusals

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
    return refusals(401, 403, 404, 422, 429, 500, *statuses, media_type=MEDIA_TYPE)
