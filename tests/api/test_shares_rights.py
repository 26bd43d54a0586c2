"""A share carries one right on one thing of one tenant, sees masks, and is worth no more than its owner's rights."""

import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from api.counter import EVERYTHING, MASKED, Counter, open_counter, uses
from api.desk import told
from offtake.dialect import ENTRYPOINTS
from offtake.service.access import create_key, list_keys, local_principal, revoke_key
from offtake.service.shares import create_share
from sites import bearer, make_key

UNMASKED = "id,name,mail\n1,Ann,ann@acme.example\n2,Bob,bob@acme.example\n"


def hostile(token: str) -> Iterator[str]:
    """Tokens that are nearly the one."""
    yield from (token[:-1], token + "0", token.swapcase(), "ofk_" + token[4:], "exp_tok_" + token[4:], token[4:])
    yield from ("ofs_", "ofs_" + "0" * 36, "%00" * 40, "%F0%9F%98%80", "..", token[:4] + token[5:] + token[4])


def test_a_token_nobody_gave_out_is_not_found(counter: Counter) -> None:
    share = counter.share(f"definitions/{counter.define()}")
    for token in hostile(share["token"]):
        assert told(counter.get(f"{counter.site.url}/s/{token}")) == (404, "NOT_FOUND")
    other = create_share(
        counter.runtime, local_principal(counter.runtime, "acme"), job_id=counter.export(), prefix="exp_tok_"
    )[1]
    assert told(counter.get(f"{counter.site.url}/s/{other}")) == (404, "NOT_FOUND")


def kept(counter: Counter) -> list[str]:
    """Every row the service remembers, but for the audit, whose lines may come after the answer."""
    with sqlite3.connect(str(counter.runtime.appdb.engine.url.database)) as connection:
        return [line for line in connection.iterdump() if not line.startswith('INSERT INTO "audit"')]


def routes(counter: Counter, **ids: str) -> Iterator[tuple[str, str]]:
    """Every method and address of the OpenAPI documents, those of foreign APIs too, with those ids in the paths."""
    known = defaultdict(lambda: ids["definition_id"], ids)
    for document in ("/openapi.json", *(f"/openapi/{entrypoint.name}.json" for entrypoint in ENTRYPOINTS)):
        for path, methods in counter.get(f"{counter.site.url}{document}").json()["paths"].items():
            for method in methods:
                yield method.upper(), counter.site.url + path.format_map(known)


def test_a_token_opens_no_route_of_the_api_but_its_own(counter: Counter) -> None:
    definition, export = counter.define(), counter.export()
    share, other = counter.share(f"definitions/{definition}"), counter.share(f"exports/{export}")
    dialects = create_share(counter.runtime, local_principal(counter.runtime, "acme"), job_id=export, prefix="exp_tok_")
    hook = {"url": "https://example.com/hook", "events": ["export.failed"]}
    plan = {"definition_id": definition, "rrule": "FREQ=DAILY", "timezone": "UTC", "start": "2026-05-18T00:00:00"}
    ids = {
        "definition_id": definition,
        "export_id": export,
        "share_id": other["id"],
        "schedule_id": counter.ask("POST", "/schedules", json=plan).json()["id"],
        "webhook_id": counter.ask("POST", "/webhooks", json=hook).json()["id"],
        "key_id": list_keys(counter.runtime, local_principal(counter.runtime, "acme"))[0].id,
        "delivery_id": definition,
        "name": "people",
        "token": other["token"],
    }
    before, count, token = kept(counter), 0, share["token"]
    for method, url in routes(counter, **ids):
        for sent in (bearer(token), {"x-api-key": token}, {"Authorization": token}, bearer(dialects[1])):
            answer = counter.client.request(method, url, headers=sent, json={} if method[0] == "P" else None)
            assert (answer.status_code, method, url) == (404, method, url)
            count += 1
        assert counter.client.request(method, url, params={"token": token}).status_code == 404
    assert count > 150
    assert kept(counter) == before
    assert counter.get(share["url"]).content.decode() == MASKED


def test_a_token_does_nothing_at_its_own_address_but_show_what_is_shared(counter: Counter) -> None:
    definition = counter.define()
    share, other = (counter.share(f"definitions/{definition}") for _ in range(2))
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"):
        assert told(counter.get(share["url"], method)) == (404, "NOT_FOUND")
    for path in ("/x", "/", "/download", "/..", "//"):
        assert told(counter.get(f"{share['url']}{path}")) == (404, "NOT_FOUND")
    for path in (f"/api/v1/definitions/{share['token']}/download", f"/{share['token']}", f"//s/{share['token']}"):
        assert told(counter.get(f"{counter.site.url}{path}")) == (404, "NOT_FOUND")
    assert uses(counter, share) == 0
    assert counter.client.get(share["url"], headers=bearer(share["token"])).status_code == 200
    assert told(counter.client.get(share["url"], headers=bearer(other["token"]))) == (404, "NOT_FOUND")
    assert (uses(counter, share), uses(counter, other)) == (1, 0)


def test_a_key_is_no_token(counter: Counter) -> None:
    key = make_key(counter.runtime, *EVERYTHING)
    assert told(counter.get(f"{counter.site.url}/s/{key}")) == (404, "NOT_FOUND")


def test_another_tenant_neither_sees_nor_makes_nor_ends_a_share(counter: Counter) -> None:
    definition, export = counter.define(), counter.export()
    share = counter.share(f"definitions/{definition}")
    globex = counter.holding(*EVERYTHING, tenant="globex")
    assert share["id"] not in {each["id"] for each in globex.listed()}
    for thing in (f"definitions/{definition}", f"exports/{export}"):
        assert told(globex.ask("POST", f"/{thing}/shares", json={})) == (404, "NOT_FOUND")
        assert told(globex.ask("GET", f"/{thing}/shares")) == (404, "NOT_FOUND")
    for id_ in (share["id"], "x", "%00"):
        assert told(globex.ask("DELETE", f"/shares/{id_}")) == (404, "NOT_FOUND")
    assert counter.get(share["url"]).status_code == 200


def test_a_live_share_reads_only_its_own_tenants_rows(counter: Counter) -> None:
    globex = counter.holding(*EVERYTHING, tenant="globex")
    share = globex.share(f"definitions/{globex.define()}")
    assert counter.get(share["url"]).text.splitlines() == ["id,name,mail", "3,Zoe,****mple"]


def test_shares_need_reports_write_and_the_dataset(counter: Counter) -> None:
    maker = counter.holding(*EVERYTHING, "wages:read")
    things = [f"definitions/{maker.define('wages')}", f"exports/{maker.export('wages', fields=['id'])}"]
    reader, stranger = counter.holding("reports:read", "wages:read"), counter.holding(*EVERYTHING)
    share = counter.share(f"definitions/{counter.define()}")
    for caller in (reader, stranger):
        for thing in things:
            assert told(caller.ask("POST", f"/{thing}/shares", json={})) == (403, "INSUFFICIENT_SCOPE")
    assert told(reader.ask("DELETE", f"/shares/{share['id']}")) == (403, "INSUFFICIENT_SCOPE")
    assert reader.listed()


def test_a_live_share_shows_masks_whatever_its_owner_holds(counter: Counter) -> None:
    for dataset in ("people", "wages"):
        rich = counter.holding(*EVERYTHING, "pii:read", "wages:read")
        definition = rich.define(dataset, sort=["id"])
        assert rich.ask("GET", f"/definitions/{definition}/download").content.decode() == UNMASKED
        assert counter.get(rich.share(f"definitions/{definition}")["url"]).content.decode() == MASKED


@pytest.mark.parametrize("request_", [{"filter": {"field": "mail", "op": "eq", "value": "x"}}, {"sort": ["mail"]}])
def test_what_needs_a_masked_field_cannot_be_shared(counter: Counter, request_: dict[str, Any]) -> None:
    rich = counter.holding(*EVERYTHING, "pii:read")
    definition, export = rich.define(**request_), rich.export(**request_, fields=["id"])
    for thing in (f"definitions/{definition}", f"exports/{export}"):
        answer = rich.ask("POST", f"/{thing}/shares", json={})
        assert told(answer) == (403, "FORBIDDEN")
        assert "masked" in answer.json()["detail"]


def test_a_file_that_shows_a_masked_field_cannot_be_shared(counter: Counter) -> None:
    rich = counter.holding(*EVERYTHING, "pii:read")
    shown, left_out = rich.export(), rich.export(fields=["id", "name"])
    assert told(rich.ask("POST", f"/exports/{shown}/shares", json={})) == (403, "FORBIDDEN")
    assert counter.get(rich.share(f"exports/{left_out}")["url"]).text.startswith("id,name")


def test_a_definition_that_changed_to_a_masked_field_tells_strangers_nothing(counter: Counter) -> None:
    rich = counter.holding(*EVERYTHING, "pii:read")
    definition = rich.define()
    share = rich.share(f"definitions/{definition}", max_downloads=1)
    body = {"name": "Changed", "dataset": "people", "filter": {"field": "mail", "op": "eq", "value": "s3cret"}}
    assert rich.ask("PUT", f"/definitions/{definition}", json=body).status_code == 200
    answer = counter.get(share["url"])
    assert told(answer) == (409, "CONFLICT")
    assert not {"mail", "s3cret", "pii"} & set(re.findall(r"\w+", answer.text))
    assert uses(rich, share) == 0


def test_a_share_ends_with_its_owners_key(counter: Counter) -> None:
    admin = local_principal(counter.runtime, None)
    for thing in (f"definitions/{counter.define()}", f"exports/{counter.export()}"):
        key, secret = create_key(counter.runtime, admin, tenant="acme", scopes=EVERYTHING)
        share = replace(counter, headers=bearer(secret)).share(thing)
        assert counter.get(share["url"]).status_code == 200
        revoke_key(counter.runtime, admin, key.id)
        assert told(counter.get(share["url"])) == (410, "REVOKED")


def test_a_share_ends_when_its_owner_loses_the_dataset(tmp_path: Path) -> None:
    with open_counter(tmp_path) as first:
        share = first.share(f"definitions/{first.define()}")
        gone = replace(first.runtime.datasets["people"], scopes=frozenset({"people:read"}))
        first.runtime.datasets["people"] = gone  # type: ignore[index]
        assert told(first.get(share["url"])) == (410, "REVOKED")
