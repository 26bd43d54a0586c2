"""Schedules over HTTP: made, looked at, changed without overwriting anybody, paused, run; who may do what."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from api.desk import told
from api.shelf import Shelf, open_shelf
from offtake.service.ticks import launch_run, runs_to_launch, settle_runs, take_due
from sites import NOW

NOBODYS = "01900000-0000-7000-8000-000000000000"
ASKED = {
    "rrule": "RRULE:FREQ=DAILY;BYHOUR=6;BYMINUTE=0",
    "timezone": "America/Santiago",
    "start": "2026-05-01T06:00:00",
    "end": "2026-12-31T06:00:00",
    "catch_up": "all",
    "catch_up_limit": 3,
    "overlap": "queue",
    "skip_if_empty": True,
    "delta": {"field": "n", "settle_s": 30},
    "deliveries": [],
}


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    """One service for all of these tests."""
    with open_shelf(tmp_path_factory.mktemp("home")) as shelf:
        yield shelf


@pytest.fixture
def shelf(opened: Shelf) -> Shelf:
    """A shelf of this test's own."""
    return opened.own()


def ask(shelf: Shelf, method: str, path: str = "", **more: Any) -> httpx2.Response:
    """A request below `/schedules`."""
    headers = shelf.desk.headers | more.pop("headers", {})
    return shelf.desk.client.request(method, f"{shelf.desk.site.url}/api/v1/schedules{path}", headers=headers, **more)


def make(shelf: Shelf, **body: Any) -> dict[str, Any]:
    """A new daily schedule of a new definition."""
    given = {"rrule": "FREQ=DAILY", "timezone": "UTC", "start": "2026-05-17T12:30:00", **body}
    answer = ask(shelf, "POST", json={"definition_id": shelf.save()["id"], **given})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def tick(shelf: Shelf) -> None:
    """One round of whoever looks what is due."""
    settle_runs(shelf.desk.runtime)
    take_due(shelf.desk.runtime)
    for run in runs_to_launch(shelf.desk.runtime):
        launch_run(shelf.desk.runtime, run)


def test_what_is_asked_for_is_shown_and_can_be_sent_back(shelf: Shelf) -> None:
    id_ = shelf.save()["id"]
    made = ask(shelf, "POST", json={"definition_id": id_, **ASKED})
    shown = made.json()
    assert (made.status_code, made.headers["etag"]) == (201, '"1"')
    assert made.headers["location"] == shown["links"]["self"]
    assert {name: shown[name] for name in ASKED} == ASKED
    assert (shown["state"], shown["version"], shown["runs"], shown["watermark"]) == ("active", 1, 0, None)
    assert shown["next_at"] == "2026-05-18T10:00:00Z"
    assert ask(shelf, "GET", f"/{shown['id']}").json() == shown
    again = ask(shelf, "PUT", f"/{shown['id']}", json={"definition_id": id_, **{name: shown[name] for name in ASKED}})
    assert (again.status_code, again.headers["etag"]) == (200, '"2"')


def test_next_names_instants_in_utc(shelf: Shelf) -> None:
    made = make(shelf, rrule="FREQ=WEEKLY", timezone="America/New_York", start="2026-10-25T01:30:00")
    shown = ask(shelf, "GET", f"/{made['id']}/next?count=3").json()
    assert shown == {"data": ["2026-10-25T05:30:00Z", "2026-11-01T05:30:00Z", "2026-11-08T06:30:00Z"]}
    assert len(ask(shelf, "GET", f"/{made['id']}/next").json()["data"]) == 5


def test_a_run_leads_to_its_export(shelf: Shelf) -> None:
    made = make(shelf)
    shelf.desk.clock.at = NOW + timedelta(days=1)
    tick(shelf)
    shelf.desk.run()
    tick(shelf)
    (run,) = ask(shelf, "GET", f"/{made['id']}/runs").json()["data"]
    assert (run["instant"], run["state"], run["delta"]) == ("2026-05-18T12:30:00Z", "succeeded", None)
    export = shelf.desk.ask("GET", f"/{run['export_id']}").json()
    assert (export["state"], export["definition_id"]) == ("succeeded", made["definition_id"])
    assert shelf.desk.ask("GET", f"/{run['export_id']}/download").text.startswith("n,text")


def test_the_history_comes_in_pages(shelf: Shelf) -> None:
    made = make(shelf, rrule="FREQ=HOURLY", overlap="allow")
    for hour in range(1, 6):
        shelf.desk.clock.at = NOW + timedelta(hours=hour)
        tick(shelf)
    seen, cursor = [], ""
    while cursor is not None:
        page = ask(shelf, "GET", f"/{made['id']}/runs?limit=2&cursor={cursor}").json()
        seen += [run["instant"] for run in page["data"]]
        cursor = page["next_cursor"]
    assert seen == [f"2026-05-17T{hour}:30:00Z" for hour in (17, 16, 15, 14, 13)]


def test_the_list_comes_in_pages_of_one_definition_or_all(shelf: Shelf) -> None:
    made = [make(shelf) for _ in range(3)]
    page = ask(shelf, "GET", "?limit=2").json()
    assert [each["id"] for each in page["data"]] == [made[2]["id"], made[1]["id"]]
    assert ask(shelf, "GET", f"?limit=2&cursor={page['next_cursor']}").json()["data"][0]["id"] == made[0]["id"]
    of_one = ask(shelf, "GET", f"?definition_id={made[1]['definition_id']}").json()
    assert [each["id"] for each in of_one["data"]] == [made[1]["id"]]


def test_pause_resume_and_run_now(shelf: Shelf) -> None:
    made = make(shelf)
    paused = ask(shelf, "POST", f"/{made['id']}/pause").json()
    assert (paused["state"], paused["next_at"], paused["version"]) == ("paused", None, 2)
    run = ask(shelf, "POST", f"/{made['id']}/run")
    assert (run.status_code, run.json()["state"]) == (202, "submitted")
    resumed = ask(shelf, "POST", f"/{made['id']}/resume").json()
    assert (resumed["state"], resumed["next_at"], resumed["runs"]) == ("active", "2026-05-18T12:30:00Z", 1)


def test_a_patch_changes_what_it_names_under_if_match(shelf: Shelf) -> None:
    made = make(shelf, delta={"field": "n"})
    path = f"/{made['id']}"
    patched = ask(shelf, "PATCH", path, json={"rrule": "FREQ=HOURLY", "delta": None}, headers={"If-Match": '"1"'})
    shown = patched.json()
    assert (patched.status_code, shown["rrule"], shown["delta"], shown["start"]) == (
        200, "FREQ=HOURLY", None, made["start"]
    )  # fmt: skip
    for method, more in (("PATCH", {"json": {}}), ("PUT", {"json": {}}), ("DELETE", {})):
        body = {"json": {"definition_id": made["definition_id"], **ASKED}} if method == "PUT" else more
        late = ask(shelf, method, path, headers={"If-Match": '"1"'}, **body)
        assert told(late) == (412, "PRECONDITION_FAILED")
    assert ask(shelf, "DELETE", path).status_code == 204
    assert told(ask(shelf, "GET", path)) == (404, "NOT_FOUND")


def test_readers_look_and_do_not_touch_and_others_see_nothing(shelf: Shelf) -> None:
    made = make(shelf)
    path, body = f"/{made['id']}", {"definition_id": made["definition_id"], **ASKED}
    reader, stranger = shelf.holding("reports:read"), shelf.holding("reports:read", "reports:write", tenant="globex")
    for look in (path, f"{path}/next", f"{path}/runs", ""):
        assert ask(reader, "GET", look).status_code == 200
    changes = [("PUT", path, body), ("PATCH", path, {}), ("DELETE", path, None)]
    changes += [("POST", f"{path}/{verb}", None) for verb in ("pause", "resume", "run")]
    for method, where, given in changes:
        assert told(ask(reader, method, where, json=given)) == (403, "INSUFFICIENT_SCOPE")
        assert told(ask(stranger, method, where, json=given)) == (404, "NOT_FOUND")
    assert told(ask(reader, "POST", json=body)) == (403, "INSUFFICIENT_SCOPE")
    assert ask(stranger, "GET").json()["data"] == []
    assert told(ask(stranger, "POST", json=body)) == (422, "INVALID_REQUEST")


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"rrule": "FREQ=SECONDLY"}, "/rrule"),
        ({"rrule": "x" * 2000}, "/rrule"),
        ({"start": "2026-05-17T12:30:00Z"}, "/start"),
        ({"start": "soon"}, "/start"),
        ({"timezone": "Mars/Olympus"}, "/timezone"),
        ({"overlap": "collide"}, "/overlap"),
        ({"delta": {"field": "nn"}}, "/delta/field"),
        ({"definition_id": NOBODYS}, "/definition_id"),
        ({"rule": "FREQ=DAILY"}, "/rule"),
    ],
)
def test_what_is_wrong_with_a_body_is_pointed_at(shelf: Shelf, change: dict[str, Any], pointer: str) -> None:
    body = {"definition_id": shelf.save()["id"], "rrule": "FREQ=DAILY", "timezone": "UTC", "start": "2026-01-01T00:00"}
    answer = ask(shelf, "POST", json=body | change)
    assert answer.status_code == 422
    assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]


@pytest.mark.parametrize("start", ["soon", "2026-05-17T12:30:00Z", 17, {}, "2026-02-30T00:00:00"])
def test_a_start_that_is_no_local_time_is_told_how_one_looks(shelf: Shelf, start: Any) -> None:
    body = {"definition_id": shelf.save()["id"], "rrule": "FREQ=DAILY", "timezone": "UTC", "start": start}
    detail = ask(shelf, "POST", json=body).json()["detail"]
    assert detail == "start takes a local time without an offset, such as 2027-01-31T12:00:00."


def test_run_now_takes_no_options(shelf: Shelf) -> None:
    path = f"/{make(shelf)['id']}/run"
    answer = ask(shelf, "POST", path, json={"format": "xlsx"})
    assert told(answer) == (422, "INVALID_REQUEST")
    assert answer.json()["errors"] == [{"pointer": "/format", "detail": "There is no 'format' here."}]
    assert told(ask(shelf, "POST", path, json=[])) == (422, "INVALID_REQUEST")
    assert told(ask(shelf, "POST", path, content=b"format=xlsx")) == (415, "UNSUPPORTED_MEDIA_TYPE")
    shelf.desk.clock.at += timedelta(minutes=1)
    assert ask(shelf, "POST", path, json={}).status_code == 202


def test_a_patch_names_the_nearest_key_of_what_it_changes(shelf: Shelf) -> None:
    made = make(shelf)
    answer = ask(shelf, "PATCH", f"/{made['id']}", json={"overlapp": "skip", "delta": {"feld": "n"}})
    assert {each["pointer"]: each["detail"] for each in answer.json()["errors"]} == {
        "/delta/field": "delta.field is missing.",
        "/delta/feld": "There is no 'feld' here; did you mean 'field'?",
        "/overlapp": "There is no 'overlapp' here; did you mean 'overlap'?",
    }


@pytest.mark.parametrize("method", ["GET", "DELETE", "PATCH"])
@pytest.mark.parametrize("id_", [NOBODYS, "nobodys", "%00"])
def test_a_schedule_nobody_knows_is_not_found(shelf: Shelf, method: str, id_: str) -> None:
    assert told(ask(shelf, method, f"/{id_}", json={} if method == "PATCH" else None)) == (404, "NOT_FOUND")
