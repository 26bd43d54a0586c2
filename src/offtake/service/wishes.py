"""What callers write, read the same way at every entrypoint."""

import json
from collections.abc import Iterable, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from offtake.errors import InvalidFilter, InvalidRequest
from offtake.model.export import DatePart, ExportRequest, Grouping, Measure, MeasureFn
from offtake.model.filter import Condition, Filter, Operator, Or
from offtake.query.filters import parse_filter
from offtake.query.minilang import parse_minilang
from offtake.query.nearest import did_you_mean
from offtake.query.stored import request_json
from offtake.query.values import EXPECTED, read_value
from offtake.service.datasets import FieldView

__all__ = [
    "did_you_mean",
    "match_any",
    "parse_filter",
    "read_filter_text",
    "read_grouping",
    "read_measure",
    "which_rows",
    "write_wish",
]

UTC = ZoneInfo("UTC")
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
        hint = "Check its brackets and quotes."
        raise InvalidFilter("The filter starts like JSON and is none.", hint=hint, pointer="/filter") from None
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


def match_any(fields: Sequence[FieldView], values: Sequence[object], pointer: str = "/filter") -> Filter:
    """Rows in which one of the fields equals one of the values, text in whatever case.

    A field that cannot hold a value is passed over for it, such as a uuid beside a name. Raises InvalidFilter for a
    value that none of them can hold, and where there is no field or no value.
    """
    if not fields or not values:
        raise InvalidFilter("There is nothing to compare.", hint="Name a field and a value.", pointer=pointer)
    lost = [value for value in values if not any(_holds(field, value) for field in fields)]
    if lost:
        ways_out = " or ".join(dict.fromkeys(EXPECTED.get(field.type, "no value") for field in fields))
        shown = "null" if lost[0] is None else repr(lost[0])[:60]
        raise InvalidFilter(f"{shown} is no value of it.", hint=f"It takes {ways_out}.", pointer=pointer)
    held: Iterable[tuple[str, tuple[Any, ...]]] = (
        (field.name, tuple(value for value in values if _holds(field, value))) for field in fields
    )
    found = [Condition(name, Operator.IEQ, some) for name, some in held if some]
    return found[0] if len(found) == 1 else Or(tuple(found))


def _holds(field: FieldView, value: object) -> bool:
    try:
        read_value(field.type, value, UTC)
    except (KeyError, ValueError, ArithmeticError, TypeError):
        return False
    return True


def which_rows(request: ExportRequest) -> str:
    """What the request says about rows, as JSON that is equal for equal requests: filter, range, search."""
    wish = write_wish(request)
    return json.dumps({name: wish[name] for name in ("filter", "date_range", "q") if name in wish}, sort_keys=True)


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
