"""What callers write, read the same way at every entrypoint."""

import json
from typing import Any

from offtake.errors import InvalidFilter, InvalidRequest
from offtake.model.export import DatePart, ExportRequest, Grouping, Measure, MeasureFn
from offtake.model.filter import Filter
from offtake.query.filters import parse_filter
from offtake.query.minilang import parse_minilang
from offtake.query.nearest import did_you_mean
from offtake.query.stored import request_json

__all__ = ["did_you_mean", "parse_filter", "read_filter_text", "read_grouping", "read_measure", "write_wish"]

_CUSTOM = "custom:"  # the one kind of field whose name has a colon


def read_filter_text(text: str) -> Filter:
    """The unchecked tree of a filter in a query string: JSON if it starts like it, else the mini-language.

    Raises InvalidFilter.
    """
    if not text.lstrip().startswith("{"):
        return parse_minilang(text)
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidFilter("The filter starts like JSON and is none.", hint="Check its brackets and quotes.") from None
    return parse_filter(body)


def read_grouping(text: str, pointer: str = "/group_by") -> Grouping:
    """`stage` or `createdAt:month`. Raises InvalidRequest for a part that no date has."""
    prefix = _CUSTOM if text.startswith(_CUSTOM) else ""
    name, colon, part = text.removeprefix(prefix).partition(":")
    if not colon:
        return Grouping(text)
    if part not in list(DatePart):
        hint = did_you_mean(part, list(DatePart), "Parts")
        raise InvalidRequest(f"There is no part {part[:40]!r} of a date.", hint=hint, pointer=pointer)
    return Grouping(prefix + name, DatePart(part))


def read_measure(text: str, pointer: str = "/measures") -> Measure:
    """`count` or `sum:amount`. Raises InvalidRequest for a measure that does not exist."""
    name, _, field = text.partition(":")
    if name not in list(MeasureFn):
        hint = did_you_mean(name, list(MeasureFn), "Measures")
        raise InvalidRequest(f"There is no measure {name[:40]!r}.", hint=hint, pointer=pointer)
    return Measure(MeasureFn(name), field or None)


def write_wish(request: ExportRequest) -> dict[str, Any]:
    """The request as bodies write it; what stands at its default is left out."""
    found = request_json(request)
    if request.fields is not None:
        choices = [
            _given({"field": each.field, "label": each.label, "group": each.group, "as": each.shown_as})
            for each in request.fields
        ]
        found["fields"] = [choice["field"] if len(choice) == 1 else choice for choice in choices]
    if request.sort is not None:
        signs = ["-" if sort.descending else "+" if sort.field[:1] in ("+", "-") else "" for sort in request.sort]
        found["sort"] = [sign + sort.field for sign, sort in zip(signs, request.sort, strict=True)]
    if request.date_range is not None:
        dates = request.date_range
        inclusive = dates.inclusive or None
        found["date_range"] = _given(
            {"from": dates.start, "to": dates.end, "field": dates.field, "inclusive": inclusive}
        )
    for name in ("group_by", "measures"):
        if name in found:
            found[name] = [_given(each) for each in found[name]]
    return found


def _given(found: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if value is not None}
