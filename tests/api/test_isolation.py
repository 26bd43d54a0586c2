"""Whatever a key of globex asks for, in whatever way, it never meets a row of acme. On real SQLite and PostgreSQL."""

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from examples import examples
from offtake.model.dataset import Dataset, Field, FieldType
from offtake.model.filter import Operator
from offtake.model.limits import Limits
from offtake.model.ports import SourceSpec
from offtake.source import open_source
from servers import Postgres
from sites import Site, bearer, make_key, make_runtime, serve

TYPES = {
    "id": FieldType.INTEGER,
    "tenant": FieldType.STRING,
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
# Everything about an acme row gives it away; so do rows of nobody and of names that only look like globex.
NAMES_HERE = ["Ann", "Bo%b", "O'Hara", "", None, "x_y", 'say "hi"', "back\\slash", "Ünï"]
MINE = [
    (n, "globex", name, n / 4, n % 2 == 0, f"2026-05-{n + 1:02} 10:00:00", f"2026-05-{n + 1:02}")
    for n, name in enumerate(NAMES_HERE)
]
OTHERS = [
    (7_000_000 + n, tenant, f"ACMEROW{n}", 7_000_000.5 + n, True, "1977-01-01 00:00:00", "1977-01-01")
    for n, tenant in enumerate(["acme", "acme", "Globex", "globex ", "", None, "%", "globex' OR '1'='1"])
]
IDS = {row[0] for row in MINE}

HOSTILE = [
    "acme", "globex", "ACMEROW0", "%", "_", "\\", "'", '"', "' OR 1=1 --", "globex' OR tenant = 'acme", ":tenant_1",
    "%(tenant)s", "%s", "$1", "?", "; DROP TABLE people", "\x00", "{}", "/*", "*/", "😀", "7000000", "1977-01-01",
]  # fmt: skip
TEXTS = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=12))
NAMES = st.one_of(st.sampled_from(list(TYPES)), st.sampled_from([*HOSTILE, "people.tenant", 'id" OR 1=1 --']))
VALUES = st.one_of(
    TEXTS, st.integers(), st.sampled_from([7_000_000, 0, 1]), st.floats(allow_nan=False), st.booleans(), st.none()
)
OPERATORS = st.sampled_from([*Operator, "isNot", "or", "="])
CONDITIONS = st.one_of(
    st.fixed_dictionaries({"field": NAMES, "op": OPERATORS, "value": VALUES}),
    st.fixed_dictionaries({"field": NAMES, "op": OPERATORS, "values": st.lists(VALUES, max_size=3)}),
    st.fixed_dictionaries({"field": st.just("name"), "op": OPERATORS, "value": TEXTS}),
    st.fixed_dictionaries({"field": st.just("tenant"), "op": OPERATORS, "value": TEXTS}),
)
FILTERS = st.recursive(
    CONDITIONS,
    lambda inner: st.one_of(
        st.fixed_dictionaries({"or": st.lists(inner, max_size=3)}),
        st.fixed_dictionaries({"and": st.lists(inner, max_size=3)}),
        st.fixed_dictionaries({"not": inner}),
    ),
    max_leaves=5,
)
DATES = st.sampled_from(["1900-01-01", "1977-01-01", "2026-05-03", "today", "3 days ago", "9999-12-31", "' OR 1=1"])
BODIES = st.fixed_dictionaries(
    {},
    optional={
        "fields": st.lists(st.sampled_from(list(TYPES)), min_size=1, max_size=7, unique=True),
        "filter": FILTERS,
        "sort": st.lists(st.tuples(st.sampled_from(["", "-"]), NAMES).map("".join), max_size=3),
        "q": TEXTS,
        "date_range": st.fixed_dictionaries({}, optional={"from": DATES, "to": DATES, "field": NAMES}),
        "limit": st.integers(1, 20),
        "timezone": st.sampled_from(["UTC", "Asia/Kathmandu", "America/Santiago"]),
        "filename": TEXTS,
    },
)
MINIS = st.one_of(TEXTS, st.builds("{}:{}".format, NAMES, TEXTS), st.builds("{}:..{};{}".format, NAMES, TEXTS, TEXTS))
QUIET = settings(examples(100), suppress_health_check=list(HealthCheck))


@dataclass(frozen=True)
class Globex:
    """A client with the key of globex."""

    client: httpx2.Client

    def post(self, what: str, body: dict[str, Any]) -> httpx2.Response:
        """Post to a route of the dataset; anything but an answer or a refusal is a failure."""
        # Python's JSON, unlike the client's, also writes Infinity: servers meet worse.
        content, kind = json.dumps(body), {"Content-Type": "application/json"}
        answer = self.client.post(f"/api/v1/datasets/people/{what}", content=content, headers=kind)
        assert answer.status_code in (200, 422), answer.text
        return answer


def fill_sqlite(home: Path) -> str:
    """A SQLite file with the table; its URL."""
    with sqlite3.connect(home / "people.db") as connection:
        connection.execute(CREATE)
        connection.executemany("INSERT INTO people VALUES (?, ?, ?, ?, ?, ?, ?)", [*MINE, *OTHERS])
    return f"sqlite:///{home}/people.db"


def fill_postgres(url: str) -> str:
    """The same in PostgreSQL."""
    with psycopg.connect(url) as connection:
        connection.execute(CREATE)  # type: ignore[arg-type]
        connection.cursor().executemany("INSERT INTO people VALUES (%s, %s, %s, %s, %s, %s, %s)", [*MINE, *OTHERS])
    return url


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, str]]:
    """A service over each database, with a key of globex."""
    home = tmp_path_factory.mktemp("home")
    if request.param == "sqlite":
        yield from served(home, fill_sqlite(home))
        return
    server: Postgres = request.getfixturevalue("postgres")
    with server.database() as url:
        yield from served(home, fill_postgres(url))


def served(home: Path, url: str) -> Iterator[tuple[Site, str]]:
    """The table at that URL, served."""
    source = open_source(SourceSpec("real", url))
    runtime = make_runtime(home, {"real": source}, PEOPLE, limits=Limits(rate=""))
    secret = make_key(runtime, tenant="globex")
    with serve(runtime) as running:
        yield running, secret


@pytest.fixture
def globex(site: tuple[Site, str]) -> Iterator[Globex]:
    """A client of the service."""
    running, secret = site
    with httpx2.Client(base_url=running.url, headers=bearer(secret), timeout=30) as client:
        yield Globex(client)


def test_globex_sees_all_of_its_own(globex: Globex) -> None:
    rows = globex.post("download", {"format": "ndjson"}).text.splitlines()
    assert {json.loads(row)["id"] for row in rows} == IDS


@QUIET
@given(body=BODIES)
def test_no_wish_brings_another_tenants_row_into_a_file(globex: Globex, body: dict[str, Any]) -> None:
    if "fields" in body:
        body = {**body, "fields": list(dict.fromkeys(["id", *body["fields"]]))}
    answer = globex.post("download", {**body, "format": "ndjson"})
    if answer.status_code == 200:
        rows = [json.loads(line) for line in answer.text.splitlines()]
        assert {row["id"] for row in rows} <= IDS
        assert "ACMEROW" not in answer.text
        assert "1977" not in answer.text


@QUIET
@given(body=BODIES, format=st.sampled_from(["csv", "json"]))
def test_no_wish_previews_or_counts_another_tenants_rows(globex: Globex, body: dict[str, Any], format: str) -> None:
    preview = globex.post("preview", {**body, "format": format})
    count = globex.post("count", body)
    assert preview.status_code == count.status_code
    if preview.status_code == 200:
        shown = preview.json()
        assert max(len(shown["data"]), shown["total"], count.json()["matched"]) <= len(IDS)
        assert "ACMEROW" not in preview.text
        assert len(shown["data"]) == shown["total"]


@QUIET
@given(filter=MINIS, q=TEXTS, sort=NAMES, fields=NAMES)
def test_no_query_string_brings_another_tenants_row(
    globex: Globex, filter: str, q: str, sort: str, fields: str
) -> None:
    params = {"filter": filter, "q": q, "sort": sort, "fields": fields}
    for used in ({"filter": filter}, {"q": q, "sort": sort}, {"fields": fields}, params):
        answer = globex.client.get("/api/v1/datasets/people/download", params=used)
        assert answer.status_code in (200, 422), answer.text
        if answer.status_code == 200:
            assert not [mark for mark in ("ACMEROW", "7000000", "1977") if mark in answer.text]
