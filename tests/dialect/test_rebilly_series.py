"""Rebilly's exports that recur, over a quarter and more of made-up time, against the tables themselves."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from dialect.biller import Biller
from dialect.conftest import Demo

DAY = timedelta(days=1)
LAST_MONTH = {"start": "first day of last month midnight", "end": "first day of this month midnight"}
FIRST = datetime(2026, 1, 1, 3, 30, tzinfo=UTC)


@pytest.fixture
def biller(demo: Demo) -> Iterator[Biller]:
    """The administrator of acme; what a test made is deleted after it."""
    admin = Biller(demo)
    yield admin
    admin.clear()


def issued(demo: Demo, since: date, until: date) -> set[str]:
    """The invoices that were created from that day on and before the other, as the table itself has them."""
    query = "SELECT id FROM billing_invoices WHERE tenant = 'acme' AND createdTime >= ? AND createdTime < ?"
    with closing(sqlite3.connect(demo.home / "demo.db")) as database:
        return {id_ for (id_,) in database.execute(query, (since.isoformat(), until.isoformat()))}


def month_before(day: date) -> tuple[date, date]:
    first = day.replace(day=1)
    return (first - DAY).replace(day=1), first


def daily(biller: Biller, start: datetime, **body: Any) -> dict[str, Any]:
    """An export of invoices every day from then on."""
    recurring = {"instruction": "RRULE:FREQ=DAILY", "start": start.isoformat()}
    return biller.queue(resource="invoices", fields=["id"], recurring=recurring, **body)


def pending(biller: Biller) -> list[dict[str, Any]]:
    return biller.listed(filter="status:pending")


@pytest.mark.parametrize(
    ("first", "days"),
    [(FIRST + 30 * DAY, 3), pytest.param(FIRST, 90, marks=pytest.mark.slow)],
    ids=["turn of the month", "quarter"],
)
def test_a_daily_export_of_the_month_before_has_its_rows_on_every_day(
    biller: Biller, first: datetime, days: int
) -> None:
    demo = biller.demo
    demo.clock.at = first - timedelta(hours=1)
    daily(biller, first, dateRange=LAST_MONTH)
    counts: dict[int, set[int]] = {}
    instants = [first + number * DAY for number in range(days)]
    for now in instants:
        (waiting,) = pending(biller)
        assert waiting["scheduledTime"] == f"{now:%Y-%m-%dT%H:%M:%SZ}"
        demo.clock.at = now + timedelta(minutes=7)  # the worker was busy
        demo.run()
        done = biller.get(waiting["id"])
        assert done["dateRange"] == {**LAST_MONTH, "field": "createdTime"}
        found = biller.rows(done)[1:]
        assert set(found) == issued(demo, *month_before(now.date()))
        assert len(found) == done["recordCount"]
        counts.setdefault(now.month, set()).add(len(found))
    assert len(counts) == len({frozenset(each) for each in counts.values()}) == sum(map(len, counts.values())) > 1
    runs = biller.listed(filter="status:completed", sort="scheduledTime", limit="1000")
    assert [run["scheduledTime"][:10] for run in runs] == [f"{now:%Y-%m-%d}" for now in instants]


def test_days_that_nobody_was_there_for_are_not_made_up_for(biller: Biller) -> None:
    biller.demo.clock.at = FIRST - timedelta(hours=1)
    daily(biller, FIRST, dateRange=LAST_MONTH)
    biller.demo.clock.at = FIRST + 40 * DAY + timedelta(hours=2)
    biller.demo.run()
    (done,) = biller.listed(filter="status:completed")
    assert (done["scheduledTime"], set(biller.rows(done)[1:])) == (
        f"{FIRST:%Y-%m-%dT%H:%M:%SZ}",
        issued(biller.demo, date(2025, 12, 1), date(2026, 1, 1)),
    )
    (waiting,) = pending(biller)
    assert waiting["scheduledTime"] == f"{FIRST + 41 * DAY:%Y-%m-%dT%H:%M:%SZ}"


def test_without_a_start_the_first_is_now(biller: Biller) -> None:
    biller.demo.clock.at = FIRST
    made = biller.queue(recurring={"instruction": "FREQ=WEEKLY"})
    assert (made["status"], made["scheduledTime"]) == ("queued", "2026-01-01T03:30:00Z")
    assert made["recurring"] == {"instruction": "FREQ=WEEKLY", "start": "2026-01-01T03:30:00Z"}
    biller.demo.run()
    (waiting,) = pending(biller)
    assert waiting["scheduledTime"] == "2026-01-08T03:30:00Z"


def test_each_occurrence_is_an_object_of_its_own_and_the_first_keeps_the_clients_id(biller: Biller) -> None:
    biller.demo.clock.at = FIRST
    biller.put("mine", recurring={"instruction": "FREQ=DAILY"})
    biller.demo.run()
    assert biller.get("mine")["status"] == "completed"
    (waiting,) = pending(biller)
    kept = ("name", "resource", "format", "arguments", "fields", "recurring", "dateRange", "userId")
    assert {key: waiting[key] for key in kept} == {key: biller.get("mine")[key] for key in kept}
    assert waiting["id"] != "mine"
    assert (waiting["createdTime"], waiting["fileId"]) == ("2026-01-01T03:30:00Z", None)


def test_deleting_the_one_that_waits_ends_the_series(biller: Biller) -> None:
    biller.demo.clock.at = FIRST
    done = biller.finish(recurring={"instruction": "FREQ=DAILY"})
    (waiting,) = pending(biller)
    assert biller.ask("DELETE", f"/data-exports/{waiting['id']}").status_code == 204
    biller.demo.clock.at = FIRST + 3 * DAY
    biller.demo.run()
    assert [each["id"] for each in biller.listed()] == [done["id"]]


def test_changing_the_one_that_waits_changes_what_comes_after_it(biller: Biller) -> None:
    biller.demo.clock.at = FIRST
    biller.finish(recurring={"instruction": "FREQ=DAILY"})
    (waiting,) = pending(biller)
    changed = biller.put(waiting["id"], name="weekly", format="json", recurring={"instruction": "FREQ=WEEKLY;BYDAY=SU"})
    assert (changed.status_code, changed.json()["scheduledTime"]) == (200, "2026-01-04T03:30:00Z")
    biller.demo.clock.at = FIRST + 3 * DAY
    biller.demo.run()
    assert biller.get(waiting["id"])["status"] == "completed"
    (after,) = pending(biller)
    assert (after["name"], after["format"], after["scheduledTime"]) == ("weekly", "json", "2026-01-11T03:30:00Z")
    assert biller.put(after["id"]).json()["status"] == "queued"  # without a rule it is one export more, and the last
    biller.demo.run()
    assert pending(biller) == []


def test_a_run_that_fails_is_followed_all_the_same(biller: Biller) -> None:
    biller.demo.clock.at = FIRST
    made = biller.queue(recurring={"instruction": "FREQ=DAILY;COUNT=2"})
    headers = {"x-api-key": biller.demo.keys["admin"]}
    assert biller.demo.client.post(f"/api/v1/exports/{made['id']}/cancel", headers=headers).status_code == 200
    assert biller.get(made["id"])["status"] == "failed"
    (waiting,) = pending(biller)
    biller.demo.clock.at = FIRST + DAY
    biller.demo.run()
    assert biller.get(waiting["id"])["status"] == "completed"
    assert pending(biller) == []  # two were all


@pytest.mark.parametrize(
    ("recurring", "field"),
    [
        ({"instruction": "FREQ=SECONDLY"}, "recurring.instruction"),
        ({"instruction": "FREQ=DAILY;UNTIL=20200101"}, "recurring.instruction"),
        ({"instruction": "FREQ=DAILY", "start": "2199-01-01T00:00:00Z"}, "recurring.instruction"),
        ({"instruction": "FREQ=DAILY", "start": 1}, "recurring.start"),
        ({"instruction": "FREQ=DAILY", "start": "9999-12-31T23:59:59-12:00"}, "recurring.start"),
        ({}, "recurring.instruction"),
    ],
)
def test_what_never_recurs_or_is_no_rule_is_refused(biller: Biller, recurring: dict[str, Any], field: str) -> None:
    assert biller.wrong(recurring=recurring) == [field]
