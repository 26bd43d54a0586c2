"""Deltas: only what came after the last run that succeeded, told by a field whose values grow.

A row gets its value (a time, or the next number) a moment before it commits. `settle_s` is how long that moment may be:
a window of times ends so long before its instant, and one of numbers is read so long after its end was looked up.
Either way all rows of the window that commit in time are there when it is read, and none of them is in another one.
"""

from contextlib import closing
from dataclasses import replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from offtake.errors import InvalidFilter, InvalidRequest
from offtake.model.access import Principal
from offtake.model.dataset import Field, FieldType, Sort
from offtake.model.export import ExportRequest, FieldChoice
from offtake.model.filter import And, Condition, Filter, Operator
from offtake.model.ports import Stop
from offtake.model.schedule import Delta, Schedule, ScheduleRun, Window
from offtake.query.columns import view_of
from offtake.query.filters import find_unmasked
from offtake.service.datasets import find_dataset, plan_request
from offtake.service.resolve import needs_custom_fields
from offtake.service.runtime import Runtime

LONGEST_SETTLE_S = 86_400
GROWING = (FieldType.INTEGER, FieldType.DATE, FieldType.DATETIME)


def check_delta(runtime: Runtime, principal: Principal, request: ExportRequest, delta: Delta) -> Field:
    """The field that tells what is new. Raises InvalidRequest, UnknownField or InvalidFilter."""
    if not 0 <= delta.settle_s <= LONGEST_SETTLE_S:
        raise InvalidRequest(f"settle_s is 0 to {LONGEST_SETTLE_S}.", pointer="/delta/settle_s")
    unfit = {
        "a limit": request.limit is not None,
        "an expanded array": request.expand is not None,
        "groups": bool(request.group_by or request.measures),
    }
    for what, is_there in unfit.items():
        if is_there:
            raise InvalidRequest(
                f"A delta takes every new row once, which a definition with {what} cannot say.",
                hint="Leave the delta out, or choose another definition.",
                pointer="/delta",
            )
    dataset = find_dataset(
        runtime, principal, request.dataset, schema=request.schema, with_custom=needs_custom_fields(request)
    )
    field = find_unmasked(delta.field, view_of(dataset, principal).columns, dataset.name, "filtered by", "/delta/field")
    if field.type not in GROWING:
        raise InvalidFilter(
            f"{field.name} is {field.type}, which does not tell what is new.",
            hint="Choose a date, an instant or a whole number that only grows.",
            pointer="/delta/field",
        )
    return field


def next_window(
    runtime: Runtime, owner: Principal, request: ExportRequest, schedule: Schedule, instant: datetime, stop: Stop
) -> Window | None:
    """What the run of that instant covers; None if nothing new can be there yet. May ask the source."""
    delta, after = schedule.draft.delta, schedule.watermark
    assert delta is not None
    field = check_delta(runtime, owner, request, delta)
    if field.type is FieldType.INTEGER:
        highest = _highest(runtime, owner, request, delta.field, after, stop)
        return None if highest is None else Window(delta.field, after, highest)
    settled = instant - timedelta(seconds=delta.settle_s)
    if field.type is FieldType.DATETIME:
        is_new = after is None or settled > datetime.fromisoformat(str(after))
        return Window(delta.field, after, settled.isoformat()) if is_new else None
    # A day is over when it has ended where the schedule is.
    day = settled.astimezone(ZoneInfo(schedule.draft.timetable.timezone)).date() - timedelta(days=1)
    is_new = after is None or day > date.fromisoformat(str(after))
    return Window(delta.field, after, day.isoformat()) if is_new else None


def delay_s(window: Window, delta: Delta) -> int:
    """How long to wait before the window is read, in seconds."""
    return delta.settle_s if isinstance(window.until, int) else 0


def narrow_request(request: ExportRequest, window: Window) -> ExportRequest:
    """The request for the rows of the window only; its filter says so, and so will the manifest."""
    parts: list[Filter] = [] if request.filter is None else [request.filter]
    if window.after is not None:
        parts.append(Condition(window.field, Operator.GT, (window.after,)))
    parts.append(Condition(window.field, Operator.LTE, (window.until,)))
    return replace(request, filter=And(tuple(parts)))


def count_late(runtime: Runtime, owner: Principal, request: ExportRequest, delivered: ScheduleRun, stop: Stop) -> int:
    """How many more rows there are in a window now than its file has."""
    window = delivered.window
    assert window is not None
    then = replace(runtime, now=lambda: delivered.instant)
    source, plan = plan_request(then, owner, narrow_request(request, window))
    return max(0, source.count(replace(plan, row_limit=0), stop) - (window.rows or 0))


def _highest(
    runtime: Runtime, owner: Principal, request: ExportRequest, name: str, after: int | str | None, stop: Stop
) -> int | None:
    """The highest number of that field beyond the last window; None if there is none."""
    known = () if request.filter is None else (request.filter,)
    beyond = () if after is None else (Condition(name, Operator.GT, (after,)),)
    ask = replace(
        request,
        fields=(FieldChoice(name),),
        filter=And((*known, *beyond, Condition(name, Operator.IS_NOT_NULL))),
        sort=(Sort(name, descending=True),),
        limit=1,
        include_all_custom_fields=False,
    )
    source, plan = plan_request(runtime, owner, ask)
    with closing(source.read(replace(plan, row_limit=0), stop)) as stream:
        for batch in stream:
            if batch.num_rows:
                return int(batch.column(0)[0].as_py())
    return None
