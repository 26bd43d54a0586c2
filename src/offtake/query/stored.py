"""A wish as JSON that can be kept in a database and read again: what jobs and definitions remember."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from offtake.model.dataset import FieldType, Sort
from offtake.model.export import DatePart, DateRange, ExportRequest, FieldChoice, Grouping, Measure, MeasureFn
from offtake.query.filters import parse_filter
from offtake.query.shown import filter_json

_DEFAULTS = ExportRequest("")
_NESTED = ("fields", "filter", "sort", "date_range")


def request_json(request: ExportRequest) -> dict[str, Any]:
    """The wish as plain JSON; what stands at its default is left out. `read_request` is its inverse."""
    given = {field.name: getattr(request, field.name) for field in fields(request) if field.name not in _NESTED}
    found = {name: value for name, value in given.items() if name == "dataset" or value != getattr(_DEFAULTS, name)}
    if request.fields is not None:
        found["fields"] = [_choice_json(choice) for choice in request.fields]
    if request.filter is not None:
        found["filter"] = filter_json(request.filter)
    if request.sort is not None:
        found["sort"] = [vars(sort) for sort in request.sort]
    if request.date_range is not None:
        dates = request.date_range
        found["date_range"] = {name: value for name, value in vars(dates).items() if name != "inclusive" or value}
    for name in ("group_by", "measures"):
        if name in found:
            found[name] = [vars(each) for each in found[name]]
    if "options" in found:
        found["options"] = dict(request.options)
    return found


def _choice_json(choice: FieldChoice) -> dict[str, Any]:
    """What it says; jobs of before there was `shown_as` are compared with those of today."""
    found = dict(vars(choice))
    if found["shown_as"] is None:
        del found["shown_as"]
    return found


def read_request(stored: Mapping[str, Any]) -> ExportRequest:
    """The wish that `request_json` wrote down."""
    given = dict(stored)
    if "fields" in given:
        given["fields"] = tuple(_choice(**choice) for choice in given["fields"])
    if "filter" in given:
        given["filter"] = parse_filter(given["filter"])
    if "sort" in given:
        given["sort"] = tuple(Sort(**sort) for sort in given["sort"])
    if "date_range" in given:
        given["date_range"] = DateRange(**given["date_range"])
    given["group_by"] = tuple(_grouping(**each) for each in given.get("group_by", ()))
    given["measures"] = tuple(_measure(**each) for each in given.get("measures", ()))
    return ExportRequest(**given)


def _choice(shown_as: str | None = None, **given: Any) -> FieldChoice:
    return FieldChoice(**given, shown_as=None if shown_as is None else FieldType(shown_as))


def _grouping(field: str, part: str | None, label: str | None) -> Grouping:
    return Grouping(field, None if part is None else DatePart(part), label)


def _measure(fn: str, field: str | None, label: str | None) -> Measure:
    return Measure(MeasureFn(fn), field, label)
