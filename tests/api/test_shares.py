"""Shares over HTTP: made, listed, opened by machines and by people, and ended."""

import re
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest

from api.counter import BROWSER, MASKED, Counter, open_counter, uses
from api.desk import told


def test_a_live_share_gives_the_rows_of_today_to_whoever_has_its_token(counter: Counter) -> None:
    share = counter.share(f"definitions/{counter.define(sort=['id'])}")
    answer = counter.get(share["url"])
    assert (answer.status_code, answer.content.decode()) == (200, MASKED)
    assert answer.headers["content-disposition"].startswith('attachment; filename="people_2026-05-17.csv"')
    assert counter.get(share["url"], Accept="text/csv").content.decode() == MASKED


def test_whoever_downloads_a_live_share_executes_its_definition(counter: Counter) -> None:
    definition = counter.define()
    share = counter.share(f"definitions/{definition}")
    counter.client.head(share["url"])
    assert counter.ask("GET", f"/definitions/{definition}").json()["last_executed_at"] is None
    counter.get(share["url"])
    assert counter.ask("GET", f"/definitions/{definition}").json()["last_executed_at"] == "2026-05-17T12:30:00Z"


def test_a_fixed_share_gives_the_very_file(counter: Counter) -> None:
    export = counter.export()
    whole = counter.get(counter.share(f"exports/{export}")["url"])
    assert whole.content == counter.ask("GET", f"/exports/{export}/download").content
    assert whole.headers["etag"]


def test_a_share_is_shown_once_and_listed_without_its_token(counter: Counter) -> None:
    definition, export = counter.define(), counter.export()
    live = counter.share(f"definitions/{definition}", expires_in_s=3600, max_downloads=2)
    fixed = counter.share(f"exports/{export}", expires_in_s=60)
    assert re.fullmatch("ofs_[0-9A-Za-z]{36}", live["token"])
    assert live["url"] == f"{counter.site.url}/s/{live['token']}"
    counter.clock.at += timedelta(minutes=1)
    counter.get(live["url"])
    shown = live | {"uses": 1, "last_used_at": "2026-05-17T12:31:00Z"}
    del shown["token"], shown["url"]
    assert counter.listed(f"/definitions/{definition}/shares") == [shown]
    assert (shown["definition_id"], shown["export_id"], shown["state"]) == (definition, None, "active")
    assert (shown["expires_at"], shown["max_downloads"]) == ("2026-05-17T13:30:00Z", 2)
    listed = counter.listed(f"/exports/{export}/shares")
    assert [(each["id"], each["state"]) for each in listed] == [(fixed["id"], "expired")]
    assert counter.listed()[:2] == [*listed, shown]
    assert live["token"] not in counter.ask("GET", "/shares").text


def test_only_a_hash_of_the_token_is_kept(tmp_path: Path) -> None:
    with open_counter(tmp_path) as counter:
        share = counter.share(f"definitions/{counter.define()}")
        counter.get(share["url"])
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("offtake.db*"))
    assert share["id"].encode() in kept
    assert share["token"].encode() not in kept


def test_lists_come_in_pages(counter: Counter) -> None:
    definition = counter.define()
    made = [counter.share(f"definitions/{definition}")["id"] for _ in range(3)]
    path = f"/definitions/{definition}/shares"
    first = counter.ask("GET", f"{path}?limit=2").json()
    last = counter.ask("GET", path, params={"limit": 2, "cursor": first["next_cursor"]}).json()
    assert [each["id"] for each in first["data"] + last["data"]] == made[::-1]
    assert last["next_cursor"] is None
    assert told(counter.ask("GET", "/shares", params={"cursor": first["next_cursor"]})) == (422, "INVALID_CURSOR")


def test_a_share_ends_when_it_says(counter: Counter) -> None:
    share = counter.share(f"definitions/{counter.define()}", expires_in_s=60)
    counter.clock.at += timedelta(seconds=59)
    assert counter.get(share["url"]).status_code == 200
    counter.clock.at += timedelta(seconds=1)
    assert told(counter.get(share["url"])) == (410, "EXPIRED")
    assert counter.get(share["url"], "HEAD").status_code == 410


def test_a_share_of_a_file_ends_with_the_file(counter: Counter) -> None:
    share = counter.share(f"exports/{counter.export()}")
    assert share["expires_at"] == "2026-05-24T12:30:00Z"
    counter.clock.at += timedelta(days=7)
    assert told(counter.get(share["url"])) == (410, "EXPIRED")


def test_a_revoked_share_ends_at_once_and_may_be_revoked_twice(counter: Counter) -> None:
    share = counter.share(f"exports/{counter.export()}")
    answers = [counter.ask("DELETE", f"/shares/{share['id']}").status_code for _ in range(2)]
    assert answers == [204, 204]
    assert told(counter.get(share["url"])) == (410, "REVOKED")
    assert counter.listed()[0]["state"] == "revoked"


def test_what_is_deleted_takes_its_shares_along(counter: Counter) -> None:
    for thing in (f"definitions/{counter.define()}", f"exports/{counter.export()}"):
        share = counter.share(thing)
        assert counter.ask("DELETE", f"/{thing}").status_code == 204
        assert told(counter.get(share["url"])) == (410, "REVOKED")
        assert counter.listed()[0]["state"] == "revoked"


def test_people_get_a_page_that_leads_to_the_file(counter: Counter) -> None:
    for thing in (f"definitions/{counter.define()}", f"exports/{counter.export()}"):
        share = counter.share(thing, max_downloads=3)
        page = counter.get(share["url"], **BROWSER)
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert (page.headers["vary"], page.headers["x-robots-tag"]) == ("Accept", "noindex, nofollow")
        assert page.headers["referrer-policy"] == "no-referrer"
        assert "default-src 'none'; style-src 'sha256-" in page.headers["content-security-policy"]
        assert (share["token"] not in page.text, uses(counter, share)) == (True, 0)
        link = re.findall(r'href="([^"]+)"', page.text)
        file = counter.get(str(httpx2.URL(share["url"]).join(link[0])), **BROWSER)
        assert (file.content.decode(), file.headers["vary"], uses(counter, share)) == (MASKED, "Accept", 1)


def test_people_are_told_on_a_page_why_there_is_nothing(counter: Counter) -> None:
    share = counter.share(f"exports/{counter.export()}", max_downloads=1)
    counter.get(share["url"])
    for url, status in ((share["url"], 410), (f"{share['url']}?download=1", 410), (share["url"] + "x", 404)):
        page = counter.get(url, **BROWSER)
        assert (page.status_code, page.headers["content-type"]) == (status, "text/html; charset=utf-8")
        assert "<h1>" in page.text


def test_no_token_is_ever_logged(counter: Counter) -> None:
    share = counter.share(f"definitions/{counter.define()}", max_downloads=2)
    for url in (share["url"], f"{share['url']}?download=1", f"{share['url']}/x", share["url"] + "x", share["url"]):
        for headers in ({}, BROWSER):
            counter.get(url, **headers)
            counter.get(url, "HEAD", **headers)
            counter.get(url, "POST", **headers)
    log = counter.site.log.getvalue()
    assert share["token"][4:] not in log
    assert share["token"][4:] not in counter.get(f"{counter.site.url}/metrics").text
    assert ('"route": "/s/{token}"' in log, f'"key": "share:{share["id"]}"' in log) == (True, True)
    assert '"bug"' not in log


@pytest.mark.parametrize(
    "body",
    [
        {"expires_in_s": 0},
        {"expires_in_s": 366 * 24 * 3600 + 1},
        {"expires_in_s": "60"},
        {"max_downloads": 0},
        {"max_downloads": 1.5},
        {"max_downloads": 10**7},
    ],
)
def test_bounds_of_nothing_or_of_too_much_are_refused(counter: Counter, body: dict[str, object]) -> None:
    answer = counter.ask("POST", f"/exports/{counter.export()}/shares", json=body)
    assert told(answer) == (422, "INVALID_REQUEST")
    assert answer.json()["errors"][0]["pointer"] == f"/{next(iter(body))}"


def test_a_mistyped_bound_is_told_its_nearest(counter: Counter) -> None:
    answer = counter.ask("POST", f"/definitions/{counter.define()}/shares", json={"max_download": 1})
    assert "max_downloads" in answer.json()["detail"]


def test_what_has_not_ended_or_is_not_there_cannot_be_shared(counter: Counter) -> None:
    waiting = counter.ask("POST", "/exports", json={"dataset": "people"}).json()["id"]
    assert told(counter.ask("POST", f"/exports/{waiting}/shares", json={})) == (409, "NOT_READY")
    assert told(counter.ask("POST", "/exports/x/shares", json={})) == (404, "NOT_FOUND")
    assert told(counter.ask("POST", "/definitions/x/shares", json={})) == (404, "NOT_FOUND")
    assert told(counter.ask("GET", "/definitions/x/shares")) == (404, "NOT_FOUND")
