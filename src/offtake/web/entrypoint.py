"""What makes an API of ours one of several: where it is mounted, what it is about, how its errors look."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from fastapi import APIRouter
from fastapi.params import Depends
from starlette.requests import Request
from starlette.responses import Response

from offtake.errors import OfftakeError
from offtake.service.runtime import Telling
from offtake.service.trail import current_trail

Render = Callable[[OfftakeError, Request], tuple[int, Mapping[str, Any]]]


@dataclass(frozen=True, eq=False)
class Entrypoint:
    """One API: the native one, or a dialect.

    `claims` matches the paths that are its own, whether or not there is a route: their errors look as `render` says,
    which gives status and body; `error_schema` describes that body. `actions` says for the audit what its routes do, by
    the names of their functions; a route that is not there is named by its path.
    `dependencies` are asked before each of its routes. `token_mark` is how tokens of shares that it makes begin.
    `tells` gives what webhooks of this API are told of an export that was made through it.
    """

    name: str
    title: str
    description: str
    routers: tuple[APIRouter, ...]
    claims: re.Pattern[str]
    render: Render
    error_schema: Mapping[str, Any]
    error_type: str = "application/json"
    actions: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    dependencies: Sequence[Depends] = ()
    token_mark: str = ""
    tells: Telling | None = None


def entrypoint_of(entrypoints: Sequence[Entrypoint], path: str) -> Entrypoint:
    """The one that the path belongs to: the first that claims it, else the last."""
    return next((one for one in entrypoints if one.claims.match(path)), entrypoints[-1])


def refuse(
    entrypoints: Sequence[Entrypoint], request: Request, error: OfftakeError, headers: Mapping[str, str] | None = None
) -> Response:
    """The error as the API that was called tells it, with Retry-After and WWW-Authenticate where they belong."""
    current_trail().detail = error.code
    entrypoint = entrypoint_of(entrypoints, request.scope["path"])
    status, body = entrypoint.render(error, request)
    extra = dict(headers or {})
    if "retry_after_s" in error.extra:
        extra["Retry-After"] = str(error.extra["retry_after_s"])
    if status == 401:
        extra["WWW-Authenticate"] = 'Bearer realm="offtake"'
    # A caller's text may hold half a surrogate pair, which UTF-8 cannot carry.
    content = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
    return Response(content, status, extra, entrypoint.error_type)
