"""Webhooks in Rebilly's words, for exports that were made through its API."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from standardwebhooks import Webhook as Verifier

from dialect.adviser import changed
from dialect.biller import Biller
from dialect.conftest import Demo
from offtake.model.delivery import WebhookRules
from offtake.notify import open_outbox
from offtake.service.deliveries import deliver_next
from receivers import Receiver, receiving

EVENTS = ["export.succeeded", "export.failed", "export.cancelled"]
HOST = "https://x.example/organizations/acme"
PREFIXED = "https://x.example/experimental/organizations/acme"


@pytest.fixture(scope="module")
def telling(served_demo: Demo) -> Iterator[Demo]:
    """The demo where webhooks may lead to this machine."""
    outbox = open_outbox(None, WebhookRules(frozenset({"127.0.0.1"}), 30.0), {})
    with changed(served_demo, lambda runtime: replace(runtime, outbox=outbox, public_url="https://x.example")) as demo:
        yield demo


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def ask(demo: Demo, method: str, path: str, **body: Any) -> dict[str, Any]:
    answer = demo.client.request(method, f"/api/v1{path}", headers={"x-api-key": demo.keys["admin"]}, json=body or None)
    assert answer.is_success, answer.text
    found: dict[str, Any] = answer.json() if answer.content else {}
    return found


def told(demo: Demo, receiver: Receiver, secret: str) -> list[dict[str, Any]]:
    """What the receiver was told, its signatures verified."""
    while deliver_next(demo.runtime) is not None:
        pass
    return [Verifier(secret).verify(body, headers) for headers, body in receiver.calls]


def test_a_webhook_is_told_of_the_ends_of_exports_as_rebilly_tells(telling: Demo, receiver: Receiver) -> None:
    hook = ask(telling, "POST", "/webhooks", url=receiver.url, events=EVENTS, dialect="rebilly")
    assert ask(telling, "GET", f"/webhooks/{hook['id']}")["dialect"] == "rebilly"
    biller = Biller(telling)
    biller.put("hooked", name="hooked")
    telling.run()
    ask(telling, "POST", "/exports", dataset="disputes")  # natively, which is nothing to it
    telling.run()
    done = biller.get("hooked")
    failed = biller.queue(name="stopped")
    ask(telling, "POST", f"/exports/{failed['id']}/cancel")
    first, second = told(telling, receiver, hook["secret"])
    export = first.pop("_embedded")["dataExport"]
    assert first == {
        "eventType": "data-export-completed",
        "dataExportId": "hooked",
        "fileId": done["fileId"],
        "recordCount": done["recordCount"],
        "status": "completed",
        "failureReason": None,
        "_links": [
            {"rel": "dataExport", "href": f"{PREFIXED}/data-exports/hooked"},
            {"rel": "download", "href": f"{HOST}/files/{done['fileId']}/download"},
        ],
    }
    assert {name: export[name] for name in export if name != "_links"} == {
        name: done[name] for name in done if name != "_links"
    }
    assert [link["rel"] for link in export["_links"]] == ["self", "user"]
    assert (second["eventType"], second["dataExportId"], second["fileId"]) == ("data-export-failed", failed["id"], None)
    assert [link["rel"] for link in second["_links"]] == ["dataExport"]
    ask(telling, "DELETE", f"/webhooks/{hook['id']}")
    biller.clear()


def test_apis_that_tell_nothing_have_no_webhooks(telling: Demo) -> None:
    headers = {"x-api-key": telling.keys["admin"]}
    body = {"url": "https://example.com/", "events": ["export.failed"], "dialect": "rebily"}
    refused = telling.client.post("/api/v1/webhooks", headers=headers, json=body).json()
    assert (refused["errors"][0]["pointer"], refused["hint"]) == ("/dialect", "Did you mean rebilly? Known: rebilly.")
