"""Exelensia's clients on the wire: the page's curl lines in their order, and what they are answered, key by key."""

import csv
import io
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from dialect.conftest import Demo

SCHEMA = "019760a0-0001-7000-8000-000000000001"
FINISHED = "019760a0-0050-7000-8000-000000000050"
JANUARY = {"schema_id": SCHEMA, "start_date": "2024-01-01T00:00:00.000Z", "end_date": "2024-01-31T23:59:59.999Z"}
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
KEYS = ["id", "schema_id", "status", "start_date", "end_date", "expand_array", "createdAt", "updatedAt"]
FIELDS = ["vendor", "invoice_number", "invoice_date", "currency", "total", "paid"]


def ask(demo: Demo, method: str, path: str = "", key: str = "admin", **more: Any) -> httpx2.Response:
    """A request below `/v1/exports`."""
    return demo.client.request(method, f"/v1/exports{path}", headers={"x-api-key": demo.keys[key]}, **more)


def check_export(shown: dict[str, Any], status: str) -> None:
    assert list(shown) == KEYS
    assert (shown["schema_id"], shown["status"], shown["expand_array"]) == (SCHEMA, status, None)
    assert (shown["start_date"], shown["end_date"]) == (JANUARY["start_date"], JANUARY["end_date"])
    assert INSTANT.fullmatch(shown["createdAt"])
    assert INSTANT.fullmatch(shown["updatedAt"])
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", shown["id"])


def read(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def test_the_pages_calls_are_answered_as_it_shows(demo: Demo) -> None:
    made = ask(demo, "POST", json=JANUARY)
    assert (made.status_code, made.headers["content-type"]) == (201, "application/json")
    check_export(made.json(), "PENDING")
    own = f"/{made.json()['id']}"
    early = ask(demo, "GET", f"{own}/download")
    assert (early.status_code, early.json()["statusCode"], early.json()["error"]) == (409, 409, "Conflict")
    assert early.json()["message"].startswith("Export is not yet completed")
    demo.run()

    listed = ask(demo, "GET", "?page=1&limit=20")
    assert (listed.status_code, list(listed.json())) == (200, ["data", "meta"])
    assert list(listed.json()["meta"]) == ["page", "limit", "total", "totalPages"]
    check_export(listed.json()["data"][0], "COMPLETED")

    told = ask(demo, "GET", f"{own}/download")
    assert (told.status_code, list(told.json())) == (200, ["url"])
    url = urlsplit(told.json()["url"])
    assert url.path.endswith(".csv")
    assert set(parse_qs(url.query)) == {"token", "expires"}
    assert abs(int(parse_qs(url.query)["expires"][0]) - demo.runtime.now().timestamp() - 900) < 60
    file = demo.client.get(told.json()["url"])
    assert file.headers["content-type"].startswith("text/csv")
    header, *rows = read(file.text)
    assert header == ["result_id", "file_id", "created_at", *FIELDS, "line_items"]
    assert len(rows) == 102
    assert all(INSTANT.fullmatch(row[2]) and row[2] < "2024-02" for row in rows)
    assert [row[2] for row in rows] == sorted(row[2] for row in rows)

    gone = ask(demo, "DELETE", own)
    assert (gone.status_code, gone.json()) == (200, {"message": "Export deleted successfully"})
    for again in (ask(demo, "DELETE", own), ask(demo, "GET", f"{own}/download"), ask(demo, "GET", own)):
        assert again.status_code == 404
        assert again.json()["message"].startswith("Export not found")
    assert demo.client.get(told.json()["url"]).status_code in (403, 410)


def test_the_finished_export_of_the_page_is_there(demo: Demo) -> None:
    check_export(ask(demo, "GET", f"/{FINISHED}").json(), "COMPLETED")
    file = demo.client.get(ask(demo, "GET", f"/{FINISHED}/download").json()["url"])
    assert len(read(file.text)) == 103


def test_rate_limits_are_told(demo: Demo) -> None:
    headers = ask(demo, "GET").headers
    assert int(headers["x-ratelimit-limit"]) > int(headers["x-ratelimit-remaining"]) >= 0


@pytest.mark.parametrize("key", [None, "ofk_wrong"])
def test_without_a_good_key_it_is_401(demo: Demo, key: str | None) -> None:
    headers = {} if key is None else {"x-api-key": key}
    for method, path in (("POST", ""), ("GET", ""), ("GET", f"/{FINISHED}/download"), ("DELETE", f"/{FINISHED}")):
        answer = demo.client.request(method, f"/v1/exports{path}", headers=headers)
        assert (answer.status_code, answer.json()["statusCode"]) == (401, 401)
        assert list(answer.json()) == ["statusCode", "message", "error"]
