"""Where tests share things over HTTP: real rows with a masked field, and `numbers`, whose source only thinks."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx2

from api.desk import Clock, run_turns
from offtake.model.dataset import Dataset, Field, FieldType, Mask
from offtake.model.limits import Limits
from offtake.model.ports import SourceSpec
from offtake.service.runtime import Runtime
from offtake.source import open_source
from sites import NOW, NUMBERS, FakeSource, Site, bearer, make_key, make_runtime, serve, silent

PEOPLE = Dataset(
    "people",
    "real",
    label="People",
    table="people",
    tenant_column="tenant",
    key=("id",),
    fields=(
        Field("id", FieldType.INTEGER, "id", "Id"),
        Field("name", FieldType.STRING, "name", "Name"),
        Field("mail", FieldType.STRING, "mail", "Mail", mask=Mask.LAST4, unless_scope="pii:read"),
    ),
)
# What opens it also lifts its mask: only for a share it does not.
WAGES = replace(
    PEOPLE,
    name="wages",
    scopes=frozenset({"wages:read"}),
    fields=(*PEOPLE.fields[:2], replace(PEOPLE.fields[2], unless_scope="wages:read")),
)
ROWS = [
    (1, "acme", "Ann", "ann@acme.example"),
    (2, "acme", "Bob", "bob@acme.example"),
    (3, "globex", "Zoe", "z@g.example"),
]
MASKED = "id,name,mail\n1,Ann,****mple\n2,Bob,****mple\n"
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"}
EVERYTHING = ("reports:read", "reports:write")


@dataclass(frozen=True)
class Counter:
    """One key's side of the service, and everybody's who has a token."""

    runtime: Runtime
    site: Site
    clock: Clock
    client: httpx2.Client
    headers: dict[str, str]

    def holding(self, *scopes: str, tenant: str = "acme") -> "Counter":
        """The same with a new key."""
        return replace(self, headers=bearer(make_key(self.runtime, *scopes, tenant=tenant)))

    def ask(self, method: str, path: str, **more: Any) -> httpx2.Response:
        """A request below `/api/v1` with the key."""
        return self.client.request(method, f"{self.site.url}/api/v1{path}", headers=self.headers, **more)

    def define(self, dataset: str = "people", **request: Any) -> str:
        """The id of a new definition."""
        answer = self.ask("POST", "/definitions", json={"name": "Our people", "dataset": dataset, **request})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def export(self, dataset: str = "people", **request: Any) -> str:
        """The id of an export that has run."""
        answer = self.ask("POST", "/exports", json={"dataset": dataset, **request})
        assert answer.status_code == 202, answer.text
        run_turns(self.runtime)
        return str(answer.json()["id"])

    def share(self, thing: str, **bounds: Any) -> dict[str, Any]:
        """A share of `definitions/ID` or `exports/ID`, made."""
        answer = self.ask("POST", f"/{thing}/shares", json=bounds)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    def listed(self, path: str = "/shares") -> list[dict[str, Any]]:
        """The shares that are listed there."""
        found: list[dict[str, Any]] = self.ask("GET", path).json()["data"]
        return found

    def get(self, url: str, method: str = "GET", **headers: str) -> httpx2.Response:
        """What anybody gets there, without a key."""
        return self.client.request(
            method, url, headers={name.replace("_", "-"): text for name, text in headers.items()}
        )


@contextmanager
def open_counter(
    home: Path,
    *,
    database: str = "",
    limits: Limits | None = None,
    change: Callable[[Runtime], Runtime] = lambda runtime: runtime,
) -> Iterator[Counter]:
    """A counter with a key that may read and write reports; `change` has the last word on its runtime."""
    with sqlite3.connect(home / "people.db") as connection:
        connection.execute("CREATE TABLE people (id INTEGER PRIMARY KEY, tenant TEXT, name TEXT, mail TEXT)")
        connection.executemany("INSERT INTO people VALUES (?, ?, ?, ?)", ROWS)
    clock = Clock(NOW)
    sources = {"real": open_source(SourceSpec("real", f"sqlite:///{home}/people.db")), "fake": FakeSource(silent)}
    datasets = (PEOPLE, WAGES, NUMBERS)
    runtime = change(make_runtime(home, sources, *datasets, now=clock, database=database, limits=limits))
    with serve(runtime) as site, httpx2.Client(timeout=30) as client:
        yield Counter(runtime, site, clock, client, {}).holding(*EVERYTHING)


def uses(counter: Counter, share: dict[str, Any]) -> int:
    """How often the share was used, as the list says."""
    return next(int(each["uses"]) for each in counter.listed() if each["id"] == share["id"])
