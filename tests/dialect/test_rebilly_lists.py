"""Rebilly's list of exports: pages, filters, orders, searches."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from dialect.biller import SEEDED, Biller
from dialect.conftest import Demo

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def shelf(served_demo: Demo) -> Iterator[Biller]:
    """Exports of globex: a and b have completed, c waits for its time, d is queued; each a minute after the other."""
    biller = Biller(served_demo, "globex")
    for minute, (id_, body) in enumerate(
        {
            "a-1": {"name": "Alpha"},
            "b-1": {"name": "beta", "resource": "invoices", "arguments": {"filter": "amount:..30"}, "fields": ["id"]},
            "c-1": {"name": "Gamma", "recurring": {"instruction": "FREQ=DAILY;BYHOUR=3"}},
            "d-1": {"name": "delta_%", "resource": "invoiceItems"},
        }.items()
    ):
        served_demo.clock.at = NOON + timedelta(minutes=minute)
        assert biller.put(id_, **body).status_code == 201
        if minute == 1:
            served_demo.run()
    served_demo.clock.at = None
    yield biller
    biller.clear()


@pytest.fixture(autouse=True)
def _then(shelf: Biller) -> Iterator[None]:
    shelf.demo.clock.at = NOON + timedelta(minutes=9)
    yield
    shelf.demo.clock.at = None


def ids(shelf: Biller, **query: str) -> list[str]:
    return [each["id"] for each in shelf.listed(**query)]


def test_the_newest_come_first(shelf: Biller) -> None:
    assert ids(shelf) == ["d-1", "c-1", "b-1", "a-1"]


@pytest.mark.parametrize(
    ("query", "expected", "headers"),
    [
        ({}, ["d-1", "c-1", "b-1", "a-1"], ("4", "100", "0")),
        ({"limit": "2"}, ["d-1", "c-1"], ("4", "2", "0")),
        ({"limit": "2", "offset": "1"}, ["c-1", "b-1"], ("4", "2", "1")),
        ({"limit": "0"}, ["d-1", "c-1", "b-1", "a-1"], ("4", "100", "0")),
        ({"offset": "5000"}, [], ("4", "100", "5000")),
        ({"limit": "1", "q": "ta"}, ["d-1"], ("2", "1", "0")),
    ],
)
def test_a_page_says_which_part_of_how_much_it_is(
    shelf: Biller, query: dict[str, str], expected: list[str], headers: tuple[str, ...]
) -> None:
    answer = shelf.ask("GET", "/data-exports", params=query)
    assert [each["id"] for each in answer.json()] == expected
    assert tuple(answer.headers[f"pagination-{name}"] for name in ("total", "limit", "offset")) == headers


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("status:completed", ["b-1", "a-1"]),
        ("status:!completed,!queued", ["c-1"]),
        ("status:pending,queued", ["d-1", "c-1"]),
        ("name:ALPHA,beta", ["b-1", "a-1"]),
        ("name:!alpha", ["d-1", "c-1", "b-1"]),
        ("id:A-1", ["a-1"]),
        ("resource:invoices", ["b-1"]),
        ("resource:invoices,invoiceItems;status:queued", ["d-1"]),
        ("recordCount:1..", ["b-1", "a-1"]),
        ("fileId:null", ["d-1", "c-1"]),
        ("fileId:!null", ["b-1", "a-1"]),
        ("createdTime:2026-03-10", ["d-1", "c-1", "b-1", "a-1"]),
        ("createdTime:2026-03-10T12:01:00Z..2026-03-10T12:02:00Z", ["c-1", "b-1"]),
        ("createdTime:..2026-03-09", []),
        ("scheduledTime:2026-03-11..", ["c-1"]),
        ("updatedTime:2026-03-10T12:02:00Z..", ["d-1", "c-1"]),
        ("userId:nobody", []),
    ],
)
def test_a_filter_takes_every_field_of_an_export(shelf: Biller, text: str, expected: list[str]) -> None:
    assert ids(shelf, filter=text) == expected
    assert ids(shelf, criteria=text) == expected


def test_filter_and_criteria_hold_both_and_criteria_may_be_json(shelf: Biller) -> None:
    tree = (
        '{"or": [{"field": "name", "op": "eq", "value": "Alpha"}, {"field": "status", "op": "eq", "value": "queued"}]}'
    )
    assert ids(shelf, criteria=tree) == ["d-1", "a-1"]
    assert ids(shelf, criteria=tree, filter="status:completed") == ["a-1"]


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("name", ["a-1", "b-1", "d-1", "c-1"]),
        ("-name", ["c-1", "d-1", "b-1", "a-1"]),
        ("createdTime", ["a-1", "b-1", "c-1", "d-1"]),
        ("resource,-createdTime", ["c-1", "a-1", "d-1", "b-1"]),
        ("status,name", ["a-1", "b-1", "c-1", "d-1"]),
        ("-scheduledTime", ["c-1", "d-1", "b-1", "a-1"]),
        ("fileId,id", ["a-1", "b-1", "c-1", "d-1"]),
        ("-updatedTime,id", ["d-1", "c-1", "a-1", "b-1"]),
        ("-id", ["d-1", "c-1", "b-1", "a-1"]),
    ],
)
def test_a_list_is_sorted_by_several_fields(shelf: Biller, sort: str, expected: list[str]) -> None:
    assert ids(shelf, sort=sort) == expected


@pytest.mark.parametrize(
    ("q", "expected"), [("TA", ["d-1", "b-1"]), ("c-1", ["c-1"]), ("_%", ["d-1"]), ("%", ["d-1"]), ("\0", [])]
)
def test_a_search_finds_parts_of_ids_and_names(shelf: Biller, q: str, expected: list[str]) -> None:
    assert ids(shelf, q=q) == expected


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"filter": "colour:red"}, "filter"),
        ({"filter": "status:done"}, "filter"),
        ({"filter": "createdTime:true"}, "filter"),
        ({"filter": "name"}, "filter"),
        ({"criteria": "{"}, "criteria"),
        ({"criteria": "status:done", "filter": "status:queued"}, "criteria"),
        ({"sort": "colour"}, "sort"),
        ({"limit": "1001"}, "limit"),
        ({"limit": "-1"}, "limit"),
        ({"offset": "x"}, "offset"),
    ],
)
def test_what_a_list_cannot_be_asked_is_an_invalid_field(shelf: Biller, query: dict[str, str], field: str) -> None:
    answer = shelf.ask("GET", "/data-exports", params=query)
    assert (answer.status_code, answer.json()["invalidFields"][0]["field"]) == (422, field)


def test_a_list_has_the_exports_of_this_api_in_the_tenant_alone(shelf: Biller) -> None:
    headers = {"x-api-key": shelf.demo.keys["globex"]}
    native = shelf.demo.client.post("/api/v1/exports", headers=headers, json={"dataset": "disputes"}).json()
    assert native["id"] not in ids(shelf)
    assert shelf.ask("GET", f"/data-exports/{native['id']}").status_code == 404
    shelf.demo.client.delete(f"/api/v1/exports/{native['id']}", headers=headers)
    admin = shelf.demo.client.get("/data-exports", headers={"REB-APIKEY": shelf.demo.keys["admin"]}).json()
    assert [each["id"] for each in admin] == [SEEDED]
