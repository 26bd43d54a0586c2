"""How tests ask Altafid's exports API: as a key of globex, whose tables are small, unless they say otherwise."""

import csv
import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

import httpx2

from dialect.conftest import Demo
from offtake.model.ports import Stop
from offtake.service.access import create_key, local_principal
from offtake.service.runtime import Runtime
from sites import serve

PATH = "/api/exports/contacts"
NAME = {"id": "firstName", "label": "First Name", "custom": False, "type": "STRING"}
CREATED = {"id": "createdAt", "label": "Created", "custom": False, "type": "DATE_TIME"}
NOBODY = {"field": "firstName", "operator": "equals", "value": "nobody is called so"}
JSON = dict[str, Any]


def wish(*columns: str | JSON, sort: JSON | None = None, **more: Any) -> JSON:
    """A request for those columns, as CSV."""
    listed = [{"id": column} if isinstance(column, str) else column for column in columns]
    view = {"columns": listed} | ({"sort": sort} if sort else {})
    return {"format": "CSV", "viewState": view} | more


def post(demo: Demo, body: Any, path: str = PATH, *, key: str = "globex", **headers: str) -> httpx2.Response:
    """The answer to the body; a key is one of the demo's, or a secret."""
    sent = {"authorization": f"Bearer {demo.keys.get(key, key)}"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    sent["content-type"] = "application/json"
    return demo.client.post(path, content=json.dumps(body), headers=sent)


def rows(answer: httpx2.Response) -> list[list[str]]:
    """The lines of a CSV, its header the first."""
    assert answer.status_code == 200, answer.text
    return [line or [""] for line in csv.reader(io.StringIO(answer.text, newline=""))]


def refusal(answer: httpx2.Response) -> tuple[int, str]:
    """Status and code, once the rest of the body is what it should be."""
    body = answer.json()
    assert answer.headers["content-type"] == "application/json"
    assert {"timestamp", "status", "error", "code", "message", "path"} <= set(body)
    assert (body["status"], body["path"]) == (answer.status_code, answer.request.url.path)
    assert datetime.fromisoformat(body["timestamp"]).tzinfo is not None
    assert body["message"]
    return answer.status_code, body["code"]


@contextmanager
def changed(demo: Demo, change: Callable[[Runtime], Runtime]) -> Iterator[Demo]:
    """The demo served once more by another runtime."""
    runtime = replace(change(demo.runtime), ending=Stop())
    with serve(runtime) as site, httpx2.Client(base_url=site.url, timeout=60) as client:
        yield replace(demo, runtime=runtime, client=client, site=site)


@contextmanager
def renamed(demo: Demo, dataset: str, **fields: Any) -> Iterator[Demo]:
    """The demo with one dataset's settings changed."""
    datasets = demo.runtime.datasets
    other = {**datasets, dataset: replace(datasets[dataset], **fields)}
    with changed(demo, lambda runtime: replace(runtime, datasets=other)) as served:
        yield served


def secret_of(demo: Demo, *roles: str, scopes: tuple[str, ...] = ()) -> str:
    """A new key at globex."""
    owner = local_principal(demo.runtime, None)
    return create_key(demo.runtime, owner, tenant="globex", scopes=scopes, roles=roles)[1]


def custom_fields(demo: Demo, key: str = "globex") -> list[JSON]:
    """The custom fields of a tenant's contacts, in the order of forms and positions: name, label, group."""
    headers = {"x-api-key": demo.keys[key]}
    listed: list[JSON] = demo.client.get("/api/v1/datasets/contacts", headers=headers).json()["custom_fields"]
    return listed
