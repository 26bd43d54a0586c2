"""One dataset under the names that all five foreign APIs have for it: the same question gets the same rows from each.

The question: number, vendor and total of what was read in February 2024, oldest first.
"""

import csv
import io
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from dialect.adviser import renamed
from dialect.conftest import Demo
from dialect.reports import define, fields, walk
from dialect.test_exelensia_wire import SCHEMA
from offtake.model.dataset import Sort
from offtake.model.export import DateRange
from offtake.model.filter import And, Condition, Operator

ALIASES = dict.fromkeys(("optimaite", "altafid", "rebilly"), "findings")
COLUMNS = ("id", "createdAt", "data.vendor", "data.total")
Row = tuple[str, datetime, str, float]


@pytest.fixture(scope="module")
def findings(served_demo: Demo) -> Iterator[Demo]:
    """The demo, whose extraction results have the alias."""
    with renamed(served_demo, "extraction_results", aliases=ALIASES) as served:
        yield served


def key_of(demo: Demo) -> dict[str, str]:
    return {"authorization": f"Bearer {demo.keys['admin']}"}


def row(id_: str, created: str, vendor: str, total: str | float) -> Row:
    """What was read, by its instant to the second: as exactly as the least exact of them shows it."""
    return id_, datetime.fromisoformat(created).astimezone(UTC).replace(microsecond=0), vendor, float(total)


def by_names(rows: list[dict[str, Any]]) -> list[Row]:
    return [row(*(each[name] for name in COLUMNS)) for each in rows]


def ask_natively(demo: Demo) -> list[Row]:
    body = {
        "format": "json",
        "fields": list(COLUMNS),
        "filter": {"and": [{"field": "schema_id", "op": "eq", "value": SCHEMA}]},
        "date_range": {"from": "2024-02-01", "to": "2024-02-29"},
        "sort": ["createdAt"],
    }
    url = "/api/v1/datasets/extraction_results/download"
    return by_names(demo.client.post(url, headers=key_of(demo), json=body).json())


def ask_optimaite(demo: Demo) -> list[Row]:
    """Its configurations have no order of their own; the dataset's is the newest first."""
    body = {
        "name": "February",
        "source": "findings",
        "format": "json",
        "filters": {"date_from": "2024-02-01", "date_to": "2024-02-29", "schema": SCHEMA, "status": "SUCCESS"},
        "columns": [{"field": name} for name in COLUMNS],
    }
    made = demo.client.post("/api/v1/exports/configs", headers=key_of(demo), json=body).json()
    url = f"/api/v1/exports/configs/{made['id']}"
    answer = demo.client.get(f"{url}/execute", headers=key_of(demo)).json()
    demo.client.delete(url, headers=key_of(demo))
    assert answer["meta"]["row_count"] == len(answer["data"])
    return by_names(answer["data"])[::-1]


def ask_exelensia(demo: Demo) -> list[Row]:
    headers = {"x-api-key": demo.keys["admin"]}
    body = {"schema_id": SCHEMA, "start_date": "2024-02-01", "end_date": "2024-02-29T23:59:59.999Z"}
    made = demo.client.post("/v1/exports", headers=headers, json=body).json()
    demo.run()
    url = demo.client.get(f"/v1/exports/{made['id']}/download", headers=headers).json()["url"]
    lines = csv.DictReader(io.StringIO(demo.client.get(url).text, newline=""))
    return [row(line["result_id"], line["created_at"], line["vendor"], line["total"]) for line in lines]


def ask_camunda(demo: Demo) -> list[Row]:
    wanted = And((Condition("schema_id", Operator.EQ, (SCHEMA,)), Condition("status", Operator.EQ, ("SUCCESS",))))
    dates = DateRange("2024-02-01", "2024-02-29")
    report = define(
        demo,
        dataset="extraction_results",
        fields=fields(*COLUMNS),
        filter=wanted,
        date_range=dates,
        sort=(Sort("createdAt"),),
    )
    return by_names([each for page in walk(demo, report, limit=40) for each in page["data"]])


def ask_altafid(demo: Demo) -> list[Row]:
    body = {
        "format": "CSV",
        "viewState": {
            "columns": [{"id": name, "label": name} for name in COLUMNS],
            "sort": {"field": "createdAt", "direction": "ASC"},
        },
        "filters": [
            {"field": "createdAt", "operator": "between", "values": ["2024-02-01", "2024-02-29"]},
            {"field": "schema_id", "operator": "equals", "value": SCHEMA},
        ],
    }
    text = demo.client.post("/api/exports/findings", headers=key_of(demo), json=body).text
    return by_names(list(csv.DictReader(io.StringIO(text, newline=""))))


def ask_rebilly(demo: Demo) -> list[Row]:
    headers = {"REB-APIKEY": demo.keys["admin"]}
    body = {
        "name": "February",
        "resource": "findings",
        "format": "csv",
        "fields": ["id", "createdAt", "data/vendor", "data/total"],
        "arguments": {"filter": f"schema_id:{SCHEMA};status:SUCCESS", "sort": "createdAt"},
        "dateRange": {"start": "2024-02-01T00:00:00Z", "end": "2024-03-01T00:00:00Z", "field": "createdAt"},
    }
    made = demo.client.post("/data-exports", headers=headers, json=body).json()
    demo.run()
    done = demo.client.get(f"/data-exports/{made['id']}", headers=headers).json()
    text = demo.client.get(f"/files/{done['fileId']}/download", headers=headers).text
    demo.client.delete(f"/data-exports/{made['id']}", headers=headers)
    rows = by_names(list(csv.DictReader(io.StringIO(text, newline=""))))
    assert done["recordCount"] == len(rows)
    return rows


@pytest.fixture(scope="module")
def expected(findings: Demo) -> list[Row]:
    """What the native API says."""
    rows = ask_natively(findings)
    assert len(rows) > 80
    assert {each[1].month for each in rows} == {2}
    return rows


@pytest.mark.parametrize("ask", [ask_optimaite, ask_exelensia, ask_camunda, ask_altafid, ask_rebilly])
def test_the_same_question_gets_the_same_rows(
    findings: Demo, expected: list[Row], ask: Callable[[Demo], list[Row]]
) -> None:
    assert ask(findings) == expected
