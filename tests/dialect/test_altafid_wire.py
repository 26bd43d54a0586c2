"""Altafid on the wire: the requests of its page, and those that meet its errors, with what was answered, to the letter.

`YOUR_TOKEN` and `YOUR_TENANT_UUID` stand for the demo's; of a file its number of rows and its first ones are kept.
"""

import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import openpyxl
import pytest

from dialect.conftest import Demo

WIRE = json.loads((Path(__file__).parent / "wire/altafid.json").read_text("utf-8"))
NOW = datetime(2026, 5, 31, 18, 0, 0, 250_000, tzinfo=UTC)


def ask(demo: Demo, recorded: dict[str, Any]) -> httpx2.Response:
    method, _, path = recorded["request"].partition(" ")
    real = {"YOUR_TOKEN": demo.keys["admin"], "YOUR_TENANT_UUID": demo.tenant_uuid}
    headers = recorded["headers"]
    for placeholder, value in real.items():
        headers = {name: text.replace(placeholder, value) for name, text in headers.items()}
    return demo.client.request(method, path, headers=headers, json=recorded["body"])


def shown(answer: httpx2.Response, rows: int) -> dict[str, Any]:
    """The answer as it is recorded; of a file so many rows."""
    kept = {name: answer.headers[name] for name in ("content-type", "content-disposition") if name in answer.headers}
    if answer.headers["content-type"] == "application/json":
        return {"status": answer.status_code, "headers": kept, "body": answer.json()}
    if answer.headers["content-type"].startswith("text/csv"):
        lines = list(csv.reader(io.StringIO(answer.text, newline="")))
    else:
        sheet = openpyxl.load_workbook(io.BytesIO(answer.content)).worksheets[0]
        lines = [[str(value) for value in row] for row in sheet.iter_rows(values_only=True)]
    return {"status": answer.status_code, "headers": kept, "rows": len(lines) - 1, "first": lines[:rows]}


@pytest.mark.parametrize("recorded", WIRE, ids=lambda each: each["name"])
def test_every_recorded_request_of_altafid_gets_its_answer(demo: Demo, recorded: dict[str, Any]) -> None:
    demo.clock.at = NOW
    assert shown(ask(demo, recorded), 4) == recorded["answer"]


def test_every_answer_of_altafid_says_what_is_left_of_the_limit(demo: Demo) -> None:
    for recorded in WIRE[-3:]:
        headers = ask(demo, recorded).headers
        assert headers["x-request-id"]
        assert int(headers["x-ratelimit-limit"]) >= int(headers["x-ratelimit-remaining"]) >= 0
