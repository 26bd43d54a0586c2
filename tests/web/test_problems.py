"""Every refusal looks the same, whoever refuses."""

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from offtake.model.limits import Limits
from offtake.service.runtime import Runtime
from sites import ACME, FakeSource, Site, bearer, few, make_key, make_runtime, serve, wait_until

BASE = "/api/v1/datasets"
A_LABEL = 'A label is a text, or texts by language such as {"en": "Name", "es": "Nombre"}.'


@dataclass(frozen=True)
class Served:
    """A served runtime with a key for it."""

    site: Site
    runtime: Runtime
    secret: str

    def send(self, method: str, path: str, **more: object) -> httpx2.Response:
        """An authenticated request."""
        headers = {**bearer(self.secret), **more.pop("headers", {})}  # type: ignore[dict-item]
        return httpx2.request(method, self.site.url + path, headers=headers, **more)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One service for the whole file."""
    runtime = make_runtime(tmp_path_factory.mktemp("home"), {"fake": FakeSource(few)})
    with serve(runtime) as site:
        yield Served(site, runtime, make_key(runtime))


def test_an_unknown_dataset_is_this_very_document(served: Served) -> None:
    answer = served.send("GET", f"{BASE}/nubmers", headers={"X-Request-Id": "my-request-7"})
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "urn:offtake:problem:not_found",
        "title": "Not found",
        "status": 404,
        "detail": "There is no dataset 'nubmers'.",
        "code": "NOT_FOUND",
        "hint": "Did you mean numbers? Datasets: numbers.",
        "request_id": "my-request-7",
    }


def test_a_wrong_body_is_this_very_document(served: Served) -> None:
    body = {"feilds": ["n"], "limit": "ten", "fields": [{"field": "n", "label": 1}]}
    answer = served.send("POST", f"{BASE}/numbers/download", json=body, headers={"X-Request-Id": "r"})
    assert answer.json() == {
        "type": "urn:offtake:problem:invalid_request",
        "title": "Invalid request",
        "status": 422,
        "detail": A_LABEL,
        "code": "INVALID_REQUEST",
        "hint": "See /docs for the shape of every body.",
        "request_id": "r",
        "errors": [
            {"pointer": "/fields/0/label", "detail": A_LABEL},
            {"pointer": "/limit", "detail": "limit takes a whole number."},
            {"pointer": "/feilds", "detail": "There is no 'feilds' here; did you mean 'fields'?"},
        ],
    }


@pytest.mark.parametrize(
    ("method", "path", "more", "pointer", "detail"),
    [
        ("POST", f"{BASE}/numbers/download", {"json": {"expires_in_s": 60}}, "/expires_in_s",
         "There is no 'expires_in_s' here."),
        ("POST", f"{BASE}/numbers/download", {"json": {"members": []}}, "/members",
         "There is no 'members' here."),
        ("POST", f"{BASE}/numbers/download", {"json": {"fields": [{"field": "n", "lable": "N", "limit": 1}]}},
         "/fields/0/lable", "There is no 'lable' here; did you mean 'label'?"),
        ("POST", f"{BASE}/numbers/download", {"json": {"date_range": {"form": "today"}}}, "/date_range/form",
         "There is no 'form' here; did you mean 'from'?"),
        ("GET", "/api/v1/exports?stat=queued", {}, "/stat", "There is no 'stat' here; did you mean 'state'?"),
        ("GET", "/api/v1/schedules?state=queued", {}, "/state", "There is no 'state' here."),
    ],
)  # fmt: skip
def test_an_unknown_key_names_the_nearest_of_the_body_it_is_in(
    served: Served, method: str, path: str, more: dict[str, object], pointer: str, detail: str
) -> None:
    (first, *_) = served.send(method, path, **more).json()["errors"]
    assert first == {"pointer": pointer, "detail": detail}


@pytest.mark.parametrize(
    ("method", "path", "more", "status", "code"),
    [
        ("GET", "/nowhere", {}, 404, "NOT_FOUND"),
        ("GET", f"{BASE}/", {}, 404, "NOT_FOUND"),
        ("PUT", BASE, {}, 405, "METHOD_NOT_ALLOWED"),
        ("POST", f"{BASE}/numbers/count", {"content": b"<x/>", "headers": {"Content-Type": "text/xml"}}, 415,
         "UNSUPPORTED_MEDIA_TYPE"),
        ("POST", f"{BASE}/numbers/count", {"content": b"{}"}, 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("POST", f"{BASE}/numbers/count", {}, 422, "INVALID_REQUEST"),
        ("POST", f"{BASE}/numbers/count", {"json": []}, 422, "INVALID_REQUEST"),
        ("POST", f"{BASE}/numbers/count", {"json": {"dataset": "other"}}, 422, "INVALID_REQUEST"),
        ("POST", f"{BASE}/numbers/count", {"json": {"filter": {"field": "n"}}}, 422, "INVALID_FILTER"),
        ("POST", f"{BASE}/numbers/count", {"json": {"filter": {"field": "m", "op": "eq", "value": 1}}}, 422,
         "UNKNOWN_FIELD"),
        ("GET", f"{BASE}/numbers/download?format=cvs", {}, 422, "INVALID_FORMAT"),
        ("GET", f"{BASE}/numbers/download?compression=rar", {}, 422, "INVALID_FORMAT"),
        ("GET", f"{BASE}/numbers/download?feilds=n", {}, 422, "INVALID_REQUEST"),
        ("GET", f"{BASE}/numbers/download?limit=1&limit=2", {}, 422, "INVALID_REQUEST"),
        ("GET", f"{BASE}/numbers/download?options.header=none&options.header=none", {}, 422, "INVALID_REQUEST"),
        ("GET", "/api/v1/exports?limit=1&limit=2", {}, 422, "INVALID_REQUEST"),
        ("GET", "/api/v1/exports?limit=1&cursor=&cursor=", {}, 422, "INVALID_REQUEST"),
        ("GET", "/api/v1/definitions?q=a&q=b", {}, 422, "INVALID_REQUEST"),
        ("GET", "/s/ofs_nobody?download=0&download=1", {}, 422, "INVALID_REQUEST"),
        ("GET", f"{BASE}/numbers/download?limit=-1", {}, 422, "INVALID_REQUEST"),
        ("GET", f"{BASE}/numbers/download?fields=n,m", {}, 422, "UNKNOWN_FIELD"),
        ("GET", f"{BASE}/numbers/download?filter={{", {}, 422, "INVALID_FILTER"),
        ("GET", f"{BASE}/numbers/download?timezone=Europe/Paris2", {}, 422, "INVALID_REQUEST"),
    ],
)  # fmt: skip
def test_whatever_is_wrong_has_a_code_and_a_way_out(
    served: Served, method: str, path: str, more: dict[str, object], status: int, code: str
) -> None:
    answer = served.send(method, path, **more)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    problem = answer.json()
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["detail"]
    assert problem["hint"]
    assert problem["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize(
    ("body", "pointer", "detail"),
    [
        (None, "", "The body takes an object."),
        ({"limit": 0}, "/limit", "limit is less than 1."),
        ({"limit": 2.5}, "/limit", "limit takes a whole number."),
        ({"fields": []}, "/fields", "fields holds nothing; leave it out instead."),
        ({"fields": "n"}, "/fields", "fields takes a list."),
        ({"fields": [{"label": "N"}]}, "/fields/0/field", "fields[0].field is missing."),
        ({"fields": [1]}, "/fields/0",
         "A field is its name, or an object with its name as `field` and a `label`."),
        ({"sort": [True]}, "/sort/0", "sort[0] takes text."),
        ({"filter": "n:1"}, "/filter", "filter takes an object."),
        ({"date_range": {"from": 5}}, "/date_range/from", "date_range.from takes text."),
        ({"q": "x" * 1001}, "/q", "q has more than 1000 characters."),
    ],
)  # fmt: skip
def test_a_wrong_value_is_told_its_place_and_what_it_takes(
    served: Served, body: object, pointer: str, detail: str
) -> None:
    headers = {"Content-Type": "application/json"}
    problem = served.send("POST", f"{BASE}/numbers/count", content=json.dumps(body), headers=headers).json()
    assert problem["detail"] == detail
    assert problem["errors"] == [{"pointer": pointer, "detail": detail}]


@pytest.mark.parametrize(
    ("path", "field", "value", "detail"),
    [
        ("schedules", "start", "2026-05-01T06:00:00Z",
         "start takes a local time without an offset, such as 2027-01-31T12:00:00."),
        ("definitions", "name", "", "name is empty."),
    ],
)  # fmt: skip
def test_texts_that_saved_things_cannot_hold_are_told_in_our_words(
    served: Served, path: str, field: str, value: str, detail: str
) -> None:
    answer = served.send("POST", f"/api/v1/{path}", json={field: value})
    assert {"pointer": f"/{field}", "detail": detail} in answer.json()["errors"]


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("limit=0", "/limit"),
        ("from=2026-05-01&from=2026-05-02", "/date_range/from"),
        ("options.header=none&options.header=name", "/options/header"),
        ("include_all_custom_fields=maybe", "/include_all_custom_fields"),
        ("feilds=n", "/feilds"),
    ],
)
def test_a_wrong_parameter_points_at_where_a_body_would_say_it(served: Served, query: str, pointer: str) -> None:
    answer = served.send("GET", f"{BASE}/numbers/download?{query}")
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_a_slash_too_many_is_told(served: Served) -> None:
    assert served.send("GET", f"{BASE}/numbers/").json()["hint"] == "Leave the slash at its end out."
    assert served.send("GET", "/nowhere/").json()["hint"] == "See /docs for every route."


def test_a_compressed_body_is_refused_for_being_one(served: Served) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    answer = served.send("POST", f"{BASE}/numbers/count", content=gzip.compress(b"{}"), headers=headers)
    assert (answer.status_code, answer.json()["detail"]) == (415, "The body is compressed.")


@pytest.mark.parametrize(
    "body",
    [
        b"\xff\xfe",
        b'{"limit": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b'{"q": "\\ud800"}',
        b'{"filter": {"field": "text", "op": "eq", "value": "\\ud800"}}',
        b'{"filter": {"field": "\\ud800", "op": "eq", "value": 1}}',
        b'{"fields": [{"field": "n", "label": "\\ud800"}]}',
        b'{"fields": [{"field": "n", "label": {"\\ud800": "N"}}]}',
        b'{"fields": [{"field": "n", "label": "a\\u0000b"}]}',
        b'{"fields": [{"field": "n", "label": {"en": "a\\u001bb"}}]}',
        b'{"fields": [{"field": "n", "label": "a\\uffff"}]}',
        b'{"filter": {"field": "n", "op": "eq", "value": NaN}}',
        b'{"filename": "\\u0000"}'.replace(b"}", b', "format": "\\u0000"}'),
        b'{"filter": ' + b'{"not": ' * 2000 + b"1" + b"}" * 2001,
        b'{"options": {"header": {"a": [1]}}}',
    ],
)
def test_hostile_bodies_are_told_off_not_tripped_over(served: Served, body: bytes) -> None:
    answer = served.send("POST", f"{BASE}/numbers/download", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["code"].startswith("INVALID") or answer.json()["code"] == "UNKNOWN_FIELD"


def test_a_body_of_ten_megabytes_is_refused_before_it_was_read(served: Served) -> None:
    answer = served.send(
        "POST", f"{BASE}/numbers/count", content=b" " * 10_000_000, headers={"Content-Type": "application/json"}
    )
    assert (answer.status_code, answer.json()["code"]) == (413, "TOO_LARGE")


def test_a_body_of_unknown_length_is_read_no_further_than_the_limit(served: Served) -> None:
    pieces = (b" " * 100_000 for _ in range(100))
    answer = served.send("POST", f"{BASE}/numbers/count", content=pieces, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (413, "TOO_LARGE")


def test_a_body_too_large_for_a_route_that_reads_none_is_refused_too(served: Served) -> None:
    answer = served.send("GET", BASE, content=b" " * 2_000_000)
    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Basic eDp5"}, 401),
        ({"Authorization": "Bearer ofk_nonsense"}, 401),
        ({"x-api-key": "ofk_" + "0" * 36}, 401),
    ],
)
def test_without_a_key_nobody_learns_anything(served: Served, headers: dict[str, str], status: int) -> None:
    answer = httpx2.get(f"{served.site.url}{BASE}/nubmers", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, "UNAUTHENTICATED")
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_a_key_works_in_either_header_and_twice_the_same_is_one(served: Served) -> None:
    url = served.site.url + BASE
    assert httpx2.get(url, headers={"x-api-key": served.secret}).status_code == 200
    assert httpx2.get(url, headers={"x-api-key": served.secret, **bearer(served.secret)}).status_code == 200
    other = make_key(served.runtime)
    assert httpx2.get(url, headers={"x-api-key": other, **bearer(served.secret)}).status_code == 401


@pytest.mark.parametrize(
    ("asked", "status"),
    [("acme", 200), (ACME.uuid, 200), (ACME.uuid.upper(), 200), ("globex", 403), ("", 403), ("ACME", 403)],
)
def test_the_tenant_header_may_only_repeat_the_keys_own(served: Served, asked: str, status: int) -> None:
    assert served.send("GET", BASE, headers={"x-tenant-uuid": asked}).status_code == status


def test_every_answer_carries_the_same_safe_headers(served: Served) -> None:
    for answer in (served.send("GET", BASE), served.send("GET", "/nowhere"), served.send("GET", "/healthz")):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert len(answer.headers["x-request-id"]) == 32


def test_a_request_id_that_could_forge_a_log_line_is_replaced(served: Served) -> None:
    answer = served.send("GET", BASE, headers={"X-Request-Id": "x" * 200})
    assert len(answer.headers["x-request-id"]) == 32


def test_a_key_that_asks_too_often_is_told_when_to_come_back(tmp_path: Path) -> None:
    runtime = make_runtime(tmp_path, {"fake": FakeSource(few)}, limits=Limits(rate="2/minute"))
    secret = make_key(runtime)
    with serve(runtime) as site:
        answers = [httpx2.get(site.url + BASE, headers=bearer(secret)) for _ in range(3)]
        other = httpx2.get(site.url + BASE, headers=bearer(make_key(runtime)))
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert [answer.headers.get("x-ratelimit-remaining") for answer in answers[:2]] == ["1", "0"]
    assert 1 <= int(answers[2].headers["retry-after"]) <= 60
    assert other.status_code == 200


def test_the_log_names_the_route_and_never_what_was_asked(tmp_path: Path) -> None:
    runtime = make_runtime(tmp_path, {"fake": FakeSource(few)})
    secret = make_key(runtime)
    with serve(runtime) as site:
        httpx2.get(f"{site.url}{BASE}/numbers/download?q=s3cret&filename=s3cret", headers=bearer(secret))
        httpx2.get(f"{site.url}/s3cret?x=s3cret", headers={"x-api-key": "s3cret"})
        wait_until(lambda: len(site.log.getvalue().splitlines()) == 2)
        logged = site.log.getvalue()
    assert "s3cret" not in logged
    assert secret not in logged
    assert "row" not in logged.replace("rows", "")
    first, second = (json.loads(line) for line in logged.splitlines())
    assert (first["route"], first["status"], second["route"]) == ("/api/v1/datasets/{name}/download", 200, "none")
