"""How tests ask Rebilly's API: as one key of the demo, at the prefix without an organization."""

from dataclasses import dataclass
from typing import Any

import httpx2

from dialect.conftest import Demo

SEEDED = "foobar-001"
BODY = {"name": "x", "resource": "disputes", "format": "csv", "fields": ["id"]}


@dataclass(frozen=True)
class Biller:
    """One key's side of the API; no key is sent if it is empty."""

    demo: Demo
    key: str = "admin"

    def ask(self, method: str, path: str, **more: Any) -> httpx2.Response:
        """The answer to a request."""
        headers = {"REB-APIKEY": self.demo.keys.get(self.key, self.key)} if self.key else {}
        return self.demo.client.request(method, path, headers=headers | more.pop("headers", {}), **more)

    def queue(self, **body: Any) -> dict[str, Any]:
        """A new export, of the ids of disputes unless the body says otherwise."""
        answer = self.ask("POST", "/data-exports", json=BODY | body)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    def put(self, id_: str, **body: Any) -> httpx2.Response:
        """The answer to such an export under that id."""
        return self.ask("PUT", f"/data-exports/{id_}", json=BODY | body)

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
        answer = self.ask("GET", f"/files/{export['fileId']}/download")
        assert answer.status_code == 200, answer.text
        return answer

    def rows(self, export: dict[str, Any]) -> list[str]:
        """The lines of its file."""
        return self.file(export).text.splitlines()

    def listed(self, **query: str) -> list[dict[str, Any]]:
        """The exports that were made in this test and meet the query."""
        answer = self.ask("GET", "/data-exports", params=query)
        assert answer.status_code == 200, answer.text
        return [each for each in answer.json() if each["id"] != SEEDED]

    def wrong(self, **body: Any) -> list[str]:
        """Which fields of such an export are invalid."""
        answer = self.ask("POST", "/data-exports", json=BODY | body)
        assert answer.status_code == 422, answer.text
        return [each["field"] for each in answer.json()["invalidFields"]]

    def clear(self) -> None:
        """Delete what was made."""
        for each in self.listed(limit="1000"):
            assert self.ask("DELETE", f"/data-exports/{each['id']}").status_code == 204


def links(thing: dict[str, Any]) -> dict[str, str]:
    """Its links by their rel."""
    return {link["rel"]: link["href"] for link in thing["_links"]}
