"""How results, definitions and errors look."""

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from starlette.requests import Request

from offtake.dialect.camunda.bodies import BOUNDS, bean_message
from offtake.errors import Expired, InvalidCursor, InvalidRequest, NotFound, OfftakeError
from offtake.model.export import Grouping
from offtake.model.records import RecordStyle
from offtake.model.saved import Definition
from offtake.service.wishes import write_wish

RECORDS = RecordStyle(
    objects=("variables",),
    running={"duration": ("startDate", "endDate")},
    placeholder="<<OBJECT_VARIABLE_VALUE>>",
)
ALL_AT_ONCE = (
    "All records are delivered in this response regardless of the set limit, "
    "since result pagination is only supported for raw data reports."
)
MISSING = "missing"
INDEX_VERSION = 8  # of the definitions that version 3.7 exports

# What the page names, and how the product words it.
CODES = {
    400: ("badRequestError", "The server was unable to process the request."),
    401: ("notAuthorizedError", "Could not authenticate you, please check your credentials."),
    403: ("forbiddenError", "You are not authorized to access the requested resource."),
    404: ("notFoundError", "The server could not find the requested resource."),
    500: ("serverError", "An internal server error occurred."),
}
EVALUATION = ("reportEvaluationError", "Could not evaluate the report.")
NO_TOKEN = "Invalid or no JSON export API 'accessToken' provided."  # noqa: S105
FOREIGN_ID = "This searchRequestId was not issued for this report to whoever asks."
KEPT = (405, 413, 429)  # what the page does not name but HTTP does

_TEXT: Mapping[str, Any] = {"type": ["string", "null"]}
ERROR_SCHEMA: Mapping[str, Any] = {
    "title": "Error",
    "description": "What went wrong; `validationErrors` instead of a code if it is a parameter or the body.",
    "type": "object",
    "required": ["errorMessage"],
    "properties": {
        "errorCode": {"type": "string"},
        "errorMessage": {"type": "string"},
        "detailedMessage": _TEXT,
        "reportDefinition": {"type": ["object", "null"], "description": "Of a report that cannot be evaluated."},
        "validationErrors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["property", "errorMessage"],
                "properties": {"property": {"type": "string"}, "errorMessage": {"type": "string"}},
            },
        },
    },
}


def unknown_report(id_: str) -> NotFound:
    """What the product says of a report that is not there, to the letter."""
    return NotFound(f"Was not able to retrieve report with id [{id_}]from Elasticsearch. Report does not exist.")


def write_json(answer: Mapping[str, Any]) -> bytes:
    """The answer as JSON without spaces, as records have it."""
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode()


def page_ends(report_id: str, search_request_id: str, records: int, total: int) -> tuple[bytes, bytes]:
    """What stands before and after the records of a page."""
    before = {
        "searchRequestId": search_request_id,
        "numberOfRecordsInResponse": records,
        "totalNumberOfRecords": total,
        "reportId": report_id,
    }
    return write_json(before)[:-1] + b',"data":[', b"\n]}\n"


def result_json(definition: Definition, result: Any, limit: int) -> dict[str, Any]:
    """The result of a report that is none of raw data: all of it, by its first measure."""
    request = definition.request
    data = _entries(result, request.group_by, request.timezone) if request.group_by else _number(result)
    answer = {
        "numberOfRecordsInResponse": len(data),
        "totalNumberOfRecords": len(data),
        "reportId": definition.id,
        "message": ALL_AT_ONCE,
        "data": data,
    }
    if len(data) <= limit:
        del answer["message"]
    return answer


def _number(result: Any) -> list[float]:
    value = _double(result)
    return [] if value is None else [value]


def _entries(result: Any, groupings: Sequence[Grouping], timezone: str | None) -> list[dict[str, Any]]:
    entries = []
    for entry in result:
        inner = groupings[1:]
        key = _key(entry["key"], groupings[0], timezone)
        label = key if entry["label"] in (None, entry["key"]) else entry["label"]
        value = _entries(entry["value"], inner, timezone) if inner else _double(entry["value"])
        entries.append({"key": key, "value": value, "label": label})
    return entries


def _double(value: Any) -> float | None:
    """The number; the first of several. Raises InvalidRequest for what no double can be."""
    first = value[0] if isinstance(value, list) else value
    if first is None:
        return None
    if not isinstance(first, int | float) or abs(first) > sys.float_info.max:
        raise InvalidRequest("The first measure of this report is not a number that a double can hold.")
    return float(first)


def _key(key: str | None, grouping: Grouping, timezone: str | None) -> str:
    """A group without a value is missing; a part of a date is the instant at which it begins."""
    if key is None:
        return MISSING
    if grouping.part is None:
        return key
    try:
        begin = datetime.fromisoformat(key)
    except ValueError:  # all that are not among the top, or a day that no calendar has
        return key
    zone = UTC if timezone is None else ZoneInfo(timezone)
    instant = begin.replace(tzinfo=zone) if begin.tzinfo is None else begin.astimezone(zone)
    local, offset = instant.isoformat(timespec="milliseconds")[:23], f"{instant:%z}"
    return f"{local}{offset}"


def definition_json(definition: Definition, collection_id: str) -> dict[str, Any]:
    """The report as a definition that can be kept."""
    members = [{"id": member} for member in definition.draft.members]
    return {
        "id": definition.id,
        "exportEntityType": "combined_report" if members else "single_process_report",
        "name": definition.draft.name,
        "description": definition.draft.description,
        "sourceIndexVersion": INDEX_VERSION,
        "collectionId": collection_id,
        "data": {"reports": members} if members else write_wish(definition.request),
    }


def render(error: OfftakeError, request: Request) -> tuple[int, Mapping[str, Any]]:
    """Status and body as the product has them; the page knows 400, 401, 404 and 500."""
    status = _status(error.status)
    code, message = CODES.get(status, CODES[400])
    report = getattr(request.state, "report", None)
    body = {"errorCode": code, "errorMessage": message, "detailedMessage": _detail(error, request)}
    if status == 400 and isinstance(error, Expired | InvalidCursor):
        return status, {**body, "reportDefinition": None}
    if status == 400 and report is not None:
        code, message = EVALUATION
        return status, {**body, "errorCode": code, "errorMessage": message, "reportDefinition": report}
    if status == 400 and error.problems:
        return status, {
            "errorMessage": "The request body was invalid.",
            "validationErrors": [_finding(pointer, detail, request) for pointer, detail in error.problems],
        }
    return status, {**body, "reportDefinition": None}


def _status(native: int) -> int:
    if native >= 500:
        return 500
    return native if native in CODES or native in KEPT else 400


def _detail(error: OfftakeError, request: Request) -> str:
    if error.status == 401:
        return NO_TOKEN
    if isinstance(error, InvalidCursor):
        return FOREIGN_ID
    if isinstance(error, Expired):
        sent = request.query_params.get("searchRequestId", "")
        return f"search_context_missing_exception: No search context found for id [{sent}]"
    return error.detail


def _finding(pointer: str, detail: str, request: Request) -> dict[str, str]:
    name = pointer.removeprefix("/")
    return {"property": name, "errorMessage": bean_message(name, request.query_params) if name in BOUNDS else detail}
