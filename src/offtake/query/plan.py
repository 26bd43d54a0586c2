"""Wish -> plan. The only place that walls off tenants and applies masks, hidden fields and row limits."""

import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

from babel import Locale, UnknownLocaleError
from babel.localedata import locale_identifiers

from offtake.errors import InvalidFilter, InvalidRange, InvalidRequest
from offtake.model.access import Principal, require
from offtake.model.dataset import Dataset, Field, FieldType, Sort
from offtake.model.export import Column, Confinement, DateRange, ExportRequest, OrderKey, Plan, Reader
from offtake.model.filter import And, Condition, Filter, Operator, Or
from offtake.query.columns import View, choose_columns, view_of
from offtake.query.dates import resolve_date, resolve_range
from offtake.query.filters import check_filter, find_unmasked
from offtake.query.groups import plan_report, report_columns, wants_report
from offtake.query.nearest import nearest

_UNORDERED = (FieldType.JSON, FieldType.LIST, FieldType.STRUCT)
_MOST_ROWS = 2**63 - 1
_FOREVER = "9999-12-31"  # what people write for an end that never comes; the day after it is in no calendar


def plan_export(dataset: Dataset, request: ExportRequest, principal: Principal, now: datetime) -> Plan:
    """The request, proven: every name checked, every value typed, relative dates resolved at `now` (aware).

    Raises InsufficientScope, UnknownField, InvalidFilter, InvalidRange or InvalidRequest.
    """
    require(principal, *sorted(dataset.scopes))
    reader = Reader(read_locale(request.locale), read_timezone(request.timezone))
    view = view_of(dataset, principal, reader.timezone or "UTC")
    limit = _limit(request.limit)
    report, expansion = None, None
    if wants_report(request):
        report, order = plan_report(request, view)
        columns = report_columns(report)
    else:
        order = _order(request.sort, view)
        columns, expansion = choose_columns(request, view)
    return Plan(
        dataset=dataset,
        columns=columns,
        confinement=_confinement(dataset, principal),
        where=_where(request, view, now),
        order=order,
        limit=limit,
        row_limit=0 if limit is not None and limit <= dataset.row_limit else dataset.row_limit,
        reader=reader,
        expansion=expansion,
        planned_at=now,
        asked_by=principal.id,
        report=report,
        allow_empty=request.allow_empty,
    )


def _confinement(dataset: Dataset, principal: Principal) -> Confinement | None:
    if not dataset.tenant_column or principal.tenant is None:
        return None
    return Confinement(dataset.tenant_column, principal.tenant, principal.tenant_uuid)


def _limit(limit: int | None) -> int | None:
    if limit is not None and limit < 1:
        raise InvalidRequest("limit must be at least 1.", hint="Leave it out for all rows.", pointer="/limit")
    return None if limit is None else min(limit, _MOST_ROWS)


def _where(request: ExportRequest, view: View, now: datetime) -> Filter | None:
    """Filter, date range and search, all of which must hold."""
    columns = tuple(view.columns.values())
    parts: list[Filter] = []
    if request.filter is not None:
        parts.append(check_filter(request.filter, columns, view.timezone, dataset=view.dataset.name))
    if request.date_range is not None:
        parts.extend(_range(request.date_range, view, now))
    if request.q.strip():
        if "\0" in request.q:
            raise InvalidFilter(
                "q holds the character NUL, which no text can hold.", hint="Leave it out.", pointer="/q"
            )
        searched = check_filter(_search(request.q.strip(), columns), columns, dataset=view.dataset.name, pointer="/q")
        parts.append(searched)
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else And(tuple(parts))


def _search(q: str, columns: tuple[Column, ...]) -> Filter:
    """Any of the text fields holds the words. Masked ones are left out: a hit would tell what they hold."""
    names = [column.name for column in columns if column.type is FieldType.STRING and column.mask is None]
    return Or(tuple(Condition(name, Operator.CONTAINS, (q,)) for name in names))


def _range(wanted: DateRange, view: View, now: datetime) -> Iterator[Filter]:
    """Half open: `start ≤ x < end`, unless it is inclusive. A date is in the range if any part of its day is."""
    if wanted.start is None and wanted.end is None and wanted.field is None:
        return
    field = _date_field(wanted.field, view)
    last = None if wanted.end is not None and wanted.end.strip() == _FOREVER else wanted.end
    start, end = resolve_range(wanted.start, last, now, view.timezone, "/date_range")
    is_day = field.type is FieldType.DATE
    zone = ZoneInfo(view.timezone)
    if start is not None:
        yield Condition(field.name, Operator.GTE, (start.astimezone(zone).date() if is_day else start,))
    if end is not None and wanted.inclusive and _is_instant(last or "", now, view.timezone):
        yield Condition(field.name, Operator.LTE, (end.astimezone(zone).date() if is_day else end,))
    elif end is not None:
        yield Condition(field.name, Operator.LT, (_day_after_last(end.astimezone(zone)) if is_day else end,))


def _is_instant(text: str, now: datetime, timezone: str) -> bool:
    """Whether it stands for a moment and not for a whole day, whose end is no part of it."""
    return resolve_date(text, now, timezone, end=True) == resolve_date(text, now, timezone)


def _day_after_last(end: datetime) -> date:
    """The first day that lies wholly outside a range with this open end (local)."""
    is_midnight = (end.hour, end.minute, end.second, end.microsecond) == (0, 0, 0, 0)
    return end.date() if is_midnight or end.date() == date.max else end.date() + timedelta(days=1)


def _date_field(name: str | None, view: View) -> Field:
    pointer = "/date_range/field"
    wanted = name or view.dataset.date_field
    dated = [each.name for each in view.columns.values() if each.type in (FieldType.DATE, FieldType.DATETIME)]
    ways_out = f"Fields with a date: {', '.join(dated)}." if dated else "None of its fields holds a date."
    if not wanted:
        raise InvalidRange(f"{view.dataset.name} has no date field of its own.", hint=ways_out, pointer=pointer)
    field = _unmasked(wanted, view, "put in a range", pointer)
    if field.name not in dated:
        raise InvalidRange(f"{field.name} is a {field.type.value}, not a date.", hint=ways_out, pointer=pointer)
    return field


def _unmasked(name: str, view: View, verb: str, pointer: str) -> Field:
    return find_unmasked(name, view.columns, view.dataset.name, verb, pointer)


def _order(wanted: tuple[Sort, ...] | None, view: View) -> tuple[OrderKey, ...]:
    """The order asked for, else the dataset's, made total by the dataset's key; none if nobody named one."""
    if wanted:
        keys = [_order_key(sort, view, f"/sort/{index}") for index, sort in enumerate(wanted)]
    else:
        keys = [_order_key(sort, view, "/sort") for sort in view.dataset.default_sort if _is_free(sort, view)]
    if not keys:
        return ()
    unique = {(key.column, key.path): key for key in reversed(keys)}
    ordered = list(dict.fromkeys((key.column, key.path) for key in keys))
    shown = {field.column: field for field in view.dataset.fields if not field.path}
    free = {column.field.column for column in view.columns.values() if column.mask is None and not column.field.path}
    for column in view.dataset.key:
        place = (column, ())
        if place not in unique and (column in free or column not in shown):
            ordered.append(place)
            unique[place] = OrderKey(column, type=shown[column].type if column in shown else None)
    return tuple(unique[place] for place in ordered)


def _is_free(sort: Sort, view: View) -> bool:
    """Whether the dataset's own order may be used for this principal: what is masked or hidden would be revealed."""
    column = view.columns.get(sort.field)
    return column is not None and column.mask is None


def _order_key(sort: Sort, view: View, pointer: str) -> OrderKey:
    try:
        field = _unmasked(sort.field, view, "sorted by", pointer)
    except InvalidFilter as error:
        raise InvalidRequest(error.detail, hint=error.hint, pointer=pointer) from None
    if field.type in _UNORDERED:
        ways_out = ", ".join(each.name for each in view.columns.values() if each.type not in _UNORDERED)
        detail = f"{field.name} is a {field.type.value}, which has no order."
        raise InvalidRequest(detail, hint=f"Fields with an order: {ways_out}.", pointer=pointer)
    return OrderKey(field.column, sort.descending, field.type, field.path)


def read_locale(tag: str | None) -> str | None:
    """The BCP 47 tag, proven to name a language; InvalidRequest names the nearest one Babel knows.

    A territory CLDR has no data for and extensions (`-u-nu-latn`) are left to the encoders, which read the tag again.
    """
    if tag is None:
        return None
    wanted = tag.replace("_", "-")
    core = _EXTENSIONS.sub("", wanted)
    if not (_is_locale(core) or _is_locale(_TERRITORY.sub("", core))):
        known = nearest(wanted, (name.replace("_", "-") for name in locale_identifiers()))
        hint = f"Did you mean {known}?" if known else "Use a BCP 47 tag, such as es-CL or pt-BR."
        raise InvalidRequest(f"There is no locale {tag[:40]!r}.", hint=hint, pointer="/locale")
    return wanted


_EXTENSIONS = re.compile(r"(-[a-z0-9](-[a-z0-9]{2,8})+)+\Z", re.IGNORECASE)
_TERRITORY = re.compile(r"-([a-z]{2}|[0-9]{3})\Z", re.IGNORECASE)


def _is_locale(tag: str) -> bool:
    try:
        Locale.parse(tag, sep="-")
    except (ValueError, UnknownLocaleError):
        return False
    return True


def read_timezone(name: str | None) -> str | None:
    """The IANA zone's name; InvalidRequest names the nearest one."""
    if name is None:
        return None
    known = available_timezones()
    if name not in known:
        near = nearest(name, sorted(known))
        hint = f"Did you mean {near}?" if near else "Use an IANA name, such as America/Santiago or UTC."
        raise InvalidRequest(f"There is no time zone {name[:60]!r}.", hint=hint, pointer="/timezone")
    return name
