"""Who may do what with Optimaite's export configurations, and what else may go wrong."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from api.shelf import WRITER
from dialect.office import CONFIGS, Office
from offtake.dialect.optimaite.shapes import native_id, render
from offtake.errors import ERRORS, OfftakeError, RateLimited
from offtake.model.limits import Limits
from sites import FakeSource, bearer, failing_after, few, make_key, make_runtime, serve


def requests(id_: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    body = {"name": "Ours", "source": "invoices"}
    yield "GET", "", {}
    yield "GET", f"/{id_}", {}
    yield "GET", f"/{id_}/execute", {}
    yield "GET", f"/{id_}/preview", {}
    yield "POST", "", {"json": body}
    yield "PUT", f"/{id_}", {"json": body}
    yield "POST", f"/{id_}/generate-token", {"json": {}}
    yield "DELETE", f"/{id_}", {}


def test_who_only_reads_may_list_see_and_execute(office: Office) -> None:
    made = office.create()
    for method, path, more in requests(made["id"]):
        answer = office.holding("reader").ask(method, path, **more)
        if method == "GET":
            assert answer.status_code == 200
        else:
            assert office.code(answer, 403) == "AUTH_INSUFFICIENT_SCOPE"


def test_without_a_scope_nothing_may_be_done(office: Office) -> None:
    made = office.create()
    for method, path, more in requests(made["id"]):
        assert office.code(office.holding("none").ask(method, path, **more), 403) == "AUTH_INSUFFICIENT_SCOPE"


def test_without_a_key_nobody_gets_in(office: Office) -> None:
    made = office.create()
    for method, path, more in requests(made["id"]):
        answer = office.holding(None).ask(method, path, **more)
        assert office.code(answer, 401) == "AUTH_INVALID_KEY"
        assert answer.headers["www-authenticate"]
        wrong = office.holding(None).ask(method, path, **more, headers={"Authorization": "Bearer opt_live_1"})
        assert office.code(wrong, 401) == "AUTH_INVALID_KEY"


def test_what_is_another_tenant_s_is_not_found(office: Office) -> None:
    stranger = office.holding("globex")
    for id_ in (office.create()["id"], "exp_01ABCDEFG"):
        for method, path, more in requests(id_):
            if path:
                assert office.code(stranger.ask(method, path, **more), 404) == "CONFIG_NOT_FOUND"
    mine = {each["id"] for each in office.told(office.ask("GET"))["data"]}
    theirs = {each["id"] for each in office.told(stranger.ask("GET"))["data"]}
    assert not mine & theirs


def test_every_answer_says_what_is_left_of_the_limit(office: Office) -> None:
    made = office.create()
    answers = [office.ask(*each[:2], **each[2]) for each in requests(made["id"])]
    answers += [office.ask("GET", f"/{made['id']}"), office.retrieve(made, "?"), office.ask("PATCH")]
    assert {answer.status_code for answer in answers} == {200, 201, 204, 401, 404, 405}
    for answer in answers:
        assert {"x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"} <= set(answer.headers)


def test_too_many_rows_are_told_with_their_number(office: Office) -> None:
    made = office.create()
    datasets: Any = office.demo.runtime.datasets
    before = datasets["invoices"]
    datasets["invoices"] = replace(before, row_limit=41)
    try:
        error = office.ask("GET", f"/{made['id']}/execute")
    finally:
        datasets["invoices"] = before
    assert office.code(error, 400) == "ROW_LIMIT_EXCEEDED"
    assert (error.json()["error"]["matched"], error.json()["error"]["allowed"]) == (42, 41)


def test_a_source_that_is_gone_is_told_when_it_is_executed(office: Office) -> None:
    made = office.create()
    datasets: Any = office.demo.runtime.datasets
    before = datasets.pop("invoices")
    try:
        refusals = [office.ask("GET", f"/{made['id']}{what}") for what in ("/execute", "/preview")]
        shown = office.ask("GET", f"/{made['id']}")
    finally:
        datasets["invoices"] = before
    assert [office.code(each, 400) for each in refusals] == ["INVALID_SOURCE"] * 2
    assert office.told(shown) == made


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.code)
def test_every_error_is_told_in_the_envelope_of_the_product(error: type[OfftakeError]) -> None:
    request: Any = None
    status, body = render(error("It went wrong.", hint="Try again.", extra={"retry_after_s": 7}), request)
    told = body["error"]
    assert (told["message"], told["retry_after"]) == ("It went wrong. Try again.", 7)
    assert status == (400 if error.status == 422 else error.status)
    assert told["code"].isupper()
    if error is RateLimited:
        assert told["code"] == "RATE_LIMIT_EXCEEDED"


def test_too_many_requests_are_told_when_to_come_again(tmp_path: Path) -> None:
    runtime = make_runtime(tmp_path, {"fake": FakeSource(few)}, limits=Limits(rate="1/minute"))
    with serve(runtime) as site:
        headers = bearer(make_key(runtime))
        answers = [httpx2.get(f"{site.url}{CONFIGS}", headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]
    error = answers[1].json()["error"]
    assert error["code"] == "RATE_LIMIT_EXCEEDED"
    assert error["retry_after"] == int(answers[1].headers["retry-after"]) > 0


@pytest.mark.parametrize("format", ["json", "csv"])
def test_a_database_that_dies_half_way_leaves_no_file_that_looks_whole(tmp_path: Path, format: str) -> None:
    runtime = make_runtime(tmp_path, {"fake": FakeSource(failing_after(50_000))})
    with serve(runtime) as site, httpx2.Client(base_url=site.url, headers=bearer(make_key(runtime, *WRITER))) as client:
        made = client.post(CONFIGS, json={"name": "Numbers", "source": "numbers", "format": format}).json()
        read: list[bytes] = []
        with client.stream("GET", f"{CONFIGS}/{made['id']}/execute") as answer:
            assert answer.status_code == 200
            with pytest.raises(httpx2.RemoteProtocolError):
                read.extend(answer.iter_bytes())
    assert sum(map(len, read)) > 1_000_000
    assert b"s3cret" not in b"".join(read)
    assert not read[-1].rstrip().endswith(b"]}")


def test_the_audit_knows_what_was_done_by_its_native_name(office: Office) -> None:
    made = office.create(schedule={"rrule": "FREQ=DAILY"})
    token = office.token(made)
    office.ask("GET", f"/{made['id']}/execute")
    office.retrieve(made, token)
    office.ask("PUT", f"/{made['id']}", json={"name": "Ours", "source": "invoices"})
    office.ask("DELETE", f"/{made['id']}")
    lines = office.told(office.ask("GET", "/api/v1/audit", params={"limit": 6}))["data"][::-1]
    assert [line["action"] for line in lines] == [
        "definition.create",
        "share.create",
        "definition.download",
        "share.use",
        "definition.update",
        "definition.delete",
    ]
    things = [line["thing"] for line in lines]
    assert things[0] == things[2] == things[4] == things[5] == native_id(made["id"])
    assert things[1] == things[3] != things[0]
    assert [line["rows"] for line in lines[2:4]] == [42, 42]
    assert token not in str(lines)
