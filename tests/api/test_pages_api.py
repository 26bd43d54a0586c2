"""Pages over HTTP: their shape, who may have them, and what is refused by which name."""

import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from api.desk import Clock, Desk, open_desk, told
from offtake.model.export import ExportRequest
from offtake.model.limits import Limits
from offtake.model.ports import Stop
from offtake.model.saved import Draft
from offtake.service.access import local_principal
from offtake.service.definitions import create_definition
from sites import FakeSource, batch, bearer, endless, few, make_key, make_runtime, serve, wait_until

ROWS = 250
DOCS = Path(__file__).parents[2] / "docs"
SHELL = re.findall(r"^```sh\n(.*?)^```", (DOCS / "pages.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)


def some(_: Stop) -> Any:
    yield batch(0, ROWS, "row")


@dataclass(frozen=True)
class Reader:
    """One key that reads the pages of one definition."""

    desk: Desk
    definition: str

    def get(self, **parameters: Any) -> httpx2.Response:
        url = f"{self.desk.site.url}/api/v1/definitions/{self.definition}/pages"
        return self.desk.client.get(url, params=parameters, headers=self.desk.headers)

    def page(self, **parameters: Any) -> dict[str, Any]:
        answer = self.get(**parameters)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def walk(self, **parameters: Any) -> Iterator[dict[str, Any]]:
        page = self.page(**parameters)
        yield page
        while page["next_cursor"] is not None:
            page = self.page(cursor=page["next_cursor"])
            yield page


def define(desk: Desk, tenant: str = "acme", **wish: Any) -> str:
    request = ExportRequest(**{"dataset": "numbers", **wish})
    return create_definition(desk.runtime, local_principal(desk.runtime, tenant), Draft("Mine", request)).id


@contextmanager
def reading(home: Path, **changed: Any) -> Iterator[Reader]:
    with open_desk(home, lambda runtime: replace(runtime, sources={"fake": FakeSource(some)}, **changed)) as desk:
        yield Reader(desk, define(desk))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    with reading(tmp_path_factory.mktemp("pages")) as reader:
        yield reader


@pytest.fixture
def reader(served: Reader) -> Reader:
    """One with a definition and a key of its own, at the usual time, when no snapshot of another test is open."""
    served.desk.clock.at += timedelta(hours=2)
    return Reader(served.desk.holding("reports:read"), define(served.desk))


def test_a_page_has_rows_a_total_a_cursor_and_an_instant(reader: Reader) -> None:
    answer = reader.get(limit=100)
    page = answer.json()
    assert list(page) == ["data", "total", "next_cursor", "snapshot_at"]
    assert page["data"][:2] == [{"n": 0, "text": "row"}, {"n": 1, "text": "row"}]
    assert (len(page["data"]), page["total"], page["snapshot_at"]) == (100, ROWS, "2026-05-17T12:30:00Z")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "private, no-store"


def test_the_pages_are_the_result_and_the_last_one_says_so(reader: Reader) -> None:
    pages = list(reader.walk(limit=100))
    assert [len(page["data"]) for page in pages] == [100, 100, 50]
    assert [row["n"] for page in pages for row in page["data"]] == list(range(ROWS))
    assert {page["total"] for page in pages} == {ROWS}


def test_every_page_can_be_had_again_byte_for_byte(reader: Reader) -> None:
    answers = [reader.get(limit=100)]
    while (cursor := answers[-1].json()["next_cursor"]) is not None:
        answers.append(reader.get(cursor=cursor))
    for answer in [*answers, *reversed(answers)]:
        again = reader.desk.client.get(answer.headers["content-location"], headers=reader.desk.headers)
        assert (again.status_code, again.content) == (200, answer.content)


def test_a_page_has_a_thousand_rows_unless_asked_otherwise(reader: Reader) -> None:
    page = reader.page()
    assert (len(page["data"]), page["next_cursor"]) == (ROWS, None)
    assert reader.page(limit="", keep_alive_s="", cursor="") == page


def test_a_cursor_is_refused_with_another_limit_and_taken_with_its_own(reader: Reader) -> None:
    cursor = reader.page(limit=100)["next_cursor"]
    assert told(reader.get(cursor=cursor, limit=101)) == (422, "INVALID_CURSOR")
    assert reader.page(cursor=cursor, limit=100) == reader.page(cursor=cursor)


def test_cursors_of_others_and_of_nobody_are_refused_by_name(reader: Reader) -> None:
    cursor = reader.page(limit=100)["next_cursor"]
    colleague = Reader(reader.desk.holding("reports:read"), reader.definition)
    elsewhere = replace(reader, definition=define(reader.desk))
    globex = Reader(reader.desk.holding("reports:read", tenant="globex"), reader.definition)
    their_own = replace(globex, definition=define(reader.desk, "globex"))
    for other in (colleague, elsewhere, their_own):
        assert told(other.get(cursor=cursor)) == (422, "INVALID_CURSOR")
    for forged in ("x", cursor[:-2], cursor + "AA", "WyJhIiwiazEiLCJiIl0", "é\0"):
        assert told(reader.get(cursor=forged)) == (422, "INVALID_CURSOR")
    assert told(globex.get()) == (404, "NOT_FOUND")


def test_a_cursor_expires_by_name_and_each_request_keeps_it_alive(reader: Reader) -> None:
    cursor = reader.page(limit=100, keep_alive_s=60)["next_cursor"]
    clock: Clock = reader.desk.clock
    for _ in range(3):
        clock.at += timedelta(seconds=60)
        reader.page(cursor=cursor)
    clock.at += timedelta(seconds=62)
    answer = reader.get(cursor=cursor)
    assert told(answer) == (410, "EXPIRED")
    assert "first page" in answer.json()["hint"]


@pytest.mark.parametrize(
    "wrong",
    [{"limit": 0}, {"limit": 10_001}, {"limit": "ten"}, {"keep_alive_s": 9}, {"keep_alive_s": 86_401}, {"page": 2}],
)
def test_what_cannot_be_is_refused_with_its_place(reader: Reader, wrong: dict[str, Any]) -> None:
    answer = reader.get(**wrong)
    assert told(answer) == (422, "INVALID_REQUEST")
    assert answer.json()["errors"][0]["pointer"] == f"/{next(iter(wrong))}"


def test_a_key_needs_the_right_to_read(reader: Reader) -> None:
    assert told(Reader(reader.desk.holding("keys:admin"), reader.definition).get()) == (403, "INSUFFICIENT_SCOPE")
    assert reader.desk.client.get(f"{reader.desk.site.url}/api/v1/definitions/x/pages").status_code == 401


def test_two_tenants_page_through_their_own_at_once(reader: Reader) -> None:
    globex = Reader(reader.desk.holding("reports:read", tenant="globex"), define(reader.desk, "globex"))
    ours, theirs = reader.walk(limit=100), globex.walk(limit=60)
    assert [len(a["data"]) + len(b["data"]) for a, b in zip(ours, theirs, strict=False)] == [160, 160, 110]


def test_first_requests_at_once_get_a_snapshot_each(reader: Reader) -> None:
    with ThreadPoolExecutor(5) as pool:
        pages = list(pool.map(lambda _: reader.page(limit=100), range(5)))
    assert len({page["next_cursor"] for page in pages}) == 5
    assert all(page["data"] == pages[0]["data"] for page in pages)


def test_head_reads_nothing_from_the_database(reader: Reader) -> None:
    source: Any = reader.desk.runtime.sources["fake"]
    before = source.reads
    url = f"{reader.desk.site.url}/api/v1/definitions/{reader.definition}/pages"
    answer = reader.desk.client.head(url, headers=reader.desk.headers)
    assert (answer.status_code, answer.headers["content-type"], source.reads) == (200, "application/json", before)


def test_too_many_open_snapshots_are_refused_with_the_time_to_wait(tmp_path: Path) -> None:
    with reading(tmp_path, limits=Limits(snapshots_per_tenant=3)) as reader:
        for _ in range(3):
            reader.page(limit=10)
        answer = reader.get(limit=10)
        assert told(answer) == (429, "RATE_LIMITED")
        assert answer.headers["retry-after"] == "121"
        assert "limits.snapshots_per_tenant" in answer.json()["detail"]


def test_whoever_leaves_before_the_first_page_leaves_nothing(tmp_path: Path) -> None:
    source = FakeSource(endless)
    runtime = make_runtime(tmp_path, {"fake": source})
    id_ = create_definition(runtime, local_principal(runtime, "acme"), Draft("All", ExportRequest("numbers"))).id
    headers = bearer(make_key(runtime))
    with serve(runtime) as site:
        began = threading.Event()

        def rows(stop: Stop) -> Any:
            began.set()
            yield from endless(stop)

        source.batches = rows
        with site.connect() as client:
            lines = [f"GET /api/v1/definitions/{id_}/pages HTTP/1.1", "Host: x"]
            lines += [f"{name}: {value}" for name, value in headers.items()]
            client.sendall("\r\n".join([*lines, "", ""]).encode())
            assert began.wait(60)
        assert source.closed.wait(60)
        wait_until(lambda: not list(runtime.store.list()))


@pytest.mark.parametrize("script", SHELL)
def test_every_example_of_the_page_runs(tmp_path: Path, script: str) -> None:
    if shutil.which("curl") is None:
        pytest.skip("No curl on this machine, and the examples are written for it.")
    runtime = make_runtime(tmp_path, {"fake": FakeSource(few)})
    id_ = create_definition(runtime, local_principal(runtime, "acme"), Draft("Mine", ExportRequest("numbers"))).id
    with serve(runtime) as site:
        environ = {**os.environ, "URL": site.url, "KEY": make_key(runtime), "DEFINITION": id_}
        done = subprocess.run(["sh", "-ec", script], env=environ, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    page = json.loads(done.stdout)
    assert page["total"] == 3
    assert page["data"] == (
        [{"n": 2, "text": "row"}] if "while" in script else [{"n": n, "text": "row"} for n in (0, 1)]
    )
