"""The demo served in this process, so that foreign clients' calls meet its data, its keys and its two tenants."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import pytest

from api.desk import run_turns, working
from offtake.app import build_runtime
from offtake.service.runtime import Runtime
from offtake.settings import load_settings
from sites import ListedQueue, Site, serve

if TYPE_CHECKING:
    from dialect.office import Office


@dataclass
class Clock:
    """The time it is, or what a test says; `at` None = the time it is."""

    at: datetime | None = None

    def __call__(self) -> datetime:
        return self.at or datetime.now(UTC)


@dataclass(frozen=True)
class Demo:
    """The served demo. `keys` are those of demo.json: admin, reader, none, globex. Jobs run when `run` is called."""

    runtime: Runtime
    clock: Clock
    client: httpx2.Client  # of its root; sends no key by itself
    keys: dict[str, str]
    tenant_uuid: str
    site: Site
    home: Path

    def run(self) -> None:
        """Run every job that waits, and what comes of it, until none does."""
        run_turns(self.runtime)


@contextmanager
def at_work(demo: Demo) -> Iterator[None]:
    """Jobs run by themselves, a moment after they were asked for, while the block runs."""
    with working(demo.runtime):
        yield


@contextmanager
def serve_home(home: Path) -> Iterator[Demo]:
    """A demo home, served while the block runs."""
    card = json.loads((home / "demo.json").read_text("utf-8"))
    clock = Clock()
    runtime = build_runtime(load_settings(home / "offtake.yaml"), with_jobs=True)
    runtime = replace(runtime, queue=ListedQueue(), now=clock)
    with serve(runtime) as site, httpx2.Client(base_url=site.url, timeout=60) as client:
        yield Demo(runtime, clock, client, card["keys"], card["tenant_uuid"], site, home)


@pytest.fixture(scope="session")
def served_demo(demo_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A copy of the demo home, served once a session."""
    home = tmp_path_factory.mktemp("served") / "demo"
    shutil.copytree(demo_home, home)
    with serve_home(home) as served:
        yield served


@pytest.fixture
def demo(served_demo: Demo) -> Iterator[Demo]:
    """The same at the time it is, with nothing in the queue. What tests make stays: give it names of your own."""
    queue = served_demo.runtime.queue
    assert isinstance(queue, ListedQueue)
    queue.turns.clear()
    yield served_demo
    served_demo.clock.at = None


@pytest.fixture
def office(demo: Demo) -> "Office":
    """Where Optimaite's configurations are kept, at noon of 27 May 2026."""
    from dialect.office import NOON, Office  # which knows what a demo is from here

    demo.clock.at = NOON
    return Office(demo)
