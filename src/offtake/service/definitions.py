"""Saved definitions: keep them, prove them when saved and when run, run them every way a request can be run."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from offtake.appdb import definitions as table
from offtake.errors import Conflict, InvalidRequest, NotFound, OfftakeError, PreconditionFailed
from offtake.model.access import Principal, Scope, require
from offtake.model.dataset import Sort
from offtake.model.export import ExportRequest
from offtake.model.ids import is_id, new_id
from offtake.model.ports import Chunks, Stop
from offtake.model.saved import Definition, Draft
from offtake.query.nearest import did_you_mean
from offtake.service.datasets import plan_request
from offtake.service.downloads import Download, Envelope, check_file, open_download
from offtake.service.exports import Submission, Submitted, submit_export
from offtake.service.lists import list_page
from offtake.service.names import is_showable
from offtake.service.previews import Preview, preview_rows
from offtake.service.reports import report_result
from offtake.service.runtime import Runtime
from offtake.service.trail import current_trail

LONGEST_NAME, LONGEST_DESCRIPTION, MOST_MEMBERS = 200, 5000, 100
SORTABLE = table.SORTABLE
NEWEST_FIRST = Sort("created_at", descending=True)


@dataclass(frozen=True)
class DefinitionPage:
    """Some of the definitions that match, how many do in all, and what asks for those after them (None = no more)."""

    definitions: Sequence[Definition]
    total: int
    next_cursor: str | None


def create_definition(runtime: Runtime, principal: Principal, draft: Draft) -> Definition:
    """Save a draft. Raises whatever running it would raise before its first byte, and Conflict for an id in use."""
    require(principal, Scope.REPORTS_WRITE)
    if principal.tenant is None:
        raise InvalidRequest("A definition belongs to one tenant.", hint="Name a tenant.")
    _check_draft(runtime, principal, draft)
    now = runtime.now()
    definition = Definition(new_id(), principal.tenant, principal, draft, now, now)
    table.insert_definition(runtime.appdb, definition)
    current_trail().thing = definition.id
    return definition


def find_definition(runtime: Runtime, principal: Principal, definition_id: str) -> Definition:
    """The tenant's definition of that id. Raises NotFound, InsufficientScope."""
    require(principal, Scope.REPORTS_READ)
    found = table.find_definition(runtime.appdb, definition_id) if is_id(definition_id) else None
    if found is None or principal.tenant not in (None, found.tenant):
        raise NotFound("There is no such definition.", hint="List the definitions to see their ids.")
    current_trail().dataset = found.request.dataset or None
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


def page_definitions(
    runtime: Runtime,
    principal: Principal,
    *,
    q: str = "",
    sort: Sort = NEWEST_FIRST,
    cursor: str | None = None,
    number: int = 1,
    limit: int = 50,
) -> DefinitionPage:
    """One page of the list: the one after the cursor, or else the one of that number, from 1 on.

    Raises what `list_definitions` raises, and InvalidCursor.
    """
    question = ("definitions", principal.tenant, q, sort.field, str(sort.descending))
    offset, total = (number - 1) * limit, 0

    def find(*, before: str | None, limit: int) -> Sequence[Definition]:
        nonlocal total
        after = None if before is None else _read_place(before, sort)
        found, total = list_definitions(runtime, principal, q=q, sort=sort, after=after, offset=offset, limit=limit)
        return found

    page = list_page(runtime, question, cursor, limit, find, lambda last: _write_place(last, sort))
    return DefinitionPage(page.things, total, page.next_cursor)


def _write_place(last: Definition, sort: Sort) -> str:
    value = table.sort_value(last, sort)
    text = value.isoformat() if isinstance(value, datetime) else value
    return json.dumps([text, last.id], ensure_ascii=False)


def _read_place(place: str, sort: Sort) -> tuple[Any, str]:
    text, id_ = json.loads(place)
    return (text if sort.field == "name" else datetime.fromisoformat(text)), id_


def change_definition(
    runtime: Runtime,
    principal: Principal,
    definition_id: str,
    edit: Callable[[Definition], Draft],
    *,
    is_seen: Callable[[int], bool] = lambda _: True,
) -> Definition:
    """Put what `edit` makes of it in its place. `is_seen` says whether the caller knows that version (If-Match).

    When somebody else changes it meanwhile, `edit` is asked again, with what they made of it. Raises NotFound,
    PreconditionFailed, and what `create_definition` raises.
    """
    while True:
        definition = _editable(runtime, principal, definition_id, is_seen)
        draft = edit(definition)
        _check_draft(runtime, principal, draft, definition_id)
        done = table.replace_definition(runtime.appdb, definition, draft, runtime.now())
        if done is not None:
            return done


def delete_definition(
    runtime: Runtime,
    principal: Principal,
    definition_id: str,
    *,
    is_seen: Callable[[int], bool] = lambda _: True,
) -> None:
    """Forget it, end its schedules and revoke its shares. Raises NotFound, PreconditionFailed."""
    while True:
        definition = _editable(runtime, principal, definition_id, is_seen)
        if table.delete_definition(runtime.appdb, definition, runtime.now()):
            return


def _editable(runtime: Runtime, principal: Principal, definition_id: str, is_seen: Callable[[int], bool]) -> Definition:
    require(principal, Scope.REPORTS_WRITE)
    definition = find_definition(runtime, principal, definition_id)
    if not is_seen(definition.version):
        raise PreconditionFailed("Somebody changed this definition meanwhile.", hint="Read it again, then decide.")
    return definition


def problems_of(runtime: Runtime, principal: Principal, definition: Definition) -> tuple[tuple[str, str], ...] | None:
    """What keeps it from being run as it is, as (JSON pointer, detail); None while its source does not say."""
    try:
        _check_draft(runtime, principal, definition.draft, definition.id)
    except OfftakeError as error:
        return None if error.retryable else error.problems or (("", error.detail),)
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
    request = change(runnable_request(definition))
    with naming_dataset(runtime, request):
        submitted = submit_export(runtime, principal, request, how)
    if submitted.is_new:
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
    envelope: Envelope | None = None,
) -> Download:
    """Its file, streamed now, with the rights of whoever asks; `envelope` as in `open_download`."""
    definition = find_definition(runtime, principal, definition_id)
    request = change(runnable_request(definition))
    with naming_dataset(runtime, request):
        download = open_download(runtime, principal, request, stop=stop, on_rows=on_rows, envelope=envelope)
    return replace(download, chunks=note_execution(runtime, definition.id, download.chunks))


def note_execution(runtime: Runtime, definition_id: str, chunks: Chunks) -> Chunks:
    """The chunks; whoever takes the first has executed the definition."""
    with closing(chunks):
        table.touch_definition(runtime.appdb, definition_id, runtime.now())
        yield from chunks


def preview_definition(
    runtime: Runtime,
    principal: Principal,
    definition_id: str,
    *,
    stop: Stop,
    change: Callable[[ExportRequest], ExportRequest] = lambda request: request,
) -> Preview:
    """The first rows exactly as the file will hold them, and how many it would have. That is not an execution."""
    definition = find_definition(runtime, principal, definition_id)
    request = change(runnable_request(definition))
    with naming_dataset(runtime, request):
        return preview_rows(runtime, principal, request, stop=stop)


def definition_result(runtime: Runtime, principal: Principal, definition_id: str, *, stop: Stop) -> Any:
    """What its report says, as `report_result` gives it. That is not an execution."""
    definition = find_definition(runtime, principal, definition_id)
    request = runnable_request(definition)
    with naming_dataset(runtime, request):
        return report_result(runtime, principal, request, stop=stop)


def runnable_request(definition: Definition) -> ExportRequest:
    """What the definition asks for. Raises Conflict for a combined one, which asks for nothing itself."""
    if definition.is_combined:
        raise Conflict("A combined definition has no rows of its own.", hint="Run the definitions it lists.")
    return definition.request


def _check_draft(runtime: Runtime, principal: Principal, draft: Draft, own_id: str = "") -> None:
    if not is_showable(draft.name) or len(draft.name) > LONGEST_NAME:
        raise InvalidRequest(f"name has 1 to {LONGEST_NAME} printable characters.", pointer="/name")
    if "\0" in draft.description:
        raise InvalidRequest("description holds NUL, which no text does.", hint="Leave it out.", pointer="/description")
    if len(draft.description) > LONGEST_DESCRIPTION:
        raise InvalidRequest(f"description has at most {LONGEST_DESCRIPTION} characters.", pointer="/description")
    if draft.members:
        _check_members(runtime, principal, draft.members, own_id)
        return
    check_file(runtime, draft.request)
    with naming_dataset(runtime, draft.request):
        plan_request(runtime, principal, draft.request)


@contextmanager
def naming_dataset(runtime: Runtime, request: ExportRequest) -> Iterator[None]:
    """A dataset or schema that is gone must not look as if the definition were."""
    try:
        yield
    except NotFound as error:
        place = "/schema" if request.dataset in runtime.datasets else "/dataset"
        raise InvalidRequest(error.detail, hint=error.hint, pointer=place) from error


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
