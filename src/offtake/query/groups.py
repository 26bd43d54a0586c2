"""Wish -> report: groupings and measures proven against what a principal sees, and the columns they make."""

from collections.abc import Iterator
from dataclasses import replace

from offtake.errors import InvalidFilter, InvalidRequest
from offtake.model.dataset import Field, FieldType, Sort
from offtake.model.export import (
    Column,
    DatePart,
    ExportRequest,
    Grouping,
    Measure,
    MeasureFn,
    OrderKey,
    Report,
    ReportKey,
    ReportMeasure,
)
from offtake.query.columns import View
from offtake.query.filters import find_unmasked
from offtake.query.nearest import did_you_mean

MOST_GROUPINGS, MOST_MEASURES, MOST_TOP = 5, 20, 1000
OTHER = "other"

_NUMBERS = frozenset((FieldType.INTEGER, FieldType.NUMBER, FieldType.DECIMAL))
_DATES = frozenset((FieldType.DATE, FieldType.DATETIME))
_ALIKE = frozenset(FieldType) - {FieldType.JSON, FieldType.LIST, FieldType.STRUCT}
_ORDERED = _NUMBERS | _DATES | {FieldType.TIME, FieldType.STRING}
# Keys that every database writes as the same text, so that `other` can stand among them.
_PLAIN = frozenset((FieldType.STRING, FieldType.UUID, FieldType.INTEGER, FieldType.BOOLEAN, FieldType.DATE))
_FITTING = {
    MeasureFn.COUNT: frozenset(FieldType),
    MeasureFn.COUNT_DISTINCT: _ALIKE,
    MeasureFn.SUM: _NUMBERS,
    MeasureFn.AVG: _NUMBERS,
    MeasureFn.MIN: _ORDERED,
    MeasureFn.MAX: _ORDERED,
    MeasureFn.MEDIAN: _NUMBERS,
    MeasureFn.SHARE: _NUMBERS,
}
_ALONE = (MeasureFn.COUNT, MeasureFn.SHARE)  # what counts rows if no field is named
_GIVEN = {
    MeasureFn.COUNT: FieldType.INTEGER,
    MeasureFn.COUNT_DISTINCT: FieldType.INTEGER,
    MeasureFn.AVG: FieldType.NUMBER,
    MeasureFn.MEDIAN: FieldType.NUMBER,
    MeasureFn.SHARE: FieldType.NUMBER,
}
_LABELS = {
    MeasureFn.COUNT: "Count",
    MeasureFn.COUNT_DISTINCT: "Different values",
    MeasureFn.SUM: "Sum",
    MeasureFn.AVG: "Average",
    MeasureFn.MIN: "Minimum",
    MeasureFn.MAX: "Maximum",
    MeasureFn.MEDIAN: "Median",
    MeasureFn.SHARE: "Share",
}


def wants_report(request: ExportRequest) -> bool:
    """Whether the request asks for groups rather than rows."""
    return bool(request.group_by or request.measures or request.top is not None)


def plan_report(request: ExportRequest, view: View) -> tuple[Report, tuple[OrderKey, ...]]:
    """The report and its order, which names the report's columns and tells all of its rows apart.

    Raises UnknownField, or InvalidRequest for what cannot be grouped or measured so.
    """
    _check_alone(request)
    groupings = [_grouping(given, view, f"/group_by/{at}") for at, given in enumerate(request.group_by)]
    measures = request.measures or (Measure(MeasureFn.COUNT),)
    numbers = [_measure(given, view, f"/measures/{at}") for at, given in enumerate(measures)]
    _check_top(request, groupings)
    _check_once([(key.field.name, key.part) for key in groupings], "group_by")
    _check_once([(each.fn, each.field and each.field.name) for each in numbers], "measures")
    taken: set[str] = set()
    keys = tuple(replace(key, column=_named(key.column, taken)) for key in groupings)
    if request.top is not None:
        as_text = replace(keys[0].column.field, type=FieldType.STRING)
        keys = (replace(keys[0], column=replace(keys[0].column, field=as_text)), *keys[1:])
    named = tuple(replace(each, column=_named(each.column, taken)) for each in numbers)
    report = Report(keys, named, view.timezone, request.top)
    return report, tuple(_order(request.sort or (), report))


def report_columns(report: Report) -> tuple[Column, ...]:
    """The columns of a report's file: the keys', then the measures'."""
    return (*(key.column for key in report.keys), *(measure.column for measure in report.measures))


def _check_alone(request: ExportRequest) -> None:
    """What chooses columns or makes rows has no meaning beside groups."""
    for name in ("fields", "expand", "include_all_custom_fields"):
        if getattr(request, name):
            detail = f"A report's columns are its groups and measures, so {name} means nothing."
            raise InvalidRequest(detail, hint="Leave it out, or leave out group_by and measures.", pointer=f"/{name}")
    for name, given, most in (
        ("group_by", request.group_by, MOST_GROUPINGS),
        ("measures", request.measures, MOST_MEASURES),
    ):
        if len(given) > most:
            raise InvalidRequest(f"{name} has at most {most} entries.", hint="Ask for less.", pointer=f"/{name}")


def _grouping(given: Grouping, view: View, pointer: str) -> ReportKey:
    field = _find(given.field, view, "grouped by", pointer)
    part = None if given.part is None else _part(given.part, pointer)
    if field.type not in _ALIKE:
        raise _unfit(f"{field.name} is a {field.type.value}, which cannot be grouped by.", view, _ALIKE, pointer)
    if part is None:
        return ReportKey(_column(field, field.name, field.label, field.type, given.label), field)
    if field.type not in _DATES:
        raise _unfit(f"{field.name} is a {field.type.value}, which has no {part.value}.", view, _DATES, pointer)
    if part is DatePart.HOUR and field.type is FieldType.DATE:
        detail = f"{field.name} is a date, which has no hour."
        raise InvalidRequest(detail, hint="Group by day.", pointer=pointer)
    type_ = FieldType.DATETIME if part is DatePart.HOUR else FieldType.DATE
    label = f"{field.label or field.name} ({part.value})"
    return ReportKey(_column(field, f"{field.name}_{part.value}", label, type_, given.label), field, part)


def _part(given: str, pointer: str) -> DatePart:
    try:
        return DatePart(given)
    except ValueError:
        hint = did_you_mean(str(given), [*DatePart], "Parts")
        raise InvalidRequest(f"There is no part {str(given)[:40]!r} of a date.", hint=hint, pointer=pointer) from None


def _measure(given: Measure, view: View, pointer: str) -> ReportMeasure:
    try:
        fn = MeasureFn(given.fn)
    except ValueError:
        hint = did_you_mean(str(given.fn), [*MeasureFn], "Measures")
        raise InvalidRequest(f"There is no measure {str(given.fn)[:40]!r}.", hint=hint, pointer=pointer) from None
    if given.field is None:
        if fn not in _ALONE:
            raise InvalidRequest(f"{fn.value} measures a field.", hint=f"Write {fn.value}:FIELD.", pointer=pointer)
        field = Field("", FieldType.INTEGER, "", "")
        return ReportMeasure(_column(field, fn.value, _LABELS[fn], _GIVEN[fn], given.label), fn)
    field = _find(given.field, view, "measured", pointer)
    if field.type not in _FITTING[fn]:
        detail = f"{fn.value} does not go with {field.name}, which is a {field.type.value}."
        raise _unfit(detail, view, _FITTING[fn], pointer)
    label = f"{_LABELS[fn]} of {field.label or field.name}"
    type_ = _GIVEN.get(fn, field.type)
    return ReportMeasure(_column(field, f"{fn.value}_{field.name}", label, type_, given.label), fn, field)


def _find(name: str, view: View, verb: str, pointer: str) -> Field:
    try:
        return find_unmasked(name, view.columns, view.dataset.name, verb, pointer)
    except InvalidFilter as error:
        raise InvalidRequest(error.detail, hint=error.hint, pointer=pointer) from None


def _unfit(detail: str, view: View, types: frozenset[FieldType], pointer: str) -> InvalidRequest:
    fitting = [each.name for each in view.columns.values() if each.mask is None and each.field.type in types]
    return InvalidRequest(detail, hint=f"Fields that fit: {', '.join(fitting[:30]) or 'none'}.", pointer=pointer)


def _column(field: Field, name: str, own_label: str, type_: FieldType, label: str | None) -> Column:
    """A column of the report. It keeps its field's column in the database, whose scopes a reader must hold."""
    values = field.values if name == field.name else ()
    shown = Field(name, type_, field.column, own_label or name, values=values, unless_scope=field.unless_scope)
    return Column(shown, label)


def _named(column: Column, taken: set[str]) -> Column:
    """The column under a name no other has."""
    name, number = column.name, 2
    while name in taken:
        name, number = f"{column.name}_{number}", number + 1
    taken.add(name)
    return replace(column, field=replace(column.field, name=name))


def _check_once(given: list[tuple[object, object]], name: str) -> None:
    for at, each in enumerate(given):
        if each in given[:at]:
            raise InvalidRequest(f"{name} says the same twice.", hint="Leave one out.", pointer=f"/{name}/{at}")


def _check_top(request: ExportRequest, keys: list[ReportKey]) -> None:
    if request.top is None:
        return
    if not 1 <= request.top <= MOST_TOP:
        raise InvalidRequest(f"top is a number from 1 to {MOST_TOP}.", hint="Write it like 5.", pointer="/top")
    if not keys:
        raise InvalidRequest("top says how many groups to keep.", hint="Say what to group by.", pointer="/top")
    if keys[0].column.type not in _PLAIN:
        detail = (
            f"top has no text for the keys of {keys[0].column.name}, which are of type {keys[0].column.type.value}."
        )
        raise InvalidRequest(
            detail, hint="Group first by text, a whole number, true or false, or a day.", pointer="/top"
        )


def _order(wanted: tuple[Sort, ...], report: Report) -> Iterator[OrderKey]:
    """As asked for, then by the keys; of the top groups, the first measure's largest come first if nobody asked."""
    known = {column.name: column for column in report_columns(report)}
    if not wanted and report.top is not None and len(report.keys) == 1:
        wanted = (Sort(report.measures[0].column.name, descending=True),)
    seen: set[str] = set()
    for at, sort in enumerate((*wanted, *(Sort(key.column.name) for key in report.keys))):
        if sort.field not in known:
            detail = f"The report has no column {str(sort.field)[:80]!r} to sort by."
            raise InvalidRequest(detail, hint=did_you_mean(str(sort.field), known, "Columns"), pointer=f"/sort/{at}")
        if sort.field not in seen:
            yield OrderKey(sort.field, sort.descending, known[sort.field].type)
        seen.add(sort.field)
