"""Rebilly's clients on the wire: recorded requests at the hours they were sent, and what was answered, to the letter.

The first story is the page's own object, field by field. `HOST` stands for the service, `UUID_1` and so on for
the ids it made in their order, `SIGNED` for the query of a signed link.
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

WIRE: dict[str, list[dict[str, Any]]] = json.loads((Path(__file__).parent / "wire/rebilly.json").read_text("utf-8"))
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
SIGNED = re.compile(r"\?expires=\d+&maker=[\w-]+&key=\w+&signature=[\w-]{43}")


@dataclass
class Client:
    """Sends what was recorded; `given` are the names of the ids it has seen."""

    demo: Demo
    given: dict[str, str] = field(default_factory=dict)

    def send(self, step: dict[str, Any]) -> httpx2.Response:
        """The answer to a recorded request; `run` first runs what is in the queue."""
        if "at" in step:
            self.demo.clock.at = datetime.fromisoformat(step["at"])
        if step.get("run"):
            self.demo.run()
        method, _, path = step["request"].partition(" ")
        for id_, name in self.given.items():
            path = path.replace(name, id_)
        headers = dict(step.get("headers", {"REB-APIKEY": "admin"}))
        for name, value in headers.items():
            headers[name] = re.sub(r"\b(admin|reader|none|globex)\b", lambda match: self.demo.keys[match[0]], value)
        sent = {"content": step["content"]} if "content" in step else {"json": step["body"]} if "body" in step else {}
        return self.demo.client.request(method, path, headers=headers, **sent)

    def play(self, step: dict[str, Any]) -> httpx2.Response:
        """Send it, and compare what was answered to what was recorded, the order of keys too."""
        answer = self.send(step)
        assert answer.status_code == step["status"], answer.text
        found = self.plain(answer.text)
        assert {name: self.plain(answer.headers[name]) for name in step.get("answered", {})} == step.get("answered", {})
        assert int(answer.headers["x-ratelimit-limit"]) > int(answer.headers["x-ratelimit-remaining"]) >= 0
        if "answer" in step:
            assert answer.headers["content-type"] == "application/json"
            assert json.dumps(json.loads(found), indent=1) == json.dumps(step["answer"], indent=1)
        if "text" in step:
            assert answer.text == step["text"]
        return answer

    def plain(self, text: str) -> str:
        """The text with what the service made up under the names that recordings have for it."""
        for id_ in UUID.findall(text):
            self.given.setdefault(id_, f"UUID_{len(self.given) + 1}")
        for id_, name in self.given.items():
            text = text.replace(id_, name)
        return SIGNED.sub("?SIGNED", text.replace(self.demo.site.url, "HOST"))


@pytest.fixture
def client(demo: Demo) -> Client:
    return Client(demo)


@pytest.mark.parametrize("story", WIRE)
def test_every_recorded_request_gets_its_answer(client: Client, story: str) -> None:
    for step in WIRE[story]:
        client.play(step)
