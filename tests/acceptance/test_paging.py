"""Pages of a table that others keep changing, served by real processes, one of which is killed on the way."""

import json
import os
import random
import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest

from acceptance.processes import Served, make_home, needs_proc, offtake, serving
from servers import Postgres

ITEMS = """
CREATE TABLE items (id bigint PRIMARY KEY, value bigint, name text);
INSERT INTO items SELECT n, 0, 'name ' || n FROM generate_series(1, {rows}) n
"""


class Changes:
    """Somebody who deletes the first row, adds one at the end and changes one in the middle, over and over.

    After change number t the table is `expected(t)`, and never anything in between.
    """

    def __init__(self, url: str, rows: int) -> None:
        self.done = 0
        self._url, self._rows = url, rows

    def row(self, id_: int, t: int) -> dict[str, Any]:
        """The row of that id after change number t."""
        changed = id_ - self._rows // 2
        return {"id": id_, "value": changed if 0 < changed <= t else 0, "name": f"name {id_}"}

    def expected(self, t: int) -> Iterator[dict[str, Any]]:
        """All rows after change number t, by id."""
        return (self.row(id_, t) for id_ in range(t + 1, self._rows + t + 1))

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """Change on until the block ends."""
        over = threading.Event()

        def change() -> None:
            with psycopg.connect(self._url, autocommit=True) as connection:
                while not over.is_set():
                    t = self.done + 1
                    with connection.transaction():
                        connection.execute("DELETE FROM items WHERE id = %s", [t])
                        new = self._rows + t
                        connection.execute("INSERT INTO items VALUES (%s, 0, %s)", [new, f"name {new}"])
                        middle = self._rows // 2 + t
                        connection.execute("UPDATE items SET value = %s WHERE id = %s", [t, middle])
                    self.done = t

        thread = threading.Thread(target=change)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


@dataclass(frozen=True)
class Book:
    """The pages of one definition, as one key reads them from whichever server runs."""

    key: str
    definition: str
    size: int

    def turn(self, served: Served, cursor: str | None) -> bytes:
        """A page's bytes."""
        asked: dict[str, Any] = {"limit": self.size} if cursor is None else {"cursor": cursor}
        url = f"{served.url}/api/v1/definitions/{self.definition}/pages"
        answer = httpx2.get(url, params=asked, headers={"x-api-key": self.key}, timeout=300)
        assert answer.status_code == 200, answer.text
        return answer.content


def open_book(home: Path, served: Served, size: int, **wish: Any) -> Book:
    made = offtake(home, "keys", "create", "--tenant", "acme", "--scopes", "reports:read,reports:write")
    key = made.stdout.strip()
    body = {"name": "All", "dataset": "items", "sort": ["id"], **wish}
    answer = httpx2.post(f"{served.url}/api/v1/definitions", json=body, headers={"x-api-key": key}, timeout=60)
    assert answer.status_code == 201, answer.text
    return Book(key, answer.json()["id"], size)


def next_cursor(page: bytes) -> str | None:
    found = re.search(rb'"next_cursor":(?:"([^"]*)"|null)', page[-2000:])
    assert found is not None
    return None if found[1] is None else found[1].decode()


def page_through(postgres: Postgres, home: Path, rows: int, size: int) -> None:
    """Read all pages while the table changes and the server dies, and compare every row."""
    with postgres.database() as url:
        with psycopg.connect(url, autocommit=True) as connection:
            for statement in ITEMS.format(rows=rows).split(";"):
                connection.execute(statement.encode())
        make_home(home, url, "items")
        changes = Changes(url, rows)
        with changes.going_on():
            with serving(home) as served:
                book = open_book(home, served, size)
                pages = [book.turn(served, None)]
                for _ in range(rows // size // 2):
                    pages.append(book.turn(served, next_cursor(pages[-1])))
                os.kill(served.process.pid, signal.SIGKILL)
            with serving(home) as served:
                while (cursor := next_cursor(pages[-1])) is not None:
                    pages.append(book.turn(served, cursor))
                for number in random.sample(range(1, len(pages)), 5):
                    assert book.turn(served, next_cursor(pages[number - 1])) == pages[number]
    check_rows(pages, changes, rows, size)


def check_rows(pages: list[bytes], changes: Changes, rows: int, size: int) -> None:
    first = json.loads(pages[0])
    t = first["data"][0]["id"] - 1
    assert changes.done > t + 10, "the table was to change after it was read"
    expected = changes.expected(t)
    assert len(pages) == rows // size
    for page in map(json.loads, pages):
        assert (page["total"], len(page["data"]), page["snapshot_at"]) == (rows, size, first["snapshot_at"])
        assert page["data"] == [next(expected) for _ in range(size)]
    assert next(expected, None) is None


@pytest.mark.slow
def test_a_million_rows_are_one_snapshot_whatever_happens_meanwhile(postgres: Postgres, tmp_path: Path) -> None:
    page_through(postgres, tmp_path, 1_000_000, 10_000)


@pytest.mark.slow
@needs_proc
def test_memory_does_not_grow_with_the_number_of_pages(postgres: Postgres, tmp_path: Path) -> None:
    peaks = []
    with postgres.database() as url:
        with psycopg.connect(url, autocommit=True) as connection:
            for statement in ITEMS.format(rows=1_000_000).split(";"):
                connection.execute(statement.encode())
        make_home(tmp_path, url, "items")
        for rows in (100_000, 1_000_000):
            with serving(tmp_path) as served:
                book = open_book(tmp_path, served, 10_000, limit=rows)
                page = book.turn(served, None)
                for _ in range(9):
                    page = book.turn(served, next_cursor(page))
                peaks.append(peak_mb(served.process.pid))
    assert peaks[1] < peaks[0] * 1.25, peaks


def peak_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))
