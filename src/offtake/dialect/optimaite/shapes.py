"""How configurations and errors look, and what ids are made of."""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from starlette.requests import Request

from offtake.dialect.optimaite.bodies import DIALECT, NATIVE
from offtake.errors import NotFound, OfftakeError, Unauthenticated
from offtake.model.saved import Definition
from offtake.model.schedule import Schedule, Timetable
from offtake.service.names import name_in
from offtake.service.runtime import Runtime
from offtake.service.schedules import read_timetable
from offtake.service.wishes import which_rows
from offtake.web.bodies import utc_text

MARK = "exp_"
TOKEN_MARK = "exp_tok_"  # noqa: S105
DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's
LENGTH = 26
ID = re.compile(r"exp_[0-9A-Za-z_-]{1,64}")

# Our codes, as the product calls them.
CODES = {
    "UNAUTHENTICATED": "AUTH_INVALID_KEY",
    "INSUFFICIENT_SCOPE": "AUTH_INSUFFICIENT_SCOPE",
    "FORBIDDEN": "AUTH_FORBIDDEN",
    "EXPIRED": "TOKEN_EXPIRED",
    "REVOKED": "TOKEN_EXPIRED",
    "RATE_LIMITED": "RATE_LIMIT_EXCEEDED",
}
# What is wrong with a request, by where it is: in the body, or in the definition that was made of it.
CODES_BY_PLACE = {
    **dict.fromkeys(("source", "dataset"), "INVALID_SOURCE"),
    **dict.fromkeys(("filters", "filter", "date_range"), "INVALID_FILTER"),
    **dict.fromkeys(("columns", "fields"), "INVALID_COLUMN"),
    **dict.fromkeys(("format", "options"), "INVALID_FORMAT"),
    **dict.fromkeys(("schedule", "rrule", "timezone", "start"), "INVALID_SCHEDULE"),
}
TEXT = {"type": "string"}
ERROR_SCHEMA: dict[str, Any] = {
    "title": "Error",
    "description": "What went wrong.",
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message"],
            "properties": {
                "code": {**TEXT, "examples": ["CONFIG_NOT_FOUND", "INVALID_FILTER", "TOKEN_EXPIRED"]},
                "message": TEXT,
                "retry_after": {"type": "integer", "description": "Seconds."},
                "matched": {"type": "integer", "description": "So many rows match."},
                "allowed": {"type": "integer", "description": "So many may be exported."},
            },
        }
    },
}


class ConfigNotFound(NotFound):
    """No configuration that this key sees is called so."""

    code = "CONFIG_NOT_FOUND"


class TokenInvalid(Unauthenticated):
    """A token that nobody gave out for that configuration."""

    code = "TOKEN_INVALID"


def render(error: OfftakeError, _: Request) -> tuple[int, Mapping[str, Any]]:
    """Status and body: what is wrong with a request is 400."""
    status = 400 if error.status == 422 else error.status
    told: dict[str, Any] = {"code": _code(error), "message": f"{error.detail} {error.hint}".strip()}
    if "retry_after_s" in error.extra:
        told["retry_after"] = error.extra["retry_after_s"]
    counts = {name: error.extra[name] for name in ("matched", "allowed") if name in error.extra}
    return status, {"error": told | counts}


def _code(error: OfftakeError) -> str:
    # The message tells the first problem, so the code does too.
    first = error.problems[0][0] if error.problems and error.status == 422 else ""
    place = first.removeprefix("/").partition("/")[0]
    return CODES_BY_PLACE.get(place) or CODES.get(error.code, error.code)


def id_of(definition: Definition) -> str:
    """What its clients call it."""
    return definition.draft.external_id or MARK + _digits_of(UUID(definition.id).int)


def native_id(id_: str) -> str | None:
    """The native id inside, if there is one: the inverse of `id_of`."""
    digits = id_.removeprefix(MARK)
    if len(digits) != LENGTH or any(digit not in DIGITS for digit in digits):
        return None
    number = sum(DIGITS.index(digit) << 5 * place for place, digit in enumerate(reversed(digits)))
    return str(UUID(int=number)) if number < 1 << 128 else None


def _digits_of(number: int) -> str:
    return "".join(DIGITS[number >> 5 * place & 31] for place in reversed(range(LENGTH)))


def config_json(runtime: Runtime, definition: Definition, schedule: Schedule | None) -> dict[str, Any]:
    """The configuration as it is shown."""
    draft, request = definition.draft, definition.request
    executed = definition.last_executed_at
    return {
        "id": id_of(definition),
        "name": draft.name,
        "description": draft.description,
        "source": name_in(runtime, DIALECT, request.dataset),
        "format": request.format,
        "filters": _filters(definition),
        "columns": [{"field": each.field, "label": each.label} for each in request.fields or ()],
        "schedule": None if schedule is None else _schedule(schedule.draft.timetable, draft.extra.get("start")),
        "last_executed_at": None if executed is None else utc_text(executed),
        "created_at": utc_text(definition.created_at),
    }


def _filters(definition: Definition) -> Mapping[str, Any]:
    """As they were sent, unless somebody chose other rows since."""
    extra, rows = definition.draft.extra, which_rows(definition.request)
    sent: Mapping[str, Any] = extra.get("filters", {})
    return sent if extra.get("read_as") == rows else {NATIVE: json.loads(rows)}


def _schedule(timetable: Timetable, sent: str | None) -> dict[str, str]:
    """Its start as it was sent, unless somebody changed it since."""
    rrule, timezone, local = timetable.rrule, timetable.timezone, timetable.start
    is_same = sent and read_timetable(rrule, timezone, datetime.fromisoformat(sent)).start == local
    return {"rrule": rrule, "timezone": timezone, "start": sent if sent and is_same else local.isoformat()}


def rows_meta(definition: Definition, now: datetime, rows: int) -> dict[str, Any]:
    """What is said of rows beside them."""
    return {"config_id": id_of(definition), "executed_at": utc_text(now), "row_count": rows}
