"""Rebilly's data exports: what clients may rely on beyond the recorded answers."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from dialect.conftest import Demo

PREFIXES = (
    "",
    "/experimental",
    "/organizations/acme",
    "/experimental/organizations/acme",
    "/organizations/acme/experimental",
)
BODY = {"name": "x", "resource": "disputes", "format": "csv", "fields": ["id"]}


@dataclass(frozen=True)
class Client:
    """One key's side of the API."""

    demo: Demo
    key: str = "admin"

    def ask(self, method: str, path: str, **more: Any) -> httpx2.Response:
        headers = {"REB-APIKEY": self.demo.keys[self.key]} if self.key else {}
        return self.demo.client.request(method, path, headers=headers | more.pop("headers", {}), **more)

    def queue(self, **body: Any) -> dict[str, Any]:
        """A new export."""
        answer = self.ask("POST", "/data-exports", json=BODY | body)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    def get(self, id_: str, **query: str) -> dict[str, Any]:
        """The export as it is."""
        found: dict[str, Any] = self.ask("GET", f"/data-exports/{id_}", params=query).json()
        return found

    def finish(self, **body: Any) -> dict[str, Any]:
        """An export that has been run."""
        made = self.queue(**body)
        self.demo.run()
        return self.get(made["id"])

    def file(self, export: dict[str, Any]) -> httpx2.Response:
        """Its file."""
        return self.ask("GET", f"/files/{export['fileId']}/download")

    def names(self, **query: str) -> list[str]:
        """What a list holds."""
        return [each["name"] for each in self.ask("GET", "/data-exports", params=query).json()]


@pytest.fixture
def client(demo: Demo) -> Iterator[Client]:
    """The administrator's; what a test made is deleted after it."""
    admin = Client(demo)
    yield admin
    for each in admin.ask("GET", "/data-exports?limit=1000").json():
        assert admin.ask("DELETE", f"/data-exports/{each['id']}").status_code == 204


def links(thing: dict[str, Any]) -> dict[str, str]:
    """Its links by their rel."""
    return {link["rel"]: link["href"] for link in thing["_links"]}


@pytest.mark.parametrize("prefix", PREFIXES)
def test_the_api_is_found_at_every_prefix_that_clients_know(client: Client, prefix: str) -> None:
    base = f"{client.demo.site.url}{prefix}/data-exports"
    made = client.ask("POST", f"{prefix}/data-exports/", json=BODY)
    assert made.headers["location"] == f"{base}/{made.json()['id']}" == links(made.json())["self"]
    assert client.ask("GET", f"{prefix}/data-exports?").json() == [made.json()]
    assert client.ask("GET", f"{prefix}/data-exports/{made.json()['id']}").json() == made.json()
    assert client.ask("GET", links(made.json())["user"].removeprefix(client.demo.site.url)).status_code == 200
    assert client.ask("DELETE", f"{prefix}/data-exports/{made.json()['id']}").content == b""
