"""Exports in the background, over HTTP: their whole life, who may do what, what is refused."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from api.desk import Desk, open_desk, told
from sites import NOW, asking

ROUTES = [
    ("GET", "", None),
    ("DELETE", "", None),
    ("POST", "/cancel", None),
    ("POST", "/retry", None),
    ("GET", "/events", None),
    ("GET", "/download", None),
    ("HEAD", "/download", None),
    ("GET", "/manifest", None),
    ("POST", "/links", {"expires_in_s": 60}),
]
NOBODYS = "01900000-0000-7000-8000-000000000000"


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """One service for all of these tests."""
    with open_desk(tmp_path_factory.mktemp("home")) as desk:
        yield desk


@pytest.fixture
def desk(opened: Desk) -> Desk:
    """A desk of this test's own."""
    return opened.own()


def test_an_export_is_accepted_listed_run_fetched_and_deleted(desk: Desk) -> None:
    wish = {"dataset": "numbers", "format": "json", "fields": ["text", "n"], "filename": "mine"}
    accepted = desk.ask("POST", json=wish)
    made = accepted.json()
    assert (accepted.status_code, made["state"], made["links"]["self"]) == (202, "queued", accepted.headers["location"])
    assert desk.ask("GET").json()["data"][0] == made

    desk.run()
    done = httpx2.get(accepted.headers["location"], headers=desk.headers).json()
    file = httpx2.get(done["links"]["download"], headers=desk.headers)
    manifest = httpx2.get(done["links"]["manifest"], headers=desk.headers).json()
    direct = httpx2.post(f"{desk.site.url}/api/v1/datasets/numbers/download", headers=desk.headers, json=wish)
    assert (file.content, file.headers["content-disposition"]) == (
        direct.content,
        direct.headers["content-disposition"],
    )
    assert (done["state"], done["rows"], done["bytes"], done["percent"]) == ("succeeded", 3, len(file.content), 100)
    assert (manifest["sha256"], manifest["rows"], manifest["file"]) == (done["sha256"], 3, "mine.json")

    assert desk.ask("DELETE", f"/{made['id']}").status_code == 204
    for path in ("", "/download", "/manifest"):
        assert told(desk.ask("GET", f"/{made['id']}{path}")) == (404, "NOT_FOUND")
    assert not list(desk.runtime.store.list(f"{made['id']}/"))


def test_an_export_is_shown_with_utc_instants_and_no_links_to_what_is_not_there(desk: Desk) -> None:
    made = desk.submit(start_at="2026-05-18T10:00:00+02:00", priority=2)
    own = f"{desk.site.url}/api/v1/exports/{made['id']}"
    assert made == {
        "id": made["id"],
        "dataset": "numbers",
        "definition_id": None,
        "format": "csv",
        "state": "scheduled",
        "rows": 0,
        "bytes": 0,
        "total": None,
        "percent": None,
        "eta_s": None,
        "rate": None,
        "attempts": 0,
        "error": None,
        "priority": 2,
        "filename": None,
        "sha256": None,
        "created_at": "2026-05-17T12:30:00Z",
        "start_at": "2026-05-18T08:00:00Z",
        "started_at": None,
        "finished_at": None,
        "expires_at": None,
        "links": {"self": own, "events": f"{own}/events"},
        "deliveries": [],
    }


def test_a_scheduled_export_is_queued_once_its_time_has_come(desk: Desk) -> None:
    made = desk.submit(start_at=(NOW + timedelta(hours=1)).isoformat())

    def listed_as(state: str) -> bool:
        return made["id"] in [job["id"] for job in desk.ask("GET", params={"state": state}).json()["data"]]

    assert (listed_as("scheduled"), listed_as("queued")) == (True, False)
    desk.clock.at += timedelta(hours=2)
    assert (listed_as("scheduled"), listed_as("queued")) == (False, True)
    assert desk.ask("GET", f"/{made['id']}").json()["state"] == "queued"


def test_a_failed_export_says_why_and_can_be_retried(desk: Desk) -> None:
    failed = desk.finish(dataset="broken")
    assert (failed["state"], failed["attempts"]) == ("failed", 3)
    assert failed["error"]["code"] == "SOURCE_FAILED"
    assert failed["error"]["hint"] == "Try again."
    assert failed["error"]["retryable"] is True
    for path in ("/download", "/manifest"):
        assert told(desk.ask("GET", f"/{failed['id']}{path}")) == (409, "CONFLICT")

    again = desk.ask("POST", f"/{failed['id']}/retry")
    assert (again.status_code, again.json()["state"], again.json()["error"]) == (202, "queued", None)
    assert told(desk.ask("POST", f"/{failed['id']}/retry")) == (409, "CONFLICT")


def test_a_cancelled_export_never_runs_and_may_be_cancelled_twice(desk: Desk) -> None:
    made = desk.submit()
    answers = [desk.ask("POST", f"/{made['id']}/cancel") for _ in range(2)]
    assert [(answer.status_code, answer.json()["state"]) for answer in answers] == [(200, "cancelled")] * 2
    desk.run()
    assert desk.ask("GET", f"/{made['id']}").json()["state"] == "cancelled"
    assert told(desk.ask("GET", f"/{made['id']}/download")) == (409, "CONFLICT")


def test_a_finished_export_is_neither_cancelled_nor_retried(desk: Desk) -> None:
    done = desk.finish()
    for what in ("cancel", "retry"):
        assert told(desk.ask("POST", f"/{done['id']}/{what}")) == (409, "CONFLICT")


def test_a_file_is_fetched_neither_before_it_is_there_nor_after_its_time(desk: Desk) -> None:
    made = desk.submit()
    places = [("GET", "/download", None), ("GET", "/manifest", None), ("POST", "/links", {"expires_in_s": 60})]

    def answers() -> set[tuple[int, str]]:
        return {told(desk.ask(method, f"/{made['id']}{path}", json=body)) for method, path, body in places}

    assert answers() == {(409, "NOT_READY")}
    desk.run()
    desk.clock.at += timedelta(days=7)
    assert answers() == {(410, "EXPIRED")}
    shown = desk.ask("GET", f"/{made['id']}").json()
    assert (shown["state"], sorted(shown["links"])) == ("succeeded", ["events", "self"])


@pytest.mark.parametrize(("method", "path", "body"), ROUTES)
def test_another_tenants_export_is_not_there(desk: Desk, method: str, path: str, body: Any) -> None:
    done = desk.finish()
    globex = desk.holding("reports:read", "reports:write", "pii:read", tenant="globex")
    answers = [globex.ask(method, f"/{id_}{path}", json=body) for id_ in (done["id"], NOBODYS, "x", "%00" * 36)]
    assert {answer.status_code for answer in answers} == {404}
    if method != "HEAD":
        assert len({answer.json()["detail"] for answer in answers}) == 1
    assert globex.ask("GET").json() == {"data": [], "next_cursor": None}
    assert desk.ask("GET", f"/{done['id']}").json()["state"] == "succeeded"


@pytest.mark.parametrize(("method", "path", "body"), [("POST", "", {"dataset": "numbers"}), *ROUTES])
def test_every_route_needs_a_key_that_reads_reports(desk: Desk, method: str, path: str, body: Any) -> None:
    where = path if body == {"dataset": "numbers"} else f"/{desk.finish()['id']}{path}"
    unkeyed = httpx2.request(method, f"{desk.site.url}/api/v1/exports{where}", json=body)
    assert unkeyed.status_code == 401
    assert desk.holding("audit:read").ask(method, where, json=body).status_code == 403


@pytest.mark.parametrize(("method", "path"), [("POST", "/cancel"), ("POST", "/retry"), ("DELETE", "")])
def test_only_its_owner_and_writers_of_reports_change_an_export(desk: Desk, method: str, path: str) -> None:
    made = desk.submit()
    if path == "/retry":
        desk.ask("POST", f"/{made['id']}/cancel")
    assert told(desk.holding("reports:read").ask(method, f"/{made['id']}{path}")) == (403, "INSUFFICIENT_SCOPE")
    writer = desk.holding("reports:read", "reports:write")
    assert writer.ask(method, f"/{made['id']}{path}").status_code in (200, 202, 204)


@pytest.mark.parametrize(("method", "path", "body"), ROUTES[5:])
def test_a_file_that_shows_more_than_the_caller_may_see_is_not_handed_out(
    desk: Desk, method: str, path: str, body: Any
) -> None:
    seeing = desk.holding("reports:read", "pii:read")
    bare, masked = seeing.finish(dataset="masked"), desk.finish(dataset="masked")
    hidden = desk.ask(method, f"/{bare['id']}{path}", json=body)
    assert hidden.status_code == 403
    if method != "HEAD":
        assert told(hidden) == (403, "INSUFFICIENT_SCOPE")
    for allowed in (
        seeing.ask(method, f"/{bare['id']}{path}", json=body),
        desk.ask(method, f"/{masked['id']}{path}", json=body),
    ):
        assert allowed.is_success


def test_a_file_of_a_dataset_needs_that_datasets_scopes(desk: Desk) -> None:
    paid = desk.holding("reports:read", "payroll:read").finish(dataset="payroll")
    assert told(desk.ask("GET", f"/{paid['id']}/download")) == (403, "INSUFFICIENT_SCOPE")


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ({}, "INVALID_REQUEST", "/dataset"),
        ({"dataset": "numbers", "priority": 0}, "INVALID_REQUEST", "/priority"),
        ({"dataset": "numbers", "priority": 10}, "INVALID_REQUEST", "/priority"),
        ({"dataset": "numbers", "priority": "5"}, "INVALID_REQUEST", "/priority"),
        ({"dataset": "numbers", "start_at": "2026-05-18T10:00:00"}, "INVALID_REQUEST", "/start_at"),
        ({"dataset": "numbers", "start_at": "2027-06-18T10:00:00Z"}, "INVALID_REQUEST", "/start_at"),
        ({"dataset": "numbers", "start_at": "9999-12-31T23:59:59-12:00"}, "INVALID_REQUEST", "/start_at"),
        ({"dataset": "numbers", "share_running": 1}, "INVALID_REQUEST", "/share_running"),
        ({"dataset": "numbers", "prioriti": 1}, "INVALID_REQUEST", "/prioriti"),
        ({"dataset": "numbers", "format": "cvs"}, "INVALID_FORMAT", "/format"),
        ({"dataset": "numbers", "options": {"headr": 1}}, "INVALID_FORMAT", "/options/headr"),
        ({"dataset": "numbers", "compression": "rar"}, "INVALID_FORMAT", "/compression"),
        ({"dataset": "numbers", "fields": ["m"]}, "UNKNOWN_FIELD", "/fields/0"),
        ({"dataset": "numbers", "filename": "{x}"}, "INVALID_REQUEST", "/filename"),
    ],
)
def test_what_is_wrong_with_an_export_is_told_before_there_is_one(
    desk: Desk, body: dict[str, Any], code: str, pointer: str
) -> None:
    answer = desk.ask("POST", json=body)
    assert told(answer) == (422, code), answer.text
    assert answer.json()["errors"][0]["pointer"] == pointer


def test_a_dataset_that_is_not_there_has_the_nearest_named(desk: Desk) -> None:
    answer = desk.ask("POST", json={"dataset": "nubmers"})
    assert told(answer) == (404, "NOT_FOUND")
    assert "numbers" in answer.json()["hint"]


def test_a_start_in_the_past_means_at_once(desk: Desk) -> None:
    made = desk.submit(start_at="0001-01-01T00:00:00+14:00")
    assert (made["state"], made["start_at"]) == ("queued", "2026-05-17T12:30:00Z")


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_text_that_no_database_takes_does_no_harm(tmp_path: Path, request: pytest.FixtureRequest, kind: str) -> None:
    database = request.getfixturevalue("postgres_url") if kind == "postgresql" else ""
    with open_desk(tmp_path, database=database) as desk:
        for text in ("\\ud800", "\\u0000"):
            body = f'{{"dataset": "numbers", "filter": {{"field": "text", "op": "eq", "value": "{text}"}}}}'
            answer = desk.ask("POST", content=body, headers={"Content-Type": "application/json"})
            assert answer.status_code in (202, 422), answer.text
        for path in ("%00" * 36, "é" * 36, "x" * 5000):
            assert told(desk.ask("GET", f"/{path}")) == (404, "NOT_FOUND")
        assert desk.ask("GET", params={"dataset": "\0"}).json()["data"] == []
        assert told(desk.ask("GET", params={"cursor": "\0"})) == (422, "INVALID_CURSOR")


def test_its_events_show_an_export_as_it_is_shown_itself(desk: Desk) -> None:
    done = desk.finish()
    lines = desk.ask("GET", f"/{done['id']}/events").text.splitlines()
    assert json.loads(next(line for line in lines if line.startswith("data:"))[5:]) == done


def test_an_export_is_shown_with_two_questions_and_with_three_once_it_has_ended(desk: Desk) -> None:
    shown = f"/{desk.submit()['id']}"
    desk.ask("GET", shown)  # notes that the key was used
    for questions in (2, 3):
        with asking(desk.runtime) as sent:
            assert desk.ask("GET", shown).status_code == 200
        assert [statement.split()[0] for statement in sent] == ["SELECT"] * questions
        desk.run()
