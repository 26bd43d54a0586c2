"""A saved definition gives the same rows whichever way it is asked for. On real SQLite and PostgreSQL.

A new way of asking is one more line in `WAYS`, or in `FIRST_ROWS` if it only shows some.
"""

import csv
import io
import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import openpyxl
import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.desk import Clock, Desk
from api.shelf import WRITER, Shelf
from examples import examples
from offtake.model.dataset import Dataset, Field, FieldType
from offtake.model.limits import Limits
from offtake.model.ports import SourceSpec
from offtake.source import open_source
from servers import Postgres
from service.calendar import tick
from sites import make_runtime, serve

Rows = list[list[Any]]
Saved = Mapping[str, Any]  # a definition as it is shown

TYPES = {
    "id": FieldType.INTEGER,
    "name": FieldType.STRING,
    "amount": FieldType.NUMBER,
    "paid": FieldType.BOOLEAN,
    "made": FieldType.DATETIME,
    "day": FieldType.DATE,
}
PEOPLE = Dataset(
    "people",
    "real",
    table="people",
    tenant_column="tenant",
    key=("id",),
    date_field="made",
    fields=tuple(Field(name, kind, name, name.title()) for name, kind in TYPES.items()),
)
CREATE = (
    "CREATE TABLE people (id INTEGER PRIMARY KEY, tenant VARCHAR(40), name TEXT, amount DOUBLE PRECISION, "
    "paid BOOLEAN, made TIMESTAMP, day DATE)"
)
NAMES_HERE = ["Ann", "=1+1", "O'Hara", "", None, "a,b;c", 'say "hi"', "two\nlines", "Ünï 😀", "  ", "NULL", "0012"]
START = datetime(2026, 3, 25, 21, 30, tzinfo=UTC)


def row(n: int) -> tuple[Any, ...]:
    """The row of that number; every fifth is another tenant's."""
    made = START + timedelta(hours=17 * n, seconds=n)
    amount = None if n % 7 == 3 else (n - 60) * 1234.5625
    tenant = "globex" if n % 5 == 0 else "acme"
    paid = None if n % 11 == 5 else n % 2 == 0
    return n, tenant, NAMES_HERE[n % 12], amount, paid, f"{made:%Y-%m-%d %H:%M:%S}", f"{made:%Y-%m-%d}"


TABLE = [row(n) for n in range(1, 151)]

NAMES = st.sampled_from(sorted(TYPES))


def condition(field: Any, op: list[str], **value: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Conditions on that field with one of the operators."""
    return st.fixed_dictionaries({"field": field, "op": st.sampled_from(op), **value})


CONDITIONS = st.one_of(
    condition(st.just("id"), ["gte", "lt", "ne"], value=st.integers(1, 150)),
    condition(st.just("name"), ["contains", "starts_with"], value=st.sampled_from(["a", "N", "1", '"', "\n"])),
    condition(st.just("name"), ["in", "not_in"], values=st.lists(st.sampled_from(["Ann", "", "NULL"]), min_size=1)),
    condition(st.just("amount"), ["gte", "lt"], value=st.floats(-1e5, 1e5)),
    condition(st.just("paid"), ["is_true", "is_false"]),
    condition(st.just("made"), ["gte", "lt", "on"], value=st.sampled_from(["2026-05-01", "2026-04-05T03:30:00Z"])),
    condition(st.just("day"), ["between"], values=st.just(["2026-04-01", "2026-04-30"])),
    condition(NAMES, ["is_null", "is_not_null"]),
)
FILTERS = st.recursive(
    CONDITIONS,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda items: {"or": items}),
        st.lists(inner, min_size=1, max_size=3).map(lambda items: {"and": items}),
        inner.map(lambda item: {"not": item}),
    ),
    max_leaves=4,
)
LABELS = st.text("aß ", min_size=1, max_size=3)


@st.composite
def choices(draw: st.DrawFn) -> list[Any]:
    """Some fields in any order, `id` among them so that rows can be told apart, some under other labels."""
    names = draw(st.lists(NAMES, max_size=5, unique=True).map(lambda names: list(dict.fromkeys([*names, "id"]))))
    return [
        draw(st.sampled_from([name, {"field": name, "label": draw(LABELS)}])) for name in draw(st.permutations(names))
    ]


DEFINITIONS = st.fixed_dictionaries(
    {"format": st.sampled_from(["csv", "ndjson", "json", "xlsx"]), "fields": choices()},
    optional={
        "filter": FILTERS,
        "sort": st.lists(st.tuples(st.sampled_from(["", "-"]), NAMES).map("".join), max_size=3),
        "limit": st.integers(1, 120),
        "q": st.sampled_from(["a", "hi", "ü"]),
        "date_range": st.sampled_from([{"from": "this month"}, {"from": "2026-04-01", "to": "2026-04-30"}]),
        "locale": st.sampled_from(["es-CL", "de", "en-US", "fr-FR"]),
        "timezone": st.sampled_from(["America/Santiago", "Asia/Kathmandu", "Europe/Berlin"]),
    },
)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shelf(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    """A service over each database, which is its app database too on PostgreSQL."""
    home = tmp_path_factory.mktemp("home")
    if request.param == "sqlite":
        with sqlite3.connect(home / "people.db") as connection:
            connection.execute(CREATE)
            connection.executemany("INSERT INTO people VALUES (?, ?, ?, ?, ?, ?, ?)", TABLE)
        yield from served(home, f"sqlite:///{home}/people.db", "")
        return
    server: Postgres = request.getfixturevalue("postgres")
    with server.database() as url:
        with psycopg.connect(url) as connection:
            connection.execute(CREATE)  # type: ignore[arg-type]
            connection.cursor().executemany("INSERT INTO people VALUES (%s, %s, %s, %s, %s, %s, %s)", TABLE)
        yield from served(home, url, url)


def served(home: Path, url: str, database: str) -> Iterator[Shelf]:
    """The table at that URL, served."""
    clock = Clock()
    sources = {"real": open_source(SourceSpec("real", url))}
    runtime = make_runtime(
        home, sources, PEOPLE, limits=Limits(rate="", snapshots_per_tenant=0), now=clock, database=database
    )
    with serve(runtime) as site, httpx2.Client(timeout=30) as client:
        yield Shelf(Desk(runtime, site, clock, client, {}).holding(*WRITER), {})
    runtime.appdb.close()
    runtime.sources["real"].close()


def read_rows(format: str, data: bytes) -> Rows:
    """The rows of a file, by readers that are not ours; a null in a CSV file is an empty text."""
    match format:
        case "csv":
            return [list(cells) for cells in csv.reader(io.StringIO(data.decode(), newline=""))][1:]
        case "ndjson":
            return [list(json.loads(line).values()) for line in data.decode().split("\n") if line]
        case "json":
            return [list(each.values()) for each in json.loads(data)]
    sheet = openpyxl.load_workbook(io.BytesIO(data)).worksheets[0]
    return [list(cells) for cells in sheet.iter_rows(values_only=True)][1:]


def run(shelf: Shelf, saved: Saved) -> Rows:
    """In the background, fetched when it is done."""
    made = shelf.ask("POST", f"/{saved['id']}/run").json()
    shelf.desk.run()
    return read_rows(saved["format"], whole(shelf.desk.ask("GET", f"/{made['id']}/download")))


def schedule(shelf: Shelf, saved: Saved) -> Rows:
    """By a schedule that is run now."""
    desk, base = shelf.desk, f"{shelf.desk.site.url}/api/v1/schedules"
    body = {"definition_id": saved["id"], "rrule": "FREQ=DAILY", "timezone": "UTC", "start": "2026-01-01T00:00:00"}
    made = desk.client.post(base, json=body, headers=desk.headers).json()
    assert desk.client.post(f"{base}/{made['id']}/run", headers=desk.headers).status_code == 202
    tick(desk.runtime)
    desk.run()
    (found,) = desk.client.get(f"{base}/{made['id']}/runs", headers=desk.headers).json()["data"]
    desk.client.delete(f"{base}/{made['id']}", headers=desk.headers)
    return read_rows(saved["format"], whole(desk.ask("GET", f"/{found['export_id']}/download")))


def download(shelf: Shelf, saved: Saved) -> Rows:
    """Streamed from the definition."""
    return read_rows(saved["format"], whole(shelf.ask("GET", f"/{saved['id']}/download")))


def download_dataset(shelf: Shelf, saved: Saved) -> Rows:
    """Streamed from the dataset, as the definition is shown: nothing was lost when it was saved."""
    asked = {name: value for name, value in saved.items() if name in ASKED}
    url = f"{shelf.desk.site.url}/api/v1/datasets/{saved['dataset']}/download"
    return read_rows(saved["format"], whole(shelf.desk.client.post(url, json=asked, headers=shelf.desk.headers)))


def preview(shelf: Shelf, saved: Saved) -> Rows:
    """The first rows, shown in texts where the format has texts."""
    shown = json.loads(whole(shelf.ask("GET", f"/{saved['id']}/preview")))
    assert len(shown["data"]) == min(50, shown["total"])
    assert shown["total"] == len(download(shelf, saved))
    rows: Rows = shown["data"]
    return [["" if cell is None else cell for cell in row] for row in rows] if saved["format"] == "csv" else rows


def pages(shelf: Shelf, saved: Saved) -> Rows:
    """Page after page, as JSON whatever its format."""
    rows: Rows = []
    asked: dict[str, Any] = {"limit": 7}
    while True:
        page = json.loads(whole(shelf.ask("GET", f"/{saved['id']}/pages", params=asked)))
        rows += [list(each.values()) for each in page["data"]]
        if page["next_cursor"] is None:
            assert page["total"] == len(rows)
            return rows
        asked = {"cursor": page["next_cursor"]}


def whole(answer: httpx2.Response) -> bytes:
    """Everything it says."""
    assert answer.status_code == 200, answer.text
    return answer.content


ASKED = ("dataset", "format", "fields", "filter", "sort", "limit", "q", "date_range", "locale", "timezone", "options")
WAYS: Mapping[str, Callable[[Shelf, Saved], Rows]] = {
    "run": run,
    "schedule": schedule,
    "download": download,
    "download_dataset": download_dataset,
}
FIRST_ROWS: Mapping[str, Callable[[Shelf, Saved], Rows]] = {"preview": preview}


def comparable(format: str, rows: Rows, identity: int) -> Rows:
    """What a look and a file have in common: of workbooks, whose cells are typed, which rows they show."""
    return [[str(cells[identity])] for cells in rows] if format == "xlsx" else rows


@settings(max_examples=8)
@given(wish=DEFINITIONS)
def test_every_way_gives_the_same_rows(shelf: Shelf, wish: dict[str, Any]) -> None:
    check_every_way(shelf, wish)


@pytest.mark.slow
@examples(60)
@given(wish=DEFINITIONS)
def test_every_way_gives_the_same_rows_for_many_definitions(shelf: Shelf, wish: dict[str, Any]) -> None:
    check_every_way(shelf, wish)


def check_every_way(shelf: Shelf, wish: dict[str, Any]) -> None:
    """Save it and ask for it in every way there is."""
    names = [choice["field"] if isinstance(choice, dict) else choice for choice in wish["fields"]]
    saved, identity = shelf.save(name="Any", dataset="people", **wish), names.index("id")
    rows = {name: way(shelf, saved) for name, way in WAYS.items()}
    expected = rows["download"]
    assert {name for name, found in rows.items() if found != expected} == set()
    assert len(expected) <= wish.get("limit", 120)
    assert {int(cells[identity]) % 5 for cells in expected} <= {1, 2, 3, 4}
    for look in FIRST_ROWS.values():
        found = look(shelf, saved)
        few = expected[: len(found)]
        assert comparable(wish["format"], found, identity) == comparable(wish["format"], few, identity)
    format = wish["format"] if wish["format"] in ("json", "ndjson") else "xlsx"
    assert comparable(format, pages(shelf, saved), identity) == comparable(format, expected, identity)


@pytest.mark.parametrize(("asked", "data"), [
    ({"measures": ["count"]}, 120),
    ({"measures": ["count", "max:id"]}, [120, 149]),
    ({"group_by": ["paid"], "measures": ["count"], "sort": ["paid"]},
     [{"key": "false", "value": 55, "label": "false"}, {"key": "true", "value": 54, "label": "true"},
      {"key": None, "value": 11, "label": None}]),
])  # fmt: skip
def test_a_report_is_saved_shown_and_says_what_its_file_says(shelf: Shelf, asked: dict[str, Any], data: Any) -> None:
    saved = shelf.save(name="Report", dataset="people", format="ndjson", **asked)
    assert shelf.ask("PATCH", f"/{saved['id']}", json={"name": "Again"}).status_code == 200
    answer = shelf.ask("GET", f"/{saved['id']}/result")
    assert (answer.status_code, answer.json()) == (200, {"data": data})
    ways = [run(shelf, saved), download(shelf, saved), preview(shelf, saved)]
    rows = [[each["value"]] for each in data] if "group_by" in asked else [data if isinstance(data, list) else [data]]
    assert [[each[len(asked.get("group_by", [])) :] for each in found] for found in ways] == [rows] * 3


def test_a_definition_of_rows_has_no_result(shelf: Shelf) -> None:
    saved = shelf.save(name="Rows", dataset="people")
    assert "result" not in saved["links"]
    assert shelf.ask("GET", f"/{saved['id']}/result").status_code == 422
