"""What every API of ours is held to, whichever product it came from."""

import re
from pathlib import Path

import pytest
from fastapi.routing import APIRoute

from dialect.conftest import Demo
from offtake.api.routes import NATIVE
from offtake.dialect import ENTRYPOINTS
from offtake.web.entrypoint import Entrypoint, entrypoint_of
from offtake.web.spec import write_spec

ALL = (*ENTRYPOINTS, NATIVE)


@pytest.mark.parametrize("entrypoint", ALL, ids=lambda one: one.name)
def test_every_route_of_an_entrypoint_is_claimed_by_it(entrypoint: Entrypoint) -> None:
    paths = [route.path for router in entrypoint.routers for route in router.routes if isinstance(route, APIRoute)]
    assert paths
    for path in paths:
        asked = re.sub(r"\{[^}]*\}", "019760a0-0050-7000-8000-000000000050", path)
        assert entrypoint_of(ALL, asked) is entrypoint, path


@pytest.mark.parametrize("entrypoint", ALL, ids=lambda one: one.name)
def test_every_action_belongs_to_a_route(entrypoint: Entrypoint) -> None:
    names = {route.name for router in entrypoint.routers for route in router.routes if isinstance(route, APIRoute)}
    assert set(entrypoint.actions) <= names


@pytest.mark.parametrize("entrypoint", ENTRYPOINTS, ids=lambda one: one.name)
def test_what_a_dialect_claims_no_other_api_answers(demo: Demo, entrypoint: Entrypoint) -> None:
    headers = {"Authorization": f"Bearer {demo.keys['admin']}"}
    routes = [route for router in entrypoint.routers for route in router.routes if isinstance(route, APIRoute)]
    for path in {re.sub(r"\{[^}]*\}", "cancel", route.path) for route in routes}:
        methods = {method for route in routes if route.path_regex.fullmatch(path) for method in route.methods}
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - methods:
            answer = demo.client.request(method, path, headers=headers)
            assert answer.status_code == 405, (method, path)
            assert set(answer.headers["allow"].split(", ")) == methods


@pytest.mark.parametrize("entrypoint", ENTRYPOINTS, ids=lambda one: one.name)
def test_every_dialect_has_its_document_and_its_page(demo: Demo, entrypoint: Entrypoint) -> None:
    spec = demo.client.get(f"/openapi/{entrypoint.name}.json").json()
    assert spec["info"]["title"] == entrypoint.title
    page = demo.client.get(f"/docs/{entrypoint.name}")
    assert page.status_code == 200
    assert f'data-spec="../openapi/{entrypoint.name}.json"' in page.text


@pytest.mark.parametrize("entrypoint", ENTRYPOINTS, ids=lambda one: one.name)
def test_a_route_that_is_not_there_leads_to_the_dialects_own_page(demo: Demo, entrypoint: Entrypoint) -> None:
    paths = [route.path for router in entrypoint.routers for route in router.routes if isinstance(route, APIRoute)]
    path = re.sub(r"\{[^}]*\}", "x", min(paths, key=len)) + "/no/such/thing"
    answer = demo.client.get(path, headers={"Authorization": f"Bearer {demo.keys['admin']}"})
    assert answer.status_code == 404
    told = re.findall(r"/docs[/a-z]*", answer.text)
    assert set(told) <= {f"/docs/{entrypoint.name}"}


def test_dialects_know_nothing_of_each_other() -> None:
    folder = Path(__file__).parents[2] / "src/offtake/dialect"
    names = {entrypoint.name for entrypoint in ENTRYPOINTS}
    for file in folder.rglob("*.py"):
        own = file.relative_to(folder).parts[0].removesuffix(".py")
        if own == "__init__":
            continue
        known = set(re.findall(r"offtake\.dialect\.(\w+)", file.read_text("utf-8")))
        assert not (known & names) - {own}, file


@pytest.mark.parametrize("entrypoint", ALL, ids=lambda one: one.name)
def test_no_document_tells_of_the_frameworks_own_refusals(entrypoint: Entrypoint) -> None:
    assert "ValidationError" not in str(write_spec(entrypoint))


@pytest.mark.parametrize("entrypoint", ALL, ids=lambda one: one.name)
def test_a_document_is_written_once_however_often_it_is_asked_for(entrypoint: Entrypoint) -> None:
    assert write_spec(entrypoint) is write_spec(entrypoint)
