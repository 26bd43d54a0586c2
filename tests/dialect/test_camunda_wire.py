"""Camunda Optimize on the wire: requests as its page shows them, and what was answered, to the letter.

`mySecret` stands for the key, and the page's searchRequestId for the one of the answer before.
"""

import json
import re
from pathlib import Path
from typing import Any

import httpx2
import pytest

from dialect.conftest import Demo

WIRE = json.loads((Path(__file__).parent / "wire/camunda.json").read_text("utf-8"))
SECRET, SEARCH = "mySecret", "FGluY2x1ZGVfY29udGV4dF91dWlkDXF1ZXJ"


def ask(demo: Demo, recorded: dict[str, Any], search_id: str = "") -> httpx2.Response:
    def real(text: str) -> str:
        return re.sub(rf"\b{SECRET}\b", demo.keys["admin"], text)

    method, _, path = real(recorded["request"]).partition(" ")
    headers = {name: real(value) for name, value in recorded.get("headers", {}).items()}
    return demo.client.request(method, path.replace(SEARCH, search_id), headers=headers, json=recorded.get("body"))


def check(answer: httpx2.Response, recorded: dict[str, Any]) -> None:
    assert (answer.status_code, answer.headers["content-type"]) == (recorded["status"], "application/json")
    found = answer.json()
    if "searchRequestId" in recorded["answer"]:
        assert found["searchRequestId"].strip()
        found["searchRequestId"] = SEARCH
    assert json.dumps(found) == json.dumps(recorded["answer"])  # the order of the keys too


def test_the_page_of_records_is_answered_as_it_shows(demo: Demo) -> None:
    first = ask(demo, WIRE[0])
    check(first, WIRE[0])
    check(ask(demo, WIRE[1], first.json()["searchRequestId"]), WIRE[1])


@pytest.mark.parametrize("recorded", WIRE[2:], ids=lambda each: each["name"])
def test_every_recorded_request_gets_its_answer(demo: Demo, recorded: dict[str, Any]) -> None:
    check(ask(demo, recorded), recorded)


def test_every_answer_has_a_request_id_and_what_is_left_of_the_limit(demo: Demo) -> None:
    for recorded in WIRE[2:]:
        headers = ask(demo, recorded).headers
        assert headers["x-request-id"]
        assert headers["cache-control"] in ("no-store", "private, no-store")
        if recorded["status"] != 401:
            assert int(headers["x-ratelimit-limit"]) > int(headers["x-ratelimit-remaining"]) >= 0
