"""Camunda's pages: every record once, whoever changes what, for as long as somebody asks."""

import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dialect.conftest import Demo, serve_home
from dialect.reports import changing, define, get, of, page, refusal, walk
from offtake.demo.reports import ALSO_RAW, LARGE, RAW
from offtake.model.dataset import Sort
from offtake.model.ids import new_id
from sites import wait_until


def test_the_pages_together_are_the_report_and_the_loop_ends(demo: Demo) -> None:
    pages = list(walk(demo, ALSO_RAW))
    assert [each["numberOfRecordsInResponse"] for each in pages] == [5, 5, 1]
    assert [len(each["data"]) for each in pages] == [5, 5, 1]
    assert {each["totalNumberOfRecords"] for each in pages} == {11}
    assert {each["reportId"] for each in pages} == {RAW}
    assert len({record["processInstanceId"] for each in pages for record in each["data"]}) == 11
    assert all(each["searchRequestId"].strip() for each in pages)
    assert not any("message" in each for each in pages)


def test_after_the_end_there_is_an_empty_page_again_and_again(demo: Demo) -> None:
    last = page(demo, RAW, limit=11)
    for _ in range(3):
        last = page(demo, RAW, searchRequestId=last["searchRequestId"])
        assert (last["data"], last["numberOfRecordsInResponse"], last["totalNumberOfRecords"]) == ([], 0, 11)
        assert last["searchRequestId"].strip()


def test_a_page_is_as_large_as_the_first_whatever_the_limit_says(demo: Demo) -> None:
    first = page(demo, RAW, limit=3)
    second = page(demo, RAW, limit=10_000, searchRequestId=first["searchRequestId"])
    assert (len(first["data"]), len(second["data"])) == (3, 3)
    assert len(page(demo, RAW, limit=0, searchRequestId=second["searchRequestId"])["data"]) == 3


def test_a_page_can_be_asked_for_again(demo: Demo) -> None:
    first = page(demo, RAW)
    answers = [get(demo, RAW, searchRequestId=first["searchRequestId"]) for _ in range(3)]
    assert len({answer.content for answer in answers}) == 1


def test_an_empty_search_request_id_is_none(demo: Demo) -> None:
    assert page(demo, RAW, searchRequestId="")["data"] == page(demo, RAW)["data"]


def test_a_limit_of_nothing_gives_the_total_alone(demo: Demo) -> None:
    first = page(demo, RAW, limit=0)
    assert (first["data"], first["numberOfRecordsInResponse"], first["totalNumberOfRecords"]) == ([], 0, 11)
    assert page(demo, RAW, searchRequestId=first["searchRequestId"])["data"] == []


def test_the_largest_limit_is_ten_thousand(demo: Demo) -> None:
    assert page(demo, LARGE, limit=10_000)["numberOfRecordsInResponse"] == 10_000


def test_a_report_without_records_is_one_empty_page(demo: Demo) -> None:
    found = page(demo, define(demo, filter=of("nothing")))
    assert (found["data"], found["totalNumberOfRecords"]) == ([], 0)
    assert found["searchRequestId"].strip()


def test_every_request_renews_the_timeout_it_names(demo: Demo) -> None:
    demo.clock.at = datetime.now(UTC)
    found = page(demo, RAW, paginationTimeout=60)
    for seconds in (60, 300, 300, 60):
        demo.clock.at += timedelta(seconds=59)
        found = page(demo, RAW, paginationTimeout=seconds, searchRequestId=found["searchRequestId"])
    demo.clock.at += timedelta(seconds=62)
    sent = found["searchRequestId"]
    status, code, detail = refusal(get(demo, RAW, searchRequestId=sent))
    assert (status, code) == (400, "badRequestError")
    assert detail == f"search_context_missing_exception: No search context found for id [{sent}]"


def test_ids_of_others_and_of_nobody_are_refused(demo: Demo) -> None:
    mine = page(demo, RAW)["searchRequestId"]
    colleague = get(demo, RAW, key="reader", searchRequestId=mine)
    elsewhere = get(demo, LARGE, searchRequestId=mine)
    native = demo.client.get(
        f"/api/v1/definitions/{RAW}/pages", params={"limit": 2}, headers={"x-api-key": demo.keys["admin"]}
    ).json()["next_cursor"]
    forged = [get(demo, RAW, searchRequestId=each) for each in ("x", mine[:-2], f"{mine}AA", "é\0", native, "9" * 9000)]
    for answer in (colleague, elsewhere, *forged):
        assert refusal(answer)[:2] == (400, "badRequestError")


def test_rows_that_change_meanwhile_do_not_change_the_pages(demo: Demo) -> None:
    with changing(demo, "changing") as rows:
        report = define(demo, filter=of("changing"), sort=(Sort("businessKey"),))
        first = page(demo, report, limit=2)
        rows.execute("DELETE FROM process_instances WHERE businessKey = '3'")
        rows.execute("UPDATE process_instances SET businessKey = '0' WHERE businessKey = '4'")
        rest = page(demo, report, searchRequestId=first["searchRequestId"])
        assert [each["businessKey"] for each in first["data"] + rest["data"]] == ["1", "2", "3", "4"]
        assert page(demo, report, limit=9)["totalNumberOfRecords"] == 3


def test_head_reads_nothing(demo: Demo) -> None:
    path = f"/api/public/export/report/{RAW}/result/json?limit=2&paginationTimeout=60"
    answer = demo.client.head(path, headers={"Authorization": demo.keys["admin"]})
    assert (answer.status_code, answer.headers["content-type"], answer.content) == (200, "application/json", b"")


class Changes:
    """Somebody who deletes an instance of the large report, adds one and renames one, over and over.

    After change number t the report is `expected(t)`, and never anything in between.
    """

    def __init__(self, database: Path) -> None:
        self.done = 0
        self._database = database
        with closing(self._open()) as rows:
            rows.execute("PRAGMA journal_mode = WAL")  # so that writing and reading do not wait for each other
            self._before = rows.execute(
                "SELECT processInstanceId, businessKey FROM process_instances"
                " WHERE tenant = 'acme' AND processDefinitionKey = 'orderFulfilment' ORDER BY id"
            ).fetchall()

    def expected(self, t: int) -> dict[str, str]:
        """The business key of every instance."""
        names = dict(self._before[t:])
        middle = len(self._before) // 2
        names.update({instance: f"changed {n}" for n, (instance, _) in enumerate(self._before[middle : middle + t])})
        return names | {f"new {n}": "new" for n in range(t)}

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """Change on until the block ends."""
        over = threading.Event()

        def change() -> None:
            with closing(self._open()) as rows:
                while not over.is_set() and self.done < len(self._before) // 2:
                    self._change(rows, self.done)
                    self.done += 1
                    over.wait(0.005)

        thread = threading.Thread(target=change)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(self._database, isolation_level=None, timeout=60)

    def _change(self, rows: sqlite3.Connection, t: int) -> None:
        gone, changed = self._before[t][0], self._before[len(self._before) // 2 + t][0]
        new = (new_id(), "orderFulfilment", "orderFulfilment:1:1", f"new {t}", "new", "2021-06-01T12:00:00Z")
        rows.execute("BEGIN IMMEDIATE")
        rows.execute("DELETE FROM process_instances WHERE processInstanceId = ?", (gone,))
        rows.execute(
            "INSERT INTO process_instances VALUES (?, ?, ?, ?, ?, ?, NULL, NULL, 'engine', NULL, '{}', 'acme')", new
        )
        rows.execute(
            "UPDATE process_instances SET businessKey = ? WHERE processInstanceId = ?", (f"changed {t}", changed)
        )
        rows.execute("COMMIT")


@pytest.mark.slow
def test_25000_records_come_once_each_while_rows_change_and_the_loop_ends(demo_home: Path, tmp_path: Path) -> None:
    home = shutil.copytree(demo_home, tmp_path / "home")
    with closing(sqlite3.connect(home / "demo.db")) as rows:
        rows.execute("CREATE INDEX by_instance ON process_instances (processInstanceId)")
    changes = Changes(home / "demo.db")
    with serve_home(home) as demo, changes.going_on():
        wait_until(lambda: changes.done > 5, 60)
        pages = list(walk(demo, LARGE, limit=1000))
    records = [record for each in pages for record in each["data"]]
    assert [len(each["data"]) for each in pages] == [1000] * 25
    assert {each["totalNumberOfRecords"] for each in pages} == {25_000}
    t = sum(record["businessKey"] == "new" for record in records)
    assert 0 < t < changes.done, "rows were to change before the report was read, and after"
    found = {record["processInstanceId"]: record["businessKey"] for record in records}
    assert len(found) == len(records)
    assert found == changes.expected(t)
