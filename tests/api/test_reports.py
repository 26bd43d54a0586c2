"""Reports over HTTP: the same wish in a body and in a query string."""

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx2
import pytest

from sites import Site, bearer, make_key, make_runtime, serve
from source.sales import SALES, fill, sales

BODY: dict[str, Any] = {
    "group_by": ["paid", {"field": "moment", "part": "year", "label": "Year"}],
    "measures": ["count", {"fn": "sum", "field": "units", "label": "Units"}],
    "filter": {"field": "stage", "op": "eq", "value": "won"},
    "format": "json",
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, dict[str, str]]]:
    """The sales, served, and the headers of a reader at acme."""
    home = tmp_path_factory.mktemp("home")
    with closing(fill("sqlite", f"sqlite:///{home}/sales.db")) as source:
        runtime = make_runtime(home, {"db": source}, SALES)
        with serve(runtime) as running:
            yield running, bearer(make_key(runtime))


def get(site: tuple[Site, dict[str, str]], **query: Any) -> httpx2.Response:
    running, headers = site
    return httpx2.get(f"{running.url}/api/v1/datasets/sales/download", headers=headers, params=query)


def post(site: tuple[Site, dict[str, str]], what: str = "/download", **body: Any) -> httpx2.Response:
    running, headers = site
    return httpx2.post(f"{running.url}/api/v1/datasets/sales{what}", headers=headers, json=body)


def test_a_body_and_a_query_string_ask_for_the_same_report(site: tuple[Site, dict[str, str]]) -> None:
    posted = post(site, **BODY)
    short = get(
        site, group_by="paid,moment:year", measures="count,sum:units", filter=json.dumps(BODY["filter"]), format="json"
    )
    assert posted.status_code == 200, posted.text
    assert posted.json() == short.json()
    won = [row for row in sales() if row["tenant"] == "acme" and row["stage"] == "won"]
    assert sum(row["count"] for row in posted.json()) == len(won)
    assert list(posted.json()[0]) == ["paid", "moment_year", "count", "sum_units"]


def test_a_report_can_be_previewed_and_counted(site: tuple[Site, dict[str, str]]) -> None:
    rows = post(site, **BODY).json()
    assert post(site, "/preview", **BODY).json()["total"] == len(rows)
    assert post(site, "/count", **BODY).json()["matched"] == len(rows)


def test_top_keys_are_asked_for_in_both_ways(site: tuple[Site, dict[str, str]]) -> None:
    posted = post(site, group_by=["stage"], top=2, format="json").json()
    assert posted == get(site, group_by="stage", top=2, format="json").json()
    assert posted[-1]["stage"] == "other"


@pytest.mark.parametrize(
    ("wish", "pointer"),
    [
        ({"group_by": ["moment:moth"]}, "/group_by"),
        ({"group_by": [{"field": "moment", "part": "moth"}]}, "/group_by/0/part"),
        ({"group_by": ["tax"]}, "/group_by/0"),
        ({"measures": ["total:units"]}, "/measures"),
        ({"measures": ["sum:stage"]}, "/measures/0"),
        ({"measures": [7]}, "/measures/0"),
        ({"top": 3}, "/top"),
    ],
)
def test_what_is_wrong_is_pointed_at(site: tuple[Site, dict[str, str]], wish: dict[str, Any], pointer: str) -> None:
    answer = post(site, **wish)
    assert answer.status_code == 422
    assert answer.json()["code"] == "INVALID_REQUEST"
    assert answer.json()["errors"][0]["pointer"].removeprefix("#") == pointer, answer.text
