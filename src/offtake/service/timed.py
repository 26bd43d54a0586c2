"""Definitions with a schedule of their own, kept as one thing: for APIs in which one object says what to run and when.

Natively they are two, and stay so: the schedule is listed, paused and changed like any other. A definition knows its
own by an id in its `extra`.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from offtake.appdb.schedules import find_schedules
from offtake.errors import NotFound, OfftakeError
from offtake.model.access import Principal, Scope, require
from offtake.model.ids import new_id
from offtake.model.saved import Definition, Draft
from offtake.model.schedule import Schedule, ScheduleDraft, Timetable
from offtake.service.definitions import change_definition, create_definition, delete_definition
from offtake.service.runtime import Runtime
from offtake.service.schedules import (
    change_schedule,
    create_schedule,
    delete_schedule,
    find_schedule,
    first_instant,
)

OWN = "schedule_id"


def create_timed(runtime: Runtime, principal: Principal, draft: Draft, timetable: Timetable | None) -> Definition:
    """Save the draft, and a schedule that runs it, or neither. Raises what saving the one or the other raises."""
    _check(runtime, timetable)
    made = create_definition(runtime, principal, _with_own(draft, new_id()))
    try:
        _set_timetable(runtime, principal, made, timetable)
    except BaseException:
        with suppress(OfftakeError):
            delete_definition(runtime, principal, made.id)
        raise
    return made


def replace_timed(
    runtime: Runtime, principal: Principal, definition_id: str, draft: Draft, timetable: Timetable | None
) -> Definition:
    """Put the draft in the definition's place, and the timetable in its schedule's; without one the schedule ends.

    A schedule whose timetable stays is left alone, its owner too. Raises NotFound and what `create_timed` raises.
    """
    _check(runtime, timetable)

    def edit(found: Definition) -> Draft:
        kept = replace(draft, dialect=found.draft.dialect, external_id=found.draft.external_id)
        return _with_own(kept, _own_id(runtime, principal, found))

    done = change_definition(runtime, principal, definition_id, edit)
    _set_timetable(runtime, principal, done, timetable)
    return done


def own_schedule(runtime: Runtime, principal: Principal, definition: Definition) -> Schedule | None:
    """The schedule that belongs to the definition; None if it has none, or somebody gave that another to run."""
    found = _find(runtime, principal, definition)
    return found if found is not None and found.draft.definition_id == definition.id else None


def own_schedules(
    runtime: Runtime, principal: Principal, definitions: Sequence[Definition]
) -> Mapping[str, Schedule | None]:
    """The same of many definitions, by their ids."""
    require(principal, Scope.REPORTS_READ)
    ids = [each.draft.extra[OWN] for each in definitions if OWN in each.draft.extra]
    every = find_schedules(runtime.appdb, ids).values()
    found = {(each.id, each.draft.definition_id): each for each in every}
    return {each.id: found.get((each.draft.extra.get(OWN, ""), each.id)) for each in definitions}


def _check(runtime: Runtime, timetable: Timetable | None) -> None:
    if timetable is not None:
        first_instant(runtime, timetable)


def _find(runtime: Runtime, principal: Principal, definition: Definition) -> Schedule | None:
    try:
        return find_schedule(runtime, principal, definition.draft.extra.get(OWN, ""))
    except NotFound:
        return None


def _own_id(runtime: Runtime, principal: Principal, definition: Definition) -> str:
    """The same for good: of two who give it a schedule at the same moment, one is told. Unless that went elsewhere."""
    found, own = _find(runtime, principal, definition), definition.draft.extra.get(OWN)
    return own if own and (found is None or found.draft.definition_id == definition.id) else new_id()


def _with_own(draft: Draft, schedule_id: str) -> Draft:
    return replace(draft, extra={**draft.extra, OWN: schedule_id})


def _set_timetable(runtime: Runtime, principal: Principal, definition: Definition, timetable: Timetable | None) -> None:
    before = own_schedule(runtime, principal, definition)
    if before is None:
        if timetable is not None:
            draft = ScheduleDraft(definition.id, timetable)
            create_schedule(runtime, principal, draft, schedule_id=definition.draft.extra[OWN])
    elif timetable is None:
        delete_schedule(runtime, principal, before.id)
    elif before.draft.timetable != timetable:
        change_schedule(runtime, principal, before.id, lambda found: replace(found.draft, timetable=timetable))
