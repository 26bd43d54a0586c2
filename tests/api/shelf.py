"""Where tests keep definitions over HTTP: a desk whose requests go below `/definitions`."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx2

from api.desk import Desk, open_desk
from offtake.model.dataset import Dataset
from offtake.service.runtime import Runtime

DEFINITIONS = "/api/v1/definitions"
WRITER = ("reports:read", "reports:write")


@dataclass(frozen=True)
class Shelf:
    """One key's side of the service. `datasets` are its settings, which tests may change behind its back."""

    desk: Desk
    datasets: dict[str, Dataset]

    def holding(self, *scopes: str, tenant: str = "acme") -> "Shelf":
        """The same with a new key."""
        return replace(self, desk=self.desk.holding(*scopes, tenant=tenant))

    def own(self) -> "Shelf":
        """One for a new test: with its own key that may write, at the usual time, with nothing in the queue."""
        return replace(self, desk=self.desk.own().holding(*WRITER))

    def ask(self, method: str, path: str = "", **more: Any) -> httpx2.Response:
        """A request below `/definitions`."""
        headers = self.desk.headers | more.pop("headers", {})
        return self.desk.client.request(method, f"{self.desk.site.url}{DEFINITIONS}{path}", headers=headers, **more)

    def save(self, **body: Any) -> dict[str, Any]:
        """A new definition, of `numbers` unless it says otherwise."""
        whole = {"name": "All numbers", **({} if "members" in body else {"dataset": "numbers"}), **body}
        answer = self.ask("POST", json=whole)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    def read(self, id_: str) -> dict[str, Any]:
        """The definition as it is shown."""
        shown: dict[str, Any] = self.ask("GET", f"/{id_}").json()
        return shown


@contextmanager
def open_shelf(home: Path) -> Iterator[Shelf]:
    """A shelf with a key that may write."""
    datasets: dict[str, Dataset] = {}

    def configure(runtime: Runtime) -> Runtime:
        datasets.update(runtime.datasets)
        return replace(runtime, datasets=datasets)

    with open_desk(home, configure) as desk:
        yield Shelf(desk.holding(*WRITER), datasets)
