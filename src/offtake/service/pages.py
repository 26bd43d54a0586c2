"""Pages over a snapshot: a definition's result is read once and kept in the store, its pages are given from there.

`open_snapshot` or `find_snapshot`, then `read_page`: a foreign API may put its own cursor around these three.
"""

import math
import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from offtake.appdb import snapshots as table
from offtake.appdb.definitions import touch_definition
from offtake.appdb.snapshots import Holdings
from offtake.encode import parse_options
from offtake.encode.json import JsonOptions, encode_objects
from offtake.encode.members import dumps, instant_text
from offtake.encode.records import encode_records
from offtake.engine.pages import Tally, read_rows, spool_chunks
from offtake.engine.records import complete_records
from offtake.errors import (
    Expired,
    InsufficientScope,
    InvalidCursor,
    InvalidRequest,
    RateLimited,
    StoreFailed,
    StoreFull,
    Unavailable,
)
from offtake.model.access import Principal
from offtake.model.export import Plan
from offtake.model.ids import new_id
from offtake.model.ports import Chunks, RowStream, Source, Stop
from offtake.model.records import RecordStyle
from offtake.model.snapshot import Snapshot, Spool
from offtake.service.access import LOCAL
from offtake.service.datasets import plan_request, read_slot
from offtake.service.definitions import find_definition, naming_dataset, runnable_request
from offtake.service.downloads import deadline, find_format
from offtake.service.exports import needs_of
from offtake.service.runtime import Runtime
from offtake.service.signing import seal_cursor, unseal_cursor
from offtake.service.trail import current_trail

PAGE_SIZES = range(1, 10_001)
KEEP_ALIVE_S = range(10, 86_401)
USUAL_SIZE, USUAL_KEEP_ALIVE_S = 1000, 120
FOLDER = "snapshots"
BEAT_S = 10.0
HELD_FOR = timedelta(seconds=60)  # without a beat, whoever was writing the spool is dead
RENEWED_EVERY = timedelta(seconds=1)  # and so much longer than promised a snapshot may live


@dataclass(frozen=True)
class Page:
    """The rows from `position` on, `size` of them, of `total`. `following` is where the next page begins, if any does.

    Nothing but its columns was read yet: whoever has the page closes its `rows`.
    """

    snapshot: Snapshot
    position: int
    size: int
    total: int
    following: int | None
    rows: RowStream
    options: JsonOptions


def open_snapshot(
    runtime: Runtime,
    principal: Principal,
    definition_id: str,
    *,
    page_size: int = USUAL_SIZE,
    keep_alive_s: int = USUAL_KEEP_ALIVE_S,
    names_of: Sequence[str] = (),
    stop: Stop,
) -> Snapshot:
    """Read the definition's result into the store, as a download by the same principal would read it.

    A page size of 0 is for those who only want its total. `names_of` are json columns of which the spool is to know
    the names in their objects. Raises what a download raises, InvalidRequest or RateLimited where the tenant may not
    have one more, StoreFailed, Unavailable, Cancelled. Whatever goes wrong, nothing is left.
    """
    definition = find_definition(runtime, principal, definition_id)
    if page_size:
        _check_range("limit", page_size, PAGE_SIZES)
    _check_range("keep_alive_s", keep_alive_s, KEEP_ALIVE_S)
    request = runnable_request(definition)
    options = parse_options(find_format(runtime, request.format), request.options)
    with naming_dataset(runtime, request):
        source, plan = plan_request(runtime, principal, request)
    if principal.id != LOCAL:
        runtime.counters.check_day(principal)
    now = runtime.now()
    snapshot = Snapshot(
        id=new_id(),
        tenant=definition.tenant,
        principal_id=principal.id,
        definition_id=definition.id,
        page_size=page_size,
        keep_alive_s=keep_alive_s,
        needs=needs_of(plan, principal),
        created_at=now,
        expires_at=now + HELD_FOR,
    )
    shown = JsonOptions(formatted=getattr(options, "formatted", False), date_style=getattr(options, "date_style", None))
    held = table.insert_snapshot(runtime.appdb, snapshot, now, partial(_check_number, runtime))
    return _fill(runtime, principal, snapshot, _Reading(source, plan, shown, names_of, held), stop)


def find_snapshot(
    runtime: Runtime,
    principal: Principal,
    definition_id: str,
    snapshot_id: str,
    *,
    keep_alive_s: int | None = None,
) -> Snapshot:
    """The principal's snapshot of that definition, which then lives on for its time, or for another from now on.

    Raises NotFound if the definition is gone, InvalidCursor if the snapshot is somebody else's or of another
    definition, InsufficientScope if the principal may no longer see all that is in it, Expired.
    """
    find_definition(runtime, principal, definition_id)
    if keep_alive_s is not None:
        _check_range("keep_alive_s", keep_alive_s, KEEP_ALIVE_S)
    found = table.find_snapshot(runtime.appdb, snapshot_id)
    if found is None or found.spool is None or found.expires_at <= runtime.now():
        raise _expired()
    if (found.principal_id, found.definition_id) != (principal.id, definition_id):
        raise InvalidCursor("This snapshot is not yours.", hint="Ask for the first page yourself.", pointer="/cursor")
    missing = sorted(found.needs - principal.scopes)
    if missing and principal.id != LOCAL:
        raise InsufficientScope(
            f"These pages need the scope {missing[0]}.", hint=f"Ask for a key with {', '.join(missing)}."
        )
    return _renew(runtime, found, keep_alive_s or found.keep_alive_s)


def read_page(runtime: Runtime, snapshot: Snapshot, position: int) -> Page:
    """The page that begins with that row, counted from 0; the same rows for as long as the snapshot lives.

    Beyond the last row there are none. Raises Expired, StoreFailed.
    """
    spool = _spool_of(snapshot)
    end = min(position + snapshot.page_size, spool.rows)
    rows, options = read_rows(runtime.store, spool, position, end)
    following = end if end < spool.rows else None
    return Page(snapshot, position, max(0, end - position), spool.rows, following, rows, options)


def write_page(runtime: Runtime, principal: Principal, page: Page) -> Chunks:
    """`{data, total, next_cursor, snapshot_at}`, one row a line. Raises StoreFailed, Expired on the way."""
    cursor = None if page.following is None else seal_position(runtime, page.snapshot, page.following)
    last = {"total": page.total, "next_cursor": cursor, "snapshot_at": instant_text(page.rows.snapshot_at)}
    tail = b"\n]," + dumps(last)[1:] + b"\n"
    return _counted(runtime, principal, page, encode_objects(page.rows, page.options, b'{"data":[', tail))


def write_records(
    runtime: Runtime, principal: Principal, page: Page, style: RecordStyle, head: bytes, tail: bytes
) -> Chunks:
    """The page's rows as records, with commas between them, after the head and before the tail.

    Its snapshot was opened to know the names of the style's `objects`. Raises what `write_page` raises.
    """
    rows = complete_records(page.rows, style, _spool_of(page.snapshot).names)
    return _counted(runtime, principal, page, encode_records(rows, head, tail))


def _counted(runtime: Runtime, principal: Principal, page: Page, chunks: Chunks) -> Chunks:
    """The chunks; whoever takes the first has had the page's rows."""
    current_trail().count_rows(page.size)
    with closing(chunks):
        for chunk in chunks:
            runtime.counters.count_bytes(principal, len(chunk))
            yield chunk


def seal_position(runtime: Runtime, snapshot: Snapshot, position: int, *, kind: str = "pages") -> str:
    """The cursor of the page that begins there, for the snapshot's principal alone, and for pages of that kind."""
    place = f"{snapshot.id}:{snapshot.page_size}:{position}"
    return seal_cursor(runtime, place, kind, snapshot.principal_id, snapshot.definition_id)


def open_cursor(
    runtime: Runtime,
    principal: Principal,
    definition_id: str,
    cursor: str,
    *,
    page_size: int | None = None,
    keep_alive_s: int | None = None,
    kind: str = "pages",
) -> tuple[Snapshot, int]:
    """The snapshot and the position that the cursor stands for. Raises InvalidCursor, and what `find_snapshot` raises.

    A page size, if one is given, must be the one that the snapshot was opened with.
    """
    place = unseal_cursor(runtime, cursor, kind, principal.id, definition_id)
    snapshot_id, size, position = place.split(":")
    if page_size not in (None, int(size)):
        raise InvalidCursor(
            f"This cursor is one of pages of {size} rows.",
            hint="Leave limit out, or repeat the first.",
            pointer="/limit",
        )
    if principal.id != LOCAL:
        runtime.counters.check_day(principal)
    found = find_snapshot(runtime, principal, definition_id, snapshot_id, keep_alive_s=keep_alive_s)
    return found, int(position)


@dataclass(frozen=True)
class _Reading:
    """What goes into a spool, and what the tenant held before it."""

    source: Source
    plan: Plan
    options: JsonOptions
    names_of: Sequence[str]
    held: Holdings


def _fill(runtime: Runtime, principal: Principal, snapshot: Snapshot, reading: _Reading, stop: Stop) -> Snapshot:
    """The snapshot with its spool, committed; or nothing at all."""
    name = f"{FOLDER}/{snapshot.id}/1-{secrets.token_hex(8)}"
    keep = False
    try:
        spool = _write_spool(runtime, principal, snapshot, reading, name, stop)
        stop.check()
        touch_definition(runtime.appdb, snapshot.definition_id, runtime.now())
        now = runtime.now()
        done = replace(snapshot, spool=spool, expires_at=_lives_until(runtime, snapshot.keep_alive_s))
        keep = table.commit_snapshot(runtime.appdb, done, spool, now, partial(_check_size, runtime, spool.bytes))
        if not keep:
            raise Unavailable("The app database lost sight of this snapshot.", hint="Ask for the first page again.")
    finally:
        if not keep:
            with suppress(StoreFailed, StoreFull, Unavailable):  # the sweep will find it
                runtime.store.delete([name])
                table.delete_snapshot(runtime.appdb, snapshot.id)
    return done


def _write_spool(
    runtime: Runtime, principal: Principal, snapshot: Snapshot, reading: _Reading, name: str, stop: Stop
) -> Spool:
    tally = Tally()
    is_local = principal.id == LOCAL
    chunks = spool_chunks(
        reading.source,
        reading.plan,
        reading.options,
        tally,
        page_size=snapshot.page_size,
        stop=stop,
        on_rows=None if is_local else partial(runtime.counters.count_rows, principal),
        names_of=reading.names_of,
    )
    with (
        read_slot(runtime, principal),
        nullcontext() if is_local else deadline(runtime.limits.download_s, stop, "read"),
        _beating(runtime, snapshot, tally),
    ):
        runtime.store.write(name, _within(runtime, chunks, tally, reading.held))
    return tally.spool(name)


def _within(runtime: Runtime, chunks: Chunks, tally: Tally, held: Holdings) -> Chunks:
    """The chunks, as long as there is room for them."""
    try:
        for chunk in chunks:
            _check_size(runtime, tally.bytes, held)
            yield chunk
    finally:
        chunks.close()


@contextmanager
def _beating(runtime: Runtime, snapshot: Snapshot, tally: Tally) -> Iterator[None]:
    """Now and then, say that the spool is being written, so that nobody takes it for what a dead process left."""
    over = threading.Event()

    def beat() -> None:
        while not over.wait(BEAT_S):
            with suppress(Unavailable):  # if nobody was to be told for too long, there is nothing to commit
                table.hold_snapshot(runtime.appdb, snapshot.id, tally.bytes, runtime.now() + HELD_FOR)

    thread = threading.Thread(target=beat, name="spool-beat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _renew(runtime: Runtime, snapshot: Snapshot, keep_alive_s: int) -> Snapshot:
    """Let it live on from now. Two requests within a second cost the database one update."""
    now = runtime.now()
    renewed = replace(snapshot, keep_alive_s=keep_alive_s, expires_at=_lives_until(runtime, keep_alive_s))
    if keep_alive_s == snapshot.keep_alive_s and renewed.expires_at - snapshot.expires_at < RENEWED_EVERY:
        return snapshot
    if not table.renew_snapshot(runtime.appdb, renewed, now):
        raise _expired()
    return renewed


def _lives_until(runtime: Runtime, keep_alive_s: int) -> datetime:
    return runtime.now() + timedelta(seconds=keep_alive_s) + RENEWED_EVERY


def _spool_of(snapshot: Snapshot) -> Spool:
    assert snapshot.spool is not None, "only what was committed is handed out"
    return snapshot.spool


def _expired() -> Expired:
    return Expired(
        "This snapshot had its time.", hint="Ask for the first page again; keep_alive_s keeps it for longer."
    )


def _check_range(name: str, given: int, allowed: range) -> None:
    if given not in allowed:
        raise InvalidRequest(
            f"{name} is not from {allowed[0]} to {allowed[-1]}.", hint="Leave it out.", pointer=f"/{name}"
        )


def _check_number(runtime: Runtime, held: Holdings) -> None:
    most = runtime.limits.snapshots_per_tenant
    if most and held.open >= most:
        raise _too_many(runtime, held, f"{most} snapshots open", "snapshots_per_tenant")


def _check_size(runtime: Runtime, size: int, held: Holdings) -> None:
    most = runtime.limits.snapshot_bytes_per_tenant
    if not most or held.bytes + size <= most:
        return
    if size > most:
        raise InvalidRequest(
            f"The result has more than the {most} bytes that limits.snapshot_bytes_per_tenant lets snapshots hold.",
            hint="Ask for fewer rows or fields, or download it.",
        )
    raise _too_many(runtime, held, f"{most} bytes in snapshots", "snapshot_bytes_per_tenant")


def _too_many(runtime: Runtime, held: Holdings, what: str, limit: str) -> RateLimited:
    wait_s = 1 if held.next_end is None else max(1, math.ceil((held.next_end - runtime.now()).total_seconds()))
    return RateLimited(
        f"This tenant has {what}, as many as limits.{limit} lets it.",
        hint=f"One of them ends in {wait_s} seconds unless it is used.",
        extra={"retry_after_s": wait_s},
    )
