"""The audit over HTTP: what every way of asking leaves behind, who may read it, and what is never in it."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.counter import Counter, open_counter
from api.desk import run_turns, told
from offtake.service.audit import prune_audit
from sites import make_key, wait_until

AUDITOR = "audit:read"


@pytest.fixture
def counter(tmp_path: Path) -> Iterator[Counter]:
    """A service whose audit is empty."""
    with open_counter(tmp_path) as opened:
        yield opened


def lines(counter: Counter, path: str = "/audit", *, of: str = "acme") -> list[dict[str, Any]]:
    """The audit, the newest first, without those who read it."""
    answer = counter.holding(AUDITOR, tenant=of).ask("GET", path)
    assert answer.status_code == 200, answer.text
    return [line for line in answer.json()["data"] if line["action"] != "audit.read"]


def last(counter: Counter, action: str) -> dict[str, Any]:
    """The newest line of that action, which may be written a moment after the answer was read."""
    found: list[dict[str, Any]] = []

    def is_there() -> bool:
        found[:] = lines(counter, f"/audit?action={action}")
        return bool(found)

    wait_until(is_there)
    return found[0]


def test_a_download_says_who_what_how_much_and_from_where(counter: Counter) -> None:
    headers = counter.headers | {"X-Request-Id": "asked-1"}
    url = f"{counter.site.url}/api/v1/datasets/people/download"
    answer = counter.client.get(url, params={"filter": "name:Ann"}, headers=headers)
    line = last(counter, "dataset.download")
    assert (line["outcome"], line["tenant"], line["dataset"]) == ("ok", "acme", "people")
    assert line["filter"] == "name = Ann"
    assert (line["rows"], line["bytes"]) == (1, len(answer.content))
    assert (line["address"], line["request_id"]) == ("127.0.0.1", "asked-1")
    assert line["at"] == "2026-05-17T12:30:00Z"
    assert line["principal"]


def test_counts_and_first_looks_are_followed(counter: Counter) -> None:
    counter.ask("POST", "/datasets/people/count", json={"filter": {"field": "name", "op": "eq", "value": "Ann"}})
    assert last(counter, "dataset.count")["filter"] == "name = Ann"
    assert last(counter, "dataset.count")["rows"] is None
    counter.ask("POST", "/datasets/people/preview", json={})
    assert last(counter, "dataset.preview")["rows"] == 2


def test_a_job_leaves_its_begin_its_end_and_everybody_who_fetched_it(counter: Counter) -> None:
    job = counter.export(filter={"field": "name", "op": "eq", "value": "Ann"})
    assert last(counter, "export.submit")["thing"] == job
    done = last(counter, "export.succeeded")
    assert (done["thing"], done["rows"], done["filter"]) == (job, 1, "name = Ann")
    body = counter.ask("GET", f"/exports/{job}/download").content
    fetched = last(counter, "export.download")
    assert (fetched["thing"], fetched["dataset"], fetched["bytes"]) == (job, "people", len(body))
    link = counter.ask("POST", f"/exports/{job}/links", json={"expires_in_s": 60}).json()["url"]
    assert last(counter, "link.create")["thing"] == job
    assert counter.get(link).content == body
    wait_until(lambda: lines(counter, "/audit?action=export.download")[0]["principal"] == "link")
    counter.ask("DELETE", f"/exports/{job}")
    assert last(counter, "export.delete")["outcome"] == "ok"


def test_a_cancelled_job_says_who_cancelled_it_and_that_it_ended(counter: Counter) -> None:
    job = counter.ask("POST", "/exports", json={"dataset": "people"}).json()["id"]
    counter.ask("POST", f"/exports/{job}/cancel")
    assert last(counter, "export.cancelled")["thing"] == job
    assert last(counter, "export.cancel")["thing"] == job


def test_definitions_pages_shares_and_keys_are_followed(counter: Counter) -> None:
    definition = counter.define()
    assert last(counter, "definition.create")["thing"] == definition
    counter.ask("PATCH", f"/definitions/{definition}", json={"name": "Other"})
    assert last(counter, "definition.update")["thing"] == definition
    job = counter.ask("POST", f"/definitions/{definition}/run").json()["id"]
    ran = last(counter, "definition.run")
    assert (ran["thing"], ran["detail"]) == (definition, job)
    counter.ask("GET", f"/definitions/{definition}/pages?limit=1")
    assert last(counter, "pages.read")["rows"] == 1
    share = counter.share(f"definitions/{definition}")
    assert last(counter, "share.create")["detail"] == share["id"]
    counter.get(share["url"])
    used = last(counter, "share.use")
    assert (used["thing"], used["principal"], used["rows"]) == (share["id"], f"share:{share['id']}", 2)
    counter.ask("DELETE", f"/shares/{share['id']}")
    assert last(counter, "share.revoke")["thing"] == share["id"]
    counter.get(share["url"])
    wait_until(lambda: lines(counter, "/audit?action=share.use")[0]["outcome"] == "refused")
    assert last(counter, "share.use")["detail"] == "REVOKED"
    counter.ask("DELETE", f"/definitions/{definition}")
    assert last(counter, "definition.delete")["thing"] == definition
    admin = counter.holding("keys:admin", "reports:read")
    key = admin.ask("POST", "/keys", json={"scopes": ["reports:read"]}).json()["id"]
    assert last(counter, "key.create")["thing"] == key
    admin.ask("POST", f"/keys/{key}/rotate")
    assert last(counter, "key.rotate")["thing"] == key
    admin.ask("DELETE", f"/keys/{key}")
    assert last(counter, "key.revoke")["thing"] == key


def test_a_schedule_says_who_made_it_and_what_it_launched(counter: Counter) -> None:
    body = {"definition_id": counter.define(), "rrule": "FREQ=DAILY", "timezone": "UTC", "start": "2026-05-18T00:00:00"}
    schedule = counter.ask("POST", "/schedules", json=body).json()["id"]
    made = last(counter, "schedule.create")
    assert made["thing"] == schedule
    ran = counter.ask("POST", f"/schedules/{schedule}/run")
    assert ran.status_code == 202, ran.text
    launched = last(counter, "schedule.launched")
    assert (launched["thing"], launched["principal"], launched["dataset"]) == (schedule, made["principal"], "people")
    assert last(counter, "schedule.run")["detail"] == launched["detail"]
    run_turns(counter.runtime)
    assert last(counter, "export.succeeded")["thing"] == launched["detail"]


def test_refusals_say_why_and_belong_to_who_was_refused(counter: Counter) -> None:
    job = counter.export()
    stranger = counter.holding("reports:read", tenant="globex")
    for _ in range(5):
        assert stranger.ask("GET", f"/exports/{job}/download").status_code == 404
    assert counter.ask("GET", "/datasets/wages/download").status_code == 403
    line = last(counter, "dataset.download")
    assert (line["outcome"], line["detail"], line["dataset"]) == ("refused", "INSUFFICIENT_SCOPE", "wages")
    assert all(line["outcome"] == "ok" for line in lines(counter, "/audit?action=export.download"))
    refused = lines(counter, "/audit?action=export.download", of="globex")
    assert [(line["outcome"], line["detail"], line["thing"]) for line in refused] == [("refused", "NOT_FOUND", job)]


def test_strangers_lists_and_progress_leave_nothing(counter: Counter) -> None:
    job = counter.export()
    counter.get(f"{counter.site.url}/api/v1/exports/{job}/download")
    counter.get(f"{counter.site.url}/s/ofs_nobody")
    counter.get(f"{counter.site.url}/healthz")
    for path in ("/exports", f"/exports/{job}", "/datasets", "/datasets/people", "/nowhere"):
        counter.ask("GET", path)
    last(counter, "export.submit")
    assert {line["action"] for line in lines(counter)} == {"export.submit", "export.succeeded"}


def test_no_secret_no_token_and_no_row_is_ever_in_it(counter: Counter, tmp_path: Path) -> None:
    share = counter.share(f"definitions/{counter.define()}")
    counter.get(share["url"])
    counter.get(share["url"] + "x")
    counter.ask("GET", f"/exports/{share['token']}/download")
    counter.ask("GET", f"/datasets/{share['token']}/download")
    counter.ask("GET", "/datasets/people/download")
    last(counter, "dataset.download")
    last(counter, "share.use")
    with sqlite3.connect(tmp_path / "offtake.db") as connection:
        kept = json.dumps(connection.execute("SELECT * FROM audit").fetchall())
    assert share["token"] not in kept
    assert "ofk_" not in kept
    assert "Bob" not in kept


def test_it_needs_its_own_scope_and_shows_one_tenant(counter: Counter) -> None:
    assert counter.ask("GET", "/audit").status_code == 403
    counter.holding("reports:read", tenant="globex").ask("GET", "/datasets/people/download")
    counter.ask("GET", "/datasets/people/download")
    last(counter, "dataset.download")
    wait_until(lambda: len(lines(counter, of="globex")) == 1)
    assert {line["tenant"] for line in lines(counter)} == {"acme"}


def test_it_is_read_in_pages_and_by_dates(counter: Counter) -> None:
    for _ in range(5):
        counter.ask("POST", "/datasets/people/count", json={})
    wait_until(lambda: len(lines(counter, "/audit?action=dataset.count")) == 5)
    auditor = counter.holding(AUDITOR)
    found: list[str] = []
    path = "/audit?action=dataset.count&from=today&to=now&limit=2"
    counter.clock.at = counter.clock.at.replace(hour=23)
    cursor: str | None = ""
    while cursor is not None:
        answer = auditor.ask("GET", f"{path}&cursor={cursor}").json()
        found += [line["id"] for line in answer["data"]]
        cursor = answer["next_cursor"]
    assert len(found) == len(set(found)) == 5
    assert lines(counter, "/audit?from=tomorrow") == []


@pytest.mark.parametrize(
    ("query", "code", "pointer"),
    [
        ("from=someday", "INVALID_RANGE", "/from"),
        ("from=today&to=2026-02-30", "INVALID_RANGE", "/to"),
        ("from=2026-05-18&to=2026-05-16", "INVALID_RANGE", "/to"),
        ("until=now", "INVALID_REQUEST", "/until"),
        ("action=export", "INVALID_REQUEST", "/action"),
        ("action=export.", "INVALID_REQUEST", "/action"),
        ("action=*", "INVALID_REQUEST", "/action"),
        ("action=Export.Submit", "INVALID_REQUEST", "/action"),
        ("limit=0", "INVALID_REQUEST", "/limit"),
    ],
)
def test_what_cannot_be_asked_is_named(opened_counter: Counter, query: str, code: str, pointer: str) -> None:
    answer = opened_counter.holding(AUDITOR).ask("GET", f"/audit?{query}")
    assert told(answer) == (422, code)
    assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]


def test_old_lines_are_pruned(counter: Counter) -> None:
    counter.ask("POST", "/datasets/people/count", json={})
    last(counter, "dataset.count")
    assert prune_audit(counter.runtime) == 0
    counter.clock.at = counter.clock.at.replace(year=2027, month=7)
    assert prune_audit(counter.runtime) >= 1
    assert lines(counter) == []


def test_an_audit_that_cannot_be_written_is_told_in_the_log_and_costs_nobody_an_answer(counter: Counter) -> None:
    secret = make_key(counter.runtime, "reports:read")
    with counter.runtime.appdb.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE audit RENAME TO elsewhere")
    answer = counter.client.get(
        f"{counter.site.url}/api/v1/datasets/people/download", headers={"Authorization": f"Bearer {secret}"}
    )
    assert answer.status_code == 200
    wait_until(lambda: '"audit lost"' in counter.site.log.getvalue())
    assert "Ann" not in counter.site.log.getvalue()
