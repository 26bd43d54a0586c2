"""What tests of pages share: a service whose time they set, and the pages as their reader has them."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from api.desk import BROKEN, MASKED, Clock
from offtake.appdb import snapshots as table
from offtake.errors import (
    OfftakeError,
)
from offtake.model.access import Principal
from offtake.model.export import ExportRequest
from offtake.model.ports import Chunks, Stop
from offtake.model.saved import Draft
from offtake.model.snapshot import Snapshot
from offtake.service.access import authenticate
from offtake.service.counters import Counters
from offtake.service.definitions import create_definition
from offtake.service.pages import (
    open_cursor,
    read_page,
    write_page,
)
from offtake.service.runtime import Runtime
from servers import Postgres
from sites import NUMBERS, FakeSource, batch, failing_after, make_key, make_runtime

ROWS = 2500
WRITER = frozenset({"reports:read", "reports:write"})
on_both = pytest.mark.parametrize("runtime", ["sqlite", "postgresql"], indirect=True)


def many(_: Stop) -> Any:
    for first in range(0, ROWS, 700):
        yield batch(first, min(700, ROWS - first), "row")


@contextmanager
def open_paged(request: pytest.FixtureRequest, home: Path) -> Iterator[Runtime]:
    """A service with its app database on SQLite, or where the test asks for it."""
    sources = {"fake": FakeSource(many), "dead": FakeSource(failing_after(1500))}
    with ExitStack() as stack:
        url = ""
        if getattr(request, "param", "sqlite") == "postgresql":
            server: Postgres = request.getfixturevalue("postgres")
            url = stack.enter_context(server.app_database())
        made = make_runtime(home, sources, NUMBERS, MASKED, BROKEN, now=Clock(), database=url)
        stack.callback(made.appdb.close)
        yield made


def principal(runtime: Runtime, *scopes: str, tenant: str = "acme") -> Principal:
    return authenticate(runtime, make_key(runtime, *(scopes or ("reports:read", "reports:write")), tenant=tenant))


def define(runtime: Runtime, who: Principal, request: ExportRequest | None = None) -> str:
    return create_definition(runtime, who, Draft("Mine", request or ExportRequest("numbers"))).id


def later(runtime: Runtime, **by: float) -> None:
    clock: Any = runtime.now
    clock.at += timedelta(**by)


def shown(runtime: Runtime, who: Principal, snapshot: Snapshot, position: int = 0) -> bytes:
    with closing(write_page(runtime, who, read_page(runtime, snapshot, position))) as chunks:
        return b"".join(chunks)


def walk(runtime: Runtime, who: Principal, definition: str, snapshot: Snapshot) -> list[dict[str, Any]]:
    """All rows, by the cursors."""
    page = json.loads(shown(runtime, who, snapshot))
    rows: list[dict[str, Any]] = page["data"]
    while page["next_cursor"] is not None:
        found, position = open_cursor(runtime, who, definition, page["next_cursor"])
        page = json.loads(shown(runtime, who, found, position))
        rows += page["data"]
    return rows


def files(runtime: Runtime) -> list[str]:
    return [file.name for file in runtime.store.list()]


def rows_left(runtime: Runtime) -> int:
    far = runtime.now() + timedelta(days=1)
    return len(table.expired_snapshots(runtime.appdb, far, 100))


def limited(runtime: Runtime, **limits: int) -> Runtime:
    given = replace(runtime.limits, **limits)  # type: ignore[arg-type]
    return replace(runtime, limits=given, counters=Counters(given))


@dataclass
class Refusing:
    """A store that takes some bytes and then refuses, or refuses to delete."""

    inner: Any
    error: OfftakeError | None = None
    after: int = 0
    before_commit: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def write(self, name: str, chunks: Chunks, **more: str) -> int:
        def some() -> Chunks:
            for number, chunk in enumerate(chunks):
                if self.error is not None and number >= self.after:
                    raise self.error
                yield chunk

        size: int = self.inner.write(name, some(), **more)
        if self.before_commit is not None:
            self.before_commit()
        return size


def is_held(runtime: Runtime, until: datetime) -> bool:
    """Whether no snapshot ends by then."""
    return not table.expired_snapshots(runtime.appdb, until, 9)
