"""A job's events on a wire: who hears what, how often the row is read, and how a stream ends."""

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import Response

from offtake.appdb import jobs as table
from offtake.model.access import Principal
from offtake.model.export import ExportRequest
from offtake.model.job import Artifact, ExportJob, Progress
from offtake.service.exports import Submission, cancel_export, delete_export, submit_export
from offtake.service.runtime import Runtime
from offtake.web.events import send_events
from sites import NOW, FakeSource, Site, few, make_runtime, wait_until
from web.files import serve_route

READER = Principal("reader", "acme", frozenset({"reports:read"}))
FILE = Artifact("a/b", "numbers.csv", "text/csv", 12, "00" * 32)


@dataclass
class Clock:
    """A clock that tests set."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


@dataclass(eq=False)
class Reads:
    """Counts the queries that read jobs."""

    count: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("SELECT") and "FROM jobs" in statement:
            with self.lock:
                self.count += 1


@dataclass(frozen=True)
class Served:
    """One job whose events are served."""

    site: Site
    runtime: Runtime
    job: ExportJob
    reads: Reads
    clock: Clock

    @property
    def url(self) -> str:
        """Where its events are."""
        return f"{self.site.url}/events/{self.job.id}"

    def claim(self) -> ExportJob:
        """A worker takes it."""
        job = table.claim_job(self.runtime.appdb, self.job.id, self.job.turn, NOW)
        assert job is not None
        return job

    def beat(self, job: ExportJob, rows: int) -> None:
        """The worker tells how far it has come."""
        assert table.beat_job(self.runtime.appdb, job, Progress(rows, rows * 10, 100), NOW)

    def commit(self, job: ExportJob) -> None:
        """The worker is done."""
        assert table.commit_job(self.runtime.appdb, job, FILE, rows=100, stages={}, now=NOW, expires_at=None)


def render(job: ExportJob) -> dict[str, Any]:
    """A job as JSON."""
    return {"id": job.id, "state": job.state, "rows": job.rows}


@contextmanager
def serve_job(home: Path, **how: Any) -> Iterator[Served]:
    """A small application with the events of one job."""
    clock, reads = Clock(), Reads()
    runtime = make_runtime(home, {"fake": FakeSource(few)}, now=clock)
    job = submit_export(runtime, READER, ExportRequest("numbers"), Submission(**how)).job
    sa.event.listen(runtime.appdb.engine, "after_cursor_execute", reads)

    async def answer(request: Request, job_id: str) -> Response:
        return await send_events(request, READER, job_id, render)

    try:
        with serve_route(runtime, "/events/{job_id}", answer) as (site, _):
            yield Served(site, runtime, job, reads, clock)
    finally:
        runtime.appdb.close()


@dataclass(frozen=True)
class Event:
    """One event as it arrived."""

    name: str
    id: str | None
    data: dict[str, Any]


class Listener:
    """A client that listens in a thread of its own."""

    def __init__(self, url: str, last_seen: str | None = None) -> None:
        self.events: list[Event] = []
        self.comments = 0
        self.ended = threading.Event()
        self.failure: Exception | None = None
        self._headers = {} if last_seen is None else {"Last-Event-ID": last_seen}
        self._url = url
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        try:
            with httpx2.stream("GET", self._url, headers=self._headers, timeout=30, verify=False) as answer:
                assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
                self._read(answer.iter_lines())
        except Exception as error:
            self.failure = error
        self.ended.set()

    def _read(self, lines: Iterator[str]) -> None:
        fields: dict[str, str] = {}
        for line in lines:
            if line.startswith(":"):
                self.comments += 1
            elif line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif fields:
                self.events.append(Event(fields["event"], fields.get("id"), json.loads(fields["data"])))
                fields = {}

    def told(self) -> list[tuple[str, Any]]:
        """What it heard: names with states."""
        return [(event.name, event.data.get("state")) for event in self.events]

    def wait_for(self, count: int, seconds: float = 5) -> None:
        """Wait until it heard so many events."""
        wait_until(lambda: len(self.events) >= count, seconds)
        assert len(self.events) == count


def test_every_change_is_told_until_the_job_ends(tmp_path: Path) -> None:
    with serve_job(tmp_path) as served:
        listener = Listener(served.url)
        listener.wait_for(1)
        attempt = served.claim()
        listener.wait_for(2)
        served.beat(attempt, 40)
        listener.wait_for(3)
        served.commit(attempt)
        assert listener.ended.wait(60)
    assert listener.failure is None
    assert listener.told() == [
        ("state", "queued"),
        ("state", "running"),
        ("progress", "running"),
        ("state", "succeeded"),
    ]
    assert [event.data["rows"] for event in listener.events] == [0, 0, 40, 100]
    assert [event.id for event in listener.events] == ["0", "1", "2", "3"]


def test_the_first_event_comes_at_once(tmp_path: Path) -> None:
    with serve_job(tmp_path) as served:
        httpx2.get(f"{served.site.url}/nothing")  # the server is warm

        def took() -> float:
            began = time.monotonic()
            Listener(served.url).wait_for(1)
            return time.monotonic() - began

        wait_until(lambda: took() < 0.9)  # the next look would be after 1 s


def test_an_ended_job_is_told_once(tmp_path: Path) -> None:
    with serve_job(tmp_path) as served:
        cancel_export(served.runtime, READER, served.job.id)
        answer = httpx2.get(served.url)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-accel-buffering"] == "no"
    data = json.dumps({"id": served.job.id, "state": "cancelled", "rows": 0}, separators=(",", ":"))
    assert answer.text == f"event: state\ndata: {data}\nid: 1\n\n"


def test_who_comes_back_is_told_only_what_is_newer(tmp_path: Path) -> None:
    with serve_job(tmp_path) as served:
        attempt = served.claim()
        missed, current, foreign = (Listener(served.url, last) for last in ("0", "1", "no number"))
        missed.wait_for(1)
        foreign.wait_for(1)
        time.sleep(0.3)
        assert current.events == []
        served.commit(attempt)
        assert all(each.ended.wait(60) for each in (missed, current, foreign))
    assert missed.told() == foreign.told() == [("state", "running"), ("state", "succeeded")]
    assert current.told() == [("state", "succeeded")]


def test_who_has_heard_the_end_is_told_not_to_come_again(tmp_path: Path) -> None:
    with serve_job(tmp_path) as served:
        cancel_export(served.runtime, READER, served.job.id)
        answer = httpx2.get(served.url, headers={"Last-Event-ID": "1"})
    assert (answer.status_code, answer.content) == (204, b"")


def test_a_scheduled_job_that_becomes_due_is_told_though_nobody_wrote_it_down(tmp_path: Path) -> None:
    with serve_job(tmp_path, start_at=NOW + timedelta(hours=1)) as served:
        listener = Listener(served.url)
        listener.wait_for(1)
        served.clock.now = NOW + timedelta(hours=2)
        listener.wait_for(2)
        again = Listener(served.url, "0")
        again.wait_for(1)
    assert [event.name for event in listener.events + again.events] == ["state"] * 3


def test_a_job_that_is_deleted_ends_its_stream(tmp_path: Path) -> None:
    with serve_job(tmp_path) as served:
        listener = Listener(served.url)
        listener.wait_for(1)
        delete_export(served.runtime, READER, served.job.id)
        assert listener.ended.wait(60)
        assert httpx2.get(served.url).status_code == 404
    assert listener.told()[-1] in [("deleted", None), ("state", "cancelled")]


def test_an_unknown_job_is_a_problem_document(tmp_path: Path) -> None:
    with serve_job(tmp_path) as served:
        answer = httpx2.get(f"{served.site.url}/events/{served.job.id[:-1]}z")
    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")


def test_head_has_headers_and_ends(tmp_path: Path) -> None:
    with serve_job(tmp_path) as served:
        answer = httpx2.head(served.url)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")


def test_two_hundred_listeners_cost_one_read_a_second(tmp_path: Path) -> None:
    with serve_job(tmp_path) as served:
        with ThreadPoolExecutor(50) as pool:
            listeners = list(pool.map(lambda _: Listener(served.url), range(200)))
        wait_until(lambda: all(each.events for each in listeners))
        assert served.reads.count >= 200  # each was let in by a look at the job
        before = served.reads.count
        time.sleep(3)
        assert 2 <= served.reads.count - before <= 4
        attempt = served.claim()
        wait_until(lambda: all(len(each.events) == 2 for each in listeners))
        served.commit(attempt)
        assert all(each.ended.wait(60) for each in listeners)
    assert {tuple(each.told()) for each in listeners} == {
        (("state", "queued"), ("state", "running"), ("state", "succeeded"))
    }


def test_listeners_that_leave_stop_the_reads(tmp_path: Path) -> None:
    with serve_job(tmp_path) as served:
        with served.site.connect() as connection:
            connection.sendall(f"GET /events/{served.job.id} HTTP/1.1\r\nHost: test\r\n\r\n".encode())
            wait_until(lambda: served.reads.count >= 2)
        wait_until(lambda: '"event": "request"' in served.site.log.getvalue())
        before = served.reads.count
        time.sleep(1.5)
        assert served.reads.count == before
        assert "cut" not in served.site.log.getvalue()  # leaving is how listening ends


def test_a_database_that_is_away_for_a_while_is_waited_for(tmp_path: Path) -> None:
    with serve_job(tmp_path) as served:
        listener = Listener(served.url)
        listener.wait_for(1)

        def refuse(*_: Any) -> None:
            raise sa.exc.OperationalError("SELECT", {}, Exception("away"))

        sa.event.listen(served.runtime.appdb.engine, "before_cursor_execute", refuse)
        time.sleep(2.2)
        assert not listener.ended.is_set()
        sa.event.remove(served.runtime.appdb.engine, "before_cursor_execute", refuse)
        served.claim()
        listener.wait_for(2)


def test_a_bug_ends_the_stream_and_is_logged(tmp_path: Path) -> None:
    with serve_job(tmp_path) as served:
        listener = Listener(served.url)
        listener.wait_for(1)

        def break_down(*_: Any) -> None:
            raise ValueError("s3cret")

        sa.event.listen(served.runtime.appdb.engine, "before_cursor_execute", break_down)
        assert listener.ended.wait(60)
        sa.event.remove(served.runtime.appdb.engine, "before_cursor_execute", break_down)
        wait_until(lambda: '"event": "bug"' in served.site.log.getvalue())
        assert "s3cret" not in served.site.log.getvalue()
        again = Listener(served.url)
        again.wait_for(1)
        served.claim()
        again.wait_for(2)
    assert isinstance(listener.failure, httpx2.RemoteProtocolError)


def test_a_server_that_ends_lets_its_listeners_go(tmp_path: Path) -> None:
    with serve_job(tmp_path) as served:
        listeners = [Listener(served.url) for _ in range(20)]
        wait_until(lambda: all(each.events for each in listeners))
        served.runtime.ending.set()
        assert all(each.ended.wait(60) for each in listeners)
    assert [each.failure for each in listeners] == [None] * 20  # each stream ended whole


@pytest.mark.slow
def test_a_quiet_stream_has_a_heartbeat(tmp_path: Path) -> None:
    with serve_job(tmp_path) as served:
        listener = Listener(served.url)
        assert wait_until(lambda: listener.comments == 1) > 14
        assert wait_until(lambda: listener.comments == 2) > 10
        assert len(listener.events) == 1
