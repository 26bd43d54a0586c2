"""Pages over a snapshot: the rows of a download, once for all, for one principal, for as long as somebody asks."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from offtake.errors import (
    Expired,
    InsufficientScope,
    InvalidCursor,
    NotFound,
)
from offtake.model.access import Secret
from offtake.model.dataset import Sort
from offtake.model.export import ExportRequest, FieldChoice, Measure, MeasureFn
from offtake.model.ports import Stop
from offtake.service.definitions import delete_definition
from offtake.service.downloads import open_download
from offtake.service.pages import (
    find_snapshot,
    open_cursor,
    open_snapshot,
    seal_position,
)
from offtake.service.runtime import Runtime
from service import shaped
from service.paged import (
    ROWS,
    WRITER,
    define,
    later,
    on_both,
    open_paged,
    principal,
    shown,
    walk,
)
from sites import few


@pytest.fixture
def runtime(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Runtime]:
    with open_paged(request, tmp_path) as made:
        yield made


@on_both
def test_the_pages_together_are_the_download(runtime: Runtime) -> None:
    who = principal(runtime)
    definition = define(runtime, who)
    for size in (7 * 100, 1000, 2500, 10_000):
        snapshot = open_snapshot(runtime, who, definition, page_size=size, stop=Stop())
        assert [row["n"] for row in walk(runtime, who, definition, snapshot)] == list(range(ROWS))


def test_a_page_says_how_many_rows_there_are_and_when_they_were(runtime: Runtime) -> None:
    who = principal(runtime)
    snapshot = open_snapshot(runtime, who, define(runtime, who), page_size=2000, stop=Stop())
    first, last = (json.loads(shown(runtime, who, snapshot, at)) for at in (0, 2000))
    assert [len(page["data"]) for page in (first, last)] == [2000, 500]
    assert [page["total"] for page in (first, last)] == [ROWS, ROWS]
    assert last["next_cursor"] is None
    assert first["snapshot_at"] == "2026-05-17T12:30:00Z"


def test_a_page_read_again_has_the_same_bytes(runtime: Runtime) -> None:
    who = principal(runtime)
    snapshot = open_snapshot(runtime, who, define(runtime, who), page_size=600, stop=Stop())
    before = [shown(runtime, who, snapshot, at) for at in range(0, ROWS, 600)]
    source: Any = runtime.sources["fake"]
    source.batches = few
    assert [shown(runtime, who, snapshot, at) for at in range(0, ROWS, 600)] == before
    assert source.reads == 1


def test_beyond_the_last_row_there_is_nothing(runtime: Runtime) -> None:
    who = principal(runtime)
    snapshot = open_snapshot(runtime, who, define(runtime, who), stop=Stop())
    for position in (ROWS, ROWS + 12_345):
        page = json.loads(shown(runtime, who, snapshot, position))
        assert (page["data"], page["total"], page["next_cursor"]) == ([], ROWS, None)


def test_a_result_without_rows_is_one_empty_page(runtime: Runtime) -> None:
    source: Any = runtime.sources["fake"]
    source.batches = lambda _: iter(())
    who = principal(runtime)
    snapshot = open_snapshot(runtime, who, define(runtime, who), stop=Stop())
    page = json.loads(shown(runtime, who, snapshot))
    assert (page["data"], page["total"], page["next_cursor"]) == ([], 0, None)


CELLS = [
    ExportRequest("orders", "json", sort=(Sort("id"),)),
    ExportRequest("orders", "csv", locale="es-CL", timezone="America/Santiago"),
    ExportRequest("orders", "json", locale="de-DE", timezone="Europe/Berlin", options={"formatted": True}),
    ExportRequest("orders", "ndjson", locale="en-US", options={"formatted": "true", "date_style": "long"}),
    ExportRequest("orders", "json", expand="items"),
    ExportRequest("orders", "json", include_all_custom_fields=True),
    ExportRequest("orders", "json", schema=shaped.INVOICES, expand="lines"),
    ExportRequest("orders", "json", fields=(FieldChoice("info/when", "When"), FieldChoice("veiled")), limit=3),
]


@pytest.mark.parametrize("wish", CELLS, ids=range(len(CELLS)))
def test_cells_are_those_of_the_json_format(tmp_path: Path, wish: ExportRequest) -> None:
    who = replace(shaped.READER, scopes=WRITER)
    with shaped.runtime_over(shaped.fill_sqlite(tmp_path / "orders.db"), tmp_path) as runtime:
        definition = define(runtime, who, wish)
        options = {name: value for name, value in wish.options.items() if name in ("formatted", "date_style")}
        as_json = replace(wish, format="json", options=options)
        expected = json.loads(b"".join(open_download(runtime, who, as_json).chunks))
        assert expected
        for size in (1, 2, 1000):
            snapshot = open_snapshot(runtime, who, definition, page_size=size, stop=Stop())
            found = walk(runtime, who, definition, snapshot)
            assert found == expected
            assert [list(row) for row in found] == [list(row) for row in expected]


def test_a_report_has_pages_too(tmp_path: Path) -> None:
    who = replace(shaped.READER, scopes=WRITER)
    wish = ExportRequest("orders", "json", measures=(Measure(MeasureFn.COUNT),))
    with shaped.runtime_over(shaped.fill_sqlite(tmp_path / "orders.db"), tmp_path) as runtime:
        definition = define(runtime, who, wish)
        expected = json.loads(b"".join(open_download(runtime, who, wish).chunks))
        snapshot = open_snapshot(runtime, who, definition, stop=Stop())
        assert walk(runtime, who, definition, snapshot) == expected


def test_a_cursor_is_good_for_its_principal_definition_and_page_size_alone(runtime: Runtime) -> None:
    who, other, foreign = principal(runtime), principal(runtime), principal(runtime, tenant="globex")
    definition, second = define(runtime, who), define(runtime, who)
    snapshot = open_snapshot(runtime, who, definition, page_size=100, stop=Stop())
    cursor = seal_position(runtime, snapshot, 100)
    assert open_cursor(runtime, who, definition, cursor)[1] == 100
    assert open_cursor(runtime, who, definition, cursor, page_size=100)[1] == 100
    for by, of, size in ((other, definition, None), (who, second, None), (who, definition, 101), (foreign, second, 1)):
        with pytest.raises(InvalidCursor):
            open_cursor(runtime, by, of, cursor, page_size=size)
    for forged in ("", "x", cursor[:-1], cursor + "A", cursor.swapcase(), "é", "W10", "A" * 5000):
        with pytest.raises(InvalidCursor):
            open_cursor(runtime, who, definition, forged)


def test_a_snapshot_is_found_by_its_principal_and_for_its_definition_alone(runtime: Runtime) -> None:
    who, other, foreign = principal(runtime), principal(runtime), principal(runtime, tenant="globex")
    definition, second = define(runtime, who), define(runtime, who)
    id_ = open_snapshot(runtime, who, definition, stop=Stop()).id
    assert find_snapshot(runtime, who, definition, id_).id == id_
    for by, of, told in (
        (other, definition, InvalidCursor),
        (who, second, InvalidCursor),
        (foreign, definition, NotFound),
    ):
        with pytest.raises(told):
            find_snapshot(runtime, by, of, id_)
    with pytest.raises(Expired):
        find_snapshot(runtime, who, definition, "00000000-0000-7000-8000-000000000000")


def test_a_cursor_outlives_its_secrets_rotation_and_no_longer(runtime: Runtime) -> None:
    who = principal(runtime)
    definition = define(runtime, who)
    snapshot = open_snapshot(runtime, who, definition, page_size=100, stop=Stop())
    cursor = seal_position(runtime, snapshot, 100)
    newer = Secret("k2", b"another secret that tests know...")
    assert open_cursor(replace(runtime, secrets=(*runtime.secrets, newer)), who, definition, cursor)[1] == 100
    with pytest.raises(InvalidCursor):
        open_cursor(replace(runtime, secrets=(newer,)), who, definition, cursor)


@on_both
def test_a_snapshot_lives_until_nobody_asked_for_its_time(runtime: Runtime) -> None:
    who = principal(runtime)
    definition = define(runtime, who)
    snapshot = open_snapshot(runtime, who, definition, page_size=100, keep_alive_s=60, stop=Stop())
    cursor = seal_position(runtime, snapshot, 100)
    for _ in range(3):
        later(runtime, seconds=60)
        open_cursor(runtime, who, definition, cursor)
    open_cursor(runtime, who, definition, cursor, keep_alive_s=600)
    later(runtime, seconds=600)
    open_cursor(runtime, who, definition, cursor)
    later(runtime, seconds=600)
    open_cursor(runtime, who, definition, cursor, keep_alive_s=10)
    later(runtime, seconds=12)
    with pytest.raises(Expired):
        open_cursor(runtime, who, definition, cursor)


@on_both
def test_requests_within_a_second_cost_one_update(runtime: Runtime) -> None:
    who = principal(runtime)
    definition = define(runtime, who)
    snapshot = open_snapshot(runtime, who, definition, stop=Stop())
    later(runtime, seconds=0.9)
    assert find_snapshot(runtime, who, definition, snapshot.id).expires_at == snapshot.expires_at
    later(runtime, seconds=0.2)
    assert find_snapshot(runtime, who, definition, snapshot.id).expires_at > snapshot.expires_at


def test_pages_of_what_was_deleted_are_gone(runtime: Runtime) -> None:
    who = principal(runtime)
    definition = define(runtime, who)
    cursor = seal_position(runtime, open_snapshot(runtime, who, definition, stop=Stop()), 1000)
    delete_definition(runtime, who, definition)
    with pytest.raises(NotFound):
        open_cursor(runtime, who, definition, cursor)


def test_unmasked_pages_need_the_right_they_were_made_with(runtime: Runtime) -> None:
    who = principal(runtime, "reports:read", "reports:write", "pii:read")
    definition = define(runtime, who, ExportRequest("masked"))
    snapshot = open_snapshot(runtime, who, definition, stop=Stop())
    assert json.loads(shown(runtime, who, snapshot))["data"][0]["text"] == "row"
    today = replace(who, scopes=WRITER)
    with pytest.raises(InsufficientScope):
        find_snapshot(runtime, today, definition, snapshot.id)


def test_pages_need_the_right_to_read_reports(runtime: Runtime) -> None:
    definition = define(runtime, principal(runtime))
    with pytest.raises(InsufficientScope):
        open_snapshot(runtime, principal(runtime, "keys:admin"), definition, stop=Stop())
