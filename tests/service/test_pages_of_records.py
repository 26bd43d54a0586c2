"""Pages of records: what every record has is known on every page, in any process, and in no other kind of page."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from offtake.errors import InvalidCursor
from offtake.model.access import Principal
from offtake.model.export import ExportRequest, FieldChoice
from offtake.model.ports import Stop
from offtake.model.records import RecordStyle
from offtake.model.snapshot import Snapshot
from offtake.service.pages import open_cursor, open_snapshot, read_page, seal_position, write_records
from offtake.service.runtime import Runtime
from service import shaped
from service.paged import WRITER, define

WHO = replace(shaped.READER, scopes=WRITER)
STYLE = RecordStyle(objects=("raw", "veiled"), blank="-", placeholder="{}")


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Runtime]:
    with shaped.runtime_over(shaped.fill_sqlite(tmp_path / "orders.db"), tmp_path, *shaped.DATASETS) as made:
        yield made


def opened(runtime: Runtime, *fields: str, size: int = 2) -> tuple[str, Snapshot]:
    definition = define(runtime, WHO, ExportRequest("orders", fields=tuple(map(FieldChoice, fields))))
    return definition, open_snapshot(runtime, WHO, definition, page_size=size, names_of=STYLE.objects, stop=Stop())


def records(runtime: Runtime, snapshot: Snapshot, position: int, who: Principal = WHO) -> list[dict[str, Any]]:
    page = read_page(runtime, snapshot, position)
    with closing(write_records(runtime, who, page, STYLE, b"[", b"]")) as chunks:
        found: list[dict[str, Any]] = json.loads(b"".join(chunks))
    return found


def test_every_page_knows_the_names_in_the_objects_of_all(runtime: Runtime) -> None:
    definition, snapshot = opened(runtime, "id", "raw")
    names = sorted({name for each in shaped.INFO if each for name in each})
    found = []
    for position in (0, 2, 4):
        cursor = seal_position(runtime, snapshot, position, kind="records")
        again, start = open_cursor(runtime, WHO, definition, cursor, kind="records")  # as another process would
        found += records(runtime, again, start)
    assert [record["id"] for record in found] == [1, 2, 3, 4, 5]
    for record, info in zip(found, shaped.INFO, strict=True):
        assert list(record["raw"]) == names
        assert {name for name, text in record["raw"].items() if text != "-"} == {
            name for name, value in (info or {}).items() if value is not None
        }


def test_objects_that_are_masked_have_no_names(runtime: Runtime) -> None:
    _, snapshot = opened(runtime, "id", "veiled")
    assert snapshot.spool is not None
    assert snapshot.spool.names == {}
    assert all(
        record["veiled"] is None or record["veiled"].startswith("****") for record in records(runtime, snapshot, 0)
    )


def test_cursors_of_one_kind_open_no_pages_of_another(runtime: Runtime) -> None:
    definition, snapshot = opened(runtime, "id", "raw")
    for sealed, asked in (("pages", "records"), ("records", "pages")):
        cursor = seal_position(runtime, snapshot, 2, kind=sealed)
        with pytest.raises(InvalidCursor):
            open_cursor(runtime, WHO, definition, cursor, kind=asked)


def test_without_a_page_size_there_is_only_a_total(runtime: Runtime) -> None:
    definition, snapshot = opened(runtime, "id", size=0)
    page = read_page(runtime, snapshot, 0)
    assert (page.size, page.total) == (0, 5)
    again, position = open_cursor(runtime, WHO, definition, seal_position(runtime, snapshot, 0))
    assert (read_page(runtime, again, position).size, records(runtime, again, position)) == (0, [])
