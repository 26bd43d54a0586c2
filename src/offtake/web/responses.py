"""Streams that end when their reader leaves, and reads that stop when nobody waits for them any more."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import anyio
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from offtake.errors import Cancelled
from offtake.model.attachment import content_disposition
from offtake.model.ports import Chunks, Stop
from offtake.service.downloads import Download
from offtake.web.metrics import Metrics
from offtake.web.site import Site, site_of

PULL_BYTES = 1 << 17  # one hop to a thread brings about this much; small chunks would make the hops the work
PULL_S = 0.2

Open = Callable[[Stop, Callable[[int], None]], Download]
T = TypeVar("T")


@dataclass(frozen=True)
class Opened:
    """A download whose first bytes are here. `whole` means there are no others; `stage` is what they are timed as."""

    download: Download
    first: bytes
    whole: bool
    timing: str = ""
    stage: str = "encode"


async def stream_response(request: Request, open_download: Open) -> Response:
    """The file as an answer, its first bytes pulled before the status line: a dead database is a 502, not a cut 200.

    Answers HEAD from the plan alone. When the client leaves, the read is stopped and closed at once; when the source
    fails half-way, the connection is cut and nothing of the error enters the file.
    """
    site, stop = site_of(request), Stop()
    if getattr(request.state, "head", False):
        download = await run_stoppable(request, lambda _: open_download(stop, lambda _: None), stop)
        return bodiless(_headers(download))
    opened = await run_stoppable(request, lambda _: _begin(site.metrics, open_download, stop), stop)
    headers = {**_headers(opened.download), "Server-Timing": opened.timing}
    return StreamedFile(site, opened, stop, headers)


def bodiless(headers: Mapping[str, str]) -> Response:
    """What HEAD gets in the place of a stream: its headers, and no word of how long it would be."""
    answer = Response(None, 200, headers)
    del answer.headers["Content-Length"]
    return answer


async def run_stoppable(request: Request, work: Callable[[Stop], T], stop: Stop | None = None) -> T:
    """Do the work in a thread; its `Stop` is set when the client leaves. Raises what the work raises."""
    site, stop = site_of(request), stop or Stop()
    results: list[T] = []
    failures: list[Exception] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_stop_early, request.receive, stop, site, lambda: bool(results or failures))
        try:
            results.append(await run_sync(work, stop, limiter=site.reads))
        except Exception as error:  # a task group would wrap it
            failures.append(error)
        tasks.cancel_scope.cancel()
    if failures:
        raise failures[0]
    return results[0]


class StreamedFile(Response):
    """An opened download on its way. Whatever happens, its read is closed at the end."""

    def __init__(self, site: Site, opened: Opened, stop: Stop, headers: Mapping[str, str], status: int = 200) -> None:
        super().__init__(None, status, headers)
        if opened.whole:
            self.headers["Content-Length"] = str(len(opened.first))
        elif "Content-Length" not in headers:
            del self.headers["Content-Length"]
        self._site, self._opened, self._stop = site, opened, stop
        self._finished = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send everything, or leave the body unfinished, which makes the server cut the connection."""
        loop = asyncio.get_running_loop()
        try:
            async with anyio.create_task_group() as tasks:

                def wake() -> None:
                    loop.call_soon_threadsafe(tasks.cancel_scope.cancel)

                # Whoever sets the stop also wakes a send that waits for a client who does not read.
                detach = self._stop.attach(wake)
                tasks.start_soon(_stop_early, receive, self._stop, self._site, lambda: self._finished)
                await self._deliver(scope, send)
                detach()
                tasks.cancel_scope.cancel()
        finally:
            if not self._finished:
                scope["state"].setdefault("failure", Cancelled("The client left, or its time was over."))
            with anyio.CancelScope(shield=True):
                await run_sync(self._opened.download.chunks.close, limiter=self._site.exits)

    async def _deliver(self, scope: Scope, send: Send) -> None:
        """Send the file. What goes wrong is left in the scope for the log, not in the body."""
        metrics, chunks = self._site.metrics, self._opened.download.chunks
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        data, ended = self._opened.first, self._opened.whole
        try:
            while True:
                began = time.perf_counter()
                await send({"type": "http.response.body", "body": data, "more_body": not ended})
                metrics.bytes_sent.inc(len(data))
                metrics.stages.labels("deliver").observe(time.perf_counter() - began)
                if ended:
                    self._finished = True
                    return
                began = time.perf_counter()
                data, ended = await run_sync(pull, chunks, limiter=self._site.reads)
                metrics.stages.labels(self._opened.stage).observe(time.perf_counter() - began)
        except Exception as error:
            scope["state"]["failure"] = error


def _begin(metrics: Metrics, open_download: Open, stop: Stop) -> Opened:
    began = time.perf_counter()
    download = open_download(stop, metrics.rows.inc)
    planned = time.perf_counter()
    first, whole = pull(download.chunks)
    read = time.perf_counter()
    metrics.stages.labels("plan").observe(planned - began)
    metrics.stages.labels("read").observe(read - planned)
    timing = f"plan;dur={(planned - began) * 1e3:.1f}, read;dur={(read - planned) * 1e3:.1f}"
    return Opened(download, first, whole, timing)


def pull(chunks: Chunks) -> tuple[bytes, bool]:
    """The next bytes, and whether they were the last."""
    parts: list[bytes] = []
    size, until = 0, time.monotonic() + PULL_S
    for chunk in chunks:
        parts.append(chunk)
        size += len(chunk)
        if size >= PULL_BYTES or time.monotonic() > until:
            return b"".join(parts), False
    return b"".join(parts), True


async def _stop_early(receive: Receive, stop: Stop, site: Site, is_done: Callable[[], bool]) -> None:
    """Set the stop when the client leaves, or the server shuts down, before the work is done."""
    try:
        while (await receive())["type"] != "http.disconnect":
            pass
    finally:
        if not is_done():
            with anyio.CancelScope(shield=True):
                await run_sync(stop.set, limiter=site.exits)


def _headers(download: Download) -> dict[str, str]:
    return {
        "Content-Type": download.media_type,
        "Content-Disposition": content_disposition(download.filename),
        "Cache-Control": "private, no-store",
    }
