"""Where tests hand in exports over HTTP: a served runtime whose jobs run when they are told to, at a time tests set."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx2

from offtake.appdb.jobs import find_job
from offtake.model.dataset import Field, FieldType, Mask
from offtake.model.ports import Stop, Turn
from offtake.service.runs import claim_run, run_attempt
from offtake.service.runtime import Runtime
from sites import NOW, NUMBERS, FakeSource, ListedQueue, Site, bearer, failing_after, few, make_key, make_runtime, serve

EXPORTS = "/api/v1/exports"
MASKED = replace(
    NUMBERS,
    name="masked",
    fields=(
        Field("n", FieldType.INTEGER, "n", "N"),
        Field("text", FieldType.STRING, "text", "Text", mask=Mask.LAST4, unless_scope="pii:read"),
    ),
)
BROKEN = replace(NUMBERS, name="broken", source="dead")
PAYROLL = replace(NUMBERS, name="payroll", scopes=frozenset({"payroll:read"}))


@dataclass
class Clock:
    """The time it is, until a test says otherwise."""

    at: datetime = NOW

    def __call__(self) -> datetime:
        return self.at


@dataclass(frozen=True)
class Desk:
    """One key's side of the service."""

    runtime: Runtime
    site: Site
    clock: Clock
    client: httpx2.Client  # one for all: each costs 30 ms
    headers: dict[str, str]

    def holding(self, *scopes: str, tenant: str = "acme") -> "Desk":
        """The same with a new key."""
        return replace(self, headers=bearer(make_key(self.runtime, *scopes, tenant=tenant)))

    def ask(self, method: str, path: str = "", **more: Any) -> httpx2.Response:
        """A request below `/exports`."""
        headers = self.headers | more.pop("headers", {})
        return self.client.request(method, f"{self.site.url}{EXPORTS}{path}", headers=headers, **more)

    def submit(self, **body: Any) -> dict[str, Any]:
        """A new export of `numbers`, accepted."""
        answer = self.ask("POST", json={"dataset": "numbers", **body})
        assert answer.status_code == 202, answer.text
        made: dict[str, Any] = answer.json()
        return made

    def own(self) -> "Desk":
        """One for a new test: with its own key, at the usual time, with nothing in the queue."""
        _queue(self.runtime).turns.clear()
        self.clock.at = NOW
        return self.holding("reports:read")

    def run(self) -> None:
        """Run every job that waits, and what comes of it, until none does."""
        run_turns(self.runtime)

    def finish(self, **body: Any) -> dict[str, Any]:
        """An export of `numbers` that has been run, as it is shown afterwards."""
        made = self.submit(**body)
        self.run()
        shown: dict[str, Any] = self.ask("GET", f"/{made['id']}").json()
        return shown


def run_turns(runtime: Runtime) -> None:
    """Run what is in the queue, in its order, until nothing is left but what recurs and whose time has not come."""
    queue = _queue(runtime)
    early: list[Turn] = []
    while queue.turns:
        turn = queue.turns.pop(0)
        known = find_job(runtime.appdb, turn.job_id)
        if known is not None and known.recurrence is not None and known.due_at > runtime.now():
            early.append(turn)
            continue
        job = claim_run(runtime, turn.job_id, turn.number)
        if job is not None:
            run_attempt(runtime, job, Stop())
    queue.turns.extend(early)


def _queue(runtime: Runtime) -> ListedQueue:
    assert isinstance(runtime.queue, ListedQueue)
    return runtime.queue


@contextmanager
def open_desk(
    home: Path, change: Callable[[Runtime], Runtime] = lambda runtime: runtime, *, database: str = ""
) -> Iterator[Desk]:
    """A desk with a key that may read reports; `change` has the last word on its runtime."""
    clock = Clock()
    sources = {"fake": FakeSource(few), "dead": FakeSource(failing_after(0))}
    runtime = change(make_runtime(home, sources, NUMBERS, MASKED, BROKEN, PAYROLL, now=clock, database=database))
    with serve(runtime) as site, httpx2.Client(timeout=30) as client:
        yield Desk(runtime, site, clock, client, {}).holding("reports:read")


def told(answer: httpx2.Response) -> tuple[int, str]:
    """Status and code of a refusal."""
    return answer.status_code, answer.json()["code"]


@contextmanager
def working(runtime: Runtime) -> Iterator[None]:
    """Somebody runs the jobs."""
    over = threading.Event()

    def work() -> None:
        while not over.wait(0.05):
            run_turns(runtime)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        yield
    finally:
        over.set()
        worker.join()
