"""Exports asked for twice, by key or by choice, and lists of them a page at a time."""

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from api.desk import Desk, open_desk, told
from offtake.model.access import Secret
from offtake.service.signing import seal_cursor

KEY = {"Idempotency-Key": "8e03978e-40d5-43dd-bc93-6894a57f9324"}


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """One service for all of these tests."""
    with open_desk(tmp_path_factory.mktemp("home")) as desk:
        yield desk


@pytest.fixture
def desk(opened: Desk) -> Desk:
    """A desk of this test's own."""
    return opened.own()


def ids(listed: dict[str, Any]) -> list[str]:
    """The ids of a page."""
    return [job["id"] for job in listed["data"]]


def test_the_same_export_under_the_same_key_is_made_once(desk: Desk) -> None:
    answers = [desk.ask("POST", json={"dataset": "numbers", "limit": 2}, headers=KEY) for _ in range(3)]
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len({answer.headers["location"] for answer in answers}) == 1
    assert [answer.headers.get("idempotency-replayed") for answer in answers] == [None, "true", "true"]


def test_an_export_that_ended_is_still_the_one_of_its_key(desk: Desk) -> None:
    made = desk.ask("POST", json={"dataset": "numbers"}, headers=KEY).json()
    desk.run()
    replayed = desk.ask("POST", json={"dataset": "numbers"}, headers=KEY).json()
    assert (replayed["id"], replayed["state"]) == (made["id"], "succeeded")


@pytest.mark.parametrize("other", [{"limit": 3}, {"priority": 1}, {"start_at": "2026-06-01T00:00:00Z"}])
def test_another_export_under_the_same_key_is_refused(desk: Desk, other: dict[str, Any]) -> None:
    desk.ask("POST", json={"dataset": "numbers"}, headers=KEY)
    assert told(desk.ask("POST", json={"dataset": "numbers", **other}, headers=KEY)) == (422, "IDEMPOTENCY_MISMATCH")


def test_a_key_belongs_to_who_sent_it_and_is_free_after_a_day(desk: Desk) -> None:
    made = [desk.ask("POST", json={"dataset": "numbers"}, headers=KEY).json()["id"]]
    other = desk.holding("reports:read")
    made.append(other.ask("POST", json={"dataset": "numbers", "limit": 9}, headers=KEY).json()["id"])
    desk.clock.at += timedelta(hours=24)
    made.append(desk.ask("POST", json={"dataset": "numbers"}, headers=KEY).json()["id"])
    assert len(set(made)) == 3


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb"])
def test_a_key_that_is_none_is_refused(desk: Desk, key: str) -> None:
    answer = desk.ask("POST", json={"dataset": "numbers"}, headers={"Idempotency-Key": key})
    assert told(answer) == (422, "INVALID_REQUEST")


def test_what_was_refused_leaves_its_key_free(desk: Desk) -> None:
    assert desk.ask("POST", json={"dataset": "numbers", "format": "x"}, headers=KEY).status_code == 422
    assert desk.ask("POST", json={"dataset": "numbers"}, headers=KEY).status_code == 202


def test_a_running_export_is_shared_only_if_asked_and_only_with_its_owner(desk: Desk) -> None:
    first = desk.submit(limit=7)
    assert desk.submit(limit=7)["id"] != first["id"]
    assert desk.submit(limit=7, share_running=True)["id"] == first["id"]
    assert desk.submit(limit=8, share_running=True)["id"] != first["id"]
    assert desk.holding("reports:read").submit(limit=7, share_running=True)["id"] != first["id"]
    desk.run()
    assert desk.submit(limit=7, share_running=True)["id"] != first["id"]


def test_pages_hold_every_export_once_while_new_ones_arrive(desk: Desk) -> None:
    globex = desk.holding("reports:read", tenant="globex")
    made = [globex.submit()["id"] for _ in range(120)]
    desk.submit()
    seen: list[str] = []
    cursor = ""
    for _ in range(10):
        page = globex.ask("GET", params={"limit": 17, "cursor": cursor}).json()
        seen += ids(page)
        globex.submit()
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == made[::-1]


def test_a_list_is_narrowed_by_state_and_dataset(desk: Desk) -> None:
    masked, waiting = desk.finish(dataset="masked"), desk.submit()
    assert waiting["id"] in ids(desk.ask("GET", params={"state": "queued"}).json())
    assert masked["id"] not in ids(desk.ask("GET", params={"state": "queued"}).json())
    assert ids(desk.ask("GET", params={"dataset": "masked", "state": "succeeded"}).json()) == [masked["id"]]
    assert ids(desk.ask("GET", params={"dataset": "masked", "state": "", "cursor": ""}).json()) == [masked["id"]]
    assert ids(desk.ask("GET", params={"dataset": "nothing"}).json()) == []


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"limit": "0"}, "limit is less than 1."),
        ({"limit": "201"}, "limit is more than 200."),
        ({"limit": "many"}, "limit takes a whole number."),
        (
            {"state": "done"},
            "state takes one of 'scheduled', 'queued', 'running', 'succeeded', 'failed' or 'cancelled'.",
        ),
        ({"dataset": "x" * 1001}, "dataset has more than 1000 characters."),
        ({"stat": "queued"}, "There is no 'stat' here; did you mean 'state'?"),
    ],
)
def test_a_wrong_parameter_is_named(desk: Desk, params: dict[str, str], said: str) -> None:
    answer = desk.ask("GET", params=params)
    assert told(answer) == (422, "INVALID_REQUEST")
    assert answer.json()["errors"] == [{"pointer": f"/{next(iter(params))}", "detail": said}]


def test_a_cursor_works_only_for_the_list_it_came_from(desk: Desk) -> None:
    for _ in range(3):
        desk.submit()
    cursor = desk.ask("GET", params={"limit": 1, "state": "queued"}).json()["next_cursor"]
    right = desk.ask("GET", params={"limit": 2, "state": "queued", "cursor": cursor})
    assert len(right.json()["data"]) == 2
    globex = desk.holding("reports:read", tenant="globex")
    wrong = [
        desk.ask("GET", params={"cursor": cursor}),
        desk.ask("GET", params={"cursor": cursor, "state": "running"}),
        desk.ask("GET", params={"cursor": cursor, "state": "queued", "dataset": "numbers"}),
        globex.ask("GET", params={"cursor": cursor, "state": "queued"}),
    ]
    assert {told(answer) for answer in wrong} == {(422, "INVALID_CURSOR")}


def forged(desk: Desk) -> Iterator[str]:
    """Cursors that nobody gave out."""
    desk.submit()
    desk.submit()
    real = desk.ask("GET", params={"limit": 1}).json()["next_cursor"]
    place, key, signature = json.loads(base64.urlsafe_b64decode(real + "=="))
    for parts in (["0" * 36, key, signature], [place, "k0", signature], [place, key, ""], [place, key, "é"], [1, 2, 3]):
        yield base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")
    yield from (real[:-1], real + "A", "e30", "W10", "x", "é", "\0", "x" * 900, "[" * 900, real.swapcase())
    stranger = replace(desk.runtime, secrets=(Secret("k1", b"a secret of somebody else altogether"),))
    yield seal_cursor(stranger, place, "exports", "acme", "", "")


def test_a_forged_cursor_is_refused(desk: Desk) -> None:
    for cursor in forged(desk):
        answer = desk.ask("GET", params={"cursor": cursor})
        assert told(answer) == (422, "INVALID_CURSOR"), cursor
        assert answer.json()["errors"][0]["pointer"] == "/cursor"
