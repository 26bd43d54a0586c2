"""Schedules: definitions that run by themselves. Make, change, pause, resume, run now; what comes and what was."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from offtake.api.answers_schedules import (
    InstantList,
    RunAnswer,
    RunList,
    ScheduleAnswer,
    ScheduleList,
    run_answer,
    schedule_json,
)
from offtake.api.bodies import PageQuery
from offtake.api.bodies_schedules import NextQuery, RunNowBody, ScheduleBody, SchedulesQuery, patch_schedule_body
from offtake.api.definitions import ETAG, IF_MATCH, MERGE_PATCH
from offtake.api.spec import problems
from offtake.model.access import Principal
from offtake.model.schedule import Schedule, ScheduleDraft, ScheduleRun
from offtake.service import schedules
from offtake.service.lists import list_page
from offtake.service.notices import notices_of
from offtake.service.runtime import Runtime
from offtake.web.address import absolute_url
from offtake.web.auth import Caller
from offtake.web.conditions import version_tag, wanted_version
from offtake.web.responses import run_stoppable
from offtake.web.site import site_of
from offtake.web.spec import TEXT

SHOWN: dict[int | str, dict[str, Any]] = {200: {"model": ScheduleAnswer, "headers": ETAG}}
MADE: dict[int | str, dict[str, Any]] = {
    201: {"model": ScheduleAnswer, "headers": {**ETAG, "Location": {"description": "The schedule.", **TEXT}}}
}
WRITE_PROBLEMS = problems(400, 409, 412, 413, 415, 502, 503, 504)

ROUTES = APIRouter(prefix="/api/v1/schedules", tags=["schedules"])


@ROUTES.post("", status_code=201, response_class=JSONResponse, responses={**MADE, **WRITE_PROBLEMS})
async def post_schedule(request: Request, body: ScheduleBody, caller: Caller) -> Response:
    """Run a definition by a rule, with the rights this key has at each instant."""
    runtime, draft = site_of(request).runtime, body.to_draft()
    made = await run_stoppable(request, lambda _: schedules.create_schedule(runtime, caller, draft))
    answer = _show(request, made)
    answer.status_code = 201
    answer.headers["Location"] = absolute_url(request, f"/api/v1/schedules/{made.id}")
    return answer


@ROUTES.get("", response_class=JSONResponse, responses={200: {"model": ScheduleList}, **problems(503)})
def get_schedules(request: Request, caller: Caller, query: Annotated[SchedulesQuery, Query()]) -> Response:
    """The tenant's schedules."""
    runtime = site_of(request).runtime
    find = partial(schedules.list_schedules, runtime, caller, definition_id=query.definition_id)
    question = ("schedules", caller.tenant, query.definition_id)
    page = list_page(runtime, question, query.cursor, query.limit, find)
    data = [schedule_json(schedule, partial(absolute_url, request)) for schedule in page.things]
    return JSONResponse({"data": data, "next_cursor": page.next_cursor})


@ROUTES.get(
    "/{schedule_id}",
    response_class=JSONResponse,
    responses={**SHOWN, **problems(503)},
)
def get_schedule(request: Request, schedule_id: str, caller: Caller) -> Response:
    """One schedule."""
    found = schedules.find_schedule(site_of(request).runtime, caller, schedule_id)
    return _show(request, found)


@ROUTES.put(
    "/{schedule_id}", response_class=JSONResponse, responses={**SHOWN, **WRITE_PROBLEMS}, openapi_extra=IF_MATCH
)
async def put_schedule(request: Request, schedule_id: str, body: ScheduleBody, caller: Caller) -> Response:
    """Put another in its place; from now on it runs with the rights of this key."""
    return await _change(request, caller, schedule_id, lambda _: body.to_draft())


@ROUTES.patch(
    "/{schedule_id}", response_class=JSONResponse, responses={**SHOWN, **WRITE_PROBLEMS}, openapi_extra=IF_MATCH
)
async def patch_schedule(
    request: Request, schedule_id: str, patch: Annotated[dict[str, Any], Body(media_type=MERGE_PATCH)], caller: Caller
) -> Response:
    """Change some of it by a JSON merge patch (RFC 7396); from now on it runs with the rights of this key."""
    return await _change(request, caller, schedule_id, lambda found: patch_schedule_body(found.draft, patch).to_draft())


@ROUTES.delete("/{schedule_id}", status_code=204, responses=problems(400, 412, 503), openapi_extra=IF_MATCH)
def delete_schedule(request: Request, schedule_id: str, caller: Caller) -> None:
    """Forget it and its runs. Exports that it made stay."""
    is_seen = wanted_version(request.headers)
    schedules.delete_schedule(site_of(request).runtime, caller, schedule_id, is_seen=is_seen)


@ROUTES.post("/{schedule_id}/pause", response_class=JSONResponse, responses={**SHOWN, **problems(409, 503)})
def post_pause(request: Request, schedule_id: str, caller: Caller) -> Response:
    """Run nothing until it is resumed. What is at work goes on, what waits is skipped."""
    return _show(request, schedules.pause_schedule(site_of(request).runtime, caller, schedule_id))


@ROUTES.post("/{schedule_id}/resume", response_class=JSONResponse, responses={**SHOWN, **problems(409, 503)})
def post_resume(request: Request, schedule_id: str, caller: Caller) -> Response:
    """Go on with the next instant; those of the pause are not made up for."""
    return _show(request, schedules.resume_schedule(site_of(request).runtime, caller, schedule_id))


@ROUTES.post("/{schedule_id}/run", status_code=202, responses=problems(409, 413, 415, 503))
async def post_run(request: Request, schedule_id: str, caller: Caller, _body: RunNowBody | None = None) -> RunAnswer:
    """Run it now, paused or not, with its owner's rights; the answer is the run, skipped or failed ones too."""
    runtime = site_of(request).runtime
    return await run_stoppable(
        request, lambda _: _show_runs(runtime, [schedules.run_schedule(runtime, caller, schedule_id)])[0]
    )


@ROUTES.get("/{schedule_id}/next", responses=problems(503))
def get_next(request: Request, schedule_id: str, caller: Caller, query: Annotated[NextQuery, Query()]) -> InstantList:
    """When it runs next."""
    return InstantList(data=schedules.next_instants(site_of(request).runtime, caller, schedule_id, query.count))


@ROUTES.get("/{schedule_id}/runs", responses=problems(503))
def get_runs(request: Request, schedule_id: str, caller: Caller, query: Annotated[PageQuery, Query()]) -> RunList:
    """What became of its instants in the last 90 days."""
    runtime = site_of(request).runtime

    def find(*, before: str | None, limit: int) -> Sequence[ScheduleRun]:
        instant = None if before is None else datetime.fromisoformat(before)
        return schedules.list_runs(runtime, caller, schedule_id, before=instant, limit=limit)

    question = ("schedule-runs", schedule_id)
    page = list_page(runtime, question, query.cursor, query.limit, find, lambda run: run.instant.isoformat())
    return RunList(data=_show_runs(runtime, page.things), next_cursor=page.next_cursor)


async def _change(
    request: Request, caller: Principal, schedule_id: str, edit: Callable[[Schedule], ScheduleDraft]
) -> Response:
    runtime, is_seen = site_of(request).runtime, wanted_version(request.headers)
    done = await run_stoppable(
        request, lambda _: schedules.change_schedule(runtime, caller, schedule_id, edit, is_seen=is_seen)
    )
    return _show(request, done)


def _show_runs(runtime: Runtime, runs: Sequence[ScheduleRun]) -> tuple[RunAnswer, ...]:
    notices = notices_of(runtime, runs)
    return tuple(run_answer(run, notices.get(run.instant, ())) for run in runs)


def _show(request: Request, schedule: Schedule) -> Response:
    return JSONResponse(
        schedule_json(schedule, partial(absolute_url, request)), headers={"ETag": version_tag(schedule.version)}
    )
