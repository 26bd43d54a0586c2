"""Every failure as an error of ours, whoever raised it: our own code, the framework, or a bug; natively a problem
document (RFC 9457)."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from offtake.errors import (
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    OfftakeError,
    TooLarge,
    UnsupportedMediaType,
)
from offtake.web.bodies import UNKNOWN_KEY
from offtake.web.entrypoint import Entrypoint, entrypoint_of, refuse
from offtake.web.site import site_of

MEDIA_TYPE = "application/problem+json"
AN_INSTANT = "an instant with its offset, such as 2027-01-31T12:00:00Z"
# What a place in a body takes, by the word that pydantic has for it when it got something else.
TAKES = {
    **dict.fromkeys(("int_type", "int_from_float", "int_parsing", "int_parsing_size"), "a whole number"),
    **dict.fromkeys(("string_type", "string_unicode"), "text"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "true or false"),
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type"), "an object"),
    **dict.fromkeys(("timezone_aware", "datetime_type", "datetime_parsing", "datetime_from_date_parsing"), AN_INSTANT),
    "timezone_naive": "a local time without an offset, such as 2027-01-31T12:00:00",
    "list_type": "a list",
}


def render_problem(error: OfftakeError, request: Request) -> tuple[int, Mapping[str, Any]]:
    """Status and problem document, as the native API answers."""
    return error.status, problem_body(error, request.state.request_id)


def problem_body(error: OfftakeError, request_id: str) -> dict[str, Any]:
    """type, title, status, detail, code, hint, request_id; `errors` and the error's own extras where it has them."""
    body: dict[str, Any] = {
        **error.extra,
        "type": f"urn:offtake:problem:{error.code.lower()}",
        "title": error.code.replace("_", " ").capitalize(),
        "status": error.status,
        "detail": error.detail,
        "code": error.code,
        "hint": error.hint,
        "request_id": request_id,
    }
    if error.problems:
        body["errors"] = [{"pointer": pointer, "detail": detail} for pointer, detail in error.problems]
    return body


def unexpected() -> OfftakeError:
    """What the outside learns of a bug: nothing but the request id to report it by."""
    return OfftakeError("Something went wrong on our side.", hint="Report the request id to whoever runs this service.")


def install_problems(app: FastAPI, routes: Sequence[BaseRoute]) -> None:
    """Make the application answer every failure in the shape of the API that was called.

    `routes` are told apart to say which methods a path has.
    """

    async def expected(request: Request, error: Exception) -> Response:
        assert isinstance(error, OfftakeError)
        return refuse(site_of(request).entrypoints, request, error)

    async def framework(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        headers = dict(error.headers or {})
        if error.status_code == 405:
            headers["Allow"] = allowed_methods(site_of(request).entrypoints, routes, request.scope["path"])
        known = from_framework(error, request, headers, routes)
        return refuse(site_of(request).entrypoints, request, known, headers)

    async def shape(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        known = from_validation(error.errors(), error.body, docs_of(request))
        return refuse(site_of(request).entrypoints, request, known)

    async def bug(request: Request, _: Exception) -> Response:
        return refuse(site_of(request).entrypoints, request, unexpected())

    app.add_exception_handler(OfftakeError, expected)
    app.add_exception_handler(HTTPException, framework)
    app.add_exception_handler(RequestValidationError, shape)
    app.add_exception_handler(Exception, bug)


def docs_of(request: Request) -> str:
    """The address of the page about the API that was called."""
    entrypoints = site_of(request).entrypoints
    own = entrypoint_of(entrypoints, request.scope["path"])
    return "/docs" if own is entrypoints[-1] else f"/docs/{own.name}"


def allowed_methods(entrypoints: Sequence[Entrypoint], routes: Sequence[BaseRoute], path: str) -> str:
    """Every method of the path in its own API, for Allow (RFC 9110 §10.2.1); the framework names those of one route."""
    own = entrypoint_of(entrypoints, path)
    here = [route for route in routes if isinstance(route, Route) and route.path_regex.fullmatch(path)]
    found = (route.methods or () for route in here if entrypoint_of(entrypoints, route.path) is own)
    return ", ".join(sorted({method for methods in found for method in methods}))


def from_framework(
    error: HTTPException, request: Request, headers: Mapping[str, str], routes: Sequence[BaseRoute]
) -> OfftakeError:
    """The framework's own refusals in our words."""
    if isinstance(error.__cause__, OfftakeError):
        return error.__cause__
    match error.status_code:
        case 404:
            entrypoints, path = site_of(request).entrypoints, request.scope["path"]
            has_slash = path.endswith("/") and allowed_methods(entrypoints, routes, path.removesuffix("/"))
            hint = "Leave the slash at its end out." if has_slash else f"See {docs_of(request)} for every route."
            return NotFound("There is nothing at this address.", hint=hint)
        case 405:
            return MethodNotAllowed(f"{request.method} does not work here.", hint=f"Use {headers['Allow']}.")
        case 413:
            return TooLarge("The body is too large.")
    if request.headers.get("content-encoding", "identity") != "identity":
        return UnsupportedMediaType("The body is compressed.", hint="Send it as it is, without Content-Encoding.")
    return InvalidRequest("The body cannot be read.", hint="Send JSON in UTF-8.")


def from_validation(errors: Sequence[Mapping[str, Any]], body: Any, docs: str) -> InvalidRequest | UnsupportedMediaType:
    """Pydantic's findings with JSON pointers (RFC 6901); `docs` is the page that shows what bodies hold."""
    if isinstance(body, bytes) and body:
        return UnsupportedMediaType("The body is not JSON.", hint="Send it with Content-Type: application/json.")
    problems = [_problem(error) for error in errors]
    return InvalidRequest(problems[0][1], hint=f"See {docs} for the shape of every body.", problems=problems)


def _problem(error: Mapping[str, Any]) -> tuple[str, str]:
    location: tuple[str | int, ...] = tuple(error["loc"])[1:]
    match error["type"]:
        case "json_invalid":
            return "", f"The body is not JSON: {error['ctx']['error']} at character {location[0]}."
        case "missing" if not location:
            return "", "The body is missing."
        case kind if kind == UNKNOWN_KEY:
            detail = error["ctx"]["detail"]
        case _:
            detail = _wrong_value(error, _place(location))
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in location), detail


def _place(location: tuple[str | int, ...]) -> str:
    """`fields[0].label` for people."""
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return place.removeprefix(".") or "The body"


def _wrong_value(error: Mapping[str, Any], place: str) -> str:
    bounds = error.get("ctx", {})
    match error["type"]:
        case str(kind) if kind in TAKES:
            return f"{place} takes {TAKES[kind]}."
        case "missing":
            return f"{place} is missing."
        case "too_short":
            return f"{place} holds nothing; leave it out instead."
        case "too_long":
            return f"{place} holds more than {bounds['max_length']} items."
        case "string_too_short":
            return f"{place} is empty."
        case "string_too_long":
            return f"{place} has more than {bounds['max_length']} characters."
        case "enum" | "literal_error":
            return f"{place} takes one of {bounds['expected']}."
        case "greater_than_equal":
            return f"{place} is less than {bounds['ge']}."
        case "less_than_equal":
            return f"{place} is more than {bounds['le']}."
        case "value_error":
            return f"{bounds['error']}."
    return f"{place}: {error['msg']}."
