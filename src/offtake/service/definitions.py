"""Saved definitions: keep them, prove them when saved and when run, run them every way a request can be run."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import uuid_utils

from offtake.appdb import definitions as table
from offtake.errors import Conflict, InvalidRequest, NotFound, OfftakeError, PreconditionFailed
from offtake.model.access import Principal, Scope, require
from offtake.model.dataset import Sort
from offtake.model.export import ExportRequest
from offtake.model.ports import Stop
from offtake.model.saved import Definition, Draft
from offtake.query.nearest import did_you_mean
from offtake.service.access import KEY_ID
from offtake.service.datasets import plan_request
from offtake.service.downloads import Download, check_file, open_download
from offtake.service.exports import Submission, Submitted, submit_export
from offtake.service.previews import Preview, preview_rows
from offtake.service.runtime import Runtime

LONGEST_NAME, LONGEST_DESCRIPTION, MOST_MEMBERS = 200, 5000, 100
SORTABLE = table.SORTABLE
NEWEST_FIRST = Sort("created_at", descending=True)


def create_definition(runtime: Runtime, principal: Principal, draft: Draft) -> Definition:
    """Save a draft. Raises whatever running it would raise before its first byte, and Conflict for an id in use."""
    require(principal, Scope.REPORTS_WRITE)
    if principal.tenant is None:
        raise InvalidRequest("A definition belongs to one tenant.", hint="Name a tenant.")
    _check_draft(runtime, principal, draft)
    now = runtime.now()
    definition = Definition(str(uuid_utils.uuid7()), principal.tenant, principal, draft, now, now)
    table.insert_definition(runtime.appdb, definition)
    return definition


def find_definition(runtime: Runtime, principal: Principal, definition_id: str) -> Definition:
    """The tenant's definition of that id. Raises NotFound, InsufficientScope."""
    require(principal, Scope.REPORTS_READ)
    # Whatever is not even shaped like an id never reaches a database: PostgreSQL refuses NUL in text.
    found = table.find_definition(runtime.appdb, definition_id) if KEY_ID.fullmatch(definition_id) else None
    if found is None or principal.tenant not in (None, found.tenant):
        raise NotFound("There is no such definition.", hint="List the definitions to see their ids.")
    return found


def find_external(runtime: Runtime, principal: Principal, dialect: str, external_id: str) -> Definition | None:
    """The tenant's definition that a foreign API's client knows by an id of its own."""
    require(principal, Scope.REPORTS_READ)
    return table.find_external(runtime.appdb, principal.tenant or "", dialect, external_id)


def list_definitions(
    runtime: Runtime,
    principal: Principal,
    *,
    q: str = "",
    dialect: str | None = None,
    sort: Sort = NEWEST_FIRST,
    after: tuple[Any, str] | None = None,
    offset: int = 0,
    limit: int = 50,
) -> tuple[Sequence[Definition], int]:
    """The tenant's definitions in that order, and how many match in all. Raises InvalidRequest for another order."""
    require(principal, Scope.REPORTS_READ)
    if sort.field not in SORTABLE:
        hint = did_you_mean(sort.field, SORTABLE, "Known")
        raise InvalidRequest(f"Definitions cannot be sorted by {sort.field!r}.", hint=hint, pointer="/sort")
    return table.list_definitions(
        runtime.appdb,
        principal.tenant,
        q=q.replace("\0", ""),
        dialect=dialect,
        sort=sort,
        after=after,
        offset=offset,
        limit=limit,
    )


def replace_definition(
    runtime: Runtime, principal: Principal, definition_id: str, draft: Draft, *, is_seen: Callable[[int], bool] | None
) -> Definition:
    """Put another draft in its place. `is_seen` says whether the caller has seen that version (If-Match).

    Raises NotFound, PreconditionFailed, and what `create_definition` raises.
    """
    definition = _editable(runtime, principal, definition_id, is_seen)
    _check_draft(runtime, principal, draft, definition_id)
    done = table.replace_definition(runtime.appdb, definition, draft, runtime.now())
    if done is None:
        raise _changed_meanwhile()
    return done


def delete_definition(
    runtime: Runtime, principal: Principal, definition_id: str, *, is_seen: Callable[[int], bool] | None = None
) -> None:
    """Forget it, end its schedules and revoke its shares. Raises NotFound, PreconditionFailed."""
    definition = _editable(runtime, principal, definition_id, is_seen)
    if not table.delete_definition(runtime.appdb, definition, runtime.now()):
        raise _changed_meanwhile()


def _editable(
    runtime: Runtime, principal: Principal, definition_id: str, is_seen: Callable[[int], bool] | None
) -> Definition:
    require(principal, Scope.REPORTS_WRITE)
    definition = find_definition(runtime, principal, definition_id)
    if is_seen is not None and not is_seen(definition.version):
        raise _changed_meanwhile()
    return definition


def _changed_meanwhile() -> PreconditionFailed:
    return PreconditionFailed("Somebody changed this definition meanwhile.", hint="Read it again, then decide.")


def problems_of(runtime: Runtime, principal: Principal, definition: Definition) -> tuple[tuple[str, str], ...]:
    """What no longer fits the dataset, as (JSON pointer, detail); empty if it can be run as it is."""
    try:
        _check_draft(runtime, principal, definition.draft, definition.id)
    except OfftakeError as error:
        return error.problems or (("", error.detail),)
    return ()


def run_definition(
    runtime: Runtime,
    principal: Principal,
    definition_id: str,
    how: Submission | None = None,
    *,
    change: Callable[[ExportRequest], ExportRequest] = lambda request: request,
) -> Submitted:
    """Put a job of it into the queue, with the rights of whoever asks; `change` may adapt the request (its format)."""
    definition = find_definition(runtime, principal, definition_id)
    how = replace(how or Submission(), definition_id=definition.id)
    submitted = submit_export(runtime, principal, change(runnable_request(definition)), how)
    table.touch_definition(runtime.appdb, definition.id, runtime.now())
    return submitted


def open_definition(
    runtime: Runtime,
    principal: Principal,
    definition_id: str,
    *,
    stop: Stop,
    on_rows: Callable[[int], None] | None = None,
    change: Callable[[ExportRequest], ExportRequest] = lambda request: request,
) -> Download:
    """Its file, streamed now, with the rights of whoever asks."""
    definition = find_definition(runtime, principal, definition_id)
    download = open_download(runtime, principal, change(runnable_request(definition)), stop=stop, on_rows=on_rows)
    table.touch_definition(runtime.appdb, definition.id, runtime.now())
    return download


def preview_definition(runtime: Runtime, principal: Principal, definition_id: str, *, stop: Stop) -> Preview:
    """The first rows exactly as the file will hold them, and how many it would have. That is not an execution."""
    definition = find_definition(runtime, principal, definition_id)
    return preview_rows(runtime, principal, runnable_request(definition), stop=stop)


def runnable_request(definition: Definition) -> ExportRequest:
    """What the definition asks for. Raises Conflict for a combined one, which asks for nothing itself."""
    if definition.is_combined:
        raise Conflict("A combined definition has no rows of its own.", hint="Run the definitions it lists.")
    return definition.request


def _check_draft(runtime: Runtime, principal: Principal, draft: Draft, own_id: str = "") -> None:
    name = draft.name.strip()
    if not name or len(draft.name) > LONGEST_NAME or not draft.name.isprintable():
        raise InvalidRequest(f"name has 1 to {LONGEST_NAME} printable characters.", pointer="/name")
    if len(draft.description) > LONGEST_DESCRIPTION or "\0" in draft.description:
        raise InvalidRequest(f"description has at most {LONGEST_DESCRIPTION} characters.", pointer="/description")
    if draft.members:
        _check_members(runtime, principal, draft.members, own_id)
        return
    check_file(runtime, draft.request)
    plan_request(runtime, principal, draft.request)


def _check_members(runtime: Runtime, principal: Principal, members: tuple[str, ...], own_id: str) -> None:
    if len(members) > MOST_MEMBERS:
        raise InvalidRequest(f"A combined definition lists at most {MOST_MEMBERS} others.", pointer="/members")
    for number, member in enumerate(members):
        place = f"/members/{number}"
        if member == own_id:
            raise InvalidRequest("A combined definition cannot list itself.", pointer=place)
        try:
            found = find_definition(runtime, principal, member)
        except NotFound as error:
            raise InvalidRequest("There is no such definition.", hint=error.hint, pointer=place) from error
        if found.is_combined:
            raise InvalidRequest("A combined definition cannot list another combined one.", pointer=place)
