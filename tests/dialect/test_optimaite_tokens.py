"""Optimaite's schedules and tokens, and how both look natively."""

import io
import json
import zipfile
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dialect.office import NOON, Office
from offtake.dialect.optimaite.shapes import id_of, native_id
from offtake.model.access import Principal
from offtake.model.export import ExportRequest
from offtake.model.saved import Definition, Draft
from offtake.service.access import local_principal, revoke_key
from offtake.service.ticks import launch_run, runs_to_launch, take_due

SCHEDULE = {"rrule": "FREQ=DAILY;BYHOUR=6", "timezone": "Europe/Berlin", "start": "2026-05-28T06:00:00"}


@pytest.mark.parametrize("start", ["2026-05-28T06:00:00", "2026-05-28T04:00:00Z", "2026-05-28T06:00:00+02:00"])
def test_a_schedule_is_echoed_and_there_natively(office: Office, start: str) -> None:
    made = office.create(schedule=SCHEDULE | {"start": start})
    assert made["schedule"] == SCHEDULE | {"start": start}
    (native,) = office.schedules(made)
    assert {name: native[name] for name in SCHEDULE} == SCHEDULE


@pytest.mark.parametrize("empty", [{}, {"timezone": None, "start": None}, {"timezone": "", "start": ""}])
def test_a_schedule_without_zone_and_start_begins_now_in_utc(office: Office, empty: dict[str, str | None]) -> None:
    office.demo.clock.at = NOON + timedelta(seconds=30)
    made = office.create(schedule={"rrule": "RRULE:FREQ=WEEKLY"} | empty)
    assert made["schedule"] == {"rrule": "RRULE:FREQ=WEEKLY", "timezone": "UTC", "start": "2026-05-27T12:00:00"}


def test_what_runs_by_schedule_sets_when_it_was_executed(office: Office) -> None:
    made = office.create(schedule=SCHEDULE)
    office.demo.clock.at = datetime(2026, 5, 28, 4, 0, 5, tzinfo=UTC)
    take_due(office.demo.runtime)
    for run in runs_to_launch(office.demo.runtime):
        launch_run(office.demo.runtime, run)
    office.demo.run()
    assert office.told(office.ask("GET", f"/{made['id']}"))["last_executed_at"] == "2026-05-28T04:00:05Z"


def test_an_update_changes_the_schedule_or_ends_it(office: Office) -> None:
    made = office.create(schedule=SCHEDULE)
    body = {"name": "Ours", "source": "invoices", "schedule": SCHEDULE | {"rrule": "FREQ=HOURLY"}}
    assert office.told(office.ask("PUT", f"/{made['id']}", json=body))["schedule"]["rrule"] == "FREQ=HOURLY"
    assert [each["rrule"] for each in office.schedules(made)] == ["FREQ=HOURLY"]
    office.ask("PUT", f"/{made['id']}", json={"name": "Ours", "source": "invoices"})
    assert office.schedules(made) == []


@pytest.mark.parametrize(
    "schedule",
    [
        {"rrule": "FREQ=NEVER"},
        {"rrule": "FREQ=DAILY;UNTIL=20200101"},
        {"rrule": ""},
        {},
        "daily",
        {"rrule": None},
        {"rrule": "FREQ=DAILY", "timezone": "Mars"},
        {"rrule": "FREQ=DAILY", "start": "soon"},
        {"rrule": "FREQ=DAILY", "start": "9999-12-31T23:00:00-12:00"},
        {"rrule": "FREQ=DAILY;BYHOUR=9" * 99},
    ],
)
def test_a_bad_schedule_is_refused_and_nothing_saved(office: Office, schedule: Any) -> None:
    before = office.told(office.ask("GET"))["meta"]
    assert office.refused(schedule=schedule) == "INVALID_SCHEDULE"
    assert office.told(office.ask("GET"))["meta"] == before


def test_a_token_opens_the_rows_of_now_any_number_of_times(office: Office) -> None:
    made = office.create()
    token = office.token(made)
    for _ in range(3):
        assert office.told(office.retrieve(made, token))["meta"]["row_count"] == 42
    assert office.retrieve(made, token, "HEAD").status_code == 200
    office.ask("PUT", f"/{made['id']}", json={"name": "Ours", "source": "invoices", "format": "csv"})
    assert office.retrieve(made, token).headers["content-type"].startswith("text/csv")
    assert office.told(office.ask("GET", f"/{made['id']}"))["last_executed_at"] == "2026-05-27T12:00:00Z"


def test_a_token_lasts_a_day_unless_other_hours_are_asked_for(office: Office) -> None:
    made = office.create()
    for body, ends in (({}, "2026-05-28T12:00:00Z"), ({"expires_in_hours": 8760}, "2027-05-27T12:00:00Z")):
        answer = office.ask("POST", f"/{made['id']}/generate-token", json=body)
        assert office.told(answer, 201)["expires_at"] == ends
    assert office.ask("POST", f"/{made['id']}/generate-token").json()["expires_at"] == "2026-05-28T12:00:00Z"
    for hours in (0, 8761, -1, "soon", None):
        answer = office.ask("POST", f"/{made['id']}/generate-token", json={"expires_in_hours": hours})
        assert office.code(answer, 400) == "INVALID_REQUEST"


def test_a_token_ends_when_it_says(office: Office) -> None:
    made = office.create()
    token = office.token(made, expires_in_hours=1)
    office.demo.clock.at = NOON + timedelta(minutes=59)
    assert office.retrieve(made, token).status_code == 200
    office.demo.clock.at = NOON + timedelta(minutes=60)
    assert office.code(office.retrieve(made, token), 410) == "TOKEN_EXPIRED"


def test_deleting_a_configuration_ends_its_tokens(office: Office) -> None:
    made = office.create()
    token = office.token(made)
    assert office.ask("DELETE", f"/{made['id']}").status_code == 204
    assert office.code(office.retrieve(made, token), 410) == "TOKEN_EXPIRED"
    assert office.code(office.ask("GET", f"/{made['id']}/execute"), 404) == "CONFIG_NOT_FOUND"


def test_a_token_opens_no_other_configuration_and_none_is_made_up(office: Office) -> None:
    made, other, foreign = office.create(), office.create(), office.holding("globex").create()
    token = office.token(made)
    for config, shown in ((other, token), (foreign, token), (made, token[:-1] + "x"), (made, ""), (made, "exp_tok_1")):
        assert office.code(office.retrieve(config, shown), 401) == "TOKEN_INVALID"
    assert office.code(office.ask("GET", f"/{made['id']}/retrieve"), 401) == "TOKEN_INVALID"
    assert office.code(office.ask("GET", headers={"Authorization": f"Bearer {token}"}), 404) != "CONFIG_NOT_FOUND"


def test_tokens_are_shares_that_can_be_taken_back_natively(office: Office) -> None:
    made = office.create()
    token = office.token(made)
    shares = office.told(office.ask("GET", f"/api/v1/definitions/{native_id(made['id'])}/shares"))["data"]
    assert [share["prefix"] for share in shares] == [token[:14]]
    office.ask("DELETE", f"/api/v1/shares/{shares[0]['id']}")
    assert office.code(office.retrieve(made, token), 410) == "TOKEN_EXPIRED"


def test_a_token_ends_with_the_rights_of_whoever_made_it(office: Office) -> None:
    made = office.create()
    secret = office.told(office.ask("POST", "/api/v1/keys", json={"scopes": ["reports:read", "reports:write"]}), 201)
    own = {"Authorization": f"Bearer {secret['secret']}"}
    token = office.told(office.ask("POST", f"/{made['id']}/generate-token", headers=own), 201)["token"]
    assert office.retrieve(made, token).status_code == 200
    revoke_key(office.demo.runtime, local_principal(office.demo.runtime, "acme"), secret["id"])
    assert office.code(office.retrieve(made, token), 410) == "TOKEN_EXPIRED"


def test_a_configuration_is_a_native_definition(office: Office) -> None:
    made = office.create(format="csv")
    path = f"/api/v1/definitions/{native_id(made['id'])}"
    shown = office.told(office.ask("GET", path))
    assert (shown["name"], shown["dataset"], shown["format"], shown["problems"]) == ("Ours", "invoices", "csv", [])
    executed = office.ask("GET", f"/{made['id']}/execute")
    assert office.ask("GET", f"{path}/download").content == executed.content
    page = office.told(office.ask("GET", f"{path}/pages", params={"limit": 10}))
    assert (len(page["data"]), page["total"]) == (10, 42)


def test_a_native_definition_is_no_configuration(office: Office) -> None:
    body = {"name": "Native", "dataset": "invoices"}
    made = office.told(office.ask("POST", "/api/v1/definitions", json=body), 201)
    native = Definition(made["id"], "acme", Principal("key", "acme"), Draft("", ExportRequest("")), NOON, NOON)
    assert office.code(office.ask("GET", f"/{id_of(native)}"), 404) == "CONFIG_NOT_FOUND"
    assert id_of(native) not in office.ask("GET").text


def test_what_was_natively_changed_shows(office: Office) -> None:
    made = office.create(schedule=SCHEDULE)
    path = f"/api/v1/definitions/{native_id(made['id'])}"
    native_path = f"/api/v1/schedules/{office.schedules(made)[0]['id']}"

    def patch(where: str, **change: Any) -> dict[str, Any]:
        headers = {"Content-Type": "application/merge-patch+json"}
        office.told(office.ask("PATCH", where, content=json.dumps(change), headers=headers))
        return office.told(office.ask("GET", f"/{made['id']}"))

    assert patch(path, name="Theirs") == made | {"name": "Theirs"}
    changed = patch(path, filter={"field": "status", "op": "eq", "value": "sent"})
    assert list(changed["filters"]) == ["native"]
    assert changed["filters"]["native"]["date_range"]["inclusive"] is True
    assert office.code(office.ask("PUT", f"/{made['id']}", json=changed), 400) == "INVALID_FILTER"
    assert patch(native_path, start="2026-05-29T07:00:00")["schedule"]["start"] == "2026-05-29T07:00:00"
    office.ask("DELETE", native_path)
    assert office.told(office.ask("GET", f"/{made['id']}"))["schedule"] is None


def test_what_cannot_be_counted_before_says_how_many_at_the_end(office: Office) -> None:
    made = office.create()
    path = f"/api/v1/definitions/{native_id(made['id'])}"
    headers = {"Content-Type": "application/merge-patch+json"}
    office.told(office.ask("PATCH", path, content=json.dumps({"part_rows": 40}), headers=headers))
    archive = zipfile.ZipFile(io.BytesIO(office.ask("GET", f"/{made['id']}/execute").content))
    parts = [json.loads(archive.read(name)) for name in archive.namelist()]
    assert [list(part) for part in parts] == [["data", "meta"]] * 2
    assert [(part["meta"]["row_count"], len(part["data"])) for part in parts] == [(40, 40), (2, 2)]
