"""Shapes over HTTP: the same wishes in a body and in a query string, on a real SQLite."""

import csv
import io
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from service import shaped
from service.shaped import INVOICES, ONBOARDING, REVIEW, RISK, SECRET
from sites import Site, bearer, make_key, serve

CUSTOM = f"custom:cf_{RISK}"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, dict[str, str]]]:
    """The orders, served, and the headers of a reader at acme."""
    home = tmp_path_factory.mktemp("home")
    with shaped.runtime_over(shaped.fill_sqlite(home / "orders.db"), home) as runtime, serve(runtime) as running:
        yield running, bearer(make_key(runtime))


def get(site: tuple[Site, dict[str, str]], what: str, **query: Any) -> httpx2.Response:
    running, headers = site
    return httpx2.get(f"{running.url}/api/v1/datasets/orders{what}", headers=headers, params=query)


def post(site: tuple[Site, dict[str, str]], what: str, **body: Any) -> httpx2.Response:
    running, headers = site
    return httpx2.post(f"{running.url}/api/v1/datasets/orders{what}", headers=headers, json=body)


def rows(answer: httpx2.Response) -> list[list[str]]:
    assert answer.status_code == 200, answer.text
    return list(csv.reader(io.StringIO(answer.text)))


def test_a_body_and_a_query_expand_alike(site: tuple[Site, dict[str, str]]) -> None:
    asked = get(site, "/download", fields="id,items/sku", expand="items", limit=1)
    assert rows(asked) == [["id", "items.sku"], ["1", "a"], ["1", "b"]]
    assert post(site, "/download", fields=["id", "items/sku"], expand="items", limit=1).text == asked.text


def test_a_body_and_a_query_name_a_schema_alike(site: tuple[Site, dict[str, str]]) -> None:
    asked = get(site, "/download", fields="id,total", schema=INVOICES, sort="-total")
    assert rows(asked) == [["id", "total"], ["3", "99"], ["1", "12.5"], ["2", ""]]
    assert post(site, "/download", fields=["id", "total"], schema=INVOICES, sort=["-total"]).text == asked.text
    unknown = get(site, "/download", schema=INVOICES[:-1] + "9")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "NOT_FOUND")


def test_a_body_and_a_query_want_all_custom_fields_alike(site: tuple[Site, dict[str, str]]) -> None:
    asked = get(site, "/download", fields="id", include_all_custom_fields="true", limit=1)
    assert rows(asked)[0][:2] == ["id", CUSTOM]
    assert post(site, "/download", fields=["id"], include_all_custom_fields=True, limit=1).text == asked.text
    wrong = get(site, "/download", include_all_custom_fields="maybe")
    assert (wrong.status_code, wrong.json()["code"]) == (422, "INVALID_REQUEST")


def test_a_body_says_which_form_a_custom_field_is_of(site: tuple[Site, dict[str, str]]) -> None:
    of = [{"field": CUSTOM, "label": "Risk", "group": ONBOARDING}]
    assert rows(post(site, "/download", fields=of, limit=1)) == [["Risk"], ["low"]]
    other = post(site, "/download", fields=[{"field": CUSTOM, "group": REVIEW}])
    assert (other.status_code, other.json()["code"]) == (422, "UNKNOWN_FIELD")
    assert other.json()["errors"][0]["pointer"] == "/fields/0"


def test_a_filter_in_a_query_names_a_custom_field(site: tuple[Site, dict[str, str]]) -> None:
    assert rows(get(site, "/download", fields="id", filter=f"{CUSTOM}:high;info.count:4..")) == [["id"], ["2"]]


def test_the_dataset_is_shown_with_its_tenants_custom_fields(site: tuple[Site, dict[str, str]]) -> None:
    shown = get(site, "").json()
    first = shown["custom_fields"][0]
    assert (first["name"], first["label"], first["group_label"]) == (CUSTOM, "Risk", "Onboarding")
    assert SECRET not in get(site, "").text
    assert not any(field["name"].startswith("custom:") for field in shown["fields"])


def test_a_preview_shows_fifty_expanded_rows_at_most(tmp_path_factory: pytest.TempPathFactory) -> None:
    home = tmp_path_factory.mktemp("home")
    kept, shaped.LABELS[:] = list(shaped.LABELS), [[str(n) for n in range(40)]] * 5
    try:
        url = shaped.fill_sqlite(home / "orders.db")
    finally:
        shaped.LABELS[:] = kept
    with shaped.runtime_over(url, home) as runtime, serve(runtime) as running:
        preview = post(
            (running, bearer(make_key(runtime))), "/preview", fields=["id", "labels"], expand="labels"
        ).json()
    assert [column["name"] for column in preview["columns"]] == ["id", "labels"]
    assert len(preview["data"]) == 50
    assert preview["data"][41] == ["2", "1"]
    assert preview["total"] == 5


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("{dataset}-{date}", "orders-2026-05-17.csv"),
        ("at {datetime}", "at 2026-05-17T12-30-00.csv"),
        ("{dataset}.{format}", "orders.csv"),
        ("no {end", "no {end.csv"),
    ],
)
def test_a_file_name_has_its_placeholders_filled_in(
    site: tuple[Site, dict[str, str]], template: str, name: str
) -> None:
    answer = get(site, "/download", fields="id", filename=template)
    assert f'filename="{name}"' in answer.headers["Content-Disposition"]


def test_times_in_a_file_name_are_the_readers(site: tuple[Site, dict[str, str]]) -> None:
    answer = post(site, "/download", fields=["id"], filename="{datetime}", timezone="Asia/Kathmandu")
    assert "2026-05-17T18-15-00.csv" in answer.headers["Content-Disposition"]


def test_a_placeholder_nobody_knows_is_refused_with_those_that_are_known(site: tuple[Site, dict[str, str]]) -> None:
    problem = post(site, "/download", fields=["id"], filename="{tenant}").json()
    assert problem["code"] == "INVALID_REQUEST"
    assert problem["hint"] == "Known: {dataset}, {date}, {datetime}, {format}."
    assert problem["errors"][0]["pointer"] == "/filename"


def test_a_masked_value_does_not_leak_through_a_path(site: tuple[Site, dict[str, str]]) -> None:
    assert rows(get(site, "/download", fields="veiled/day", limit=1)) == [["veiled.day"], ["****5-01"]]
    refused = post(site, "/count", filter={"field": "veiled.day", "op": "eq", "value": "2026-05-01"})
    assert (refused.status_code, refused.json()["code"]) == (422, "INVALID_FILTER")


def test_a_body_says_as_what_a_field_is_wanted_and_in_which_languages(site: tuple[Site, dict[str, str]]) -> None:
    wanted = [{"field": "id", "label": {"en": "No.", "es": "N.º"}, "as": "string"}]
    for locale, label in ((None, "No."), ("es-CL", "N.º")):
        answer = post(site, "/download", fields=wanted, limit=1, locale=locale, options={"quoting": "nonnumeric"})
        assert answer.text == f'"{label}"\n"1"\n'
    shown = post(site, "/preview", fields=wanted, limit=1).json()
    assert (shown["columns"], shown["data"]) == ([{"name": "id", "label": "No.", "type": "string"}], [["1"]])


@pytest.mark.parametrize(
    ("part", "pointer"),
    [
        ({"as": "date"}, "/fields/0/as"),
        ({"as": "text"}, "/fields/0/as"),
        ({"label": {"en": 5}}, "/fields/0/label"),
        ({"label": {}}, "/fields/0/label"),
        ({"label": 5}, "/fields/0/label"),
    ],
)
def test_what_cannot_be_shown_so_is_pointed_at(
    site: tuple[Site, dict[str, str]], part: dict[str, Any], pointer: str
) -> None:
    refused = post(site, "/download", fields=[{"field": "id"} | part])
    assert (refused.status_code, refused.json()["code"]) == (422, "INVALID_REQUEST")
    assert [each["pointer"] for each in refused.json()["errors"]] == [pointer]


def test_no_rows_are_an_error_where_they_are_to_be_one(site: tuple[Site, dict[str, str]]) -> None:
    nothing = {"field": "id", "op": "eq", "value": 999}
    assert rows(post(site, "/download", fields=["id"], filter=nothing)) == [["id"]]
    refused = [
        post(site, "/download", fields=["id"], filter=nothing, allow_empty=False),
        post(site, "/download", fields=["id"], filter=nothing, allow_empty=False, format="xlsx", part_rows=5),
        get(site, "/download", fields="id", filter="id:999", allow_empty="false"),
    ]
    assert {(each.status_code, each.json()["code"]) for each in refused} == {(422, "NO_ROWS")}
    assert rows(get(site, "/download", fields="id", filter="id:1", allow_empty="false")) == [["id"], ["1"]]
    assert post(site, "/preview", fields=["id"], filter=nothing, allow_empty=False).json()["total"] == 0
