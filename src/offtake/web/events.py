"""A job's way as server-sent events (HTML standard §9.2), until it ends."""

import asyncio
from collections.abc import Callable
from typing import Any

import anyio
from anyio.to_thread import run_sync
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from offtake.model.access import Principal
from offtake.model.job import ExportJob, JobState
from offtake.service.exports import find_export
from offtake.web.site import Site, site_of
from offtake.web.watch import Watch

HEARTBEAT_S = 15.0  # proxies close what is silent for longer, commonly after 60 s
HEADERS = {"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}

Render = Callable[[ExportJob], dict[str, Any]]


async def send_events(request: Request, caller: Principal, job_id: str, render: Render) -> Response:
    """The job as it is and every change of it, each as `render` gives it.

    `state` is a new state, `progress` anything else, `deleted` the end of it all. Whoever comes back with a
    Last-Event-ID is told only what is newer, and not to come again (204) when nothing will follow.
    Raises NotFound, InsufficientScope.
    """
    site = site_of(request)
    job = await run_sync(find_export, site.runtime, caller, job_id)
    # The id tells the revision, not that a scheduled job had become due.
    seen = (job.revision, job.state) if request.headers.get("last-event-id") == str(job.revision) else None
    if seen is not None and job.state.is_final:
        return Response(None, 204)
    if getattr(request.state, "head", False):
        answer = Response(None, 200, HEADERS)
        del answer.headers["Content-Length"]
        return answer
    return EventStream(site, job, seen, render)


class EventStream(Response):
    """Events on their way. It ends with the job, the reader or the server, whoever is first."""

    def __init__(self, site: Site, job: ExportJob, seen: tuple[int, JobState] | None, render: Render) -> None:
        super().__init__(None, 200, HEADERS)
        del self.headers["Content-Length"]
        self._site, self._job, self._seen, self._render = site, job, seen, render

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events until there are no more. A failure is left in the scope for the log, and cuts the connection."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_leave_with_reader, receive, tasks.cancel_scope)
            try:
                await self._tell_until_shutdown(send)
                await send({"type": "http.response.body", "body": b"", "more_body": False})
            except Exception as error:
                scope["state"]["failure"] = error
            tasks.cancel_scope.cancel()

    async def _tell_until_shutdown(self, send: Send) -> None:
        loop, runtime = asyncio.get_running_loop(), self._site.runtime
        with self._site.watches.follow(runtime, self._job) as watch, anyio.CancelScope() as telling:

            def wake() -> None:
                loop.call_soon_threadsafe(telling.cancel)

            detach = runtime.ending.attach(wake)
            try:
                await self._tell(watch, send)
            finally:
                detach()

    async def _tell(self, watch: Watch, send: Send) -> None:
        quiet_until = anyio.current_time() + HEARTBEAT_S
        while True:
            job, next_look = watch.see()
            event = self._deleted() if job is None else await self._news(job)
            if event is not None:
                await _send_part(send, event)
                quiet_until = anyio.current_time() + HEARTBEAT_S
            if job is None or job.state.is_final:
                return
            with anyio.CancelScope(deadline=quiet_until) as waiting:
                await next_look.wait()
            if waiting.cancelled_caught:
                await _send_part(send, KEEPALIVE_COMMENT)
                quiet_until = anyio.current_time() + HEARTBEAT_S

    async def _news(self, job: ExportJob) -> bytes | None:
        """The job as an event, if this reader has not seen it so."""
        shown = (job.revision, job.state_at(self._site.runtime.now()))
        if shown == self._seen:
            return None
        name = "progress" if self._seen is not None and self._seen[1] is shown[1] else "state"
        self._seen = shown
        data = await run_sync(self._render, job)  # it may ask the app database
        return format_sse_event(event=name, id=str(job.revision), data_str=to_json(data).decode())

    def _deleted(self) -> bytes:
        return format_sse_event(event="deleted", data_str=to_json({"id": self._job.id}).decode())


async def _send_part(send: Send, data: bytes) -> None:
    await send({"type": "http.response.body", "body": data, "more_body": True})


async def _leave_with_reader(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
