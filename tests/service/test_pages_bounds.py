"""What pages may cost, what is left when they fail, and what takes them away in the end."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from offtake.appdb import snapshots as table
from offtake.errors import (
    Cancelled,
    Conflict,
    InvalidRequest,
    OfftakeError,
    RateLimited,
    RowLimitExceeded,
    SourceFailed,
    StoreFailed,
    StoreFull,
    Unavailable,
)
from offtake.model.export import ExportRequest
from offtake.model.limits import Limits
from offtake.model.ports import Stop
from offtake.model.saved import Draft
from offtake.service.definitions import create_definition, find_definition
from offtake.service.pages import (
    BEAT_S,
    HELD_FOR,
    open_cursor,
    open_snapshot,
    seal_position,
)
from offtake.service.runtime import Runtime
from offtake.service.sweep import SPOOLS_KEPT, Swept, sweep, sweep_snapshots
from service import shaped
from service.paged import (
    ROWS,
    WRITER,
    Refusing,
    define,
    files,
    is_held,
    later,
    limited,
    on_both,
    open_paged,
    principal,
    rows_left,
    shown,
)
from sites import FakeSource, batch, endless, failing_after, make_runtime, wait_until


@pytest.fixture
def runtime(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Runtime]:
    with open_paged(request, tmp_path) as made:
        yield made


@pytest.mark.parametrize("after", [0, 1, 3])
@pytest.mark.parametrize("error", [StoreFailed("Broken."), StoreFull("Full.")])
def test_a_store_that_fails_in_the_middle_leaves_nothing(runtime: Runtime, error: OfftakeError, after: int) -> None:
    who = principal(runtime)
    definition = define(runtime, who)
    store: Any = Refusing(runtime.store, error, after)
    with pytest.raises(type(error)):
        open_snapshot(replace(runtime, store=store), who, definition, stop=Stop())
    assert (files(runtime), rows_left(runtime)) == ([], 0)


def test_a_source_that_fails_in_the_middle_leaves_nothing(runtime: Runtime) -> None:
    who = principal(runtime)
    definition = define(runtime, who, ExportRequest("broken"))
    with pytest.raises(SourceFailed):
        open_snapshot(runtime, who, definition, stop=Stop())
    assert (files(runtime), rows_left(runtime)) == ([], 0)


@on_both
def test_whoever_leaves_while_it_is_read_leaves_nothing(runtime: Runtime) -> None:
    source: Any = runtime.sources["fake"]
    source.batches = endless
    who, stop = principal(runtime), Stop()
    definition = define(runtime, who)
    threading.Timer(0.3, stop.set).start()
    with pytest.raises(Cancelled):
        open_snapshot(runtime, who, definition, stop=stop)
    assert source.closed.wait(60)
    assert (files(runtime), rows_left(runtime)) == ([], 0)


@on_both
def test_a_snapshot_taken_for_dead_is_not_committed(runtime: Runtime) -> None:
    who = principal(runtime)
    definition = define(runtime, who)

    def sweep_it() -> None:
        later(runtime, seconds=HELD_FOR.total_seconds() + SPOOLS_KEPT.total_seconds())
        assert sweep_snapshots(runtime) == 1

    store: Any = Refusing(runtime.store, before_commit=sweep_it)
    with pytest.raises(Unavailable):
        open_snapshot(replace(runtime, store=store), who, definition, stop=Stop())
    assert (files(runtime), rows_left(runtime)) == ([], 0)


@pytest.mark.slow
def test_a_long_read_is_not_taken_for_dead(runtime: Runtime) -> None:
    source: Any = runtime.sources["fake"]
    read_on = threading.Event()

    def slow(_: Stop) -> Any:
        yield batch(0, 10)
        read_on.wait(60)
        yield batch(10, 10)

    source.batches = slow
    who = principal(runtime)
    definition = define(runtime, who)
    with ThreadPoolExecutor(1) as pool:
        opened = pool.submit(open_snapshot, runtime, who, definition, stop=Stop())
        try:
            wait_until(lambda: rows_left(runtime) == 1)
            for _ in range(2):
                later(runtime, seconds=50)
                soon = runtime.now() + timedelta(seconds=50)
                wait_until(partial(is_held, runtime, soon), 2 * BEAT_S)
            later(runtime, seconds=50)
            assert sweep_snapshots(runtime) == 0
        finally:
            read_on.set()
        assert opened.result().spool is not None


def test_a_combined_definition_has_no_pages(runtime: Runtime) -> None:
    who = principal(runtime)
    member = define(runtime, who)
    combined = create_definition(runtime, who, Draft("All", ExportRequest(""), members=(member,))).id
    with pytest.raises(Conflict):
        open_snapshot(runtime, who, combined, stop=Stop())


def test_row_limits_are_those_of_a_download(tmp_path: Path) -> None:
    limited = replace(shaped.ORDERS, row_limit=4)
    with shaped.runtime_over(shaped.fill_sqlite(tmp_path / "o.db"), tmp_path, limited, *shaped.DATASETS[1:]) as runtime:
        who = replace(shaped.READER, scopes=WRITER)
        definition = define(runtime, who, ExportRequest("orders"))
        with pytest.raises(RowLimitExceeded):
            open_snapshot(runtime, who, definition, stop=Stop())
        assert (files(runtime), rows_left(runtime)) == ([], 0)


@pytest.mark.parametrize(("size", "alive"), [(10_001, 60), (100, 9), (100, 86_401), (-1, 60)])
def test_sizes_and_times_have_bounds(runtime: Runtime, size: int, alive: int) -> None:
    who = principal(runtime)
    definition = define(runtime, who)
    with pytest.raises(InvalidRequest):
        open_snapshot(runtime, who, definition, page_size=size, keep_alive_s=alive, stop=Stop())


@on_both
def test_a_tenant_has_so_many_snapshots_open(runtime: Runtime) -> None:
    few_open = limited(runtime, snapshots_per_tenant=3)
    who, globex = principal(runtime), principal(runtime, tenant="globex")
    definition, theirs = define(runtime, who), define(runtime, globex)
    for _ in range(3):
        open_snapshot(few_open, who, definition, page_size=10, stop=Stop())
    with pytest.raises(RateLimited, match="snapshots_per_tenant") as told:
        open_snapshot(few_open, who, definition, page_size=10, stop=Stop())
    assert told.value.extra["retry_after_s"] == 121
    open_snapshot(few_open, globex, theirs, page_size=10, stop=Stop())
    later(runtime, seconds=122)
    open_snapshot(few_open, who, definition, page_size=10, stop=Stop())


def test_results_of_one_page_do_not_count(runtime: Runtime) -> None:
    few_open = limited(runtime, snapshots_per_tenant=2)
    who = principal(runtime)
    definition = define(runtime, who)
    for _ in range(6):
        open_snapshot(few_open, who, definition, page_size=ROWS, stop=Stop())


@on_both
def test_the_limit_holds_for_requests_at_once(runtime: Runtime) -> None:
    few_open = limited(runtime, snapshots_per_tenant=3, downloads_per_key=0)
    who = principal(runtime)
    definition = define(runtime, who)

    def attempt(_: int) -> bool:
        try:
            open_snapshot(few_open, who, definition, page_size=10, stop=Stop())
        except RateLimited:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(8))) == 3
    assert len(files(runtime)) == rows_left(runtime) == 3


@on_both
def test_a_tenants_snapshots_hold_so_many_bytes(runtime: Runtime) -> None:
    who = principal(runtime)
    definition = define(runtime, who)
    size = open_snapshot(runtime, who, definition, page_size=10, stop=Stop()).spool
    assert size is not None
    narrow = limited(runtime, snapshot_bytes_per_tenant=size.bytes * 2 + 10)
    open_snapshot(narrow, who, definition, page_size=10, stop=Stop())
    with pytest.raises(RateLimited, match="snapshot_bytes_per_tenant"):
        open_snapshot(narrow, who, definition, page_size=10, stop=Stop())
    globex = principal(runtime, tenant="globex")
    theirs = define(runtime, globex)
    with pytest.raises(InvalidRequest, match="snapshot_bytes_per_tenant"):
        open_snapshot(limited(runtime, snapshot_bytes_per_tenant=100), globex, theirs, stop=Stop())
    assert len(files(runtime)) == rows_left(runtime) == 2


def test_pages_count_for_the_day(runtime: Runtime) -> None:
    who = principal(runtime)
    definition = define(runtime, who)
    counting = limited(runtime, bytes_per_day=2000)
    snapshot = open_snapshot(counting, who, definition, page_size=100, stop=Stop())
    shown(counting, who, snapshot)
    with pytest.raises(RateLimited):
        open_cursor(counting, who, definition, seal_position(counting, snapshot, 100))
    with pytest.raises(RateLimited):
        open_snapshot(counting, who, definition, stop=Stop())


def test_opening_a_snapshot_is_an_execution(runtime: Runtime) -> None:
    who = principal(runtime)
    definition = define(runtime, who)
    open_snapshot(runtime, who, definition, stop=Stop())
    assert find_definition(runtime, who, definition).last_executed_at == runtime.now()


def test_the_sweep_takes_what_had_its_time_and_leaves_the_rest(runtime: Runtime) -> None:
    who = principal(runtime)
    definition = define(runtime, who)
    short = open_snapshot(runtime, who, definition, keep_alive_s=10, stop=Stop())
    long = open_snapshot(runtime, who, definition, keep_alive_s=3600, stop=Stop())
    assert short.spool is not None
    assert long.spool is not None
    aged = -timedelta(days=400)  # the files are of today, the clock is of tests
    assert sweep(runtime, grace=aged) == Swept()
    later(runtime, seconds=12 + SPOOLS_KEPT.total_seconds())
    assert sweep(runtime, grace=aged) == Swept(snapshots=1)
    assert files(runtime) == [long.spool.name]
    assert json.loads(shown(runtime, who, long))["total"] == ROWS


@on_both
def test_the_sweep_takes_what_dead_writers_left(runtime: Runtime) -> None:
    who = principal(runtime)
    definition = define(runtime, who)
    alive = open_snapshot(runtime, who, definition, keep_alive_s=3600, stop=Stop())
    dead = replace(alive, id="00000000-0000-7000-8000-00000000dead", spool=None, expires_at=runtime.now())
    table.insert_snapshot(runtime.appdb, dead, runtime.now(), lambda _: None)
    names = [f"snapshots/{dead.id}/1-00ff", "snapshots/00000000-0000-7000-8000-000000000bad/1-00ff"]
    names += [f"snapshots/{alive.id}/1-00ff", f"snapshots/{alive.id}/notes.txt"]
    for name in names:
        runtime.store.write(name, iter([b"half a truth"]))
    assert sweep(runtime, grace=-timedelta(days=400)) == Swept(orphans=2)
    later(runtime, seconds=1 + SPOOLS_KEPT.total_seconds())
    assert sweep(runtime, grace=-timedelta(days=400)) == Swept(snapshots=1)
    assert alive.spool is not None
    assert set(files(runtime)) == {alive.spool.name, names[3]}


def test_a_download_of_another_runtime_reads_the_same_pages(runtime: Runtime, tmp_path: Path) -> None:
    who = principal(runtime)
    definition = define(runtime, who)
    snapshot = open_snapshot(runtime, who, definition, page_size=100, stop=Stop())
    cursor = seal_position(runtime, snapshot, 200)
    url = runtime.appdb.engine.url.render_as_string(hide_password=False)
    replica = make_runtime(tmp_path, {"fake": FakeSource(failing_after(0))}, database=url, now=runtime.now)
    found, position = open_cursor(replica, who, definition, cursor)
    assert shown(replica, who, found, position) == shown(runtime, who, snapshot, 200)
    replica.appdb.close()


def test_no_limits_are_no_limits(runtime: Runtime) -> None:
    free = limited(runtime, snapshots_per_tenant=0, snapshot_bytes_per_tenant=0)
    assert free.limits == Limits(snapshots_per_tenant=0, snapshot_bytes_per_tenant=0)
    who = principal(runtime)
    definition = define(runtime, who)
    for _ in range(22):
        open_snapshot(free, who, definition, page_size=10, stop=Stop())
