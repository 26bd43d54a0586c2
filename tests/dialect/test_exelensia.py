"""Exelensia's exports: what they hold, what is refused, who sees them."""

import csv
import io
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from dialect.conftest import Demo
from dialect.test_exelensia_wire import FINISHED, JANUARY, SCHEMA, ask
from offtake.dialect.exelensia.shapes import STATUSES
from offtake.model.job import JobState
from offtake.model.limits import Limits
from sites import FakeSource, few, make_key, make_runtime, serve

GLOBEX_SCHEMA = "019760a0-0001-7000-8000-0000000000a1"
RECEIPTS = "019760a0-0002-7000-8000-000000000002"


def make(demo: Demo, key: str = "admin", **more: Any) -> str:
    """The id of a new export that has run."""
    answer = ask(demo, "POST", key=key, json={**JANUARY, **more})
    assert answer.status_code == 201, answer.text
    demo.run()
    return str(answer.json()["id"])


def rows_of(demo: Demo, export: str, key: str = "admin") -> list[dict[str, str]]:
    url = ask(demo, "GET", f"/{export}/download", key).json()["url"]
    return list(csv.DictReader(io.StringIO(demo.client.get(url).text)))


def test_both_ends_of_the_range_are_included(demo: Demo) -> None:
    first, *_, last = rows_of(demo, FINISHED)
    export = make(demo, start_date=first["created_at"], end_date=last["created_at"])
    assert len(rows_of(demo, export)) == 102
    alone = make(demo, start_date=first["created_at"], end_date=first["created_at"])
    assert [row["result_id"] for row in rows_of(demo, alone)] == [first["result_id"]]


def test_a_bare_date_as_end_covers_its_day(demo: Demo) -> None:
    export = make(demo, start_date="2024-01-01", end_date="2024-01-31")
    assert rows_of(demo, export) == rows_of(demo, FINISHED)
    shown = ask(demo, "GET", f"/{export}").json()
    assert (shown["start_date"], shown["end_date"]) == (JANUARY["start_date"], JANUARY["end_date"])


def test_the_end_of_the_calendar_stands_for_no_end(demo: Demo) -> None:
    whole = rows_of(demo, make(demo, end_date="2025-12-31"))
    for end in ("9999-12-31", "9999-12-31T23:59:59.999Z"):
        export = make(demo, end_date=end)
        assert rows_of(demo, export) == whole
        assert ask(demo, "GET", f"/{export}").json()["end_date"] == "9999-12-31T23:59:59.999Z"
        assert ask(demo, "GET", f"?created_before={end}&search={export}").json()["meta"]["total"] == 1


def test_an_expanded_array_becomes_rows(demo: Demo) -> None:
    export = make(demo, expand_array="line_items")
    rows = rows_of(demo, export)
    items = ["line_items.description", "line_items.quantity", "line_items.unit_price"]
    assert list(rows[0])[-3:] == items
    whole = rows_of(demo, FINISHED)
    assert len(rows) == sum(max(1, len(json.loads(row["line_items"] or "[]"))) for row in whole)
    assert {row["result_id"] for row in rows} == {row["result_id"] for row in whole}
    assert ask(demo, "GET", f"/{export}").json()["expand_array"] == "line_items"


def test_results_that_failed_are_not_exported(demo: Demo) -> None:
    year = {"start_date": "2024-01-01", "end_date": "2024-12-31", "schema_id": GLOBEX_SCHEMA}
    export = make(demo, "globex", **year)
    wish = {"dataset": "extraction_results", "fields": ["id", "status"]}
    headers = {"x-api-key": demo.keys["globex"]}
    native = demo.client.post("/api/v1/datasets/extraction_results/download", headers=headers, json=wish).text
    states = {row["id"]: row["status"] for row in csv.DictReader(io.StringIO(native))}
    succeeded = {id_ for id_, status in states.items() if status == "SUCCESS"}
    assert 0 < len(succeeded) < len(states)
    assert {row["result_id"] for row in rows_of(demo, export, "globex")} == succeeded


def test_a_range_without_results_is_a_header(demo: Demo) -> None:
    export = make(demo, start_date="2019-01-01", end_date="2019-12-31", schema_id=RECEIPTS)
    assert ask(demo, "GET", f"/{export}").json()["status"] == "COMPLETED"
    url = ask(demo, "GET", f"/{export}/download").json()["url"]
    assert demo.client.get(url).text.splitlines() == [
        "result_id,file_id,created_at,vendor,invoice_number,invoice_date,currency,total"
    ]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"schema_id": "nonsense"}, "schema_id: 'nonsense'"),
        ({"schema_id": None}, "schema_id"),
        ({"start_date": "yesterday"}, "start_date: 'yesterday'"),
        ({"start_date": "0001-01-01T00:00:00+14:00"}, "0001"),
        ({"end_date": "9999-12-31T23:59:59-12:00"}, "9999"),
        ({"end_date": "2023-12-31"}, "end_date"),
        ({"expand_array": "vendor"}, "line_items"),
        ({"expand_array": "nothing"}, "line_items"),
        ({"expand_aray": "line_items"}, "expand_array"),
    ],
)
def test_what_is_wrong_with_a_new_export_is_told(demo: Demo, body: dict[str, Any], field: str) -> None:
    answer = ask(demo, "POST", json={**JANUARY, **body})
    assert (answer.status_code, answer.json()["error"]) == (400, "Bad Request")
    assert field in answer.json()["message"]


def test_a_schema_of_nobody_or_of_another_team_is_not_found(demo: Demo) -> None:
    for schema in ("019760a0-0001-7000-8000-00000000ffff", GLOBEX_SCHEMA):
        answer = ask(demo, "POST", json={**JANUARY, "schema_id": schema})
        assert answer.status_code == 404
        assert answer.json()["message"].startswith("Schema not found")


def test_an_id_is_read_in_any_case(demo: Demo) -> None:
    answer = ask(demo, "GET", f"/{FINISHED.upper()}")
    assert (answer.status_code, answer.json()["id"]) == (200, FINISHED)


def test_a_parameter_without_a_value_counts_as_absent(demo: Demo) -> None:
    names = ("page", "limit", "sort_by", "sort_order", "search", "created_after", "created_before", "fields", "include")
    answer = ask(demo, "GET", "?" + "&".join(f"{name}=" for name in names))
    assert (answer.status_code, answer.json()) == (200, ask(demo, "GET").json())


def test_another_teams_export_is_not_found(demo: Demo) -> None:
    for method, path in (("GET", ""), ("GET", "/download"), ("DELETE", "")):
        assert ask(demo, method, f"/{FINISHED}{path}", "globex").status_code == 404
    listed = ask(demo, "GET", "?limit=100", key="globex").json()["data"]
    assert FINISHED not in {export["id"] for export in listed}


def test_a_key_that_may_not_read_is_forbidden(demo: Demo) -> None:
    assert ask(demo, "GET", key="none").status_code == 403
    assert ask(demo, "POST", key="none", json=JANUARY).status_code == 403


def test_a_list_is_searched_sorted_and_cut_into_pages(demo: Demo) -> None:
    mine = [make(demo, start_date=f"2018-0{month}-01", end_date=f"2018-0{month}-28") for month in (1, 2, 3)]
    since = ask(demo, "GET", f"/{mine[0]}").json()["createdAt"]

    def listed(query: str) -> dict[str, Any]:
        answer = ask(demo, "GET", f"?created_after={since}&{query}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    assert [each["id"] for each in listed("")["data"]] == mine[::-1]
    assert [each["id"] for each in listed("sort_by=createdAt&sort_order=asc")["data"]] == mine
    page = listed("limit=2&page=2")
    assert [each["id"] for each in page["data"]] == mine[:1]
    assert page["meta"] == {"page": 2, "limit": 2, "total": 3, "totalPages": 2}
    assert listed(f"search={mine[1][-8:].upper()}")["meta"]["total"] == 1
    assert listed(f"search={SCHEMA}")["meta"]["total"] == 3
    assert listed("search=invoices (acme")["meta"]["total"] == 3
    assert listed("search=complet")["meta"]["total"] == 3
    assert listed("search=pending")["meta"]["total"] == 0
    assert listed("fields=id, status")["data"][0] == {"id": mine[2], "status": "COMPLETED"}
    assert listed("include=schema")["data"][0]["schema"] == {"id": SCHEMA, "name": "Invoices (acme)"}
    last = ask(demo, "GET", f"/{mine[2]}").json()["createdAt"]
    assert listed(f"created_before={last}")["meta"]["total"] == 3
    assert ask(demo, "GET", "?created_before=2001-01-01").json()["meta"] == {
        "page": 1,
        "limit": 20,
        "total": 0,
        "totalPages": 0,
    }


@pytest.mark.parametrize(
    "query",
    [
        "page=0",
        "limit=0",
        "limit=101",
        "limit=many",
        "sort_by=size",
        "sort_order=up",
        "fields=id,size",
        "include=results",
        "created_after=soon",
        "colour=red",
    ],
)
def test_what_is_wrong_with_a_list_is_told(demo: Demo, query: str) -> None:
    answer = ask(demo, "GET", f"?{query}")
    assert (answer.status_code, answer.json()["statusCode"]) == (400, 400)
    assert (
        query.partition("=")[0].split("_")[0] in answer.json()["message"].lower()
        or query.partition("=")[2] in (answer.json()["message"])
    )


def test_words_of_a_choice_are_told_like_everything_else(demo: Demo) -> None:
    message = ask(demo, "GET", "?sort_order=up").json()["message"]
    assert message.startswith("sort_order takes one of 'asc' or 'desc'.")


def test_a_failed_export_has_no_file(demo: Demo) -> None:
    made = ask(demo, "POST", json=JANUARY).json()["id"]
    headers = {"x-api-key": demo.keys["admin"]}
    assert demo.client.post(f"/api/v1/exports/{made}/cancel", headers=headers).status_code == 200
    assert ask(demo, "GET", f"/{made}").json()["status"] == "FAILED"
    assert ask(demo, "GET", f"/{made}/download").status_code == 409


def test_a_running_export_is_cancelled_by_deleting_it(demo: Demo) -> None:
    made = ask(demo, "POST", json=JANUARY).json()["id"]
    assert ask(demo, "DELETE", f"/{made}").status_code == 200
    demo.run()
    assert ask(demo, "GET", f"/{made}").status_code == 404


def test_a_url_ends_after_a_quarter_of_an_hour(demo: Demo) -> None:
    url = ask(demo, "GET", f"/{FINISHED}/download").json()["url"]
    assert demo.client.get(url).status_code == 200
    now = demo.runtime.now()
    demo.clock.at = now + timedelta(minutes=14)
    assert demo.client.get(url).status_code == 200
    demo.clock.at = now + timedelta(minutes=16)
    assert (demo.client.get(url).status_code, demo.client.get(url).json()["error"]) == (410, "Gone")


def test_a_url_that_was_changed_gives_nothing(demo: Demo) -> None:
    url = ask(demo, "GET", f"/{FINISHED}/download").json()["url"]
    for changed in (
        url.replace("expires=", "expires=9"),
        url.replace(FINISHED, FINISHED[:-1] + "1"),
        url.replace("token=", "token=x"),
        url.partition("?")[0],
    ):
        assert demo.client.get(changed).status_code == 403


def test_a_file_can_be_fetched_in_ranges(demo: Demo) -> None:
    url = ask(demo, "GET", f"/{FINISHED}/download").json()["url"]
    whole = demo.client.get(url)
    part = demo.client.get(url, headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, whole.content[10:20])
    assert "attachment" in whole.headers["content-disposition"]


def test_its_exports_are_native_jobs(demo: Demo) -> None:
    headers = {"x-api-key": demo.keys["admin"]}
    assert demo.client.get(f"/api/v1/exports/{FINISHED}", headers=headers).json()["state"] == "succeeded"


def test_unknown_paths_are_refused_in_its_shape(demo: Demo) -> None:
    for method, path, status in (("GET", "/a/b/c", 404), ("PATCH", "", 405)):
        answer = ask(demo, method, path)
        assert (answer.status_code, answer.json()["statusCode"]) == (status, status)


def test_every_state_has_its_word() -> None:
    assert {str(state): STATUSES[state] for state in JobState} == {
        "scheduled": "PENDING",
        "queued": "PENDING",
        "running": "PROCESSING",
        "succeeded": "COMPLETED",
        "failed": "FAILED",
        "cancelled": "FAILED",
    }


def test_too_many_requests_of_a_key_are_refused_in_its_shape(tmp_path: Path) -> None:
    runtime = make_runtime(tmp_path, {"fake": FakeSource(few)}, limits=Limits(rate="2/minute"))
    headers = {"x-api-key": make_key(runtime)}
    with serve(runtime) as site:
        answers = [httpx2.get(f"{site.url}/v1/exports", headers=headers) for _ in range(4)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert refused[0].json()["error"] == "Too Many Requests"
    assert int(refused[0].headers["retry-after"]) > 0
