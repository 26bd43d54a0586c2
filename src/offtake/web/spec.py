"""OpenAPI documents: every answer of every route of one API, refusals included."""

from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from typing import Any

from fastapi.openapi.utils import get_openapi

from offtake import __version__
from offtake.web.entrypoint import Entrypoint

ERROR = "Error"  # what every document calls the shape of its errors
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
TEXT = {"schema": {"type": "string"}}
BINARY = {"schema": {"type": "string", "format": "binary"}}


def file_answer(*media_types: str) -> dict[str, Any]:
    """A file of one of those types, for a route's `responses`."""
    return {
        "description": "The file.",
        "content": dict.fromkeys(media_types, BINARY),
        "headers": {"Content-Disposition": {"description": "attachment, and its name.", **TEXT}},
    }


def fetch_answers(*media_types: str) -> dict[int | str, dict[str, Any]]:
    """What `send_artifact` answers with: a finished file, perhaps a part of it, or where it is."""
    file = file_answer(*media_types)
    return {
        200: file,
        206: {**file, "description": "The asked-for range of it, or several."},
        304: {"description": "Not changed."},
        307: {"description": "It is fetched from the store itself.", "headers": {"Location": TEXT}},
    }


def refusals(*statuses: int, media_type: str = "application/json") -> dict[int | str, dict[str, Any]]:
    """Those statuses with the API's error as their body, for a route's `responses`."""
    content = {media_type: {"schema": {"$ref": f"#/components/schemas/{ERROR}"}}}
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in sorted({*statuses})}


@cache  # it takes a quarter of a second, and whoever has no key may ask for it
def write_spec(entrypoint: Entrypoint) -> Mapping[str, Any]:
    """The document of that API."""
    spec = get_openapi(
        title=entrypoint.title,
        version=__version__,
        description=entrypoint.description,
        routes=[route for router in entrypoint.routers for route in router.routes],
    )
    schemas = spec.setdefault("components", {}).setdefault("schemas", {})
    for operation in (each for path in spec["paths"].values() for each in path.values() if "responses" in each):
        if _is_frameworks(operation["responses"].get("422", {})):
            del operation["responses"]["422"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas[ERROR] = dict(entrypoint.error_schema)
    return spec


def _is_frameworks(answer: Mapping[str, Any]) -> bool:
    """Whether it is what the framework says of wrong bodies by itself, which none of us ever answers."""
    return "HTTPValidationError" in str(answer.get("content"))
