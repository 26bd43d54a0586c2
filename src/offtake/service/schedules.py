"""Schedules as people use them: make, change, pause, resume, run now, and see what comes next and what was."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from itertools import islice
from zoneinfo import ZoneInfo

from offtake.appdb import schedule_runs as runs_table
from offtake.appdb import schedules as table
from offtake.errors import Conflict, InvalidRequest, NotFound, PreconditionFailed
from offtake.model.access import Principal, Scope, require
from offtake.model.ids import is_id, new_id
from offtake.model.schedule import (
    CatchUp,
    Overlap,
    RunState,
    Schedule,
    ScheduleDraft,
    ScheduleRun,
    ScheduleState,
    Timetable,
)
from offtake.query import rrules
from offtake.query.instants import instants_after
from offtake.query.plan import read_timezone
from offtake.service import recipients
from offtake.service.datasets import plan_request
from offtake.service.definitions import find_definition, naming_dataset, runnable_request
from offtake.service.deltas import check_delta
from offtake.service.runtime import Runtime
from offtake.service.ticks import MOST_CAUGHT_UP, launch_run
from offtake.service.trail import current_trail

LONGEST_RULE = rrules.LONGEST_RULE
MOST_DELIVERIES = recipients.MOST
YEARS = range(1970, 2201)
MOST_NEXT = 100


def create_schedule(
    runtime: Runtime, principal: Principal, draft: ScheduleDraft, *, schedule_id: str | None = None
) -> Schedule:
    """Save a schedule, under a new id unless one is given; its owner is whoever makes it.

    Raises what running its definition would, and InvalidRequest.
    """
    require(principal, Scope.REPORTS_WRITE)
    if principal.tenant is None:
        raise InvalidRequest("A schedule belongs to one tenant.", hint="Name a tenant.")
    next_at = _check(runtime, principal, draft)
    now = runtime.now()
    made = Schedule(
        schedule_id or new_id(), principal.tenant, principal, draft, ScheduleState.ACTIVE, now, now, next_at=next_at
    )
    table.insert_schedule(runtime.appdb, made)
    current_trail().thing = made.id
    return made


def find_schedule(runtime: Runtime, principal: Principal, schedule_id: str) -> Schedule:
    """The tenant's schedule of that id. Raises NotFound, InsufficientScope."""
    require(principal, Scope.REPORTS_READ)
    found = table.find_schedule(runtime.appdb, schedule_id) if is_id(schedule_id) else None
    if found is None or principal.tenant not in (None, found.tenant):
        raise NotFound("There is no such schedule.", hint="List the schedules to see their ids.")
    return found


def list_schedules(
    runtime: Runtime,
    principal: Principal,
    *,
    definition_id: str | None = None,
    before: str | None = None,
    limit: int = 50,
) -> tuple[Schedule, ...]:
    """The tenant's schedules, the newest first, from the one after `before` on."""
    require(principal, Scope.REPORTS_READ)
    if definition_id is not None and not is_id(definition_id):
        return ()
    return table.list_schedules(
        runtime.appdb, principal.tenant, definition_id=definition_id, before=before, limit=limit
    )


def change_schedule(
    runtime: Runtime,
    principal: Principal,
    schedule_id: str,
    edit: Callable[[Schedule], ScheduleDraft],
    *,
    is_seen: Callable[[int], bool] = lambda _: True,
) -> Schedule:
    """Put what `edit` makes of it in its place. Whoever changes a schedule owns it: it runs with their rights.

    Another definition or another field of its delta begins anew, with every row. Raises NotFound, PreconditionFailed,
    and what `create_schedule` raises.
    """

    def changed(before: Schedule) -> Schedule:
        draft = edit(before)
        next_at = _check(runtime, principal, draft)
        is_paused = before.state is ScheduleState.PAUSED
        state = ScheduleState.PAUSED if is_paused else ScheduleState.ACTIVE
        return replace(before, owner=principal, draft=draft, state=state, next_at=None if is_paused else next_at)

    return _replace(runtime, principal, schedule_id, changed, is_seen)


def pause_schedule(runtime: Runtime, principal: Principal, schedule_id: str) -> Schedule:
    """Run nothing until it is resumed; what is at work goes on. Raises NotFound, Conflict for one that has ended."""

    def paused(before: Schedule) -> Schedule:
        if before.state is ScheduleState.ENDED:
            raise Conflict("This schedule has ended.", hint="Change its rule, or its end, to start it again.")
        if before.state is ScheduleState.PAUSED:
            return before
        return replace(before, state=ScheduleState.PAUSED, next_at=None)

    return _replace(runtime, principal, schedule_id, paused)


def resume_schedule(runtime: Runtime, principal: Principal, schedule_id: str) -> Schedule:
    """Go on with the next instant from now; those that passed meanwhile were not missed. Raises NotFound, Conflict."""

    def resumed(before: Schedule) -> Schedule:
        if before.state is ScheduleState.ACTIVE:
            return before
        next_at = next(instants_after(before.draft.timetable, runtime.now()), None)
        if next_at is None:
            raise Conflict("This schedule has no instant left.", hint="Change its rule, or its end.")
        return replace(before, state=ScheduleState.ACTIVE, next_at=next_at)

    return _replace(runtime, principal, schedule_id, resumed)


def delete_schedule(
    runtime: Runtime, principal: Principal, schedule_id: str, *, is_seen: Callable[[int], bool] = lambda _: True
) -> None:
    """Forget it and its runs; exports that it made stay. Raises NotFound, PreconditionFailed."""
    while True:
        schedule = _editable(runtime, principal, schedule_id, is_seen)
        if table.delete_schedule(runtime.appdb, schedule):
            return


def run_schedule(runtime: Runtime, principal: Principal, schedule_id: str) -> ScheduleRun:
    """Run it now, paused or not, with its owner's rights and by its own policies; gives what became of that.

    Raises NotFound, Conflict.
    """
    schedule = _editable(runtime, principal, schedule_id, lambda _: True)
    now = runtime.now()
    run = ScheduleRun(schedule.id, now, schedule.tenant, RunState.WAITING, now, retry_at=now)
    if not runs_table.insert_run(runtime.appdb, run):
        raise Conflict("This schedule runs at this instant already.", hint="Ask again in a moment.")
    launch_run(runtime, run)
    return runs_table.find_run(runtime.appdb, schedule.id, now) or run


def next_instants(runtime: Runtime, principal: Principal, schedule_id: str, count: int) -> tuple[datetime, ...]:
    """The next instants (UTC) from now, at most so many; none while it is paused."""
    schedule = find_schedule(runtime, principal, schedule_id)
    if schedule.state is not ScheduleState.ACTIVE:
        return ()
    return tuple(islice(instants_after(schedule.draft.timetable, runtime.now()), min(count, MOST_NEXT)))


def list_runs(
    runtime: Runtime, principal: Principal, schedule_id: str, *, before: datetime | None = None, limit: int = 50
) -> tuple[ScheduleRun, ...]:
    """What became of its instants, the latest first, from the one after `before` on. Raises NotFound."""
    schedule = find_schedule(runtime, principal, schedule_id)
    return runs_table.list_runs(runtime.appdb, schedule.id, before=before, limit=limit)


def _replace(
    runtime: Runtime,
    principal: Principal,
    schedule_id: str,
    change: Callable[[Schedule], Schedule],
    is_seen: Callable[[int], bool] = lambda _: True,
) -> Schedule:
    """What `change` makes of it, put in its place; asked again when it changed or ran meanwhile."""
    while True:
        before = _editable(runtime, principal, schedule_id, is_seen)
        after = change(before)
        if after is before:
            return before
        starts_anew = _told_by(before) != _told_by(after)
        after = replace(after, updated_at=runtime.now())
        done = table.replace_schedule(runtime.appdb, before, after, starts_anew=starts_anew)
        if done is not None:
            return done


def _told_by(schedule: Schedule) -> tuple[str, str | None]:
    """What its watermark is a value of."""
    delta = schedule.draft.delta
    return schedule.draft.definition_id, None if delta is None else delta.field


def _editable(runtime: Runtime, principal: Principal, schedule_id: str, is_seen: Callable[[int], bool]) -> Schedule:
    require(principal, Scope.REPORTS_WRITE)
    schedule = find_schedule(runtime, principal, schedule_id)
    if not is_seen(schedule.version):
        raise PreconditionFailed("Somebody changed this schedule meanwhile.", hint="Read it again, then decide.")
    return schedule


def _check(runtime: Runtime, principal: Principal, draft: ScheduleDraft) -> datetime:
    """The first instant from now on of what can be run."""
    if not 1 <= draft.catch_up_limit <= MOST_CAUGHT_UP:
        raise InvalidRequest(f"catch_up_limit is 1 to {MOST_CAUGHT_UP}.", pointer="/catch_up_limit")
    recipients.check_deliveries(runtime, draft.deliveries)
    _check_overlap(draft)
    next_at = first_instant(runtime, draft.timetable)
    try:
        definition = find_definition(runtime, principal, draft.definition_id)
    except NotFound as error:
        raise InvalidRequest(error.detail, hint=error.hint, pointer="/definition_id") from error
    request = runnable_request(definition)
    with naming_dataset(runtime, request):
        plan_request(runtime, principal, request)
        if draft.delta is not None:
            check_delta(runtime, principal, request, draft.delta)
    return next_at


def _check_overlap(draft: ScheduleDraft) -> None:
    detail, hint = "", ""
    if draft.delta is not None and draft.overlap is Overlap.ALLOW:
        detail = "A delta begins where the one before ended, so two cannot be at work at once."
        hint = "Use overlap skip or queue."
    if draft.catch_up is CatchUp.ALL and draft.overlap is Overlap.SKIP:
        detail = "Instants that are all made up for come one right after the other, and would be skipped for that."
        hint = "Use overlap queue or allow."
    if detail:
        raise InvalidRequest(detail, hint=hint, pointer="/overlap")


def read_timetable(rrule: str, timezone: str, start: datetime) -> Timetable:
    """The timetable whose start is local to the zone, or an instant, when clocks there show the local time.

    Raises InvalidRequest for a zone that does not exist; the rest is for `first_instant` to say.
    """
    zone = ZoneInfo(read_timezone(timezone) or timezone)
    local = start.astimezone(zone) if start.tzinfo is not None and start.year in YEARS else start
    return Timetable(rrule, timezone, local.replace(tzinfo=None))


def first_instant(runtime: Runtime, timetable: Timetable) -> datetime:
    """The first instant from now on. Raises InvalidRequest for a timetable that cannot be read, or that has none."""
    read_timezone(timetable.timezone)
    for name, local in (("start", timetable.start), ("end", timetable.end)):
        if local is not None and (local.tzinfo is not None or local.year not in YEARS):
            raise InvalidRequest(
                f"{name} is a local time without an offset, from {YEARS[0]} to {YEARS[-1]}.", pointer=f"/{name}"
            )
    found = next(instants_after(timetable, runtime.now()), None)
    if found is None:
        raise InvalidRequest(
            "This rule has no instant from now on.",
            hint="Look at its BY parts, COUNT, UNTIL, and at the schedule's start and end.",
            pointer="/rrule",
        )
    return found
