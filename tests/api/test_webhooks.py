"""Webhooks over HTTP: who may, what is shown, what is refused."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from api.desk import Desk, open_desk, told
from offtake.model.delivery import WebhookRules
from offtake.notify import open_outbox
from offtake.service.deliveries import deliver_next
from offtake.service.runtime import Runtime
from receivers import Receiver, receiving

EVENTS = ["export.succeeded"]


def configure(runtime: Runtime) -> Runtime:
    return replace(runtime, outbox=open_outbox(None, WebhookRules(frozenset({"127.0.0.1"}), 2.0), {}))


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with open_desk(tmp_path_factory.mktemp("home"), configure) as desk:
        yield desk


@pytest.fixture
def desk(opened: Desk) -> Desk:
    return opened.own().holding("reports:read", "reports:write")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def ask(desk: Desk, method: str, path: str, **more: Any) -> httpx2.Response:
    return desk.client.request(method, f"{desk.site.url}/api/v1{path}", headers=desk.headers, **more)


def make(desk: Desk, url: str, events: list[str] | None = None) -> dict[str, Any]:
    answer = ask(desk, "POST", "/webhooks", json={"url": url, "events": events or EVENTS})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def test_a_secret_is_shown_when_it_is_made_and_never_again(desk: Desk) -> None:
    made = make(desk, "https://example.com/hook")
    assert made["secret"].startswith("whsec_")
    shown = ask(desk, "GET", f"/webhooks/{made['id']}")
    listed = ask(desk, "GET", "/webhooks")
    assert made["secret"] not in shown.text + listed.text
    assert shown.json() in listed.json()["data"]
    rotated = ask(desk, "POST", f"/webhooks/{made['id']}/rotate").json()
    assert rotated["secret"] not in ("", made["secret"])
    assert rotated["old_secret_until"] is not None
    assert ask(desk, "DELETE", f"/webhooks/{made['id']}").status_code == 204
    assert told(ask(desk, "GET", f"/webhooks/{made['id']}")) == (404, "NOT_FOUND")


def test_a_webhook_can_be_led_elsewhere_and_silenced(desk: Desk, receiver: Receiver) -> None:
    made = make(desk, "https://example.com/hook")
    body = {"url": receiver.url, "events": ["export.cancelled", "export.failed"], "is_active": False}
    changed = ask(desk, "PUT", f"/webhooks/{made['id']}", json=body).json()
    assert {key: changed[key] for key in body} == body
    desk.finish()
    assert ask(desk, "GET", f"/webhooks/{made['id']}/deliveries").json() == {"data": [], "next_cursor": None}


@pytest.mark.parametrize("host", ["169.254.169.254", "[::ffff:10.0.0.1]", "[64:ff9b::7f00:1]", "10.0.0.1"])
def test_an_address_inside_is_refused_when_it_is_saved(desk: Desk, host: str) -> None:
    answer = ask(desk, "POST", "/webhooks", json={"url": f"http://{host}/", "events": EVENTS})
    assert told(answer) == (422, "INVALID_REQUEST")
    assert answer.json()["errors"][0]["pointer"] == "/url"
    assert "not allowed" in answer.json()["detail"]


def test_an_unknown_event_is_told_its_neighbour(desk: Desk) -> None:
    answer = ask(desk, "POST", "/webhooks", json={"url": "https://example.com/", "events": ["export.succeded"]})
    assert told(answer) == (422, "INVALID_REQUEST")
    assert "export.succeeded" in answer.json()["hint"]
    assert answer.json()["errors"][0]["pointer"] == "/events/0"


def test_a_test_tells_at_once_what_became_of_it(desk: Desk, receiver: Receiver) -> None:
    made = make(desk, receiver.url)
    tried = ask(desk, "POST", f"/webhooks/{made['id']}/test").json()
    assert (tried["state"], tried["status"], tried["error"]) == ("succeeded", 204, None)
    receiver.status = 500
    tried = ask(desk, "POST", f"/webhooks/{made['id']}/test").json()
    assert (tried["state"], tried["status"], tried["error"]) == ("failed", 500, "The receiver answered 500.")
    localhost = make(desk, "http://localhost/")
    tried = ask(desk, "POST", f"/webhooks/{localhost['id']}/test").json()
    assert (tried["state"], tried["status"]) == ("failed", None)


def test_what_was_sent_is_listed_page_by_page_and_shown_with_its_export(desk: Desk, receiver: Receiver) -> None:
    made = make(desk, receiver.url)
    jobs = [desk.finish()["id"] for _ in range(3)]
    while deliver_next(desk.runtime) is not None:
        continue
    seen: list[dict[str, Any]] = []
    path = f"/webhooks/{made['id']}/deliveries?limit=2"
    page = ask(desk, "GET", path).json()
    seen += page["data"]
    page = ask(desk, "GET", f"{path}&cursor={page['next_cursor']}").json()
    seen += page["data"]
    assert ([each["export_id"] for each in seen], page["next_cursor"]) == (jobs[::-1], None)
    shown = desk.ask("GET", f"/{jobs[0]}").json()["deliveries"]
    assert {each["id"] for each in seen} & {each["id"] for each in shown} == {seen[-1]["id"]}
    again = ask(desk, "POST", f"/deliveries/{seen[0]['id']}/redeliver")
    assert (again.status_code, again.json()["state"], again.json()["id"]) == (202, "pending", seen[0]["id"])


def test_webhooks_need_the_right_to_write_and_are_nobody_elses(desk: Desk, receiver: Receiver) -> None:
    made = make(desk, receiver.url)
    own = f"/webhooks/{made['id']}"
    delivery = ask(desk, "POST", f"{own}/test").json()["id"]
    body = {"url": receiver.url, "events": EVENTS}
    routes = [
        ("GET", own, None),
        ("PUT", own, body),
        ("POST", f"{own}/rotate", None),
        ("POST", f"{own}/test", None),
        ("GET", f"{own}/deliveries", None),
        ("DELETE", own, None),
        ("POST", f"/deliveries/{delivery}/redeliver", None),
    ]
    foreign = desk.holding("reports:read", "reports:write", tenant="globex")
    reader = desk.holding("reports:read")
    for method, path, json in routes:
        assert told(ask(foreign, method, path, json=json)) == (404, "NOT_FOUND"), path
        assert told(ask(reader, method, path, json=json)) == (403, "INSUFFICIENT_SCOPE"), path
    assert told(ask(reader, "POST", "/webhooks", json=body)) == (403, "INSUFFICIENT_SCOPE")
    assert ask(foreign, "GET", "/webhooks").json()["data"] == []
