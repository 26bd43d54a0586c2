"""A report as one JSON value, for whoever draws it: a number, a map, a map of maps."""

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_datetime, format_skeleton

from offtake.engine.export import export_chunks
from offtake.errors import InvalidRequest
from offtake.model.access import Principal
from offtake.model.export import DatePart, ExportRequest, Plan, Reader, ReportKey
from offtake.model.ports import Stop
from offtake.service.datasets import plan_request, read_slot
from offtake.service.runtime import Runtime

MOST_ENTRIES = 10_000
_SKELETONS = {DatePart.YEAR: "y", DatePart.QUARTER: "yQQQ", DatePart.MONTH: "yMMMM"}


def report_result(runtime: Runtime, principal: Principal, request: ExportRequest, *, stop: Stop) -> Any:
    """What the report says. Without groups: its number, or the list of them if there are several measures.

    With one grouping a list of `{"key", "value", "label"}`, a value being as above; with more, the value is such a list
    again. A key is text or, of rows without a value, null; its label is how the request's locale writes a date, else
    the key. Raises InvalidRequest for a request that asks for rows, or for more than 10,000 groups; and what an export
    of it raises.
    """
    source, plan = plan_request(runtime, principal, request)
    report = plan.report
    if report is None:
        raise InvalidRequest("This asks for rows, which have no result.", hint="Add group_by or measures.")
    few = replace(plan, limit=min(plan.limit or MOST_ENTRIES + 1, MOST_ENTRIES + 1))
    with (
        read_slot(runtime, principal),
        closing(export_chunks(source, few, runtime.formats["ndjson"], stop=stop)) as file,
    ):
        rows = [json.loads(line) for line in b"".join(file).splitlines()]
    if len(rows) > MOST_ENTRIES:
        raise InvalidRequest(
            f"The result has more than {MOST_ENTRIES:,} groups.",
            hint="Narrow the filter, name a top, or export it as a file.",
            pointer="/group_by",
        )
    cells = [tuple(row[column.name] for column in plan.columns) for row in rows]
    return _nested(cells, report.keys, plan)


def _nested(rows: Sequence[tuple[Any, ...]], keys: Sequence[ReportKey], plan: Plan) -> Any:
    """The rows, each what is left of it: the keys that are left, then the numbers."""
    if not keys:
        numbers = rows[0]
        return numbers[0] if len(numbers) == 1 else list(numbers)
    alike: dict[str | None, list[tuple[Any, ...]]] = {}
    for row in rows:
        alike.setdefault(_key(row[0]), []).append(row[1:])
    return list(_entries(alike, keys, plan))


def _entries(
    alike: dict[str | None, list[tuple[Any, ...]]], keys: Sequence[ReportKey], plan: Plan
) -> Iterator[dict[str, Any]]:
    for key, rows in alike.items():
        value = _nested(rows, keys[1:], plan)
        yield {"key": key, "value": value, "label": _label(key, keys[0], plan.reader)}


def _key(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value)


def _label(key: str | None, grouping: ReportKey, reader: Reader) -> str | None:
    """The key as the reader's locale writes a date; as it is without one."""
    part = grouping.part
    if key is None or reader.locale is None or part is None:
        return key
    locale = Locale.parse(reader.locale.split("-u-")[0], sep="-")
    try:
        if part is DatePart.HOUR:
            hour = datetime.fromisoformat(key)
            return format_datetime(hour, "short", tzinfo=ZoneInfo(reader.timezone or "UTC"), locale=locale)
        day = date.fromisoformat(key)
    except ValueError:  # the keys that are no longer among the top, or a day no calendar has
        return key
    if part in _SKELETONS:
        return format_skeleton(_SKELETONS[part], day, locale=locale)
    return format_date(day, "medium", locale=locale)
