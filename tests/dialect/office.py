"""Where tests keep Optimaite's export configurations: each key's side of the served demo."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import httpx2

from dialect.conftest import Demo
from offtake.dialect.optimaite.shapes import native_id

CONFIGS = "/api/v1/exports/configs"
MAY = {"date_from": "2026-05-01", "date_to": "2026-05-31"}
COLUMNS = [{"field": "invoice_number", "label": "Invoice #"}, {"field": "status", "label": "State"}]
NOON = datetime(2026, 5, 27, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Office:
    """Somebody with a key; None = with none."""

    demo: Demo
    key: str | None = "admin"

    def holding(self, key: str | None) -> "Office":
        """The same with another key of demo.json."""
        return replace(self, key=key)

    def ask(self, method: str, path: str = "", **more: Any) -> httpx2.Response:
        """A request below the configurations, or to a path of its own."""
        headers = {"Authorization": f"Bearer {self.demo.keys[self.key]}"} if self.key else {}
        url = path if path.startswith("/api/") else f"{CONFIGS}{path}"
        return self.demo.client.request(method, url, headers=headers | more.pop("headers", {}), **more)

    def create(self, **body: Any) -> dict[str, Any]:
        """A new configuration of invoices, as JSON unless it says otherwise."""
        whole = {"name": "Ours", "source": "invoices", "columns": COLUMNS, "filters": MAY, **body}
        return self.told(self.ask("POST", json=whole), 201)

    def rows(self, **body: Any) -> list[dict[str, Any]]:
        """The rows of a new configuration."""
        executed = self.told(self.ask("GET", f"/{self.create(**body)['id']}/execute"))
        assert executed["meta"]["row_count"] == len(executed["data"])
        return list(executed["data"])

    def refused(self, **body: Any) -> str:
        """The code that a body is refused with."""
        whole = {"name": "Ours", "source": "invoices", **body}
        return self.code(self.ask("POST", json=whole), 400)

    def token(self, config: dict[str, Any], **body: Any) -> str:
        """A new token for the configuration."""
        return str(self.told(self.ask("POST", f"/{config['id']}/generate-token", json=body), 201)["token"])

    def retrieve(self, config: dict[str, Any], token: str, method: str = "GET") -> httpx2.Response:
        """What anybody gets who has the token."""
        return self.holding(None).ask(method, f"/{config['id']}/retrieve", params={"token": token})

    @staticmethod
    def told(answer: httpx2.Response, status: int = 200) -> dict[str, Any]:
        assert answer.status_code == status, answer.text
        found: dict[str, Any] = answer.json()
        return found

    @staticmethod
    def code(answer: httpx2.Response, status: int) -> str:
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/json"
        (error,) = answer.json().values()
        assert error["message"]
        return str(error["code"])

    def schedules(self, config: dict[str, Any]) -> list[dict[str, Any]]:
        """Those that the native API lists for the configuration."""
        path = "/api/v1/schedules"
        listed = self.told(self.ask("GET", path, params={"definition_id": native_id(config["id"])}))
        return list(listed["data"])
