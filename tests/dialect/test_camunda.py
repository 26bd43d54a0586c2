"""Camunda Optimize's API: who may ask, what is refused, the other calls, and the walls between tenants."""

import json
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from starlette.requests import Request

from dialect.adviser import changed
from dialect.conftest import Demo
from dialect.reports import define, get, of, page, post, refusal
from offtake.demo.reports import ALSO_RAW, COMBINED, HYPER_MAP, LARGE, MAP, NUMBER, RAW
from offtake.dialect.camunda.shapes import render
from offtake.errors import ERRORS, OfftakeError
from offtake.model.access import Tenant
from offtake.model.ids import new_id
from offtake.service.access import authenticate
from sites import make_key


@pytest.mark.parametrize("before", ["", "Bearer ", "bearer ", "BEARER   "])
def test_a_key_opens_with_or_without_bearer(demo: Demo, before: str) -> None:
    assert page(demo, RAW, key=before + demo.keys["reader"])["totalNumberOfRecords"] == 11


def test_one_good_key_in_either_place_is_enough(demo: Demo) -> None:
    good = demo.keys["reader"]
    assert page(demo, RAW, key="wrong", access_token=good)["totalNumberOfRecords"] == 11
    assert page(demo, RAW, key=good, access_token="wrong")["totalNumberOfRecords"] == 11
    assert page(demo, RAW, key="", access_token=good)["totalNumberOfRecords"] == 11


@pytest.mark.parametrize("key", ["", "wrong", "Bearer wrong", "Bearer", "Basic dXNlcjpwYXNz"])
def test_nobody_gets_in_without_a_good_key(demo: Demo, key: str) -> None:
    told = (401, "notAuthorizedError", "Invalid or no JSON export API 'accessToken' provided.")
    for answer in (get(demo, RAW, key=key), get(demo, RAW, key=key, access_token="wrong", limit=-1)):
        assert refusal(answer) == told
        assert answer.headers["www-authenticate"].startswith("Bearer")
    assert refusal(demo.client.get("/api/public/report")) == told
    assert refusal(demo.client.delete(f"/api/public/report/{RAW}")) == told
    assert refusal(demo.client.post("/api/public/export/report/definition/json", json=[])) == told


def test_a_key_in_a_query_is_never_written_down(demo: Demo) -> None:
    key = make_key(demo.runtime, "reports:read", "audit:read")
    page(demo, RAW, key="", access_token=key)
    get(demo, "nothing", key="", access_token=key)
    assert key not in demo.site.log.getvalue()
    lines = demo.client.get("/api/v1/audit", headers={"x-api-key": key}).json()["data"]
    ours = [line for line in lines if line["principal"] == authenticate(demo.runtime, key).id]
    assert {"pages.read"} == {line["action"] for line in ours if line["action"] != "audit.read"}
    assert key not in json.dumps(lines)


def test_a_key_without_the_scope_is_told_so(demo: Demo) -> None:
    assert refusal(get(demo, RAW, key="none"))[:2] == (403, "forbiddenError")
    answer = demo.client.delete(f"/api/public/report/{RAW}", headers={"Authorization": demo.keys["reader"]})
    assert refusal(answer) == (403, "forbiddenError", "This needs the scope reports:write.")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"limit": -1}, "must be greater than or equal to 0"),
        ({"limit": 10_001}, "must be less than or equal to 10000"),
        ({"limit": "ten"}, "must be a whole number"),
        ({"limit": "1.5"}, "must be a whole number"),
        ({"limit": "2.0"}, "must be a whole number"),
        ({"limit": "1_0"}, "must be a whole number"),
        ({"limit": "9" * 5000}, "must be a whole number"),
        ({"limit": ""}, "must be a whole number"),
        ({"limit": None}, "must not be null"),
        ({"paginationTimeout": 59}, "must be greater than or equal to 60"),
        ({"paginationTimeout": 86_401}, "must be less than or equal to 86400"),
        ({"paginationTimeout": "a minute"}, "must be a whole number"),
        ({"paginationTimeout": None}, "must not be null"),
    ],
)
def test_parameters_that_are_missing_or_wrong_are_named(demo: Demo, wrong: dict[str, Any], message: str) -> None:
    sent = {name: value for name, value in ({"limit": 2, "paginationTimeout": 60} | wrong).items() if value is not None}
    headers = {"Authorization": demo.keys["admin"]}
    for more in ({}, {"searchRequestId": "x"}):
        path = f"/api/public/export/report/{RAW}/result/json"
        answer = demo.client.get(path, params=sent | more, headers=headers)
        assert answer.status_code == 400
        assert answer.json() == {
            "errorMessage": "The request body was invalid.",
            "validationErrors": [{"property": next(iter(wrong)), "errorMessage": message}],
        }


@pytest.mark.parametrize("report", ["nothing", "e6c5abb1-6a18-44e7-8480-d562d511ba63", "%00", "a b", "..%2e"])
def test_a_report_that_is_not_there_is_not_found(demo: Demo, report: str) -> None:
    assert refusal(get(demo, report))[:2] == (404, "notFoundError")


def test_unknown_paths_and_methods_are_told_in_the_same_shape(demo: Demo) -> None:
    for path in ("/api/public", "/api/public/dashboard", "/api/public/export/report/x/result/csv"):
        assert refusal(demo.client.get(path))[:2] == (404, "notFoundError")
    answer = demo.client.put("/api/public/report")
    assert refusal(answer)[0] == 405
    assert answer.headers["allow"] == "GET"


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.code)
def test_every_error_has_a_status_and_a_body_of_the_product(error: type[OfftakeError]) -> None:
    scope = {"type": "http", "path": "/api/public/report", "query_string": b"", "headers": [], "state": {}}
    status, body = render(error("What happened."), Request(scope))
    assert status in (400, 401, 403, 404, 405, 413, 429, 500)
    assert (status == 500) == (error.status >= 500)
    assert list(body) == ["errorCode", "errorMessage", "detailedMessage", "reportDefinition"]


def test_a_collection_is_the_tenant_by_uuid_or_name(demo: Demo) -> None:
    def ids(key: str = "reader", **query: str) -> httpx2.Response:
        headers = {"Authorization": demo.keys[key]}
        return demo.client.get("/api/public/report", params=query, headers=headers)

    found = [each["id"] for each in ids(collectionId=demo.tenant_uuid).json()]
    assert {RAW, LARGE, NUMBER, MAP, HYPER_MAP, COMBINED} <= set(found)
    assert len(found) == len(set(found))
    assert [each["id"] for each in ids(collectionId="acme").json()] == found
    told = (400, "badRequestError", "Must specify a collection ID for this request.")
    assert refusal(ids()) == refusal(ids(collectionId="")) == told
    assert refusal(ids(collectionId="40cb3657-bdcb-459d-93ce-06877ac7244a"))[0] == 404
    assert refusal(ids(key="globex", collectionId=demo.tenant_uuid))[0] == 404
    assert RAW not in {each["id"] for each in ids(key="globex", collectionId="globex").json()}


def test_a_collection_has_its_tenants_name_to_the_letter(demo: Demo) -> None:
    tenant = Tenant("Umbra", new_id())
    with changed(demo, lambda runtime: replace(runtime, tenants={**runtime.tenants, tenant.name: tenant})) as served:
        headers = {"Authorization": make_key(served.runtime, tenant=tenant.name)}
        for name, status in (("Umbra", 200), (tenant.uuid.upper(), 200), ("umbra", 404)):
            answer = served.client.get("/api/public/report", params={"collectionId": name}, headers=headers)
            assert answer.status_code == status


def test_every_report_of_a_long_list_is_in_it_once(demo: Demo) -> None:
    made = {define(demo) for _ in range(205)}
    headers = {"Authorization": demo.keys["admin"]}
    found = [each["id"] for each in demo.client.get("/api/public/report?collectionId=acme", headers=headers).json()]
    assert made <= set(found)
    assert len(found) == len(set(found))


def test_a_deleted_report_is_gone_and_its_pages_with_it(demo: Demo) -> None:
    external = new_id()
    report, headers = define(demo, external_id=external), {"Authorization": demo.keys["admin"]}
    sent = page(demo, external)["searchRequestId"]
    answer = demo.client.delete(f"/api/public/report/{external}", headers=headers)
    assert (answer.status_code, answer.content) == (204, b"")
    assert refusal(demo.client.delete(f"/api/public/report/{report}", headers=headers))[0] == 404
    assert refusal(get(demo, report))[0] == refusal(get(demo, external, searchRequestId=sent))[0] == 404


def test_definitions_are_exported_in_the_order_they_were_asked_for(demo: Demo) -> None:
    asked = [MAP, ALSO_RAW, COMBINED, MAP]
    answer = post(demo, asked)
    assert answer.status_code == 200
    found = answer.json()
    assert [each["id"] for each in found] == [MAP, RAW, COMBINED]
    assert [each["exportEntityType"] for each in found] == [*["single_process_report"] * 2, "combined_report"]
    made = demo.client.post(
        "/api/v1/definitions",
        json={"name": "Again", **found[1]["data"]},
        headers={"x-api-key": demo.keys["admin"]},
    )
    assert made.status_code == 201
    assert page(demo, made.json()["id"])["data"] == page(demo, RAW)["data"]


def test_no_definition_is_exported_if_one_is_not_there(demo: Demo) -> None:
    assert refusal(post(demo, [MAP, "nothing"]))[:2] == (404, "notFoundError")
    assert post(demo, []).json() == []


@pytest.mark.parametrize("body", [{"ids": []}, [1], "x", None, [["x"]], ["x"] * 1001])
def test_a_body_that_is_no_list_of_ids_is_refused(demo: Demo, body: Any) -> None:
    answer = post(demo, body)
    assert answer.status_code == 400
    assert set(answer.json()) == {"errorMessage", "validationErrors"}


def test_an_id_that_is_no_text_is_refused(demo: Demo) -> None:
    headers = {"Authorization": demo.keys["admin"], "Content-Type": "application/json"}
    answer = demo.client.post("/api/public/export/report/definition/json", content=rb'["\ud800"]', headers=headers)
    assert answer.status_code == 400
    assert answer.json()["validationErrors"] == [{"property": "0", "errorMessage": "[0] takes text."}]


def test_a_body_that_is_no_json_is_refused(demo: Demo) -> None:
    headers = {"Authorization": demo.keys["admin"], "Content-Type": "application/json"}
    path = "/api/public/export/report/definition/json"
    assert demo.client.post(path, content=b"[", headers=headers).status_code == 400
    large = demo.client.post(path, content=b" " * 1_000_001, headers=headers)
    assert refusal(large)[0] == 413


def test_reports_of_another_tenant_are_not_found(demo: Demo) -> None:
    headers = {"Authorization": demo.keys["globex"]}
    for report in (RAW, ALSO_RAW, LARGE, NUMBER, COMBINED):
        assert refusal(get(demo, report, key="globex"))[0] == 404
        assert refusal(demo.client.delete(f"/api/public/report/{report}", headers=headers))[0] == 404
        assert refusal(post(demo, [report], key="globex"))[0] == 404


def test_each_tenant_has_external_ids_of_its_own(demo: Demo) -> None:
    theirs = define(demo, "globex", external_id=ALSO_RAW, filter=of("aProcess"))
    found = page(demo, ALSO_RAW, key="globex")
    assert (found["reportId"], found["totalNumberOfRecords"]) == (theirs, 7)
    assert page(demo, ALSO_RAW)["reportId"] == RAW
