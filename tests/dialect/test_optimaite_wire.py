"""Optimaite's clients on the wire: requests as its page shows them at the hours it shows, and what was answered.

`CONFIG_ID` and `TOKEN` stand for those of the answer before.
"""

import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest

from dialect.conftest import Demo

WIRE = json.loads((Path(__file__).parent / "wire/optimaite.json").read_text("utf-8"))
CONFIGS = "/api/v1/exports/configs"
MADE_UP = {"CONFIG_ID": r"exp_[0-9A-Z]{26}", "TOKEN": r"exp_tok_[0-9A-Za-z]{36}"}


@dataclass
class Client:
    """Sends what was recorded, with the ids and tokens it was given."""

    demo: Demo
    given: dict[str, str] = field(default_factory=dict)

    def send(self, step: dict[str, Any]) -> httpx2.Response:
        """The answer to a recorded request."""
        if "at" in step:
            self.demo.clock.at = datetime.fromisoformat(step["at"])
        method, _, path = step["request"].partition(" ")
        for name, text in self.given.items():
            path = path.replace(name, text)
        key = step.get("key", "admin")
        headers = {"Authorization": f"Bearer {self.demo.keys[key]}"} if key else {}
        return self.demo.client.request(method, path, headers=headers, json=step.get("body"))

    def check(self, step: dict[str, Any]) -> None:
        """Send it, and compare what was answered to what was recorded, the order of keys too."""
        answer = self.send(step)
        assert answer.status_code == step["status"], answer.text
        assert {name: answer.headers[name] for name in step.get("headers", {})} == step.get("headers", {})
        assert int(answer.headers["x-ratelimit-limit"]) > int(answer.headers["x-ratelimit-remaining"]) >= 0
        assert int(answer.headers["x-ratelimit-reset"]) > 1_700_000_000
        if "answer" in step:
            assert json.dumps(json.loads(self.learn(answer.text)), indent=1) == json.dumps(step["answer"], indent=1)
        if "code" in step:
            assert list(answer.json()) == ["error"]
            assert (answer.json()["error"]["code"], list(answer.json()["error"])) == (step["code"], ["code", "message"])
        if "text" in step:
            assert answer.text == step["text"]

    def learn(self, text: str) -> str:
        """The text with its ids and tokens under the names that recordings have for them."""
        for name, pattern in MADE_UP.items():
            found = re.search(pattern, text)
            if found:
                self.given[name] = found[0]
                text = text.replace(found[0], name)
        return text


@pytest.fixture
def client(demo: Demo) -> Client:
    return Client(demo)


def play(client: Client, story: str) -> None:
    for step in WIRE[story]:
        client.check(step)


def test_the_configuration_of_the_page_looks_as_it_shows(client: Client) -> None:
    play(client, "the configuration of the page")


def test_the_requests_of_the_page_are_answered_as_it_shows(client: Client) -> None:
    play(client, "its life")


@pytest.mark.parametrize("step", WIRE["errors"], ids=lambda step: step["name"])
def test_every_error_of_the_page_has_its_status_and_code(client: Client, step: dict[str, Any]) -> None:
    client.check(step)
    assert step["code"] == step["name"].partition(":")[0]


def test_the_example_row_of_the_page_is_among_its_42(demo: Demo) -> None:
    (executed,) = (step["answer"] for step in WIRE["its life"] if step["name"] == "execute as json")
    assert executed["meta"] == {"config_id": "CONFIG_ID", "executed_at": "2026-05-27T09:00:00Z", "row_count": 42}
    assert len(executed["data"]) == 42
    row = {"invoice_number": "RE-2026-042", "case_name": "Smith v. Jones", "total_gross": 2677.50}
    assert row in executed["data"]


def test_the_demo_has_the_configuration_under_the_id_of_the_page(demo: Demo) -> None:
    headers = {"Authorization": f"Bearer {demo.keys['admin']}"}
    found = demo.client.get(f"{CONFIGS}/exp_01ABCDEFG", headers=headers).json()
    shown = WIRE["the configuration of the page"][-1]["answer"]
    changing = {name: found[name] for name in ("last_executed_at", "created_at")}
    assert found == shown | changing | {"id": "exp_01ABCDEFG"}
    assert found in demo.client.get(CONFIGS, headers=headers).json()["data"]
