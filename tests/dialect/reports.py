"""What tests of Camunda's API share: reports, and how its clients read them."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import httpx2

from dialect.conftest import Demo
from offtake.model.export import ExportRequest, FieldChoice
from offtake.model.filter import Condition, Operator
from offtake.model.ids import new_id
from offtake.model.saved import Draft
from offtake.service.access import local_principal
from offtake.service.definitions import create_definition


def get(demo: Demo, report: str, *, key: str = "admin", **more: Any) -> httpx2.Response:
    query = {"limit": 5, "paginationTimeout": 60} | more
    headers = {"Authorization": demo.keys.get(key, key)}
    return demo.client.get(f"/api/public/export/report/{report}/result/json", params=query, headers=headers)


def page(demo: Demo, report: str, **more: Any) -> dict[str, Any]:
    answer = get(demo, report, **more)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def walk(demo: Demo, report: str, **more: Any) -> Iterator[dict[str, Any]]:
    """Every page with records, by the loop that the page describes."""
    found = page(demo, report, **more)
    while found["data"]:
        yield found
        found = page(demo, report, searchRequestId=found["searchRequestId"], **more)


def refusal(answer: httpx2.Response) -> tuple[int, str, str]:
    body = answer.json()
    assert list(body) == ["errorCode", "errorMessage", "detailedMessage", "reportDefinition"]
    return answer.status_code, body["errorCode"], body["detailedMessage"]


def define(demo: Demo, tenant: str = "acme", external_id: str | None = None, **wish: Any) -> str:
    request = ExportRequest(**{"dataset": "process_instances", **wish})
    draft = Draft("A report", request, dialect=external_id and "camunda", external_id=external_id)
    return create_definition(demo.runtime, local_principal(demo.runtime, tenant), draft).id


def of(process: str) -> Condition:
    return Condition("processDefinitionKey", Operator.EQ, (process,))


def fields(*names: str) -> tuple[FieldChoice, ...]:
    return tuple(map(FieldChoice, names))


def post(demo: Demo, ids: Any, key: str = "admin") -> httpx2.Response:
    headers = {"Authorization": demo.keys[key]}
    return demo.client.post("/api/public/export/report/definition/json", json=ids, headers=headers)


@contextmanager
def changing(demo: Demo, process: str, variables: str = "{}") -> Iterator[sqlite3.Connection]:
    """Four instances of a process of its own, numbered by their business keys, that the block may change at will."""
    with closing(sqlite3.connect(demo.home / "demo.db", isolation_level=None, timeout=60)) as rows:
        for number in range(1, 5):
            names = (new_id(), process, f"{process}:1:1", new_id(), str(number), f"2026-01-0{number}T12:00:00Z")
            rows.execute(
                "INSERT INTO process_instances VALUES (?, ?, ?, ?, ?, ?, NULL, NULL, 'engine', NULL, ?, 'acme')",
                (*names, variables),
            )
        try:
            yield rows
        finally:
            rows.execute("DELETE FROM process_instances WHERE processDefinitionKey = ?", (process,))
